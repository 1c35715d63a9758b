"""Image files of any kind become upright grey levels, or an error that names the file."""

import warnings

import numpy as np
import pytest
from PIL import Image

from recognizers.images import ImageError, check_size, load_field, reduce_to, to_grey


@pytest.fixture
def pattern() -> np.ndarray:
    """Return dark bars on a light ground, different along the two axes, ``uint8 [24, 40]``."""
    grey = np.full((24, 40), 230, np.uint8)
    grey[4:12, 6:10] = 20
    grey[15:18, 20:38] = 60
    return grey


def test_grey_png_comes_back_exactly(tmp_path, pattern):
    file = tmp_path / "grey.png"
    Image.fromarray(pattern).save(file)
    assert np.array_equal(load_field(file), pattern)
    assert np.array_equal(load_field(str(file)), pattern)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "CMYK", "YCbCr", "PA"])
def test_colour_modes_give_the_same_grey_levels(pattern, mode):
    image = Image.fromarray(pattern)
    if mode in ("P", "PA"):
        image = image.convert("P")
    elif mode in ("CMYK", "YCbCr"):
        image = image.convert("RGB")
    image = image.convert(mode)
    assert np.abs(to_grey(image).astype(int) - pattern).max() <= 2


def test_coloured_ink_is_dark(tmp_path):
    pixels = np.full((10, 10, 3), 255, np.uint8)
    pixels[4:6] = (10, 10, 160)
    file = tmp_path / "blue.png"
    Image.fromarray(pixels).save(file)
    grey = load_field(file)
    assert grey[5, 5] < 60
    assert grey[0, 0] == 255


def test_transparent_pixels_are_white(tmp_path):
    pixels = np.zeros((10, 12, 4), np.uint8)
    pixels[4:6, :, 3] = 255
    file = tmp_path / "ink.png"
    Image.fromarray(pixels).save(file)
    grey = load_field(file)
    assert (grey[4:6] == 0).all()
    assert (grey[:4] == 255).all()


def test_transparent_palette_entry_is_white(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 50, 50, 50])
    file = tmp_path / "palette.png"
    image.save(file, transparency=0)
    assert (load_field(file) == 255).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", [np.uint16, np.int32])
def test_files_of_16_bits_keep_the_contrast_of_the_bits_that_are_used(
    tmp_path, pattern, bits, kind
):
    file = tmp_path / "deep.tif"
    white = np.where(pattern == pattern.max(), 255, pattern)
    Image.fromarray(np.rint(white / 255 * (2**bits - 1)).astype(kind)).save(file)
    assert np.abs(load_field(file).astype(int) - white).max() <= 1


def test_float_image_of_unit_range(tmp_path, pattern):
    file = tmp_path / "float.tif"
    Image.fromarray(pattern.astype(np.float32) / 255.0).save(file)
    assert np.abs(load_field(file).astype(int) - pattern).max() <= 1


def test_one_bit(tmp_path, pattern):
    file = tmp_path / "bits.png"
    Image.fromarray(pattern > 128).save(file)
    assert np.array_equal(load_field(file), np.where(pattern > 128, 255, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, pattern, orientation):
    stored = {
        1: pattern,
        2: pattern[:, ::-1],
        3: pattern[::-1, ::-1],
        4: pattern[::-1],
        5: pattern.T,
        6: np.rot90(pattern),
        7: pattern[::-1, ::-1].T,
        8: np.rot90(pattern, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / "turned.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(file, exif=exif)
    assert np.array_equal(load_field(file), pattern)


def bad_missing(folder):
    return folder / "missing.png"


def bad_folder(folder):
    (folder / "inner").mkdir()
    return folder / "inner"


def bad_empty(folder):
    file = folder / "empty.png"
    file.write_bytes(b"")
    return file


def bad_text(folder):
    file = folder / "text.png"
    file.write_text("file,text\na.jpg,123\n")
    return file


def bad_truncated(folder):
    file = folder / "cut.png"
    noise = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:1500])
    return file


def bad_truncated_jpeg(folder):
    file = folder / "cut.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:1200])
    return file


def bad_tiny(folder):
    file = folder / "tiny.png"
    Image.new("L", (40, 3), 255).save(file)
    return file


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (bad_missing, "no such file"),
        (bad_folder, "not a file"),
        (bad_empty, "empty"),
        (bad_text, "not an image"),
        (bad_truncated, "truncated"),
        (bad_truncated_jpeg, "truncated"),
        (bad_tiny, "40 x 3 pixels is too small"),
    ],
)
def test_bad_files_are_named(tmp_path, make, says):
    file = make(tmp_path)
    with pytest.raises(ImageError, match=says) as caught:
        load_field(file)
    assert str(caught.value).startswith(str(file))
    assert isinstance(caught.value, ValueError)


def test_huge_image_is_refused_before_decoding(tmp_path):
    file = tmp_path / "huge.png"
    Image.new("1", (20_000, 10_000)).save(file)  # Pillow's own limit warns here
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match=r"huge\.png: .*(too large|more than)"):
            load_field(file)
    with pytest.raises(ImageError, match="too large"):
        check_size("field.png", (1001, 1000), 1_000_000)


def test_large_image_is_reduced_with_its_aspect(tmp_path):
    file = tmp_path / "large.png"
    Image.new("L", (600, 200), 128).save(file)
    assert load_field(file, max_side=300).shape == (100, 300)
    assert reduce_to(np.zeros((4, 9), np.uint8), 9).shape == (4, 9)
