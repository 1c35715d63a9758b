"""Heuristic over-segmentation of a field image into a segmentation graph.

A field is taken apart into pieces of ink, smaller than characters and ordered from left to right
(:mod:`recognizers.segmentation.binarization`, :mod:`recognizers.segmentation.cuts`). A node stands
before, between and after the pieces; an arc carries a group of 1 to 8 successive pieces that could
be one character. Every complete path uses every piece exactly once (LeCun et al. 1998, section V,
and ``T_seg`` of section X). Several :class:`Rules` take a field apart several times, and the
graphs are put side by side between the same two ends
(:data:`recognizers.segmentation.rules.THOROUGH`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from recognizers.segmentation.binarization import (
    ink_levels,
    ink_mask,
    ink_threshold,
    remove_edge_lines,
    remove_faint,
    remove_specks,
    stroke_width,
    subtract_rules,
)
from recognizers.segmentation.cuts import (
    estimate_slant,
    row_shifts,
    shear,
    unshear,
)
from recognizers.segmentation.features import FEATURES, geometric_features
from recognizers.segmentation.images import SIZE, normalise_segment
from recognizers.segmentation.pieces import (
    cut_components,
    group_boxes,
    group_pieces,
    piece_boxes,
    piece_spans,
)
from recognizers.segmentation.rules import Rules
from recognizers.segmentation.surroundings import VIEW, segment_surroundings

WORKING_HEIGHT = 128
"""In pixels; higher fields are reduced to this height before they are segmented."""

MAX_PIECES = 96
"""Most pieces of a field; if there are more (noise), only the largest components are kept."""


PIXEL_MIDDLE = 0.5
"""Where a box begins within its first pixel of the file: in its middle, since boxes are of drawn
points."""


@dataclass(frozen=True)
class Segmentation:
    """A field taken apart. P pieces, A arcs, F features, working image of h x w pixels.

    Node i stands before piece i (0 the start, ``num_nodes - 1`` the final node); an arc from i to
    j carries the pieces i to j - 1. A field without ink has two nodes and no arc: no path.

    Attributes:
        image: ink of the field without its background, uint8 ``[h, w]``, 0 paper, 255 ink.
        mask: True on ink, bool ``[h, w]``.
        pieces: number of the piece of each pixel, int32 ``[h, w]``, -1 for paper.
        cuts: for each inner node a polyline, float32 ``[K, 2]`` of (x, y) in pixels of the file.
        num_nodes: P + 1 (2 if there is no piece).
        src, dst: ends of the arcs, int32 ``[A]``, sorted by source, then destination.
        boxes: x, y, width, height of each arc's ink in pixels of the file, float32 ``[A, 4]``; x
            and y count from the middle of the first pixel.
        images: size-normalised ink, uint8 ``[A, 32, 32]``; ``to_input`` makes network input of it.
        surroundings: each arc's own ink on the line of writing, and the ink around it, uint8
            ``[A, 2, 32, 32]``.
        features: geometric features, float32 ``[A, F]``, named by ``FEATURES``.
        slant: tangent of the slant that was removed before cutting.
        text_height: estimated height of the writing in pixels of the working image.
        scale: pixels of the file for one pixel of the working image.
    """

    image: np.ndarray
    mask: np.ndarray
    pieces: np.ndarray
    cuts: list[np.ndarray]
    num_nodes: int
    src: np.ndarray
    dst: np.ndarray
    boxes: np.ndarray
    images: np.ndarray
    surroundings: np.ndarray
    features: np.ndarray
    slant: float
    text_height: float
    scale: float

    @property
    def num_arcs(self) -> int:
        """Number of arcs, A."""
        return len(self.src)


def segment_field(grey: np.ndarray, rules: Rules | Sequence[Rules] | None = None) -> Segmentation:
    """Over-segment a grey-level field, uint8 ``[H, W]`` of any size.

    With several rules the field is taken apart by each of them, and a path goes through one of
    the results (:func:`side_by_side`); ``THOROUGH`` is such a list. The default is ``Rules()``.

    Raises:
        ValueError: ``grey`` is not a two-dimensional array of uint8; or no rules.

    Example:
        >>> field = np.full((40, 80), 230, np.uint8)
        >>> field[8:32, 15:19] = 30
        >>> field[8:32, 45:49] = 30
        >>> s = segment_field(field)
        >>> s.num_nodes, s.src.tolist(), s.dst.tolist()
        (3, [0, 1], [1, 2])
        >>> s = segment_field(field, [Rules(), Rules(threshold=0.8)])
        >>> s.num_nodes, s.src.tolist(), s.dst.tolist()
        (4, [0, 0, 1, 2], [1, 2, 3, 3])
    """
    every = [Rules()] if rules is None else [rules] if isinstance(rules, Rules) else list(rules)
    if not every:
        raise ValueError("a field is segmented by one set of rules or more, not by none")
    grey = np.asarray(grey)
    if grey.ndim != 2 or grey.dtype != np.uint8 or grey.size == 0:
        raise ValueError(
            f"a field is a uint8 array [height, width] with pixels, not {grey.dtype} {grey.shape}"
        )
    work, scale = working_image(grey)
    levels = ink_levels(ndimage.gaussian_filter(work.astype(np.float32), 0.7, truncate=3.0))
    levels = subtract_rules(levels)
    return side_by_side([_segment_levels(levels, scale, one) for one in every])


def _segment_levels(levels: np.ndarray, scale: float, rules: Rules) -> Segmentation:
    """Over-segment the ink levels ``[h, w]`` of a working image by one set of rules."""
    threshold = rules.threshold * ink_threshold(levels)
    mask = remove_edge_lines(ink_mask(levels, threshold))
    mask = remove_faint(mask, levels)
    height = text_height(mask)
    mask = keep_largest(remove_specks(mask, max(4.0, rules.speck * height**2)), MAX_PIECES)
    if not mask.any():
        return empty_segmentation(levels, scale)
    height = text_height(mask)
    image = ink_image(levels, mask, threshold)

    slant = rules.slant * estimate_slant(mask)
    shifts = row_shifts(mask.shape[0], slant)
    components = shear(ndimage.label(mask, np.ones((3, 3), bool))[0], shifts)
    pieces, cut_ink, paths = cut_components(components, height, stroke_width(mask), rules)
    spans = piece_spans(pieces)
    src, dst = group_pieces(spans, height, rules)
    boxes = group_boxes(piece_boxes(unshear(pieces, shifts)), src, dst)
    boxes *= scale
    boxes[:, :2] -= PIXEL_MIDDLE
    ink, owner = shear(image, shifts), with_edges(pieces)
    return Segmentation(
        image=image,
        mask=mask,
        pieces=unshear(pieces, shifts).astype(np.int32),
        cuts=cut_lines(spans, paths, shifts, scale),
        num_nodes=len(spans) + 1,
        src=src,
        dst=dst,
        boxes=boxes.astype(np.float32),
        images=segment_images(ink, owner, src, dst, height),
        surroundings=segment_surroundings(ink, owner, pieces, src, dst, height),
        features=geometric_features(pieces, spans, cut_ink, src, dst, height, stroke_width(mask)),
        slant=slant,
        text_height=height,
        scale=scale,
    )


def side_by_side(parts: Sequence[Segmentation]) -> Segmentation:
    """Put segmentations of one field side by side: they share the start and the final node.

    A complete path goes through one of them. Image, mask, pieces, slant and height of the writing
    are those of the first that has ink. Nodes are numbered part by part, and arcs stay sorted.

    Example:
        >>> field = np.full((40, 80), 230, np.uint8)
        >>> field[8:32, 15:19] = field[8:32, 45:49] = 30
        >>> one = segment_field(field)
        >>> both = side_by_side([one, one])
        >>> both.num_nodes, both.num_arcs, len(both.cuts)
        (4, 4, 2)
    """
    inked = [part for part in parts if part.num_arcs]
    if len(inked) < 2:
        return (inked or list(parts))[0]
    final = 1 + sum(part.num_nodes - 2 for part in inked)
    ends, before = [], 0
    for part in inked:
        last = part.num_nodes - 1
        numbers = np.arange(before, before + part.num_nodes, dtype=np.int32)
        numbers[0], numbers[last] = 0, final
        ends.append((numbers[part.src], numbers[part.dst]))
        before += last - 1
    src, dst = (np.concatenate(side) for side in zip(*ends))
    order = np.lexsort((dst, src))

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in inked])[order]

    return replace(
        inked[0],
        cuts=[line for part in inked for line in part.cuts],
        num_nodes=final + 1,
        src=src[order],
        dst=dst[order],
        **{name: joined(name) for name in ("boxes", "images", "surroundings", "features")},
    )


def working_image(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Reduce fields above ``WORKING_HEIGHT``; return image and pixels of the file per pixel."""
    scale = max(1.0, grey.shape[0] / WORKING_HEIGHT)
    if scale == 1.0:
        return grey, scale
    size = (max(1, round(grey.shape[1] / scale)), WORKING_HEIGHT)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX)), scale


