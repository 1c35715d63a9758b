"""Cuts and pieces: the cuts that are chosen, what becomes of fragments, and groups of pieces."""

import numpy as np
import pytest

from recognizers.segmentation.cuts import (
    USUAL_SLANT,
    candidate_cuts,
    choose_cuts,
    estimate_slant,
    hit_and_deflect,
    hit_and_deflect_from_below,
    straight_cuts,
)
from recognizers.segmentation.features import FEATURES, geometric_features, line_middle
from recognizers.segmentation.pieces import (
    cut_components,
    group_pieces,
    larger_components,
    merge_fragments,
    strip_numbers,
)
from recognizers.segmentation.rules import Rules


def chosen(ink, columns, **options):
    """Return the columns of the straight cuts chosen, and the ink they cross."""
    given = {"most_ink": 99, "spacing": 1, "least_width": 1} | options
    paths, amount = choose_cuts(ink, straight_cuts(columns, ink.shape[0]), **given)
    return paths[:, 0].tolist(), amount.tolist()


def test_where_the_ink_says_nothing_the_usual_slant_is_taken():
    bar = np.zeros((20, 60), bool)
    bar[10, 5:50] = True
    assert estimate_slant(bar) == pytest.approx(USUAL_SLANT)
    assert estimate_slant(np.zeros((20, 60), bool)) == 0.0


def test_a_cut_between_two_characters_comes_before_one_through_a_loop():
    """Two loops of thin lines (one pixel), joined by a neck four pixels thick."""
    ink = np.zeros((20, 31), bool)
    for left in (0, 17):
        ink[[0, 19], left : left + 14] = True
        ink[:, [left, left + 13]] = True
    ink[8:12, 13:18] = True
    assert chosen(ink, [7, 15, 23], spacing=20) == ([15], [4.0])
    assert chosen(ink, [7, 15, 23], spacing=20, hollow=0.0) == ([23], [2.0])
    assert chosen(ink, [7, 15, 23], spacing=5) == ([7, 15, 23], [2.0, 4.0, 2.0])
    assert chosen(ink, [7, 15, 23], spacing=5, most_ink=3) == ([7, 23], [2.0, 2.0])
    # What crosses no ink does not cut it.
    assert chosen(ink[:, :14], [20], spacing=5) == ([], [])


def test_the_paper_that_counts_is_that_between_the_first_ink_and_the_last():
    """One cut crosses two rows of ink at the top, the next one two rows apart, further down."""
    ink = np.zeros((12, 40), bool)
    ink[:, :18] = ink[:, 25:] = True
    ink[0:2, 18:21] = ink[[4, 7], 21:25] = True
    assert chosen(ink, [20, 22], spacing=10, least_width=5) == ([20], [2.0])
    assert chosen(ink[::-1], [20, 22], spacing=10, least_width=5) == ([20], [2.0])


def dropped(mask, reach, column):
    """Where a falling line ends, row by row and column by column."""
    height, width = mask.shape
    path = [column]
    for row in range(height - 1):
        if not mask[row, column] and mask[row + 1, column]:
            doors = []
            for way in (-1, 1):
                x = column
                while 0 <= x < width and not mask[row, x] and mask[row + 1, x]:
                    x += way
                if 0 <= x < width and not mask[row, x] and abs(x - column) <= reach:
                    doors.append(x)
            # The nearer one, or the left one of two that are equally near.
            column = min(doors, key=lambda x, at=column: abs(x - at), default=column)
        path.append(column)
    return path


@pytest.mark.parametrize("seed", range(12))
def test_lines_fall_along_the_contour(seed):
    rng = np.random.default_rng(seed)
    ink = rng.random((8, 14)) < (0.3, 0.5, 0.7)[seed % 3]
    for reach in (1, 3, 20):
        expected = [dropped(ink, reach, column) for column in range(14)]
        assert hit_and_deflect(ink, reach).tolist() == expected
        upwards = [dropped(ink[::-1], reach, column)[::-1] for column in range(14)]
        assert hit_and_deflect_from_below(ink, reach).tolist() == upwards


def test_of_equal_cuts_the_one_in_the_middle_comes_first_and_none_leaves_too_little():
    line = np.ones((1, 30), bool)
    assert chosen(line, [9, 15, 24], spacing=30)[0] == [15]
    assert chosen(line, [2, 4, 6, 26, 24], spacing=1, least_width=6)[0] == [6, 24]


