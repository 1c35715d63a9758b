"""Spotting: the geometry of windows, pages, targets, parallel arcs, average precision."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import gtn
from recognizers.datasets.pages import PageRecipe, draw_pages, present
from recognizers.sdnn import LineError
from recognizers.spotting import (
    IGNORED,
    Detection,
    Places,
    Pyramid,
    average_precision,
    detections,
    hits,
    somewhere,
    targets_of,
)
from recognizers.spotting.network import SpotNetwork


@pytest.fixture(scope="module")
def digits():
    images = np.zeros((10, 28, 28), np.uint8)
    for d in range(10):
        images[d, 4:24, 8 : 14 + d] = 100 + 10 * d
    return images, np.arange(10, dtype=np.uint8)


class Middle(nn.Module):
    """Two classes: the pixel in the middle of a window of 31 x 31, and minus that pixel."""

    field, stride, classes = (31, 31), (4, 4), ("ink", "rubbish")

    def forward(self, pages):
        rows, columns = ((n - 31) // 4 + 1 for n in pages.shape[2:])
        ink = pages[:, :, 15::4, 15::4][:, :, :rows, :columns]
        return torch.cat((-ink, ink), dim=1)


def test_windows_are_where_places_say():
    pyramid = Pyramid(Middle(), octaves=(0.0, 1.0))
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(80.0), indexing="ij")
    places = pyramid.places(96, 80)
    for values, expected in ((x, places.x), (y, places.y)):
        found = pyramid(values[None, None])[0, :, 1].numpy()
        inside = (places.x > 1) & (places.x < 79) & (places.y > 1) & (places.y < 95)
        # Pixel i of a page has its middle at i + 0.5.
        assert np.abs(found + 0.5 - expected)[inside].max() <= 0.75
    assert set(places.size) == {20.0, 40.0}
    assert sum(rows * columns for rows, columns in places.shapes) == len(places.x)


def test_places_of_a_resolution_that_is_rounded_are_those_of_its_own_sides():
    """Reduced by the square root of two, 400 x 33 pixels become 283 x 23."""
    places = Pyramid(Middle(), octaves=(0.5,)).places(400, 33)
    ((rows, columns),) = places.shapes
    y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    np.testing.assert_allclose(places.y, ((4 * y + 15.5 - 9) * 400 / 283).ravel())
    np.testing.assert_allclose(places.x, ((4 * x + 15.5 - 9) * 33 / 23).ravel())
    np.testing.assert_allclose(places.size, 20 * 400 / 283)


def test_a_page_that_is_reduced_is_averaged():
    """The middle two of every four columns are white, so that sampling would give other levels."""
    page = ((torch.arange(160) + 1) % 4 // 2).float().expand(1, 1, 160, 160)
    found = Pyramid(Middle(), octaves=(2.0,), margin=0)(page)[0, :, 1]
    assert (found - 0.5).abs().max() < 0.1


def test_a_page_as_small_as_a_window_has_one():
    for height, width in ((31, 40), (40, 31)):
        pyramid = Pyramid(Middle(), octaves=(0.0,), margin=0)
        assert len(pyramid.places(height, width).x) == 3
        assert pyramid(torch.zeros(1, 1, height, width)).shape[1] == 3


def test_all_resolutions_are_those_of_the_swept_network():
    net = SpotNetwork(generator=torch.Generator().manual_seed(0)).eval()
    page = torch.rand(1, 1, 40, 50)
    with torch.no_grad():
        found = Pyramid(net, octaves=(0.0,), margin=0)(page)
        cut = page.unfold(2, 31, 4).unfold(3, 31, 4).reshape(-1, 1, 31, 31)
        torch.testing.assert_close(found[0], net(cut).flatten(1), rtol=1e-4, atol=1e-5)


def test_a_network_begins_with_rubbish_more_probable_by_its_rarity():
    pages = torch.rand(3, 1, 64, 64)
    made = []
    for rarity in (6.0, 2.0):
        state = torch.Generator().manual_seed(0)
        made.append(SpotNetwork(rarity=rarity, dropout=0.0, generator=state).train())
    assert sum(p.numel() for p in made[0].parameters()) == 69_019
    assert made[0].rubbish_index == 10
    found = [net(pages) for net in made]
    torch.testing.assert_close(found[0][:, 10] + 4, found[1][:, 10])
    torch.testing.assert_close(found[0][:, :10], found[1][:, :10])
    # What the kernels add is small, whatever is on the page.
    assert (found[0][:, 10] + 6).abs().max() < 1.5
    assert found[0][:, :10].abs().max() < 1.5


@pytest.mark.parametrize(
    "shape", [(1, 31, 31), (1, 1, 40), (1, 2, 31, 31), (1, 1, 30, 40), (1, 1, 40, 30)]
)
def test_other_pages_are_refused(shape):
    with pytest.raises(ValueError, match=r"H and W at least 31, not \(1, "):
        SpotNetwork()(torch.zeros(shape))


def test_a_page_too_small_for_a_resolution_lacks_it_and_one_for_none_raises():
    pyramid = Pyramid(SpotNetwork().eval())
    assert len(pyramid.places(20, 20).shapes) == 2  # 20 and 14 pixels, with the margins
    assert pyramid(torch.zeros(1, 1, 20, 20)).shape[1] == len(pyramid.places(20, 20).x)
    with pytest.raises(LineError, match=r"page of 8 x 90 pixels .* 13 x 13 without its margin"):
        pyramid(torch.zeros(1, 1, 90, 8))
    with pytest.raises(LineError, match="at every resolution"):
        Pyramid(SpotNetwork().eval(), octaves=(1.0,))(torch.zeros(1, 1, 20, 20))


def test_pages_hold_what_they_say(digits):
    recipe = PageRecipe(digits=(0, 5), size=(1.0, 2.0), slant=0.0, clutter=(0, 0), waves=(0, 0))
    pages = draw_pages(*digits, recipe, 60, np.random.default_rng(1))
    expected = np.zeros_like(pages.images)
    for page, label, (x0, y0, x1, y1) in zip(*pages[1:], strict=True):
        assert 18 <= y1 - y0 <= 42
        part = pages.images[page, y0:y1, x0:x1]
        assert np.median(part) == 100 + 10 * label
        expected[page, y0:y1, x0:x1] = part
    assert np.array_equal(expected, pages.images)  # nothing elsewhere
    counts = np.bincount(pages.owner, minlength=60)
    assert counts.min() == 0
    assert counts.max() == 5
    assert np.array_equal(present(pages).sum(axis=1) <= counts, np.ones(60, bool))


def test_sizes_are_even_in_their_logarithm():
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[:, 4:24, 13:15] = 255
    recipe = PageRecipe(digits=(1, 1), clutter=(0, 0), waves=(0, 0), slant=0.0)
    pages = draw_pages(bar, np.array([1]), recipe, 400, np.random.default_rng(5))
    assert pages.owner.tolist() == list(range(400))
    factors = np.sort(np.sqrt(pages.images.sum(axis=(1, 2), dtype=float) / (40 * 255)))
    assert (factors[0], factors[-1]) == (pytest.approx(1, abs=0.03), pytest.approx(2.5, abs=0.05))
    assert factors[200] == pytest.approx(math.sqrt(2.5), abs=0.08)


def test_clutter_is_apart_from_digits_and_waves_are_not(digits):
    plain = PageRecipe(clutter=(5, 5), waves=(0, 0))
    pages = draw_pages(*digits, plain, 20, np.random.default_rng(2))
    assert (pages.images > 0).mean() > 0.02
    for page, label, (x0, y0, x1, y1) in zip(*pages[1:], strict=True):
        assert pages.images[page, y0:y1, x0:x1].max() <= 101 + 10 * label
    waves = draw_pages(*digits, PageRecipe(waves=(2, 2)), 20, np.random.default_rng(2))
    assert waves.images.sum() > pages.images.sum()
    noisy = draw_pages(*digits, PageRecipe(noise=0.1), 5, np.random.default_rng(3))
    assert (noisy.images > 200).mean() > 0.08
    with pytest.raises(ValueError, match="32 pixels a side"):
        PageRecipe(side=20)
    with pytest.raises(ValueError, match="factor above 0"):
        PageRecipe(size=(0.0, 1.0))


def test_each_object_is_the_target_of_a_window_in_its_middle(digits):
    recipe = PageRecipe(digits=(1, 4), waves=(0, 0))
    pages = draw_pages(*digits, recipe, 40, np.random.default_rng(4))
    places = Pyramid(SpotNetwork()).places(128, 128)
    target = targets_of(places, pages.owner, pages.labels, pages.boxes, 40, 10)
    assert target.shape == (40, len(places.x))
    seen = np.zeros(len(pages.labels), bool)
    for i, (page, label, box) in enumerate(zip(*pages[1:], strict=True)):
        inside = (box[0] <= places.x) & (places.x <= box[2])
        inside &= (box[1] <= places.y) & (places.y <= box[3])
        seen[i] = (target[page][inside] == label).any()
        assert set(np.unique(target[page][inside])) <= {label, IGNORED, 10}
    assert seen.mean() > 0.95
    assert (target == 10).mean() > 0.9


def test_windows_near_an_object_are_neither_its_own_nor_rubbish():
    """Windows beside an object 20 high at (50, 50), and windows of other sizes."""
    x = np.array([50, 52.5, 52.6, 56.9, 57.1, 50, 50, 50, 50, 50])
    size = np.array([20, 20, 20, 20, 20, 24, 16.7, 25, 12, 36], dtype=np.float64)
    places = Places(x, np.full(10, 50.0), size, ((1, 10),))
    boxes = np.array([[44, 40, 56, 60]])
    target = targets_of(places, np.array([1]), np.array([7]), boxes, 2, 10)
    assert (target[0] == 10).all()
    assert target[1].tolist() == [7, 7, -1, -1, 10, 7, 7, -1, -1, 10]


def test_the_sum_over_parallel_arcs_is_a_sum_over_places():
    penalties = torch.randn(3, 1, 6, dtype=torch.float64, requires_grad=True)
    loss = gtn.nn.MMILoss(somewhere(5).double(), reduction="none")
    found = loss(penalties, [[1], [0], [1]])
    share = torch.softmax(-penalties[:, 0], dim=1)
    there = share[:, :5].sum(dim=1)
    expected = -torch.stack([there[0], 1 - there[1], there[2]]).log()
    torch.testing.assert_close(found, expected)
    # The gradient pulls each place in proportion to its share of what is there.
    (gradient,) = torch.autograd.grad(found[0], penalties)
    inside = share[0, :5] / there[0]
    torch.testing.assert_close(gradient[0, 0, :5], (inside - share[0, :5]).detach())
    graph = gtn.linear(penalties[0].detach())
    general = gtn.nn.DiscriminativeForwardLoss(somewhere(5).double())(graph, [1])
    torch.testing.assert_close(general, found[0].detach())


def test_the_best_of_near_windows_stays():
    places = Pyramid(SpotNetwork()).places(64, 64)
    penalties = torch.zeros(len(places.x), 11)
    penalties[:, :10] = 20.0
    far = int(np.argmax(np.hypot(places.x - places.x[20], places.y - places.y[20])))
    penalties[20, 3], penalties[21, 3], penalties[far, 3] = -5.0, -3.5, -3.0
    penalties[20, 8] = -1.0
    found = detections(penalties, places)
    assert [(one.label, one.x, one.y) for one in found if one.score > -1] == [
        (3, places.x[20], places.y[20]),
        (3, places.x[far], places.y[far]),
    ]
    assert found[0].score == pytest.approx(-math.log1p(math.exp(-4.0) + math.exp(-5.0)), abs=1e-4)
    assert [one.label for one in found if -6 < one.score < -1] == [8]
    assert len(detections(penalties, places, least=-100.0, most=7)) == 7
    assert detections(penalties, places, label=3) == [one for one in found if one.label == 3]


def test_what_is_in_the_reach_of_the_larger_window_is_found_once():
    """Two windows 15 pixels apart, 20 and 40 pixels high, and a third further away."""
    for sizes in ([20.0, 40.0, 20.0], [40.0, 20.0, 20.0]):
        places = Places(np.array([50.0, 65, 90]), np.zeros(3), np.array(sizes), ((1, 3),))
        penalties = torch.tensor([[0.0, 4.0], [0.0, 3.0], [0.0, 2.0]])
        assert [one.x for one in detections(penalties, places)] == [50.0, 90.0]


@pytest.mark.parametrize("seed", range(6))
def test_what_stays_is_near_nothing_better(seed):
    """Compared with a loop over a class's windows; whole numbers put some just within reach."""
    rng = np.random.default_rng(seed)
    x, y, size = rng.integers(0, 60, 50), rng.integers(0, 60, 50), rng.choice([10, 16, 24], 50)
    places = Places(*(values.astype(np.float64) for values in (x, y, size)), ((5, 10),))
    penalties = torch.from_numpy(rng.uniform(0, 8, (50, 4)))
    scores = torch.log_softmax(-penalties, dim=1).numpy()
    expected = []
    for label in range(3):
        kept: list[int] = []
        for i in sorted(range(50), key=lambda i: -scores[i, label]):
            away = [(max(abs(x[i] - x[j]), abs(y[i] - y[j])), max(size[i], size[j])) for j in kept]
            if scores[i, label] >= -4.0 and all(2 * far > reach for far, reach in away):
                kept.append(i)
        expected += [Detection(label, scores[i, label], x[i], y[i], size[i]) for i in kept]
    expected.sort(key=lambda one: -one.score)
    assert detections(penalties, places, least=-4.0, most=None) == expected
    assert len(expected) > 12
    assert detections(penalties, places, least=-4.0, most=9) == expected[:9]


