"""Weighted subset construction with differentiable residuals, the core of determinization."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import assemble, gather
from gtn.data import Sources
from gtn.determinization.determinism import Symbols, outgoing_by_symbol
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.indexes import frozen
from gtn.kernels import weighted_subsets as kernels
from gtn.kernels.breadth_first import breadth_first
from gtn.paths.distance import Semiring, distances_float64
from gtn.paths.pruning import Bounds
from gtn.symbols import EPSILON
from gtn.tensors import as_array, as_given, float64_penalties
from gtn.topology import Topology

__all__ = ["determinized"]

Int32s = NDArray[np.int32]
Array = NDArray[Any]


class Subsets(NamedTuple):
    """The result of the construction; the kernel's docstring defines the terms."""

    state_offsets: Int32s  # states by graph, [B + 1]
    group_of: Array  # of each state: the group that first led to it
    last_output: Array  # of each state: the string still to be written at its end, -1: not final
    src: Array  # of each group: the state it leaves, -1: the starts of a graph
    dst: Array
    symbol: Array
    output: Array  # string
    kept: Array  # how many of its elements are kept
    bases: Array  # elements by group
    step_offsets: Array  # steps by group
    node: Array  # of each element
    step_src: Array  # element, -1: a start
    step_dst: Array
    step_arc: Array  # or start
    trie: Int32s  # of strings: parent, last label and length


def determinized(
    graph: Graph,
    nodes: Int32s,
    symbols: Symbols,
    *,
    outputs: bool,
    semiring: Semiring,
    delta: float,
    max_nodes: int,
    beam: float = math.inf,
    best: Graph | None = None,
) -> Graph:
    """Return the deterministic graph of a graph with finite penalties.

    Args:
        graph: without arcs that neither read nor write.
        nodes: the numbers of its nodes in messages.
        symbols: what each arc reads.
        outputs: whether output labels form strings, apart from the symbols.
        semiring, delta, max_nodes, beam: as in :func:`gtn.determinize`.
        best: the same graph, with the penalty of the best way that each arc and final stands for,
            by which the beam is measured; unless given, the graph itself.
    """
    narrow = None if beam == math.inf else _narrow(graph if best is None else best, beam)
    found = _subsets(graph, nodes, symbols, outputs, semiring, delta, max_nodes, narrow, beam)
    arcs, starts, finals = _penalties(graph, found, semiring)
    strings = _Strings(found.trie)
    # Each group except those of starts becomes an arc, or several if it writes several labels.
    # What is left to write at the end of a state becomes a chain of arcs to a new final node.
    groups, owing = np.flatnonzero(found.src >= 0), np.flatnonzero(found.last_output > 0)
    is_group = np.repeat([True, False], [len(groups), len(owing)])
    walk = np.concatenate((groups, owing))
    src = np.concatenate((found.src[groups], owing))
    string = np.concatenate((found.output[groups], found.last_output[owing]))
    graph_of = np.searchsorted(found.state_offsets, src, side="right") - 1
    by_graph = np.argsort(graph_of, kind="stable")
    walk, src, string, is_group, graph_of = (
        column[by_graph] for column in (walk, src, string, is_group, graph_of)
    )
    length = strings.length[string]
    num_arcs = np.where(is_group, np.maximum(length, 1), length)
    num_new = num_arcs - is_group
    new_before = np.r_[0, np.cumsum(num_new)]
    # New nodes of a graph come after its states.
    ahead = new_before[np.searchsorted(graph_of, np.arange(len(found.state_offsets)))]
    node_offsets = found.state_offsets + ahead
    if node_offsets[-1] > max_nodes:
        raise GraphError(
            f"the deterministic graph has {node_offsets[-1]} nodes, {new_before[-1]} of them to "
            f"write several labels in a row, and max_nodes={max_nodes}; allow more"
        )
    state_graph = np.repeat(np.arange(len(ahead) - 1), np.diff(found.state_offsets))
    number = np.arange(len(state_graph)) + ahead[state_graph]
    first_new = found.state_offsets[graph_of + 1] + new_before[:-1]
    # Arc k of walk w.
    w = np.repeat(np.arange(len(walk)), num_arcs)
    k = np.arange(len(w)) - np.repeat(np.cumsum(num_arcs) - num_arcs, num_arcs)
    begins, through = k == 0, k < num_new[w]
    speaks = begins & is_group[w]
    target = np.where(is_group, found.dst[np.where(is_group, walk, 0)], 0)
    arc_src = np.where(begins, number[src[w]], first_new[w] + k - 1)
    arc_dst = np.where(through, first_new[w] + k, number[target[w]])
    group = np.where(speaks, walk[w], -1).astype(np.int32)
    symbol = np.where(speaks, found.symbol[group], -1)  # -1: the last label, which is epsilon
    ilabels = np.append(symbols.ilabels, EPSILON)[symbol]
    acceptor = graph.topology.is_acceptor
    if outputs:
        olabels = np.where(length[w] > 0, strings.labels(string)[_start_of(length)[w] + k], EPSILON)
    else:
        olabels = np.append(symbols.olabels, EPSILON)[symbol]
    order = np.argsort(arc_src, kind="stable")
    group = group[order]
    # A final state with nothing left to write is final itself; otherwise its chain's end is.
    ends = np.flatnonzero(found.last_output >= 0)
    final_nodes = number[ends]
    chain = np.flatnonzero(~is_group)
    final_nodes[np.searchsorted(ends, walk[chain])] = first_new[chain] + num_new[chain] - 1
    by_node = np.argsort(final_nodes)
    topology = Topology(
        int(node_offsets[-1]),
        arc_src[order],
        arc_dst[order],
        ilabels[order],
        None if acceptor else olabels[order],
        starts=number[found.dst[found.src < 0]],
        finals=final_nodes[by_node],
        node_offsets=node_offsets,
        arc_offsets=np.searchsorted(arc_src[order], node_offsets),
        is_batch=graph.topology.is_batch,
        check=False,
    )
    sources = Sources(found.step_arc, found.step_offsets).then(Sources(group))
    return assemble(
        topology,
        as_given(gather(arcs, group), graph),
        as_given(starts, graph),
        as_given(gather(finals, by_node.astype(np.int32)), graph),
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        data=graph.data.take(sources),
        sources=(sources,),
    )


