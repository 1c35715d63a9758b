"""The testing kit: its oracles agree with one another and with sums worked out by hand."""

import doctest
import importlib
import math
import pathlib
import pickle
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from torch.autograd.gradcheck import GradcheckError

import gtn
from gtn import (
    EPSILON,
    CyclicGraphError,
    Graph,
    GraphBatch,
    GraphError,
    NegativeCycleError,
    SymbolTable,
)
from gtn.testing import (
    Path,
    as_code,
    assert_derivatives,
    assert_equivalent,
    batches,
    exact_penalties,
    forward_penalty_by_enumeration,
    graphs,
    path_penalties_by_string,
    paths,
    penalty_by_closure,
    posteriors_by_enumeration,
    string_penalties,
    transducer_pairs,
    viterbi_by_enumeration,
)

ANY = graphs(epsilons=True, acceptor=False, infinite=True)
QUICKLY = settings(
    phases=[Phase.generate], max_examples=1000, derandomize=True, database=None, deadline=None
)
LOOPED = graphs(
    acyclic=False, epsilons=True, acceptor=False, penalties=exact_penalties(2.2, 8, infinite=True)
)


def all_walks(graph: Graph) -> list[tuple[int, ...]]:
    """Every sequence of distinct arcs, from which paths are picked without any cleverness."""
    arcs = range(graph.num_arcs)
    chains = [()] + [c for n in range(1, graph.num_nodes) for c in product(arcs, repeat=n)]
    return [c for c in chains if all(graph.dst[a] == graph.src[b] for a, b in pairwise(c))]


# -- enumeration ------------------------------------------------------------------------------


def test_paths_of_a_small_graph():
    g = Graph.from_arcs(
        [(0, 1, 5, None, 1.0), (0, 1, 6, 7, 2.0), (1, 2, None, 8, math.inf), (1, 2, 9, 4.0)],
        start={0: 0.5, 2: 0.25},
        final={1: 0.125, 2: 0.0},
    )
    assert paths(g) == [
        Path((0,), 0, 1, 1.625, (5,), ()),
        Path((0, 3), 0, 2, 5.5, (5, 9), (9,)),
        Path((1,), 0, 1, 2.625, (6,), (7,)),
        Path((1, 3), 0, 2, 6.5, (6, 9), (7, 9)),
        Path((), 2, 2, 0.25, (), ()),
    ]


@given(graphs(max_nodes=4, max_arcs=4, epsilons=True, infinite=True))
def test_paths_are_the_walks_from_start_to_final(g):
    starts = dict(zip(g.starts.tolist(), g.start_penalties.tolist(), strict=True))
    finals = dict(zip(g.finals.tolist(), g.final_penalties.tolist(), strict=True))
    expected = {}
    for walk in all_walks(g):
        for start, final in product(starts, finals):
            here = walk and (g.src[walk[0]], g.dst[walk[-1]]) == (start, final)
            if here or (not walk and start == final):
                penalty = starts[start] + g.penalties[list(walk)].sum().item() + finals[final]
                expected[walk, start] = penalty
    found = {(path.arcs, path.start): path.penalty for path in paths(g)}
    assert found == {key: p for key, p in expected.items() if p < math.inf}


def test_paths_of_a_cycle_need_a_length():
    g = Graph.from_arcs([(0, 0, 1, 1.0), (0, 1, 2)], final=1)
    with pytest.raises(CyclicGraphError, match=r"nodes \[0\].*max_length"):
        paths(g)
    assert [path.arcs for path in paths(g, 3)] == [(0, 0, 1), (0, 1), (1,)]


def test_a_cycle_beside_all_paths_does_no_harm():
    g = Graph.from_arcs([(0, 1, 1), (0, 2, 1), (2, 2, 1), (1, 1, 1, math.inf)], final=1)
    assert len(paths(g)) == 1
    assert penalty_by_closure(g) == 0.0


