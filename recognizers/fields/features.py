"""The features of the field penalty: shape and place of a candidate field (section X-A)."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from recognizers.datasets.check_printing import text_ink
from recognizers.fields.candidates import GAPS, Candidates
from recognizers.fields.ink import CheckInk

__all__ = ["FEATURES", "field_features", "likeness_to_sign"]

FEATURES = (
    "x", "x_squared", "y", "y_squared", "height", "height_squared", "aspect", "aspect_squared",
    "density", "density_squared", "sign_before", "sign_first", "framed", "rule_under",
    "ink_before", "ink_behind", "darkness", "unevenness", "components", "last_line",
    "alone", "heading", "wide_gap", "alike_before", "alike_behind",
)  # fmt: skip
"""Names of the features, see :func:`field_features`."""

GLYPH = 16
"""Side of the pictures by which signs are compared, in pixels."""

HEIGHTS_APART, LINES_APART = 0.5, 0.5
"""Where likeness ends: log of the ratio of two heights, and distance of two lines in heights."""

SIGN_FONTS = ("sans", "serif", "times", "mono")


def field_features(ink: CheckInk, candidates: Candidates) -> np.ndarray:
    """Measure candidate fields, float32 ``[N, F]``, of about unit range; columns are ``FEATURES``.

    - place of the middle, -1 to 1 each way, and its squares; log of the height against a
      seventeenth of the check's, log of the aspect against 4, and their squares;
    - share of ink in the box against 0.3, and its square;
    - likeness to a currency sign of the ink before the field, and of its first component;
    - share of its upper and lower side that lines run along (the lesser), and of the lower one;
    - share of ink before and behind it, within twice its height; how dark it is against the
      darkest; spread of its components' heights, and log of their number;
    - whether it reaches into the lowest fourteenth, where the machine-readable line is; share of
      ink near it, above and below together, and above, where small print stands; its widest gap in
      heights;
    - how much the component before it, and the one behind it, look like a character that was left
      out: as high, on its line, near, and not a currency sign.
    """
    high, wide = ink.labels.shape
    boxes = candidates.boxes
    if not len(boxes):
        return np.empty((0, len(FEATURES)), np.float32)
    x, y, right, bottom = boxes.T
    tall, long = bottom - y, right - x
    written = _sums(ink.labels > 0)
    ruled = _sums(ink.lines)
    dark = ink.darkness * ink.sizes
    middle = np.stack([(x + right) / wide - 1.0, (y + bottom) / high - 1.0])
    height = np.log(17.0 * tall / high)
    aspect = np.log(long / (4.0 * tall))
    amount = _within(written, x, y, right, bottom)
    density = amount / (tall * long) / 0.3 - 1.0
    above = _within(ruled, x, y - tall, right, y + tall // 4) / long
    below = _within(ruled, x, bottom - tall // 4, right, bottom + tall) / long
    before = _within(written, x - 2 * tall, y, x - 2, bottom) / (0.6 * tall**2)
    behind = _within(written, right + 2, y, right + 2 * tall, bottom) / (0.6 * tall**2)
    level = np.array([dark[own].sum() / ink.sizes[own].sum() for own in candidates.components])
    over = _within(written, x, y - tall, right, y - 2) / (0.3 * tall * long)
    under = _within(written, x, bottom + 2, right, bottom + tall) / (0.3 * tall * long)
    heights = [ink.boxes[own, 3] - ink.boxes[own, 1] for own in candidates.components]
    uneven = [float(np.std(h[2 * h >= h.max()]) / h.max()) for h in heights]
    gaps = [_widest_gap(ink.boxes[own]) for own in candidates.components]
    signs = _signs(ink, candidates)
    columns = (
        middle[0], middle[0] ** 2, middle[1], middle[1] ** 2, height, height**2, aspect,
        aspect**2, density, density**2, signs[0], signs[1],
        np.clip(np.minimum(above, below), 0.0, 1.0), np.clip(below, 0.0, 1.0),
        np.clip(before, 0.0, 1.0), np.clip(behind, 0.0, 1.0), level / max(level.max(), 1.0),
        4.0 * np.array(uneven), np.log([len(h) / 6.0 for h in heights]),
        (bottom > 0.93 * high).astype(np.float64),
        np.clip(over + under, 0.0, 1.0), np.clip(over, 0.0, 1.0), np.array(gaps) / tall,
        *_alike_beside(ink, candidates, signs[0]),
    )  # fmt: skip
    return np.clip(np.stack(columns, axis=1), -4.0, 4.0).astype(np.float32)


def likeness_to_sign(glyphs: np.ndarray) -> np.ndarray:
    """Return how alike glyphs ``[N, 16, 16]`` are to a currency sign, 0 to 1: ``[N]``.

    The largest correlation with the signs of some fonts.

    >>> blank = np.zeros((1, 16, 16))
    >>> likeness_to_sign(np.concatenate([blank, sign_glyphs()[:1]])).round(3)
    array([0., 1.])
    """
    found = _normalised(glyphs) @ _normalised(sign_glyphs()).T
    likeness: np.ndarray = np.clip(found.max(axis=1, initial=0.0), 0.0, 1.0)
    return likeness


@cache
def sign_glyphs() -> np.ndarray:
    """Return currency signs of some fonts, ``[K, 16, 16]``."""
    return np.stack([_glyph(text_ink("$", name, 40)[0]) for name in SIGN_FONTS])


def _glyph(ink: np.ndarray) -> np.ndarray:
    """Return ink ``[h, w]`` as a picture of one size, its aspect kept, in the middle."""
    tall, wide = ink.shape
    scale = GLYPH / max(tall, wide)
    size = max(1, round(wide * scale)), max(1, round(tall * scale))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX))
    out = np.zeros((GLYPH, GLYPH))
    top, left = (GLYPH - size[1]) // 2, (GLYPH - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out


def _normalised(glyphs: np.ndarray) -> np.ndarray:
    flat = glyphs.reshape(len(glyphs), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm: np.ndarray = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    return norm


def _signs(ink: CheckInk, candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeness to a sign of the ink before each field, and of its first part."""
    boxes = ink.boxes
    chosen = np.full((len(candidates.boxes), 2), -1)
    for n, (box, own) in enumerate(zip(candidates.boxes, candidates.components, strict=True)):
        tall = box[3] - box[1]
        gap = box[0] - boxes[:, 2]
        shared = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
        near = (gap >= -2) & (gap < 1.6 * tall) & (shared > 0.4 * (boxes[:, 3] - boxes[:, 1]))
        near &= boxes[:, 3] - boxes[:, 1] >= 0.3 * tall
        if near.any():
            places = np.flatnonzero(near)
            chosen[n, 0] = places[boxes[places, 2].argmax()]
        chosen[n, 1] = own[boxes[own, 0].argmin()]
    used = np.unique(chosen[chosen >= 0])
    likeness = np.zeros(len(boxes) + 1)
    if len(used):
        likeness[used] = likeness_to_sign(np.stack([_component_glyph(ink, c) for c in used]))
    found = likeness[chosen]
    return found[:, 0], found[:, 1]


