"""Edit distances and alignments, compared with recursions over the items."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import LETTERS_TWICE, edits

import gtn
from gtn.errors import GraphError
from gtn.nn import edit_distances


@given(
    st.lists(st.lists(st.integers(0, 2), max_size=4), max_size=4),
    st.lists(st.integers(0, 2), max_size=4),
)
@settings(max_examples=100)
def test_edit_distances(rows, target):
    found = edit_distances(
        [np.array(row, dtype=np.int32) for row in rows], np.array(target, dtype=np.int32)
    )
    assert found.tolist() == [edits(row, target) for row in rows]


def alignments(found, target, i=0, j=0):
    """All alignments of found[i:] with target[j:], each as steps between positions of both."""
    if i == len(found) and j == len(target):
        yield []
    if i < len(found) and j < len(target):
        yield from ([(i, j), *rest] for rest in alignments(found, target, i + 1, j + 1))
    if j < len(target):
        yield from ([(-1, j), *rest] for rest in alignments(found, target, i, j + 1))
    if i < len(found):
        yield from ([(i, -1), *rest] for rest in alignments(found, target, i + 1, j))


@given(
    st.lists(st.integers(0, 2), max_size=4),
    st.lists(st.integers(0, 2), max_size=4),
)
@settings(max_examples=100)
def test_an_edit_alignment_is_the_chosen_one_of_the_best(found, target):
    def same(step):
        return min(step) >= 0 and found[step[0]] == target[step[1]]

    def rank(steps):  # the fewest edits; from the end, substitute, delete, insert
        kinds = [0 if min(step) >= 0 else 1 if step[0] < 0 else 2 for step in steps]
        return sum(not same(step) for step in steps), kinds[::-1]

    best = min(alignments(found, target), key=rank)
    aligned = gtn.nn.edit_alignment(found, target)
    assert [*zip(aligned.found.tolist(), aligned.target.tolist())] == best
    assert aligned.same.tolist() == [same(step) for step in best]
    assert (~aligned.same).sum() == edits(found, target)
    passed = [sum(j >= 0 for _, j in best[:k]) for k in range(len(best))]
    assert aligned.before.tolist() == passed


def test_an_edit_alignment_is_of_labels_words_and_texts():
    missing = gtn.nn.edit_alignment("sat", "seat")
    assert missing.found.tolist() == [0, -1, 1, 2]
    assert missing.target.tolist() == missing.before.tolist() == [0, 1, 2, 3]
    assert missing.same.tolist() == [True, False, True, True]
    assert gtn.nn.edit_alignment(["the", "cat"], ["the", "hat"]).same.tolist() == [True, False]
    labels = torch.tensor([1, 2]), np.array([2], dtype=np.int32)
    assert gtn.nn.edit_alignment(*labels).target.tolist() == [-1, 0]
    nothing = gtn.nn.edit_alignment("", "")
    assert nothing.found.dtype == nothing.target.dtype == nothing.before.dtype == np.int32
    assert len(nothing.same) == 0
    with pytest.raises(GraphError, match="stands where a label"):
        gtn.nn.edit_alignment(["ab"], torch.tensor([[1, 2]]))


def test_edit_distances_of_texts_words_and_mixed_rows():
    assert edit_distances(["kitten", "", "sitting"], "sitting").tolist() == [3, 7, 0]
    words = ["the", "cat", "sat"]
    assert edit_distances([words, ["cat"], []], ["the", "cat"]).tolist() == [1, 1, 2]
    rows = [np.array([1, 2]), torch.tensor([2, 1]), [2]]
    assert edit_distances(rows, np.array([2], dtype=np.int32)).tolist() == [1, 1, 0]
    assert edit_distances([np.array(["a", "b"])], "ab").tolist() == [0]
    assert edit_distances([], "ab").tolist() == []
    assert edit_distances([list(torch.tensor([1, 2]))], [1, 2]).tolist() == [0]
    with pytest.raises(GraphError, match=r"'ab' is one text; .* as in \['ab'\]"):
        edit_distances("ab", "ab")
    with pytest.raises(GraphError, match=r"'abc' is a text.* \['abd', 'x'\] .* pairs, take one"):
        edit_distances(["abc", "x"], ["abd", "x"])
    for count in (lambda a, b: edit_distances([a], b), gtn.nn.edit_alignment):
        for pair in (("the cat", ["the", "cat"]), (["the", "cat"], "the cat")):
            with pytest.raises(GraphError, match=r"'the cat' is a text.*text\.split\(\)"):
                count(*pair)
    assert edit_distances(["ab", ["a", "c"]], ["a", "b"]).tolist() == [0, 1]
    for rows in ([[1, 2], [1]], np.array([[1, 2]], dtype=np.int32), torch.tensor([[1, 2]])):
        with pytest.raises(
            GraphError, match=r"stands where a label .* of pairs take one at a time"
        ):
            edit_distances([np.array([1, 2], dtype=np.int32)], rows)


def test_symbols_are_not_compared_with_labels():
    for found, target in (("ab", [0, 1]), (["a", "b"], torch.tensor([0, 1])), ([0], ["a"])):
        with pytest.raises(GraphError, match="symbols are compared with labels"):
            gtn.nn.edit_distances([found], target)
        with pytest.raises(GraphError, match="symbols are compared with labels"):
            gtn.nn.edit_alignment(found, target)
    assert gtn.nn.edit_distances(["ab", ""], [])[0] == 2
    assert gtn.nn.edit_distances([[None, "a"]], ["a", "a"]) == [1]
    for wrong in (3, None, torch.tensor(3), LETTERS_TWICE):
        with pytest.raises(GraphError, match="is not a string; a string is a text"):
            gtn.nn.edit_alignment("ab", wrong)
        with pytest.raises(GraphError, match="is not a list of strings"):
            gtn.nn.edit_distances(wrong, "ab")
    with pytest.raises(GraphError, match="stands where a label or symbol should"):
        gtn.nn.edit_distances([gtn.GraphBatch.from_graphs([LETTERS_TWICE])], [0])
