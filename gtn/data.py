"""Arc data: images, ink, times … that follow every operation without being copied.

A :class:`Column` is a base table and an index into it. Operations compose indexes; only reading
gathers rows. Operations that merge arcs (determinization, minimization) keep the list of sources
of every arc; reading such a column needs a ``reduce``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.errors import DataError, counted
from gtn.indexes import LARGEST

__all__ = ["ArcData", "Column", "JoinedSources", "Sources", "compose_index", "merged"]

Table = torch.Tensor | NDArray[Any]
Index = NDArray[np.int32]
Reduce = str | Callable[[Any, Index], Any]


class Sources:
    """For each arc of a result, the arcs of one operand that it was made from.

    Args:
        index: ``int32 [A]``, one source per arc, -1 where there is none; or, with ``offsets``,
            ``int32 [K]``, the sources of all arcs, concatenated.
        offsets: ``int32 [A + 1]``; the sources of arc ``a`` are
            ``index[offsets[a]:offsets[a + 1]]``.

    Raises:
        DataError: anything but one-dimensional arrays of whole numbers of 32 bits.

    >>> sources = Sources(np.array([2, -1], np.int32))
    >>> sources, sources.of(0)
    (Sources(2 arcs: 2, None), array([2], dtype=int32))
    """

    __slots__ = ("index", "offsets")

    def __init__(self, index: NDArray[Any], offsets: NDArray[Any] | None = None) -> None:
        self.index = _as_index(index, "sources")
        self.offsets = None if offsets is None else _as_index(offsets, "offsets of sources")

    def __len__(self) -> int:
        return len(self.index) if self.offsets is None else len(self.offsets) - 1

    def __repr__(self) -> str:
        rows = (self.of(arc).tolist() for arc in range(min(len(self), 8)))
        shown = (str(row[0] if len(row) == 1 else row or None) for row in rows)
        more = ", …" if len(self) > 8 else ""
        return f"Sources({counted(len(self), 'arc')}: {', '.join(shown)}{more})"

    def of(self, arc: int) -> Index:
        """Return the sources of one arc."""
        if self.offsets is not None:
            return self.index[self.offsets[arc] : self.offsets[arc + 1]]
        one: Index = self.index[arc : arc + 1]
        return one[one >= 0]

    def then(self, later: Sources) -> Sources:
        """Return the sources, in this operand, of the arcs of a later operation.

        ``later`` holds, for each of its arcs, sources among the arcs that ``self`` describes: the
        earlier operation stands in front.

        Raises:
            DataError: ``later`` names an arc that ``self`` does not describe.

        >>> import gtn
        >>> lattice = gtn.from_arcs([(0, 1, "a", 2.0), (0, 1, "b", 0.5), (1, 2, "c")], final=2)
        >>> found = lattice @ (gtn.string("bc") | gtn.string("ac"))
        >>> best = gtn.viterbi_path(found)  # its arcs in found, and those of found in the lattice
        >>> found.sources[0].then(best.sources[0])
        Sources(2 arcs: 1, 2)
        """
        try:
            return self._then(later)
        except IndexError as error:
            raise DataError(
                f"arc {later.index.max()} is named as a source, but these are the sources of "
                f"{len(self)} arcs; the earlier operation stands in front: "
                "made.sources[k].then(path.sources[0])"
            ) from error

    def _then(self, later: Sources) -> Sources:
        if self.offsets is None and later.offsets is None:
            return Sources(compose_index(self.index, later.index))
        groups = later.index if later.offsets is not None else later.index[later.index >= 0]
        sizes_later = np.diff(later.offsets) if later.offsets is not None else (later.index >= 0)
        if self.offsets is None:
            found = self.index[groups]
            kept = found >= 0
            owner = np.repeat(np.arange(len(later)), sizes_later)[kept]
            return Sources(found[kept], _offsets_of(owner, len(later)))
        starts, sizes = self.offsets[groups], np.diff(self.offsets)[groups]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        owner = np.repeat(np.repeat(np.arange(len(later)), sizes_later), sizes)
        return Sources(
            self.index[np.repeat(starts, sizes) + within], _offsets_of(owner, len(later))
        )


class JoinedSources(Sequence[Sources]):
    """The sources of a graph whose operands stand side by side: each arc comes from one of them.

    A sequence of :class:`Sources`, one per operand, each made on demand: otherwise the union of
    ten thousand words would keep ten thousand lists, each as long as all its arcs.

    Args:
        operand: the operand that each arc comes from, -1 for none, ``int32 [A]``.
        arc: the arc of that operand, -1 for none, ``int32 [A]``.
        num_operands: how many operands there are.

    >>> import gtn
    >>> both = gtn.union(gtn.string([3]), gtn.string([4, 5]))
    >>> [sources.index.tolist() for sources in both.sources]
    [[0, -1, -1], [-1, 0, 1]]
    """

    __slots__ = ("arc", "num_operands", "operand")

    def __init__(self, operand: Index, arc: Index, num_operands: int) -> None:
        self.operand = _as_index(operand, "operands")
        self.arc = _as_index(arc, "sources")
        self.num_operands = num_operands

    def __len__(self) -> int:
        return self.num_operands

    @overload
    def __getitem__(self, k: int) -> Sources: ...

    @overload
    def __getitem__(self, k: slice) -> tuple[Sources, ...]: ...

    def __getitem__(self, k: Any) -> Sources | tuple[Sources, ...]:
        if isinstance(k, slice):
            return tuple(self[i] for i in range(*k.indices(self.num_operands)))
        own = self.operand == range(self.num_operands)[k]
        return Sources(np.where(own, self.arc, np.int32(-1)))


def compose_index(first: Index, then: Index) -> Index:
    """Return ``first[then]``, where -1 (nothing) stays -1."""
    if len(first) == 0:
        return np.full(len(then), -1, dtype=np.int32)
    composed: Index = np.where(then >= 0, first[then], np.int32(-1))
    return composed


def _as_index(numbers: Any, name: str) -> Index:
    """Return whole numbers as those of 32 bits, which are not copied.

    Raises:
        DataError: others, naming the first that does not fit.
    """
    given = np.asarray(numbers)
    if given.ndim != 1:
        raise DataError(f"{name} are a one-dimensional array, not of shape {list(given.shape)}")
    if given.dtype != np.int32 and given.size:
        if given.dtype.kind not in "iu":
            raise DataError(f"{name} are whole numbers, not {given.dtype}")
        wrong = (given > LARGEST) | (given < -LARGEST)
        if wrong.any():
            place = int(np.argmax(wrong))
            raise DataError(f"{name}[{place}] is {given[place]}, which does not fit 32 bits")
    return np.ascontiguousarray(given, dtype=np.int32)


def _offsets_of(owner: NDArray[Any], count: int) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=count))))


class Column:
    """One value per arc: a base table and the row of each arc in it.

    Args:
        base: tensor or array; its first dimension is the rows. A tensor may need gradients.
        sources: the row of each arc (-1: none), possibly several per arc.
        fill: what a missing row reads as; columns that are joined must have the same fill.

    >>> times = Column(np.array([0.0, 0.5, 1.0]), Sources(np.array([2, -1, 0], np.int32)))
    >>> times.values()
    array([1., 0., 0.])
    """

    __slots__ = ("base", "fill", "sources")

    def __init__(self, base: Table, sources: Sources | None = None, *, fill: Any = 0) -> None:
        if not isinstance(base, torch.Tensor | np.ndarray) or base.ndim < 1:
            raise DataError(
                "arc data must be a tensor or an array with one row per arc, not "
                f"{'a single value' if hasattr(base, 'ndim') else type(base).__name__}"
            )
        self.base = base
        self.sources = Sources(np.arange(len(base), dtype=np.int32)) if sources is None else sources
        # NumPy and torch scalars become Python numbers, which can be compared and saved.
        self.fill = fill.item() if isinstance(fill, np.number | np.bool_ | torch.Tensor) else fill

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, sources: Sources) -> Column:
        """Return the column of an operation's result; copies no row."""
        return Column(self.base, self.sources.then(sources), fill=self.fill)

    def values(self, reduce: Reduce | None = None) -> Any:
        """Return the rows of all arcs, ``[A, …]``, in the type of the base.

        The mean of integers has torch's default dtype.

        Args:
            reduce: needed where arcs were merged: ``"first"``, ``"sum"``, ``"mean"``, ``"min"``,
                ``"max"``, or a function of ``(rows [K, …], offsets [A + 1])``.

        Raises:
            DataError: the arcs were merged and no ``reduce`` is given, or rows of text are given
                one for numbers.
        """
        if self.sources.offsets is None:
            return self._gather(self.sources.index)
        if reduce is None:
            raise DataError(
                "these arcs were merged from several sources; say how to read them: "
                "reduce='first', 'sum', 'mean', 'min', 'max' or a function"
            )
        return _reduced(self._gather(self.sources.index), self.sources.offsets, reduce, self.fill)

    def rows(self, arcs: Sequence[int] | Index, reduce: Reduce | None = None) -> Any:
        """Return the rows of a few arcs, ``[len(arcs), …]``; arc numbers, or -1 for none.

        Raises:
            DataError: arcs that are no integers of 32 bits, such as a mask.
        """
        numbers = np.asarray(arcs)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise DataError(
                f"arcs are integers, not {numbers.dtype}; of a mask take np.flatnonzero"
            )
        return self.take(Sources(numbers)).values(reduce)

    def _gather(self, index: Index) -> Any:
        missing = index < 0
        if isinstance(self.base, torch.Tensor):
            positions = torch.from_numpy(index.astype(np.int64)).to(self.base.device)
            if not missing.any():
                return self.base.index_select(0, positions)
            gone = torch.from_numpy(missing).to(self.base.device)
            rows = (
                self.base.index_select(0, positions.clamp_min(0))
                if len(self.base)
                else self.base.new_zeros((len(index), *self.base.shape[1:]))
            )
            return rows.masked_fill(gone.reshape(-1, *[1] * (rows.ndim - 1)), self.fill)
        if len(self.base) == 0:
            return np.full((len(index), *self.base.shape[1:]), self.fill, dtype=self.base.dtype)
        gathered = self.base[index]
        gathered[missing] = self.fill
        return gathered

    @staticmethod
    def concatenate(columns: Sequence[Column | None], lengths: Sequence[int]) -> Column:
        """Return the concatenated columns of several graphs (``None``: a graph without one)."""
        present = [c for c in columns if c is not None]
        first = present[0]
        bases: list[Table] = []
        shifts: dict[int, int] = {}
        rows = 0
        for column in present:
            same = isinstance(column.base, torch.Tensor) == isinstance(first.base, torch.Tensor)
            if not same or column.base.shape[1:] != first.base.shape[1:]:
                raise DataError(
                    f"arc data of one key must agree: {type(first.base).__name__} rows of shape "
                    f"{tuple(first.base.shape[1:])} meet {type(column.base).__name__} rows of "
                    f"shape {tuple(column.base.shape[1:])}"
                )
            if column.fill != first.fill and not _both_nan(column.fill, first.fill):
                raise DataError(
                    f"arc data of one key must agree: the fills are {first.fill!r} and "
                    f"{column.fill!r}"
                )
            if id(column.base) not in shifts:
                shifts[id(column.base)] = rows
                bases.append(column.base)
                rows += len(column.base)
        joined: Any = torch.cat if isinstance(first.base, torch.Tensor) else np.concatenate
        base = bases[0] if len(bases) == 1 else joined(bases)
        parts = [
            Sources(np.full(n, -1, dtype=np.int32)) if c is None else _shifted(c, shifts)
            for c, n in zip(columns, lengths, strict=True)
        ]
        return Column(base, concatenate_sources(parts), fill=first.fill)