def _subsets(
    graph: Graph,
    nodes: Int32s,
    symbols: Symbols,
    outputs: bool,
    semiring: Semiring,
    delta: float,
    max_nodes: int,
    narrow: kernels.Beam | None,
    beam: float,
) -> Subsets:
    """Run the kernel, and raise the error that it reports, if any."""
    t = graph.topology
    silent = np.flatnonzero(symbols.of_arc < 0)
    rank = np.arange(t.num_nodes, dtype=np.int32)
    if len(silent):
        order = _silent_order(t, silent)
        rank[order] = np.arange(t.num_nodes, dtype=np.int32)
    arcs, starts, _ = (p.detach() for p in float64_penalties(graph))
    out = outgoing_by_symbol(t, symbols)
    machine = kernels.Machine(
        symbols.of_arc,
        t.olabels if outputs else frozen(np.full(t.num_arcs, EPSILON, dtype=np.int32)),
        t.src,
        t.dst,
        as_array(arcs),
        *out,
        frozen(symbols.of_arc[out.arcs]),
        t.starts,
        as_array(starts),
        t.start_offsets,
        frozen(t.final_of_nodes >= 0),
        frozen(rank),
    )
    longest = max(t.num_nodes, 10_000)
    if beam == math.inf:  # with a beam, more labels may wait than with an end to the construction
        longest = min(t.num_nodes**2, longest)
    status, where, left, state_offsets, states, groups, element_node, steps, trie = (
        kernels.weighted_subsets(machine, semiring == "tropical", delta, max_nodes, longest, narrow)
    )
    if status == kernels.TOO_MANY and beam < math.inf:
        raise GraphError(
            f"the deterministic graph has more than {max_nodes} nodes, from {t.num_nodes}: as many "
            f"lie on strings within {max(beam - left, 0.0):.3g} nats of the best path, and "
            f"beam={beam:g}. Narrow the beam or allow more with max_nodes"
            + ("" if t.is_acyclic else "; cycles of penalty 0 may be unrolled without end")
        )
    if status == kernels.TOO_MANY:
        raise GraphError(
            f"the deterministic graph has more than {max_nodes} nodes, from {t.num_nodes}: allow "
            "more with max_nodes. If the graph has cycles there may be no end to it (two cycles "
            "that read the same string with different penalties, from nodes that one string "
            "reaches): merge residual penalties that are further apart with delta, or leave "
            "the graph as it is. For a lattice, keep the strings near the best path with beam=8.0"
        )
    if status == kernels.TOO_LONG:
        waiting = (
            f"at node {nodes[where]} more than {longest} labels wait to be written, from "
            f"{t.num_nodes} nodes"
        )
        if beam < math.inf:
            raise GraphError(
                f"{waiting}, within beam={beam:g} of the best path: narrow the beam, or take pairs "
                "of labels as symbols, side='both'"
            )
        raise GraphError(
            f"{waiting}: no transducer that is deterministic on its input writes the same; take "
            "pairs of labels as symbols, side='both'"
        )
    if status:
        ends = "ends at" if status == kernels.OTHER_END else "reaches"
        raise GraphError(
            f"the transducer is not functional: a string that {ends} node {nodes[where]} has two "
            "different outputs; take pairs of labels as symbols, side='both'"
        )
    group_of, last_output, first_groups = states
    src, dst, symbol, output, kept = groups[:5, :-1]
    if narrow is not None:  # the best were found first
        order = breadth_first(state_offsets, first_groups, src, dst)
        number = np.empty(len(order) + 1, dtype=np.int64)
        number[order], number[-1] = np.arange(len(order)), -1
        src, dst = number[src], number[dst]
        group_of, last_output = group_of[order], last_output[order]
    rest = symbol, output, kept, *groups[5:], element_node, *steps, trie
    return Subsets._make((state_offsets, group_of, last_output, src, dst, *rest))


