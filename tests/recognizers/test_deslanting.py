import numpy as np
import pytest

from recognizers.digits.deslanting import deslant, slants
from recognizers.digits.reduction import crop, shrunk, to_16x16


def leaning(slope, height=28, width=28):
    """A stroke, three pixels thick, that leans by `slope` pixels per row."""
    image = np.zeros((height, width), dtype=np.uint8)
    for y in range(4, height - 4):
        x = round(width / 2 + slope * (y - height / 2))
        image[y, x - 1 : x + 2] = 255
    return image


@pytest.mark.parametrize("slope", [-0.6, -0.25, 0.0, 0.3, 0.5])
def test_the_slant_is_measured_and_removed(slope):
    images = leaning(slope)[None]
    assert slants(images)[0] == pytest.approx(slope, abs=0.03)
    upright = deslant(images, None)
    assert upright.shape == images.shape
    assert slants(upright)[0] == pytest.approx(0.0, abs=0.03)
    # Rows move; ink is neither lost nor made.
    assert upright.sum() == pytest.approx(images.sum(), rel=0.01)
    assert np.array_equal(upright.any(axis=2), images.any(axis=2))


def test_slants_by_the_moments_of_each_image():
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 7), dtype=np.uint8)
    for image, slant in zip(images, slants(images), strict=True):
        y, x = np.mgrid[:9, :7]
        mean_y, mean_x = np.average(y, weights=image), np.average(x, weights=image)
        covariance = np.average((y - mean_y) * (x - mean_x), weights=image)
        variance = np.average((y - mean_y) ** 2, weights=image)
        assert slant == pytest.approx(covariance / variance)


def test_images_without_a_slant_stay():
    images = np.zeros((3, 28, 28), dtype=np.uint8)
    images[1, 10, 3:20] = 200  # one row of ink
    images[2, 5:9, 14] = 255
    assert slants(images).tolist() == [0, 0, 0]
    assert np.array_equal(deslant(images, None), images)
    assert deslant(images[:0]).shape == (0, 20, 20)


def test_the_middle_of_the_ink_stays_where_it_is():
    images = np.zeros((1, 40, 40), dtype=np.uint8)
    images[0, np.arange(8, 28), np.arange(27, 7, -1)] = 255
    upright = deslant(images, None)[0]
    middle = np.average(np.arange(40), weights=upright.sum(axis=0, dtype=float))
    assert middle == pytest.approx(17.5, abs=0.1)
    assert np.ptp(np.flatnonzero(upright.any(axis=0))) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_read_between_two_pixels_with_paper_on_both_sides(seed):
    """Beside linear interpolation row by row, on ink that reaches all sides."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (4, 9, 7), dtype=np.uint8)
    images[1:] *= np.tri(9, 7, dtype=np.uint8)  # leans far to the right
    for image, slant, upright in zip(images, slants(images), deslant(images, None), strict=True):
        middle = np.average(np.arange(9), weights=image.sum(axis=1, dtype=float))
        for y in range(9):
            at = np.arange(7) + slant * (y - middle)
            expected = np.interp(at, np.arange(-1, 8), [0, *image[y], 0])
            assert np.abs(upright[y] - expected).max() <= 0.501


@pytest.mark.parametrize("seed", range(3))
def test_the_box_of_the_ink_is_in_the_middle_of_what_is_cut_out(seed):
    """Beside a loop over rows and columns; values of 31 and below are no ink."""
    rng = np.random.default_rng(seed)
    images = rng.choice([0, 31, 32, 255], (40, 6, 9), p=[0.4, 0.53, 0.05, 0.02]).astype(np.uint8)
    images[:5, 1:4] = 31
    for size in (1, 4, 20):
        for image, found in zip(images, crop(images, size), strict=True):
            begins = []
            for lines in (image, image.T):
                inked = [i for i, line in enumerate(lines) if max(line) >= 32]
                first, end = (inked[0], inked[-1] + 1) if inked else (0, len(lines))
                begins.append((first + end) // 2 - size // 2)
            for y, x in np.ndindex(size, size):
                row, column = begins[0] + y, begins[1] + x
                inside = 0 <= row < 6 and 0 <= column < 9
                assert found[y, x] == (image[row, column] if inside else 0)
    with pytest.raises(ValueError, match="size must be at least 1, not 0"):
        crop(images, 0)


def test_the_box_is_in_the_middle():
    images = np.zeros((4, 28, 28), dtype=np.uint8)
    images[0, 0:20, 8:28] = 255
    images[1, 20:24, 1:3] = 255
    images[2, :, :] = 255
    parts = crop(images, 20)
    assert (parts[0] == 255).all()
    assert np.argwhere(parts[1])[[0, -1]].tolist() == [[8, 9], [11, 10]]
    assert (parts[2] == 255).all()
    assert not parts[3].any()


def test_sixteen_pixels_are_the_means_of_twenty():
    images = np.zeros((1, 28, 28), dtype=np.uint8)
    images[0, 4:24, 4:24] = np.random.default_rng(1).integers(32, 256, (20, 20))
    small = to_16x16(images)
    # Five pixels become four, so that each block of 5x5 keeps its mean.
    before = images[0, 4:24, 4:24].reshape(4, 5, 4, 5).mean((1, 3))
    after = small[0].reshape(4, 4, 4, 4).mean((1, 3))
    assert np.abs(before - after).max() < 0.5
    inside = shrunk(images)
    assert inside.shape == (1, 28, 28)
    assert np.array_equal(inside[0, 6:22, 6:22], small[0])
    assert not inside[0, :6].any()


def test_images_are_reduced_about_their_middle_whatever_their_sides():
    """Black in the middle of 9 x 15 pixels: 5 x 5 pixels become 4 x 4, and all become 7.2 x 12."""
    images = np.zeros((2, 9, 15), dtype=np.uint8)
    images[0, 2:7, 5:10] = 255
    images[1] = 255
    for image, sides in zip(shrunk(images), ((4, 4), (7.2, 12)), strict=True):
        down, across = (
            np.clip(side / 2 + 0.5 - np.abs(np.arange(length) - length // 2), 0, 1)
            for side, length in zip(sides, (9, 15), strict=True)
        )
        assert np.abs(image - 255 * np.outer(down, across)).max() <= 0.501


@pytest.mark.parametrize("function", [slants, deslant, to_16x16, shrunk])
@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 28, 28)),
        np.zeros((28, 28), np.uint8),
        np.zeros((2, 0, 4), np.uint8),
        [[[0, 255]]],
    ],
)
def test_other_images_are_refused(function, wrong):
    with pytest.raises(ValueError, match="uint8"):
        function(wrong)
