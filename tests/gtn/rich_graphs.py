"""A batch with data of many kinds, and what it is for two graphs to agree in all."""

import math

import numpy as np
import torch

import gtn
from gtn.data import Column, Sources

ANY = {"acyclic": False, "epsilons": True, "acceptor": False, "infinite": True}
AB = gtn.SymbolTable("ab")


def same_bits(a, b):
    """Check that two graphs agree in all: structure, bits of penalties, tables, data, sources."""
    assert type(a) is type(b)
    assert a.num_nodes == b.num_nodes
    for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert (a.topology.ilabels is a.topology.olabels) == (b.topology.ilabels is b.topology.olabels)
    assert np.array_equal(a.topology.node_offsets, b.topology.node_offsets)
    assert np.array_equal(a.topology.arc_offsets, b.topology.arc_offsets)
    for name in ("penalties", "start_penalties", "final_penalties"):
        same_tensor(getattr(a, name).detach(), getattr(b, name).detach())
    assert (a.isymbols, a.osymbols) == (b.isymbols, b.osymbols)
    assert list(a.data) == list(b.data)
    for key in a.data:
        one, two = a.data.column(key), b.data.column(key)
        assert type(one.base) is type(two.base)
        assert one.fill == two.fill
        rows = [c._gather(c.sources.index) for c in (one, two)]
        if isinstance(rows[0], torch.Tensor):
            same_tensor(*rows)
        else:
            assert rows[0].dtype == rows[1].dtype
            assert rows[0].shape == rows[1].shape
            assert rows[0].tobytes() == rows[1].tobytes()
        same_sources(one.sources, two.sources, index=False)
    assert len(a.sources) == len(b.sources)
    for one, two in zip(a.sources, b.sources):
        same_sources(one, two)


def same_tensor(a, b):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert bytes(a.clone().untyped_storage()) == bytes(b.clone().untyped_storage())


def same_sources(a, b, index=True):
    assert not index or np.array_equal(a.index, b.index)
    assert (a.offsets is None) == (b.offsets is None)
    assert a.offsets is None or np.array_equal(a.offsets, b.offsets)


def rich(dtype=torch.float64):
    """A batch with data of many kinds, some rows missing, some unused, and merged sources."""
    one = gtn.Graph.from_arcs(
        [(0, 1, "a", "b", 1 / 3), (1, 2, "b", None, -0.0), (2, 2, "a", math.inf)],
        start={0: 0.1, 1: math.inf},
        final={2: 1e-30},
        isymbols=AB,
        osymbols=gtn.SymbolTable({5: "b", 9: "ä 1", 0: "a"}),
        dtype=dtype,
    )
    missing = Sources(np.array([2, -1, 0], np.int32))
    merged = Sources(np.array([1, 0, 1], np.int32), np.array([0, 2, 2, 3], np.int32))
    one = one.with_data(
        image=torch.arange(24, dtype=torch.uint8).reshape(3, 2, 4),
        half=torch.tensor([1.5, math.nan, -0.0], dtype=torch.bfloat16),
        time=Column(np.array([0.5, 1.5, 2.5, 3.5], dtype=np.float32), missing, fill=-1.0),
        merged=Column(torch.tensor([[1.0], [2.0]]), merged),
        word=np.array(["eins", "zwei", ""]),
        day=np.array(["2001-01-01", "NaT", "1998-11-01"], dtype="datetime64[D]"),
        wave=np.array([1 + 2j, 3j, 0]),
        big_endian=np.array([1.0, 2.0, 3.0], dtype=">f8"),
    )
    return gtn.GraphBatch.from_graphs([one, gtn.reverse(one), one])
