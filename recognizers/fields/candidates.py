"""Candidate fields of a check: words of components, at several widths of the gaps between them.

Components beside each other on one line make a word; with wider gaps allowed they make longer
ones. All are candidates, since no width is right for every check. If the last components of a word
are small and stand high, as cents do, the word is also a pair of fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from recognizers.fields.ink import CheckInk

__all__ = ["ROLES", "Candidates", "candidate_fields"]

ROLES = ("amount", "dollars", "cents")
"""What a field may hold: all of an amount, or one part of it."""

GAPS = (0.45, 0.9, 1.6)
"""Widest gaps within a word, in heights of its components."""

LOWEST, HIGHEST = 0.018, 0.2
"""Heights of fields, as shares of the check's height."""

WIDEST = 16.0
"""Widest field, in its heights."""


@dataclass(frozen=True)
class Candidates:
    """N candidate fields, and which pairs of them may be dollars and cents.

    Attributes:
        boxes: x, y, end of x, end of y, int64 ``[N, 4]``.
        roles: the role of each, an index of ``ROLES``, int64 ``[N]``.
        components: for each, the components of the ink that belong to it.
        pairs: (dollars, cents), int64 ``[M, 2]``.
    """

    boxes: np.ndarray
    roles: np.ndarray
    components: tuple[np.ndarray, ...]
    pairs: np.ndarray


def candidate_fields(ink: CheckInk) -> Candidates:
    """Return the candidate fields of a check's ink, from left to right; O(C²) for C components.

    >>> from recognizers.fields.ink import ink_of_check
    >>> grey = np.full((200, 400), 220, np.uint8)
    >>> for x in (50, 58, 66, 300, 308):
    ...     grey[40:60, x : x + 4] = 40
    >>> candidate_fields(ink_of_check(grey)).boxes.tolist()
    [[50, 40, 70, 60], [300, 40, 312, 60]]
    """
    high = ink.labels.shape[0]
    boxes, roles, members, pairs = [], [], [], []
    known: set[tuple[int, ...]] = set()
    found = words(ink.boxes, HIGHEST * high)
    found += [rest for word in found if (rest := split_off_sign(ink.boxes, word)) is not None]
    for whole in found:
        word = without_faint(ink, whole)
        box = _around(ink.boxes[word])
        tall, wide = box[3] - box[1], box[2] - box[0]
        if not LOWEST * high <= tall <= HIGHEST * high or not 0.6 * tall <= wide <= WIDEST * tall:
            continue
        if tuple(box) in known:
            continue
        known.add(tuple(box))
        boxes.append(box)
        roles.append(0)
        members.append(word)
        split = split_off_cents(ink.boxes, word)
        if split is not None:
            pairs.append((len(boxes), len(boxes) + 1))
            for role, part in enumerate(split, start=1):
                boxes.append(_around(ink.boxes[part]))
                roles.append(role)
                members.append(part)
    for left, right in beside_each_other(np.array(boxes, dtype=np.int64), np.array(roles)):
        pairs.append((len(boxes), len(boxes) + 1))
        for role, word in ((1, left), (2, right)):
            boxes.append(boxes[word])
            roles.append(role)
            members.append(members[word])
    return Candidates(
        np.array(boxes, dtype=np.int64).reshape(-1, 4),
        np.array(roles, dtype=np.int64),
        tuple(members),
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
    )


def words(boxes: np.ndarray, highest: float) -> list[np.ndarray]:
    """Return the components of each word at each width of gaps; none above ``highest`` pixels.

    Two components are neighbours if they overlap in height (a point or a comma may hang a little
    below), are about equally large or one is a mark, and have a narrow enough gap.
    """
    if not len(boxes):
        return []
    order = np.argsort(boxes[:, 0], kind="stable")
    x, y, right, bottom = boxes[order].T
    tall = bottom - y
    i, j = np.triu_indices(len(order), 1)
    near = x[j] - right[i] <= GAPS[-1] * highest
    i, j = i[near], j[near]
    larger, smaller = np.maximum(tall[i], tall[j]), np.minimum(tall[i], tall[j])
    shared = np.minimum(bottom[i], bottom[j]) - np.maximum(y[i], y[j])
    gap = np.maximum(x[j] - right[i], x[i] - right[j]) / larger
    beside = (shared >= 0.4 * smaller) | ((shared >= -0.1 * larger) & (smaller <= 0.5 * larger))
    alike = (smaller >= 0.4 * larger) | (gap <= GAPS[0])
    found = []
    for widest in GAPS:
        linked = beside & alike & (gap <= widest)
        ones = np.ones(int(linked.sum()), dtype=bool)
        graph = coo_matrix((ones, (i[linked], j[linked])), shape=(len(order),) * 2)
        count, group = connected_components(graph, directed=False)
        by_group = np.argsort(group, kind="stable")
        found += np.split(order[by_group], np.searchsorted(group[by_group], np.arange(1, count)))
    return found


