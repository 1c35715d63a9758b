"""Determinization: graphs that read a string in at most one way."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.arguments import real_number, whole_number
from gtn.batch import assemble, traced
from gtn.data import Sources
from gtn.determinization.determinism import Symbols, outgoing_by_symbol, symbols_of
from gtn.determinization.subsets import determinized
from gtn.epsilons import without_epsilons
from gtn.errors import GraphError
from gtn.graph import Graph, check_all_penalties, check_graph
from gtn.indexes import LARGEST, frozen
from gtn.kernels import determinization
from gtn.kernels.determinization import subset_construction
from gtn.optimization import connect, finite_part
from gtn.paths.pruning import checked_distance, part_within
from gtn.product.failure import check_reads_none, failure_label
from gtn.topology import Topology

__all__ = ["check_semiring", "check_unweighted", "determinize", "tolerance", "unweighted"]

Int32s = NDArray[np.int32]
Semiring = Literal["log", "tropical", "boolean"]


def determinize(
    graph: Graph,
    *,
    semiring: Semiring = "log",
    side: Literal["input", "both"] = "input",
    beam: float | None = None,
    delta: float | None = None,
    max_nodes: int = 1_000_000,
) -> Graph:
    """Return a graph that gives each string the same penalty and reads it in at most one way.

    Weighted subset construction (Mohri 2009): a node of the result is a set of nodes, each with a
    residual penalty and a residual string that it still has to write. The result has at most one
    start and, at every node, at most one arc per input label; every node is on a path. If an arc
    writes several labels, arcs that only write follow it; such arcs also write what remains at
    the end. Nodes are numbered breadth first from the start; arcs are ordered by node and label.
    On a batch, graph by graph.

    Penalties and derivatives of any order are exact, unless two sets become one node because
    residuals that come from different arcs agree within ``delta``. Then the residuals of the first
    set stand for both: values within ``delta`` for each such node that a string passes, which may
    take it across the beam, but derivatives from other arcs. With penalties in general position
    that does not happen.

    Every acyclic acceptor has a result. A cyclic one has a result if any two cycles that read the
    same string, from nodes that one string reaches, have equal penalties (the twins property). It
    can have as many nodes as there are subsets. Time and memory are those of the arcs that leave
    all subsets, which are the sources of the result.

    With a ``beam``, the result has all strings whose best path is within the beam of the best path
    of the graph. Their penalties and derivatives are exact; in the log semiring they are those of
    all paths of the string, also of paths beyond the beam. Some strings beyond the beam remain,
    because their nodes and arcs are needed: in the log semiring with their exact penalty, in the
    tropical one with the penalty of one of their paths, also beyond the beam. Every arc is needed
    by a string within the beam, so in the tropical semiring :func:`gtn.prune` by the same beam
    removes nothing more. The search is best first (Povey et al. 2012), guided by the exact penalty
    from each node to the end, and builds no subset that the result does not need. In the tropical
    semiring it also skips the nodes, arcs and epsilons beyond the beam; as what is skipped depends
    on how much of the beam is left, one set of nodes may become several, and the result now and
    then a little larger than without a beam. In the log semiring every path counts; to sum fewer,
    prune the graph by a wider beam first. Cycles of positive penalty are unrolled only as far as
    the beam, whatever they read.

    The ``sources`` of an arc are all arcs with its label that leave its subset of nodes; its data
    are read with a ``reduce``, as in ``g.data.column("time").values(reduce="min")``.

    Args:
        graph: acceptor, or transducer that writes at most one string per input (functional);
            epsilons, several starts, infinite penalties (no way) are fine.
        semiring: what each string keeps: ``"log"``: the sum over all its paths; ``"tropical"``:
            the least; ``"boolean"``: whether it has a path (all penalties must be zero).
        side: ``"input"``: deterministic on its input. ``"both"``: pairs of labels count as one
            symbol each, for any transducer.
        beam: how much worse than the best path of the graph (of each graph of a batch) the best
            path of a string may be, in nats; unless given, all strings stay.
        delta: how far apart residuals may be, in nats, to count as equal; unless given, 1e-9 for
            penalties in float64 and 1e-5 for float32.
        max_nodes: how many nodes the result may have, all graphs of a batch together. This bound
            stops the construction for a graph without a deterministic form.

    Raises:
        GraphError: too many nodes (with a beam, saying how near the best path they are); a
            transducer that is not functional (in the tropical semiring, within the beam), naming
            a node, or of which too many labels wait to be written; a NaN or -inf penalty, naming
            the arc; failure arcs in a graph that is not deterministic, or with a beam; a wrong
            beam, ``delta`` or ``max_nodes``; with ``"boolean"``, a beam, or a penalty that is not
            zero, naming the arc, start or final.
        DivergentGraphError, NegativeCycleError: as :func:`gtn.remove_epsilon`; with a beam, any
            cycle of negative penalty that lies on a path.
        TypeError: a beam or ``delta`` that is not a number, ``max_nodes`` that is not a whole one.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs(
    ...     [(0, 1, "a", 1.0), (0, 2, "a", 2.0), (1, 3, "b", 1.0), (2, 3, "c", 0.5)], final=3)
    >>> determinize(g, semiring="tropical")
    Graph: 3 nodes, 3 arcs, start 0, final 2
      0 -> 1  a  1
      1 -> 2  b  1
      1 -> 2  c  1.5
    >>> determinize(g).sources[0].of(0)
    array([0, 1], dtype=int32)
    >>> determinize(g, semiring="tropical", beam=0.25)
    Graph: 3 nodes, 2 arcs, start 0, final 2
      0 -> 1  a  1
      1 -> 2  b  1
    """
    check_graph(graph)
    check_semiring(semiring)
    if side not in ("input", "both"):
        raise GraphError(f"side={side!r}; it is 'input' or 'both'")
    if failure_label(graph, None) is not None and not graph.topology.is_deterministic:
        # Of several nodes in one subset, some would have to back off and others not.
        check_reads_none(graph, "the graph")
    delta = tolerance(graph, delta)
    within = math.inf if beam is None else checked_distance(beam)
    max_nodes = min(whole_number(max_nodes, "max_nodes"), LARGEST)
    if max_nodes < 0:
        raise GraphError(f"max_nodes={max_nodes}; it is a number of nodes, 0 or more")
    check_all_penalties(graph)  # now, while arcs still have their numbers
    if within < math.inf:
        check_reads_none(graph, "the graph")
    pairs = side == "both" or graph.topology.is_acceptor
    if semiring == "boolean":
        if within < math.inf:
            raise GraphError(
                f"beam={within:g}, and a boolean determinize is unweighted: no path is best"
            )
        check_unweighted(graph, "a boolean determinize")
        if pairs:
            return _boolean(graph, max_nodes)
    sums: Literal["log", "tropical"] = "log" if semiring == "log" else "tropical"
    part, nodes = finite_part(graph)
    part = part.to("cpu", torch.float64)  # of equal sums, none may be rounded beyond the beam
    best = None
    if within < math.inf and sums == "tropical":
        # What lies on no path within the beam is on no best path of a string within it. Prune
        # again without epsilons: most of the many arcs that replace them are on no such path.
        part, nodes = _near(part, nodes, within)
        speaking, others = without_epsilons(part, sums)
        speaking, others = _near(speaking, others, within)
    else:
        speaking, others = without_epsilons(part, sums)
        if within < math.inf:  # an arc that replaces epsilons is a sum of several ways
            best, _ = without_epsilons(part.detach(), "tropical")
    t = speaking.topology
    symbols = symbols_of(t if pairs else t.relabelled(t.ilabels, None))
    made = determinized(
        speaking,
        nodes[others],
        symbols,
        outputs=not pairs,
        semiring=sums,
        delta=delta,
        max_nodes=max_nodes,
        beam=within,
        best=best,
    )
    if within < math.inf:  # equal sums that round differently may leave nodes without an end
        made = traced(connect(made), made)
    made = traced(made, traced(speaking, part))
    return made.to(graph.penalties.device, graph.penalties.dtype)


def _near(graph: Graph, nodes: Int32s, beam: float) -> tuple[Graph, Int32s]:
    """Return the part on paths within the beam, and its nodes' entries in ``nodes``."""
    near, kept = part_within(graph, beam)
    return traced(near, graph), nodes[kept]


