"""Rational operations and connect agree with OpenFst's on random graphs; the bridge to OpenFst.

Of each operation 2,000 random graphs (or pairs) are compared, half of them cyclic, in the tropical
semiring exactly and in the log semiring to 1e-8. Other operations are compared with OpenFst in
their own tests.
"""

import math

import numpy as np
import pytest
import torch

import gtn
from gtn.testing import openfst
from gtn.testing.openfst import (
    assert_same_language,
    from_openfst,
    language,
    random_graphs,
    to_openfst,
)

pynini = pytest.importorskip("pynini", reason="OpenFst is compared through pynini")

COUNT = 1000  # of each of the two kinds of graph
KINDS = {"acyclic": {"infinite": True}, "cyclic": {"acyclic": False, "least": 2.5}}
SEMIRINGS = {"tropical": "tropical", "log": "log64"}


def same(ours, theirs, semiring, kind, longest=4):
    """Compare our batch with their machines, one by one."""
    assert len(ours) == len(theirs) == COUNT
    limit = None if kind == "acyclic" else longest
    for i, (graph, fst) in enumerate(zip(ours, theirs, strict=True)):
        assert_same_language(graph, fst, semiring, max_length=limit, note=f"{kind} {i}")


def in_place(change):
    """Make a function of one of OpenFst's operations that change their operand."""

    def changed(fst, *others):
        copy = fst.copy()
        getattr(copy, change[0])(*others, **change[1])
        return copy

    return changed


UNARY = {
    "invert": (gtn.invert, in_place(("invert", {}))),
    "project input": (gtn.project, in_place(("project", {"project_type": "input"}))),
    "project output": (
        lambda g: gtn.project(g, "output"),
        in_place(("project", {"project_type": "output"})),
    ),
    "reverse": (gtn.reverse, pynini.reverse),
    "connect": (gtn.connect, in_place(("connect", {}))),
}
BINARY = {
    "union": (gtn.union, in_place(("union", {}))),
    "concat": (gtn.concat, in_place(("concat", {}))),
}


@pytest.mark.parametrize("semiring", SEMIRINGS)
@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name, semiring):
    ours, theirs = UNARY[name]
    for kind, options in KINDS.items():
        graphs = random_graphs(COUNT, seed=1, max_arcs=5, **options)
        fsts = [theirs(fst) for fst in to_openfst(graphs, SEMIRINGS[semiring])]
        same(ours(graphs), fsts, semiring, kind, longest=3)


@pytest.mark.parametrize("semiring", SEMIRINGS)
@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name, semiring):
    ours, theirs = BINARY[name]
    for kind, options in KINDS.items():
        a, b = (random_graphs(COUNT, seed=s, max_nodes=3, max_arcs=4, **options) for s in (2, 3))
        kinds = SEMIRINGS[semiring]
        fsts = [theirs(x, y) for x, y in zip(to_openfst(a, kinds), to_openfst(b, kinds))]
        same(ours(a, b), fsts, semiring, kind, longest=3)


@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("semiring", SEMIRINGS)
def test_closure(semiring, plus):
    # in the log semiring a closure needs silent paths of positive penalty: no epsilons, and
    # starts that are final have a penalty
    log = semiring == "log"
    for seed, acyclic in ((4, True), (5, False)):
        graphs = random_graphs(
            COUNT, seed, max_nodes=3, max_arcs=4, acyclic=acyclic, epsilons=not log, least=2.5
        )
        if log:
            graphs = graphs.with_penalties(
                graphs.penalties, final_penalties=graphs.final_penalties + 2.5
            )
        fsts = to_openfst(graphs, SEMIRINGS[semiring])
        for fst in fsts:
            fst.closure(1 if plus else 0)
        same(gtn.closure(graphs, plus=plus), fsts, semiring, "closure", longest=3)


def test_connect_keeps_the_same_nodes():
    graphs = random_graphs(2 * COUNT, seed=6, acyclic=False, max_starts=1)
    graphs = graphs.with_penalties(
        graphs.penalties, start_penalties=torch.zeros_like(graphs.start_penalties)
    )
    for ours, fst in zip(to_openfst(gtn.connect(graphs)), to_openfst(graphs)):
        assert pynini.isomorphic(ours, fst.connect())


# -- the bridge ---------------------------------------------------------------------------------