def _narrow(best: Graph, beam: float) -> kernels.Beam:
    """Return the beam as the kernel takes it: penalties of best ways, and limits."""
    t, bounds = best.topology, Bounds.of(best, beam)
    arcs, _, finals = (as_array(p) for p in float64_penalties(best.detach()))
    ends = np.full(t.num_nodes, np.inf)
    ends[t.finals] = finals
    return kernels.Beam(arcs, as_array(bounds.behind), ends, as_array(bounds.limits))


def _silent_order(t: Topology, silent: Array) -> Int32s:
    """Return a topological order along the arcs that read nothing."""
    rest = Topology(
        t.num_nodes,
        t.src[silent],
        t.dst[silent],
        t.ilabels[silent],
        starts=t.starts,
        finals=t.finals,
        check=False,
    )
    if not rest.is_acyclic:
        raise GraphError(
            "the transducer is not functional: it writes without reading round the cycle of "
            f"{t.describe_cycle(silent[rest.cycle].astype(np.int32))}"
        )
    return rest.order


def _penalties(
    graph: Graph, found: Subsets, semiring: Semiring
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the penalties of groups, starts and final states, differentiable, float64.

    All are differences of shortest distances d in one acyclic graph. Its nodes are the elements;
    a node for each group, to which all its kept elements lead, so that its distance is the penalty
    of a string that leads there; and a node for each final state, to which its elements lead with
    their final penalties. Let D be the distance of the group that first led to a state. Then a
    group that leaves the state has the penalty d(group) - D, and its end has d(end) - D.
    """
    t = graph.topology
    arcs, starts, finals = float64_penalties(graph)
    elements, groups = len(found.node), len(found.src)
    ends = np.flatnonzero(found.last_output >= 0)
    group_of_element = np.repeat(np.arange(groups), np.diff(found.bases))
    is_kept = np.arange(elements) < (found.bases[:-1] + found.kept)[group_of_element]
    kept = np.flatnonzero(is_kept)
    # The elements of final states at whose nodes a path can end.
    final_of = t.final_of_nodes
    end_of = np.full(groups, -1, dtype=np.int64)
    end_of[found.group_of[ends]] = elements + groups + np.arange(len(ends))
    ending = np.flatnonzero((end_of[group_of_element] >= 0) & (final_of[found.node] >= 0))
    moves = np.flatnonzero(found.step_src >= 0)
    begin = np.flatnonzero(found.step_src < 0)
    src = np.concatenate((found.step_src[moves], kept, ending))
    walk = Topology(
        elements + groups + len(ends),
        src,
        np.concatenate(
            (
                found.step_dst[moves],
                elements + group_of_element[kept],
                end_of[group_of_element[ending]],
            )
        ),
        np.zeros(len(src), dtype=np.int32),
        starts=np.sort(found.step_dst[begin]),
        finals=np.empty(0, dtype=np.int32),
        check=False,
    )
    begin = begin[np.argsort(found.step_dst[begin])]
    ways = Graph(
        walk,
        torch.cat(
            (
                gather(arcs, found.step_arc[moves]),
                arcs.new_zeros(len(kept)),
                gather(finals, final_of[found.node[ending]]),
            )
        ),
        start_penalties=gather(starts, found.step_arc[begin]),
        check=False,
    )
    distances = distances_float64(ways, "forward", semiring)
    totals = distances[elements : elements + groups]
    own = gather(totals, found.group_of)
    begins = found.src < 0
    before = gather(own, np.where(begins, -1, found.src).astype(np.int32))
    return (
        totals - before,
        gather(totals, np.flatnonzero(begins).astype(np.int32)),
        distances[elements + groups :] - gather(own, ends.astype(np.int32)),
    )


class _Strings:
    """The strings of a trie."""

    def __init__(self, trie: Int32s) -> None:
        self.parent, self.last, self.length = trie

    def labels(self, strings: Array) -> Array:
        """Return the labels of strings, concatenated, and one more entry without meaning."""
        lengths = self.length[strings]
        place = np.cumsum(lengths)
        labels = np.full(int(lengths.sum()) + 1, EPSILON, dtype=np.int32)
        on, back = np.flatnonzero(lengths), 1
        strings = strings[on]
        while len(on):
            labels[place[on] - back] = self.last[strings]
            longer = lengths[on] > back
            on, strings = on[longer], self.parent[strings[longer]]
            back += 1
        return labels


def _start_of(lengths: Array) -> Array:
    return np.cumsum(lengths) - lengths
