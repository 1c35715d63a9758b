"""From a grey field to ink: background removal, contrast, ink mask, printed lines and specks.

The first steps of the heuristic over-segmentation (LeCun et al. 1998, sections V and X). Courtesy
amount fields have guilloches, security tints and printed rules under the writing, so the
background is estimated locally and the threshold follows its noise.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import filters

MIN_CONTRAST = 12.0
"""Least difference in grey levels between ink and paper; anything fainter counts as paper."""


def estimate_background(grey: np.ndarray, sigma: float) -> np.ndarray:
    """Estimate the paper under the ink, float32 ``[H, W]``: a Gaussian mean that leaves ink out.

    Pixels that are clearly darker or lighter than the first estimate get no share in the second
    (normalised convolution); ``sigma`` is in pixels.

    Example:
        >>> grey = np.full((20, 30), 200.0, np.float32)
        >>> grey[5:15, 14:16] = 20.0
        >>> bool(np.all(estimate_background(grey, 6.0) > 195.0))
        True
    """
    grey = grey.astype(np.float32)
    background = np.full_like(grey, np.median(grey))
    share = np.ones_like(grey)
    for _ in range(3):
        distance = np.abs(grey - background)
        limit = max(6.0, 1.5 * float(np.median(distance)))
        share = (distance <= 2.0 * limit).astype(np.float32) + 1e-3
        weighted = ndimage.gaussian_filter(grey * share, sigma, mode="nearest", truncate=2.5)
        total = ndimage.gaussian_filter(share, sigma, mode="nearest", truncate=2.5)
        background = weighted / total
    return background


def is_light_on_dark(difference: np.ndarray) -> bool:
    """Tell whether the writing is lighter than the paper, from background minus grey ``[H, W]``.

    Writing makes the heavier tail of the differences: the mean squares are compared.

    Example:
        >>> difference = np.zeros((10, 10))
        >>> difference[4:6, 2:8] = -90.0
        >>> is_light_on_dark(difference)
        True
    """
    dark = float(np.mean(np.clip(difference, 0.0, None).astype(np.float64) ** 2))
    light = float(np.mean(np.clip(-difference, 0.0, None).astype(np.float64) ** 2))
    return light > 4.0 * dark and light > 1.0


def dark_on_light(grey: np.ndarray) -> np.ndarray:
    """Return a field ``uint8 [H, W]``, inverted if its writing is lighter than its paper.

    The paper is the median grey level. The squares of the lighter pixels must sum to more than
    twice those of the darker ones, so that no bank check is inverted for the light patterns of its
    paper. Other fields are returned as they are.

    Example:
        >>> grey = np.full((20, 30), 10, np.uint8)
        >>> grey[5:15, 14:16] = 250
        >>> inverted = dark_on_light(grey)
        >>> inverted[0, 0], inverted[5, 14], dark_on_light(inverted) is inverted
        (np.uint8(245), np.uint8(5), True)
    """
    lighter = grey.astype(np.float32) - np.median(grey)
    squares = lighter * np.abs(lighter)
    light, dark = squares.sum(where=squares > 0), -squares.sum(where=squares < 0)
    return 255 - grey if light > 2.0 * dark else grey


def ink_levels(grey: np.ndarray) -> np.ndarray:
    """Return how much darker than the paper each pixel is, float32 ``[H, W]``.

    In grey levels, 0 for paper; fields with light writing on dark ground are inverted.

    Example:
        >>> grey = np.full((20, 30), 200, np.uint8)
        >>> grey[5:15, 14:16] = 20
        >>> levels = ink_levels(grey)
        >>> bool(levels[10, 15] > 170), bool(levels[10, 3] < 5)
        (True, True)
    """
    sigma = max(4.0, 0.35 * min(grey.shape))
    difference = estimate_background(grey, sigma) - grey.astype(np.float32)
    if is_light_on_dark(difference):
        difference = -difference
    return np.clip(difference, 0.0, None)


def subtract_rules(
    levels: np.ndarray,
    length: float = 0.35,
    middle_length: float = 0.75,
    margin: float = 1.6,
    middle: float = 1.3,
) -> np.ndarray:
    """Subtract printed horizontal rules from ink levels ``[h, w]``, before any threshold.

    A run that stays dark over ``length`` of the width (and is longer than the field is high) is not
    writing; it is found by a grey-level opening along rows. In the middle half of the height a run
    must be longer than ``middle_length`` of the width, or bold touching zeros would be cut through.
    Pixels that are hardly darker than the run go with it: up to ``margin`` times as dark in the
    upper and lower quarter, where rules are, and up to ``middle`` times in between, where the feet
    of characters are too.

    Example:
        >>> levels = np.zeros((40, 100), np.float32)
        >>> levels[35:37] = 60.0
        >>> levels[10:36, 50:54] = 150.0
        >>> cleaned = subtract_rules(levels)
        >>> float(cleaned[36, 10]), float(cleaned[20, 51])
        (0.0, 150.0)
    """
    height = len(levels)
    smooth = ndimage.maximum_filter1d(levels, 3, axis=0, mode="nearest")
    smooth = ndimage.uniform_filter1d(smooth, 5, axis=1, mode="nearest")
    rule = _along_rows(smooth, length)
    inside = slice(height // 4, height - height // 4)
    rule[inside] = _along_rows(smooth[inside], middle_length)
    times = np.full((height, 1), margin, dtype=np.float32)
    times[height // 4 : height - height // 4] = middle
    return np.where(levels <= times * rule, 0.0, levels).astype(np.float32)


def _along_rows(levels: np.ndarray, length: float) -> np.ndarray:
    """Return the grey-level opening of each row along a share ``length`` of the width."""
    height, width = levels.shape
    run = min(max(int(length * width), height, 8), max(int(0.9 * width), 1))
    worn = ndimage.minimum_filter1d(levels, run, axis=1, mode="nearest")
    return ndimage.maximum_filter1d(worn, run, axis=1, mode="nearest")


def ink_threshold(levels: np.ndarray) -> float:
    """Choose the level that separates ink from paper (Otsu, not below noise and MIN_CONTRAST).

    Returns ``inf`` if the field holds no ink.

    Example:
        >>> ink_threshold(np.zeros((5, 5), np.float32))
        inf
    """
    if float(levels.max(initial=0.0)) < MIN_CONTRAST:
        return float("inf")
    threshold = float(filters.threshold_otsu(levels))
    paper = levels[levels <= threshold]
    noise = float(np.sqrt(np.mean(paper.astype(np.float64) ** 2)))
    return max(threshold, 2.0 * noise, MIN_CONTRAST)


def ink_mask(levels: np.ndarray, threshold: float, low: float = 0.85) -> np.ndarray:
    """Mark ink, bool ``[H, W]``: pixels above ``threshold``, and those above ``low`` of it beside.

    Example:
        >>> ink_mask(np.array([[0.0, 9.0, 12.0, 9.0, 0.0, 9.0]]), 10.0)
        array([[False,  True,  True,  True, False, False]])
    """
    if not np.isfinite(threshold):
        return np.zeros(levels.shape, dtype=bool)
    return filters.apply_hysteresis_threshold(levels, low * threshold, threshold)


def stroke_width(mask: np.ndarray) -> float:
    """Estimate the width of the strokes in pixels: four times the mean depth inside the ink.

    A bar of width w has mean distance to the paper of about w / 4.

    Example:
        >>> mask = np.zeros((40, 20), bool)
        >>> mask[4:36, 8:12] = True
        >>> 3.0 <= stroke_width(mask) <= 5.0
        True
    """
    if not mask.any():
        return 1.0
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return max(1.0, 4.0 * (float(depth[mask].mean()) - 0.5))


def remove_specks(mask: np.ndarray, least: float) -> np.ndarray:
    """Erase connected components of fewer than ``least`` pixels (8-connected).

    Example:
        >>> mask = np.zeros((5, 9), bool)
        >>> mask[2, 1] = True
        >>> mask[1:4, 5:8] = True
        >>> int(remove_specks(mask, 3).sum())
        9
    """
    labels, count = ndimage.label(mask, np.ones((3, 3), bool))
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= least
    keep[0] = False
    return keep[labels]


def remove_edge_lines(mask: np.ndarray) -> np.ndarray:
    """Erase flat components at the upper and lower edge: remains of rules and frames.

    Flat: at least four times as wide as high, and not higher than an eighth of the field.

    Example:
        >>> mask = np.zeros((40, 60), bool)
        >>> mask[38:, 5:25] = True
        >>> mask[20:22, 40:50] = True
        >>> int(remove_edge_lines(mask).sum())
        20
    """
    height = mask.shape[0]
    labels, count = ndimage.label(mask, np.ones((3, 3), bool))
    keep = np.ones(count + 1, dtype=bool)
    keep[0] = False
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        middle = 0.5 * (rows.start + rows.stop) / height
        at_edge = middle < 0.1 or middle > 0.9
        if at_edge and tall <= height / 8.0 and wide >= 4 * tall:
            keep[number] = False
    return keep[labels]


def remove_faint(mask: np.ndarray, levels: np.ndarray, share: float = 0.6) -> np.ndarray:
    """Erase components fainter than ``share`` of the ink: printing that shows through.

    A component is as dark as the upper decile of its levels ``[h, w]``, the ink as dark as the
    median component, weighted by size.

    Example:
        >>> mask = np.zeros((9, 9), bool)
        >>> mask[1:8, 1:4] = True
        >>> mask[4, 6:8] = True
        >>> levels = np.where(mask, 100.0, 0.0)
        >>> levels[4, 6:8] = 30.0
        >>> int(remove_faint(mask, levels).sum())
        21
    """
    labels, count = ndimage.label(mask, np.ones((3, 3), bool))
    if count < 2:
        return mask
    sizes = np.bincount(labels[mask], minlength=count + 1)[1:]
    order = np.lexsort((levels[mask], labels[mask]))
    ends = np.cumsum(sizes)
    dark = levels[mask][order][ends - 1 - sizes // 10]
    ranked = np.argsort(dark, kind="stable")
    middle = dark[ranked][np.searchsorted(np.cumsum(sizes[ranked]), 0.5 * sizes.sum())]
    keep = np.concatenate([[False], dark >= share * middle])
    return keep[labels]
