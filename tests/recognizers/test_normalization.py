"""The word normaliser finds the lines of made-up words, and no ink breaks it."""

import re
from itertools import pairwise

import numpy as np
import pytest

from recognizers.online.amap import amap
from recognizers.online.extrema import extrema
from recognizers.online.ink import Ink
from recognizers.online.ink_pictures import LINE_COLORS, draw_amap, draw_fit, draw_ink
from recognizers.online.normalization import (
    LINES,
    ROWS_OF_LINES,
    Lines,
    by_height,
    fit_lines,
    normalized,
    on_lines,
)

# Tops and bottoms of strokes, in units of the core: small letters, ascenders, descenders.
SMALL, TALL, DEEP = (0.0, 1.0), (0.0, 1.9), (-0.8, 1.0)
WORDS = {
    "minimum": [SMALL] * 9,
    "ballad": [TALL, SMALL, TALL, TALL, SMALL, TALL, SMALL, SMALL],
    "gypsy": [DEEP, SMALL, DEEP, SMALL, DEEP, SMALL, SMALL, DEEP],
    "highly": [TALL, SMALL, SMALL, DEEP, TALL, SMALL, TALL, SMALL, DEEP, SMALL],
}


def word(letters, seed=0, scale=50.0, slope=0.0, curvature=0.0, noise=0.04, shift=(0.0, 0.0)):
    """Smooth strokes up and down between the given levels, one unit of x each, on bent lines."""
    rng = np.random.default_rng(seed)
    levels = np.array([level for low, high in letters for level in (high, low)])
    levels = levels + rng.normal(0, noise, len(levels))
    t = np.linspace(0, len(levels) - 1, 16 * len(levels))
    here = np.minimum(t.astype(int), len(levels) - 2)
    part = 0.5 - 0.5 * np.cos(np.pi * (t - here))
    x = t / 2
    y = levels[here] + part * (levels[here + 1] - levels[here])
    away = x - x.mean()
    return Ink([scale * np.stack([x, y + slope * away + curvature * away**2], 1) + shift])


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("slope", [0.0, -0.15, 0.2])
@pytest.mark.parametrize("curvature", [0.0, 0.01])
def test_lines_are_found_again(name, slope, curvature):
    ink = word(WORDS[name], slope=slope, curvature=curvature, shift=(900.0, -4000.0))
    lines = fit_lines(ink).lines
    x = np.linspace(*ink.bounds[::2], 9)
    away = (x - x.mean()) / 50
    expected = 50 * (slope * away + curvature * away**2) - 4000
    found = lines.at(x)
    np.testing.assert_allclose(found[2], expected, atol=9)
    np.testing.assert_allclose(found[1], expected + 50, atol=9)
    if TALL in WORDS[name]:
        np.testing.assert_allclose(found[0], expected + 95, atol=12)
    if DEEP in WORDS[name]:
        np.testing.assert_allclose(found[3], expected - 40, atol=12)


def test_strays_do_not_move_the_lines():
    ink = word(WORDS["highly"])
    stray = Ink([*ink.strokes, [(100, 0), (101, 400), (102, 0)], [(60, 90)]])
    one, two = fit_lines(ink).lines, fit_lines(stray).lines
    np.testing.assert_allclose(two.levels, one.levels, atol=6)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
def test_units_and_places_do_not_matter(scale):
    ink = word(WORDS["highly"], slope=0.1)
    moved = ink.transformed(scale * np.eye(2), (-3 * scale, 7 * scale))
    np.testing.assert_allclose(normalized(moved).points, normalized(ink).points, atol=1e-3)


@pytest.mark.parametrize("strokes", [[[(0, 0), (40, 0)]], [[(0, 0)], [(50, 30)]], [[(5, 5)]]])
def test_lines_around_ink_without_turns_follow_its_size_and_place(strokes):
    ink = Ink(strokes)
    one = fit_lines(ink).lines
    other = fit_lines(ink.transformed(4.0 * np.eye(2), (700.0, -300.0))).lines
    times = 4.0 if len(ink.points) > 1 else 1.0  # a point has no size
    middle = 0.5 * (ink.bounds[1] + ink.bounds[3])
    np.testing.assert_allclose(
        other.levels - (4 * middle - 300), times * (one.levels - middle), atol=1e-9
    )
    assert one.core + one.base == 2 * middle


