import itertools

import numpy as np
import pytest

from recognizers.codes import CHARACTERS, HEIGHT, WIDTH, code, codes, show


def hamming(a, b):
    return int((code(a) != code(b)).sum())


def test_all_printable_ascii_characters_have_a_code_of_ones():
    assert len(CHARACTERS) == 95
    table = codes(CHARACTERS)
    assert table.shape == (95, 84)
    assert table.dtype == np.float64
    assert set(np.unique(table)) == {-1.0, 1.0}
    assert (code(" ") == -1).all()


def test_least_distances():
    assert min(hamming(a, b) for a, b in itertools.combinations(CHARACTERS, 2)) >= 3
    assert min(hamming(a, b) for a, b in itertools.combinations("0123456789", 2)) >= 10


def test_squared_distance_is_four_times_the_hamming_distance():
    assert ((code("6") - code("8")) ** 2).sum() == 4 * hamming("6", "8")


@pytest.mark.parametrize("pair", ["O0", "lI", "l1", "[l", "OQ", "nh", "vy", "oc", "EF", ",;"])
def test_similar_characters_are_closer_than_the_average_pair(pair):
    mean = np.mean([hamming(a, b) for a, b in itertools.combinations(CHARACTERS, 2)])
    assert hamming(*pair) < 0.75 * mean


def test_order_and_text_of_codes():
    assert np.array_equal(codes("ba"), np.stack([code("b"), code("a")]))
    assert codes("").shape == (0, 84)
    lines = show(code("L")).splitlines()
    assert len(lines) == HEIGHT
    assert {len(line) for line in lines} == {WIDTH}
    assert [lines[0], lines[9], lines[10]] == ["#......", "#######", "......."]


def test_a_code_is_a_copy():
    code("A")[:] = 0
    assert (np.abs(code("A")) == 1).all()


@pytest.mark.parametrize("char", ["é", "", "ab", "\n", "\x7f"])
def test_no_code(char):
    with pytest.raises(ValueError, match="no code"):
        code(char)


def test_show_refuses_other_sizes():
    with pytest.raises(ValueError, match="84 components"):
        show(np.ones(83))
