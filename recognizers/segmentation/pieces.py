"""Pieces of ink, smaller than characters and in order, and the groups that could be characters."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recognizers.segmentation.cuts import candidate_cuts, choose_cuts
from recognizers.segmentation.rules import Rules


def cut_components(
    components: np.ndarray, height: float, stroke: float, rules: Rules
) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """Cut connected components ``[h, w]`` (0 paper, 1.. components, slant removed) into pieces.

    Returns:
        The pieces, int ``[h, w]``, -1 for paper, numbered from left to right by the median column
        of their ink; the ink crossed by the cut on the left of each piece ``[P]``, 0 if there is
        none; the path ``[h]`` of that cut by the number of the piece.
    """
    mask = components > 0
    reach = max(2, round(rules.reach * height))
    paths = candidate_cuts(mask, reach)
    parts: list[tuple[float, tuple[slice, slice], np.ndarray, float, np.ndarray | None]] = []
    windows = ndimage.find_objects(components)
    larger = larger_components(windows, height) if rules.whole else {}
    for number, window in enumerate(windows, start=1):
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
            if number - 1 in larger:
                middle = larger[number - 1]
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


def larger_components(windows: list[tuple[slice, slice]], height: float) -> dict[int, float]:
    """Return the places of small components over or under a larger one, by their indexes.

    Small means less than half as high as the writing, and as the other; the other is no wider than
    one and a half heights, and four fifths of the small one's width lie within it. The place is
    the column at which the larger one begins or ends, whichever is nearer to its middle.

    Example:
        >>> zero, point = (slice(0, 20), slice(5, 25)), (slice(24, 28), slice(16, 20))
        >>> larger_components([zero, point], 20.0)
        {1: 25.0}
    """
    places: dict[int, float] = {}
    if not windows:
        return places
    top, bottom, left, right = np.array(
        [(y.start, y.stop, x.start, x.stop) for y, x in windows], dtype=np.float64
    ).T
    tall, wide = bottom - top, right - left
    for i in np.flatnonzero(tall < 0.5 * height):
        shared = np.minimum(right, right[i]) - np.maximum(left, left[i])
        over = np.minimum(bottom, bottom[i]) - np.maximum(top, top[i])
        holds = (shared >= 0.8 * wide[i]) & (over < 0.5 * tall[i])
        holds &= (tall > 2.0 * tall[i]) & (wide <= 1.5 * height)
        if holds.any():
            other = int(np.argmax(np.where(holds, shared, -np.inf)))
            first = left[i] + right[i] < left[other] + right[other]
            places[int(i)] = float(left[other] if first else right[other])
    return places


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
        left, right, top, bottom = spans[first]
        widest = rules.widest_group
        for last in range(first, min(first + rules.longest_group, len(spans))):
            if last > first:
                gap = spans[last, 0] - right
                if gap > rules.widest_gap * height:
                    break
                if gap > 0:
                    widest = min(widest, rules.widest_apart)
                left, right = min(left, spans[last, 0]), max(right, spans[last, 1])
                top, bottom = min(top, spans[last, 2]), max(bottom, spans[last, 3])
                if right - left > widest * height:
                    break
                if right - left > rules.flattest * (bottom - top):
                    continue
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
