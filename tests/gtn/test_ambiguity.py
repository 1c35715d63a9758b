"""Ambiguity: whether some string has several paths, or some input several outputs."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gtn
from gtn.composition import compose
from gtn.determinization import determinize
from gtn.determinization.ambiguity import is_functional, is_unambiguous
from gtn.determinization.minimization import minimize
from gtn.rational import closure, union
from gtn.testing import batches, graphs, paths
from gtn.testing.openfst import language, random_graphs


def spellings(g, side, length=8):
    """How many paths of at most ``length`` arcs spell each string, counted arc by arc."""
    labels = {
        "input": [(i,) for i in g.ilabels.tolist()],
        "output": [(o,) for o in g.olabels.tolist()],
        "both": list(zip(g.ilabels.tolist(), g.olabels.tolist(), strict=True)),
    }[side]
    arcs = list(zip(g.src.tolist(), g.dst.tolist(), labels, strict=True))
    reached = Counter((start, ()) for start in g.starts.tolist())
    found = Counter()
    for _ in range(length + 1):
        further = Counter()
        for (node, string), count in reached.items():
            if node in g.finals:
                found[string] += count
            for src, dst, label in arcs:
                if src == node:
                    silent = set(label) == {gtn.EPSILON}
                    further[dst, string if silent else (*string, label)] += count
        reached = further
    return found


SIDES = pytest.mark.parametrize("side", ["input", "output", "both"])


@SIDES
@given(g=graphs(epsilons=True, acceptor=False, max_arcs=7, labels=2))
def test_unambiguous_by_enumeration(side, g):
    assert is_unambiguous(g, side) == (max(spellings(g, side).values(), default=1) == 1)


@SIDES
@given(g=graphs(acyclic=False, epsilons=True, max_nodes=3, max_arcs=4, labels=2))
def test_unambiguous_with_cycles(side, g):
    # In graphs this small, if any string has two paths, a short one has.
    assert is_unambiguous(g, side) == (max(spellings(g, side).values(), default=1) == 1)


@given(graphs(acyclic=False, epsilons=True, penalties=st.just(0.0)))
def test_determinized_is_unambiguous(g):
    assert is_unambiguous(determinize(g, semiring="boolean"))


@given(batches(epsilons=True, acceptor=False, labels=2))
def test_each_graph_of_a_batch(batch):
    assert is_unambiguous(batch).tolist() == [is_unambiguous(g) for g in batch]


CASES = {
    "no graph": (gtn.empty(), True),
    "parallel equal arcs": (gtn.from_arcs([(0, 1, 3), (0, 1, 3)], final=1), False),
    "parallel epsilons": (gtn.from_arcs([(0, 1, None), (0, 1, None)], final=1), False),
    "an epsilon or none": (gtn.from_arcs([(0, 1, None), (1, 2, 3), (0, 2, 3)], final=2), False),
    "epsilons in a row": (gtn.from_arcs([(0, 1, None), (1, 2, None), (2, 3, 3)], final=3), True),
    "epsilon loop": (gtn.from_arcs([(0, 0, None), (0, 1, 3)], final=1), False),
    "two starts, apart": (gtn.from_arcs([(0, 2, 3), (1, 2, 4)], start=[0, 1], final=2), True),
    "two starts, same word": (gtn.from_arcs([(0, 2, 3), (1, 2, 3)], start=[0, 1], final=2), False),
    "two empty paths": (gtn.from_arcs([], start=[0, 1], final=[0, 1], num_nodes=2), False),
    "same word, dead end": (gtn.from_arcs([(0, 1, 3), (0, 2, 3)], final=1), True),
    "nondeterministic": (gtn.from_arcs([(0, 0, 3), (0, 1, 3), (1, 2, 4)], final=2), True),
    "closure of a word": (closure(gtn.string([3, 4])), True),
    "closure of 3 and 33": (closure(union(gtn.string([3]), gtn.string([3, 3]))), False),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    g, expected = CASES[case]
    assert is_unambiguous(g) is expected


def test_sides_differ():
    g = gtn.from_arcs([(0, 1, "a", "b"), (0, 1, "a", "c"), (0, 1, "d", "c")], final=1)
    assert [is_unambiguous(g, side) for side in ("input", "output", "both")] == [False, False, True]
    with pytest.raises(gtn.GraphError, match="'input', 'output' and 'both'"):
        is_unambiguous(g, "left")


@pytest.mark.parametrize("asked", [is_unambiguous, is_functional])
def test_what_is_no_graph_is_neither(asked):
    with pytest.raises(gtn.GraphError, match=r"a graph is needed, not str; gtn\.string makes one"):
        asked("abc")


def test_amounts_as_a_naive_expression():
    # -?[0-9]*[.,]?[0-9]*: "1250" has five paths, one for each place where no point stands.
    digits = "0123456789"
    arcs = [(0, 1, "-"), (0, 1, None), (1, 2, None), (2, 3, "."), (2, 3, ","), (2, 3, None)]
    arcs += [(node, node, digit) for node in (1, 3) for digit in digits]
    naive = gtn.from_arcs(arcs, final=3)
    word = gtn.string("1250", symbols=naive.isymbols)
    assert len(paths(compose(word, naive))) == 5
    assert not is_unambiguous(naive)
    least = minimize(determinize(naive, semiring="boolean"), semiring="boolean")
    assert is_unambiguous(least)
    assert (least.num_nodes, least.num_arcs) == (3, 1 + 2 * 12 + 10)
    assert len(paths(compose(word, least))) == 1


# -- functional transducers ---------------------------------------------------------------------


@pytest.mark.parametrize("acyclic", [True, False])
def test_functional_by_enumeration(acyclic):
    size = {"max_nodes": 5, "max_arcs": 7} if acyclic else {"max_nodes": 3, "max_arcs": 4}
    batch = random_graphs(600, seed=1, acyclic=acyclic, least=0, **size)
    answers = is_functional(batch)
    assert 0.1 < answers.mean() < 0.9
    for g, answer in zip(batch, answers):
        # If any input has two outputs, a short one has.
        strings = language(g, "tropical", None if acyclic else 6)
        assert answer == (len({inputs for inputs, _ in strings}) == len(strings)), g


@given(batches(epsilons=True, acceptor=False, labels=2))
def test_functional_graphs_of_a_batch(batch):
    assert is_functional(batch).tolist() == [is_functional(g) for g in batch]


FUNCTIONAL = {
    "nothing": ([], True),
    "an acceptor that is ambiguous": ([(0, 1, 3), (0, 1, 3)], True),
    "the same output twice": ([(0, 1, 3, 4), (0, 1, 3, 4)], True),
    "two outputs": ([(0, 1, 3, 4), (0, 1, 3, 5)], False),
    "an output or none": ([(0, 1, 3, 4), (0, 1, 3, None)], False),
    "the same in other places": (
        [(0, 1, 3, 4), (1, 2, 5, None), (0, 3, 3, None), (3, 2, 5, 4)],
        True,
    ),
    "in another order": ([(0, 1, 3, 4), (1, 2, 5, 6), (0, 3, 3, 6), (3, 2, 5, 4)], False),
    "a delay that grows": ([(0, 0, 3, 4), (0, 1, 3, 4), (1, 1, 3, None), (1, 2, 5)], False),
    "writing without reading": ([(0, 0, None, 4), (0, 1, 3)], False),
    "writing without reading, on no path": ([(0, 1, 3, 4), (2, 2, None, 5)], True),
    "the same word round two loops": ([(0, 1, 3, 4), (1, 0, 3, 4), (0, 0, 3, 4)], True),
}


@pytest.mark.parametrize("case", FUNCTIONAL)
def test_functional_cases(case):
    arcs, expected = FUNCTIONAL[case]
    nodes = max((max(a[:2]) for a in arcs), default=0) + 1
    final = {"nothing": [], "the same word round two loops": [0]}.get(case, [min(nodes - 1, 2)])
    if case in ("writing without reading, on no path",):
        final = [1]
    g = gtn.from_arcs(arcs, start=0, final=final, num_nodes=nodes)
    assert is_functional(g) is expected


def test_long_outputs_that_differ_in_the_middle():
    first = [7] * 300
    second = [7] * 150 + [8] + [7] * 149
    word = [(i, i + 1, 3, label) for i, label in enumerate(first)]
    other = [(i and 300 + i, 301 + i if i < 299 else 300, 3, k) for i, k in enumerate(second)]
    assert not is_functional(gtn.from_arcs(word + other, final=300))
    same = [(s, d, 3, 7) for s, d, _, _ in other]
    assert is_functional(gtn.from_arcs(word + same, final=300))


def test_graphs_that_are_deterministic_one_way_are_not_paired_with_themselves(monkeypatch):
    """With many starts it is deterministic backwards only; the pairs of nodes would be a square."""
    count = 50
    many = gtn.from_arcs(
        [arc for k in range(count) for arc in ((k, count, 1, k), (count, count + 1, k, 0))],
        start=range(count),
        final=count + 1,
    )
    late = [(k, k + count, k, k) for k in range(count)]
    joined = gtn.from_arcs(
        [*late, *((k + count, 2 * count, 99 + k) for k in range(count))],
        start=range(count),
        final=2 * count,
    )
    assert (is_unambiguous(many), is_functional(many)) == (False, False)
    monkeypatch.setattr("gtn.determinization.ambiguity.compose", None)
    assert (is_unambiguous(joined), is_functional(joined)) == (True, True)
    assert is_unambiguous(gtn.GraphBatch.from_graphs([joined, joined])).tolist() == [True, True]
