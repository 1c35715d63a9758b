"""Lexicons: for any set of words, the graph that determinization and minimization make."""

import string

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from grammars.lexicon import lexicon
from grammars.spellings import SpellingList
from grammars.words import word_list
from gtn.errors import GraphError
from gtn.testing import path_penalties_by_string, paths

WORDS = st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=12, unique=True)
PENALTIES = st.lists(st.integers(0, 6), min_size=12, max_size=12)
EPSILON = gtn.EPSILON
PHONES = gtn.SymbolTable(["IY", "S", "DH"])
# Words with spellings: some words have several, and some spellings belong to several words.
SPELLED = st.lists(
    st.tuples(
        st.sampled_from(["sea", "see", "the", "a"]),
        st.lists(st.sampled_from(list(PHONES)), min_size=1, max_size=4).map(tuple),
    ),
    min_size=1,
    max_size=12,
    unique=True,
)


def by_minimization(words, penalties, symbols, outputs=None):
    """The union of the words, determinized and minimized."""
    chains = [
        gtn.from_arcs(
            [
                (
                    i,
                    i + 1,
                    letter,
                    *(() if outputs is None else (outputs(w, i),)),
                    penalty * (i == 0),
                )
                for i, letter in enumerate(word)
            ],
            final=len(word),
            isymbols=symbols,
            osymbols=symbols,
            dtype=torch.float64,
        )
        for w, (word, penalty) in enumerate(zip(words, penalties))
    ]
    return gtn.minimize(
        gtn.determinize(gtn.union(*chains), semiring="tropical"), semiring="tropical"
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(WORDS, PENALTIES, st.permutations("abc"))
def test_it_is_the_minimal_deterministic_graph_array_by_array(words, levels, letters):
    symbols = gtn.SymbolTable(letters)
    penalties = [level / 4 for level in levels[: len(words)]]
    built = lexicon(words, penalties=penalties, symbols=symbols, dtype=torch.float64)
    expected = by_minimization(words, penalties, symbols)
    assert gtn.isomorphic(built, expected)
    for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
        np.testing.assert_array_equal(getattr(built, name), getattr(expected, name), err_msg=name)
    for name in ("penalties", "start_penalties", "final_penalties"):
        torch.testing.assert_close(getattr(built, name), getattr(expected, name))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(WORDS, PENALTIES)
def test_each_word_is_one_path_with_its_penalty(words, levels):
    penalties = [level / 4 for level in levels[: len(words)]]
    for outputs in ("letters", "words"):
        graph = lexicon(words, penalties=penalties, outputs=outputs)
        expected = {
            (
                tuple(graph.isymbols.encode(word).tolist()),
                tuple(graph.isymbols.encode(word).tolist()) if outputs == "letters" else (k,),
            ): [penalty]
            for k, (word, penalty) in enumerate(zip(words, penalties))
        }
        found = path_penalties_by_string(graph, 6)
        assert {key: list(values) for key, values in found.items()} == expected
        assert graph.topology.is_connected
        assert graph.topology.is_acyclic


@settings(max_examples=150, deadline=None, derandomize=True)
@given(WORDS, PENALTIES)
def test_words_are_written_as_soon_as_they_are_told(words, levels):
    graph = lexicon(words, penalties=[p / 4 for p in levels[: len(words)]], outputs="words")
    table = graph.isymbols
    for path in paths(graph, 10):
        labels = [(int(graph.ilabels[a]), int(graph.olabels[a])) for a in path.arcs]
        word = words[next(o for _, o in labels if o != EPSILON)]
        others = [w for w in words if w != word]
        told = next(i for i, (_, o) in enumerate(labels) if o != EPSILON)
        read = "".join(table.decode([i for i, _ in labels[: told + 1] if i != EPSILON]))
        before = "".join(table.decode([i for i, _ in labels[:told] if i != EPSILON]))
        if labels[told][0] == EPSILON:  # one word ends here, another goes on
            assert read == word
            assert any(w.startswith(word) for w in others)
        else:
            assert not any(w.startswith(read) for w in others)
            assert told == 0 or any(w.startswith(before) for w in others)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(WORDS, PENALTIES)
def test_penalties_are_ahead_of_the_words(words, levels):
    graph = lexicon(words, penalties=[p / 4 for p in levels[: len(words)]], outputs="words")
    ahead = gtn.shortest_distance(graph, "backward", "tropical")
    np.testing.assert_array_equal(ahead.numpy(), 0.0)
    assert (graph.penalties >= 0).all()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(WORDS, PENALTIES)
def test_words_spelled_by_their_characters_are_as_without_spellings(words, levels):
    penalties = [level / 4 for level in levels[: len(words)]]
    for outputs in ("letters", "words"):
        plain = lexicon(words, penalties=penalties, outputs=outputs)
        for spellings in (list(map(list, words)), list(map(tuple, words))):
            spelled = lexicon(words, spellings=spellings, penalties=penalties, outputs=outputs)
            assert gtn.equal(spelled, plain)
            assert (spelled.isymbols, spelled.osymbols) == (plain.isymbols, plain.osymbols)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SPELLED, PENALTIES)
