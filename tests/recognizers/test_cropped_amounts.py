"""Amounts that look as if cut out of checks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recognizers.datasets.cropped_amounts import (
    FLOURISHES,
    CroppedFields,
    barred,
    flourish,
    framed,
    with_ends,
)
from recognizers.datasets.written_amounts import Hand, MnistFields


@pytest.fixture
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits, each a stroke of its own darkness."""
    images = np.zeros((40, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    return images, np.arange(40) % 10


def test_a_seed_gives_a_field_and_another_gives_another(
    digits: tuple[np.ndarray, np.ndarray],
) -> None:
    fields = CroppedFields(*digits)
    first, again, other = (fields.compose(np.random.default_rng(s)) for s in (3, 3, 4))
    assert first.text == again.text
    assert np.array_equal(first.image, again.image)
    assert first.image.shape != other.image.shape or not np.array_equal(first.image, other.image)


def test_texts_hold_digits_alone_whatever_stands_around_them(
    digits: tuple[np.ndarray, np.ndarray],
) -> None:
    fields = CroppedFields(*digits)
    for seed in range(25):
        field = fields.compose(np.random.default_rng(seed))
        assert field.text.isdigit()
        assert len(field.sources) == len(field.text)


def test_a_bar_adds_ink_beside_the_stem_only(digits: tuple[np.ndarray, np.ndarray]) -> None:
    seven = digits[0][0].astype(np.float64)
    found = barred(seven, np.random.default_rng(0))
    added = np.flatnonzero((found - seven).sum(axis=1) > 100)
    assert 4 < added.min() <= added.max() < 24  # between top and bottom of the stem
    assert len(added) < 8
    empty = np.zeros((28, 28))
    assert barred(empty, np.random.default_rng(0)) is empty


@pytest.mark.parametrize("mark", FLOURISHES)
def test_every_flourish_is_ink(mark: str) -> None:
    hand = Hand.of(np.random.default_rng(0), 1000, tight=True)
    ink = flourish(mark, hand, np.random.default_rng(1))
    assert ink.shape[0] == hand.field_height
    assert ink.max() > 128


@pytest.mark.parametrize("side", range(4))
def test_ends_of_other_writing_touch_their_edge_and_leave_the_rest(side: int) -> None:
    ink = np.full((20, 20), 255.0)
    found = with_ends(np.zeros((40, 60)), ink, side, np.random.default_rng(side))
    edge = (found[:, 0], found[:, -1], found[0], found[-1])[side]
    assert edge.max() == 255.0
    assert found.max(axis=0 if side < 2 else 1).astype(bool).sum() < 6


def test_a_frame_is_of_vertical_lines_at_the_ends() -> None:
    seen = 0
    for seed in range(40):
        found = framed(np.zeros((10, 60)), np.random.default_rng(seed))
        assert (found == found[0]).all()
        assert not found[:, 8:-8].any()
        seen += found[0, :8].any() + 1j * found[0, -8:].any()
    assert 0 < seen.real < 20
    assert 0 < seen.imag < 20


def test_only_sevens_have_bars(digits: tuple[np.ndarray, np.ndarray]) -> None:
    fields = CroppedFields(*digits)
    hand = replace(Hand.of(np.random.default_rng(0), 40), barred=True, upstroke=0.0)
    for digit in "0123456789":
        pixels, source = fields.choose(digit, hand, np.random.default_rng(0))
        assert np.array_equal(pixels, digits[0][source]) == (digit != "7")


def test_hands_of_other_fields_put_no_bars(digits: tuple[np.ndarray, np.ndarray]) -> None:
    fields = MnistFields(*digits)
    hand = Hand.of(np.random.default_rng(0), 40)
    pixels, source = fields.choose("7", hand, np.random.default_rng(0))
    assert not hand.barred
    assert np.array_equal(pixels, digits[0][source])
