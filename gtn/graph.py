"""Graph: a value made of a topology, penalties, arc data and symbol tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.data import ArcData, Column, Sources
from gtn.errors import DataError, GraphError, SymbolError, bad_penalty, counted
from gtn.foreign_names import METHODS, told
from gtn.symbols import EPSILON, EPSILON_TEXT, SymbolTable, visible
from gtn.topology import Topology

__all__ = [
    "Graph",
    "check_all_penalties",
    "check_graph",
    "check_penalties",
    "check_symbols",
    "check_table",
]

Table = torch.Tensor | NDArray[Any]
_NO_DATA = ArcData()


class Graph:
    """A weighted transducer whose penalties are an ordinary tensor; immutable.

    A path goes from a start node to a final node; it reads the input labels and writes the output
    labels of its arcs. Its penalty is the sum of its arcs' penalties plus the penalties of its
    start and its final. Penalties are in nats, lower is better: minus the logarithm of an
    unnormalised probability. ``+inf`` forbids an arc.

    Most graphs come from :meth:`from_arcs`, :meth:`from_arrays`, ``gtn.linear`` or
    ``gtn.string``; the constructor takes the parts as they are.
    The arrays of its structure are read-only. ``torch.tensor(g.src)`` copies one;
    ``torch.from_numpy(g.src)`` and ``tensor[g.src]`` make torch warn.

    Args:
        topology: nodes, arcs, labels, starts, finals.
        penalties: floating tensor ``[A]``, on any device; may need gradients.
        start_penalties, final_penalties: ``[S]`` and ``[F]``; zero unless given.
        isymbols, osymbols: the text of input and output labels.
        data: arc data by key: columns, tensors or arrays with one row per arc.
        sources: for each operand of the operation that made this graph, the arcs behind each arc.

    Raises:
        GraphError: penalties of the wrong length or type, NaN or -inf, naming the arc.
        SymbolError: a label without a symbol.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs(
    ...     [(0, 1, "3", 0.1), (0, 1, "5", 2.3), (1, 2, "4", 0.4)], start=0, final=2)
    >>> g
    Graph: 3 nodes, 3 arcs, start 0, final 2
      0 -> 1  3  0.1
      0 -> 1  5  2.3
      1 -> 2  4  0.4
    """

    __slots__ = (
        "__weakref__",
        "data",
        "final_penalties",
        "isymbols",
        "osymbols",
        "penalties",
        "sources",
        "start_penalties",
        "topology",
    )

    topology: Topology
    penalties: torch.Tensor
    start_penalties: torch.Tensor
    final_penalties: torch.Tensor
    isymbols: SymbolTable | None
    osymbols: SymbolTable | None
    data: ArcData
    sources: Sequence[Sources]

    def __init__(
        self,
        topology: Topology,
        penalties: torch.Tensor | None = None,
        *,
        start_penalties: torch.Tensor | None = None,
        final_penalties: torch.Tensor | None = None,
        isymbols: SymbolTable | None = None,
        osymbols: SymbolTable | None = None,
        data: ArcData | Mapping[str, Column | Table] | None = None,
        sources: Sequence[Sources] = (),
        check: bool = True,
    ) -> None:
        if check and not isinstance(topology, Topology):
            raise GraphError(
                f"the structure of a graph is a Topology, not {type(topology).__name__}; "
                "from_arcs makes a graph of a list of arcs, Builder one arc by arc, "
                "GraphBatch.from_graphs a batch"
            )
        if penalties is None:
            penalties = torch.zeros(topology.num_arcs)
        if check:
            check_penalties(penalties, topology.num_arcs, "arc")
        if start_penalties is None:
            start_penalties = penalties.new_zeros(len(topology.starts))
        elif check:
            check_penalties(start_penalties, len(topology.starts), "start", like=penalties)
        if final_penalties is None:
            final_penalties = penalties.new_zeros(len(topology.finals))
        elif check:
            check_penalties(final_penalties, len(topology.finals), "final", like=penalties)
        if not isinstance(data, ArcData):
            data = _NO_DATA if data is None else ArcData(data)
        if check:
            check_symbols(topology.ilabels, isymbols, "input")
            if osymbols is not isymbols or not topology.is_acceptor:
                check_symbols(topology.olabels, osymbols, "output")
            for key, column in data.columns().items():
                if len(column) != topology.num_arcs:
                    raise DataError(
                        f"arc data {key!r} has {counted(len(column), 'row')} for "
                        f"{counted(topology.num_arcs, 'arc')}"
                    )
        put = object.__setattr__
        put(self, "topology", topology)
        put(self, "penalties", penalties)
        put(self, "start_penalties", start_penalties)
        put(self, "final_penalties", final_penalties)
        put(self, "isymbols", isymbols)
        put(self, "osymbols", osymbols)
        put(self, "data", data)
        put(self, "sources", sources)

    # -- construction (gtn.construction) --------------------------------------------------------

    @classmethod
    def from_arcs(cls, arcs: Sequence[tuple[Any, ...]], **options: Any) -> Graph:
        """Return the graph of a list of arcs: see :func:`gtn.construction.from_arcs`."""
        from gtn.construction import from_arcs

        return from_arcs(arcs, **options)

    @classmethod
    def from_arrays(cls, *arrays: Any, **options: Any) -> Graph:
        """Return the graph of arrays of arcs: see :func:`gtn.construction.from_arrays`."""
        from gtn.construction import from_arrays

        return from_arrays(*arrays, **options)

    # -- structure ------------------------------------------------------------------------------

    @property
    def num_nodes(self) -> int:
        """Number of nodes N."""
        return self.topology.num_nodes

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return self.topology.num_arcs

    @property
    def src(self) -> NDArray[np.int32]:
        """Source node of each arc, ``int32 [A]``."""
        return self.topology.src

    @property
    def dst(self) -> NDArray[np.int32]:
        """Destination node of each arc, ``int32 [A]``."""
        return self.topology.dst

    @property
    def ilabels(self) -> NDArray[np.int32]:
        """Input label of each arc, ``int32 [A]``."""
        return self.topology.ilabels

    @property
    def olabels(self) -> NDArray[np.int32]:
        """Output label of each arc, ``int32 [A]``."""
        return self.topology.olabels

    @property
    def starts(self) -> NDArray[np.int32]:
        """Start nodes, ``int32 [S]``."""
        return self.topology.starts

    @property
    def finals(self) -> NDArray[np.int32]:
        """Final nodes, ``int32 [F]``."""
        return self.topology.finals

    # -- copies with one part changed -------------------------------------------------------------

    def _with(self, **parts: Any) -> Self:
        given = {name: getattr(self, name) for name in Graph.__slots__ if name != "__weakref__"}
        return type(self)(**(given | {"check": False} | parts))

    def with_penalties(
        self,
        penalties: torch.Tensor,
        *,
        start_penalties: torch.Tensor | None = None,
        final_penalties: torch.Tensor | None = None,
    ) -> Self:
        """Return the graph with other penalties ``[A]``; the topology is shared.

        Start and final penalties that are not given stay, converted to the dtype and device of
        the new penalties.

        Raises:
            GraphError: wrong length or type, NaN or -inf, naming the arc.
        """
        check_penalties(penalties, self.num_arcs, "arc")
        if start_penalties is None:
            start_penalties = self.start_penalties.to(penalties)
        else:
            check_penalties(start_penalties, len(self.starts), "start", like=penalties)
        if final_penalties is None:
            final_penalties = self.final_penalties.to(penalties)
        else:
            check_penalties(final_penalties, len(self.finals), "final", like=penalties)
        return self._with(
            penalties=penalties, start_penalties=start_penalties, final_penalties=final_penalties
        )

    def with_data(self, **columns: Column | Table) -> Self:
        """Return the graph with arc data added or replaced, one row per arc."""
        added = ArcData(columns).columns()
        for key, column in added.items():
            if len(column) != self.num_arcs:
                rows, arcs = counted(len(column), "row"), counted(self.num_arcs, "arc")
                raise DataError(f"arc data {key!r} has {rows} for {arcs}")
        return self._with(data=ArcData(self.data.columns() | added))

    def without_data(self, *keys: str) -> Self:
        """Return the graph without some keys of arc data (without any, if none is named).

        Raises:
            DataError: an unknown key.
        """
        for key in keys:
            self.data.column(key)
        kept = {k: c for k, c in self.data.columns().items() if keys and k not in keys}
        return self._with(data=ArcData(kept))

    def with_symbols(
        self, isymbols: SymbolTable | None, osymbols: SymbolTable | None = None
    ) -> Self:
        """Return the graph with other symbol tables; the labels stay.

        An acceptor needs only one: its output table is its input table.

        Raises:
            SymbolError: a label without a symbol.
        """
        if osymbols is None and self.topology.is_acceptor:
            osymbols = isymbols
        check_symbols(self.ilabels, isymbols, "input")
        check_symbols(self.olabels, osymbols, "output")
        return self._with(isymbols=isymbols, osymbols=osymbols)

    def _with_tensors(self, change: Any) -> Self:
        names = ("penalties", "start_penalties", "final_penalties")
        return self._with(**{name: change(getattr(self, name)) for name in names})

    def to(self, *args: Any, **options: Any) -> Self:
        """Return the graph with its penalties moved or converted, as ``torch.Tensor.to`` does.

        Raises:
            GraphError: a dtype other than float32 and float64, which would round penalties away.
        """
        moved = self._with_tensors(lambda tensor: tensor.to(*args, **options))
        _check_dtype(moved.penalties, "penalties")
        return moved

    def double(self) -> Self:
        """Return the graph with penalties in float64."""
        return self.to(torch.float64)

    def float(self) -> Self:
        """Return the graph with penalties in float32."""
        return self.to(torch.float32)

    def detach(self) -> Self:
        """Return the graph with penalties that carry no gradient."""
        return self._with_tensors(lambda tensor: tensor.detach())

    # -- operators: one-line delegations to the verbs ---------------------------------------------

    def __matmul__(self, other: Graph) -> Graph:
        if not isinstance(other, Graph):
            return NotImplemented
        from gtn.composition import compose

        return compose(self, other)

    def __and__(self, other: Graph) -> Graph:
        if not isinstance(other, Graph):
            return NotImplemented
        from gtn.composition import intersect

        return intersect(self, other)

    def __sub__(self, other: Graph) -> Graph:
        if not isinstance(other, Graph):
            return NotImplemented
        from gtn.determinization.complementation import difference

        return difference(self, other)

    def __or__(self, other: Graph) -> Graph:
        if not isinstance(other, Graph):
            return NotImplemented
        from gtn.rational import union

        return union(self, other)

    def __add__(self, other: Graph) -> Graph:
        if not isinstance(other, Graph):
            return NotImplemented
        from gtn.rational import concat

        return concat(self, other)

    def closure(self, **options: Any) -> Graph:
        """Return the closure, paths repeated in sequence; options as for ``gtn.closure``."""
        from gtn.rational import closure

        return closure(self, **options)

    # -- immutability, display --------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a graph does not change; make a new one, as with with_{name}(…)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a graph does not change")

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            import gtn

            instead = told(name, METHODS)
            if not instead and name in gtn.__all__:
                instead = f"; it is a function, gtn.{name}"
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{instead}",
                name=name,
                obj=self,  # for "Did you mean"
            )

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        parts = {name: getattr(self, name) for name in Graph.__slots__ if name != "__weakref__"}
        return _rebuild, (type(self), parts)

    def symbol_pair(self, arc: int) -> str:
        """Return the labels of an arc as text: ``a``, or ``a:b`` where input and output differ."""
        text = _symbol(self.isymbols, self.ilabels[arc])
        out = _symbol(self.osymbols, self.olabels[arc])
        return text if text == out else f"{text}:{out}"

    def __repr__(self) -> str:
        named = {
            name: _nodes_text(nodes, penalties)
            for name, nodes, penalties in (
                ("start", self.starts, self.start_penalties),
                ("final", self.finals, self.final_penalties),
            )
        }
        head = (
            f"{type(self).__name__}: {counted(self.num_nodes, 'node')}, "
            f"{counted(self.num_arcs, 'arc')}, start {named['start']}, final {named['final']}"
        )
        shown = min(self.num_arcs, 12)
        penalties = self.penalties.detach()[:shown].tolist()
        labels = [visible(self.symbol_pair(a)) for a in range(shown)]
        width = max((len(text) for text in labels), default=0)
        rows = [
            f"  {self.src[a]} -> {self.dst[a]}  {labels[a]:{width}}  {penalties[a]:.6g}"
            for a in range(shown)
        ]
        hidden = self.num_arcs - shown
        more = [f"  … {counted(hidden, 'more arc')}"] if hidden else []
        return "\n".join([head, *rows, *more])

    def _repr_html_(self) -> str:
        from gtn.drawing import notebook_html

        return notebook_html(self)


def _rebuild(cls: type[Graph], parts: dict[str, Any]) -> Graph:
    return cls(**parts, check=False)


def _symbol(table: SymbolTable | None, label: int) -> str:
    if label == EPSILON:
        return EPSILON_TEXT
    return str(label) if table is None else table.symbol(label)


def _nodes_text(nodes: NDArray[np.int32], penalties: torch.Tensor) -> str:
    texts = [
        f"{n}" if p == 0 else f"{n} ({p:.6g})"
        for n, p in zip(nodes[:6].tolist(), penalties.detach()[:6].tolist(), strict=True)
    ]
    return ", ".join([*texts, *(["…"] if len(nodes) > 6 else [])]) or "none"


def check_graph(*graphs: Any) -> None:
    """Raise ``GraphError`` for the first that is not a graph, saying how to make one of it."""
    others = [graph for graph in graphs if not isinstance(graph, Graph)]
    if not others:
        return
    hints = {
        "Learned": "; it gives its graph when it is called",
        "Tensor": "; gtn.linear makes one of emissions, gtn.dense takes them as they are",
        "list": "; GraphBatch.from_graphs makes a batch of several",
        "str": "; gtn.string makes one of a text",
    }
    kind = type(others[0]).__name__
    raise GraphError(f"a graph is needed, not {kind}{hints.get(kind, '')}")


def check_penalties(
    penalties: torch.Tensor, count: int, what: str, *, like: torch.Tensor | None = None
) -> None:
    """Check a tensor of penalties: a floating tensor ``[count]`` without NaN or -inf.

    It must have the dtype and device of ``like``, if that is given.

    Raises:
        GraphError: naming the first arc (or start or final, as ``what`` says) that is wrong.
    """
    plural = "penalties" if what == "arc" else f"{what} penalties"
    if not isinstance(penalties, torch.Tensor):
        raise GraphError(f"{plural} must be a torch.Tensor, not {type(penalties).__name__}")
    _check_dtype(penalties, plural)
    if penalties.is_meta:
        raise GraphError(f"{plural} are on the meta device, where tensors have no values")
    if penalties.shape != (count,):
        raise GraphError(f"{plural} must have shape [{count}], not {list(penalties.shape)}")
    if like is not None and (penalties.dtype, penalties.device) != (like.dtype, like.device):
        raise GraphError(
            f"{plural} are {penalties.dtype} on {penalties.device}, those of the arcs "
            f"{like.dtype} on {like.device}; convert one, as with tensor.to(…)"
        )
    values = penalties.detach()
    if count and not values.min() > -torch.inf:  # true of NaN, too
        first = int((~(values > -torch.inf)).nonzero()[0])
        raise bad_penalty(f"{what} {first} has penalty", values[first].item())


def check_all_penalties(graph: Graph) -> None:
    """Check the penalties of arcs, starts and finals, which may have changed in place.

    Raises:
        GraphError: one is NaN or -inf; the message names the arc, start or final.
    """
    parts = (graph.penalties, graph.start_penalties, graph.final_penalties)
    for what, own in zip(("arc", "start", "final"), parts, strict=True):
        check_penalties(own, len(own), what)


def _check_dtype(penalties: torch.Tensor, plural: str) -> None:
    if penalties.dtype not in (torch.float32, torch.float64):
        half = penalties.dtype in (torch.float16, torch.bfloat16)
        raise GraphError(
            f"{plural} must be float32 or float64, not {penalties.dtype}"
            + ("; .float() widens them" if half else "")
        )


def check_table(table: Any, side: str) -> None:
    """Check that the symbols of a side are a table, or None; raises ``SymbolError``."""
    if table is not None and not isinstance(table, SymbolTable):
        raise SymbolError(
            f"{side} symbols must be a SymbolTable, not {type(table).__name__}: SymbolTable(…)"
        )


def check_symbols(labels: NDArray[np.int32], table: SymbolTable | None, side: str) -> None:
    """Check that the labels of a side have symbols in its table; raises ``SymbolError``."""
    if table is None:
        return
    check_table(table, side)
    has_symbol = table.known(labels)
    if not has_symbol.all():
        arc = int(np.argmin(has_symbol))
        known = sorted(table.labels)
        whose = f", whose labels are {known[0]} to {known[-1]}" if known else ""
        raise SymbolError(
            f"arc {arc} has {side} label {labels[arc]}, which is not in {table!r}{whose}"
        )