def test_spellings_are_the_minimal_deterministic_graph_array_by_array(entries, levels):
    """A spelling that several words share has the least of their penalties."""
    words, spellings = zip(*entries)
    penalties = [level / 4 for level in levels[: len(words)]]
    built = lexicon(
        words, spellings=spellings, penalties=penalties, symbols=PHONES, dtype=torch.float64
    )
    expected = by_minimization(spellings, penalties, PHONES)
    for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
        np.testing.assert_array_equal(getattr(built, name), getattr(expected, name), err_msg=name)
    for name in ("penalties", "start_penalties", "final_penalties"):
        torch.testing.assert_close(getattr(built, name), getattr(expected, name))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(SPELLED, PENALTIES)
def test_each_word_of_a_spelling_is_one_path_with_its_penalty(entries, levels):
    words, spellings = zip(*entries)
    penalties = [level / 4 for level in levels[: len(words)]]
    graph = lexicon(words, spellings=spellings, penalties=penalties, outputs="words")
    assert list(graph.osymbols) == list(dict.fromkeys(words))
    expected = {
        (
            tuple(graph.isymbols.encode(spelling).tolist()),
            tuple(graph.osymbols.encode([word]).tolist()),
        ): [penalty]
        for (word, spelling), penalty in zip(entries, penalties)
    }
    found = path_penalties_by_string(graph, 5)
    assert {key: list(values) for key, values in found.items()} == expected
    assert graph.topology.is_connected
    np.testing.assert_array_equal(gtn.shortest_distance(graph, "backward", "tropical").numpy(), 0.0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SPELLED)
def test_a_word_is_written_as_soon_as_its_spellings_alone_are_left(entries):
    words, spellings = zip(*entries)
    graph = lexicon(words, spellings=spellings, outputs="words")

    def left(read):
        return {word for word, spelling in entries if list(spelling[: len(read)]) == read}

    for path in paths(graph, 5):
        labels = [(int(graph.ilabels[a]), int(graph.olabels[a])) for a in path.arcs]
        told = next(i for i, (_, o) in enumerate(labels) if o != EPSILON)
        word = graph.osymbols.symbol(labels[told][1])
        read = graph.isymbols.decode(i for i, _ in labels[: told + 1] if i != EPSILON)
        if labels[told][0] == EPSILON:  # a spelling ends here, but not all
            assert (word, tuple(read)) in entries
            assert left(read) > {word}
        else:
            assert left(read) == {word}
            assert told == 0 or left(read[:-1]) > {word}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SPELLED, PENALTIES)
