"""Pruned composition and decoding: an infinite beam keeps everything; what a finite one keeps."""

import heapq
import itertools
import math
import re

import numpy as np
import pytest
import torch

import gtn
from gtn import association
from gtn.association import composed
from gtn.beam import pruned
from gtn.errors import CyclicGraphError, DataError, GraphError, NegativeCycleError
from gtn.kernels.composition import FILTERS
from gtn.symbols import EPSILON
from gtn.testing import path_penalties_by_string, paths
from gtn.testing.openfst import random_graphs

NAMES = ("penalties", "start_penalties", "final_penalties")
COUNT = 400


def random_pairs(seed, count=COUNT, labels=2, **options):
    """An acyclic batch, and one with cycles, none of which has a negative penalty."""
    a = random_graphs(count, seed=seed, labels=labels, **options)
    b = random_graphs(count, seed=seed + 1, labels=labels, acyclic=False, least=0, **options)
    return a, b


def assert_same_paths(one, other):
    """Check that two graphs have the same paths: labels and penalties, as often in each."""
    for i, (x, y) in enumerate(zip(one, other, strict=True)):
        assert path_penalties_by_string(x, 6) == path_penalties_by_string(y, 6), i


# -- an infinite beam ---------------------------------------------------------------------------


@pytest.mark.parametrize("filter", FILTERS)
def test_with_an_infinite_beam_it_is_the_composition(filter):
    for seed in (1, 3):
        a, b = random_pairs(seed, infinite=True)
        whole = gtn.compose(a, b, filter=filter)
        for beam in (math.inf, 1e9):
            found = gtn.compose(a, b, filter=filter, beam=beam)
            assert found.topology.is_connected
            assert np.diff(found.topology.node_offsets).sum() == found.num_nodes
            if beam == math.inf:
                # The tokens and arcs are the same, in another order.
                for name in ("node_offsets", "arc_offsets"):
                    expected = getattr(whole.topology, name)
                    np.testing.assert_array_equal(getattr(found.topology, name), expected)
            assert_same_paths(found, whole)
    assert whole.num_arcs > COUNT


@pytest.mark.parametrize("which", ["left", "right", "none"])
def test_single_graphs_and_batches(which):
    a, b = random_pairs(5, count=30)
    one = next(g for g in (a if which == "left" else b) if g.num_arcs > 4)
    pairs = [(one, y) if which == "left" else (x, one) for x, y in zip(a, b)]
    together = (one, b) if which == "left" else (a, one)
    if which == "none":
        together, pairs = (a, b), list(zip(a, b))
    c = gtn.compose(*together, beam=20.0, max_active=3)
    assert isinstance(c, gtn.GraphBatch)
    t = c.topology
    gtn.Topology(  # checks everything, even that arcs stay within their graph
        *(getattr(t, n) for n in ("num_nodes", "src", "dst", "ilabels", "olabels")),
        **{n: getattr(t, n) for n in ("starts", "finals", "node_offsets", "arc_offsets")},
    )
    for i, (x, y) in enumerate(pairs):
        assert gtn.equal(c[i], gtn.compose(x, y, beam=20.0, max_active=3)), i


def test_several_graphs_give_each_path_once():
    """With epsilons in all graphs, each combination of their paths appears exactly once."""
    for seed in (7, 17):
        options = {"max_nodes": 3, "max_arcs": 5}
        a, b = random_pairs(seed, **options)
        c = random_graphs(COUNT, seed=seed + 2, labels=2, acyclic=False, least=0, **options)
        for filter in FILTERS:
            found = pruned([a, b, c], filter=filter, beam=1e9)
            whole = gtn.compose(gtn.compose(a, b, filter=filter), c, filter=filter)
            assert found.topology.is_connected
            total, expected = gtn.viterbi_penalty(found), gtn.viterbi_penalty(whole)
            torch.testing.assert_close(total, expected, rtol=1e-12, atol=1e-9)
            if filter != "trivial":
                assert_same_paths(found, whole)
        assert (expected < math.inf).sum() > COUNT / 4


def test_four_graphs():
    options = {"max_nodes": 3, "max_arcs": 5}
    a, b = random_pairs(27, **options)
    others = [
        random_graphs(COUNT, seed=seed, labels=2, acyclic=False, least=0, **options)
        for seed in (3, 4)
    ]
    found = pruned([a, b, *others])
    whole = gtn.compose(gtn.compose(gtn.compose(a, b), others[0]), others[1])
    assert_same_paths(found, whole)
    assert whole.num_arcs > COUNT / 2


# -- a beam -------------------------------------------------------------------------------------


