"""Graphs in files: ``.npz`` or ``.safetensors``, everything bit for bit, never a pickle.

Both hold named arrays and a JSON text about them. Topology, penalties, arc data and sources are
arrays; the text has symbol tables and says what the arrays are.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import GraphBatch
from gtn.data import ArcData, Column, JoinedSources, Sources
from gtn.errors import DataError, GraphError
from gtn.graph import Graph, check_graph
from gtn.symbols import SymbolTable
from gtn.topology import Topology
from gtn.whole_files import write_whole

__all__ = ["load", "save"]

Arrays = dict[str, NDArray[Any]]

FORMAT = "graph-transformer-networks/graph/1"
_TOPOLOGY = ("src", "dst", "ilabels", "olabels", "starts", "finals")
_OFFSETS = ("node_offsets", "arc_offsets")
_PENALTIES = ("penalties", "start_penalties", "final_penalties")
_PLAIN = {"b1", "i1", "i2", "i4", "i8", "u1", "f2", "f4", "f8"}  # kept as they are; others as bytes
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    AttributeError,
    MemoryError,
    RuntimeError,
)


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph or batch to a file, whole or not at all.

    Topology, penalties, arc data, symbol tables and sources are kept bit for bit, dtypes included.
    Rows of arc data that no arc uses are left out. Gradients and the device are not kept:
    :func:`load` returns everything on the CPU.

    Args:
        path: ``*.npz``, or ``*.safetensors`` (needs ``pip install safetensors``).

    Raises:
        GraphError: another suffix; the path given before the graph.
        DataError: arc data of Python objects, which would need a pickle; a fill that is neither a
            number nor a text.
        OSError: the file cannot be written; the old file, if any, is unchanged.

    >>> import gtn, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "graph.npz"
    >>> gtn.save(gtn.string("ab"), path)
    >>> gtn.load(path)
    Graph: 3 nodes, 2 arcs, start 0, final 2
      0 -> 1  a  0
      1 -> 2  b  0
    """
    if isinstance(path, Graph):
        raise GraphError("the graph comes before the path: gtn.save(graph, path)")
    check_graph(graph)
    path = Path(path)
    arrays, about = _taken_apart(graph)
    about["sum"] = _checksum(arrays, about)
    if path.suffix == ".npz":
        stream = io.BytesIO()
        text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
        with zipfile.ZipFile(stream, "w") as members:  # savez can refuse a pickle since numpy 2.1
            for name, array in {"about": text, **arrays}.items():
                with members.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        content = stream.getvalue()
    elif path.suffix == ".safetensors":
        tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        metadata = {"about": json.dumps(about)}
        content = _safetensors("safetensors.numpy").save(tensors, metadata)
    else:
        raise _unknown_suffix(path)
    write_whole(path, content)


