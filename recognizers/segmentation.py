"""Heuristic over-segmentation of a field image into a segmentation graph.

A field is taken apart into pieces of ink, smaller than characters and ordered from left to right
(:mod:`recognizers.binarization`, :mod:`recognizers.cuts`). A node stands before, between and after
the pieces; an arc carries a group of 1 to 4 successive pieces that could be one character. Every
complete path uses every piece exactly once (LeCun et al. 1998, section V, and ``T_seg`` of
section X).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from recognizers.binarization import (
    ink_levels,
    ink_mask,
    ink_threshold,
    remove_edge_lines,
    remove_rules,
    remove_specks,
    stroke_width,
)
from recognizers.cuts import (
    candidate_cuts,
    choose_cuts,
    estimate_slant,
    row_shifts,
    shear,
    unshear,
)
from recognizers.segment_images import SIZE, normalise_segment

WORKING_HEIGHT = 128
"""Fields that are higher are reduced to this height before they are segmented, in pixels."""

MAX_PIECES = 96
"""Most pieces of a field; of noise beyond that, only the largest components are kept."""

FEATURES = (
    "width",
    "height",
    "aspect",
    "middle",
    "gap_inside",
    "gap_before",
    "gap_after",
    "cut_before",
    "cut_after",
    "cut_inside",
    "pieces",
    "ink",
)
"""Names of the geometric features of an arc, see :func:`geometric_features`."""


@dataclass(frozen=True)
class Rules:
    """What the segmenter goes by; lengths are shares of the height of the writing."""

    narrowest_cut: float = 0.45
    """Components that are narrower than this are not cut."""
    most_strokes: float = 5
    """Most ink that a cut may cross, in stroke widths."""
    spacing: float = 0.2
    """Least distance between two cuts of one component."""
    least_width: float = 0.12
    """Least width that a cut leaves on either side."""
    reach: float = 0.35
    """How far hit and deflect moves a line sideways in one row."""
    longest_group: int = 4
    """Most successive pieces of one arc."""
    widest_group: float = 1.6
    """Widest group of several pieces."""
    widest_gap: float = 0.45
    """Widest gap between two successive pieces of a group."""
    speck: float = 0.008
    """Components with fewer pixels than this share of the squared height are dropped."""
    fragment: float = 0.02
    """Pieces cut off with fewer pixels than this share go back to their neighbour."""


@dataclass(frozen=True)
class Segmentation:
    """A field taken apart. P pieces, A arcs, F features, working image of h x w pixels.

    Node i stands before piece i (0 the start, ``num_nodes - 1`` the final node); an arc from i to
    j carries the pieces i to j - 1. A field without ink has two nodes and no arc: no path.

    Attributes:
        image: ink of the field without its background, uint8 ``[h, w]``, 0 paper, 255 ink.
        mask: where there is ink, bool ``[h, w]``.
        pieces: number of the piece of each pixel, int32 ``[h, w]``, -1 for paper.
        cuts: for each inner node a polyline, float32 ``[K, 2]`` of (x, y) in pixels of the file.
        num_nodes: P + 1 (2 where there is no piece).
        src, dst: ends of the arcs, int32 ``[A]``, sorted by source, then destination.
        boxes: x, y, width, height of each arc's ink in pixels of the file, float32 ``[A, 4]``.
        images: size-normalised ink, uint8 ``[A, 32, 32]``; ``to_input`` makes network input of it.
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
    features: np.ndarray
    slant: float
    text_height: float
    scale: float

    @property
    def num_arcs(self) -> int:
        """Number of arcs, A."""
        return len(self.src)


def segment_field(grey: np.ndarray, rules: Rules | None = None) -> Segmentation:
    """Over-segment a grey-level field, uint8 ``[H, W]`` of any size.

    Raises:
        ValueError: ``grey`` is not a two-dimensional array of uint8.

    Example:
        >>> field = np.full((40, 80), 230, np.uint8)
        >>> field[8:32, 15:19] = 30
        >>> field[8:32, 45:49] = 30
        >>> s = segment_field(field)
        >>> s.num_nodes, s.src.tolist(), s.dst.tolist()
        (3, [0, 1], [1, 2])
    """
    rules = rules or Rules()
    grey = np.asarray(grey)
    if grey.ndim != 2 or grey.dtype != np.uint8 or grey.size == 0:
        raise ValueError(
            f"a field is a uint8 array [height, width] with pixels, not {grey.dtype} {grey.shape}"
        )
    work, scale = working_image(grey)
    levels = ink_levels(ndimage.gaussian_filter(work.astype(np.float32), 0.7, truncate=3.0))
    threshold = ink_threshold(levels)
    mask = remove_edge_lines(remove_rules(ink_mask(levels, threshold)))
    height = text_height(mask)
    mask = keep_largest(remove_specks(mask, max(4.0, rules.speck * height**2)), MAX_PIECES)
    if not mask.any():
        return empty_segmentation(work, scale)
    height = text_height(mask)
    image = ink_image(levels, mask, threshold)

    slant = estimate_slant(mask)
    shifts = row_shifts(mask.shape[0], slant)
    components = shear(ndimage.label(mask, np.ones((3, 3), bool))[0], shifts)
    pieces, cut_ink, paths = cut_components(components, height, stroke_width(mask), rules)
    spans = piece_spans(pieces)
    src, dst = group_pieces(spans, height, rules)
    boxes = group_boxes(piece_boxes(unshear(pieces, shifts)), src, dst)
    return Segmentation(
        image=image,
        mask=mask,
        pieces=unshear(pieces, shifts).astype(np.int32),
        cuts=cut_lines(spans, paths, shifts, scale),
        num_nodes=len(spans) + 1,
        src=src,
        dst=dst,
        boxes=(boxes * scale).astype(np.float32),
        images=segment_images(shear(image, shifts), pieces, src, dst, height),
        features=geometric_features(pieces, spans, cut_ink, src, dst, height, stroke_width(mask)),
        slant=slant,
        text_height=height,
        scale=scale,
    )