def test_too_many_paths_are_refused():
    g = gtn.linear(torch.zeros(5, 2))
    assert len(paths(g, max_paths=32)) == 32
    with pytest.raises(GraphError, match="more than 31 paths"):
        paths(g, max_paths=31)


@given(graphs())
def test_forward_is_minus_log_sum_exp(g):
    penalties = torch.tensor([path.penalty for path in paths(g)], dtype=torch.float64)
    expected = -torch.logsumexp(-penalties, 0).item() if len(penalties) else math.inf
    assert forward_penalty_by_enumeration(g) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_oracles_of_a_hand_made_graph():
    g = Graph.from_arcs([(0, 1, 7, math.log(2)), (0, 1, 7, math.log(2)), (0, 1, 8, 0.0)], final=1)
    g = g.double()
    assert forward_penalty_by_enumeration(g) == pytest.approx(-math.log(2), abs=1e-7)
    assert viterbi_by_enumeration(g) == 0.0
    np.testing.assert_allclose(posteriors_by_enumeration(g), [0.25, 0.25, 0.5], atol=1e-7)
    assert sorted(path_penalties_by_string(g)) == [((7,), (7,)), ((8,), (8,))]
    assert len(path_penalties_by_string(g)[(7,), (7,)]) == 2


@given(ANY)
def test_posteriors_are_the_gradient_of_the_forward_penalty(g):
    ends = [g.penalties, g.start_penalties, g.final_penalties]
    variables = [p.clone().requires_grad_() for p in ends]
    totals = [
        variables[0][list(path.arcs)].sum()
        + variables[1][g.starts.tolist().index(path.start)]
        + variables[2][g.finals.tolist().index(path.final)]
        for path in paths(g)
    ]
    posteriors = [posteriors_by_enumeration(g, of=of) for of in ("arcs", "starts", "finals")]
    if not totals:
        assert not any(p.any() for p in posteriors)
        return
    forward = -torch.logsumexp(-torch.stack(totals), 0)
    for posterior, grad in zip(posteriors, torch.autograd.grad(forward, variables), strict=True):
        np.testing.assert_allclose(posterior, grad.numpy(), atol=1e-12)


def test_posteriors_of_something_else():
    with pytest.raises(ValueError, match="nodes"):
        posteriors_by_enumeration(gtn.string("a"), of="nodes")


@given(batches(epsilons=True))
def test_oracles_of_a_batch(batch):
    singles = list(batch)
    for oracle in (forward_penalty_by_enumeration, viterbi_by_enumeration, penalty_by_closure):
        assert oracle(batch).tolist() == pytest.approx([oracle(g) for g in singles])
    for of in ("arcs", "starts", "finals"):
        expected = np.concatenate([posteriors_by_enumeration(g, of=of) for g in singles])
        np.testing.assert_allclose(posteriors_by_enumeration(batch, of=of), expected)


# -- exact oracles, cycles included --------------------------------------------------------------


@given(ANY)
def test_closure_agrees_with_enumeration(g):
    assert penalty_by_closure(g) == pytest.approx(forward_penalty_by_enumeration(g), abs=1e-9)
    assert penalty_by_closure(g, semiring="tropical") == viterbi_by_enumeration(g)


@given(LOOPED)
def test_closure_on_cycles_is_what_ever_longer_paths_approach(g):
    shorter, longer = (forward_penalty_by_enumeration(g, n) for n in (2, 5))
    exact = penalty_by_closure(g)
    assert exact <= longer + 1e-9 <= shorter + 2e-9
    if longer < math.inf:
        every = [-math.inf, *(-g.penalties).tolist()]
        share = np.exp(np.logaddexp.reduce(every))  # the most mass per step
        ends = (-g.start_penalties).exp().sum() * (-g.final_penalties).exp().sum()
        assert math.exp(-exact) - math.exp(-longer) <= ends.item() * share**6 / (1 - share) + 1e-12
    assert penalty_by_closure(g, semiring="tropical") == viterbi_by_enumeration(g, 5)