def test_there_and_back_is_exact():
    penalties = torch.tensor([1 / 3, 2e-9, -1e5 / 7], dtype=torch.float64)
    g = gtn.from_arrays([0, 0, 1], [1, 1, 2], [0, -1, 7], [-1, 3, 7], penalties=penalties, final=2)
    back = from_openfst(to_openfst(g, "log64"))
    assert gtn.equal(back, g)
    assert torch.equal(
        from_openfst(to_openfst(g)).penalties, penalties.float().double()
    )  # its tropical arcs are float32


def test_many_graphs_come_back_with_their_language():
    graphs = random_graphs(500, seed=7, infinite=True)
    for graph, fst in zip(graphs, to_openfst(graphs)):
        assert fst.verify()
        assert language(graph) == language(fst) == language(from_openfst(fst))


def test_several_starts_become_one():
    g = gtn.Graph.from_arcs([(0, 2, 5), (1, 2, 6)], start={0: 1.0, 1: 2.0}, final={2: 0.5})
    fst = to_openfst(g)
    assert fst.start() == 3
    assert fst.num_states() == 4
    assert language(fst) == {((5,), (5,)): 1.5, ((6,), (6,)): 2.5}


def test_infinite_penalties_and_graphs_without_start_are_left_out():
    inf = math.inf
    g = gtn.Graph.from_arcs([(0, 1, 5, inf), (0, 1, 6, 0.0)], start={0: 0.0, 1: inf}, final=1)
    assert to_openfst(g).num_arcs(0) == 1
    assert to_openfst(gtn.Graph.from_arcs([(0, 1, 5)], start=[], final=1)).num_states() == 0
    assert to_openfst(gtn.empty()).num_states() == 0
    assert from_openfst(pynini.Fst()).num_nodes == 0


def test_epsilon_is_zero_there():
    fst = pynini.accep("a")  # bytes as labels: a is 97 there, 96 here
    assert from_openfst(fst).ilabels.tolist() == [96]
    assert from_openfst(pynini.cross("", "a")).ilabels.tolist() == [-1]


def test_a_difference_is_named():
    a, b = gtn.string([1]), gtn.string([2])
    with pytest.raises(AssertionError, match=r"pair 3: input \(1,\) .* 0.0 in .* inf in"):
        assert_same_language(a, to_openfst(b), note="pair 3")


def test_language_of_silent_cycles():
    g = gtn.Graph.from_arcs([(0, 0, None, 2.0), (0, 1, 7, 1.0)], final=1, dtype=torch.float64)
    found = language(g, "log", 3)
    assert found.keys() == {((7,), (7,))}
    assert math.isclose(found[(7,), (7,)], 1 + math.log1p(-math.exp(-2)), abs_tol=1e-12)
    assert language(g, "tropical", 3) == {((7,), (7,)): 1.0}


def test_random_graphs_keep_their_word():
    batch = random_graphs(400, seed=8, acyclic=False, infinite=True, least=0, most=8, acceptor=True)
    again = random_graphs(400, seed=8, acyclic=False, infinite=True, least=0, most=8, acceptor=True)
    assert gtn.equal(batch, again)
    every = torch.cat([batch.penalties, batch.start_penalties, batch.final_penalties])
    finite = every[every.isfinite()]
    assert finite.min() >= 0
    assert finite.max() < 8
    assert torch.equal(finite * 256, (finite * 256).round())
    assert not every.isfinite().all()
    assert batch.topology.is_acceptor
    sizes = np.diff(batch.topology.node_offsets)
    assert sizes.min() == 0
    assert sizes.max() == 4
    assert not batch.topology.is_acyclic
    assert random_graphs(50, seed=0).topology.is_acyclic


def test_without_pynini_the_message_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(openfst.importlib, "import_module", missing)
    with pytest.raises(ImportError, match="pip install pynini"):
        to_openfst(gtn.string([1]))


def test_unknown_semirings_and_machines_raise():
    with pytest.raises(ValueError, match="known are 'tropical', 'log', 'log64'"):
        to_openfst(gtn.string([1]), "real")
    constant = pynini.convert(pynini.accep("a"), "const") if hasattr(pynini, "convert") else None
    if constant is not None:
        with pytest.raises(gtn.GraphError, match="const machine"):
            from_openfst(constant)