def by_token_passing(a, b, beam, max_active):
    """Token passing in plain Python (trivial filter): the tokens followed and their arcs."""
    order = a.topology.order.tolist()
    alive = [g.topology.coaccessible for g in (a, b)]
    outgoing = [
        [
            [arc for arc in range(g.num_arcs) if g.src[arc] == n and live[g.dst[arc]]]
            for n in range(g.num_nodes)
        ]
        for g, live in zip((a, b), alive)
    ]
    best = {}
    for n, p in zip(a.starts.tolist(), a.start_penalties.tolist()):
        for m, q in zip(b.starts.tolist(), b.start_penalties.tolist()):
            if alive[0][n] and alive[1][m]:
                best[n, m] = p + q
    followed, arcs = set(), set()
    for n in order:
        here = {m: p for (node, m), p in best.items() if node == n}
        if not here:
            continue
        # Epsilons of negative penalty may improve tokens, even the best one, and even those that
        # have gone on already.
        least = min(here.values())
        heap, kept = [(p, m) for m, p in here.items() if p <= least + beam], []
        heapq.heapify(heap)
        while heap:
            p, m = heapq.heappop(heap)
            if p > best[n, m]:
                continue
            fresh = m not in kept
            if p > least + beam or (fresh and max_active and len(kept) == max_active):
                break
            kept += [m] * fresh
            for arc in outgoing[1][m]:
                way, to = p + b.penalties[arc].item(), int(b.dst[arc])
                if b.ilabels[arc] != EPSILON or way > least + beam:
                    continue
                if fresh:
                    arcs.add(((n, m), (n, to), -1, arc, -math.inf))
                if way < best.get((n, to), math.inf):
                    best[n, to], least = way, min(way, least)
                    heapq.heappush(heap, (way, to))
        for m in kept:
            followed.add((n, m))
            for left in outgoing[0][n]:
                to, way = int(a.dst[left]), best[n, m] + a.penalties[left].item()
                # (The trivial filter lets both move on epsilons together, too.)
                moves = [(m, -1, 0.0)] if a.olabels[left] == EPSILON else []
                moves += [
                    (int(b.dst[arc]), arc, b.penalties[arc].item())
                    for arc in outgoing[1][m]
                    if b.ilabels[arc] == a.olabels[left]
                ]
                for m2, arc, penalty in moves:
                    arcs.add(((n, m), (to, m2), left, arc, way + penalty))
                    best[to, m2] = min(way + penalty, best.get((to, m2), math.inf))
    arrived = {}
    for _, (n, _), left, _, way in arcs:
        if left >= 0:
            arrived[n] = min(way, arrived.get(n, math.inf))
    starts = {
        (n, m): p + q
        for n, p in zip(a.starts.tolist(), a.start_penalties.tolist())
        for m, q in zip(b.starts.tolist(), b.start_penalties.tolist())
        if alive[0][n] and alive[1][m]
    }
    for (n, _), penalty in starts.items():
        arrived[n] = min(penalty, arrived.get(n, math.inf))
    kept_arcs = {
        (left, arc, tail, to)
        for tail, to, left, arc, way in arcs
        if tail in followed and to in followed and way <= arrived[to[0]] + beam
    }
    kept_starts = {
        (n, m) for (n, m), p in starts.items() if (n, m) in followed and p <= arrived[n] + beam
    }
    return followed, kept_arcs, kept_starts


def reached(seeds, links):
    """Return all that can be reached from the seeds."""
    found, open_ = set(seeds), list(seeds)
    while open_:
        here = open_.pop()
        fresh = links.get(here, set()) - found
        found |= fresh
        open_ += fresh
    return found


def many_epsilons(count):
    """Graphs with several starts and epsilons of either sign, without negative cycles."""
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        nodes, arcs = 6, 15
        src, dst = rng.integers(0, nodes, (2, arcs))
        height = rng.integers(0, 24, nodes)
        penalties = rng.integers(0, 160, arcs) / 8 + height[dst] - height[src]
        found.append(
            gtn.from_arrays(
                *(src, dst, rng.choice([EPSILON, 0, 1], arcs, p=[0.6, 0.2, 0.2])),
                penalties=torch.from_numpy(penalties),
                start=dict(zip([0, 1], rng.integers(0, 256, 2) / 8)),
                final=[4],
                num_nodes=nodes,
            )
        )
    return gtn.GraphBatch.from_graphs(found)


@pytest.mark.parametrize(
    ("beam", "max_active"),
    [(0.0, None), (8.0, None), (30.0, None), (math.inf, 1), (40.0, 2), (15.0, 3)],
)
@pytest.mark.parametrize("negative", [False, True])
def test_token_passing_keeps_what_it_should(beam, max_active, negative):
    """It keeps the tokens that plain Python keeps; the few graphs with ties are left out."""
    a, b = random_pairs(9, count=250, max_nodes=5, max_arcs=9, max_starts=1)
    if negative:
        b = many_epsilons(250)
    # Then few graphs have ties, and the trivial filter has one state for each pair of nodes.
    jitter = torch.rand(b.num_arcs, generator=torch.Generator().manual_seed(0)).double() / 64
    b = b.with_penalties(b.penalties + jitter)
    found = gtn.compose(a, b, filter="trivial", beam=beam, max_active=max_active)
    lost = 0
    for i, (x, y) in enumerate(zip(a, b)):
        followed, arcs, starts = by_token_passing(x, y, beam, max_active)
        finals = {(n, m) for n in x.finals.tolist() for m in y.finals.tolist()} & followed
        forward, backward = {}, {}
        for _, _, tail, to in arcs:
            forward.setdefault(tail, set()).add(to)
            backward.setdefault(to, set()).add(tail)
        alive = reached(starts, forward) & reached(finals, backward)
        wanted = sorted((left, arc) for left, arc, tail, to in arcs if {tail, to} <= alive)
        c = found[i]
        arcs_of = slice(*found.topology.arc_offsets[i : i + 2])
        left, right = (
            np.where(s.index[arcs_of] < 0, -1, s.index[arcs_of] - g.topology.arc_offsets[i])
            for s, g in zip(found.sources, (a, b))
        )
        assert sorted(zip(left.tolist(), right.tolist())) == wanted, i
        assert (c.num_nodes, len(c.starts)) == (len(alive), len(starts & alive)), i
        whole = gtn.compose(x, y, filter="trivial")
        lost += whole.num_nodes > 0 == c.num_nodes
        if c.num_nodes:
            assert gtn.viterbi_penalty(c) >= gtn.viterbi_penalty(whole)
    if beam == 0:
        assert lost > 0  # the beam may lose every path


