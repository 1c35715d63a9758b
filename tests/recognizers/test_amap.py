"""Annotated images: what they forget about a stroke and what they keep."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizers.online.amap import COLUMNS, MAX_COLUMNS, ROWS, amap, amaps, columns_of
from recognizers.online.ink import Ink
from recognizers.online.ink_batch import InkBatch, in_box

HORIZONTAL, RISING, VERTICAL, FALLING, CURVATURE = range(5)


def curve(seed, n=120, height=8.0, width=30.0):
    """A smooth curve of n points, like writing, in pixels."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, 1.0, n)
    waves = sum(
        np.outer(np.sin(2 * np.pi * k * t + rng.uniform(0, 6)), rng.normal(size=2)) / k
        for k in range(1, 5)
    )
    return waves * height / 4 + np.array([width / 4, ROWS / 2]) + np.outer(t, [width / 2, 0])


def written(seed, strokes=3):
    return Ink([*(curve(seed * 10 + i) for i in range(strokes)), [(3.0, 15.0)]])


seeds = st.integers(0, 1000)


@given(seeds)
@settings(max_examples=20)
def test_order_and_direction_of_strokes_leave_no_trace(seed):
    ink = written(seed)
    image = amap(ink, 40)
    assert image.max() > 0.5
    order = np.random.default_rng(seed).permutation(len(ink))
    turned = Ink([s[::-1] if i % 2 else s for i, s in enumerate(ink)])
    for other in (ink.reversed(), ink.select(order), turned):
        np.testing.assert_allclose(amap(other, 40), image, atol=1e-6)


@given(seeds)
@settings(max_examples=20)
def test_points_inserted_on_segments_leave_no_trace(seed):
    rng = np.random.default_rng(seed)
    ink = written(seed)

    def inserted(stroke):
        t = np.sort(rng.uniform(0, 1, (len(stroke) - 1, 3, 1)), axis=1)
        t[::3] = 0.0  # with points repeated, too
        between = stroke[:-1, None] + t * np.diff(stroke, axis=0)[:, None]
        rows = np.concatenate((stroke[:-1, None], between), axis=1)
        return np.concatenate((rows.reshape(-1, 2), stroke[-1:]))

    more = Ink(inserted(s) for s in ink)
    assert len(more.points) > 3 * len(ink.points)
    np.testing.assert_allclose(amap(more, 40), amap(ink, 40), atol=1e-6)


@pytest.mark.parametrize("corner", [(10.0, 3.0), (4.0, 17.0), (16.0, 10.0)])
def test_straight_lines_of_whole_pixels_too(corner):
    """Where a length is a whole number of steps, rounding could change that number."""
    stroke = np.array([(4.0, 3.0), corner, (16.0, 17.0)])
    halves = np.array([stroke[0], *(0.5 * (stroke[:-1] + stroke[1:])), *stroke[1:]])
    halves = halves[[0, 1, 3, 2, 4]] if len(halves) == 5 else halves
    image = amap(Ink([stroke]))
    np.testing.assert_allclose(amap(Ink([halves])), image, atol=1e-6)
    np.testing.assert_allclose(amap(Ink([stroke[::-1]])), image, atol=1e-6)


@given(seeds)
@settings(max_examples=20)
def test_half_the_rate_changes_little(seed):
    ink = written(seed)
    half = Ink(np.concatenate((s[:-1:2], s[-1:])) for s in ink)
    assert np.abs(amap(half, 40) - amap(ink, 40)).mean() <= 0.02


@given(seeds, st.floats(0.2, 5.0))
@settings(max_examples=10)
def test_speed_leaves_little_trace(seed, power):
    """The same curve gives nearly the same image with the points of a pen at another speed."""
    rng = np.random.default_rng(seed)
    stroke = curve(seed, 400)
    even = stroke[::4]
    keep = np.unique((len(stroke) - 1) * np.linspace(0, 1, 150) ** power).astype(int)
    keep = np.unique([*keep, *rng.integers(len(stroke), size=60), 0, len(stroke) - 1])
    change = amap(Ink([stroke[keep]]), 40) - amap(Ink([stroke]), 40)
    assert np.abs(change).mean() <= 0.02
    assert np.abs(amap(Ink([even]), 40) - amap(Ink([stroke]), 40)).mean() <= 0.02


