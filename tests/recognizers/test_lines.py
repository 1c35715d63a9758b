"""Pictures of whole lines and random variants of them: each strength does what its name says."""

from itertools import product

import numpy as np
import pytest
import torch

from recognizers.lines.distortion import LineDistortion
from recognizers.lines.images import HEIGHT, LEAST_CONTRAST, STEP, WIDEST, normalise_line, placement

NOTHING = {
    "stretch": 0.0,
    "size": 0.0,
    "down": 0.0,
    "slant": 0.0,
    "rotation": 0.0,
    "waves": 0.0,
    "thickness": 0.0,
    "gamma": 0.0,
    "noise": 0.0,
    "blot": 0.0,
}


def varied(lines, **strengths):
    """Return variants of lines ``[B, H, W]`` under these strengths alone."""
    distort = LineDistortion(**(NOTHING | strengths))
    return distort(lines[:, None], torch.Generator().manual_seed(1))[:, 0]


def blocks(count=40, left=50, right=70, top=12, bottom=28, wide=120):
    lines = torch.zeros(count, 40, wide)
    lines[:, top:bottom, left:right] = 1.0
    return lines


def moments(lines):
    """Return each line's mass, mean x and y from the middle, and deviations along both."""
    lines = lines * (lines > 0.01)  # paper is not quite 0
    mass = lines.sum(dim=(1, 2))
    x = torch.arange(lines.shape[2]) - (lines.shape[2] - 1) / 2
    y = torch.arange(lines.shape[1]) - (lines.shape[1] - 1) / 2
    mean_x, mean_y = (lines.sum(1) @ x) / mass, (lines.sum(2) @ y) / mass
    second_x, second_y = (lines.sum(1) @ x**2) / mass, (lines.sum(2) @ y**2) / mass
    return mass, mean_x, mean_y, (second_x - mean_x**2).sqrt(), (second_y - mean_y**2).sqrt()


def test_without_strength_lines_stay():
    lines = blocks(3, wide=116)
    found = varied(lines)
    assert found.shape == (3, 40, 120)  # widths are multiples of eight, paper on either side
    torch.testing.assert_close(found[:, :, 2:-2], lines, atol=1e-3, rtol=0.0)


def test_a_stretch_is_along_the_line_and_a_size_is_both_ways():
    before = moments(blocks())
    stretched, sized = (moments(varied(blocks(), **{n: 0.4})) for n in ("stretch", "size"))
    for found in (stretched, sized):
        assert found[1].abs().max() < 0.05
        assert found[2].abs().max() < 0.05
        factors = found[3] / before[3]
        assert np.exp(-0.42) < factors.min() < 0.8
        assert 1.25 < factors.max() < np.exp(0.42)
    np.testing.assert_allclose(stretched[4], before[4], rtol=0.01)
    np.testing.assert_allclose(sized[4] / before[4], sized[3] / before[3], rtol=0.03)


def test_a_line_moves_up_and_down_by_a_share_of_its_height():
    _, x, y, *_ = moments(varied(blocks(), down=0.2))
    assert x.abs().max() < 0.05
    assert -8.0 <= y.min() < -4
    assert 4 < y.max() <= 8.0


@pytest.mark.parametrize("stretch", [0.0, 0.4])
def test_a_slant_is_across_for_each_pixel_down(stretch):
    lines = varied(blocks(), slant=0.5, stretch=stretch)
    mass, mean_x, mean_y, _, deviation = moments(lines)
    x = torch.arange(lines.shape[2]) - (lines.shape[2] - 1) / 2
    y = torch.arange(40) - 19.5
    slants = ((lines @ x) @ y / mass - mean_x * mean_y) / deviation**2
    assert -0.51 < slants.min() < -0.3
    assert 0.3 < slants.max() < 0.51


def test_a_turn_is_about_the_middle_and_keeps_the_size():
    lines = varied(blocks(top=19, bottom=21, left=20, right=100), rotation=0.1)
    mass, mean_x, mean_y, along, _ = moments(lines)
    assert mean_x.abs().max() < 0.1
    assert mean_y.abs().max() < 0.1
    x, y = torch.arange(120) - 59.5, torch.arange(40) - 19.5
    turns = torch.atan((lines.sum(1) * 0 + (y @ lines) * x).sum(1) / mass / along**2)
    assert -0.101 < turns.min() < -0.05
    assert 0.05 < turns.max() < 0.101
    np.testing.assert_allclose(mass, 160.0, rtol=0.02)


