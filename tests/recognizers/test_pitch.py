"""The width of letters follows from the ups and downs of the pen, whatever the word's width."""

import numpy as np
import pytest

from demos.words.samples.handwriting import HANDS, write_word
from recognizers.online.ink import Ink
from recognizers.online.normalization import MARGIN, normalized
from recognizers.online.pitch import at_pitch, letters_of, stretch

WORDS = ("hand", "minimum", "playground", "it")


def laid(text, wide=1.0):
    ink = normalized(write_word(text, HANDS["upright"]))
    return ink.with_points((ink.points - [MARGIN, 0.0]) * [wide, 1.0] + [MARGIN, 0.0])


@pytest.mark.parametrize("text", WORDS)
def test_letters_are_counted_whatever_their_width_and_order(text):
    word = laid(text)
    count = letters_of(word)
    assert 0.5 * len(text) < count < 2.0 * len(text)
    assert letters_of(laid(text, 3.0)) == pytest.approx(count)
    assert letters_of(word.reversed()) == pytest.approx(count)


def test_dots_have_no_ways_and_lifts_of_the_pen_are_none():
    assert letters_of(Ink()) == letters_of(Ink([[(3, 3)]])) == 1.0
    strokes = [[(3, 6.5), (3, 13.5)], [(5, 6.5), (5, 13.5)], [(7, 20.0)]]
    assert letters_of(Ink(strokes)) == pytest.approx(0.85 + 2 * 0.355)
    assert letters_of(Ink(strokes[:1])) == pytest.approx(0.85 + 0.355)


def test_only_what_is_between_base_and_core_line_counts():
    """The loop of a descender and the top of an ascender are no ways, halves of ways are halves."""
    for below, above in ((1.5, 13.5), (6.5, 18.0), (-9.0, 99.0)):
        word = Ink([[(3, above), (5, below), (7, above), (8, 10.0)]])
        assert letters_of(word) == pytest.approx(0.85 + 2.5 * 0.355)


@pytest.mark.parametrize("text", WORDS)
def test_wide_and_narrow_words_come_nearer_to_each_other(text):
    widths = [np.ptp(at_pitch(laid(text, wide)).points[:, 0]) for wide in (0.7, 1.0, 2.0)]
    assert widths == sorted(widths)
    assert widths[2] / widths[0] == pytest.approx((2.0 / 0.7) ** 0.3, rel=1e-6)


def test_rows_and_the_left_end_stay():
    word = laid("paper", 2.0)
    narrow = at_pitch(word)
    np.testing.assert_array_equal(narrow.points[:, 1], word.points[:, 1])
    assert narrow.points[:, 0].min() == pytest.approx(word.points[:, 0].min())


@pytest.mark.parametrize(
    "ink",
    [
        Ink(),
        Ink([[(3, 3)]]),
        Ink([[(3, 0), (3, 19)]]),
        Ink([[(3, 9)] * 4]),
        Ink([[(0.1, 0), (1, 19)]]),
    ],
    ids=repr,
)
def test_ink_without_width_stays(ink):
    assert stretch(ink) == 1.0
    assert at_pitch(ink) == ink


def test_from_a_column_on_ink_has_a_width():
    assert stretch(Ink([[(3, 6.5), (3.99, 13.5)]])) == 1.0
    assert stretch(Ink([[(3, 6.5), (4, 13.5)]])) == 2.5
    assert stretch(Ink([[(3, 6.5), (27, 13.5)]])) == pytest.approx((12 * 1.205 / 24) ** 0.7)


def test_absurd_widths_are_held():
    assert stretch(Ink([[(0, 6.5), (1e9, 13.5)]])) == 0.2
    zigzag = [(i / 40.0, 6.5 + 7.0 * (i % 2)) for i in range(400)]
    assert stretch(Ink([zigzag])) == 2.5
