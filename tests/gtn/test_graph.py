"""Graph: an immutable value, checked when made, copied with one part changed."""

import copy
import math
import operator
import pickle
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given

import gtn
from gtn import Column, DataError, Graph, GraphError, SymbolError, SymbolTable, Topology
from gtn.testing import assert_equivalent, graphs

ANY = graphs(acyclic=False, epsilons=True, acceptor=False, infinite=True)


def small(**changed):
    topology = Topology(3, [0, 0, 1], [1, 1, 2], [3, 5, 4], starts=[0, 1], finals=[2])
    return Graph(topology, **({"penalties": torch.tensor([0.1, 2.3, 0.4])} | changed))


# -- what it is -----------------------------------------------------------------------------------


def test_parts():
    g = small(final_penalties=torch.tensor([1.0]))
    assert (g.num_nodes, g.num_arcs) == (3, 3)
    assert g.src.tolist() == [0, 0, 1]
    assert g.dst.tolist() == [1, 1, 2]
    assert g.ilabels is g.olabels
    assert g.ilabels.dtype == np.int32
    assert g.starts.tolist() == [0, 1]
    assert g.start_penalties.tolist() == [0.0, 0.0]
    assert g.final_penalties.tolist() == [1.0]
    assert Graph(g.topology).penalties.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("other", [3, "x", None])
def test_operators_want_graphs(other):
    g = gtn.string("x")
    for name in ("matmul", "and", "sub", "or", "add"):
        of_two = getattr(operator, f"__{name}__")
        for operands in ((g, other), (other, g)):
            with pytest.raises(TypeError, match=r"unsupported operand|can only concatenate"):
                of_two(*operands)


def test_operators_are_the_verbs():
    a, b = gtn.union(gtn.string("x"), gtn.string("y")), gtn.string("y")
    for made, verb in (
        (a @ b, gtn.compose),
        (a & b, gtn.intersect),
        (a - b, gtn.difference),
        (a | b, gtn.union),
        (a + b, gtn.concat),
    ):
        assert gtn.equal(made, verb(a, b))


def test_the_version_is_that_of_the_package():
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert gtn.__version__ == tomllib.loads(project.read_text())["project"]["version"]