def test_closure_solves_a_geometric_series():
    g = Graph.from_arcs([(0, 0, 7, 0.25), (0, 1, 8, 1.0)], final=1).double()
    assert penalty_by_closure(g) == pytest.approx(1.0 + math.log(1 - math.exp(-0.25)), abs=1e-12)


def test_closure_refuses_what_does_not_converge():
    g = Graph.from_arcs([(0, 1, 7, 1.0), (1, 0, 7, -1.0)], final=1)
    with pytest.raises(CyclicGraphError, match="converges"):
        penalty_by_closure(g)
    assert penalty_by_closure(g, semiring="tropical") == 1.0
    worse = g.with_penalties(torch.tensor([1.0, -2.0]))
    with pytest.raises(NegativeCycleError, match="-1"):
        penalty_by_closure(worse, semiring="tropical")


@given(ANY)
def test_strings_agree_with_enumeration(g):
    by_string = path_penalties_by_string(g)
    assert string_penalties(g, semiring="tropical") == {k: p[0] for k, p in by_string.items()}
    forward = {
        k: -np.logaddexp.reduce([-p for p in penalties]) for k, penalties in by_string.items()
    }
    assert string_penalties(g) == pytest.approx(forward, abs=1e-9)


@given(LOOPED.filter(lambda g: not (g.topology.has_epsilons)))
def test_strings_of_cyclic_graphs_agree_with_enumeration(g):
    by_string = path_penalties_by_string(g, 2)  # no epsilons: arcs are labels
    assert string_penalties(g, 2, semiring="tropical") == {k: p[0] for k, p in by_string.items()}


@given(LOOPED)
def test_strings_add_up_to_the_whole(g):
    found = [-p for p in string_penalties(g, 3).values()]
    assert -np.logaddexp.reduce([-math.inf, *found]) >= penalty_by_closure(g) - 1e-9


def test_cycles_of_epsilons_are_summed():
    g = Graph.from_arcs([(0, 0, None, 0.25), (0, 1, 8, 1.0)], final=1).double()
    expected = 1.0 + math.log(1 - math.exp(-0.25))
    assert string_penalties(g) == {((8,), (8,)): pytest.approx(expected)}


def test_infinitely_many_strings_need_a_length():
    g = Graph.from_arcs([(0, 0, 7, None, 0.25)], final=0)
    with pytest.raises(CyclicGraphError, match=r"arc 0.*max_length"):
        string_penalties(g)
    assert string_penalties(g, 2) == {((7,) * n, ()): 0.25 * n for n in range(3)}


def test_strings_of_a_batch_and_too_many_strings():
    with pytest.raises(GraphError, match="batch"):
        string_penalties(GraphBatch.from_graphs([gtn.string("a")]))
    with pytest.raises(GraphError, match="more than 3 pairs"):
        string_penalties(gtn.linear(torch.zeros(2, 2)), max_strings=3)
    with pytest.raises(ValueError, match="semiring='max'"):
        string_penalties(gtn.string("a"), semiring="max")


# -- assert_equivalent --------------------------------------------------------------------------


@given(ANY)
def test_a_graph_is_equivalent_to_itself_in_another_order(g):
    order = np.arange(g.num_arcs)[::-1]
    turned = Graph.from_arrays(
        g.src[order],
        g.dst[order],
        g.ilabels[order],
        g.olabels[order],
        penalties=g.penalties[order.copy()],
        start=g.starts,
        start_penalties=g.start_penalties,
        final=g.finals,
        final_penalties=g.final_penalties,
        num_nodes=g.num_nodes,
    )
    assert_equivalent(g, turned, semiring="log")
    assert_equivalent(g, turned, semiring="tropical", atol=0.0)


