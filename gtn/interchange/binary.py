"""OpenFst's binary format, which its tools, pynini and Kaldi write and read.

The header is followed by the symbol tables, if there are any, and then by the states. A *vector*
machine has each state with its final weight, the number of its arcs and the arcs; a *const* machine
has first all states, then all arcs. Everything is little-endian. Labels shift by one, as in the
text format.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.construction import from_arrays
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph, check_graph
from gtn.indexes import LARGEST, first_where
from gtn.interchange.writing import OPENFST_EPSILON
from gtn.symbols import EPSILON_TEXT, SymbolTable

__all__ = ["from_openfst_binary", "is_binary", "symbols_of_binary", "to_openfst_binary"]

Arcs = Literal["tropical", "log", "log64"]

_MAGIC, _SYMBOLS_MAGIC = 2125659606, 2125658996
_NAMES = {"tropical": "standard", "log": "log", "log64": "log64"}
_WIDTHS = {"standard": 4, "log": 4, "log64": 8}  # bytes of a weight
_HAS_SYMBOLS, _IS_ALIGNED = (1, 2), 4
_ALIGNED_CONST, _ALIGNMENT = 1, 16  # const machines of this version are aligned, flag or not
_NO_STATE = -1  # as a start: there is none; as a number of states: not known (out of a pipe)
_EXPANDED_MUTABLE = 3  # properties of every vector machine; OpenFst computes the others


def from_openfst_binary(source: bytes | str | os.PathLike[str]) -> Graph:
    """Return the graph of a file in OpenFst's binary format, or of its bytes.

    State s is node s; arcs are ordered by state, and within a state as in the file. Labels are one
    lower than in the file; epsilon is ``EPSILON``. Symbol tables in the file are read;
    ``with_symbols`` gives others. Penalties are float32 as in the file, and float64 for ``log64``
    arcs. For a ``pynini.Fst``, the bytes are ``fst.write_to_string()``.

    Args:
        source: the path of a file, or its content: a *vector* or *const* machine with *standard*
            (tropical), *log* or *log64* arcs.

    Raises:
        GraphError: not such a machine, or a damaged one; an arc with a label, state or penalty that
            a graph cannot have. Names the file.
        SymbolError: a symbol table with a symbol or number twice; a label without a symbol. Names
            the file.

    O(N + A).

    >>> import gtn
    >>> g = gtn.from_arcs([(0, 1, "a", "b", 0.5), (1, 1, "b", None)], final={1: 1.5})
    >>> gtn.from_openfst_binary(gtn.to_openfst_binary(g))
    Graph: 2 nodes, 2 arcs, start 0, final 1 (1.5)
      0 -> 1  a:b  0.5
      1 -> 1  b:ε  0
    """
    reader = _Reader.of(source)
    if not is_binary(reader.content):
        raise GraphError(
            f"{reader.name} is not a machine in OpenFst's binary format; gtn.from_openfst_text "
            "reads its text format"
        )
    header = reader.header()
    if header.arcs not in _WIDTHS or header.kind not in ("vector", "const"):
        raise GraphError(
            f"{reader.name} is a {header.kind} machine with {header.arcs} arcs; only vector and "
            f"const machines with {', '.join(_WIDTHS)} arcs are read (fstconvert "
            "--fst_type=vector makes one)"
        )
    tables = [reader.symbols()[0] if header.flags & flag else None for flag in _HAS_SYMBOLS]
    states = reader.vector(header) if header.kind == "vector" else reader.const(header)
    for side, labels in (("input", states.ilabels), ("output", states.olabels)):
        arc = first_where(labels < 0)
        if arc is not None:
            raise GraphError(
                f"{reader.name}: arc {arc} has {side} label {labels[arc]}; labels are >= 0"
            )
    final = np.flatnonzero(states.finals != math.inf)  # from_arrays refuses NaN
    same = np.array_equal(states.ilabels, states.olabels) and tables[0] == tables[1]
    try:
        return from_arrays(
            np.repeat(np.arange(len(states.counts)), states.counts),
            states.dst,
            states.ilabels - 1,
            None if same else states.olabels - 1,
            penalties=torch.from_numpy(states.penalties),
            start=[header.start] if header.start != _NO_STATE else [],
            final=final,
            final_penalties=torch.from_numpy(states.finals[final]),
            num_nodes=len(states.counts),
            isymbols=tables[0],
            osymbols=tables[1],
        )
    except GraphError as error:
        raise type(error)(f"{reader.name}: {error}") from None


def to_openfst_binary(graph: Graph, semiring: Arcs = "tropical") -> bytes:
    """Return a single graph in OpenFst's binary format, as a *vector* machine.

    Write the bytes to a file with ``Path("g.fst").write_bytes``, or hand them to
    ``pynini.Fst.read_from_string``. Node n is state n; several starts, or one with a penalty,
    become a new start, the last state, with epsilon arcs. Symbol tables are written. Arc data are
    left out, and so are arcs, starts and finals of infinite penalty. A graph without starts becomes
    a machine without states.

    Args:
        semiring: of the machine's arcs: ``"tropical"`` or ``"log"``, with penalties in float32, or
            ``"log64"``, in float64.

    Raises:
        GraphError: a batch; another semiring; a label that is too large; a penalty that float32
            cannot hold, 3.4e38 or more.

    O(N + A).

    >>> import gtn
    >>> len(gtn.to_openfst_binary(gtn.string([1, 2])))
    134
    """
    check_graph(graph)
    if graph.topology.is_batch:
        raise GraphError("a file holds one graph; write those of the batch one by one, batch[i]")
    if semiring not in _NAMES:
        raise GraphError(f"semiring={semiring!r}; known are {', '.join(map(repr, _NAMES))}")
    if _WIDTHS[_NAMES[semiring]] == 4:
        _check_float32(graph)
    src, dst, penalties = graph.src, graph.dst, _plain(graph.penalties)
    ilabels, olabels = (
        np.asarray(labels, np.int64) + 1 for labels in (graph.ilabels, graph.olabels)
    )
    if max(ilabels.max(initial=0), olabels.max(initial=0)) > np.iinfo(np.int32).max:
        raise GraphError(
            f"label {np.iinfo(np.int32).max} cannot be written: OpenFst's labels are one more, "
            "since its epsilon is 0, and have 32 bits"
        )
    begins = _plain(graph.start_penalties)
    starts, begins = graph.starts[begins < math.inf], begins[begins < math.inf]
    count, start = graph.num_nodes, -1
    if begins.tolist() == [0.0]:
        start = int(starts[0])
    elif len(starts):
        start, count = count, count + 1
        src = np.concatenate([src, np.full(len(starts), start)])
        dst, penalties = np.concatenate([dst, starts]), np.concatenate([penalties, begins])
        ilabels, olabels = (np.pad(labels, (0, len(starts))) for labels in (ilabels, olabels))
    else:
        count, penalties = 0, np.full(len(penalties), math.inf)
    kept = np.flatnonzero(penalties < math.inf)
    kept = kept[np.argsort(src[kept], kind="stable")]
    finals = np.full(max(count, graph.num_nodes), math.inf)
    finals[graph.finals] = _plain(graph.final_penalties)
    states = _States(
        np.bincount(src[kept], minlength=count),
        finals[:count],
        ilabels[kept],
        olabels[kept],
        penalties[kept],
        dst[kept],
    )
    name = _NAMES[semiring]
    tables = graph.isymbols, graph.osymbols
    flags = sum(flag for flag, table in zip(_HAS_SYMBOLS, tables, strict=True) if table is not None)
    head = struct.pack("<i", _MAGIC) + _string("vector") + _string(name)
    sizes = flags, _EXPANDED_MUTABLE, start, count, len(kept)
    written = [_written_table(table) for table in tables if table is not None]
    words = _words_of(states, _WIDTHS[name])
    return b"".join([head, struct.pack("<iiQqqq", 2, *sizes), *written, words])


def is_binary(content: bytes) -> bool:
    """Return whether the content begins like a machine in OpenFst's binary format."""
    return content[:4] == struct.pack("<i", _MAGIC)