def test_of_equally_good_tokens_those_found_first_are_followed():
    a, many = gtn.string([1, 2]), 9
    tokens = range(1, many + 1)
    b = gtn.Graph.from_arcs(
        [*((0, n, 1, float(n == 3)) for n in tokens), *((n, many + 1, 2) for n in tokens)],
        final=many + 1,
    )
    for count in range(1, many):
        found = gtn.compose(a, b, max_active=count)
        first = [n - 1 for n in tokens if n != 3][:count]
        assert found.sources[1].index[: found.num_arcs // 2].tolist() == first


@pytest.mark.parametrize("filter", FILTERS)
def test_paths_of_a_beam_are_paths_of_the_composition(filter):
    a, b = random_pairs(13)
    whole = gtn.compose(a, b, filter=filter)
    found = gtn.compose(a, b, filter=filter, beam=16.0, max_active=4)
    fewer = 0
    for x, y in zip(found, whole, strict=True):
        every = path_penalties_by_string(y, 6)
        for strings, penalties in path_penalties_by_string(x, 6).items():
            assert set(penalties) <= set(every[strings])
        fewer += x.num_arcs < y.num_arcs
    assert fewer > COUNT / 40


def test_where_the_beam_loses_every_path_nothing_is_left():
    a = gtn.Graph.from_arcs([(0, 1, 1, 0.0), (0, 1, 2, 5.0)], final=1)
    b = gtn.Graph.from_arcs([(0, 1, 1), (0, 2, 2), (2, 3, 3, 0.0), (1, 4, 3)], final=2)
    assert gtn.viterbi_penalty(gtn.compose(a, b)) == 5
    assert gtn.viterbi_penalty(gtn.compose(a, b, beam=5.0)) == 5
    b = gtn.Graph.from_arcs([(0, 1, 1), (0, 2, 2), (1, 3, 9)], final=[2, 3])
    lost = gtn.compose(a, b, beam=4.0)
    assert (lost.num_nodes, lost.num_arcs) == (0, 0)
    assert gtn.viterbi_penalty(lost) == gtn.forward_penalty(lost) == math.inf
    assert gtn.viterbi_path(a, b, beam=4.0).num_nodes == 0
    assert len(gtn.n_best(a, 3, b, beam=4.0)) == 0


def word_list(count, letters, seed):
    """Return distinct words, more of them short."""
    rng = np.random.default_rng(seed)
    words = set()
    while len(words) < count:
        length = int(rng.integers(2, 8))
        words.add(tuple(rng.integers(0, letters, length).tolist()))
    return sorted(words)


def trie(words):
    """Return the acceptor of words as a tree of letters."""
    nodes, arcs = {(): 0}, []
    for word in words:
        for i in range(len(word)):
            if word[: i + 1] not in nodes:
                nodes[word[: i + 1]] = len(nodes)
                arcs.append((nodes[word[:i]], nodes[word[: i + 1]], word[i]))
    src, dst, labels = np.array(arcs).T
    final = sorted({nodes[word] for word in words})
    return gtn.from_arrays(src, dst, labels, final=final, num_nodes=len(nodes)).double()


def lattice(words, letters, frames, seed):
    """Return a lattice in which some words, one after the other, are the most likely letters."""
    rng = np.random.default_rng(seed)
    text = [letter for i in rng.integers(0, len(words), frames) for letter in words[i]][:frames]
    penalties = 2 + rng.exponential(2.0, (frames, letters))
    penalties[np.arange(frames), text] = rng.exponential(0.5, frames)
    return gtn.linear(torch.from_numpy(penalties))


def test_a_lexicon_decoded_with_a_beam():
    words = word_list(400, 8, seed=0)
    lexicon, observed = gtn.closure(trie(words)), lattice(words, 8, 20, seed=1)
    whole = gtn.compose(observed, lexicon)
    found = gtn.compose(observed, lexicon, beam=12.0)
    limited = gtn.compose(observed, lexicon, max_active=100)
    assert gtn.viterbi_penalty(found) == gtn.viterbi_penalty(whole)
    assert gtn.viterbi_penalty(limited) == gtn.viterbi_penalty(whole)
    assert found.num_arcs < whole.num_arcs / 2
    # The wider the beam, the nearer the forward penalty comes, from above.
    forwards = [
        gtn.forward_penalty(gtn.compose(observed, lexicon, beam=beam)).item()
        for beam in (4.0, 12.0, 30.0, math.inf)
    ]
    assert forwards == sorted(forwards, reverse=True)
    assert forwards[-1] == pytest.approx(gtn.forward_penalty(whole).item(), rel=1e-12)


def test_what_is_unlikely_is_never_touched():
    """Any number of words that begin with unlikely letters changes nothing."""
    words = word_list(200, 8, seed=2)
    observed = lattice(words, 8, 20, seed=3)
    row = torch.full((20, 1), 100.0, dtype=torch.float64)
    wider = gtn.linear(torch.cat([observed.penalties.reshape(20, 8), row], dim=1))
    many = [(8, *word) for word in word_list(3000, 9, seed=4)]
    small = gtn.compose(observed, gtn.closure(trie(words)), beam=10.0)
    large = gtn.compose(wider, gtn.closure(trie(sorted(words + many))), beam=10.0)
    assert (small.num_nodes, small.num_arcs) == (large.num_nodes, large.num_arcs)
    assert gtn.viterbi_penalty(small) == gtn.viterbi_penalty(large)


@pytest.mark.parametrize("filter", FILTERS)
def test_buffers_grow_from_nothing(filter, monkeypatch):
    a, b = random_pairs(15, count=40, max_nodes=8, max_arcs=40)
    c = random_graphs(40, seed=8, labels=2, max_arcs=12, acyclic=False, least=0)
    large = pruned([a, b, c], filter=filter, max_active=40)
    assert large.num_arcs > 1000
    for room in (1, 3):
        monkeypatch.setattr("gtn.beam.token_passing._ROOM", room)
        assert gtn.equal(pruned([a, b, c], filter=filter, max_active=40), large)
    for limit in (1, 5, 400):
        monkeypatch.setattr("gtn.beam.token_passing._LIMIT", limit)
        with pytest.raises(GraphError, match="too many tokens or arcs"):
            pruned([a, b, c], filter=filter, max_active=40)


# -- decoding through several graphs ------------------------------------------------------------


def words_and_grammar():
    """The closure of a lexicon that writes words; a grammar that backs off after one of them."""
    spellings = {"ab": 0, "ba": 1, "aab": 2, "b": 3}
    rows, node = [], 1
    for word, label in spellings.items():
        here = 0
        for i, letter in enumerate(word):
            to = 0 if i == len(word) - 1 else (node := node + 1)
            written = label if i == 0 else EPSILON
            rows.append((here, to, "ab".index(letter), written, 0.25 * i))
            here = to
    lexicon = gtn.from_arcs(rows, start=0, final=0, num_nodes=node + 1, dtype=torch.float64)
    grammar = gtn.Graph.from_arcs(
        [
            *((0, 1, 0, 0.5), (0, 2, 9, 1.0), (1, 1, 3, 0.125), (1, 2, 9, 0.75)),
            *((2, 0, word, 1.0 + word / 4) for word in range(4)),
        ],
        final={0: 0.0, 1: 0.5},
        dtype=torch.float64,
    )
    return lexicon, grammar


@pytest.mark.parametrize("beam", [None, 1e9])
def test_decoding_equals_composing_all_and_taking_the_best(beam):
    lexicon, grammar = words_and_grammar()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        observed = gtn.linear(torch.from_numpy(rng.integers(0, 64, (6, 2)) / 8))
        whole = gtn.compose(gtn.compose(observed, lexicon), grammar, failure=9)
        best = gtn.viterbi_path(observed, lexicon, grammar, failure=9, beam=beam)
        total = gtn.viterbi_penalty(best)
        torch.testing.assert_close(total, gtn.viterbi_penalty(whole), rtol=1e-12, atol=0)
        penalty = (
            observed.penalties[best.sources[0].index[best.sources[0].index >= 0]].sum()
            + lexicon.penalties[best.sources[1].index[best.sources[1].index >= 0]].sum()
            + grammar.penalties[best.sources[2].index].sum()
            + best.final_penalties.sum()
        )
        torch.testing.assert_close(total, penalty, rtol=1e-12, atol=0)
        several = gtn.n_best(observed, 10, lexicon, grammar, failure=9, beam=beam)
        expected = gtn.viterbi_penalty(gtn.n_best(whole, 10))
        torch.testing.assert_close(gtn.viterbi_penalty(several), expected, rtol=1e-12, atol=0)
        assert len(several.sources) == 3
        strings = gtn.n_best(observed, 10, lexicon, grammar, failure=9, distinct=True, beam=beam)
        expected = gtn.n_best(whole, 10, distinct=True)
        torch.testing.assert_close(
            gtn.viterbi_penalty(strings), gtn.viterbi_penalty(expected), rtol=1e-12, atol=0
        )
        spelled = [tuple(labels.tolist()) for labels in gtn.path_labels(strings)]
        assert len(set(spelled)) == len(strings)


def test_decoding_a_batch():
    lexicon, grammar = words_and_grammar()
    penalties = np.random.default_rng(0).integers(0, 64, (3, 6, 2)) / 8
    lattices = [gtn.linear(torch.from_numpy(p)) for p in penalties]
    batch = gtn.GraphBatch.from_graphs(lattices)
    best = gtn.viterbi_path(batch, lexicon, grammar, failure=9, beam=6.0)
    several = gtn.n_best(batch, 4, lexicon, grammar, failure=9, beam=6.0)
    assert isinstance(several, list)
    for i, one in enumerate(lattices):
        alone = gtn.viterbi_path(one, lexicon, grammar, failure=9, beam=6.0)
        assert gtn.equal(best[i], alone)
        assert gtn.viterbi_penalty(several[i])[0] == gtn.viterbi_penalty(alone)
        first = several[i].sources[0].index
        assert batch.topology.arc_offsets[i] <= first.max() < batch.topology.arc_offsets[i + 1]


def test_symbols_and_data_of_all_graphs_follow():
    letters = gtn.Graph.from_arcs(
        [(0, 1, "a", 0.5), (0, 1, "b", 0.25)], final=1, data={"ink": np.array([1, 2])}
    )
    lexicon = gtn.Graph.from_arcs(
        [(0, 1, "b", "be"), (0, 1, "a", "an")], final=1, data={"page": np.array([3, 4])}
    )
    grammar = gtn.Graph.from_arcs(
        [(0, 1, "so", "S"), (0, 1, "an", "D"), (0, 1, "be", "V")], final=1
    )
    best = gtn.viterbi_path(letters, lexicon, grammar, beam=1.0)
    assert gtn.path_text(best) == "V"
    assert gtn.path_text(best, "input") == "b"
    assert (best.data["ink"].tolist(), best.data["page"].tolist()) == ([2], [3])
    again = grammar.with_data(ink=np.array([5, 6, 7]))
    with pytest.raises(DataError, match=r"\['ink'\]; give one suffix for each of the 3"):
        gtn.viterbi_path(letters, lexicon, again)
    best = gtn.viterbi_path(letters, lexicon, again, suffixes=("_a", "_b", "_c"))
    assert (best.data["ink_a"].tolist(), best.data["ink_c"].tolist()) == ([2], [7])
    with pytest.raises(DataError, match="the same name"):
        gtn.viterbi_path(letters, lexicon, again, suffixes=("", "", ""))


def test_a_last_graph_without_labels_takes_the_table_of_what_is_written_to_it():
    letters = gtn.Graph.from_arcs([(0, 1, "a", 0.5), (0, 1, "b", 0.25)], final=1)
    silenced = gtn.Graph.from_arcs([(0, 1, "b", None), (0, 1, "a", "an")], final=1)
    silent = gtn.Graph.from_arcs([(0, 1, None, 0.125)], final=1)
    found = pruned([letters, silenced, silent])
    whole = gtn.compose(gtn.compose(letters, silenced), silent)
    assert gtn.viterbi_penalty(found) == gtn.viterbi_penalty(whole) == 0.375
    assert found.isymbols == letters.isymbols


@pytest.mark.parametrize("beam", [None, math.inf])
def test_labels_of_different_tables_are_told_apart_where_their_numbers_agree(beam):
    letters = gtn.from_arcs([(0, 1, "a", 0.5), (0, 1, "b")], final=1, symbols=gtn.SymbolTable("ab"))
    named = gtn.from_arcs(
        [(0, 1, "a", "x", 0.25), (0, 1, "b", "y")],
        final=1, isymbols=gtn.SymbolTable("ba"), osymbols=gtn.SymbolTable("yx"),
    )  # fmt: skip
    assert letters.topology.is_acceptor
    assert named.topology.is_acceptor
    found = gtn.compose(letters, named, beam=beam)
    assert {found.symbol_pair(arc) for arc in range(2)} == {"a:x", "b:y"}


def test_the_graph_before_the_last_may_not_write_the_failure_label():
    _, grammar = words_and_grammar()
    first, between = gtn.string([1]), gtn.Graph.from_arcs([(0, 0, 1, 9)], final=0)
    with pytest.raises(GraphError, match="arc 0 of graph 1 writes the failure label"):
        pruned([first, between, grammar], failure=9)
    pruned([gtn.string([9]), gtn.Graph.from_arcs([(0, 0, 9, 1)], final=0), grammar], failure=9)


# -- gradients ----------------------------------------------------------------------------------


def test_first_and_second_derivatives():
    generator = torch.Generator().manual_seed(0)
    observed = gtn.linear(torch.rand(6, 2, dtype=torch.float64, generator=generator) * 4)
    lexicon, grammar = words_and_grammar()
    graphs = [observed, lexicon, grammar]
    leaves = [
        (getattr(g, name) + 0.01 * torch.rand(len(getattr(g, name)), generator=generator))
        .detach()
        .requires_grad_()
        for g in graphs
        for name in NAMES
    ]

    def joint(values):
        return [
            g.with_penalties(p, start_penalties=s, final_penalties=f)
            for g, p, s, f in zip(graphs, values[::3], values[1::3], values[2::3])
        ]

    def forward(*values):
        return gtn.forward_penalty(pruned(joint(values), failure=9, beam=3.0, max_active=6))

    def best(*values):
        return gtn.viterbi_penalty(gtn.n_best(*joint(values)[:1], 3, *joint(values)[1:], beam=5.0))

    assert torch.autograd.gradcheck(forward, leaves)
    assert torch.autograd.gradgradcheck(forward, leaves)
    assert torch.autograd.gradcheck(best, leaves)
    gradients = torch.autograd.grad(forward(*leaves), leaves)
    assert all(g.abs().sum() > 0 for g in gradients)


def test_two_graphs_without_a_beam_are_composed():
    """The result has the composition's paths, tables and sources; the first may be cyclic."""
    letters = gtn.SymbolTable("abc")
    cyclic = gtn.from_arcs(
        [(0, 0, "a", 0.25), (0, 1, "b", None, 1.0), (1, 0, "c", 0.5)], final=1, symbols=letters
    ).with_data(number=np.arange(3))
    words = gtn.cross(gtn.string("aab"), gtn.string("x")) | gtn.cross(
        gtn.string("ac"), gtn.string("y")
    )
    for a, b in ((cyclic, words), (gtn.strings(["aab", "ac", "b"], symbols=letters), words)):
        whole = a @ b
        for found, expected in (
            (gtn.viterbi_path(a, b), gtn.viterbi_path(whole)),
            (gtn.n_best(a, 3, b), gtn.n_best(whole, 3)),
        ):
            many = isinstance(found, list)
            pairs = zip(found, expected, strict=True) if many else [(found, expected)]
            for one, other in pairs:
                assert gtn.equal(one, other)
                assert one.osymbols == other.osymbols
                assert len(one.sources) == 2
                for source, given in zip(one.sources, whole.sources, strict=True):
                    assert np.array_equal(source.index, given.then(other.sources[0]).index)
    a = gtn.strings(["aab", "ac", "b"], symbols=letters)
    alone, within = gtn.viterbi_path(a, words), gtn.viterbi_path(a, words, beam=1e9)
    assert gtn.path_text(alone) == gtn.path_text(within) == ["x", "y", ""]


LETTERS = gtn.SymbolTable("abc")


@pytest.mark.parametrize("count", [3, 4])
def test_several_graphs_without_a_beam_are_composed(count):
    """However composed, the paths and their sources are the same; the first may be cyclic."""
    arcs = 0
    for seed in (51, 52):
        many = [
            random_graphs(100, seed=10 * seed + k, max_arcs=8, acyclic=k > 0, least=0.0)
            for k in range(count)
        ]
        single = many[0][int(np.argmax(np.diff(many[0].topology.arc_offsets)))]
        for first in (many[0], single):
            given = [first, *many[1:]]
            found = composed(given)
            whole = given[0]
            for graph in given[1:]:
                whole = whole @ graph
            assert_same_paths(found, whole)
            arcs += found.num_arcs
            penalties = np.zeros(found.num_arcs)
            for graph, sources in zip(given, found.sources, strict=True):
                reached = sources.index >= 0
                penalties[reached] += graph.penalties.numpy()[sources.index[reached]]
            np.testing.assert_array_equal(found.penalties, penalties)
            best = gtn.viterbi_path(*given)
            np.testing.assert_array_equal(gtn.viterbi_penalty(best), gtn.viterbi_penalty(whole))
            assert len(best.sources) == count
    assert arcs > 100


def test_symbols_data_and_back_off_of_several_composed_graphs():
    letters = gtn.string("ab", symbols=LETTERS).with_data(at=np.arange(2), ink=np.arange(2) + 5)
    elsewhere = gtn.string("ab", symbols=gtn.SymbolTable("dba"))
    words = gtn.from_arcs([(0, 1, "a", "x"), (1, 2, "b", "y")], final=2)
    words = words.with_data(page=np.array([3, 4]))
    model = gtn.Graph.from_arcs(
        [(0, 2, "x", 0.25), (0, 1, gtn.BACK_OFF, 0.5), (1, 2, "z", 2.0), (2, 1, gtn.BACK_OFF, 1.0),
         (1, 2, "y", 3.0)], final=2, data={"at": np.arange(5)},
    )  # fmt: skip
    given = (letters, elsewhere, words, model)
    with pytest.raises(DataError, match=r"\['at'\]; give one suffix for each of the 4"):
        gtn.viterbi_path(*given)
    best = gtn.viterbi_path(*given, suffixes=("_a", "_b", "_c", "_d"))
    assert gtn.path_text(best) == "xy"
    assert gtn.path_text(best, "input") == "ab"
    assert gtn.viterbi_penalty(best) == 4.25
    assert [s.tolist() for s in map(best.sources[3].of, range(2))] == [[0], [3, 4]]
    assert [best.data[k].tolist() for k in ("at_a", "ink", "page")] == [[0, 1], [5, 6], [3, 4]]
    assert best.data.column("at_d").values(reduce="sum").tolist() == [0, 7]


@pytest.mark.parametrize("beside", [0, 20])
@pytest.mark.parametrize("count", [2, 3])
def test_composed_or_searched_options_mean_the_same(count, beside):
    """Where the first graph has many arcs beside its path, the last two are composed first."""
    text = [(0, 1, "a", 0.5), (1, 2, "b"), *[(0, 2, "a", 9.0)] * beside]
    letters = gtn.from_arcs(text, final=2, symbols=LETTERS)
    letters = letters.with_data(at=np.arange(2 + beside))
    other = gtn.string("xy", symbols=gtn.SymbolTable("xyz"))  # with the same labels
    model = gtn.from_arcs(
        [(2, 1, 9, 1.0), (0, 2, 0, 0.25), (0, 1, 9, 0.5), (1, 2, 2, 2.0), (1, 2, 1, 3.0)], final=2
    ).with_data(at=np.arange(5))
    given = [letters, other, model][-count:]
    suffixes = [f"_{k}" for k in range(count)] if count == 3 else ("", "_model")
    options = {"symbols": "ignore", "failure": 9, "suffixes": suffixes}
    if count == 2:
        given[0] = given[0].with_data(at=np.arange(2) + 7)
    found, expected = (gtn.viterbi_path(*given, beam=beam, **options) for beam in (None, math.inf))
    assert gtn.equal(found, expected)
    assert gtn.viterbi_penalty(found) == 4.25 + 0.5 * (count == 3)
    assert [s.index.tolist() for s in found.sources[:-1]] == [[0, 1]] * (count - 1)
    assert [found.sources[-1].of(k).tolist() for k in range(2)] == [[1], [0, 4]]
    assert sorted(found.data) == [f"at{suffix}" for suffix in (suffixes[0], suffixes[-1])]


def test_of_several_composed_graphs_only_the_last_has_failure_arcs():
    backing_off = gtn.from_arcs([(0, 1, gtn.BACK_OFF), (1, 1, "a")], final=1)
    for place in range(2):
        given = [gtn.string("a", symbols=LETTERS)] * 3
        given[place] = backing_off
        with pytest.raises(GraphError, match=f"arc 0 of graph {place} .*failure"):
            composed(given)


def test_labels_are_those_of_the_last_table_whatever_is_composed_first():
    one, other = gtn.SymbolTable("ab"), gtn.SymbolTable("ba")
    likely = gtn.string("ba", symbols=one)
    for more in (0, 5):  # the last two match on fewer arcs where the first has many
        arcs = [(0, 1, "a", "b"), (1, 2, "b", "a"), *[(0, 1, "a", "b", 5.0)] * more]
        swap = gtn.from_arcs(arcs, final=2, isymbols=one, osymbols=one)
        for last in (gtn.string("ba", symbols=other), gtn.string("ba", symbols=one)):
            given = (swap, likely, last)
            best = gtn.viterbi_path(*given)
            assert gtn.equal(best, gtn.viterbi_path(*given, beam=math.inf))
            assert best.osymbols == last.osymbols
            assert best.olabels.tolist() == last.olabels.tolist()
    acceptors = (gtn.string("ba", symbols=one), likely, gtn.string("ba", symbols=other))
    assert gtn.viterbi_path(*acceptors).osymbols == one


def test_what_has_few_arcs_in_common_is_composed_first(monkeypatch):
    made = []

    def recorded(a, b, **options):
        made.append((a.num_arcs, b.num_arcs))
        return gtn.compose(a, b, **options)

    monkeypatch.setattr(association, "compose", recorded)
    words = ["".join(w) for w in itertools.product("abc", repeat=4)]
    lexicon = gtn.union(*(gtn.string(w, symbols=LETTERS) for w in words))
    frames = gtn.linear(torch.zeros(4, 3), symbols=LETTERS)
    loop = gtn.closure(gtn.string("abca", symbols=LETTERS))
    one = gtn.string("abca", symbols=LETTERS)
    for given, first in (
        ((frames, loop, lexicon), (0, 1)),
        ((lexicon, loop, one), (1, 2)),
        ((lexicon, one, lexicon), (0, 1)),
    ):
        made.clear()
        assert composed(given).num_arcs
        assert made[0] == tuple(given[i].num_arcs for i in first)
    batch = gtn.GraphBatch.from_graphs([frames, one])
    found = composed([batch, loop, lexicon])
    assert [len(labels) for labels in gtn.path_labels(gtn.viterbi_path(found))] == [4, 4]


def test_the_labels_of_a_graph_are_counted_once(monkeypatch):
    """Looking up a short string in large graphs does not go over all their arcs again."""
    large = [gtn.closure(gtn.string([0, 1, 2] * (100 + k))) for k in range(6)]
    text = gtn.string([0, 1, 2] * 600)
    expected = gtn.viterbi_path(text, *large)
    asked, counted, unique = [], [], np.unique
    candidates = association._candidates

    def asking(a, *others):
        asked.append(a)
        return candidates(a, *others)

    def counting(labels, **options):
        counted.append(len(labels))
        return unique(labels, **options)

    monkeypatch.setattr(association, "_candidates", asking)
    monkeypatch.setattr(association.np, "unique", counting)
    found = gtn.viterbi_path(text, *large)
    assert gtn.equal(found, expected)
    assert len(asked) <= 6 + 2 * 5
    assert not {graph.num_arcs for graph in large} & set(counted)


# -- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"beam": 1.0}])
def test_what_is_no_graph_among_several_is_told(options):
    a = gtn.string([1])
    for given in (("x", a), ("x", a, a), (a, "x"), (a, "x", a), (a, a, "x")):
        with pytest.raises(GraphError, match=r"a graph is needed, not str; gtn\.string makes one"):
            gtn.viterbi_path(*given, **options)


def test_a_cycle_of_the_first_graph_raises_unless_it_is_on_no_path():
    a = gtn.Graph.from_arcs([(0, 1, 1), (1, 1, 1)], final=1)
    for search in (
        lambda: gtn.compose(a, gtn.string([1]), beam=1.0),
        lambda: gtn.viterbi_path(a, gtn.string([1]), beam=1.0),
        lambda: gtn.viterbi_path(a, gtn.string([1]), gtn.string([1]), beam=math.inf),
    ):
        with pytest.raises(CyclicGraphError, match=r"first graph once.*nodes 1 -> 1.*in front"):
            search()
    off = gtn.Graph.from_arcs([(0, 1, 1), (2, 2, 1), (2, 0, 1), (1, 3, 1), (3, 3, 1)], final=1)
    assert gtn.compose(off, gtn.string([1]), beam=1.0).num_arcs == 1


def test_cycles_where_the_first_graph_stands_still():
    a = gtn.string([1, 2])
    arcs = [(0, 1, 1), (1, 2, None, 0.5), (2, 3, 2)]
    harmless = gtn.Graph.from_arcs([*arcs, (2, 1, None, -0.5)], final=3)
    assert gtn.viterbi_penalty(gtn.compose(a, harmless, beam=0.5)) == 0.5
    # Summed in this order, 0.3 - 0.1 - 0.2 is slightly negative, but this is not an improvement.
    rounded = gtn.Graph.from_arcs(
        [(0, 1, 1), (1, 2, None, 0.3), (2, 3, None, -0.1), (3, 1, None, -0.2), (2, 4, 2)],
        final=4, dtype=torch.float64,
    )  # fmt: skip
    assert gtn.viterbi_penalty(gtn.compose(a, rounded, beam=0.5)) == 0.3
    b = gtn.Graph.from_arcs([*arcs, (2, 1, None, -0.75)], final=3)
    message = r"stands still at node 1, the others going round at nodes \[(1|2)\]"
    with pytest.raises(NegativeCycleError, match=message):
        gtn.compose(a, b, beam=5.0)
    message = r"stands still at node 1, the others going round at nodes \[1, (1|2)\]"
    with pytest.raises(NegativeCycleError, match=message):
        pruned([a, a, b], beam=5.0)


def test_epsilons_of_negative_penalty_make_tokens_better():
    a = gtn.string([1, 2])
    b = gtn.Graph.from_arcs(
        [(0, 1, 1, 0.0), (0, 2, 1, 3.0), (2, 3, None, -9.0), (3, 4, 2), (1, 4, 2)], final=4
    )
    c = gtn.compose(a, b, beam=4.0)
    assert gtn.viterbi_penalty(c) == -6.0
    assert gtn.viterbi_penalty(gtn.compose(a, b, beam=2.0)) == 0.0


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_penalties_that_are_none_are_named(bad):
    a, b = gtn.string([1, 2]), gtn.string([1, 2])
    for graph in (a, b):
        graph.penalties[1] = bad
        with pytest.raises(GraphError, match="arc 1 has penalty"):
            gtn.compose(a, b, beam=1.0)
        graph.penalties[1] = 0.0


def test_a_sum_of_penalties_that_float64_cannot_hold_is_told():
    least = gtn.from_arcs([(0, 1, 0, -1.7e308)], final=1, dtype=torch.float64)
    with pytest.raises(GraphError, match="less than float64 can hold"):
        gtn.compose(least, least, beam=1.0)


@pytest.mark.parametrize("options", [{}, {"symbols": "ignore"}, {"failure": "#"}])
def test_a_beam_that_loses_nothing_takes_the_other_arguments_too(options):
    tables = gtn.SymbolTable("xy#"), gtn.SymbolTable("yx#")
    a = gtn.from_arcs(
        [(0, 1, "x", 0.5), (0, 1, "y", 1.0)],
        final=1, symbols=tables[0], data={"row": np.array([1, 2])},
    )  # fmt: skip
    b = gtn.from_arcs(
        [(0, 2, "x", 0.25), (0, 1, "#", 0.5), (1, 2, "x", 2.0), (1, 2, "y", 3.0)],
        start=[0, 1], final=2, symbols=tables[1], data={"row": np.arange(4) + 10},
    )  # fmt: skip

    def described(graph):
        rows = (graph.data.column(key).values(reduce="sum") for key in ("row_a", "row_b"))
        arcs = zip(graph.ilabels, graph.olabels, graph.penalties.tolist(), *rows, strict=True)
        return sorted(arcs), graph.isymbols, graph.osymbols

    whole = gtn.compose(a, b, suffixes=("_a", "_b"), **options)
    for limit in ({"beam": 100.0}, {"max_active": 100}):
        found = gtn.compose(a, b, suffixes=("_a", "_b"), **options, **limit)
        assert described(found) == described(whole)
    without = gtn.compose(a, b, suffixes=("_a", "_b"))
    assert not options or described(whole) != described(without)


def test_arguments_are_checked():
    a = gtn.string([1])
    with pytest.raises(GraphError, match="beam=-1"):
        gtn.compose(a, a, beam=-1)
    with pytest.raises(GraphError, match="beam=nan"):
        gtn.compose(a, a, beam=math.nan)
    for wrong in ("8", True, [1.0]):
        with pytest.raises(TypeError, match=re.escape(f"beam={wrong!r}; it is a number")):
            gtn.compose(a, a, beam=wrong)
    for none in (0, -1):
        with pytest.raises(GraphError, match=f"max_active={none}"):
            gtn.compose(a, a, max_active=none)
    with pytest.raises(TypeError, match="max_active=nan"):
        gtn.compose(a, a, max_active=math.nan)
    with pytest.raises(GraphError, match="known are 'trivial'"):
        gtn.compose(a, a, beam=1.0, filter="alt")
    for suffixes in (("_a",), ("_a", "_b", "_c")):
        for beam in (None, 1.0):
            with pytest.raises(gtn.DataError, match="one suffix for each of the 2 operands"):
                gtn.compose(a, a, beam=beam, suffixes=suffixes)
    with pytest.raises(gtn.DataError, match="one suffix for each of the 3 operands"):
        gtn.viterbi_path(a, a, a, suffixes=("_a", "_b"))
    for decode in (gtn.viterbi_path, lambda g, **options: gtn.n_best(g, 2, **options)):
        for option in ({"beam": 3.0}, {"max_active": 3}, {"failure": 2}):
            with pytest.raises(GraphError, match="several graphs"):
                decode(a, **option)
    batches = [gtn.GraphBatch.from_graphs([a] * n) for n in (1, 2)]
    with pytest.raises(GraphError, match="batch of 1 graph meets a batch of 2"):
        gtn.compose(*batches, beam=1.0)


def test_empty_and_trivial_operands():
    point = gtn.from_arrays([], [], [], start=0, final={0: 1.5}, num_nodes=1)
    word, empty = gtn.string([3, 4]), gtn.empty()
    pairs = (empty, word), (word, empty), (empty, empty), (word, point), (word, gtn.string([3]))
    for a, b in pairs:
        c = gtn.compose(a, b, beam=3.0)
        assert (c.num_nodes, c.num_arcs, len(c.starts), len(c.finals)) == (0, 0, 0, 0)
    both = gtn.compose(point, point, beam=3.0)
    assert (both.num_nodes, both.starts.tolist(), both.final_penalties.tolist()) == (1, [0], [3.0])
    assert len(paths(both)) == 1