def empty_segmentation(work: np.ndarray, scale: float) -> Segmentation:
    """Describe a field without ink: two nodes, no arc, so that no path reaches the final node."""
    return Segmentation(
        image=np.zeros(work.shape, np.uint8),
        mask=np.zeros(work.shape, bool),
        pieces=np.full(work.shape, -1, np.int32),
        cuts=[],
        num_nodes=2,
        src=np.empty(0, np.int32),
        dst=np.empty(0, np.int32),
        boxes=np.empty((0, 4), np.float32),
        images=np.empty((0, SIZE, SIZE), np.uint8),
        surroundings=np.empty((0, 2, VIEW, VIEW), np.uint8),
        features=np.empty((0, len(FEATURES)), np.float32),
        slant=0.0,
        text_height=float(work.shape[0]),
        scale=scale,
    )


def text_height(mask: np.ndarray) -> float:
    """Estimate the height of the writing: the median height of components, weighted by their ink.

    Not less than a fifth of the field, in pixels.
    """
    labels, count = ndimage.label(mask, np.ones((3, 3), bool))
    least = max(0.2 * mask.shape[0], 1.0)
    if count == 0:
        return least
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    heights = np.array([part[0].stop - part[0].start for part in ndimage.find_objects(labels)])
    order = np.argsort(heights, kind="stable")
    middle = np.searchsorted(np.cumsum(sizes[order]), 0.5 * sizes.sum())
    return max(float(heights[order][middle]), least)