def _boolean(graph: Graph, max_nodes: int) -> Graph:
    """Return the deterministic graph of the same sequences of label pairs, unweighted."""
    t = graph.topology
    symbols = symbols_of(t)
    out = outgoing_by_symbol(t, symbols)
    node_offsets, src, dst, numbers, offsets, index, is_final, void = subset_construction(
        symbols.of_arc,
        t.dst,
        out.offsets,
        out.arcs,
        t.starts,
        t.start_offsets,
        frozen(t.final_of_nodes >= 0),
        t.on_paths,
        max_nodes,
    )
    if void == 2:
        raise GraphError(
            f"the arcs of the deterministic graph have more than {determinization.MOST_SOURCES} "
            f"sources, from {t.num_arcs} arcs; give a graph in which fewer strings begin alike"
        )
    if void:
        raise GraphError(
            f"the deterministic graph has more than {max_nodes} nodes, from {t.num_nodes}; "
            "allow more with max_nodes"
        )
    return unweighted(
        graph,
        symbols,
        numbers,
        Sources(index, offsets),
        src=src,
        dst=dst,
        starts=node_offsets[:-1][np.diff(node_offsets) > 0],
        finals=np.flatnonzero(is_final),
        node_offsets=node_offsets,
    )


def unweighted(
    graph: Graph,
    symbols: Symbols,
    numbers: Int32s,
    sources: Sources,
    *,
    src: Int32s,
    dst: Int32s,
    starts: Any,
    finals: Any,
    node_offsets: Int32s,
) -> Graph:
    """Return the unweighted graph of some arrays, in which arcs are grouped by node."""
    t = graph.topology
    topology = Topology(
        int(node_offsets[-1]),
        src,
        dst,
        symbols.ilabels[numbers],
        None if t.is_acceptor else symbols.olabels[numbers],
        starts=starts,
        finals=finals,
        node_offsets=node_offsets,
        arc_offsets=np.searchsorted(src, node_offsets),
        is_batch=t.is_batch,
        check=False,
    )
    zero = graph.penalties.new_zeros
    return assemble(
        topology,
        zero(topology.num_arcs),
        zero(len(topology.starts)),
        zero(len(topology.finals)),
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        data=graph.data.take(sources),
        sources=(sources,),
    )


