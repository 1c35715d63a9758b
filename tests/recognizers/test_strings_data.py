"""Strings of digits: their geometry and noise; a line is determined by its number."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from recognizers.datasets.pasting import extents, paste, warped
from recognizers.datasets.strings import (
    FREE,
    PAPER,
    DigitStrings,
    Recipe,
    draw_lines,
    draw_windows,
    line_input,
)

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def digits():
    """A filled box for each digit d, d + 3 columns wide and of its own grey."""
    images = np.zeros((10, 28, 28), np.uint8)
    for d in range(10):
        images[d, 4:24, 6 : 9 + d] = 100 + 10 * d
    return images, np.arange(10, dtype=np.uint8)


def test_a_line_is_its_boxes_at_the_gaps_of_the_recipe(digits):
    recipe = Recipe(length=(0, 10), gap=(1, 4), blank=0.2, blank_width=(6, 20))
    lines = draw_lines(*digits, recipe, 200, RNG(0))
    assert lines.images.shape == (200, 32, lines.widths.max())
    assert {len(text) for text in lines.texts} == set(range(11))
    gaps = []
    for i, text in enumerate(lines.texts):
        boxes = lines.boxes[lines.owner == i]
        expected = np.zeros(lines.images.shape[1:], np.uint8)
        for d, (x0, y0, x1, y1) in zip(map(int, text), boxes, strict=True):
            assert (x1 - x0, y1 - y0) == (d + 3, 20)
            expected[y0:y1, x0:x1] = 100 + 10 * d
        assert np.array_equal(lines.images[i], expected)
        if text:
            assert 2 <= boxes[0, 0] <= 6
            assert 2 <= lines.widths[i] - boxes[-1, 2] <= 6
        gaps += (boxes[1:, 0] - boxes[:-1, 2]).tolist()
    narrow = [gap for gap in gaps if gap <= 4]
    assert set(narrow) == {1, 2, 3, 4}
    assert all(7 <= gap <= 24 for gap in gaps if gap > 4)
    assert 0.1 < 1 - len(narrow) / len(gaps) < 0.3


def test_where_boxes_overlap_the_darker_ink_stays(digits):
    lines = draw_lines(*digits, Recipe(length=(5, 5), gap=(-1, -1), blank=0), 20, RNG(1))
    for i, text in enumerate(lines.texts):
        boxes = lines.boxes[lines.owner == i]
        for (a, b), (left, right) in zip(
            itertools.pairwise(map(int, text)), itertools.pairwise(boxes), strict=True
        ):
            assert right[0] == left[2] - 1
            assert lines.images[i, 16, right[0]] == 100 + 10 * max(a, b)


def test_characters_vary_in_size_slant_and_height_and_stay_inside(digits):
    lines = draw_lines(*digits, Recipe(size=0.3, slant=0.4, baseline=6, blank=0), 100, RNG(2))
    heights = lines.boxes[:, 3] - lines.boxes[:, 1]
    assert heights.min() < 17
    assert heights.max() > 23
    assert lines.boxes[:, 1].min() == 0
    assert lines.boxes[:, 3].max() == 32
    d = np.array([int(c) for text in lines.texts for c in text])
    wider = lines.boxes[:, 2] - lines.boxes[:, 0] - (d + 3)
    assert wider.max() > 4  # sheared


def test_sizes_and_slants_are_those_of_the_recipe():
    """Half of a size's logarithm belongs to the line; a quarter of a slant to the character."""
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[:, 4:24, 13:15] = 255
    one = np.array([1])
    sized = draw_lines(bar, one, Recipe(length=(8, 8), gap=(5, 9), size=0.4), 300, RNG(5))
    mass = [
        sized.images[line, y0:y1, x0:x1].sum(dtype=float)
        for line, (x0, y0, x1, y1) in zip(sized.owner, sized.boxes, strict=True)
    ]
    factors = np.sqrt(np.array(mass) / (40 * 255)).reshape(300, 8)
    assert 1 / 1.42 < factors.min() < 1 / 1.3
    assert 1.3 < factors.max() < 1.42
    ratios = factors.max(axis=1) / factors.min(axis=1)
    assert 1.3 < ratios.max() < 1.42
    slanted = draw_lines(bar, one, Recipe(length=(8, 8), gap=(9, 9), slant=0.4), 300, RNG(6))
    across = (slanted.boxes[:, 2] - slanted.boxes[:, 0]).reshape(300, 8)
    assert across.max() <= 2 + 0.4 * 20 + 2
    assert across.max() >= 2 + 0.35 * 20
    assert np.ptp(across, axis=1).max() <= 0.2 * 20 + 2


