"""Digits of any picture in the frame of MNIST: size, place and polarity make no difference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recognizers.classes import DIGITS
from recognizers.codes import codes
from recognizers.datasets.mnist import load_mnist
from recognizers.digits import frames
from recognizers.digits.frames import frame_digit, framed, ink_of_digit

GLYPHS = [np.kron(one > 0, np.ones((4, 4))) * 255 for one in codes(DIGITS).reshape(10, 12, 7)]
GLYPHS = [np.pad(one.astype(np.uint8), 6) for one in GLYPHS]
"""The stylised digits that LeNet-5's codes are, 28 pixels wide and 48 high: 0 paper, 255 ink."""


def enlarged(image, times):
    size = (round(image.shape[1] * times), round(image.shape[0] * times))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def difference(one, other):
    """The mean difference in grey levels where there is ink, least over shifts by a pixel."""
    wide = np.pad(other.astype(float), 1)
    moved = [wide[y : y + 28, x : x + 28] for y in range(3) for x in range(3)]
    return min(float(np.abs(one - m).sum()) for m in moved) / max(np.count_nonzero(one), 1)


def assert_in_frame(frame):
    """Check that the longer side of the ink is 20 pixels and the centre of mass is in pixel 14."""
    assert (frame.shape, frame.dtype) == ((28, 28), np.uint8)
    rows, columns = (np.flatnonzero(frame.any(axis=axis)) for axis in (1, 0))
    assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
    mass = frame.astype(float)
    for axis, used in ((1, rows), (0, columns)):
        middle = (mass.sum(axis=axis) * (np.arange(28) + 0.5)).sum() / mass.sum()
        assert 14 <= middle < 15 or used[0] == 0 or used[-1] == 27


@given(st.integers(1, 60), st.integers(1, 60), st.randoms(use_true_random=False))
def test_any_ink_stands_in_the_frame(height, width, random):
    ink = np.array([[random.choice((0, 90, 255)) for _ in range(width)] for _ in range(height)])
    ink[0, :] = ink[-1, :] = ink[:, 0] = ink[:, -1] = 255
    assert_in_frame(framed(ink.astype(np.uint8)))


@given(
    number=st.integers(0, 9),
    above=st.integers(0, 60),
    left=st.integers(0, 60),
    right=st.integers(0, 60),
)
def test_neither_place_nor_polarity_matters(number, above, left, right):
    glyph = GLYPHS[number]
    frame = frame_digit(glyph)
    assert_in_frame(frame)
    placed = np.pad(glyph, ((above, 7), (left, right)))
    assert difference(frame, frame_digit(placed)) < 1
    assert difference(frame, frame_digit(255 - placed)) < 1
    # If nothing is inverted and the paper is neither black nor white, ink is fainter.
    assert difference(frame, frame_digit((220 - placed * 0.6).astype(np.uint8))) < 1


@given(number=st.integers(0, 9), times=st.floats(0.8, 14.0), share=st.integers(0, 2))
def test_size_does_not_matter(number, times, share):
    larger = enlarged(GLYPHS[number], times)
    margin = share * max(larger.shape) // 2
    frame = frame_digit(np.pad(larger, margin))
    assert_in_frame(frame)
    differences = [difference(frame_digit(glyph), frame) for glyph in GLYPHS]
    assert differences[number] == min(differences)
    assert differences[number] < 70


def test_shades_noise_and_dust_do_not_matter():
    rng = np.random.default_rng(0)
    for glyph in GLYPHS:
        large = np.pad(enlarged(glyph, 4), ((90, 40), (30, 120))) / 255.0
        height, width = large.shape
        paper = np.linspace(240, 150, width) + np.linspace(-25, 25, height)[:, None]
        photo = paper * (1 - 0.7 * large) + rng.normal(0, 5, large.shape)
        photo[10:13, 15:18] = 60
        photo = np.clip(photo, 0, 255).astype(np.uint8)
        assert difference(frame_digit(glyph), frame_digit(photo)) < 30


@pytest.mark.parametrize("shape", [(4, 4), (28, 28), (300, 200), (5, 900)])
def test_paper_has_no_ink(shape):
    rng = np.random.default_rng(1)
    for level in (0, 128, 255):
        assert not frame_digit(np.full(shape, level, np.uint8)).any()
    noise = np.clip(rng.normal(200, 5, shape), 0, 255).astype(np.uint8)
    assert not frame_digit(noise).any()
    shaded = np.broadcast_to(np.linspace(220, 160, shape[1]).astype(np.uint8), shape)
    assert not frame_digit(shaded).any()