def test_spelled_words_are_minimal(entries, levels):
    """Taking each pair of labels as one symbol, no two nodes have the same future."""
    words, spellings = zip(*entries)
    penalties = [level / 4 for level in levels[: len(words)]]
    graph = lexicon(
        words, spellings=spellings, penalties=penalties, outputs="words", dtype=torch.float64
    )
    pairs = gtn.from_arrays(
        graph.src,
        graph.dst,
        (graph.ilabels + 1) * 100 + graph.olabels + 1,
        penalties=graph.penalties,
        start=graph.starts,
        final=graph.finals,
        final_penalties=graph.final_penalties,
    )
    assert pairs.topology.is_deterministic
    assert gtn.minimize(pairs, semiring="tropical").num_nodes == graph.num_nodes


def test_homophones_are_written_in_the_order_of_the_list():
    words, same = ["two", "to", "too", "tool"], ["T", "UW"]
    graph = lexicon(words, spellings=[same, same, same, [*same, "L"]], outputs="words")
    assert graph.osymbols.decode(graph.olabels[graph.ilabels == EPSILON]) == words[:3]
    read = gtn.compose(gtn.string(same, symbols=graph.isymbols), graph)
    assert [gtn.path_text(path, "output") for path in gtn.n_best(read, 9)] == words[:3]


def test_real_words_are_minimal():
    """With many words that share endings, the graph is as small as the minimized trie."""
    rng = np.random.default_rng(0)
    stems = ["".join(rng.choice(list("abcdefgh"), rng.integers(2, 6))) for _ in range(150)]
    ends = ["", "s", "ed", "ing", "er", "ers", "ation", "ations"]
    words = list(dict.fromkeys(stem + end for stem in stems for end in ends))
    levels = [float(len(word) % 3) for word in words]
    built = lexicon(words, penalties=levels, dtype=torch.float64)
    expected = by_minimization(words, levels, gtn.SymbolTable(sorted({*"".join(words)})))
    assert gtn.equal(built, expected)
    assert built.num_nodes < sum(map(len, words)) / 8


def test_more_words_than_the_first_table_holds():
    rng = np.random.default_rng(0)
    words = list({"".join(rng.choice(list(string.ascii_letters), 5)) for _ in range(600)})
    for outputs in ("letters", "words"):
        graph = lexicon(words, penalties=np.arange(len(words)) / 8, outputs=outputs)
        assert graph.num_nodes > 1024
        assert len(list(paths(graph, 6))) == len(words)


def test_a_word_of_200_letters():
    long = "ab" * 100
    graph = lexicon([long, "a", long + "b"], outputs="words")
    read = gtn.compose(gtn.string(long, symbols=graph.isymbols), graph)
    assert gtn.path_text(read) == long
    assert gtn.path_text(gtn.compose(gtn.string("a", symbols=graph.isymbols), graph)) == "a"


def test_one_word():
    assert gtn.path_text(lexicon(["a"], outputs="words")) == "a"
    assert gtn.path_text(lexicon(["seven"])) == "seven"


def test_labels_are_those_of_the_table():
    symbols = gtn.SymbolTable({7: "b", 3: "a", 5: "☃"})
    graph = lexicon(["ab", "☃"], symbols=symbols)
    assert set(graph.ilabels.tolist()) == {7, 3, 5}
    assert graph.isymbols is symbols
    assert lexicon(["😀é"], outputs="words").ilabels.tolist() == [1, 0]


def test_a_spelling_list_brings_spellings_and_penalties():
    spelled = SpellingList(
        ("the", "the"), (("DH", "AH"), ("DH", "IY")), np.array([0.25, 1.0]), name="lexicon.txt"
    )
    graph = lexicon(spelled, outputs="words")
    assert gtn.equal(
        graph,
        lexicon(
            spelled.words,
            spellings=spelled.spellings,
            penalties=spelled.penalties,
            outputs="words",
        ),
    )
    assert gtn.viterbi_penalty(graph).item() == 0.25
    assert gtn.viterbi_penalty(lexicon(spelled, penalties=[2, 3])).item() == 2
    letters = lexicon(spelled, spellings=[["D", "A"], ["D", "I"]])
    assert list(letters.isymbols) == ["A", "D", "I"]