def symbols_of_binary(content: bytes, name: str) -> tuple[SymbolTable, set[str]] | None:
    """Return the table of a file of symbols, and its symbols for 0; None for another file."""
    if content[:4] != struct.pack("<i", _SYMBOLS_MAGIC):
        return None
    return _Reader(content, name).symbols()


class _Header(NamedTuple):
    kind: str
    arcs: str
    version: int
    flags: int
    start: int
    num_states: int
    num_arcs: int


class _States(NamedTuple):
    """All states and their arcs, state by state, with OpenFst's labels."""

    counts: NDArray[Any]  # arcs of each state, [N]
    finals: NDArray[Any]  # [N]
    ilabels: NDArray[Any]  # [A], as the next three
    olabels: NDArray[Any]
    penalties: NDArray[Any]
    dst: NDArray[Any]


class _Reader:
    """The content of a file, and the position up to which it is read."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content, self.name, self.at = content, name, 0

    @classmethod
    def of(cls, source: bytes | str | os.PathLike[str]) -> _Reader:
        if isinstance(source, bytes):
            return cls(source, "this")
        return cls(Path(source).read_bytes(), os.fspath(source))

    def damaged(self, why: str) -> GraphError:
        return GraphError(f"{self.name} is damaged: {why}")

    def numbers(self, form: str) -> tuple[int, ...]:
        try:
            found = struct.unpack_from("<" + form, self.content, self.at)
        except struct.error:
            raise self.damaged(f"it ends at byte {len(self.content)}, too early") from None
        self.at += struct.calcsize("<" + form)
        return found

    def string(self) -> str:
        (length,) = self.numbers("i")
        if not 0 <= length <= len(self.content) - self.at:
            raise self.damaged(f"a text of {length} bytes at byte {self.at}")
        self.at += length
        try:
            return self.content[self.at - length : self.at].decode()
        except UnicodeDecodeError as error:
            raise self.damaged(f"a text before byte {self.at} is not in UTF-8 ({error})") from error

    def header(self) -> _Header:
        self.at = 4
        kind, arcs = self.string(), self.string()
        version, flags, _, start, num_states, num_arcs = self.numbers("iiQqqq")
        if min(start, num_states) < _NO_STATE:
            raise self.damaged(f"its header has start {start} and {num_states} states")
        return _Header(kind, arcs, version, flags, start, num_states, num_arcs)

    def symbols(self) -> tuple[SymbolTable, set[str]]:
        """Read a table of symbols, and its symbols for 0."""
        if self.numbers("i") != (_SYMBOLS_MAGIC,):
            raise self.damaged(f"no table of symbols at byte {self.at - 4}")
        self.string()  # the table's name
        _, size = self.numbers("qq")
        found: dict[int, str] = {}
        epsilons = set()
        seen = set()
        for _ in range(size):
            symbol = self.string()
            (number,) = self.numbers("q")
            why = None
            if not 0 <= number <= LARGEST:
                why = f"numbers are 0 to {LARGEST}"
            elif symbol in seen or number - 1 in found:
                why = "that symbol or number is there twice"
            elif symbol == EPSILON_TEXT and number:
                why = "that symbol is kept for epsilon, 0"
            if why is not None:
                raise SymbolError(f"{self.name}: symbol {symbol!r} has number {number}; {why}")
            seen.add(symbol)
            if number == 0:
                epsilons.add(symbol)
            else:
                found[number - 1] = symbol
        return SymbolTable(found), epsilons

    def vector(self, header: _Header) -> _States:
        width = _WIDTHS[header.arcs] // 4
        rest = (len(self.content) - self.at) // 4
        words = np.frombuffer(self.content, "<i4", rest, self.at).astype(np.int32)
        fast = words.data  # single words as Python integers, which an array gives slowly
        places: list[int] = []
        counts: list[int] = []
        place = 0
        try:
            while len(places) < header.num_states or (
                header.num_states == _NO_STATE and place < rest
            ):
                count = fast[place + width]
                if count < 0 or fast[place + width + 1] != 0:
                    raise self.damaged(f"state {len(places)} has an impossible number of arcs")
                places.append(place)
                counts.append(count)
                place += width + 2 + (3 + width) * count
        except IndexError:
            place = rest + 1
        if place > rest:
            raise self.damaged(f"it ends in state {max(len(places) - 1, 0)}, too early")
        own, number = np.array(places, dtype=np.int64), np.array(counts, dtype=np.int64)
        arcs = _first_words(own, number, width)
        return _States(
            number,
            _weights(words, own, width),
            words[arcs],
            words[arcs + 1],
            _weights(words, arcs + 2, width),
            words[arcs + 2 + width],
        )

    def const(self, header: _Header) -> _States:
        # Records as in memory, where a number of eight bytes begins at a multiple of eight.
        weight = f"<f{_WIDTHS[header.arcs]}"
        state = np.dtype([("final", weight), ("pos", "<u4"), ("count", "<u4"), ("eps", "<u4", 2)])
        arc = np.dtype(
            [("ilabel", "<i4"), ("olabel", "<i4"), ("weight", weight), ("dst", "<i4")],
            align=True,
        )
        aligned = header.flags & _IS_ALIGNED or header.version == _ALIGNED_CONST
        states, arcs = (
            self._records(kind, count, bool(aligned))
            for kind, count in ((state, header.num_states), (arc, header.num_arcs))
        )
        number = states["count"].astype(np.int64)
        if number.sum() != len(arcs):
            raise self.damaged(f"its states have {number.sum()} arcs, its header {len(arcs)}")
        place = first_where(states["pos"] != np.cumsum(number) - number)
        if place is not None:
            raise self.damaged(f"the arcs of state {place} are not behind those before it")
        native = np.dtype(weight).newbyteorder("=")
        return _States(
            number,
            states["final"].astype(native),
            arcs["ilabel"].astype(np.int32),
            arcs["olabel"].astype(np.int32),
            arcs["weight"].astype(native),
            arcs["dst"].astype(np.int32),
        )

    def _records(self, kind: np.dtype[Any], count: int, aligned: bool) -> NDArray[Any]:
        if aligned:
            self.at += -self.at % _ALIGNMENT
        if not 0 <= count * kind.itemsize <= len(self.content) - self.at:
            raise self.damaged(f"it ends at byte {len(self.content)}, too early")
        found = np.frombuffer(self.content, kind, count, self.at)
        self.at += count * kind.itemsize
        return found


def _first_words(places: NDArray[Any], counts: NDArray[Any], width: int) -> NDArray[Any]:
    """Return where the arcs of states at ``places`` begin, in words of four bytes."""
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    first: NDArray[Any] = np.repeat(places + width + 2, counts) + (3 + width) * within
    return first


def _weights(words: NDArray[np.int32], at: NDArray[Any], width: int) -> NDArray[Any]:
    """Return the weights, of one or two words each, that begin at some words."""
    if width == 1:
        return np.asarray(words[at].view(np.float32))
    low, high = (words[at + k].view(np.uint32).astype(np.uint64) for k in (0, 1))
    return np.asarray((low | high << np.uint64(32)).view(np.float64))


def _words_of(states: _States, size: int) -> bytes:
    """Return the bytes of a vector machine's states, each with its arcs."""
    width = size // 4
    counts = states.counts
    sizes = width + 2 + (3 + width) * counts
    places = np.cumsum(sizes) - sizes
    arcs = _first_words(places, counts, width)
    words = np.zeros(sizes.sum(), dtype="<i4")
    for at, weights in ((places, states.finals), (arcs + 2, states.penalties)):
        parts = weights.astype(f"<f{size}").view("<i4").reshape(-1, width)
        for k in range(width):
            words[at + k] = parts[:, k]
    words[places + width] = counts
    words[arcs], words[arcs + 1] = states.ilabels, states.olabels
    words[arcs + 2 + width] = states.dst
    return words.tobytes()