def _both_nan(a: Any, b: Any) -> bool:
    return bool(a != a and b != b)


def _shifted(column: Column, shifts: Mapping[int, int]) -> Sources:
    index, shift = column.sources.index, shifts[id(column.base)]
    return Sources(np.where(index >= 0, index + np.int32(shift), index), column.sources.offsets)


def concatenate_sources(parts: Sequence[Sources]) -> Sources:
    """Return the sources of several runs of arcs as one."""
    if all(part.offsets is None for part in parts):
        return Sources(np.concatenate([part.index for part in parts]))
    indexes, sizes = [], []
    for part in parts:
        ragged = part.offsets is not None
        indexes.append(part.index if ragged else part.index[part.index >= 0])
        sizes.append(np.diff(part.offsets) if part.offsets is not None else part.index >= 0)
    offsets = np.concatenate(([0], np.cumsum(np.concatenate(sizes))))
    return Sources(np.concatenate(indexes), offsets)


def _reduced(rows: Any, offsets: Index, reduce: Reduce, fill: float) -> Any:
    if callable(reduce):
        return reduce(rows, offsets)
    sizes = np.diff(offsets)
    if reduce == "first":
        one = np.where(sizes > 0, offsets[:-1], -1).astype(np.int32)
        return Column(rows, Sources(one), fill=fill).values()
    if reduce not in ("sum", "mean", "min", "max"):
        raise DataError(f"reduce={reduce!r}; known are 'first', 'sum', 'mean', 'min', 'max'")
    of_rows = _reduced_tensor if isinstance(rows, torch.Tensor) else _reduced_array
    return of_rows(rows, offsets, reduce, fill)


