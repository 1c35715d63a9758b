"""All ways of applying a rewrite rule, as an acceptor; :mod:`grammars.rewriting` makes it a rule.

Letters are numbers below a count; the last two of them are the beginning and the end of the text.
A way is a string of numbers, too: a letter's number copies it, count + k is arc k of the change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.composition import compose, intersect
from gtn.construction import from_arrays
from gtn.determinization import determinize
from gtn.determinization.minimization import minimize
from gtn.graph import Graph
from gtn.indexes import frozen
from gtn.kernels.obligations import meet
from gtn.optimization import connect
from gtn.rational import concat, project, reverse
from gtn.rational.relabelling import relabel
from gtn.symbols import EPSILON
from gtn.texts import string
from gtn.topology import Topology

__all__ = ["acceptor", "applications", "leaders", "least", "merged"]

Ints = NDArray[Any]


class _Marks(NamedTuple):
    """Labels that stand beside copies and changes while conditions are imposed on a way.

    Two of them enclose each changed part. The others say why a letter, or the end of the text, is
    copied: the left context is not there; it is, but no part with the right context behind it
    follows; or, right behind a part, no such part with letters follows.
    """

    opens: int
    closes: int
    no_left: int
    no_part: int
    no_part_behind: int


def applications(
    parts: Graph,
    left: Graph | None,
    right: Graph | None,
    count: int,
    *,
    sees_written: bool,
    optional: bool,
    max_nodes: int,
) -> Graph:
    """Return the acceptor of all ways to apply a rule from left to right.

    Every condition is a regular set of ways, and the rule is their intersection, as in two-level
    rules (Kaplan and Kay 1994; Hulden 2009). To say where a mark may stand, a graph follows what is
    read or written and allows the mark where its context holds: left contexts are checked in
    reading order, what follows in reverse order (Mohri and Sproat 1996).

    Args:
        parts: the change; one start that no arc enters, one final that none leaves.
        left, right: contexts, acceptors; None: any.
        count: how many numbers are letters.
        sees_written: whether the left context sees what is written instead of what is read.
        optional: whether parts may stay unchanged.
        max_nodes: most nodes of each deterministic graph.
    """
    marks = _Marks(*(count + parts.num_arcs + np.arange(len(_Marks._fields))).tolist())
    reads, writes = (
        np.concatenate((np.arange(count), side, np.full(len(marks), EPSILON)))
        for side in (parts.ilabels, parts.olabels)
    )
    part = acceptor(parts.topology, parts.ilabels)
    some_text = _from_rows([(node, 1, np.arange(count)) for node in (0, 1)], 0, 1)
    with_letters = compose(some_text, part)
    without_letters = compose(string([]), part)
    ways = intersect(
        _turns(
            parts,
            count,
            marks,
            may_lack_left=left is not None,
            may_be_empty=without_letters.num_nodes > 0,
            optional=optional,
        ),
        _bracketed(parts, count, marks),
    )

    def where(
        ways: Graph, context: Graph, letters: Ints, *, holds: list[int], fails: list[int]
    ) -> Graph:
        """Return the ways with marks ``holds`` only behind the context, and ``fails`` elsewhere."""
        seen = letters.copy()
        seen[holds + fails] = holds + fails
        watched = relabel(ways, olabels=seen[ways.ilabels])
        return project(compose(watched, _watch(context, count, holds, fails, max_nodes)))

    unchanged = [marks.no_part, marks.no_part_behind]
    backwards = []  # conditions checked in reverse order
    if left is not None:
        letters = writes if sees_written else reads
        ways = where(ways, left, letters, holds=[marks.opens, *unchanged], fails=[marks.no_left])
    if not optional:
        for one, mark in zip((part, with_letters), unchanged, strict=True):
            if one.num_nodes and mark in ways.ilabels:
                follows = one if right is None else concat(one, right)
                found = _without(ways, reads, mark, least(follows, max_nodes), max_nodes)
                if found is None:
                    backwards.append((follows, [], [mark]))
                else:
                    ways = found
    if right is not None:
        backwards.append((right, [marks.closes], []))
    if backwards:
        ways = reverse(ways)
        for follows, holds, fails in backwards:
            ways = where(ways, reverse(follows), reads, holds=holds, fails=fails)
        ways = reverse(ways)
    bare = np.arange(count + parts.num_arcs + len(marks))
    bare[[count - 2, count - 1, *marks]] = EPSILON
    return acceptor(ways.topology, bare[ways.ilabels])


def leaders(parts: Graph, count: int) -> Ints:
    """Return, for each number of a way, the first with equal labels and penalty."""
    letters = np.arange(count)
    copies = np.stack((letters, letters, np.zeros(count)))
    penalties = parts.penalties.detach().double().cpu().numpy()
    changes = np.stack((parts.ilabels, parts.olabels, penalties))
    kinds = np.concatenate((copies, changes), axis=1)
    _, first, kind = np.unique(kinds, axis=1, return_index=True, return_inverse=True)
    return first[kind.reshape(-1)]


def merged(graph: Graph, labels: Ints, max_nodes: int) -> Graph | None:
    """Return the least acceptor of a graph's paths, spelled in other labels.

    None if that would merge two paths.

    Args:
        graph: has one start and no epsilons; each node lies on a path.
        labels: one for each arc, none epsilon.
    """
    spelled = acceptor(graph.topology, labels)
    deterministic = determinize(spelled, semiring="boolean", max_nodes=max_nodes)
    # Two paths that spell the same go through the same subsets: where they meet, or at their ends,
    # two arcs behind one deterministic arc lead to the same node, or both to finals.
    t, behind = spelled.topology, deterministic.sources[0]
    sizes = np.diff(behind.offsets)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    several = sizes[owner] > 1
    ends = t.dst[behind.index[several]].astype(np.int64)
    ends[t.final_of_nodes[ends] >= 0] = t.num_nodes
    meeting = owner[several] * (t.num_nodes + 1) + ends
    if len(np.unique(meeting)) < len(meeting):
        return None
    return minimize(deterministic, semiring="boolean")


def least(ways: Graph, max_nodes: int) -> Graph:
    """Return the minimal deterministic acceptor."""
    deterministic = determinize(ways, semiring="boolean", max_nodes=max_nodes)
    return minimize(deterministic, semiring="boolean")


def acceptor(topology: Topology, labels: Ints) -> Graph:
    """Return the acceptor without penalties of a topology with other labels."""
    t = topology.relabelled(labels.astype(np.int32), None)
    return Graph(t, torch.zeros(t.num_arcs))


def _turns(
    parts: Graph,
    count: int,
    marks: _Marks,
    *,
    may_lack_left: bool,
    may_be_empty: bool,
    optional: bool,
) -> Graph:
    """Return the acceptor of what may follow what, apart from the paths of the change.

    An empty part may begin at a ``place``, not right ``behind`` a part.
    """
    start, place, behind, copied, over, opened, opened_behind, inside = range(8)
    copies, begin, end = np.arange(count - 2), count - 2, count - 1
    every = count + np.arange(parts.num_arcs)
    silent, reading = every[parts.ilabels == EPSILON], every[parts.ilabels != EPSILON]
    rows: list[tuple[Any, Any, Any]] = [
        (start, place, begin),
        (place, opened, marks.opens),
        (opened, opened, silent),
        (opened, inside, reading),
        (inside, inside, every),
        (inside, behind if may_be_empty else place, marks.closes),
    ]
    if may_be_empty:
        rows += [
            (opened, behind, marks.closes),
            (behind, opened_behind, marks.opens),
            (opened_behind, opened_behind, silent),
            (opened_behind, inside, reading),
        ]
    for node, mark in ((place, marks.no_part), (behind, marks.no_part_behind)):
        if optional:
            rows += [(node, place, copies), (node, over, end)]
        else:
            rows.append((node, copied, [mark, marks.no_left] if may_lack_left else mark))
    rows += [(copied, place, copies), (copied, over, end)]
    return _from_rows(rows, start, over)


def _bracketed(parts: Graph, count: int, marks: _Marks) -> Graph:
    """Return the acceptor of ways that have a path of the change between brackets, nowhere else."""
    t = parts.topology
    outside = t.num_nodes
    others = [*range(count), marks.no_left, marks.no_part, marks.no_part_behind]
    rows = [
        (outside, outside, others),
        (outside, t.starts, marks.opens),
        (t.src, t.dst, count + np.arange(t.num_arcs)),
        (t.finals, outside, marks.closes),
    ]
    return _from_rows(rows, outside, outside)


def _without(ways: Graph, reads: Ints, mark: int, follows: Graph, max_nodes: int) -> Graph | None:
    """Return the ways on which no text of ``follows`` follows the mark, in reading order.

    Thousands of parts are searched for at once: those that have begun in front of a place are
    mostly suffixes of the longest. If the marks come from a rule with many letters, there may be
    more than ``max_nodes`` such sets to tell apart; the answer is then None.

    Args:
        ways: have one start.
        reads: what each number of a way reads.
        mark: the number of the mark.
        follows: the texts, deterministic.
    """
    seen = reads.copy()
    seen[mark] = mark
    t, text = ways.topology, follows.topology
    nodes, src, dst, arcs, too_many = meet(
        *t.outgoing,
        frozen(seen[t.ilabels].astype(np.int32)),
        t.dst,
        int(t.starts[0]),
        *text.outgoing_by_ilabel,
        text.ilabels,
        text.dst,
        int(text.starts[0]),
        frozen(text.final_of_nodes >= 0),
        mark,
        max_nodes,
    )
    if too_many:
        return None
    finals = np.flatnonzero(t.final_of_nodes[nodes] >= 0)
    found = from_arrays(src, dst, t.ilabels[arcs], start=0, final=finals, num_nodes=len(nodes))
    return connect(found)


def _watch(context: Graph, count: int, holds: list[int], fails: list[int], max_nodes: int) -> Graph:
    """Return the acceptor of texts with marks ``holds`` behind the context, ``fails`` elsewhere."""
    t = context.topology
    text = t.num_nodes
    rows = [(text, text, np.arange(count)), (text, t.starts, EPSILON), (t.src, t.dst, t.ilabels)]
    texts = _from_rows(rows, text, t.finals)
    read = determinize(texts, semiring="boolean", max_nodes=max_nodes).topology
    behind = read.final_of_nodes >= 0
    rows = [(read.src, read.dst, read.ilabels)]
    for nodes, marks in ((np.flatnonzero(behind), holds), (np.flatnonzero(~behind), fails)):
        rows += [(nodes, nodes, mark) for mark in marks]
    return _from_rows(rows, read.starts, np.arange(read.num_nodes))


def _from_rows(rows: Iterable[tuple[Any, Any, Any]], start: Any, final: Any) -> Graph:
    """Return the acceptor of rows of arcs: source, destination and label, each one or many."""
    columns = [np.broadcast_arrays(*map(np.atleast_1d, row)) for row in rows]
    src, dst, labels = (np.concatenate(column) for column in zip(*columns, strict=True))
    return from_arrays(src, dst, labels, start=start, final=final)
