"""Copies, pickles and workers of data loaders keep all of a graph but its caches."""

import copy
import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from rich_graphs import rich, same_bits
from torch.utils.data import DataLoader, Dataset

import gtn


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_copies_keep_everything_and_drop_caches(copied):
    native = rich().without_data("big_endian")  # numpy's pickles make the byte order native
    for g in (native, native[0], gtn.empty()):
        assert g.topology.is_acyclic in (True, False)
        assert g.topology.accessible is not None
        other = copied(g)
        same_bits(other, g)
        assert other.topology is not g.topology
        assert "accessible" in g.topology.__dict__
        assert "accessible" not in other.topology.__dict__
        arrays = [v for v in other.topology.__dict__.values() if isinstance(v, np.ndarray)]
        assert len(arrays) == 8
        assert not any(a.flags.writeable for a in arrays)
        same_bits(gtn.connect(other), gtn.connect(g))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_parts_are_copied_too(copied):
    g = rich()[0]
    assert copied(g.isymbols) == g.isymbols
    column = copied(g.data.column("time"))
    assert column.fill == -1.0
    assert np.array_equal(column.values(), g.data["time"])
    topology = copied(g.topology)
    assert not topology.src.flags.writeable
    with pytest.raises(AttributeError, match="does not change"):
        topology.src = None
    assert copied(g.data).columns().keys() == g.data.columns().keys()


def test_copy_is_the_graph_itself():
    g = gtn.string([1])
    assert copy.copy(g) is g


def test_leaves_keep_their_gradient_and_others_are_refused_as_torch_does():
    leaf = torch.ones(1, requires_grad=True)
    g = gtn.string([1]).with_penalties(leaf)
    assert copy.deepcopy(g).penalties.requires_grad
    assert pickle.loads(pickle.dumps(g)).penalties.requires_grad
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(g.with_penalties(2 * leaf))
    assert copy.deepcopy(g.with_penalties(2 * leaf).detach()).penalties.tolist() == [2.0]


class Strings(Dataset):
    """Graphs of different lengths, with data, for a data loader."""

    def __init__(self):
        self.alphabet = gtn.SymbolTable("abc")

    def __len__(self):
        return 6

    def __getitem__(self, i):
        g = gtn.string("abc"[: i % 3 + 1], symbols=self.alphabet)
        g = g.with_data(image=torch.full((g.num_arcs, 2), float(i)))
        return g @ g.without_data()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_graphs_come_out_of_a_data_loader():
    loader = DataLoader(
        Strings(), batch_size=3, num_workers=1, collate_fn=gtn.GraphBatch.from_graphs
    )
    found = list(loader)
    assert [len(batch) for batch in found] == [3, 3]
    for batch, first in zip(found, (0, 3)):
        expected = gtn.GraphBatch.from_graphs([Strings()[i] for i in range(first, first + 3)])
        assert gtn.equal(batch, expected)
        assert torch.equal(batch.data["image"], expected.data["image"])
        assert not batch.topology.src.flags.writeable


def test_workers_may_not_send_gradients_as_torch_has_it():
    # in a worker this is raised in the thread that feeds the queue, so it is called directly
    g = gtn.string([1]).with_penalties(2 * torch.ones(1, requires_grad=True))
    with pytest.raises(RuntimeError, match="non-leaf tensor which requires_grad"):
        ForkingPickler.dumps(g)
    assert pickle.loads(ForkingPickler.dumps(g.detach())).penalties.tolist() == [2.0]


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("gtn.batch", "GraphBatch"),
        ("gtn.composition", "ComposePlan"),
        ("gtn.data", "ArcData Column JoinedSources Sources"),
        ("gtn.graph", "Graph _rebuild"),
        ("gtn.product", "Product"),  # in a plan
        ("gtn.streaming", "PrunedStream _again"),
        ("gtn.symbols", "SymbolTable"),
        ("gtn.topology", "Topology"),
    ],
)
def test_what_was_pickled_is_found_by_the_name_it_had(module, names):
    for name in names.split():
        assert pickle.loads(f"c{module}\n{name}\n.".encode()).__name__ == name