def test_order_and_direction_do_not_matter():
    parts = [word(WORDS["highly"], i, shift=(600 * i, 0)).strokes[0] for i in range(3)]
    ink = Ink(parts)
    image = amap(normalized(ink))
    for other in (ink.reversed(), ink.select([2, 0, 1])):  # right to left, and any order
        np.testing.assert_allclose(amap(normalized(other)), image, atol=1e-5)


def test_the_lines_come_to_their_rows():
    ink = word(WORDS["ballad"], slope=0.15)
    lines = fit_lines(ink).lines
    x = np.linspace(*ink.bounds[::2], 5)
    laid = on_lines(Ink(np.stack([x, y], 1) for y in lines.at(x)), lines)
    for stroke, row in zip(laid, ROWS_OF_LINES, strict=True):
        np.testing.assert_allclose(stroke[:, 1], row, atol=1e-9)
    widths = [np.ptp(s[:, 0]) for s in laid]
    np.testing.assert_allclose(widths, np.ptp(x) * 7 / lines.core_height)


def test_what_is_beyond_the_outer_lines_keeps_the_scale_of_the_core():
    lines = Lines(0.0, 0.0, 0.0, 20.0, 10.0, 0.0, -10.0)
    rows = on_lines(Ink([[(0, y) for y in (-11.0, -10.0, -5.0, 20.0, 21.0, 99.0, -99.0)]]), lines)
    np.testing.assert_allclose(rows.points[:, 1], [0.8, 1.5, 4.0, 18.0, 18.7, 19.0, 0.0])


def test_shares_add_up_and_only_lines_of_the_own_kind_are_near():
    fit = fit_lines(word(WORDS["highly"]))
    np.testing.assert_allclose(fit.shares.sum(axis=1), 1.0)
    tall = fit.extrema.points[:, 1] > 75
    assert fit.shares[tall, 1].min() > 0.5
    assert np.isfinite(fit.log_probability)


