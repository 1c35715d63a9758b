"""Fill: pieces of a picture that are not part of the text, read as nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import rearranged
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = ["PLACES", "RUBBISH", "with_fill"]

RUBBISH = "□"
"""The symbol of the rubbish class, for ink that is not a character: a recognizer's last class."""

PLACES = ("before", "between", "after")
"""Where fill may stand, relative to the symbols of the text."""


def with_fill(
    text: Graph,
    fill: str | Iterable[str] = RUBBISH,
    *,
    symbols: SymbolTable | None = None,
    penalty: float | Mapping[str, float] = 0.0,
    places: Sequence[str] = PLACES,
) -> Graph:
    """Return the graph that also reads fill, any number of pieces, and writes nothing for it.

    From an acceptor of texts it makes the transducer from recognizer classes to texts: a
    character reads and writes itself, ``fill:ε`` may be read before the first symbol of the
    text, between two, and after the last. If every (input string, output string) pair has one
    path in ``text`` (as in a deterministic acceptor), it has one path in the result: fill is read
    right after the symbol that it follows. To tell "between" from "after", a node where the text
    may either end or go on becomes two nodes: the arc of the last symbol goes to the one that
    ends. If the text may be empty, input of fill alone counts as "before".

    Args:
        text: a single graph, acceptor or transducer, with a table of input symbols.
        fill: the symbols that may be read as nothing; no arc of ``text`` may read them.
        symbols: the input table of the result, with the symbols of ``text`` and the fill; by
            default the table of ``text`` with the fill appended. The output table is that of
            ``text``.
        penalty: of one piece of fill, in nats; or a mapping from place to penalty (0 for places
            that it lacks). Each node has its own loop, so penalties that
            :class:`gtn.nn.Learned` learns may differ by node.
        places: where fill may stand: some of ``PLACES``.

    Raises:
        GraphError: a batch; no table; fill that ``text`` reads; an unknown place; a penalty that
            needs a gradient.
        SymbolError: a symbol of ``text``, or fill, that is not in ``symbols``.

    >>> from grammars.strings import any_string
    >>> with_fill(any_string("7", min_length=1, max_length=2), penalty={"before": 0.5})
    Graph: 4 nodes, 7 arcs, start 0, final 2, 3
      0 -> 1  7    0
      0 -> 2  7    0
      0 -> 0  □:ε  0.5
      1 -> 3  7    0
      1 -> 1  □:ε  0
      2 -> 2  □:ε  0
      3 -> 3  □:ε  0
    """
    loops = _loop_penalties(penalty, places)
    fills = [fill] if isinstance(fill, str) else list(dict.fromkeys(fill))
    ilabels, symbols = _input_side(text, fills, symbols)
    t = text.topology
    # Arcs of the product of the text with its stages, as columns: the arc of the text (-1: a
    # loop), source, destination, input label, output label, and the penalty of a loop.
    arcs = np.arange(t.num_arcs)
    reads = ilabels != EPSILON
    rows = []
    for stage, next_stage in _READING:
        a = arcs[reads]
        rows.append((a, _node(t.src[a], stage), _node(t.dst[a], next_stage)))
    for stage, next_stage in _WRITING:
        a = arcs[~reads]
        rows.append((a, _node(t.src[a], stage), _node(t.dst[a], next_stage)))
    source, src, dst = (np.concatenate(column) for column in zip(*rows, strict=True))
    inputs, outputs = ilabels[source], t.olabels[source]
    own = np.zeros(len(source))
    for place, each in loops.items():
        nodes = _node(np.arange(t.num_nodes), 2 * PLACES.index(place))
        for label in symbols.encode(fills):
            source = np.append(source, np.full(len(nodes), -1))
            src, dst = np.append(src, nodes), np.append(dst, nodes)
            inputs = np.append(inputs, np.full(len(nodes), label))
            outputs = np.append(outputs, np.full(len(nodes), EPSILON))
            own = np.append(own, np.full(len(nodes), each))
    order = np.argsort(src, kind="stable")
    finals = np.stack([_node(t.finals, stage) for stage in _ENDS], axis=1).reshape(-1)
    topology = Topology(
        6 * t.num_nodes,
        src[order],
        dst[order],
        inputs[order],
        outputs[order],
        starts=_node(t.starts, _BEFORE),
        finals=finals,
    )
    keep = topology.on_paths
    kept = np.flatnonzero(keep[topology.src] & keep[topology.dst])
    number = (np.cumsum(keep) - 1).astype(np.int32)
    starts, ends = (np.flatnonzero(keep[n]) for n in (topology.starts, topology.finals))
    trimmed = Topology(
        int(keep.sum()),
        number[topology.src[kept]],
        number[topology.dst[kept]],
        topology.ilabels[kept],
        topology.olabels[kept],
        starts=number[topology.starts[starts]],
        finals=number[topology.finals[ends]],
    )
    kept = order[kept]
    result = rearranged(
        text,
        trimmed,
        source[kept].astype(np.int32),
        starts.astype(np.int32),
        (ends // len(_ENDS)).astype(np.int32),
    )
    penalties = result.penalties + torch.as_tensor(own[kept]).to(result.penalties)
    return result.with_penalties(penalties).with_symbols(symbols, text.osymbols)


# A node of the product is a node of the text and its stage: before, between or after. The odd
# stages come right after an arc that reads nothing, and have no loop; otherwise fill could be
# read on either side of that arc.
_BEFORE, _BETWEEN, _AFTER = 0, 2, 4
_READING = [(stage, then) for stage in (0, 1, 2, 3) for then in (_BETWEEN, _AFTER)]
_WRITING = [(stage, stage | 1) for stage in range(6)]
_ENDS = (_BEFORE, _BEFORE + 1, _AFTER, _AFTER + 1)


def _node(nodes: NDArray[Any], stage: int) -> NDArray[Any]:
    """Return the nodes of the product for nodes of the text at one stage."""
    return 6 * nodes.astype(np.int64) + stage


def _loop_penalties(
    penalty: float | Mapping[str, float], places: Sequence[str]
) -> dict[str, float]:
    """Return the penalty of a piece of fill by place."""
    given = penalty if isinstance(penalty, Mapping) else dict.fromkeys(places, penalty)
    learned = (x for x in given.values() if isinstance(x, torch.Tensor) and x.requires_grad)
    if next(learned, None) is not None:
        raise GraphError(
            "a penalty of fill is a number, and this one needs a gradient; gtn.nn.Learned of the "
            "result learns it, a penalty for each loop"
        )
    unknown = next((place for place in (*places, *given) if place not in PLACES), None)
    if unknown is not None:
        raise GraphError(f"{unknown!r} is not a place of fill; places are {', '.join(PLACES)}")
    return {place: float(given.get(place, 0.0)) for place in dict.fromkeys(places)}


def _input_side(
    text: Graph, fills: list[str], symbols: SymbolTable | None
) -> tuple[NDArray[np.int32], SymbolTable]:
    """Return the input labels of the text in the table of the result, and that table."""
    if text.topology.is_batch:
        raise GraphError("fill is added to a single graph, not to a batch")
    if text.isymbols is None:
        raise GraphError("the text has no table of input symbols; give it one with with_symbols")
    if symbols is None:
        symbols = text.isymbols.merge(SymbolTable(fills))[0]
    used = np.unique(text.ilabels)
    relabel = {label: symbols.label(text.isymbols.symbol(label)) for label in used.tolist()}
    ilabels = np.array([relabel[label] for label in text.ilabels.tolist()], dtype=np.int32)
    for label in symbols.encode(fills):
        if label in ilabels:
            raise GraphError(
                f"arc {int(np.argmax(ilabels == label))} of the text reads "
                f"{symbols.symbol(label)!r}; what is text cannot be fill"
            )
    return ilabels, symbols
