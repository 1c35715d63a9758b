"""Failure arcs, compared with an expansion in which every node has every label it can find."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

import gtn
from gtn.beam import pruned
from gtn.errors import DataError, GraphError, SymbolError
from gtn.product.failure import FailureArcs
from gtn.symbols import EPSILON
from gtn.testing import assert_derivatives, path_penalties_by_string
from gtn.testing.openfst import random_graphs

FILTERS = ("sequence", "match", "trivial")
LABELS = 3
FAILURE = LABELS  # the label after those that are looked up
COUNT = 400


def with_failures(batch, seed):
    """Return the graphs with failure arcs from some nodes to later ones, without cycles."""
    rng = np.random.default_rng(seed)
    found = []
    for g in batch:
        place = rng.permutation(g.num_nodes)
        backing = np.flatnonzero((rng.random(g.num_nodes) < 0.8) & (place > 0))
        lower = np.argsort(place)[(place[backing] * rng.random(len(backing))).astype(int)]
        failure = np.full(len(backing), FAILURE)
        written = np.where(rng.random(len(backing)) < 0.5, FAILURE, EPSILON)
        order = rng.permutation(g.num_arcs + len(backing))
        penalties = torch.from_numpy(rng.integers(0, 64, len(backing)) / 8)
        parts = (
            np.concatenate([g.src, backing]),
            np.concatenate([g.dst, lower]),
            np.concatenate([g.ilabels, failure]),
            np.concatenate([g.olabels, written]),
        )
        found.append(
            gtn.from_arrays(
                *(part[order] for part in parts),
                penalties=torch.cat([g.penalties, penalties])[torch.from_numpy(order)],
                start=g.starts,
                start_penalties=g.start_penalties,
                final=g.finals,
                final_penalties=g.final_penalties,
                num_nodes=g.num_nodes,
            )
        )
    return gtn.GraphBatch.from_graphs(found)


def expanded(g):
    """Return the graph without failure arcs in which each node has the arcs it finds by them."""
    outgoing = [[] for _ in range(g.num_nodes)]
    fail = {}
    for arc, (src, label) in enumerate(zip(g.src.tolist(), g.ilabels.tolist())):
        if label == FAILURE:
            fail[src] = arc
        else:
            outgoing[src].append(arc)
    ends = dict(zip(g.finals.tolist(), g.final_penalties.tolist()))
    arcs, finals = [], {}
    for node in range(g.num_nodes):
        for label in range(EPSILON, LABELS):
            here, penalty = node, 0.0
            while (
                label >= 0 and here in fail and all(g.ilabels[a] != label for a in outgoing[here])
            ):
                penalty += g.penalties[fail[here]].item()
                here = int(g.dst[fail[here]])
            for arc in outgoing[here]:
                if g.ilabels[arc] == label:
                    total = penalty + g.penalties[arc].item()
                    arcs.append((node, int(g.dst[arc]), label, int(g.olabels[arc]), total))
        here, penalty = node, 0.0
        while here not in ends and here in fail:
            penalty += g.penalties[fail[here]].item()
            here = int(g.dst[fail[here]])
        if here in ends:
            finals[node] = penalty + ends[here]
    return gtn.from_arcs(
        arcs,
        start=dict(zip(g.starts.tolist(), g.start_penalties.tolist())),
        final=finals,
        num_nodes=g.num_nodes,
        dtype=torch.float64,
    )


def random_pairs(seed, **options):
    a = random_graphs(COUNT, seed=seed, labels=LABELS, max_arcs=8, **options)
    b = random_graphs(
        COUNT,
        seed=seed + 1,
        labels=LABELS,
        max_nodes=6,
        max_arcs=8,
        acyclic=False,
        least=0,
        **options,
    )
    return a, with_failures(b, seed)


@pytest.mark.parametrize("failure", [None, FAILURE])
def test_labels_that_one_side_lacks_are_left_out_where_arcs_are_many(failure):
    a, b = random_pairs(seed=31)
    a = gtn.relabel(a, olabels={0: FAILURE + 1})  # b lacks this one, as a now lacks 0
    assert a.num_arcs + b.num_arcs > 256 > max(x.num_arcs + y.num_arcs for x, y in zip(a, b))
    together = gtn.compose(a, b, failure=failure)
    assert together.num_arcs > COUNT
    for one, x, y in zip(together, a, b, strict=True):
        assert gtn.equal(one, gtn.compose(x, y, failure=failure))


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("beam", [None, 1e9])
def test_composition_equals_that_with_the_expansion(filter, beam):
    a, b = random_pairs(11, infinite=True)
    found = gtn.compose(a, b, filter=filter, failure=FAILURE, beam=beam)
    assert found.topology.is_connected
    once = twice = nonempty = 0
    for i, (x, y, c) in enumerate(zip(a, b, found)):
        # The filters distinguish nodes that have no epsilons, or nothing but epsilons.
        wanted = gtn.compose(x, expanded(y), filter=filter)
        assert path_penalties_by_string(c, 5) == path_penalties_by_string(wanted, 5), i
        sizes = [
            len(found.sources[1].of(arc)) for arc in range(*found.topology.arc_offsets[i : i + 2])
        ]
        once += any(size > 1 for size in sizes)
        twice += any(size > 2 for size in sizes)
        nonempty += c.num_arcs > 0
    assert nonempty > COUNT / 4
    assert once > COUNT / 25
    assert twice > 1


def test_penalties_are_sums_over_sources_which_lie_one_behind_the_other():
    a, b = random_pairs(21)
    c = gtn.compose(a, b, failure=FAILURE)
    for arc in range(c.num_arcs):
        left, right = c.sources[0].of(arc), c.sources[1].of(arc)
        total = a.penalties[left].sum() + b.penalties[right].sum()
        assert c.penalties[arc] == total
        assert (b.dst[right[:-1]] == b.src[right[1:]]).all()
        assert (b.ilabels[right[:-1]] == FAILURE).all()
        if len(left) and len(right):
            assert a.olabels[left[0]] == b.ilabels[right[-1]]


@pytest.mark.parametrize("beam", [None, 1e9])
def test_graph_by_graph_as_in_a_batch(beam):
    a, b = random_pairs(31)
    whole = gtn.compose(a, b, failure=FAILURE, beam=beam)
    for i in range(0, COUNT, 20):
        c = gtn.compose(a[i], b[i], failure=FAILURE, beam=beam)
        assert gtn.equal(whole[i], c)


@pytest.mark.parametrize(("beam", "max_active"), [(25.0, None), (math.inf, 2)])
def test_a_reader_in_between_that_passes_everything_on_changes_nothing(beam, max_active):
    """Even pruning is the same, as a token has the same penalty and the same ways on."""
    a, b = random_pairs(41)
    jitter = torch.rand(b.num_arcs, generator=torch.Generator().manual_seed(0)).double() / 64
    b = b.with_penalties(b.penalties + jitter)
    between = gtn.from_arcs([(0, 0, label) for label in range(LABELS)], start=0, final=0)
    options = {"filter": "trivial", "failure": FAILURE, "beam": beam, "max_active": max_active}
    found, wanted = (pruned(graphs, **options) for graphs in ([a, between.double(), b], [a, b]))
    arcs = []
    for graph in (found, wanted):
        t, sources = graph.topology, graph.sources
        arcs.append(
            sorted((sources[0].index[i], *sources[-1].of(i)) for i in range(graph.num_arcs))
        )
        assert t.node_offsets.tolist() == wanted.topology.node_offsets.tolist()
    assert arcs[0] == arcs[1]
    assert (
        COUNT / 4 < wanted.num_arcs < gtn.compose(a, b, filter="trivial", failure=FAILURE).num_arcs
    )


@pytest.mark.parametrize("beam", [None, 1e9])
def test_first_and_second_derivatives(beam):
    a = gtn.linear(torch.rand(3, 3, dtype=torch.float64))
    b = with_failures([random_graphs(1, seed=5, labels=3, max_arcs=8, max_nodes=3)[0]], 0)[0]
    b = gtn.union(b, backing_off().double())

    def forward(left, right):
        return gtn.forward_penalty(gtn.compose(left, right, failure=FAILURE, beam=beam))

    assert_derivatives(forward, a, b)
    penalties = b.penalties.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(forward(a, b.with_penalties(penalties)), penalties)
    assert gradient[torch.from_numpy(b.ilabels == FAILURE)].sum() > 0


def backing_off():
    """A model that backs off from node 0 to 1 and to 2, where alone it may end."""
    return gtn.Graph.from_arcs(
        [
            *((0, 0, 0, 0.1), (0, 1, FAILURE, 0.5), (1, 0, 1, 0.2)),
            *((1, 2, FAILURE, 0.25), (2, 0, 0, 3.0), (2, 0, 1, 3.0), (2, 0, 2, 3.0)),
        ],
        start=0,
        final={2: 0.75},
    )


def test_each_label_is_found_at_the_first_node_that_has_it():
    c = gtn.compose(gtn.string([0, 1, 2]), backing_off(), failure=FAILURE)
    assert c.penalties.tolist() == pytest.approx([0.1, 0.7, 3.75])
    assert [s.tolist() for s in map(c.sources[1].of, range(3))] == [[0], [1, 2], [1, 3, 6]]
    # The string stops at node 0, which is not final; neither is node 1.
    assert c.final_penalties.tolist() == [1.5]


@pytest.mark.parametrize("beam", [None, math.inf])
def test_an_arc_that_leads_nowhere_or_is_forbidden_hides_the_label(beam):
    model = [(0, 1, FAILURE, 0.5), (1, 1, 0, 1.0)]
    b = gtn.Graph.from_arcs(model, final=1)
    assert gtn.viterbi_penalty(gtn.compose(gtn.string([0]), b, failure=FAILURE, beam=beam)) == 1.5
    for hiding in ((0, 2, 0, 0.0), (0, 1, 0, math.inf)):
        b = gtn.Graph.from_arcs([*model, hiding], final=1)
        c = gtn.compose(gtn.string([0]), b, failure=FAILURE, beam=beam)
        assert gtn.viterbi_penalty(c) == math.inf


def test_a_plan_with_failure_arcs():
    a, b = gtn.string([0, 1, 2]), backing_off()
    plan = gtn.ComposePlan(a.topology, b.topology, failure=FAILURE)
    heavier = b.with_penalties(2 * b.penalties)
    expected = gtn.compose(a, heavier, failure=FAILURE)
    assert gtn.equal(plan(a, heavier), expected)
    assert plan.sources[1].of(2).tolist() == [1, 3, 6]
    with pytest.raises(GraphError, match=r"'#' is a symbol, .* graph\.isymbols\.label\('#'\)"):
        gtn.ComposePlan(a.topology, b.topology, failure="#")


@pytest.mark.parametrize("beam", [None, 1e9])
def test_symbols_of_different_tables(beam):
    model = gtn.Graph.from_arcs(
        [(0, 2, "x", "X", 0.25), (0, 1, "#", None, 0.5), (1, 2, "x", "X"), (1, 2, "y", "Y", 3.0)],
        final=2,
    )
    written = gtn.Graph.from_arcs([(0, 1, "z"), (0, 1, "y"), (0, 1, "x")], final=1)
    c = gtn.compose(written, model, failure="#", beam=beam)
    pairs = {c.symbol_pair(i): c.penalties[i].item() for i in range(c.num_arcs)}
    assert pairs == {"y:Y": 3.5, "x:X": 0.25}
    with pytest.raises(SymbolError, match="'!' is not in"):
        gtn.compose(written, model, failure="!", beam=beam)
    asking = gtn.Graph.from_arcs([(0, 1, "y"), (0, 1, "#")], final=1)
    with pytest.raises(GraphError, match=r"arc 1 of .* writes the failure label"):
        gtn.compose(asking, model, failure="#", beam=beam)
    with pytest.raises(SymbolError, match="no table"):
        gtn.compose(gtn.string([1]), gtn.string([1]), failure="#", beam=beam)


def reading_back_off():
    """A model that has seen x after the start and backs off for y."""
    return gtn.Graph.from_arcs(
        [(0, 2, "x", 0.25), (0, 1, gtn.BACK_OFF, 0.5), (1, 2, "x", 2.0), (1, 2, "y", 3.0)], final=2
    )


@pytest.mark.parametrize("beam", [None, math.inf])
def test_arcs_that_read_the_back_off_symbol_are_failure_arcs_without_being_named(beam):
    model = reading_back_off()
    written = gtn.Graph.from_arcs([(0, 1, "x"), (0, 1, "y")], final=1)
    expected = gtn.compose(written, model, failure=gtn.BACK_OFF, beam=beam)
    assert expected.penalties.tolist() == [0.25, 3.5]
    assert gtn.equal(gtn.compose(written, model, beam=beam), expected)
    assert gtn.viterbi_path(written, model, beam=beam).num_arcs == 1
    if beam is None:
        assert gtn.equal(written @ model, expected)
        assert gtn.equal(written & model, expected)
        assert gtn.equal(gtn.nn.Compose(model)(written), expected)
    with pytest.raises(GraphError, match=r"failure=0, but the .* failure arcs for '<backoff>'"):
        gtn.compose(written, model, failure=0, beam=beam)


def test_what_forbids_a_label_stays():
    random = random_graphs(COUNT, seed=8, labels=LABELS, max_arcs=8, acyclic=True)
    table = gtn.SymbolTable(["a", "b", "c", gtn.BACK_OFF])
    models = with_failures(random, 9).with_symbols(table)
    forbidden = torch.from_numpy(np.random.default_rng(10).random(models.num_arcs) < 0.2)
    models = models.with_penalties(models.penalties.masked_fill(forbidden, torch.inf))
    connected = gtn.connect(models)
    assert models.num_arcs > connected.num_arcs > gtn.connect(models.with_symbols(None)).num_arcs
    silent = gtn.GraphBatch.from_graphs([g for g in models if not (g.ilabels == EPSILON).any()])
    finite = gtn.remove_epsilon(silent)
    assert silent.num_arcs > finite.num_arcs
    for text in ("", "a", "b", "ab", "ca", "bca"):
        word = gtn.string(text, symbols=table).double()
        for before, after in ((models, connected), (silent, finite)):
            given, found = (gtn.forward_penalty(gtn.compose(word, m)) for m in (before, after))
            torch.testing.assert_close(found, given, rtol=0, atol=1e-12)


def test_minimize_keeps_what_forbids_a_label():
    random = random_graphs(COUNT, seed=11, labels=LABELS, max_arcs=8, acyclic=True)
    table = gtn.SymbolTable(["a", "b", "c", gtn.BACK_OFF])
    models = with_failures(gtn.determinize(gtn.project(random)), 12)
    models = models[[m.topology.is_acyclic for m in models]].with_symbols(table)
    forbidden = torch.from_numpy(np.random.default_rng(10).random(models.num_arcs) < 0.2)
    models = models.with_penalties(models.penalties.masked_fill(forbidden, torch.inf))
    for semiring in ("log", "tropical"):
        minimal = gtn.minimize(models, semiring=semiring)
        assert minimal.num_nodes < models.num_nodes
        for text in ("", "a", "b", "ab", "ca", "bca"):
            word = gtn.string(text, symbols=table).double()
            given, found = (gtn.forward_penalty(gtn.compose(word, m)) for m in (models, minimal))
            torch.testing.assert_close(found, given, rtol=0, atol=1e-8)


def test_labels_as_numbers_have_no_back_off_symbol():
    model = reading_back_off()
    label = model.isymbols.label(gtn.BACK_OFF)
    asking = gtn.string([label, model.isymbols.label("y")])
    assert gtn.compose(asking, model, symbols="ignore").penalties.tolist() == [0.5, 3.0]


@pytest.mark.parametrize("beam", [None, math.inf])
def test_failure_arcs_that_would_not_be_followed_are_refused(beam):
    model = reading_back_off()
    letters = gtn.string("y", symbols=model.isymbols)
    with pytest.raises(GraphError, match=r"arc 1 of .* writes the failure label; .* that reads"):
        gtn.compose(model, letters, beam=beam)
    silent = gtn.relabel(model, olabels={gtn.BACK_OFF: None})
    with pytest.raises(GraphError, match=r"arc 1 of .* is a failure arc, it reads '<backoff>'"):
        gtn.compose(silent, letters, beam=beam)
    with pytest.raises(GraphError, match="arc 1 of graph 1 is a failure arc, it reads '<backoff>'"):
        pruned([letters, silent, letters])
    with pytest.raises(GraphError, match="arc 1 of the graph is a failure arc"):
        gtn.dense.forward_penalty(torch.zeros(1, 4), model)
    with pytest.raises(GraphError, match=r"; first compose the graph with .*, as in text @ graph$"):
        gtn.sample(model, 1)
    asking = gtn.Graph.from_arcs([(0, 1, "x", gtn.BACK_OFF, 0.0)], final=1)
    with pytest.raises(GraphError, match="arc 0 of a writes the failure label"):
        gtn.difference(asking, letters)
    plan = gtn.ComposePlan(letters.topology, model.topology)
    with pytest.raises(GraphError, match=r"plan with ComposePlan\.of\(a, b\), or with failure=1"):
        plan(letters, model)


ALONE = {
    "forward_penalty": gtn.forward_penalty,
    "shortest_distance": gtn.shortest_distance,
    "viterbi_penalty": gtn.viterbi_penalty,
    "viterbi_path": gtn.viterbi_path,
    "n_best": lambda g: gtn.n_best(g, 2),
    "sample": lambda g: gtn.sample(g, 2),
    "arc_posteriors": gtn.arc_posteriors,
    "entropy": gtn.entropy,
    "expected": lambda g: gtn.expected(g, torch.ones(g.num_arcs)),
    "prune": lambda g: gtn.prune(g, beam=1.0),
    "reverse": gtn.reverse,
    "complement": lambda g: gtn.complement(g.with_penalties(0 * g.penalties)),
    "difference of": lambda g: gtn.difference(g, gtn.string("y", symbols=g.isymbols)),
    "difference": lambda g: gtn.difference(gtn.string("y"), g.with_penalties(0 * g.penalties)),
    "equivalent": lambda g: gtn.equivalent(g, g),
    "random_equivalent": lambda g: gtn.random_equivalent(g, g),
    "determinize": lambda g: gtn.determinize(g | g),
    "remove_epsilon": lambda g: gtn.remove_epsilon(g + g),
    "risk": lambda g: gtn.nn.ExpectedRiskLoss()(g, "y"),
    "MMI": lambda g: gtn.nn.MMILoss(g)(torch.zeros(1, 3), "y"),
    "transduce": lambda g: gtn.transduce(
        gtn.string("y"), g, check=np.equal, fprop=lambda a, b: a.penalties + b.penalties
    ),
}


@pytest.mark.parametrize("ask", ALONE.values(), ids=ALONE)
def test_failure_arcs_by_themselves_are_no_paths(ask):
    with pytest.raises(GraphError, match=r"arc \d+ of .* is a failure arc, it reads '<backoff>'"):
        ask(reading_back_off())


@pytest.mark.parametrize("verb", [gtn.connect, gtn.push, gtn.minimize, gtn.determinize])
def test_failure_arcs_of_a_deterministic_graph_stay_what_they_are(verb):
    model = reading_back_off()
    written = gtn.Graph.from_arcs([(0, 1, "x"), (0, 1, "y")], final=1)
    assert gtn.equivalent(written @ verb(model), written @ model)


def ending_by_back_off():
    """A model that ends after x by backing off, at 0.25 + 0.5, and after y at 1.0."""
    return gtn.Graph.from_arcs(
        [(0, 1, "x"), (0, 2, "y"), (1, 0, gtn.BACK_OFF, 0.25), (2, 0, gtn.BACK_OFF, 8.0)],
        final={0: 0.5, 2: 1.0},
    ).double()


JOINED = {
    "concat": lambda g: g + g,
    "closure": lambda g: gtn.closure(g, lower=2, upper=2),
    "plus": lambda g: gtn.closure(g, plus=True),
    "star": lambda g: gtn.closure(gtn.GraphBatch.from_graphs([g, g]))[1],
    "replace": lambda g: gtn.replace(gtn.string([0, 0]), gtn.GraphBatch.from_graphs([g, g])),
}


@pytest.mark.parametrize("join", JOINED.values(), ids=JOINED)
def test_where_a_graph_ends_by_failure_arcs_another_may_begin(join):
    model = ending_by_back_off()
    # The same strings at the same penalties, without failure arcs.
    plain = gtn.Graph.from_arcs(
        [(i, j, "xy"[j - 1], 0.25 * (i == 1) + 8.0 * (i == 2)) for i in range(3) for j in (1, 2)],
        final={0: 0.5, 1: 0.75, 2: 1.0},
        symbols=model.isymbols,
    ).double()
    for text in ("x", "y", "xy", "yx", "xxy"):
        written = gtn.string(text, symbols=model.isymbols)
        # Every way to take it apart; those with any number of empty strings converge:
        # together they are 1 / (1 - exp(-0.5)).
        found, right = (gtn.forward_penalty(written @ join(g)) for g in (model, plain))
        assert right.isfinite()
        assert found.item() == pytest.approx(right.item(), abs=1e-9)


def test_penalties_of_what_ends_by_failure_arcs_have_derivatives():
    model = ending_by_back_off()
    written = gtn.string("xx", symbols=model.isymbols)

    assert_derivatives(lambda g: gtn.forward_penalty(written @ (g + g)), model)


@pytest.mark.parametrize("loss", [gtn.nn.DiscriminativeForwardLoss, gtn.nn.HingeLoss])
@pytest.mark.parametrize("silent", [False, True])
def test_losses_whose_grammar_has_failure_arcs(loss, silent):
    model = reading_back_off()
    graph = gtn.linear(torch.tensor([[0.5, 0.75, 0.25]]), symbols=gtn.SymbolTable("xyz"))
    backed_off = gtn.Graph.from_arcs([(0, 1, "x", 0.25), (0, 1, "y", 3.5)], final=1)
    if silent:
        model = gtn.relabel(model, olabels={gtn.BACK_OFF: None})
    for target in "xy":
        assert loss(model)(graph, target) == loss(backed_off)(graph, target)


def test_data_of_both_sides_follow():
    model = backing_off()
    model = model.with_data(name=np.arange(model.num_arcs))
    written = gtn.string([0, 2]).with_data(ink=np.array([7, 8]))
    c = gtn.compose(written, model, failure=FAILURE)
    assert c.data["ink"].tolist() == [7, 8]
    with pytest.raises(DataError, match="reduce"):
        c.data["name"]
    assert c.data.column("name").values(reduce="max").tolist() == [0, 6]


@pytest.mark.parametrize("beam", [None, 1e9])
def test_what_is_wrong_is_named(beam):
    asked = gtn.string([0])
    wrong = {
        "arcs 0 and 1 are both failure arcs of node 0": [(0, 1, FAILURE), (0, 0, FAILURE)],
        "failure arc 1 writes label 2; .* each symbol of a table": [
            *((0, 1, 0), (0, 1, FAILURE, 2, 0.5)),
        ],
        r"failure arc 1 is part of a cycle .* nodes 0 -> 1 -> 0 \(arcs 1, 2\)": [
            *((0, 1, 0), (0, 1, FAILURE), (1, 0, FAILURE)),
        ],
        r"failure arc 0 is part of a cycle .* nodes 0 -> 0": [(0, 0, FAILURE), (0, 1, 0)],
    }
    for message, arcs in wrong.items():
        with pytest.raises(GraphError, match=message):
            gtn.compose(asked, gtn.Graph.from_arcs(arcs, final=1), failure=FAILURE, beam=beam)
    with pytest.raises(GraphError, match="failure=-1"):
        gtn.compose(asked, asked, failure=EPSILON, beam=beam)


@pytest.mark.parametrize("beam", [None, math.inf])
def test_the_failure_label_is_any_whole_number(beam):
    model = gtn.Graph.from_arcs([(0, 1, 9, 0.5), (1, 2, 7, 2.0)], final=2)
    for label in (9, np.int64(9), np.array(9), torch.tensor(9)):
        found = gtn.compose(gtn.string([7]), model, failure=label, beam=beam)
        assert found.penalties.tolist() == [2.5]
    with pytest.raises(TypeError):
        gtn.compose(gtn.string([7]), model, failure=9.0, beam=beam)


def test_failure_arcs_of_a_graph_without_nodes():
    failures = FailureArcs(gtn.empty().topology, 0)
    assert len(failures.arcs) == len(failures.final) == 0
    assert gtn.compose(gtn.string([1]), gtn.empty(), failure=0).num_nodes == 0


@pytest.mark.parametrize("beam", [None, math.inf])
def test_a_reader_without_arcs_stands_still(beam):
    written = gtn.from_arcs([(0, 1, 7, None, 0.5), (0, 1, 8, 8, 0.25)], final=1)
    point = gtn.from_arrays([], [], [], start=0, final={0: 1.5}, num_nodes=1)
    both = gtn.compose(written, point, failure=9, beam=beam)
    assert (both.ilabels.tolist(), both.penalties.tolist()) == ([7], [0.5])
    assert [source.of(0).tolist() for source in both.sources] == [[0], []]
    assert gtn.viterbi_penalty(both).item() == 2.0


def bigram_model(rng, words):
    """Return a back-off bigram and its table; node w + 1 is after word w, node 0 has unigrams."""
    unigram = rng.dirichlet(np.ones(words + 1))  # the last symbol is the end of the sentence
    arcs = [(0, w + 1, w, -math.log(unigram[w])) for w in range(words)]
    table = np.empty((words, words + 1))
    finals = {0: -math.log(unigram[words])}
    for history in range(words):
        seen = np.flatnonzero(rng.random(words + 1) < 0.4)
        mass = rng.uniform(0.2, 0.9)
        shares = mass * rng.dirichlet(np.ones(len(seen))) if len(seen) else np.empty(0)
        left = 1 - shares.sum()
        unseen = np.setdiff1d(np.arange(words + 1), seen)
        backoff = left / unigram[unseen].sum() if len(unseen) else 0.0
        table[history, seen] = shares
        table[history, unseen] = backoff * unigram[unseen]
        for w, share in zip(seen.tolist(), shares):
            if w == words:
                finals[history + 1] = -math.log(share)
            else:
                arcs.append((history + 1, w + 1, w, -math.log(share)))
        if len(unseen):
            arcs.append((history + 1, 0, words, -math.log(backoff)))
    model = gtn.from_arcs(
        arcs,
        start={w + 1: 0.0 for w in range(words)},
        final=finals,
        num_nodes=words + 1,
        dtype=torch.float64,
    )
    return model, table


@pytest.mark.parametrize("seed", range(5))
def test_next_word_probabilities_of_a_bigram_sum_to_one(seed):
    rng = np.random.default_rng(seed)
    words = 6
    model, table = bigram_model(rng, words)
    every = gtn.from_arrays(
        np.zeros(words, dtype=int), np.ones(words, dtype=int), np.arange(words), final=1
    ).double()
    for history in range(words):
        one = gtn.from_arrays(
            model.src, model.dst, model.ilabels, penalties=model.penalties,
            start=history + 1, final=range(words + 1), num_nodes=words + 1,
        )  # fmt: skip
        c = gtn.compose(every, one, failure=words)
        found = Counter()
        for path in gtn.testing.paths(c):
            found[path.inputs[0]] += math.exp(-path.penalty)
        probabilities = [found[w] for w in range(words)]
        np.testing.assert_allclose(probabilities, table[history, :words], rtol=1e-12)
        ended = gtn.compose(
            gtn.from_arrays([], [], [], start=0, final=0, num_nodes=1).double(),
            gtn.from_arrays(
                model.src, model.dst, model.ilabels, penalties=model.penalties,
                start=history + 1, final=model.finals, final_penalties=model.final_penalties,
                num_nodes=words + 1,
            ),
            failure=words,
        )  # fmt: skip
        end = math.exp(-gtn.forward_penalty(ended).item())
        assert sum(probabilities) + end == pytest.approx(1, abs=1e-12)
        assert end == pytest.approx(table[history, words], rel=1e-12)