def without_faint(ink: CheckInk, word: np.ndarray) -> np.ndarray:
    """Return a word without components far fainter than the rest, which are paper patterns."""
    order = np.argsort(ink.darkness[word], kind="stable")
    middle = np.searchsorted(np.cumsum(ink.sizes[word][order]), 0.5 * ink.sizes[word].sum())
    return word[ink.darkness[word] >= 0.6 * ink.darkness[word[order[middle]]]]


def beside_each_other(boxes: np.ndarray, roles: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of words of which the second may be the cents of the first.

    The second is smaller, stands higher and begins right behind the first.

    >>> boxes = np.array([[0, 20, 60, 50], [66, 14, 90, 30], [66, 60, 90, 76]])
    >>> beside_each_other(boxes, np.zeros(3, int))
    [(0, 1)]
    """
    if not len(boxes):
        return []
    x, y, right, bottom = boxes.T
    tall = bottom - y
    gap = (x[None, :] - right[:, None]) / tall[:, None]
    raised = (bottom[:, None] - bottom[None, :]) / tall[:, None]
    lower = tall[None, :] / tall[:, None]
    fits = (gap > -0.1) & (gap < 0.9) & (raised > 0.2) & (raised < 1.1)
    fits &= (lower > 0.3) & (lower < 0.9)
    fits &= (right - x)[None, :] < 2.5 * tall[:, None]
    fits &= (roles == 0)[:, None] & (roles == 0)[None, :]
    return [(int(i), int(j)) for i, j in np.argwhere(fits)]


def split_off_sign(boxes: np.ndarray, word: np.ndarray) -> np.ndarray | None:
    """Return a word without its first component if that is apart or of another size, else None.

    Currency signs are printed beside the field in letters of another size.

    >>> digits = [[0, 0, 16, 40], [24, 10, 44, 30], [46, 10, 62, 30]]
    >>> split_off_sign(np.array(digits), np.arange(3))
    array([1, 2])
    """
    if len(word) < 3:
        return None
    ordered = word[np.argsort(boxes[word, 0], kind="stable")]
    tall = boxes[ordered, 3] - boxes[ordered, 1]
    usual = float(np.median(tall[1:][2 * tall[1:] >= tall[1:].max()]))
    gap = boxes[ordered[1:], 0].min() - boxes[ordered[0], 2]
    apart = not 0.85 * usual <= tall[0] <= 1.15 * usual or gap > 0.2 * usual
    return ordered[1:] if apart else None


def split_off_cents(boxes: np.ndarray, word: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the components of the dollars and of the cents of a word, or None.

    The cents stand above the dollars' line, are smaller than the dollars, and come last, apart from
    a line under them and anything below it.

    >>> digits = [[0, 10, 20, 40], [24, 10, 44, 40], [50, 10, 62, 26], [64, 11, 76, 26]]
    >>> split_off_cents(np.array(digits), np.arange(4))
    (array([0, 1]), array([2, 3]))
    """
    x, y, right, bottom = boxes[word].T
    tall = bottom - y
    usual = float(np.median(tall[2 * tall >= tall.max()]))
    line = float(np.median(bottom[tall >= 0.7 * usual]))
    raised = (tall >= 0.25 * usual) & (tall <= 0.9 * usual) & (bottom <= line - 0.2 * usual)
    flat = tall < 0.25 * usual
    for first in np.flatnonzero(raised)[np.argsort(x[raised], kind="stable")]:
        behind = 0.5 * (x + right) > x[first]
        below = (y >= y[first] + 0.5 * tall[first]) & (tall <= 0.65 * usual)
        if (raised | flat | below)[behind].all() and (tall[~behind] >= 0.7 * usual).any():
            cents = behind & raised & (y < y[first] + 0.5 * tall[first])
            return word[~behind], word[cents]
    return None


def _around(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
