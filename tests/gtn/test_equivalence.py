"""Equality, isomorphism and ambiguity."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gtn
from gtn.composition import compose
from gtn.determinization import determinize, minimize
from gtn.equivalence import equal, is_unambiguous, isomorphic
from gtn.rational import closure, union
from gtn.testing import batches, graphs, paths

TRANSDUCERS = graphs(acyclic=False, epsilons=True, acceptor=False, infinite=True)


def base():
    return gtn.from_arcs(
        [(0, 1, "a", "b", 0.5), (0, 2, "b", None, 1.0), (1, 2, "a", "a", 2.0)],
        start={0: 0.25},
        final={1: 0.5, 2: 0.0},
    )


DIFFERENT = {
    "penalty": lambda g: g.with_penalties(g.penalties + 0.01),
    "start penalty": lambda g: g.with_penalties(
        g.penalties, start_penalties=g.start_penalties + 0.01
    ),
    "final penalty": lambda g: g.with_penalties(
        g.penalties, final_penalties=g.final_penalties + 0.01
    ),
    "infinite": lambda g: g.with_penalties(torch.tensor([0.5, torch.inf, 2.0])),
    "no table": lambda g: g.with_symbols(None, g.osymbols),
    "other symbols": lambda g: g.with_symbols(gtn.SymbolTable("ac"), g.osymbols),
    "batch": lambda g: gtn.GraphBatch.from_graphs([g]),
    "node": lambda g: union(g, gtn.from_arcs([], start=[], final=[], num_nodes=1, symbols=AB)),
    "arc": lambda g: changed(g, src=[0, 0, 0]),
    "label": lambda g: changed(g, ilabels=[0, 1, 1]),
    "output label": lambda g: changed(g, olabels=[1, 1, 0]),
    "starts": lambda g: changed(g, start={1: 0.25}),
    "finals": lambda g: changed(g, final={0: 0.5, 2: 0.0}),
}
AB = gtn.SymbolTable("ab")


def changed(g, **parts):
    given = {
        "src": g.src,
        "dst": g.dst,
        "ilabels": g.ilabels,
        "olabels": g.olabels,
        "start": {0: 0.25},
        "final": {1: 0.5, 2: 0.0},
    }
    return gtn.from_arrays(**(given | parts), penalties=g.penalties, symbols=AB)


def test_equal_copies():
    g = base()
    assert equal(g, changed(g))
    assert equal(g, g.double())
    assert equal(g, g.with_penalties(g.penalties + 0.01), atol=0.02)
    infinite = DIFFERENT["infinite"](g)
    assert equal(infinite, infinite)
    renumbered = gtn.from_arcs(
        [(0, 1, "a", "b", 0.5), (0, 2, "b", None, 1.0), (1, 2, "a", "a", 2.0)],
        start={0: 0.25},
        final={1: 0.5, 2: 0.0},
        symbols=gtn.SymbolTable({7: "b", 3: "a"}),
    )
    assert equal(g, renumbered)
    assert isomorphic(g, renumbered)


@pytest.mark.parametrize("what", DIFFERENT)
def test_different(what):
    g = base()
    assert not equal(g, DIFFERENT[what](g))
    if what != "batch":
        assert not isomorphic(g, DIFFERENT[what](g))


@given(TRANSDUCERS, st.randoms(use_true_random=False))
def test_isomorphic_whatever_the_numbers(g, random):
    node, arc = list(range(g.num_nodes)), list(range(g.num_arcs))
    random.shuffle(node)
    random.shuffle(arc)
    place = np.array(node, dtype=np.int32)
    other = gtn.from_arrays(
        place[g.src[arc]],
        place[g.dst[arc]],
        g.ilabels[arc],
        g.olabels[arc],
        penalties=g.penalties[arc],
        start=dict(zip(place[g.starts].tolist(), g.start_penalties.tolist(), strict=True)),
        final=dict(zip(place[g.finals].tolist(), g.final_penalties.tolist(), strict=True)),
        num_nodes=g.num_nodes,
    )
    assert isomorphic(g, other)
    if g.num_arcs:
        assert not isomorphic(g, changed_arc(other))


def changed_arc(g):
    penalties = g.penalties.clone()
    penalties[0] = 1000.0
    return g.with_penalties(penalties)


def test_batches_are_not_isomorphic():
    with pytest.raises(gtn.GraphError, match="graph by graph"):
        isomorphic(base(), gtn.GraphBatch.from_graphs([base()]))


def spellings(g, side, length=8):
    """How many paths of at most so many arcs spell each string, counted arc by arc."""
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
    # Two paths of a string, if there are any, are found among short ones in graphs this small.
    assert is_unambiguous(g, side) == (max(spellings(g, side).values(), default=1) == 1)


@given(graphs(acyclic=False, epsilons=True, penalties=st.just(0.0)))
def test_determinized_is_unambiguous(g):
    assert is_unambiguous(determinize(g))


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


def test_amounts_as_a_naive_expression():
    # -?[0-9]*[.,]?[0-9]*: "1250" has five paths, one for each place where no point stands.
    digits = "0123456789"
    arcs = [(0, 1, "-"), (0, 1, None), (1, 2, None), (2, 3, "."), (2, 3, ","), (2, 3, None)]
    arcs += [(node, node, digit) for node in (1, 3) for digit in digits]
    naive = gtn.from_arcs(arcs, final=3)
    word = gtn.string("1250", symbols=naive.isymbols)
    assert len(paths(compose(word, naive))) == 5
    assert not is_unambiguous(naive)
    least = minimize(determinize(naive))
    assert is_unambiguous(least)
    assert (least.num_nodes, least.num_arcs) == (3, 1 + 2 * 12 + 10)
    assert len(paths(compose(word, least))) == 1