def load(path: str | os.PathLike[str]) -> Graph:
    """Return the graph or batch that :func:`save` wrote.

    Raises:
        GraphError: another suffix, or a file that is damaged or not from :func:`save`; names it.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    if path.suffix not in (".npz", ".safetensors"):
        raise _unknown_suffix(path)
    content = path.read_bytes()
    try:
        arrays, about = (_read_npz if path.suffix == ".npz" else _read_safetensors)(content)
        if about.get("format") != FORMAT:
            raise GraphError(f"its format is {about.get('format')!r}, not {FORMAT!r}")
        if about.pop("sum") != _checksum(arrays, about):
            raise GraphError("its contents are not those that were written")
        return _put_together(arrays, about)
    except _DAMAGE as error:
        why = str(error) or type(error).__name__
        raise GraphError(f"{path}: not a complete graph file ({why})") from error


def _unknown_suffix(path: Path) -> GraphError:
    theirs = "; OpenFst's files: gtn.from_openfst_binary, to_openfst_binary"
    return GraphError(
        f"{path}: graphs are kept in .npz and .safetensors files"
        f"{theirs if path.suffix == '.fst' else ''}"
    )


def _safetensors(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            "files ending in .safetensors need safetensors: pip install safetensors (.npz needs "
            "nothing)"
        ) from error


# -- a graph as arrays ----------------------------------------------------------------------------


def _taken_apart(graph: Graph) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays of a graph, and a JSON value that says what they are."""
    t = graph.topology
    arrays: Arrays = {name: getattr(t, name) for name in _TOPOLOGY}
    if t.olabels is t.ilabels:
        del arrays["olabels"]
    if t.is_batch:
        arrays |= {name: getattr(t, name) for name in _OFFSETS}
    arrays |= {name: getattr(graph, name).numpy(force=True) for name in _PENALTIES}
    same = graph.osymbols == graph.isymbols
    about: dict[str, Any] = {
        "format": FORMAT,
        "num_nodes": t.num_nodes,
        "isymbols": _table_to_json(graph.isymbols),
        "osymbols": "isymbols" if same else _table_to_json(graph.osymbols),
        "sources": len(graph.sources),
        "data": {},
    }
    if isinstance(graph.sources, JoinedSources):
        arrays["sources.operand"], arrays["sources.arc"] = graph.sources.operand, graph.sources.arc
    else:
        for i, sources in enumerate(graph.sources):
            _put_sources(arrays, f"sources.{i}", sources)
    for i, (key, column) in enumerate(graph.data.columns().items()):
        column = _without_unused_rows(column)
        arrays[f"data.{i}"], about["data"][key] = _encoded(key, column)
        _put_sources(arrays, f"data.{i}", column.sources)
    return arrays, about


def _put_together(arrays: Arrays, about: dict[str, Any]) -> Graph:
    """Return the graph of arrays; raises if anything is wrong with them."""
    is_batch = "node_offsets" in arrays
    # a topology takes no batch of no graphs from outside: it is an empty slice of another batch
    nothing = is_batch and not any(arrays[name].any() or len(arrays[name]) > 1 for name in _OFFSETS)
    nothing = nothing and not any(len(arrays[name]) for name in _TOPOLOGY if name in arrays)
    topology = Topology(
        about["num_nodes"],
        arrays["src"],
        arrays["dst"],
        arrays["ilabels"],
        arrays.get("olabels"),
        starts=arrays["starts"],
        finals=arrays["finals"],
        node_offsets=arrays.get("node_offsets"),
        arc_offsets=arrays.get("arc_offsets"),
        check=not nothing,
    )
    isymbols = _table_from_json(about["isymbols"])
    columns = {}
    for i, (key, what) in enumerate(about["data"].items()):
        base = _decoded(arrays[f"data.{i}"], what)
        sources = _sources(arrays, f"data.{i}")
        if len(sources.index) and not -1 <= sources.index.min() <= sources.index.max() < len(base):
            raise DataError(f"arc data {key!r} ask for rows that are not among its {len(base)}")
        columns[key] = Column(base, sources, fill=what["fill"])
    penalties, start_penalties, final_penalties = (
        torch.from_numpy(np.array(arrays[name])) for name in _PENALTIES
    )
    return (GraphBatch if is_batch else Graph)(
        topology,
        penalties,
        start_penalties=start_penalties,
        final_penalties=final_penalties,
        isymbols=isymbols,
        osymbols=isymbols
        if about["osymbols"] == "isymbols"
        else _table_from_json(about["osymbols"]),
        data=ArcData(columns),
        sources=JoinedSources(arrays["sources.operand"], arrays["sources.arc"], about["sources"])
        if "sources.operand" in arrays
        else tuple(_sources(arrays, f"sources.{i}") for i in range(about["sources"])),
    )


def _table_to_json(table: SymbolTable | None) -> list[list[Any]] | None:
    return None if table is None else [[n, table.symbol(n)] for n in table.labels]


def _table_from_json(pairs: list[list[Any]] | None) -> SymbolTable | None:
    return None if pairs is None else SymbolTable({int(n): symbol for n, symbol in pairs})


def _put_sources(arrays: Arrays, name: str, sources: Sources) -> None:
    arrays[f"{name}.index"] = sources.index
    if sources.offsets is not None:
        arrays[f"{name}.offsets"] = sources.offsets