def _reduced_tensor(rows: torch.Tensor, offsets: Index, reduce: str, fill: float) -> torch.Tensor:
    if reduce == "mean" and not rows.is_floating_point() and not rows.is_complex():
        rows = rows.to(torch.get_default_dtype())
    sizes = np.diff(offsets)
    owner = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)).to(rows.device)
    name = {"sum": "sum", "mean": "mean", "min": "amin", "max": "amax"}[reduce]
    owner = owner.reshape(-1, *[1] * (rows.ndim - 1)).expand_as(rows)
    result = rows.new_full((len(sizes), *rows.shape[1:]), fill)
    return result.scatter_reduce(0, owner, rows, reduce=name, include_self=False)


def _reduced_array(rows: NDArray[Any], offsets: Index, reduce: str, fill: float) -> NDArray[Any]:
    if rows.dtype.kind not in "biufc":
        raise DataError(
            f"rows of {rows.dtype} have no {reduce}; read them by 'first' or a function"
        )
    if reduce == "mean" and rows.dtype.kind in "biu":
        rows = rows.astype(torch.empty(0).numpy().dtype)  # torch's default
    sizes = np.diff(offsets)
    some = sizes > 0
    result = np.full((len(sizes), *rows.shape[1:]), fill, dtype=rows.dtype)
    if some.any():
        function = {"min": np.minimum, "max": np.maximum}.get(reduce, np.add)
        # The rows of one arc are contiguous, so each run ends where the next begins.
        result[some] = function.reduceat(rows, offsets[:-1][some], axis=0, dtype=rows.dtype)
        if reduce == "mean":
            result[some] /= sizes[some].reshape(-1, *[1] * (rows.ndim - 1))
    return result