def test_a_speck_is_no_digit():
    paper = np.full((400, 300), 220, np.uint8)
    paper[200:205, 100:104] = 20
    assert not frame_digit(paper).any()
    paper[200:240, 100:104] = 20
    assert frame_digit(paper).any()


def test_ink_of_a_digit_by_hand():
    """Ink and the two pixels around it; a piece of less than a twentieth of the largest is none."""
    picture = np.full((50, 60), 200, np.uint8)
    picture[12:38, 14:30] = 190  # too faint to be ink
    picture[15:35, 20:24] = 100  # 80 pixels
    picture[20, 50:53] = picture[30, 50:54] = 100  # 3 pixels and 4
    ink = ink_of_digit(picture)
    expected = np.zeros((50, 60), np.uint8)
    expected[13:37, 18:26] = 255 // 10
    expected[15:35, 20:24] = expected[30, 50:54] = 255
    np.testing.assert_allclose(ink.astype(int), expected, atol=3)
    assert ((ink > 3) == (expected > 3)).all()


@pytest.mark.parametrize("darker", [23, 26])
def test_ink_is_24_levels_darker_than_paper(darker):
    picture = np.full((40, 40), 200, np.uint8)
    picture[10:30, 18:21] -= np.uint8(darker)
    assert ink_of_digit(picture).any() == (darker > 24)


def test_ink_that_counts_for_the_box_is_an_eighth_as_dark():
    """Shades of 32 of 255 beside a bar are in its box, shades of 31 are not."""
    for shade, width in ((32, 7), (31, 5)):
        picture = np.full((60, 60), 255, np.uint8)
        picture[10:30, 28:33] = 0
        picture[10:30, [27, 33]] = 255 - shade
        frame = frame_digit(picture)
        assert np.count_nonzero(frame.any(axis=0)) == width


def test_characters_are_four_pixels_long():
    for length in (3, 4):
        picture = np.full((60, 128), 255, np.uint8)
        picture[20 : 20 + length, 50] = 0
        assert frame_digit(picture).any() == (length == 4)


def test_thin_and_lopsided_ink_stays_in_the_frame():
    thin = framed(np.full((60, 1), 255, np.uint8))
    assert np.flatnonzero(thin.any(axis=0)).tolist() == [14]
    heavy = np.zeros((40, 20), np.uint8)
    heavy[:, 9:11] = heavy[:6] = 255
    for turn in range(4):
        ink = framed(np.rot90(heavy, turn))
        assert ink.sum(dtype=float) == pytest.approx(heavy.sum(dtype=float) / 4, rel=0.01)
        # The heavy end would stand in the middle: it goes as far as the frame.
        side = ink[::-1] if turn == 0 else np.rot90(ink, -turn)[::-1]
        assert side[0].any()


def test_only_what_was_reduced_is_cut_out_and_processed_again(monkeypatch):
    """Half the length of the digit is left around it, and a pixel of the reduced picture."""
    seen, reduce_to = [], frames.reduce_to

    def watch(picture, side):
        seen.append((picture.shape, side))
        return reduce_to(picture, side)

    monkeypatch.setattr(frames, "reduce_to", watch)
    picture = np.full((640, 1280), 220, np.uint8)
    picture[200:400, 600:660] = 30
    frame_digit(picture)
    # A tenth of it: rows 20 to 40 and columns 60 to 66, with 10 + 1 pixels on all sides.
    assert [shape for shape, side in seen if side == 128] == [(640, 1280), (420, 280)]
    seen.clear()
    picture[:] = 220
    picture[0:200, 0:60] = 30  # in the corner
    frame_digit(picture)
    assert [shape for shape, side in seen if side == 128] == [(640, 1280), (310, 170)]
    seen.clear()
    frame_digit(picture[:100, :128])
    assert [shape for shape, side in seen if side == 128] == [(100, 128)]


def test_what_is_no_picture():
    for wrong in (
        np.zeros((3, 4, 3), np.uint8),
        np.zeros((9, 9)),
        np.zeros((0, 5), np.uint8),
        [[0, 255]],
    ):
        with pytest.raises(ValueError, match="a picture is a uint8 array"):
            frame_digit(wrong)


def test_the_digits_of_mnist_are_in_their_frame(data_dir):
    images = load_mnist(data_dir / "mnist", "train")[0][:2000].numpy()
    found = []
    for image in images:
        rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
        ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert max(ink.shape) == 19 or np.array_equal(framed(ink), image)
        found.append(difference(image, frame_digit(image)))
    assert np.mean(found) < 12
    assert np.quantile(found, 0.99) < 50