STRANGE = {
    "nothing": [],
    "a point": [[(5, 5)]],
    "points": [[(5, 5)] * 3, [(5, 5)]],
    "points apart": [[(0, 0)], [(50, 3)], [(100, 0)]],
    "a dash": [[(0, 0), (40, 0)]],
    "a bar": [[(0, 0), (0, 40)]],
    "one letter": [[(0, 10), (0, 0), (5, 0)]],
    "a tick": [[(0, 0), (1, 10), (2, 0)]],
    "far points": [[(0, 0), (10, 10), (20, 0), (30, 10), (1e12, -1e12), (40, 0)]],
    "far word": [[(1e12 - i, 1e11 * (i % 2)) for i in range(20)]],
    "tiny": [[(i * 1e-200, 1e-200 * (i % 2)) for i in range(20)]],
    "200 letters": [[(i, 10.0 * (i % 2)) for i in range(400)]],
    "a stair": [[(i, i // 2) for i in range(60)]],
    "a column": [[(0, i % 7 * 5.0) for i in range(40)]],
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_ink(name):
    ink = Ink(STRANGE[name])
    fit = fit_lines(ink)
    assert (np.diff(fit.lines.levels) < 0).all()
    assert fit.lines.core_height > 0
    laid = on_lines(ink, fit.lines)
    assert len(laid.points) == len(ink.points)
    if len(laid.points):
        assert laid.points[:, 1].min() >= 0
        assert laid.points[:, 1].max() <= 19
        assert laid.points[:, 0].min() >= 2.9
    assert np.isfinite(amap(laid, 60)).all()
    plain = by_height(ink)
    assert plain.is_empty == ink.is_empty
    assert draw_fit(ink, fit, title="<&>").startswith("<svg")
    assert draw_ink(ink).endswith("</svg>\n")


def test_small_turns_do_not_count():
    stroke = [(0, 0), (1, 5), (2, 4.9), (3, 10), (4, 9.8), (5, 9.9), (6, 0), (7, 0.1), (8, 0)]
    found = extrema(Ink([stroke, [(0, 20), (1, 20.4)], [(3, 3)]]), 1.0)
    assert found.points.tolist() == [[0, 0], [3, 10], [6, 0]]
    assert found.is_top.tolist() == [False, True, False]
    assert len(extrema(Ink(), 1.0).points) == 0


def test_turns_of_just_the_least_height_do_not_count():
    zigzag = Ink([[(0, 0), (1, 1), (2, 0), (3, 1)]])
    assert len(extrema(zigzag, 1.0).points) == 0
    assert len(extrema(zigzag, 0.99).points) == 4


@pytest.mark.parametrize("seed", range(5))
def test_extrema_beside_the_words_for_them(seed):
    """Tops and bottoms in turn, each beyond all ink up to the next one; both ways the same."""
    rng = np.random.default_rng(seed)
    ink = Ink(rng.normal(size=(rng.integers(1, 40), 2)).cumsum(axis=0) for _ in range(8))
    found, back = extrema(ink, 1.0), extrema(ink.reversed(), 1.0)
    for one, other in zip(found, back, strict=True):
        np.testing.assert_array_equal(one, other[::-1])
    rest = list(zip(*found, strict=True))
    for stroke in ink:
        heights, points = stroke[:, 1], [tuple(p) for p in stroke.tolist()]
        own = [(points.index(tuple(p)), *more) for p, *more in rest if tuple(p) in points]
        rest = rest[len(own) :]
        ends = [0, *(i for i, *_ in own), len(stroke) - 1]
        assert ends == sorted(ends)
        tops = [is_top for _, is_top, _ in own]
        assert all(one != other for one, other in pairwise(tops))
        for k, (i, is_top, count) in enumerate(own, start=1):
            sign = 1 if is_top else -1
            assert sign * heights[i] == max(sign * heights[ends[k - 1] : ends[k + 1] + 1])
            assert count == (0.5 if i in (0, len(stroke) - 1) else 1.0)
        for (i, *_), (j, *_) in pairwise(own):
            assert abs(heights[i] - heights[j]) > 1.0
            # Between two of them no way back is as long.
            down = 1 if heights[i] > heights[j] else -1
            way = down * heights[i : j + 1]
            assert (way - np.minimum.accumulate(way)).max() <= 1.0
        if not own:
            assert np.ptp(heights) <= 1.0
    assert not rest


def test_lines_bend():
    lines = Lines(2.0, 0.5, 1.0, 3.0, 2.0, 1.0, 0.0)
    assert lines.at(np.array([2.0, 4.0])).tolist() == [[3, 7], [2, 6], [1, 5], [0, 4]]


def test_turning_points_have_the_colour_of_their_line_and_high_ones_stand_high():
    zigzag = Ink([[(i, 10 * (i % 2)) for i in range(9)]])
    picture = draw_fit(zigzag, fit_lines(zigzag))
    circles = re.findall(r'cy="([\d.]+)" r="[\d.]+" fill="(#\w+)"', picture)
    tops, feet = circles[1::2], circles[::2]
    assert {color for _, color in tops} == {LINE_COLORS[LINES.index("core")]}
    assert {color for _, color in feet} == {LINE_COLORS[LINES.index("base")]}
    assert max(float(y) for y, _ in tops) < min(float(y) for y, _ in feet)


def test_pictures_of_annotated_images():
    picture = draw_amap(amap(normalized(word(WORDS["gypsy"]))), zoom=2)
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "size", [(1e-320, 0), (1e-310, 1e-320), (1e-12, 0), (1, 1e-300), (1, 1e-12)]
)
@pytest.mark.parametrize("place", [(0, 0), (0, 1e11), (1e11, 0)])
def test_sizes_that_digits_do_not_tell_apart_are_none(size, place):
    zigzag = np.array([[0, 0], [1, 1], [2, 0], [3, 1]])
    ink = Ink([zigzag * size + place])
    lines = fit_lines(ink).lines
    assert lines.core_height > 0
    for placed in (on_lines(ink, lines), by_height(ink)):  # neither raises
        assert placed.points[:, 1].min() >= 0
        assert placed.points[:, 1].max() <= 19
