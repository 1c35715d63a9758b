"""Hypothesis strategies: small graphs with everything that graphs can have."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from gtn.batch import GraphBatch
from gtn.construction import from_arcs
from gtn.graph import Graph
from gtn.symbols import EPSILON, SymbolTable
from gtn.testing.enumeration import paths
from gtn.testing.notation import as_code

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["batches", "exact_penalties", "graphs", "transducer_pairs"]

_STEP = 2.0**-8
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _hypothesis() -> Any:
    """Return hypothesis' strategies; imported only when needed, as hypothesis may be missing.

    Also tells hypothesis to print graphs as Python.
    """
    try:
        printing = importlib.import_module("hypothesis.vendor.pretty")
        printing.for_type_by_name("gtn.graph", "Graph", _printed)  # and so subclasses
        return importlib.import_module("hypothesis.strategies")
    except ImportError as error:
        raise ImportError(
            "the strategies of gtn.testing need hypothesis: "
            "pip install 'graph-transformer-networks[testing]' or 'PATH_TO_THE_CLONE[testing]'"
        ) from error


def _printed(graph: Graph, printer: Any, _: bool) -> None:
    """Print a graph of a failing test as Python, to be pasted into a test of its own."""
    printer.text(as_code(graph).replace("\n", "\n" + " " * printer.indentation))


def exact_penalties(
    least: float = -64.0, most: float = 64.0, *, infinite: bool = False
) -> SearchStrategy[float]:
    """Return a strategy for penalties (nats) that are multiples of 2^-8, between two bounds.

    Sums of up to a thousand such penalties below 64 are exact in float32, so that sums in
    different orders can be compared with ``==``. The bounds themselves are left out.

    Args:
        least, most: the bounds.
        infinite: whether one in eight is ``inf`` instead (a forbidden arc).

    >>> from hypothesis import given
    >>> @given(exact_penalties(0, 2))
    ... def check(penalty):
    ...     assert 0 < penalty < 2 and penalty * 256 == int(penalty * 256)
    >>> check()
    """
    st = _hypothesis()
    low, high = math.floor(least / _STEP) + 1, math.ceil(most / _STEP) - 1
    finite: SearchStrategy[float] = st.integers(low, high).map(lambda n: n * _STEP)
    if not infinite:
        return finite
    drawn: SearchStrategy[float] = st.tuples(finite, st.integers(0, 7)).map(
        lambda pair: math.inf if pair[1] == 7 else pair[0]
    )
    return drawn


def graphs(
    *,
    min_nodes: int = 0,
    max_nodes: int = 5,
    max_arcs: int = 8,
    labels: int = 3,
    acyclic: bool = True,
    epsilons: bool = False,
    acceptor: bool = True,
    max_starts: int = 3,
    max_finals: int = 3,
    parallel: bool = True,
    infinite: bool = False,
    negative: bool = True,
    penalties: SearchStrategy[float] | None = None,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
    dtype: torch.dtype = torch.float64,
) -> SearchStrategy[Graph]:
    """Return a strategy for small single graphs.

    They may be empty, have no path, nodes on no path, several starts and finals with penalties of
    their own, and nodes in any order. Half of them have a path by construction (unless
    ``infinite`` forbids it).

    Args:
        min_nodes, max_nodes, max_arcs: sizes.
        labels: labels are 0 to labels - 1 (both sides).
        acyclic: if False, cycles and self loops are drawn too.
        epsilons: whether labels may also be ``EPSILON`` (each side by itself).
        acceptor: whether output labels equal input labels.
        max_starts, max_finals: the greatest numbers of starts and finals (there may be none).
        parallel: whether two arcs may join the same two nodes in the same direction.
        infinite: whether penalties may be ``inf``, also those of starts and finals.
        negative: whether penalties may be negative. A cyclic graph surely has a Viterbi penalty
            with ``negative=False``, and a forward penalty if penalties are above the logarithm of
            ``max_arcs``: ``penalties=exact_penalties(2.1, 8)``.
        penalties: a strategy of your own, instead of ``exact_penalties()``.
        isymbols, osymbols: tables with labels 0 to labels - 1.
        dtype: of the penalties.

    >>> from hypothesis import given
    >>> @given(graphs(acyclic=False, epsilons=True, acceptor=False))
    ... def check(graph):
    ...     assert graph.num_nodes <= 5 and graph.num_arcs <= 8
    >>> check()
    """
    st = _hypothesis()
    if penalties is None:
        penalties = exact_penalties(-64.0 if negative else -_STEP, infinite=infinite)
    if acceptor and osymbols is None:
        osymbols = isymbols
    drawn: SearchStrategy[Graph] = st.composite(_draw_graph)(
        nodes=(min_nodes, max_nodes),
        max_arcs=max_arcs,
        label=_label(labels, epsilons),
        acyclic=acyclic,
        acceptor=acceptor,
        ends=(max_starts, max_finals),
        parallel=parallel,
        penalties=penalties,
        tables=(isymbols, osymbols),
        dtype=dtype,
    )
    return drawn


def _label(labels: int, epsilons: bool) -> Any:
    return _hypothesis().sampled_from([*range(labels), *([EPSILON] if epsilons else [])])


def _draw_graph(
    draw: Any,
    *,
    nodes: tuple[int, int],
    max_arcs: int,
    label: Any,
    acyclic: bool,
    acceptor: bool,
    ends: tuple[int, int],
    parallel: bool,
    penalties: Any,
    tables: tuple[SymbolTable | None, SymbolTable | None],
    dtype: torch.dtype,
    path: bool | None = None,
    chain: Sequence[int] | None = None,
) -> Graph:
    """Draw a graph, with a path or not; if ``chain`` is given, one path reads these labels."""
    st = _hypothesis()
    path = draw(st.booleans()) if path is None else path
    size = max(draw(st.integers(*nodes)), len(chain or ()) + 1 if path else 0)
    pairs = [(i, j) for i in range(size) for j in range(size) if i < j or not acyclic]
    arc = st.tuples(st.sampled_from(pairs), label, label, penalties) if pairs else st.nothing()
    arcs = draw(st.lists(arc, min_size=len(chain or ()), max_size=max_arcs if pairs else 0))
    starts, finals = (
        draw(st.dictionaries(st.integers(0, size - 1), penalties, max_size=most)) if size else {}
        for most in ends
    )
    if path and size and min(ends) > 0:
        length = min(len(arcs), size - 1) if chain is None else len(chain)
        for i in range(length):
            _, ilabel, olabel, penalty = arcs[i]
            arcs[i] = ((i, i + 1), ilabel if chain is None else chain[i], olabel, penalty)
        starts, finals = (
            given if node in given else {**dict(list(given.items())[1:]), node: draw(penalties)}
            for given, node in ((starts, 0), (finals, length))
        )
    if not parallel:
        arcs = list({pair: (pair, *rest) for pair, *rest in reversed(arcs)}.values())[::-1]
    place = draw(st.permutations(range(size)))  # so that node numbers are in random order
    rows = [
        (place[src], place[dst], ilabel, ilabel if acceptor else olabel, penalty)
        for (src, dst), ilabel, olabel, penalty in arcs
    ]
    return from_arcs(
        rows,
        start={place[node]: penalty for node, penalty in starts.items()},
        final={place[node]: penalty for node, penalty in finals.items()},
        num_nodes=size,
        isymbols=tables[0],
        osymbols=tables[1],
        dtype=dtype,
    )


def transducer_pairs(
    *,
    max_nodes: int = 4,
    max_arcs: int = 6,
    labels: int = 2,
    acyclic: bool = True,
    epsilons: bool = True,
    acceptor: bool = False,
    tables: bool = False,
    infinite: bool = False,
    negative: bool = True,
    penalties: SearchStrategy[float] | None = None,
    dtype: torch.dtype = torch.float64,
) -> SearchStrategy[tuple[Graph, Graph]]:
    """Return a strategy for pairs ``(a, b)`` to compose: outputs of ``a`` meet inputs of ``b``.

    In most pairs ``b`` has a path that reads what a path of ``a`` writes, with epsilons in between,
    so that the composition is seldom empty.

    Args:
        tables: whether ``a.osymbols`` and ``b.isymbols`` are tables that differ (other labels
            for the same symbols, and symbols of one side only), instead of none.
        max_nodes, max_arcs, labels, acyclic, epsilons, acceptor, infinite, negative, penalties,
            dtype: of each of the two, as in :func:`graphs`.

    >>> from hypothesis import given
    >>> @given(transducer_pairs())
    ... def check(pair):
    ...     a, b = pair
    ...     assert max(a.olabels, default=0) < 2 and max(b.ilabels, default=0) < 2
    >>> check()
    """
    st = _hypothesis()
    if penalties is None:
        penalties = exact_penalties(-64.0 if negative else -_STEP, infinite=infinite)
    shape = {
        "nodes": (0, max_nodes),
        "max_arcs": max_arcs,
        "label": _label(labels, epsilons),
        "acyclic": acyclic,
        "acceptor": acceptor,
        "ends": (3, 3),
        "parallel": True,
        "penalties": penalties,
        "dtype": dtype,
    }

    def draw_pair(draw: Any) -> tuple[Graph, Graph]:
        middle: tuple[SymbolTable | None, SymbolTable | None] = (None, None)
        if tables:
            letters = draw(st.permutations(_LETTERS[: labels + 1]))
            middle = SymbolTable(_LETTERS[:labels]), SymbolTable(letters[:labels])
        related = draw(st.integers(0, 7)) < 7
        first = (middle[0] if acceptor else None, middle[0])
        a = _draw_graph(draw, tables=first, path=related or None, **shape)
        longest = min(max_nodes - 1, max_arcs)
        outputs = {p.outputs for p in paths(a, None if acyclic else 3)} if related else set()
        chain = _drawn_chain(draw, outputs, middle, longest, epsilons)
        second = (middle[1], middle[1] if acceptor else None)
        path = None if chain is None else True
        return a, _draw_graph(draw, tables=second, path=path, chain=chain, **shape)

    pairs: SearchStrategy[tuple[Graph, Graph]] = st.composite(draw_pair)()
    return pairs


def _drawn_chain(
    draw: Any,
    outputs: set[tuple[int, ...]],
    tables: tuple[SymbolTable | None, SymbolTable | None],
    longest: int,
    epsilons: bool,
) -> list[int] | None:
    """Draw one of some strings, in the labels of the other table, with epsilons in between."""
    st = _hypothesis()
    chains = [list(labels) for labels in sorted(outputs)]
    if tables[0] is not None and tables[1] is not None:
        texts = [tables[0].decode(labels) for labels in chains]
        shared = [text for text in texts if all(symbol in tables[1] for symbol in text)]
        chains = [tables[1].encode(text).tolist() for text in shared]
    chains = [labels for labels in chains if len(labels) <= longest]
    if not chains:
        return None
    chain: list[int] = draw(st.sampled_from(sorted(chains, key=len)))
    while epsilons and len(chain) < longest and draw(st.booleans()):
        at = draw(st.integers(0, len(chain)))
        chain = [*chain[:at], EPSILON, *chain[at:]]
    return chain


def batches(*, max_graphs: int = 4, **options: Any) -> SearchStrategy[GraphBatch]:
    """Return a strategy for batches of one to ``max_graphs`` graphs.

    Args:
        max_graphs: the greatest number of graphs in a batch.
        options: of :func:`graphs`.

    >>> from hypothesis import given
    >>> @given(batches(max_graphs=2))
    ... def check(batch):
    ...     assert 1 <= len(batch) <= 2
    >>> check()
    """
    st = _hypothesis()
    several = st.lists(graphs(**options), min_size=1, max_size=max_graphs)

    def draw_batch(draw: Any) -> GraphBatch:  # .map() would print the batch as a call of a function
        return GraphBatch.from_graphs(draw(several))

    drawn: SearchStrategy[GraphBatch] = st.composite(draw_batch)()
    return drawn