def _check_float32(graph: Graph) -> None:
    for name in ("arc", "start", "final"):
        penalties = _plain(
            graph.penalties if name == "arc" else getattr(graph, f"{name}_penalties")
        )
        with np.errstate(over="ignore"):
            bad = first_where(np.isinf(penalties.astype(np.float32)) & (penalties < math.inf))
        if bad is not None:
            raise GraphError(
                f"{name} {bad} has penalty {penalties[bad]}, which float32 cannot hold; write it "
                "with semiring='log64'"
            )


def _plain(penalties: torch.Tensor) -> NDArray[np.float64]:
    return penalties.detach().double().cpu().numpy()


def _string(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<i", len(content)) + content


def _written_table(table: SymbolTable) -> bytes:
    """Return the bytes of a symbol table; 0 is ``<eps>``, unless a symbol has that name."""
    named = [] if OPENFST_EPSILON in table else [(OPENFST_EPSILON, 0)]
    named += [(table.symbol(label), label + 1) for label in table.labels]
    head = struct.pack("<i", _SYMBOLS_MAGIC) + _string("")
    sizes = struct.pack("<qq", max((n for _, n in named), default=-1) + 1, len(named))
    return b"".join([head, sizes, *(_string(text) + struct.pack("<q", n) for text, n in named)])