def test_chosen_cuts_do_not_cross_each_other():
    ink = np.ones((10, 30), bool)
    rising, falling = np.linspace(8, 22, 10).round(), np.linspace(21, 7, 10).round()
    paths = np.stack([rising, falling]).astype(np.int64)
    nested, _ = choose_cuts(ink, paths, most_ink=99, spacing=0, least_width=1)
    assert len(nested) == 2
    assert (np.diff(nested, axis=0) >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_all_heuristics_propose_cuts(seed):
    rng = np.random.default_rng(seed)
    ink = np.kron(rng.random((6, 10)) < 0.5, np.ones((4, 4))) > 0
    found = set(map(tuple, candidate_cuts(ink, 5).tolist()))
    for heuristic in (hit_and_deflect, hit_and_deflect_from_below):
        assert found >= set(map(tuple, heuristic(ink, 5).tolist()))
    assert any(len(set(path)) == 1 for path in found)


def test_of_the_cuts_beside_a_fragment_the_deeper_one_goes():
    ink = np.ones((10, 30), bool)
    for amount, left in (([3.0, 5.0], 10), ([5.0, 3.0], 12)):
        paths = straight_cuts(np.array([10, 12]), 10)
        strips = strip_numbers(ink, paths)
        kept, its_ink, numbers = merge_fragments(ink, strips, paths, np.array(amount), 30.0)
        assert kept[:, 0].tolist() == [left]
        assert its_ink.tolist() == [3.0]
        assert np.bincount(numbers.ravel()).tolist() == [10 * left, 10 * (30 - left)]
        assert len(merge_fragments(ink, strips, paths, np.array(amount), 20.0)[0]) == 2


def test_pieces_know_the_ink_of_the_cut_before_them():
    """Three blocks in a row, joined by necks 2 and 3 pixels thick, and a separate one."""
    components = np.zeros((30, 100), np.int64)
    for left in (0, 24, 48):
        components[:, left : left + 18] = 1
    components[14:16, 18:24], components[13:16, 42:48] = 1, 1
    components[:, 80:95] = 2
    pieces, crossed, paths = cut_components(components, 30.0, 2.0, Rules())
    assert crossed.tolist() == [0.0, 2.0, 3.0, 0.0]
    assert sorted(paths) == [1, 2]
    middles = [np.median(np.nonzero(pieces == k)[1]) for k in range(4)]
    assert middles == sorted(middles)
    # Fragments are measured against the squared height: a block has 540 of 900 pixels.
    merged = cut_components(components, 30.0, 2.0, Rules(fragment=0.7))[1]
    assert merged.tolist() == [0.0, 0.0]


def test_the_path_of_a_cut_goes_where_its_ink_is():
    """Two blocks with a neck between them, on a page that is higher than wide."""
    components = np.zeros((90, 60), np.int64)
    components[40:70, 11:29] = components[40:70, 33:51] = 1
    components[50:53, 29:33] = 1
    pieces, crossed, paths = cut_components(components, 30.0, 2.0, Rules())
    assert crossed.tolist() == [0.0, 3.0]
    (path,) = paths.values()
    assert np.flatnonzero(path >= 0).tolist() == list(range(40, 70))
    assert np.flatnonzero(components[np.arange(90), path]).tolist() == [50, 51, 52]
    for piece, side in ((0, np.less), (1, np.greater_equal)):
        rows, columns = np.nonzero(pieces == piece)
        assert len(rows)
        assert side(columns, path[rows]).all()


def test_what_is_narrow_for_its_height_is_not_cut():
    """Bars of 12 x 40 and 6 x 4 pixels in writing 20 high; heights count as 0.6 to 1.2 of it."""
    bar, low = np.ones((40, 12), np.int64), np.ones((4, 6), np.int64)
    bar[:20, 5:7] = bar[23:, 5:7] = 0
    for narrowest, cut in ((0.45, True), (0.55, False)):
        for component in (bar, low):
            rules = Rules(narrowest_cut=narrowest)
            assert (len(cut_components(component, 20.0, 2.0, rules)[1]) > 1) == cut


def test_what_is_small_goes_to_the_nearer_end_of_what_it_stands_under():
    zero = (slice(0, 20), slice(5, 25))
    for left, place in ((17, 25.0), (8, 5.0)):
        under = (slice(24, 28), slice(left, left + 4))
        assert larger_components([zero, under], 20.0) == {1: place}
    beside, line = (slice(24, 28), slice(24, 30)), (slice(0, 20), slice(0, 90))
    assert larger_components([zero, beside], 20.0) == {}
    assert larger_components([line, (slice(24, 28), slice(8, 12))], 20.0) == {}


def test_groups_of_pieces():
    """Pieces 10 high at the given columns, in writing 20 high."""

    def groups(*columns, **rules):
        spans = np.array([(left, right, 0, 10) for left, right in columns])
        src, dst = group_pieces(spans, 20.0, Rules(**rules))
        return {(int(s), int(d)) for s, d in zip(src, dst) if d > s + 1}

    near = (0, 10), (12, 20), (22, 30)
    assert groups(*near) == {(0, 2), (0, 3), (1, 3)}
    assert groups(*near, longest_group=2) == {(0, 2), (1, 3)}
    assert groups(*near, widest_gap=0.05) == set()
    assert groups(*near, widest_gap=0.1) == {(0, 2), (0, 3), (1, 3)}
    assert groups(*near, widest_group=1.0) == {(0, 2), (1, 3)}
    assert groups(*near, widest_apart=1.0) == {(0, 2), (1, 3)}
    assert groups((0, 20), (15, 30), widest_apart=1.0) == {(0, 2)}  # they overlap
    assert groups(*near, flattest=2.0) == {(0, 2), (1, 3)}


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_what_the_rules_say(seed):
    """Groups of random pieces, compared with the rules written out."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(20):
        ends = np.sort(rng.integers(0, 60, 12)).reshape(-1, 2) + rng.integers(-6, 7, (6, 1))
        top = rng.integers(0, 20, 6)
        spans = np.stack([ends[:, 0], ends[:, 1] + 1, top, top + rng.integers(1, 20, 6)], axis=1)
        rules = Rules(
            longest_group=int(rng.integers(1, 6)),
            widest_group=float(rng.choice([1.5, 2.5])),
            widest_apart=float(rng.choice([1.0, 2.0])),
            widest_gap=float(rng.choice([0.1, 0.5])),
            flattest=float(rng.choice([1.5, np.inf])),
        )
        expected = []
        for first in range(6):
            for end in range(first + 1, 7):
                left, right, above, below = spans[first:end].T
                gaps = left[1:] - np.maximum.accumulate(right)[:-1]
                wide, high = right.max() - left.min(), below.max() - above.min()
                widest = rules.widest_apart if (gaps > 0).any() else rules.widest_group
                good = end - first <= rules.longest_group and (gaps <= rules.widest_gap * 20).all()
                good &= wide <= 20 * min(widest, rules.widest_group)
                good &= wide <= rules.flattest * high
                if good or end == first + 1:
                    expected.append((first, end))
        src, dst = group_pieces(spans, 20.0, rules)
        assert list(zip(src.tolist(), dst.tolist())) == expected
        found += expected
    assert len(found) > 150  # there are 120 single pieces


def test_features_by_hand():
    """A high piece, a low one cut from it, and a separate high one; strokes are 2 thick."""
    pieces = np.full((40, 60), -1)
    pieces[10:30, 5:15], pieces[25:30, 15:20], pieces[6:28, 30:41] = 0, 1, 2
    spans = np.array([(5, 15, 10, 30), (15, 20, 25, 30), (30, 41, 6, 28)])
    line = (200 * 20 + 22 * 11 * 17) / (200 + 22 * 11)  # the centres of the high ones' ink
    assert line_middle(pieces, spans, 20.0) == pytest.approx(line)
    assert line_middle(pieces, spans, 50.0) == 20.0
    src, dst = np.array([0, 0, 1, 2]), np.array([1, 3, 2, 3])
    found = geometric_features(pieces, spans, np.array([0.0, 5.0, 0.0]), src, dst, 20.0, 2.0)
    expected = {
        "width": [0.5, 1.8, 0.25, 0.55],
        "too_wide": [0.0, 0.8, 0.0, 0.0],
        "height": [1.0, 1.2, 0.25, 1.1],
        "aspect": np.log([0.5, 1.5, 1.0, 0.5]),
        "middle": [(line - m) / 20 for m in (20.0, 18.0, 27.5, 17.0)],
        "gap_inside": [0.0, 0.5, 0.0, 0.0],
        "gap_before": [1.0, 1.0, 0.0, 0.5],
        "gap_after": [0.0, 1.0, 0.5, 1.0],
        "cut_before": [0.0, 0.0, 2.5, 0.0],
        "cut_after": [2.5, 0.0, 0.0, 0.0],
        "cut_inside": [0.0, 2.5, 0.0, 0.0],
        "pieces": [0.0, 2.0, 0.0, 0.0],
        "ink": [0.5, (200 + 25 + 242) / 400, 25 / 400, 242 / 400],
    }
    assert tuple(expected) == FEATURES
    np.testing.assert_allclose(found.T, list(expected.values()), atol=1e-6)