def keep_largest(mask: np.ndarray, count: int) -> np.ndarray:
    """Keep the ``count`` components with the most ink."""
    labels, found = ndimage.label(mask, np.ones((3, 3), bool))
    if found <= count:
        return mask
    sizes = np.bincount(labels.ravel(), minlength=found + 1)
    sizes[0] = 0
    keep = np.zeros(found + 1, dtype=bool)
    keep[np.argsort(-sizes, kind="stable")[:count]] = True
    return keep[labels]


def ink_image(levels: np.ndarray, mask: np.ndarray, threshold: float) -> np.ndarray:
    """Normalise the contrast, uint8 ``[h, w]``: the core of the strokes near 255, paper 0.

    Grey levels are kept on the ink and one pixel around it, so that edges stay smooth. With the
    third decile of the ink as full black, drawn segments are about as dark as MNIST's digits.
    """
    core = float(np.quantile(levels[mask], 0.3))
    low = 0.4 * threshold
    value = np.clip((levels - low) / max(core - low, 1.0), 0.0, 1.0)
    halo = ndimage.binary_dilation(mask, np.ones((3, 3), bool))
    return np.rint(255.0 * value * halo).astype(np.uint8)


def with_edges(pieces: np.ndarray) -> np.ndarray:
    """Give the pixels around the ink to the piece with the highest number beside them."""
    return np.where(pieces >= 0, pieces, ndimage.maximum_filter(pieces, size=3))


def segment_images(
    image: np.ndarray, owner: np.ndarray, src: np.ndarray, dst: np.ndarray, height: float
) -> np.ndarray:
    """Draw the ink that the pieces of each arc own and nothing else, uint8 ``[A, 32, 32]``."""
    spans = piece_spans(owner)
    images = np.zeros((len(src), SIZE, SIZE), dtype=np.uint8)
    for arc, (first, end) in enumerate(zip(src, dst)):
        left, top = spans[first:end, 0].min(), spans[first:end, 2].min()
        right, bottom = spans[first:end, 1].max(), spans[first:end, 3].max()
        owned = owner[top:bottom, left:right]
        ink = image[top:bottom, left:right] * ((owned >= first) & (owned < end))
        images[arc] = normalise_segment(ink, height)
    return images


def cut_lines(
    spans: np.ndarray, paths: dict[int, np.ndarray], shifts: np.ndarray, scale: float
) -> list[np.ndarray]:
    """Return a polyline (x, y) in pixels of the file for each inner node, float32 ``[K, 2]``.

    It is the path of the cut if ink was cut, else a line along the slant in the middle of the gap.
    """
    lines = []
    for node in range(1, len(spans)):
        path = paths.get(node)
        if path is None:
            rows = np.array([0, len(shifts) - 1])
            columns = np.full(2, 0.5 * (spans[node - 1, 1] + spans[node, 0]))
        else:
            rows = np.flatnonzero(path >= 0)
            columns = path[rows].astype(np.float64)
        points = np.stack([columns - shifts[rows], rows + 0.5], axis=1)
        lines.append((points * scale).astype(np.float32))
    return lines