def test_penalties_of_a_word_list_and_their_resolution():
    words = word_list(["a", "b"], counts=[1, 3])
    graph = lexicon(words, dtype=torch.float64)
    assert gtn.viterbi_penalty(graph).item() == pytest.approx(-np.log(0.75), abs=2**-11)
    coarse = lexicon(words, resolution=0.5, dtype=torch.float64)
    assert gtn.viterbi_penalty(coarse).item() == 0.5
    assert lexicon(words, penalties=[0, 0]).penalties.sum() == 0


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ([], {}, "at least one word"),
        ("cap", {}, "words are a list, not one text"),
        (
            {"cap": 0.5, "cat": 1.0},
            {},
            "a list, not a mapping; .* is given as penalties=, and how .*spellings=",
        ),
        (["a"], {"symbols": "ab"}, "input symbols must be a SymbolTable, not str"),
        (["a", ""], {}, "word 1 is empty"),
        (["a", "b", "a"], {}, r"word 2 is 'a', and so is word 0"),
        (
            ["a", "ab", "cab"],
            {"symbols": gtn.SymbolTable("ab")},
            "word 2, 'cab', has the letter 'c'",
        ),
        (["a", 3], {}, "word 1 is 3; words are strings"),
        (["a"], {"penalties": [1, 2]}, r"penalties of shape \[2\] for 1 words"),
        (["a", "b"], {"penalties": [1, -1]}, "word 1, 'b', has the penalty -1"),
        (["a", "b"], {"penalties": [1, np.nan]}, "word 1, 'b', has the penalty nan"),
        (["a", "b"], {"penalties": [1, np.inf]}, "word 1, 'b', has the penalty inf"),
        (["a", "b"], {"spellings": [["X"]]}, "1 spellings for 2 words"),
        (
            ["a", "the"],
            {"spellings": [["AH"], "DH AH"]},
            r"word 1, 'the', has the spelling 'DH AH'; a spelling is a sequence of symbols",
        ),
        (["a"], {"spellings": [None]}, "word 0, 'a', has the spelling None"),
        (["a", "b"], {"spellings": [["X"], []]}, "word 1, 'b', has an empty spelling"),
        (["a", "b"], {"spellings": [["X"], ["Y", 3]]}, "word 1, 'b', has the letter 3"),
        (["a", "b"], {"spellings": [["X"], ["Y", "", "Z"]]}, "word 1, 'b', has the letter ''"),
        (["a"], {"spellings": [[["X"], ["Y"]]]}, r"word 0, 'a', has the letter \['X'\]; letters"),
        (
            ["a", "b", "a", "a"],
            {"spellings": [["X"], ["X"], ["Y", "X"], ["X"]]},
            "word 3 is 'a', and so is word 0, spelled alike",
        ),
        (
            ["a", "b"],
            {"spellings": [["X"], ["X", "Y"]], "symbols": gtn.SymbolTable(["X"])},
            "word 1, 'b', has the letter 'Y', which is not in",
        ),
        (
            ["a", "a"],
            {"spellings": [["X"], ["Y"]], "penalties": [1, -1]},
            "word 1, 'a', has the penalty -1",
        ),
        (["a", "με"], {}, "word 1, 'με', has the letter 'ε', which is kept for epsilon"),
        (["a"], {"outputs": "both"}, "outputs='both'"),
        (["a"], {"resolution": 0.0}, "resolution=0.0"),
        (["a"], {"resolution": float("inf")}, "resolution=inf"),
    ],
)
def test_what_is_wrong_is_named(words, options, message):
    with pytest.raises(GraphError, match=message):
        lexicon(words, **options)
