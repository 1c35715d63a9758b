"""Word lists: what a file holds, and what is wrong with it, line by line."""

import string

import numpy as np
import pytest

from grammars.words import Problem, count_words, read_words, word_list

LETTERS = string.ascii_letters


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "words.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_list_with_all_that_can_be_wrong(written):
    path = written("cat\n\n  dog \r\ncat\nna\u00efve\n" + "x" * 200 + "\n \t \n")
    found = read_words(path, alphabet=LETTERS)
    assert found.words == ("cat", "dog", "x" * 200)
    assert [p.line for p in found.problems] == [2, 4, 5, 7]
    assert found.problems[0] == Problem(2, "", "is empty")
    assert "duplicate of line 1" in found.problems[1].wrong
    assert "'ï' (the third)" in found.problems[2].wrong
    assert not found.penalties.any()
    assert found.summary(2).splitlines() == [
        f"{path}: 3 words, 4 lines left out",
        "  line 2: '' is empty",
        "  line 4: 'cat' is a duplicate of line 1",
        "  … and 2 more",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cat\n\n", "line 2: '' is empty"),
        ("cat\ndog\ncat", "line 3: 'cat' is a duplicate of line 1"),
        ("cat\nabcdefé", r"line 2: 'abcdefé' has the letter 'é' \(letter 7\)"),
        ("cat\t3\ndog", "line 2: 'dog' has no count, the first line has one"),
        ("cat\ndog\t3", "line 2: .* has a count, the first line has none"),
        ("cat\tmany", "line 1: .* has the count 'many', which is not a number"),
        ("cat\t0", "line 1: 'cat' has the count 0; a count is a number above zero"),
        ("cat\tnan", "line 1: 'cat' has the count nan"),
        ("cat\tinf", "line 1: 'cat' has the count inf"),
        (b"cat\nd\xffg\n", "line 2: .* is not utf-8: byte 2 is 0xff"),
    ],
)
def test_file_and_line_are_named(written, content, message):
    path = written(content)
    with pytest.raises(ValueError, match=f"words.txt, {message}"):
        read_words(path, alphabet=LETTERS, problems="raise")


@pytest.mark.parametrize("content", ["", "\n\n", "naïve\n"])
def test_a_file_without_words(written, content):
    with pytest.raises(ValueError, match=r"words.txt has no word in it"):
        read_words(written(content), alphabet=LETTERS)


def test_counts_become_penalties_and_add_up(written):
    found = read_words(written("\ufeffa\t1\nb\t2\na\t1\n"))
    assert found.words == ("a", "b")
    np.testing.assert_allclose(found.penalties, np.log(2))
    assert not found.problems


def test_what_is_no_line_of_words_leaves_the_others_as_they_are(written):
    """Whether lines have counts is not decided by a first line that is empty or not decodable."""
    found = read_words(written(b"\n\xff\ncat\t3\n \t5\ndog\t1\n"))
    assert found.words == ("cat", "dog")
    np.testing.assert_allclose(found.penalties, -np.log([0.75, 0.25]))
    assert [p.line for p in found.problems] == [1, 2, 4]
    with pytest.raises(ValueError, match="shorter"):
        word_list(["a", "b"], counts=[1])


def test_running_text(written):
    found = count_words(written("The cat. The dog!\nA naïve cat\n"), alphabet=LETTERS + ".!")
    assert found.words[0] == "The"
    assert set(found.words) == {"The", "cat.", "dog!", "A", "cat"}
    assert [p.line for p in found.problems] == [2]
    assert count_words(written("a b a c c c"), least=2).words == ("c", "a")
    lower = count_words(
        written(b"The the\ncat \xff\nTHE ."), tidy=lambda word: word.strip(".").lower(), least=2
    )
    assert lower.words == ("the",)
    assert [p.line for p in lower.problems] == [2]


def test_lists_put_together():
    a = word_list(["x", "y"], counts=[1, 1])
    b = word_list(["y", "z", "w"])
    assert a.extended(b).words == ("x", "y", "z", "w")
    assert a.extended(b, limit=3).words == ("x", "y", "z")
    assert a.extended(b, limit=1).words == ("x", "y")
    assert a.extended(b).penalties.tolist() == [*a.penalties, 0, 0]
    assert list(a) == ["x", "y"]


def test_an_unknown_handling():
    with pytest.raises(ValueError, match="problems='ignore'"):
        word_list(["a"], problems="ignore")


def test_the_most_frequent_words():
    frequent = pytest.importorskip("grammars.frequent_words").frequent_words
    found = frequent(2000, alphabet=LETTERS)
    assert len(found) == 2000
    assert (np.diff(found.penalties) >= 0).all()
    assert not any(set(word) - set(LETTERS) for word in found)
    assert frequent(100, alphabet=LETTERS).words == found.words[:100]
    with pytest.raises(ValueError, match=r"only \d of 'en'"):
        frequent(20, alphabet="i")
    with pytest.raises(ValueError, match="0 words"):
        frequent(0)