def _sources(arrays: Arrays, name: str) -> Sources:
    index, offsets = arrays[f"{name}.index"], arrays.get(f"{name}.offsets")
    if offsets is not None and not (
        len(offsets)
        and offsets[0] == 0
        and offsets[-1] == len(index)
        and (np.diff(offsets) >= 0).all()
    ):
        raise GraphError(f"the offsets {name} do not go from 0 to {len(index)}")
    return Sources(index, offsets)


def _without_unused_rows(column: Column) -> Column:
    index = column.sources.index
    used = np.unique(index[index >= 0])
    if len(used) == len(column.base):
        return column
    rows = (
        torch.from_numpy(used.astype(np.int64)) if isinstance(column.base, torch.Tensor) else used
    )
    base = column.base[rows]
    number = np.where(index >= 0, np.searchsorted(used, index), -1).astype(np.int32)
    return Column(base, Sources(number, column.sources.offsets), fill=column.fill)


def _encoded(key: str, column: Column) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the base of a column as an array of a plain type, and its description."""
    base = column.base
    if not isinstance(column.fill, bool | int | float | str | None):
        raise DataError(
            f"arc data {key!r} have the fill {column.fill!r}; a number, a text, true, false or "
            "None can be written"
        )
    what: dict[str, Any] = {"fill": column.fill, "shape": list(base.shape)}
    if isinstance(base, torch.Tensor):
        tensor = base.detach().cpu().clone(memory_format=torch.contiguous_format)
        what |= {"is": "tensor", "dtype": str(tensor.dtype).removeprefix("torch.")}
        # numpy lacks some of torch's types, such as bfloat16, but can hold their bytes
        return tensor.reshape(-1).view(torch.uint8).numpy(), what
    if base.dtype.hasobject or base.dtype.names is not None:
        raise DataError(
            f"arc data {key!r} are of type {base.dtype}, which only a pickle would keep; make "
            f"numbers or strings of them, or leave them out: without_data({key!r})"
        )
    what |= {"is": "array", "dtype": base.dtype.str}
    if base.dtype.str[1:] in _PLAIN and base.dtype.isnative:
        return base, what
    return np.frombuffer(np.ascontiguousarray(base).tobytes(), dtype=np.uint8), what


def _decoded(array: NDArray[Any], what: dict[str, Any]) -> Any:
    if what["is"] == "tensor":
        dtype = getattr(torch, what["dtype"])
        empty = torch.empty(0, dtype=dtype)
        tensor = torch.from_numpy(np.array(array)).view(dtype) if array.size else empty
        return tensor.reshape(what["shape"])
    dtype = np.dtype(what["dtype"])
    if dtype.hasobject:
        raise DataError(f"arc data of type {dtype} are not read")
    if array.dtype == dtype:
        return array.reshape(what["shape"])
    return np.frombuffer(array.tobytes(), dtype=dtype).reshape(what["shape"]).copy()


def _checksum(arrays: Arrays, about: dict[str, Any]) -> int:
    """Return a checksum over names, types and bytes; safetensors files have none of their own."""
    total = zlib.crc32(json.dumps(about).encode())
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), total)
        total = zlib.crc32(array.tobytes(), total)
    return total


# -- arrays in files ------------------------------------------------------------------------------


def _read_npz(content: bytes) -> tuple[Arrays, dict[str, Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        kinds = {member.compress_type for member in members.infolist()}
        if not kinds <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise GraphError("it is compressed in a way that numpy does not write")
        arrays = {
            # read() checks a member's checksum before its header says how much memory to take
            name.removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(members.read(name)), allow_pickle=False
            )
            for name in members.namelist()
        }
    if "about" not in arrays:
        raise GraphError("gtn.save did not write it")
    return arrays, json.loads(arrays.pop("about").tobytes())


def _read_safetensors(content: bytes) -> tuple[Arrays, dict[str, Any]]:
    wrong = _safetensors("safetensors").SafetensorError
    try:
        arrays = _safetensors("safetensors.numpy").load(content)
    except wrong as error:
        raise GraphError(str(error)) from error
    (length,) = struct.unpack_from("<Q", content)
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    if "about" not in metadata:
        raise GraphError("gtn.save did not write it")
    return arrays, json.loads(metadata["about"])