@given(graphs(epsilons=True).filter(paths), st.data())
def test_one_changed_penalty_is_found(g, data):
    arcs = sorted({arc for path in paths(g) for arc in path.arcs})
    if not arcs:
        return
    changed = g.penalties.clone()
    changed[data.draw(st.sampled_from(arcs))] -= 1000.0  # best of its string now
    with pytest.raises(AssertionError, match="differ on input"):
        assert_equivalent(g, g.with_penalties(changed), semiring="tropical")
    with pytest.raises(AssertionError, match="differ on input"):
        assert_equivalent(g, g.with_penalties(changed), semiring="log")


def test_message_names_the_shortest_string_and_both_penalties():
    one = Graph.from_arcs([(0, 1, "a", 1.0), (1, 2, "b", "c", 2.0)], final={1: 0.5, 2: 0.0})
    two = Graph.from_arcs([(0, 1, "a", 1.0), (1, 2, "b", "c", 2.0)], final={1: 0.25, 2: 1.0})
    with pytest.raises(AssertionError) as raised:
        assert_equivalent(one, two)
    assert str(raised.value) == (
        "the graphs differ on input 'a' -> output 'a': penalty 1.5 in the first, 1.25 in the "
        "second (log semiring; 2 of 2 pairs of strings differ)"
    )


def test_a_string_that_one_lacks_has_an_infinite_penalty():
    with pytest.raises(AssertionError, match="penalty 0 in the first, inf in the second"):
        assert_equivalent(gtn.string("ab"), gtn.empty())
    assert_equivalent(gtn.empty(), gtn.empty(symbols=SymbolTable("ab")))


def test_symbols_are_compared_not_labels():
    ab = Graph.from_arcs([(0, 1, "a"), (1, 2, "b")], final=2, symbols=SymbolTable("ab"))
    ba = Graph.from_arcs([(0, 1, "a"), (1, 2, "b")], final=2, symbols=SymbolTable("ba"))
    assert_equivalent(ab, ba)
    with pytest.raises(AssertionError, match=r"'(a b|b a)'"):
        assert_equivalent(ab, ab.with_symbols(SymbolTable("ba")))
    with pytest.raises(AssertionError, match=r"isymbols is .*None in the second"):
        assert_equivalent(ab, gtn.string([0, 1]))


def test_the_semirings_tell_different_graphs_apart():
    twice = Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 7, 1.0)], final=1)
    once = Graph.from_arcs([(0, 1, 7, 1.0)], final=1)
    assert_equivalent(twice, once, semiring="tropical")
    with pytest.raises(AssertionError, match="log semiring"):
        assert_equivalent(twice, once)
    less = once.with_penalties(once.penalties - math.log(2))
    assert_equivalent(twice, less)


def test_tolerance_follows_the_precision():
    one = gtn.string([1]).double()
    near = one.with_penalties(one.penalties + 1e-6)
    with pytest.raises(AssertionError):
        assert_equivalent(one, near)
    assert_equivalent(one, near, atol=1e-5)
    assert_equivalent(one, near.float())


def test_batches_are_compared_graph_by_graph():
    first = GraphBatch.from_graphs([gtn.string([1]), gtn.string([2])])
    second = GraphBatch.from_graphs([gtn.string([1]), gtn.string([3])])
    assert_equivalent(first, first)
    with pytest.raises(AssertionError, match=r"graph 1 of the batch"):
        assert_equivalent(first, second)
    with pytest.raises(AssertionError, match="a batch of 2 graphs is compared with a single graph"):
        assert_equivalent(first, gtn.string([1]))


# -- strategies ----------------------------------------------------------------------------------


@given(ANY)
def test_drawn_graphs_are_as_asked(g):
    assert g.num_nodes <= 5
    assert g.num_arcs <= 8
    assert g.topology.is_acyclic
    assert len(g.starts) <= 3 >= len(g.finals)
    assert g.penalties.dtype == torch.float64
    assert set(g.ilabels.tolist()) | set(g.olabels.tolist()) <= {EPSILON, 0, 1, 2}
    for values in (g.penalties, g.start_penalties, g.final_penalties):
        finite = values[values < math.inf]
        assert (finite.abs() < 64).all()
        assert ((finite * 256) == (finite * 256).round()).all()