def test_strokes_become_thicker_and_thinner_by_a_pixel_at_most():
    lines = varied(blocks(top=15, bottom=20, left=60, right=65), thickness=1.0)
    assert lines.max() <= 1.0
    assert lines.min() >= 0.0
    mass = moments(lines)[0]
    assert 9.0 <= mass.min() < 15.0  # 5 x 5 pixels become 3 x 3
    assert 37.0 < mass.max() <= 49.0  # or 7 x 7
    inside = lines[:, 16:19, 61:64]
    np.testing.assert_allclose(inside, torch.ones_like(inside), atol=1e-3)


def test_grey_becomes_darker_and_lighter_and_black_and_white_stay():
    lines = blocks()
    lines[:, :, 60:] *= 0.5
    found = varied(lines, gamma=0.5)
    greys = found[:, 20, 65]
    assert 0.5 ** np.exp(0.5) < greys.min() < 0.5 < greys.max() < 0.5 ** np.exp(-0.5)
    np.testing.assert_allclose(found[:, 20, 55], torch.ones(40), atol=1e-3)
    assert found[:, :8].max() < 0.02


def test_noise_and_blots_are_as_many_as_asked_for():
    grey = torch.full((200, 40, 80), 0.5)
    deviations = varied(grey, noise=0.1).std(dim=(1, 2))
    assert deviations.max() < 0.105
    assert 0.04 < deviations.mean() < 0.06
    blotted = (varied(grey, blot=0.25) == 0.0).sum(dim=(1, 2))
    assert 0.15 < (blotted > 0).float().mean() < 0.35
    assert set(blotted[blotted > 0].tolist()) == {12 * 6}


def test_waves_move_points_by_a_few_pixels_at_most():
    lines = torch.zeros(30, 40, 120)
    lines[:, 18:22] = 1.0
    found = varied(lines, waves=3.0) > 0.5
    rows = torch.arange(40)[None, :, None].expand_as(found)[found]
    assert rows.min() >= 18 - 4
    assert rows.max() <= 21 + 4
    assert (found.float().std(dim=2) > 0).any()  # columns are not all alike


def test_pale_pictures_are_empty_and_long_ones_are_squeezed():
    field = np.full((40, 100), 200, np.uint8)
    field[10:30, 40:44] = 200 - int(LEAST_CONTRAST)
    assert normalise_line(field).max() == 255
    field[10:30, 40:44] += 1
    assert normalise_line(field).max() == 0
    # Ink is the darkest 0.5%, 40 of 8,000 pixels.
    for dark, most in ((60, 255), (30, 0)):
        field = np.full((40, 200), 200, np.uint8)
        field[10:40, 50 : 50 + dark // 30] = 0
        assert normalise_line(field).max() == most
    width, left, whole = placement((10, 5000))
    assert width == WIDEST * HEIGHT
    assert (whole % STEP, left) == (0, (whole - width) // 2)
    assert normalise_line(np.full((10, 5000), 200, np.uint8)).shape == (HEIGHT, whole)


def test_grey_levels_of_a_line_are_those_between_paper_and_ink():
    """Of 4000 pixels more than half are paper, and twenty (0.5%) are darker than ink."""
    field = np.full((40, 100), 200, np.uint8)
    field[20:36] = 120
    field[10, :20], field[11, :30], field[12] = 10, 40, 230
    line = normalise_line(field)
    width, left, whole = placement(field.shape)
    assert (width, left, whole) == (100, 6, 112)
    expected = np.zeros((40, 112))
    expected[:, 6:106] = np.rint(np.clip((200.0 - field) * 255 / (200 - 40), 0, 255))
    np.testing.assert_array_equal(line, expected)


def test_lines_have_paper_on_both_sides_whatever_their_shape():
    for shape in product((1, 7, 40, 300), (1, 2, 33, 40, 1000, 5000)):
        width, left, whole = placement(shape)
        assert width == np.clip(round(shape[1] * HEIGHT / shape[0]), 1, WIDEST * HEIGHT)
        assert whole % STEP == 0
        assert STEP // 2 <= whole - width < STEP // 2 + STEP
        assert left == (whole - width) // 2