def tolerance(graph: Graph, delta: float | None) -> float:
    """Return the distance within which penalties count as equal: as given, or by their dtype."""
    if delta is None:
        return 1e-9 if graph.penalties.dtype == torch.float64 else 1e-5
    delta = real_number(delta, "delta")
    if not delta >= 0:
        raise GraphError(f"delta={delta}; it is a distance between penalties, 0 or more nats")
    return min(delta, 1e300)  # so that sums with it are finite


def check_semiring(semiring: str) -> None:
    """Check a choice of semiring; raises ``GraphError`` for an unknown one."""
    if semiring not in ("log", "tropical", "boolean"):
        raise GraphError(f"semiring={semiring!r}; known are 'log', 'tropical' and 'boolean'")


def check_unweighted(graph: Graph, whole: str) -> None:
    """Check that all penalties are zero; raises ``GraphError`` naming one that is not."""
    for what, penalties in (
        ("arc", graph.penalties),
        ("start", graph.start_penalties),
        ("final", graph.final_penalties),
    ):
        wrong = (penalties.detach() != 0).nonzero()
        if len(wrong):
            first = int(wrong[0])
            raise GraphError(
                f"{what} {first} has penalty {penalties.detach()[first].item():g}; {whole} is "
                "unweighted: all penalties must be zero; with_penalties can set them"
            )