class ArcData(Mapping[str, Any]):
    """The data of all arcs by key; reading ``data[key]`` gathers one row per arc.

    >>> data = ArcData({"time": Column(np.array([3.0, 4.0]))})
    >>> data["time"], data.column("time").rows([1])
    (array([3., 4.]), array([4.]))
    """

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, Column | Table] | None = None) -> None:
        columns = {} if columns is None else columns
        if not isinstance(columns, Mapping):
            raise DataError(
                f"arc data are a mapping from key to column, not {type(columns).__name__}"
            )
        self._columns: dict[str, Column] = {
            key: c if isinstance(c, Column) else Column(c) for key, c in columns.items()
        }

    def column(self, key: str) -> Column:
        """Return a column without gathering it; raises ``DataError`` for an unknown key."""
        if key not in self._columns:
            raise DataError(f"no arc data {key!r}; there is {sorted(self._columns)}")
        return self._columns[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the rows of all arcs, as ``data[key]`` does, or the default for an unknown key."""
        return self[key] if key in self._columns else default

    def columns(self) -> dict[str, Column]:
        """Return all columns by key."""
        return dict(self._columns)

    def take(self, sources: Sources) -> ArcData:
        """Return the data of an operation's result."""
        if not self._columns:
            return self
        return ArcData({key: column.take(sources) for key, column in self._columns.items()})

    def merged(self, other: ArcData, suffixes: tuple[str, str] | None) -> ArcData:
        """Return the data of two operands on the same arcs.

        Raises:
            DataError: both have a key, and no suffixes, or none that tell them apart, are given.
        """
        return merged([self, other], suffixes)

    @staticmethod
    def concatenate(parts: Sequence[ArcData], lengths: Sequence[int]) -> ArcData:
        """Return the data of several runs of arcs; a key missing in one reads as its fill."""
        keys = dict.fromkeys(key for part in parts for key in part)
        return ArcData(
            {k: Column.concatenate([p._columns.get(k) for p in parts], lengths) for k in keys}
        )

    def __getitem__(self, key: str) -> Any:
        return self.column(key).values()

    def __contains__(self, key: object) -> bool:
        return key in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        rows = (f"{k}: {len(c)} x {tuple(c.base.shape[1:])}" for k, c in self._columns.items())
        return f"ArcData({', '.join(rows)})"


def merged(parts: Sequence[ArcData], suffixes: Sequence[str] | None) -> ArcData:
    """Return the data of several operands on the same arcs: see :meth:`ArcData.merged`."""
    keys = [key for part in parts for key in part]
    shared = sorted({key for key in keys if keys.count(key) > 1})
    wrong = bool(shared)
    if suffixes is not None:
        is_row = isinstance(suffixes, Sequence) and all(isinstance(s, str) for s in suffixes)
        wrong = not is_row or len(suffixes) != len(parts)
    if wrong:
        example = tuple(f"_{k}" for k in range(len(parts)))
        problem = (
            f"several operands carry arc data {shared}" if suffixes is None else f"{suffixes=!r}"
        )
        raise DataError(
            f"{problem}; give one suffix for each of the {len(parts)} operands: "
            f"suffixes={example}, say"
        )
    if not keys:
        return ArcData()
    columns: dict[str, Column] = {}
    for part, suffix in zip(parts, suffixes or [""] * len(parts), strict=True):
        for key, column in part.columns().items():
            name = key + suffix if key in shared else key
            if name in columns:
                raise DataError(f"suffixes={suffixes!r} give two columns the same name, {name!r}")
            columns[name] = column
    return ArcData(columns)