def working_image(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Reduce fields higher than ``WORKING_HEIGHT``; the image and pixels of the file per pixel."""
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
    """Normalise the contrast: uint8 ``[h, w]``, the core of the strokes near 255, paper 0.

    Grey levels are kept on the ink and one pixel around it, so that edges stay smooth.
    """
    core = float(np.quantile(levels[mask], 0.6))
    low = 0.4 * threshold
    value = np.clip((levels - low) / max(core - low, 1.0), 0.0, 1.0)
    halo = ndimage.binary_dilation(mask, np.ones((3, 3), bool))
    return np.rint(255.0 * value * halo).astype(np.uint8)


def cut_components(
    components: np.ndarray, height: float, stroke: float, rules: Rules
) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """Cut connected components ``[h, w]`` (0 paper, 1.. components, slant removed) into pieces.

    Returns:
        the pieces, int ``[h, w]``, -1 for paper, numbered from left to right by the median column
        of their ink; the ink crossed by the cut on the left of each piece ``[P]``, 0 where there
        is none; the path ``[h]`` of that cut by the number of the piece.
    """
    mask = components > 0
    reach = max(2, round(rules.reach * height))
    paths = candidate_cuts(mask, reach)
    parts: list[tuple[float, tuple[slice, slice], np.ndarray, float, np.ndarray | None]] = []
    for number, window in enumerate(ndimage.find_objects(components), start=1):
        ink = components[window] == number
        left = window[1].start
        rows = window[0]
        local = np.empty((0, ink.shape[0]), dtype=np.int64)
        amount = np.empty(0)
        tall = float(np.clip(ink.shape[0], 0.6 * height, 1.2 * height))
        if ink.shape[1] >= rules.narrowest_cut * tall:
            local, amount = choose_cuts(
                ink,
                paths[:, rows] - left,
                most_ink=rules.most_strokes * stroke,
                spacing=rules.spacing * tall,
                least_width=rules.least_width * tall,
            )
        strips = strip_numbers(ink, local)
        local, amount, strips = merge_fragments(
            ink, strips, local, amount, rules.fragment * height**2
        )
        for strip in range(len(local) + 1):
            part = ink & (strips == strip)
            middle = float(np.median(np.nonzero(part)[1])) + left
            path = None
            if strip:
                path = np.full(components.shape[0], -1, dtype=np.int64)
                path[rows] = local[strip - 1] + left
            parts.append((middle, window, part, float(amount[strip - 1]) if strip else 0.0, path))
    parts.sort(key=lambda part: part[0])
    pieces = np.full(components.shape, -1, dtype=np.int64)
    for number, (_, window, part, _, _) in enumerate(parts):
        pieces[window][part] = number
    crossed = np.array([part[3] for part in parts])
    return pieces, crossed, {n: part[4] for n, part in enumerate(parts) if part[4] is not None}


def strip_numbers(ink: np.ndarray, paths: np.ndarray) -> np.ndarray:
    """Number the strips between nested paths ``[K, h]``, 0 left of all of them, int ``[h, w]``."""
    columns = np.arange(ink.shape[1])
    strips = np.zeros(ink.shape, dtype=np.int64)
    for path in paths:
        strips += columns[None, :] >= path[:, None]
    return strips


def merge_fragments(
    ink: np.ndarray, strips: np.ndarray, paths: np.ndarray, amount: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drop cuts until every strip has at least ``least`` pixels of ink; paths, ink and strips.

    Of the two cuts beside a fragment, the one that crosses more ink goes.
    """
    while len(paths):
        sizes = np.bincount(strips[ink], minlength=len(paths) + 1)
        smallest = int(sizes.argmin())
        if sizes[smallest] >= least:
            break
        sides = [side for side in (smallest - 1, smallest) if 0 <= side < len(paths)]
        drop = max(sides, key=lambda side: amount[side])
        paths = np.delete(paths, drop, axis=0)
        amount = np.delete(amount, drop)
        strips = strip_numbers(ink, paths)
    return paths, amount, strips


def piece_spans(pieces: np.ndarray) -> np.ndarray:
    """Return first column, end column, first row, end row of each piece, int ``[P, 4]``."""
    windows = ndimage.find_objects(pieces + 1)
    return np.array(
        [(x.start, x.stop, y.start, y.stop) for y, x in windows], dtype=np.int64
    ).reshape(-1, 4)


def piece_boxes(pieces: np.ndarray) -> np.ndarray:
    """Return x, y, end of x, end of y of each piece, int ``[P, 4]``."""
    return piece_spans(pieces)[:, [0, 2, 1, 3]]


def group_pieces(spans: np.ndarray, height: float, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Form the groups of successive pieces that could be one character; int32 ``[A]`` twice.

    A single piece is always a group, so that every node lies on a complete path.
    """
    src, dst = [], []
    for first in range(len(spans)):
        left, right = spans[first, 0], spans[first, 1]
        for last in range(first, min(first + rules.longest_group, len(spans))):
            if last > first:
                if spans[last, 0] - right > rules.widest_gap * height:
                    break
                left, right = min(left, spans[last, 0]), max(right, spans[last, 1])
                if right - left > rules.widest_group * height:
                    break
            src.append(first)
            dst.append(last + 1)
    return np.array(src, dtype=np.int32), np.array(dst, dtype=np.int32)


def group_boxes(boxes: np.ndarray, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Return x, y, width, height around the pieces of each arc, ``[A, 4]``."""
    out = np.empty((len(src), 4))
    for arc, (first, end) in enumerate(zip(src, dst)):
        low = boxes[first:end, :2].min(axis=0)
        out[arc] = (*low, *(boxes[first:end, 2:].max(axis=0) - low))
    return out


def segment_images(
    image: np.ndarray, pieces: np.ndarray, src: np.ndarray, dst: np.ndarray, height: float
) -> np.ndarray:
    """Draw the ink of each arc's pieces and of nothing else, uint8 ``[A, 32, 32]``.

    The pixels around the ink belong to the piece with the highest number beside them.
    """
    near = ndimage.maximum_filter(pieces, size=3)
    owner = np.where(pieces >= 0, pieces, near)
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

    The path of the cut where ink was cut, else a line along the slant in the middle of the gap.
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


def geometric_features(
    pieces: np.ndarray,
    spans: np.ndarray,
    cut_ink: np.ndarray,
    src: np.ndarray,
    dst: np.ndarray,
    height: float,
    stroke: float,
) -> np.ndarray:
    """Measure each arc for the segment penalty, float32 ``[A, F]``, of about unit range.

    In order (``FEATURES``), lengths in heights of the writing: width and height of the group; log
    of width over height; height of its middle above the middle of the line of writing; widest gap
    inside; gaps to the neighbouring pieces on the left and on the right (negative: overlap; 1 at
    the ends of the field); ink crossed, in stroke widths, by the cuts on the left, on the right,
    and by the deepest cut inside; number of pieces less one; ink in squared heights.
    """
    sizes = np.bincount(pieces[pieces >= 0], minlength=len(spans)).astype(np.float64)
    tall = spans[:, 3] - spans[:, 2]
    big = tall >= 0.5 * height
    line = np.average((0.5 * (spans[:, 2] + spans[:, 3]))[big], weights=sizes[big]) if (
        big.any()
    ) else 0.5 * pieces.shape[0]
    gaps = np.full(len(spans) + 1, height)
    gaps[1:-1] = spans[1:, 0] - np.maximum.accumulate(spans[:, 1])[:-1]
    crossed = np.append(cut_ink, 0.0) / stroke
    out = np.empty((len(src), len(FEATURES)))
    for arc, (first, end) in enumerate(zip(src, dst)):
        left, right = spans[first:end, 0].min(), spans[first:end, 1].max()
        top, bottom = spans[first:end, 2].min(), spans[first:end, 3].max()
        inner = slice(first + 1, end)
        out[arc] = (
            (right - left) / height,
            (bottom - top) / height,
            np.log((right - left) / (bottom - top)),
            (line - 0.5 * (top + bottom)) / height,
            max(gaps[inner].max(initial=0.0), 0.0) / height,
            gaps[first] / height,
            gaps[end] / height,
            crossed[first],
            crossed[end],
            crossed[inner].max(initial=0.0),
            end - first - 1,
            sizes[first:end].sum() / height**2,
        )
    return np.clip(out, -4.0, 4.0).astype(np.float32)
