"""The search behind pruned composition: its buffers, and how they grow."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gtn.kernels import beam as kernels

__all__ = ["Passed", "passed"]

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]
_ROOM = 1024
_LIMIT = int(np.iinfo(np.int32).max) - 1


class Passed(NamedTuple):
    """What token passing has found: T tokens, A arcs, S starts, G graphs, B of a batch."""

    tokens: Int32s  # [T, G]: node of each graph (readers numbered through)
    kept: NDArray[np.bool_]  # [T]: whether it was followed
    arrived: Float64s  # [T]: least penalty with which one arrived at its node of the first graph
    arcs: Int32s  # [A, G + 2]: source and destination token, arc of each graph or -1
    ways: Float64s  # [A]: least penalty of a way to the arc's end
    begun: Int32s  # [S]: token of each start, or -1
    offsets: Int32s  # [B + 1]: the tokens of each graph of the batch
    status: int  # FINE, TOO_MANY, NEGATIVE or BAD, as in the kernel
    at: int  # the token that the status is about


def passed(
    writer: kernels.Writer,
    readers: kernels.Readers,
    order: tuple[Int32s, Int32s],
    starts: tuple[Int32s, Float64s, Int32s],
    mode: int,
    beam: float,
    max_active: int | None,
) -> Passed:
    """Return what token passing finds: see the kernel, :func:`gtn.kernels.beam.pass_tokens`.

    Args:
        order: nodes of the first graph and their offsets.
        starts: start nodes ``[S, G]``, their penalties and offsets.
    """
    x = _empty(len(writer.offsets) - 1, starts[0].shape[1] + 1)
    begun = np.full(len(starts[0]), -1, dtype=np.int32)
    offsets = np.zeros(len(order[1]), dtype=np.int32)
    active = _LIMIT if max_active is None else min(max_active, _LIMIT)
    rows, penalties, bounds = starts
    while not kernels.pass_tokens(
        writer, readers, x, *order, rows, penalties, bounds, begun, offsets, mode, beam, active
    ):
        x = _grown(x)
        if x.counts[kernels.STATUS] != kernels.FINE:
            break
    tokens, arcs = x.counts[kernels.TOKENS], x.counts[kernels.ARCS]
    return Passed(
        x.nodes[:tokens, :-1],
        x.notes[:tokens, kernels.KEPT] > 0,
        x.best[:tokens],
        x.arcs[:arcs],
        x.ways[:arcs],
        begun,
        offsets,
        int(x.counts[kernels.STATUS]),
        int(x.counts[kernels.AT]),
    )


def _empty(num_nodes: int, width: int) -> kernels.Search:
    """Return a search that has found nothing yet."""
    room = min(_ROOM, _LIMIT)
    place = np.ones((7, width), dtype=np.int64)
    place[kernels.UNIT, 1:] = 3 ** np.arange(width - 1)
    return kernels.Search(
        np.empty((room, width), dtype=np.int32),
        np.empty((room, 4), dtype=np.int32),
        np.empty(room),
        np.full(16, -1, dtype=np.int32),
        np.empty((room, width + 1), dtype=np.int32),
        np.empty(room),
        np.empty(2 * room),
        np.empty(2 * room, dtype=np.int32),
        np.full((num_nodes, 2), -1, dtype=np.int32),
        np.full(num_nodes, np.inf),
        np.full(num_nodes, np.inf),
        np.zeros(17, dtype=np.int64),
        np.zeros(width, dtype=np.int32),
        np.zeros(width - 1, dtype=np.int32),
        place,
        np.zeros(width),
    )


def _grown(x: kernels.Search) -> kernels.Search:
    """Return the search with more room for whatever is full, within the limit."""
    counts = x.counts
    tokens, arcs = counts[kernels.TOKENS], counts[kernels.ARCS]
    if max(tokens, arcs) >= _LIMIT:
        counts[kernels.STATUS] = kernels.TOO_MANY
    if tokens == len(x.nodes):
        room = min(4 * tokens + 1, _LIMIT)
        x = x._replace(
            nodes=_longer(x.nodes, room), notes=_longer(x.notes, room), best=_longer(x.best, room)
        )
    if 2 * (tokens - counts[kernels.FIRST]) >= len(x.slots):
        x = x._replace(slots=np.full(4 * len(x.slots), -1, dtype=np.int32))
        counts[kernels.EMPTIED] = 1
    if arcs == len(x.arcs):
        room = min(4 * arcs + 1, _LIMIT)
        x = x._replace(arcs=_longer(x.arcs, room), ways=_longer(x.ways, room))
    if counts[kernels.HEAP] == len(x.heap) or len(x.heap) < len(x.nodes):
        room = 2 * max(len(x.heap), len(x.nodes))
        x = x._replace(keys=_longer(x.keys, room), heap=_longer(x.heap, room))
    # The token whose moves did not all fit makes them again.
    counts[kernels.ARCS] = counts[kernels.BEFORE]
    return x


def _longer(rows: NDArray[Any], room: int) -> NDArray[Any]:
    """Return the rows with more room."""
    longer = np.empty((room, *rows.shape[1:]), dtype=rows.dtype)
    longer[: len(rows)] = rows
    return longer