@given(graphs(acyclic=True, parallel=False, negative=False, dtype=torch.float32))
def test_drawn_graphs_obey_the_other_options(g):
    assert g.penalties.dtype == torch.float32
    assert (g.penalties >= 0).all()
    assert g.topology.is_acceptor
    assert not g.topology.has_epsilons
    ends = list(zip(g.src.tolist(), g.dst.tolist(), strict=True))
    assert len(ends) == len(set(ends))


WANTED = {
    "no node": (graphs(), lambda g: g.num_nodes == 0),
    "several starts and finals": (graphs(), lambda g: len(g.starts) > 1 < len(g.finals)),
    "parallel arcs of one label": (
        graphs(),
        lambda g: len(set(zip(g.src, g.dst, g.ilabels, strict=True))) < g.num_arcs,
    ),
    "no path": (graphs(), lambda g: g.num_arcs > 2 and not paths(g)),
    "several paths": (graphs(), lambda g: len(paths(g)) > 2),
    "an unconnected node": (graphs(), lambda g: bool(paths(g)) and not g.topology.is_connected),
    "nodes out of order": (graphs(), lambda g: (g.src > g.dst).any() and bool(paths(g))),
    "a forbidden start": (ANY, lambda g: (g.start_penalties == math.inf).any().item()),
    "a forbidden arc": (ANY, lambda g: (g.penalties == math.inf).any().item()),
    "a negative penalty": (graphs(), lambda g: (g.penalties < 0).any().item()),
    "a transducer": (ANY, lambda g: not g.topology.is_acceptor),
    "an epsilon on one side": (ANY, lambda g: ((g.ilabels < 0) != (g.olabels < 0)).any()),
    "a self loop": (LOOPED, lambda g: (g.src == g.dst).any()),
    "a cycle of several nodes": (LOOPED, lambda g: len(g.topology.cycle) > 1),
}


@pytest.mark.parametrize("wanted", WANTED)
def test_strategies_reach(wanted):
    strategy, condition = WANTED[wanted]
    find(strategy, condition, settings=QUICKLY)


def test_most_pairs_compose():
    related = []

    @settings(QUICKLY, max_examples=100)
    @given(transducer_pairs())
    def draw(pair):
        written, read = {p.outputs for p in paths(pair[0])}, {p.inputs for p in paths(pair[1])}
        related.append(bool(written & read))

    draw()
    assert sum(related) > 0.6 * len(related)


def test_pairs_compose_through_epsilons_and_tables():
    def writes_and_reads(pair):
        a, b = pair
        written = {tuple(a.osymbols.decode(p.outputs)) for p in paths(a) if p.outputs}
        read = {tuple(b.isymbols.decode(p.inputs)) for p in paths(b)}
        return bool(written & read)

    def with_tables_that_differ(pair):
        return pair[0].osymbols != pair[1].isymbols and writes_and_reads(pair)

    find(transducer_pairs(tables=True), with_tables_that_differ, settings=QUICKLY)
    find(
        transducer_pairs(tables=True),
        lambda pair: (
            writes_and_reads(pair) and (pair[0].olabels < 0).any() and (pair[1].ilabels < 0).any()
        ),
        settings=QUICKLY,
    )