@pytest.mark.parametrize("seed", range(4))
def test_hits_are_objects_of_the_class_that_none_before_has_hit(seed):
    """Compared with a loop over objects; whole numbers put some middles on the edge of a box."""
    rng = np.random.default_rng(seed)
    corners, sides = rng.integers(0, 8, (9, 2)), rng.integers([1, 8], [9, 17], (9, 2))
    boxes, labels = np.concatenate([corners, corners + sides], axis=1), rng.integers(0, 2, 9)
    middles, sizes = rng.integers(-4, 28, (120, 2)), rng.choice([4, 6, 8, 16, 32, 33], 120)
    found = [
        Detection(int(rng.integers(0, 2)), -0.1, *map(float, place), float(size))
        for place, size in zip(middles, sizes, strict=True)
    ]
    free, expected = set(range(9)), []
    for one in found:
        fits = []
        for k, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
            aside = max(x1 - x0, 0.5 * (y1 - y0)) / 2
            inside = abs(one.x - (x0 + x1) / 2) <= aside and y0 <= one.y <= y1
            if inside and one.label == labels[k] and 0.5 <= one.size / (y1 - y0) <= 2:
                fits.append(k)
        fits = [k for k in fits if k in free]
        free -= set(fits[:1])
        expected.append(bool(fits))
    assert hits(found, labels, boxes).tolist() == expected
    assert 3 < sum(expected) < 40