def test_sources_that_are_not_installed_have_no_version(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(gtn, "_version", missing)
    monkeypatch.delitem(vars(gtn), "__version__", raising=False)
    assert not hasattr(gtn, "__version__")
    with pytest.raises(AttributeError, match="only an installed package"):
        _ = gtn.__version__


def test_penalties_are_the_given_tensor():
    penalties = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    g = small(penalties=penalties)
    assert g.penalties is penalties
    assert g.start_penalties.dtype == torch.float64
    assert not g.start_penalties.requires_grad


@pytest.mark.parametrize("name", ["penalties", "topology", "data", "something"])
def test_nothing_can_be_set(name):
    g = small()
    with pytest.raises(AttributeError, match="does not change"):
        setattr(g, name, None)
    with pytest.raises(AttributeError, match="does not change"):
        delattr(g, name)


def test_equality_is_identity():
    g = small()
    assert g == g
    assert g != small()
    assert len({g, g, small()}) == 2


# -- checks ---------------------------------------------------------------------------------------

WRONG = [
    ([0.0, 1.0, 2.0], "penalties must be a torch.Tensor, not list"),
    (torch.zeros(2), r"penalties must have shape \[3\], not \[2\]"),
    (torch.zeros(3, 1), r"penalties must have shape \[3\], not \[3, 1\]"),
    (torch.zeros(3, dtype=torch.int64), "must be float32 or float64, not torch.int64"),
    (torch.zeros(3, dtype=torch.float16), r"float32 or float64, not torch.float16; \.float\(\)"),
    (torch.zeros(3, dtype=torch.bfloat16), r"not torch.bfloat16; \.float\(\) widens them$"),
    (torch.zeros(3, dtype=torch.complex64), "must be float32 or float64, not torch.complex64"),
    (torch.tensor([0.0, math.nan, math.nan]), "arc 1 has penalty nan"),
    (torch.tensor([0.0, 0.0, -math.inf]), "arc 2 has penalty -inf; a penalty is a finite"),
    (torch.tensor([0.0, 0.5, 0.0]).log(), "inf to forbid: minus a log-probability, which is inf"),
]


@pytest.mark.parametrize(("penalties", "message"), WRONG)
def test_wrong_penalties(penalties, message):
    with pytest.raises(GraphError, match=message):
        small(penalties=penalties)
    with pytest.raises(GraphError, match=message):
        small().with_penalties(penalties)


def test_what_makes_a_graph_of_a_list_is_told():
    with pytest.raises(GraphError, match="is a Topology, not list; from_arcs makes a graph of"):
        gtn.Graph([(0, 1, "a")])
    with pytest.raises(GraphError, match=r"GraphBatch\.from_graphs a batch$"):
        gtn.GraphBatch([small(), small()])


def test_wrong_start_and_final_penalties():
    for make in (small, lambda **parts: small().with_penalties(torch.zeros(3), **parts)):
        with pytest.raises(GraphError, match="start 1 has penalty nan"):
            make(start_penalties=torch.tensor([0.0, math.nan]))
        with pytest.raises(GraphError, match=r"final penalties must have shape \[1\], not \[2\]"):
            make(final_penalties=torch.zeros(2))


def test_penalties_of_one_graph_agree():
    with pytest.raises(GraphError, match=r"start penalties are torch.float64.*torch.float32"):
        small(start_penalties=torch.zeros(2, dtype=torch.float64))
    with pytest.raises(GraphError, match=r"final penalties are torch.float32.*torch.float64"):
        small().with_penalties(torch.zeros(3).double(), final_penalties=torch.zeros(1))
    wider = small().with_penalties(torch.zeros(3).double())
    assert wider.start_penalties.dtype == wider.final_penalties.dtype == torch.float64


def test_infinity_is_a_penalty():
    assert small(penalties=torch.full((3,), math.inf)).penalties.isinf().all()


def test_labels_without_a_symbol():
    few = SymbolTable({3: "three", 4: "four"})
    with pytest.raises(SymbolError, match="arc 1 has input label 5, which is not in"):
        small(isymbols=few)
    with pytest.raises(SymbolError, match="arc 1 has output label 5"):
        small(osymbols=few)
    with pytest.raises(SymbolError, match="arc 1 has input label 5"):
        small().with_symbols(few)
    epsilon = Graph.from_arcs([(0, 1, None)], final=1)
    assert epsilon.with_symbols(few).isymbols is few


def test_data_of_the_wrong_length():
    with pytest.raises(DataError, match="arc data 'time' has 2 rows for 3 arcs"):
        small(data={"time": torch.zeros(2)})
    with pytest.raises(DataError, match="arc data 'time' has 4 rows for 3 arcs"):
        small().with_data(time=np.zeros(4))
    with pytest.raises(DataError, match="one row per arc"):
        small().with_data(time=[1.0, 2.0, 3.0])


# -- copies with one part changed -----------------------------------------------------------------


@given(ANY)
def test_with_penalties_shares_everything_else(g):
    other = g.with_penalties(g.penalties + 1)
    assert other.topology is g.topology
    assert other.start_penalties is g.start_penalties
    assert other.final_penalties is g.final_penalties
    torch.testing.assert_close(other.penalties, g.penalties + 1)
    changed = g.with_penalties(g.penalties, start_penalties=g.start_penalties + 2)
    torch.testing.assert_close(changed.start_penalties, g.start_penalties + 2)
    assert changed.final_penalties is g.final_penalties


def test_data_come_and_go():
    g = small().with_data(time=np.array([1.0, 2.0, 3.0]), ink=torch.zeros(3, 2))
    assert g.data["time"].tolist() == [1.0, 2.0, 3.0]
    assert g.with_data(time=Column(np.zeros(3))).data["time"].tolist() == [0.0] * 3
    assert list(g.without_data("time").data) == ["ink"]
    assert list(g.without_data().data) == []
    assert list(g.data) == ["time", "ink"]
    with pytest.raises(DataError, match="no arc data 'tme'"):
        g.without_data("tme")


def test_symbols_of_acceptor_and_transducer():
    digits, letters = SymbolTable("012345"), SymbolTable("abcdef")
    g = small().with_symbols(digits)
    assert g.isymbols is g.osymbols is digits
    assert g.with_symbols(None).osymbols is None
    both = small().with_symbols(digits, letters)
    assert both.osymbols is letters
    assert both.symbol_pair(0) == "3:d"
    transducer = Graph.from_arcs([(0, 1, 1, 2, 0.0)], final=1).with_symbols(digits)
    assert transducer.osymbols is None
    for tables, side in (((letters, digits), "input"), ((digits, letters), "output")):
        wrong = Graph.from_arcs([(0, 1, *((7, 1) if side == "input" else (1, 7)), 0.0)], final=1)
        with pytest.raises(SymbolError, match=f"arc 0 has {side} label 7"):
            wrong.with_symbols(*tables)


@given(ANY)
def test_precision(g):
    narrow = g.float()
    assert {narrow.penalties.dtype, narrow.start_penalties.dtype, narrow.final_penalties.dtype} == {
        torch.float32
    }
    back = narrow.double()
    assert torch.equal(back.penalties, g.penalties)  # multiples of 2^-8 are not rounded
    assert torch.equal(back.final_penalties, g.final_penalties)
    assert back.topology is g.topology
    assert g.to(torch.float32).penalties.dtype == torch.float32
    assert g.to("meta").start_penalties.device.type == "meta"


def test_gradients_flow_and_detach_stops_them():
    penalties = torch.tensor([0.1, 2.3, 0.4], dtype=torch.float64, requires_grad=True)
    starts = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    g = small(penalties=penalties, start_penalties=starts)
    ((g.float().penalties * 3).sum() + g.double().start_penalties.sum()).backward()
    assert penalties.grad.tolist() == [3.0, 3.0, 3.0]
    assert starts.grad.tolist() == [1.0, 1.0]
    still = g.detach()
    assert not still.penalties.requires_grad
    assert not still.start_penalties.requires_grad
    assert still.topology is g.topology


# -- copies ---------------------------------------------------------------------------------------


@given(graphs(epsilons=True, acceptor=False))
def test_pickle_and_deepcopy(g):
    g = g.with_data(number=np.arange(g.num_arcs))
    for same in (pickle.loads(pickle.dumps(g)), copy.deepcopy(g)):
        assert type(same) is Graph
        assert same is not g
        assert torch.equal(same.penalties, g.penalties)
        assert same.data["number"].tolist() == g.data["number"].tolist()
        assert not same.src.flags.writeable
        assert_equivalent(g, same)
    assert copy.copy(g) is g


def test_deepcopy_is_a_copy():
    g = small(isymbols=SymbolTable("abcdef"), data={"ink": torch.zeros(3, 2)})
    other = copy.deepcopy(g)
    other.penalties.add_(1.0)
    other.data.column("ink").base.add_(1.0)
    assert g.penalties[0].item() == pytest.approx(0.1)
    assert g.data["ink"].sum() == 0
    assert other.isymbols == g.isymbols


# -- display --------------------------------------------------------------------------------------


def test_repr():
    g = Graph.from_arcs(
        [(0, 1, "a", "b", 0.5), (1, 2, "cat", None), (0, 2, None, math.inf)],
        start={0: 0.25, 1: 0.0},
        final=2,
    )
    assert repr(g).split("\n") == [
        "Graph: 3 nodes, 3 arcs, start 0 (0.25), 1, final 2",
        "  0 -> 1  a:b    0.5",
        "  1 -> 2  cat:ε  0",
        "  0 -> 2  ε      inf",
    ]


def test_repr_of_much_and_of_nothing():
    long = repr(gtn.linear(torch.zeros(10, 5)))
    assert long.endswith("… 38 more arcs")
    assert len(long.split("\n")) == 14
    assert repr(gtn.empty()) == "Graph: 0 nodes, 0 arcs, start none, final none"
    every = Graph.from_arcs([(n, n + 1, 1) for n in range(9)], start=range(9), final=9)
    assert "start 0, 1, 2, 3, 4, 5, …, final 9" in repr(every)


@given(ANY)
def test_repr_shows_every_arc(g):
    assert len(repr(g).split("\n")) == 1 + g.num_arcs


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bool])
def test_penalties_are_not_rounded_away(dtype):
    with pytest.raises(GraphError, match=f"must be float32 or float64, not {dtype}"):
        small().to(dtype)


