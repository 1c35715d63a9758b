"""Spellings: what a file holds, and what is wrong with it, line by line."""

import numpy as np
import pytest

import gtn
from grammars.lexicon import lexicon
from grammars.spellings import read_spellings

PHONES = gtn.SymbolTable(["AH", "DH", "IY", "S"])


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "lexicon.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_file_with_all_that_can_be_wrong(written):
    path = written(
        "\ufeffthe DH AH\n\n  the\tDH  IY \r\nthe DH AH\nsea\nsea S I\nsea S IY\nsee S IY\n \t \n"
    )
    found = read_spellings(path, alphabet=PHONES)
    assert found.words == tuple(found) == ("the", "the", "sea", "see")
    assert found.spellings == (("DH", "AH"), ("DH", "IY"), ("S", "IY"), ("S", "IY"))
    assert found.penalties.tolist() == [0, 0, 0, 0]
    assert found.summary(4).splitlines() == [
        f"{path}: 4 spellings of 3 words, 5 lines left out",
        "  line 2: '' is empty",
        "  line 4: 'the DH AH' is a duplicate of line 1",
        "  line 5: 'sea' has no spelling",
        "  line 6: 'sea S I' has the letter 'I' (the second), which is not in the alphabet",
        "  … and 1 more",
    ]
    graph = lexicon(found, symbols=PHONES, outputs="words")
    assert len(gtn.n_best(graph, 9)) == 4


def test_probabilities_become_penalties(written):
    found = read_spellings(written("the 1.0 DH AH\nthe 0.25 DH IY\n"), probabilities=True)
    np.testing.assert_allclose(found.penalties, [0, np.log(4)])
    assert not np.signbit(found.penalties).any()
    assert found.spellings == (("DH", "AH"), ("DH", "IY"))


def test_white_space_within_a_word_is_that_of_ascii(written):
    """As in Kaldi, a word may contain a no-break space."""
    found = read_spellings(written("New\u00a0York N Y\n"))
    assert found.words == ("New\u00a0York",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the 1 DH AH\n\n", "line 2: '' is empty"),
        ("the 0.5 DH AH\nthe 1 DH AH", "line 2: 'the 1 DH AH' is a duplicate of line 1"),
        ("the 0.5\n", "line 1: 'the 0.5' has no spelling"),
        ("the\n", "line 1: 'the' has no spelling"),
        ("the DH AH", "line 1: .* has the probability 'DH', which is not a number"),
        ("the 0 DH AH", "line 1: .* has the probability 0; one is above 0, and at most 1"),
        ("the 1.5 DH AH", "line 1: .* has the probability 1.5"),
        ("the nan DH AH", "line 1: .* has the probability nan"),
        ("the 1 DH EH", "line 1: .* has the letter 'EH' .the second., which is not in the alphab"),
        (b"the 1 DH AH\nse\xff 1 S IY\n", "line 2: .* is not utf-8: byte 3 is 0xff"),
    ],
)
def test_file_and_line_are_named(written, content, message):
    path = written(content)
    with pytest.raises(ValueError, match=f"lexicon.txt, {message}"):
        read_spellings(path, probabilities=True, alphabet=PHONES, problems="raise")


def test_lines_that_are_not_in_the_encoding_are_left_out(written):
    found = read_spellings(written(b"se\xff S IY\nthe DH AH\n"))
    assert found.words == ("the",)
    assert [(p.line, p.wrong) for p in found.problems] == [(1, "is not utf-8: byte 3 is 0xff")]


@pytest.mark.parametrize("content", ["", "\n\n", "the\n"])
def test_a_file_without_spellings(written, content):
    with pytest.raises(ValueError, match=r"lexicon.txt has no word in it"):
        read_spellings(written(content))


def test_an_unknown_handling(written):
    with pytest.raises(ValueError, match="problems='ignore'"):
        read_spellings(written("the DH AH"), problems="ignore")