def _alike_beside(
    ink: CheckInk, candidates: Candidates, sign_before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how much the ink before and behind each field is like its own components, 0 to 1.

    If it is as high as these usually are, on their line and near, it may be a character that was
    left out. The value for the ink before is less if that is a currency sign.
    """
    found = np.zeros((2, len(candidates.boxes)))
    _, y, _, bottom = ink.boxes.T
    for n, (box, own) in enumerate(zip(candidates.boxes, candidates.components, strict=True)):
        heights = bottom[own] - y[own]
        usual = float(np.median(heights[2 * heights >= heights.max()]))
        line = float(np.median(bottom[own][2 * heights >= heights.max()]))
        alike = 1.0 - np.abs(np.log(np.maximum(bottom - y, 1) / usual)) / HEIGHTS_APART
        alike -= np.abs(bottom - line) / (LINES_APART * usual)
        alike[own] = 0.0
        for side, gap in enumerate((box[0] - ink.boxes[:, 2], ink.boxes[:, 0] - box[2])):
            beside = np.where(gap >= -0.1 * usual, 1.0 - gap / (GAPS[-1] * usual), 0.0)
            found[side, n] = np.clip(np.minimum(alike, beside), 0.0, 1.0).max(initial=0.0)
    return found[0] * (1.0 - sign_before**2), found[1]


def _component_glyph(ink: CheckInk, number: int) -> np.ndarray:
    x, y, right, bottom = ink.boxes[number]
    own = ink.labels[y:bottom, x:right] == number + 1
    return _glyph(np.where(own, 255, 0).astype(np.uint8))


def _widest_gap(boxes: np.ndarray) -> float:
    ordered = boxes[np.argsort(boxes[:, 0], kind="stable")]
    ends = np.maximum.accumulate(ordered[:, 2])
    return float(np.max(ordered[1:, 0] - ends[:-1], initial=0.0))


def _sums(values: np.ndarray) -> np.ndarray:
    """Return how many are marked in rectangles from the upper left corner, ``[H + 1, W + 1]``."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(values, axis=0, dtype=np.int32), axis=1, out=total[1:, 1:])
    return total


def _within(
    sums: np.ndarray, x: np.ndarray, y: np.ndarray, right: np.ndarray, bottom: np.ndarray
) -> np.ndarray:
    """Return the sums within rectangles, cut to the image, ``[N]``."""
    high, wide = sums.shape[0] - 1, sums.shape[1] - 1
    x, right = np.clip(x, 0, wide), np.clip(right, 0, wide)
    y, bottom = np.clip(y, 0, high), np.clip(bottom, 0, high)
    within: np.ndarray = sums[bottom, right] - sums[y, right] - sums[bottom, x] + sums[y, x]
    return within