def test_a_label_without_a_symbol_is_told_beside_the_labels_that_have_one():
    letters = gtn.SymbolTable({1: "0", 2: "1"})  # label 0 is the blank and has no symbol
    with pytest.raises(SymbolError, match=r"label 0, .* SymbolTable\(2: 0 1\), .* are 1 to 2$"):
        gtn.linear(torch.zeros(4, 3), symbols=letters)
    with pytest.raises(SymbolError, match=r"which is not in SymbolTable\(0: \)$"):
        gtn.linear(torch.zeros(4, 3), symbols=gtn.SymbolTable(""))


def test_symbols_are_a_table():
    with pytest.raises(SymbolError, match="input symbols must be a SymbolTable, not str"):
        gtn.linear(torch.zeros(1, 2), symbols="ab")


VERBS = {
    "arc_posteriors": (),
    "complement": (),
    "compose": ("graph",),
    "connect": (),
    "determinize": (),
    "difference": ("graph",),
    "entropy": (),
    "equal": ("graph",),
    "equivalent": ("graph",),
    "expand": (torch.zeros(2, 2),),
    "expected": (torch.zeros(2),),
    "forward_penalty": (),
    "intersect": ("graph",),
    "invert": (),
    "is_functional": (),
    "is_unambiguous": (),
    "isomorphic": ("graph",),
    "minimize": (),
    "n_best": (2,),
    "project": (),
    "push": (),
    "random_equivalent": ("graph",),
    "relabel": (),
    "remove_epsilon": (),
    "replace": ("graph",),
    "reverse": (),
    "sample": (2,),
    "save": ("nowhere.npz",),
    "shortest_distance": (),
    "to_dot": (),
    "to_networkx": (),
    "to_openfst_text": (),
    "to_svg": (),
    "topsort": (),
    "viterbi_path": (),
    "viterbi_penalty": (),
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_graph_is_named(verb):
    graph = gtn.string([1, 2])
    rest = [graph if part == "graph" else part for part in VERBS[verb]]
    for wrong in (torch.zeros(2, 2), "ab", [graph], None):
        with pytest.raises(GraphError, match=f"a graph is needed, not {type(wrong).__name__}"):
            getattr(gtn, verb)(wrong, *rest)
        if "graph" in VERBS[verb]:
            with pytest.raises(GraphError, match=f"a graph is needed, not {type(wrong).__name__}"):
                getattr(gtn, verb)(graph, wrong)


def test_a_transformer_of_what_is_no_graph_says_so():
    emissions = torch.zeros(2, 2)
    for module in (gtn.nn.Compose(gtn.string([1])), gtn.nn.BestPath()):
        with pytest.raises(GraphError, match=r"not Tensor; gtn\.linear makes one"):
            module(emissions)
    with pytest.raises(GraphError, match=r"not Tensor; gtn\.linear makes one"):
        gtn.nn.ExpectedRiskLoss()(emissions, [1])
    with pytest.raises(GraphError, match=r"not str; gtn\.string makes one"):
        gtn.nn.Learned("ab")


def test_penalties_of_an_expansion_and_a_number_of_samples_are_of_their_types():
    with pytest.raises(GraphError, match=r"penalties must be a torch\.Tensor, not ndarray"):
        gtn.expand(gtn.string([1, 2]), np.zeros((2, 2)))
    with pytest.raises(TypeError, match=r"^count=1\.5; it is a whole number"):
        gtn.sample(gtn.string([1]), 1.5)
    with pytest.raises(TypeError, match=r"^count=1\.5; it is a whole number"):
        gtn.n_best(gtn.string([1]), 1.5)


@pytest.mark.parametrize(
    "verb",
    [
        *(gtn.compose, gtn.intersect, gtn.difference, gtn.cross, gtn.replace),
        *(gtn.equal, gtn.isomorphic, gtn.equivalent, gtn.random_equivalent),
        lambda a, b: gtn.compose(a, b, beam=1.0),
        lambda a, b: gtn.transduce(a, b, check=np.equal, fprop=lambda x, y: x.penalties),
    ],
)
def test_what_is_no_graph_is_named_on_either_side(verb):
    g = gtn.string("a")
    for operands in (("a", g), (g, "a")):
        with pytest.raises(GraphError, match="a graph is needed, not str"):
            verb(*operands)
    with pytest.raises(GraphError, match="not Learned; it gives its graph when it is called"):
        verb(g, gtn.nn.Learned(g))
