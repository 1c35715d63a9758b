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


@pytest.mark.parametrize("function", [slants, deslant, to_16x16, shrunk])
@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 28, 28)), np.zeros((28, 28), np.uint8), np.zeros((2, 0, 4), np.uint8)]
)
def test_other_images_are_refused(function, wrong):
    with pytest.raises(ValueError, match="uint8"):
        function(wrong)
