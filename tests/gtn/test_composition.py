"""Composition against brute force: every pair of paths with matching strings, exactly once."""

from __future__ import annotations

import pickle
from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch

import gtn
from gtn.composition import ComposePlan, compose, intersect
from gtn.errors import DataError, GraphError, SymbolError
from gtn.kernels import composition as kernels
from gtn.symbols import EPSILON

LONGEST = 3  # arcs of an operand's path; the graphs have cycles


def random_graph(rng, *, nodes=4, arcs=7, labels=2, cyclic=True, dtype=torch.float64):
    """A random transducer: epsilons on both sides, several starts and finals, parallel arcs."""
    n = int(rng.integers(1, nodes + 1))
    count = int(rng.integers(0, arcs + 1))
    src, dst = rng.integers(0, n, count), rng.integers(0, n, count)
    if not cyclic:
        src, dst = np.minimum(src, dst)[src != dst], np.maximum(src, dst)[src != dst]
    draw = rng.choice([0, 0, 0.5]), labels
    ends = [np.flatnonzero(rng.random(n) < 0.5) for _ in range(2)]
    return gtn.from_arrays(
        src,
        dst,
        *(
            np.where(rng.random(len(src)) < 0.35, EPSILON, rng.integers(0, labels, len(src)))
            for _ in range(2)
        ),
        penalties=torch.from_numpy(rng.integers(0, 64, len(src)) / 8).to(dtype),
        start={int(i): float(rng.integers(0, 8)) for i in ends[0]},
        final={int(i): float(rng.integers(0, 8)) for i in ends[1]},
        num_nodes=n,
    )


def paths(g, longest=LONGEST):
    """All accepted paths of a graph with at most some arcs, as (arcs, penalty)."""
    ends = dict(zip(g.finals.tolist(), g.final_penalties.tolist(), strict=True))
    found, open_ = [], []
    for node, penalty in zip(g.starts.tolist(), g.start_penalties.tolist(), strict=True):
        open_.append(((node,), (), penalty))
    while open_:
        nodes, arcs, penalty = open_.pop()
        if nodes[-1] in ends:
            found.append((nodes[0], arcs, penalty + ends[nodes[-1]]))
        if len(arcs) < longest:
            for arc in np.flatnonzero(g.src == nodes[-1]).tolist():
                total = penalty + g.penalties[arc].item()
                open_.append(((*nodes, int(g.dst[arc])), (*arcs, arc), total))
    return found


def string(labels, arcs):
    return tuple(int(labels[a]) for a in arcs if labels[a] != EPSILON)


def expected_pairs(a, b, longest=LONGEST):
    """Pairs of paths where one writes what the other reads: brute force."""
    pairs = Counter()
    for (_, p, cost_p), (_, q, cost_q) in product(paths(a, longest), paths(b, longest)):
        if string(a.olabels, p) == string(b.ilabels, q):
            pairs[p, q, string(a.ilabels, p), string(b.olabels, q), cost_p + cost_q] += 1
    return pairs


def found_pairs(c, longest=LONGEST):
    """Paths of a composition, each as the pair of operand paths that its sources name."""
    left, right = (sources.index for sources in c.sources)
    pairs = Counter()
    ends = dict(zip(c.finals.tolist(), c.final_penalties.tolist(), strict=True))
    open_ = [(n, (), p) for n, p in zip(c.starts.tolist(), c.start_penalties.tolist(), strict=True)]
    while open_:
        node, arcs, penalty = open_.pop()
        p, q = (tuple(int(s[a]) for a in arcs if s[a] >= 0) for s in (left, right))
        if max(len(p), len(q)) > longest:
            continue
        if node in ends:
            strings = string(c.ilabels, arcs), string(c.olabels, arcs)
            pairs[p, q, *strings, penalty + ends[node]] += 1
        for arc in np.flatnonzero(c.src == node).tolist():
            total = penalty + c.penalties[arc].item()
            open_.append((int(c.dst[arc]), (*arcs, arc), total))
    return pairs


def assert_connected(g):
    assert g.topology.is_connected
    assert np.all(np.diff(g.starts) > 0)
    assert np.all(np.diff(g.finals) > 0)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("filter", ["sequence", "match", "trivial"])
def test_composition_pairs_all_paths(seed, filter):
    rng = np.random.default_rng(seed)
    a, b = random_graph(rng), random_graph(rng)
    c = compose(a, b, filter=filter)
    assert_connected(c)
    found, expected = found_pairs(c), expected_pairs(a, b)
    if filter == "trivial":
        assert set(found) == set(expected)
        assert all(found[pair] >= expected[pair] for pair in expected)
    else:
        assert found == expected