def test_a_tenth_of_the_pixels_is_inverted(digits):
    clean = draw_lines(*digits, PAPER, 50, RNG(3))
    noisy = draw_lines(*digits, PAPER.with_noise(0.1), 50, RNG(3))
    assert clean.texts == noisy.texts
    changed = clean.images != noisy.images
    assert np.array_equal(noisy.images[changed], 255 - clean.images[changed])
    assert 0.09 < changed.mean() < 0.11
    some = draw_lines(*digits, PAPER.with_noise(0.1, noisy=0.5), 200, RNG(3))
    whole = draw_lines(*digits, PAPER, 200, RNG(3))
    assert 70 < (some.images != whole.images).any(axis=(1, 2)).sum() < 130


def test_windows_have_the_character_of_their_class_in_the_middle(digits):
    windows, classes = draw_windows(*digits, PAPER, 400, RNG(4), blanks=0.4, jitter=1)
    assert windows.shape == (400, 32, 32)
    assert set(classes) == set(range(11))
    assert 0.3 < (classes == 10).mean() < 0.5
    for window, c in zip(windows, classes, strict=True):
        if c < 10:
            assert 100 + 10 * c in window[16, 15:18] or c < 2
    blank = windows[classes == 10]
    assert (blank[:, 16, 13:19] == 0).any(axis=1).mean() > 0.7


def test_the_same_number_is_the_same_line(digits):
    data = DigitStrings(*digits, FREE.with_noise(0.05), seed=3)
    again = DigitStrings(*map(torch.from_numpy, digits), FREE.with_noise(0.05), seed=3)
    assert np.array_equal(data.batch(5, 8).images, again.batch(5, 8).images)
    assert data.batch(5, 8).texts == again.batch(5, 8).texts
    assert data.batch(6, 8).texts != data.batch(5, 8).texts
    other = DigitStrings(*digits, FREE, seed=4)
    assert other.batch(5, 8).texts != data.batch(5, 8).texts
    assert np.array_equal(data.windows(2, 9)[0], again.windows(2, 9)[0])
    first = list(itertools.islice(data, 300))
    assert [text for _, text in first[:256]] == data.batch(0, 256).texts


def test_workers_share_the_lines_among_them(digits):
    data = DigitStrings(*digits, PAPER, seed=1)
    loader = DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context="fork")
    found = [text for _, text in itertools.islice(loader, 8)]
    expected = [data.batch(n % 2, data.block).texts[n // 2] for n in range(8)]
    assert found == expected


def test_warping_is_exact_where_nothing_is_warped_and_bilinear_between():
    image = np.arange(36, dtype=np.uint8).reshape(1, 6, 6)
    same = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    room = warped(image, np.array([0]), same, 8, 10)
    assert np.array_equal(room[0, 1:7, 2:8], image[0])
    half = np.array([[[1.0, 0, 0.5], [0, 1, 0]]])
    moved = warped(image, np.array([0]), half, 6, 6)
    assert moved[0, 0].tolist() == [1, 2, 3, 4, 5, 3]  # 0.5, 1.5 … upwards; the last meets paper


def test_boxes_and_pasting_at_the_edges():
    glyphs = np.zeros((2, 4, 5), np.uint8)
    glyphs[0, 1:3, 2:5] = 7
    assert extents(glyphs).tolist() == [[2, 1, 5, 3], [0, 0, 0, 0]]
    canvas = np.zeros((1, 3, 4), np.uint8)
    paste(canvas, glyphs[:1], np.array([0]), np.array([-3]), np.array([-2]))
    assert canvas[0].tolist() == [[7, 7, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    paste(canvas, glyphs[:1], np.array([0]), np.array([9]), np.array([1]))  # all outside
    assert canvas.sum() == 14


def test_wrong_arguments(digits):
    images, labels = digits
    with pytest.raises(ValueError, match="gap goes from 4 to -1"):
        Recipe(gap=(4, -1))
    with pytest.raises(ValueError, match=r"noise is a share, 0 to 1, not 1\.5"):
        Recipe(noise=1.5)
    with pytest.raises(ValueError, match="0 or more"):
        Recipe(length=(-1, 3))
    with pytest.raises(ValueError, match=r"uint8 \[N, 28, 28\]"):
        DigitStrings(images.astype(np.float32), labels)
    with pytest.raises(ValueError, match="must be 10 digits"):
        DigitStrings(images, labels[:3])
    with pytest.raises(ValueError, match=r"uint8 \[B, H, W\]"):
        line_input(images[0])


def test_input_levels(digits):
    x = line_input(digits[0])
    assert x.shape == (10, 1, 28, 28)
    assert x.min() == pytest.approx(-0.1)
