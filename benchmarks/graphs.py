"""The graphs of the cases, made from fixed seeds."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import torch

import gtn

__all__ = [
    "dense_loops",
    "fresh",
    "letter_lattice",
    "lexicon",
    "parallel_arcs",
    "shuffled",
    "sparse_graph",
    "spoken",
    "words",
]

LETTERS = 26


def fresh(graph: gtn.Graph) -> gtn.Graph:
    """Return the graph with a new topology, which has no index yet."""
    t = graph.topology
    copy = gtn.Topology(
        t.num_nodes,
        t.src,
        t.dst,
        t.ilabels,
        None if t.olabels is t.ilabels else t.olabels,
        starts=t.starts,
        finals=t.finals,
        node_offsets=t.node_offsets if t.is_batch else None,
        arc_offsets=t.arc_offsets if t.is_batch else None,
        check=False,
    )
    return type(graph)(
        copy,
        graph.penalties,
        start_penalties=graph.start_penalties,
        final_penalties=graph.final_penalties,
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        check=False,
    )


@cache
def words(count: int) -> tuple[str, ...]:
    """Return the most frequent English words of the letters a to z, most frequent first."""
    import wordfreq

    found = [w for w in wordfreq.top_n_list("en", 400_000) if re.fullmatch("[a-z]+", w)]
    if len(found) < count:
        raise ValueError(f"{count} words were asked for, but only {len(found)} are known")
    return tuple(found[:count])


@cache
def lexicon(count: int, closed: bool = True) -> gtn.Graph:
    """Return the letter trie of the most frequent words, or its closure: any words in a row.

    The penalty of a word grows with its rank. Penalties lie as near to the start as other words
    allow (pushed), so that a beam sees them early; all are multiples of 2^-8.
    """
    children: list[dict[int, int]] = [{}]
    ends: dict[int, float] = {}
    for rank, word in enumerate(words(count)):
        node = 0
        for letter in word.encode():
            after = children[node].setdefault(letter - 97, len(children))
            if after == len(children):
                children.append({})
            node = after
        ends[node] = round(256 * float(np.log2(rank + 2))) / 256
    arcs = [(n, m, c) for n, after in enumerate(children) for c, m in sorted(after.items())]
    src, dst, labels = np.array(arcs).T
    least = np.full(len(children), np.inf)
    least[list(ends)] = list(ends.values())
    for node, after, _ in sorted(arcs, key=lambda arc: -arc[1]):
        least[node] = min(least[node], least[after])
    trie = gtn.Graph.from_arrays(
        src,
        dst,
        labels,
        penalties=torch.from_numpy(least[dst] - least[src]),
        final={node: penalty - least[node] for node, penalty in ends.items()},
        num_nodes=len(children),
    )
    return fresh(gtn.closure(trie) if closed else trie)


def letter_lattice(frames: int, seed: int = 0) -> gtn.Graph:
    """Return a chain of frames with an arc for every letter."""
    return gtn.linear(torch.from_numpy(_drawn(seed, 0, 5, (frames, LETTERS))))


def spoken(frames: int, count: int, seed: int = 0) -> gtn.Graph:
    """Return a lattice of letters in which the letters of random words have low penalties."""
    rng = np.random.default_rng(seed)
    text = ""
    while len(text) < frames:
        text += words(count)[int(rng.integers(min(count, 2000)))]
        if len(text) > frames:
            text = ""
    penalties = rng.uniform(3, 9, (frames, LETTERS))
    said = np.frombuffer(text[:frames].encode(), dtype=np.uint8) - 97
    penalties[np.arange(frames), said] = rng.uniform(0, 2, frames)
    return gtn.linear(torch.from_numpy(np.round(256 * penalties) / 256))


def shuffled(graph: gtn.Graph, seed: int = 0) -> gtn.Graph:
    """Return the graph with its arcs in random order."""
    order = np.random.default_rng(seed).permutation(graph.num_arcs)
    return gtn.Graph.from_arrays(
        graph.src[order],
        graph.dst[order],
        graph.ilabels[order],
        None if graph.topology.is_acceptor else graph.olabels[order],
        penalties=graph.penalties[torch.from_numpy(order)],
        start=graph.starts.tolist(),
        final=graph.finals.tolist(),
        start_penalties=graph.start_penalties,
        final_penalties=graph.final_penalties,
        num_nodes=graph.num_nodes,
    )


def dense_loops(frames: int, classes: int, nodes: int, arcs: int) -> tuple[gtn.Graph, gtn.Graph]:
    """Return a chain, and a chain of nodes with as many looping arcs as arcs to the next node."""
    chain = gtn.linear(torch.from_numpy(_drawn(0, 0, 5, (frames, classes))))
    own = np.repeat(np.arange(nodes), arcs)
    src = np.concatenate((own, own))
    dst = np.concatenate((own, np.minimum(own + 1, nodes - 1)))
    labels = np.tile(np.arange(arcs), 2 * nodes)
    loops = gtn.Graph.from_arrays(
        src, dst, labels, penalties=torch.from_numpy(_drawn(1, 0, 5, len(src))), final=nodes - 1
    )
    return chain, loops


def sparse_graph(nodes: int, arcs: int) -> gtn.Graph:
    """Return a random acyclic graph in which every node is on a path."""
    rng = np.random.default_rng(0)
    src = np.concatenate((np.arange(nodes - 1), rng.integers(0, nodes - 1, arcs - nodes + 1)))
    dst = np.minimum(src + rng.integers(1, 100, len(src)), nodes - 1)
    dst[: nodes - 1] = np.arange(1, nodes)
    penalties = torch.from_numpy(_drawn(1, 0, 5, len(src)))
    labels = np.ones(len(src), dtype=np.int32)
    return gtn.Graph.from_arrays(src, dst, labels, penalties=penalties, final=nodes - 1)


def parallel_arcs(length: int, arcs: int) -> gtn.Graph:
    """Return a chain of nodes with many arcs from each to the next."""
    return gtn.linear(torch.from_numpy(_drawn(2, 0, 5, (length, arcs))))


def _drawn(seed: int, low: float, high: float, shape: Any) -> Any:
    """Return penalties that are multiples of 2^-8, and so exact even in float32."""
    return np.random.default_rng(seed).integers(256 * low, 256 * high, shape) / 256