@pytest.mark.parametrize(
    ("end", "plane"),
    [((12, 10), HORIZONTAL), ((12, 17), RISING), ((5, 17), VERTICAL), ((12, 3), FALLING)],
)
def test_orientations(end, plane):
    image = amap(Ink([[(5, 10), end]]))
    sums = image.sum(axis=(1, 2))
    assert sums[plane] > 5
    assert np.delete(sums, plane).max() < 1e-6


def test_angles_between_are_shared():
    angle = np.pi / 8
    image = amap(Ink([[(4, 8), (4 + 8 * np.cos(angle), 8 + 8 * np.sin(angle))]]))
    sums = image.sum(axis=(1, 2))
    assert sums[HORIZONTAL] == pytest.approx(sums[RISING], rel=1e-6)
    assert sums[[VERTICAL, FALLING, CURVATURE]].max() < 1e-6


def test_curvature_is_where_ink_turns():
    image = amap(Ink([[(4, 4), (4, 14), (14, 14)]]))
    row, column = np.unravel_index(image[CURVATURE].argmax(), image[CURVATURE].shape)
    assert abs(row - (ROWS - 1 - 14)) <= 1
    assert abs(column - 4) <= 1
    assert image[CURVATURE, :, 8:].max() == 0.0


def test_rows_count_from_the_top_and_ink_between_pixels_is_shared():
    image = amap(Ink([[(2, 5), (10, 5)]]))[HORIZONTAL]
    assert np.flatnonzero(image[:, 6]).tolist() == [ROWS - 1 - 5]
    between = amap(Ink([[(2, 5.5), (10, 5.5)]]))[HORIZONTAL]
    assert np.flatnonzero(between[:, 6]).tolist() == [ROWS - 2 - 5, ROWS - 1 - 5]


@pytest.mark.parametrize("stroke", [[(5, 5)], [(5, 5)] * 4, [(5, 5), (5, 5 + 1e-9)]])
def test_dots(stroke):
    """A point, a repeated point and a stroke of almost no length look alike."""
    np.testing.assert_allclose(amap(Ink([stroke]), 10), amap(Ink([[(5, 5)]]), 10), atol=1e-6)
    assert amap(Ink([stroke]), 10).sum() > 1


def test_a_dot_is_a_pixel_of_ink_of_all_orientations_that_turns_half_round():
    sums = np.arctanh(amap(Ink([[(6.3, 8.6)]]), 18).astype(float)).sum(axis=(1, 2))
    np.testing.assert_allclose(sums[:4] / 1.2, 0.25, rtol=1e-4)
    assert sums[4] / 0.8 == pytest.approx(math.pi, rel=1e-4)


def test_a_dot_grows_into_a_stroke_without_a_jump():
    lengths = np.linspace(0.0, 2.0, 81)
    images = amaps([Ink([[(5, 5), (5 + d, 5)]]) for d in lengths])
    assert np.abs(np.diff(images, axis=0)).max() < 0.05


def test_nothing_and_what_is_outside():
    assert not amap(Ink()).any()
    assert amap(Ink()).shape == (5, ROWS, 2 + 1)
    far = amap(Ink([[(-50, 10), (50, 10)], [(1e11, 1e11), (-1e11, 1e11)], [(4, 99)]]), 10)
    inside = amap(Ink([[(-5, 10), (15, 10)]]), 10)
    np.testing.assert_allclose(far, inside, atol=1e-6)
    assert columns_of(Ink([[(1e12, 0)]])) == MAX_COLUMNS
    assert amap(Ink([[(-1e12, -1e12), (1e12, 1e12)]]), 10).shape == (5, ROWS, 10)


@pytest.mark.parametrize(("columns", "rows"), [(0, 20), (MAX_COLUMNS + 1, 20), (5, 0)])
def test_wrong_sizes(columns, rows):
    with pytest.raises(ValueError, match="columns"):
        amap(Ink(), columns, rows)


def test_batches_are_their_members():
    inks = [written(1), Ink(), written(2, 1), Ink([[(3, 3)]])]
    together = amaps(inks, 40)
    for ink, image in zip(inks, together, strict=True):
        np.testing.assert_array_equal(amap(ink, 40), image)
    batch = InkBatch.of(inks)
    np.testing.assert_array_equal(batch.amaps(40), together)
    which = [3, 1, 0, 0, 2]
    np.testing.assert_array_equal(batch.take(which).amaps(40), together[which])
    assert InkBatch.of([]).amaps().shape == (0, 5, ROWS, COLUMNS)