def test_a_hit_is_between_half_and_twice_as_high():
    boxes, labels = np.array([[10, 10, 30, 40]]), np.array([3])
    for height, hit in ((14.0, False), (16.0, True), (59.0, True), (61.0, False)):
        assert hits([Detection(3, -0.1, 20, 25, height)], labels, boxes).tolist() == [hit]


def test_hits_and_precision():
    boxes = np.array([[10, 10, 30, 40], [50, 10, 54, 40]])
    labels = np.array([3, 1])
    found = [
        Detection(3, -0.1, 20, 25, 28.0),
        Detection(3, -0.2, 21, 25, 28.0),  # the same again
        Detection(1, -0.3, 47, 25, 28.0),  # beside a narrow box
        Detection(1, -0.4, 52, 25, 80.0),  # far too high
    ]
    assert hits(found, labels, boxes).tolist() == [True, False, True, False]
    assert hits(found, labels[:0], boxes[:0]).tolist() == [False] * 4
    scores, good = np.array([0.9, 0.8, 0.7]), np.array([True, True, False])
    assert average_precision(scores, good, 2) == 1.0
    assert average_precision(scores, good, 4) == 0.5
    assert average_precision(scores[:0], good[:0], 3) == 0.0
    assert average_precision(scores, good & False, 0) == 0.0