def test_strategies_without_hypothesis(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    for strategy in (graphs, batches, transducer_pairs, exact_penalties):
        with pytest.raises(ImportError, match=r"graph-transformer-networks\[testing\]"):
            strategy()


def test_drawn_graphs_can_be_sent_to_workers():
    g = find(graphs(), lambda g: len(paths(g)) > 1, settings=QUICKLY)
    assert_equivalent(pickle.loads(pickle.dumps(g)), g)


def test_examples_of_the_documentation():
    docs = pathlib.Path(__file__).parents[2] / "docs" / "testing.md"
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    done = doctest.testfile(str(docs), module_relative=False, optionflags=flags, encoding="utf-8")
    assert done.attempted > 10
    assert done.failed == 0


def changed(g, which, change):
    """The graph with penalties of one kind changed."""
    names = ("penalties", "start_penalties", "final_penalties")
    parts = {name: getattr(g, name) for name in names}
    parts[which] = change(parts[which])
    return g.with_penalties(parts.pop("penalties"), **parts)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("which", ["penalties", "start_penalties", "final_penalties"])
def test_wrong_derivatives_are_found(which, fast):
    g = Graph.from_arcs([(0, 1, 7, 0.5), (0, 1, 8, 1.0), (1, 2, 7)], start={0: 1.0}, final={2: 0.5})

    def scorer(change):
        return lambda g: gtn.forward_penalty(changed(g, which, change))

    def little_off(p):  # the same penalties, whose derivatives are a hundredth too large
        return 1.01 * p - 0.01 * p.detach()

    def wrong_second(p):  # p², whose first derivative is right
        return p.detach() ** 2 + 2 * p.detach() * (p - p.detach())

    assert_derivatives(scorer(torch.square), g, fast=fast)
    assert_derivatives(scorer(wrong_second), g, order=1, fast=fast)
    for wrong, order in ((little_off, 1), (wrong_second, 2)):
        with pytest.raises(GradcheckError):
            assert_derivatives(scorer(wrong), g, order=order, fast=fast)


def test_a_result_that_is_no_number_has_no_derivative():
    g = gtn.string("ab")
    with pytest.raises(GradcheckError):
        assert_derivatives(
            lambda g: torch.stack([gtn.forward_penalty(g), torch.tensor(math.nan)]), g
        )
    for order in (0, 3):
        with pytest.raises(gtn.GraphError, match="1 or 2"):
            assert_derivatives(gtn.forward_penalty, g, order=order)


# -- graphs as Python ------------------------------------------------------------------------------

LETTERS = SymbolTable("abc")


def assert_made_again(graph):
    made = eval(as_code(graph), {"gtn": gtn, "torch": torch})
    assert type(made) is type(graph)
    assert gtn.equal(made, graph)
    assert made.penalties.dtype == graph.penalties.dtype
    assert (made.isymbols, made.osymbols) == (graph.isymbols, graph.osymbols)


@given(graphs(acyclic=False, epsilons=True, acceptor=False, infinite=True, isymbols=LETTERS))
def test_code_makes_the_graph_again(graph):
    assert_made_again(graph)


@given(batches(dtype=torch.float32, isymbols=SymbolTable({0: "x", 2: "y", 1: "'", 7: "ö"})))
def test_code_makes_the_batch_again(batch):
    assert_made_again(batch)


def test_code_makes_a_batch_of_no_graphs_again():
    assert_made_again(gtn.GraphBatch.from_graphs([gtn.string("ab", dtype=torch.float64)])[[]])


@pytest.mark.parametrize("strategy", [graphs(acceptor=False), batches(), transducer_pairs()])
def test_what_hypothesis_found_can_be_pasted(strategy):
    """Evaluated one after the other, what is printed gives what was found."""
    found = []

    @given(strategy)
    @settings(database=None, phases=[Phase.generate, Phase.shrink])
    def always_wrong(given):
        found.append(given)
        one = given[0] if isinstance(given, tuple) else given
        assert one.num_arcs < 1

    with pytest.raises(AssertionError) as caught:
        always_wrong()
    (note,) = [text for text in caught.value.__notes__ if "always_wrong(" in text]
    call = note[note.index("always_wrong(") :]
    again = eval(call, {"gtn": gtn, "torch": torch, "always_wrong": lambda given: given})
    pairs = zip(again, found[-1]) if isinstance(again, tuple) else [(again, found[-1])]
    assert all(gtn.equal(one, other) for one, other in pairs)