class Drawn:
    """A source of random numbers: of the normal ones, only that of ``kind`` is not zero."""

    def __init__(self, kind):
        self.kind = kind

    def normal(self, size):
        found = np.zeros(size)
        found[self.kind] = 1.0
        return found

    def uniform(self, low, high, size):
        return np.full(size, 0.5 * (low + high))


@pytest.mark.parametrize(
    ("kind", "matrix"),
    [
        (0, [[math.exp(0.12), 0.0], [0.0, 1.0]]),
        (1, [[1.0, 0.0], [0.0, math.exp(0.12)]]),
        (2, [[math.cos(0.1), -math.sin(0.1)], [math.sin(0.1), math.cos(0.1)]]),
        (3, [[1.0, 0.2], [0.0, 1.0]]),
    ],
)
def test_each_distortion_is_a_map_about_the_middle(kind, matrix):
    batch = InkBatch.of([in_box(written(0)), in_box(written(1))])
    middle = np.array([8.5, 9.5])
    found = batch.distorted(Drawn(kind)).points
    np.testing.assert_allclose(found, (batch.points - middle) @ np.array(matrix).T + middle)
    half = batch.distorted(Drawn(kind), turning=0.5).points
    assert np.allclose(half, found) == (kind != 2)


@pytest.mark.parametrize("kind", [4, 5, 6, 7])
def test_shifts_and_waves_move_points_one_way(kind):
    batch = InkBatch.of([in_box(written(0))])
    moved = batch.distorted(Drawn(kind)).points - batch.points
    axis = kind % 2
    assert not moved[:, 1 - axis].any()
    if kind < 6:
        np.testing.assert_allclose(moved[:, axis], 0.5)
    else:  # half a pixel, in waves of period 20 along the other coordinate
        across = (batch.points - [8.5, 9.5])[:, 1 - axis]
        np.testing.assert_allclose(moved[:, axis], 0.5 * np.sin(2 * np.pi * across / 20 + np.pi))


@pytest.mark.parametrize("seed", range(4))
def test_the_sum_of_a_stroke_is_its_length_around_its_middle(seed):
    """What tanh squashes, summed over pixels and orientations, is the integral along the ink."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform([3, 3], [14, 15], (2, 2))
    planes = amap(Ink([[a, b]]), 18).astype(float)
    sums = np.arctanh(planes[:4]).sum(axis=0) / 1.2
    assert sums.sum() == pytest.approx(np.hypot(*(b - a)), rel=1e-4)
    x = (sums.sum(axis=0) @ np.arange(18)) / sums.sum()
    y = (sums.sum(axis=1) @ np.arange(19, -1, -1)) / sums.sum()
    np.testing.assert_allclose([x, y], (a + b) / 2, atol=1e-3)


def test_distortions():
    batch = InkBatch.of([in_box(written(i)) for i in range(4)])
    one, two = (batch.distorted(np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.points, two.points)
    moved = np.hypot(*(one.points - batch.points).T)
    assert 0.1 < moved.mean() < 4
    assert batch.distorted(np.random.default_rng(3), 0.0).points is batch.points
    assert len(InkBatch.of([Ink()]).distorted(np.random.default_rng(0)).points) == 0


@pytest.mark.parametrize(
    "strokes",
    [
        [[(0, 0), (30, 60)]],
        [[(1e12, 1e12), (-1e12, 1e12)]],
        [[(5, 5)]],
        [[(5, 5), (5, 5)], [(5, 5)]],
        [[(0, 0), (1e-300, 1e-300)]],
        [[(1e9, 0), (1e9 + 1, 3)]],
    ],
)
def test_boxes(strokes):
    ink = in_box(Ink(strokes))
    left, low, right, high = ink.bounds
    assert left >= 2 - 1e-6
    assert right <= COLUMNS - 3 + 1e-6
    assert low >= 2 - 1e-6
    assert high <= ROWS - 3 + 1e-6
    assert (left + right) / 2 == pytest.approx((COLUMNS - 1) / 2, abs=1e-3)
    assert in_box(Ink()).is_empty
