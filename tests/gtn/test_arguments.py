"""Wrong arguments: each is named, before a kernel, an allocation or a comparison meets it."""

import math

import numpy as np
import pytest
import torch

import gtn
from gtn import DataError, GraphError, SymbolError
from gtn.arguments import real_number, whole_number
from gtn.streaming import PrunedStream

AB = gtn.SymbolTable("ab")
GRAPH = gtn.from_arcs([(0, 1, "a", 0.5), (0, 1, "b", 1.0), (1, 2, "a")], final=2, symbols=AB)
META = torch.empty(2, 2, device="meta")


@pytest.mark.parametrize("value", [3, np.int8(3), np.array(3), torch.tensor(3)])
def test_whole_numbers_of_all_kinds(value):
    found = whole_number(value, "count")
    assert (found, type(found)) == (3, int)
    assert (real_number(value, "beam"), type(real_number(value, "beam"))) == (3.0, float)


@pytest.mark.parametrize(
    "value", [None, "3", 2.5, True, np.bool_(False), [3], torch.ones(2, dtype=torch.int64), META]
)
def test_no_whole_numbers(value):
    with pytest.raises(TypeError, match=r"^count=.*; it is a whole number"):
        whole_number(value, "count")


@pytest.mark.parametrize(
    "value", [None, "3", b"3", 1j, False, np.bool_(True), [3.0], torch.ones(2), META, META[0, 0]]
)
def test_no_numbers(value):
    with pytest.raises(TypeError, match=r"(?s)^beam=.*; it is a number"):
        real_number(value, "beam")


def test_a_beam_and_the_tokens_to_follow_are_numbers():
    """False would be the beam 0, and kernels were compiled anew for other types than Python's."""
    for options in ({"beam": False}, {"beam": "4"}, {"beam": torch.ones(2)}):
        with pytest.raises(TypeError, match=r"(?s)beam=.*; it is a number"):
            gtn.compose(GRAPH, GRAPH, **options)
    for most in (2.0, True, "2", math.inf):
        with pytest.raises(TypeError, match=r"max_active=.*; it is a whole number"):
            gtn.viterbi_path(GRAPH, GRAPH, max_active=most)
    for most in (np.int32(2), np.array(2), torch.tensor(2)):
        assert gtn.equal(gtn.compose(GRAPH, GRAPH, max_active=most), GRAPH @ GRAPH)
    with pytest.raises(TypeError, match="beam='x'"):
        PrunedStream([GRAPH], beam="x")
    with pytest.raises(TypeError, match=r"(?s)beam=.*; it is a number"):
        gtn.prune(GRAPH, beam=torch.ones(2))
    with pytest.raises(TypeError, match="posterior='x'"):
        gtn.prune(GRAPH, posterior="x")
    assert gtn.equal(gtn.prune(GRAPH, beam=2**70), GRAPH)


def test_counts_are_whole_numbers_that_can_be_numbered():
    with pytest.raises(TypeError, match="count='3'"):
        gtn.n_best(GRAPH, "3")
    with pytest.raises(GraphError, match="too many for one batch of paths"):
        gtn.sample(GRAPH, 2**31)
    for bounds in ({"lower": 2**70}, {"upper": 2**31}):
        with pytest.raises(GraphError, match="too many for one graph"):
            gtn.closure(GRAPH, **bounds)
    with pytest.raises(TypeError, match=r"upper=2\.5"):
        gtn.closure(GRAPH, upper=2.5)
    with pytest.raises(TypeError, match="max_arcs='x'"):
        gtn.remove_epsilon(GRAPH, max_arcs="x")
    for wrong in (math.nan, -1.0):
        with pytest.raises(GraphError, match="atol="):
            gtn.equivalent(GRAPH, GRAPH, atol=wrong)


def test_a_number_of_nodes_is_whole():
    """4.7 was 4, and "4" too."""
    for wrong in (4.7, "4", math.inf):
        with pytest.raises(TypeError, match="num_nodes="):
            gtn.from_arcs([(0, 1, 0)], final=1, num_nodes=wrong)
    for wrong in (2**31, 2**70):
        with pytest.raises(GraphError, match=f"^{wrong} nodes and 1 arcs are too many"):
            gtn.from_arcs([(0, 1, 0)], final=1, num_nodes=wrong)


def test_nodes_and_labels_below_64_bits_are_named():
    with pytest.raises(GraphError, match=f"arc 0 has source node {-(2**70)}"):
        gtn.from_arcs([(-(2**70), 1, 0)], final=1)
    with pytest.raises(GraphError, match=f"arc 0 has label {-(2**70)}"):
        gtn.from_arcs([(0, 1, -(2**70))], final=1)
    with pytest.raises(GraphError, match=f"final node {-(2**70)}"):
        gtn.from_arcs([(0, 1, 0)], final=-(2**70))
    with pytest.raises(GraphError, match=f"string 1: position 0 has label {-(2**70)}"):
        gtn.strings([[1], [-(2**70)]])
    with pytest.raises(GraphError, match="arc 0 has source True; nodes are integers"):
        gtn.from_arcs([(True, 1, 0)], final=1)
    for wrong in (0.5, math.inf, math.nan):
        with pytest.raises(GraphError, match=r"src must be .* integers, not .* float64"):
            gtn.from_arrays([wrong], [1], [0], final=1)


def test_penalties_on_the_meta_device_have_no_values():
    with pytest.raises(GraphError, match="penalties are on the meta device"):
        GRAPH.with_penalties(torch.empty(3, device="meta"))
    with pytest.raises(GraphError, match="penalties are on the meta device"):
        gtn.linear(META)
    with pytest.raises(GraphError, match="penalties are on the meta device"):
        gtn.expand(GRAPH, torch.empty(3, 2, device="meta"))
    with pytest.raises(GraphError, match="emissions are on the meta device"):
        gtn.nn.CTCLoss()(META, [1])


def test_plans_take_topologies_and_are_called_with_graphs():
    with pytest.raises(GraphError, match=r"b is a Topology, not Graph; ComposePlan\.of takes"):
        gtn.ComposePlan(GRAPH.topology, GRAPH)
    with pytest.raises(GraphError, match="a graph is needed, not Topology"):
        gtn.ComposePlan.of(GRAPH, GRAPH)(GRAPH, GRAPH.topology)
    row = np.arange(-1, 2, dtype=np.int32)
    for wrong in (row.astype(np.float64), row.tolist(), (row, row[:1]), (row, row, row), (), "ab"):
        with pytest.raises(GraphError, match="relabel is an int32 array"):
            gtn.ComposePlan(GRAPH.topology, GRAPH.topology, relabel=wrong)
    for wrong in (2**31, 2**70):
        with pytest.raises(GraphError, match=f"failure={wrong} is not a label"):
            gtn.ComposePlan(GRAPH.topology, GRAPH.topology, failure=wrong)
    with pytest.raises(TypeError, match="failure=inf"):
        gtn.ComposePlan(GRAPH.topology, GRAPH.topology, failure=math.inf)


def test_arc_data_are_a_mapping_of_columns():
    for wrong in ("data", 3, [torch.ones(1)]):
        with pytest.raises(DataError, match="arc data are a mapping from key to column, not"):
            gtn.from_arcs([(0, 1, 0)], final=1, data=wrong)
    with pytest.raises(DataError, match="arc data must be a tensor or an array"):
        GRAPH.with_data(time=3.0)
    with pytest.raises(DataError, match=r"sources are a one-dimensional array, not of shape \[\]"):
        gtn.Sources(2**40)
    with pytest.raises(DataError, match=r"not of shape \[1, 1\]"):
        GRAPH.with_data(time=torch.ones(3)).data.column("time").rows([[0]])
    timed = GRAPH.with_data(time=torch.ones(3))
    for wrong in (3, "abc", [1, 2], (None, "")):
        with pytest.raises(DataError, match="give one suffix for each of the 2 operands"):
            gtn.compose(timed, timed, suffixes=wrong)


def test_tables_and_separators():
    with pytest.raises(SymbolError, match="a table is merged with another one, not list"):
        AB.merge(["a"])
    with pytest.raises(SymbolError, match="is not an integer"):
        AB.symbol(torch.ones(2, dtype=torch.int64))
    with pytest.raises(GraphError, match="separator=None; it is a text"):
        gtn.path_text(gtn.string("ab"), separator=None)


def test_a_stream_is_read_with_graphs():
    for wrong in (["ab"], [None], GRAPH):
        with pytest.raises(GraphError, match="graph"):
            PrunedStream(wrong)


def test_numbers_that_criteria_are_made_with():
    for wrong in (2**31, 2**70, -1, 1.5, None):
        with pytest.raises(GraphError, match=r"^blank .* is not a class"):
            gtn.nn.ctc_graphs([[1]], wrong)
    with pytest.raises(TypeError, match=r"num_classes=2\.5"):
        gtn.nn.ctc_topology(2.5)
    with pytest.raises(TypeError, match="num_classes='2'"):
        gtn.nn.ASGLoss("2")
    with pytest.raises(GraphError, match="num_classes=-1"):
        gtn.nn.ASGLoss(-1)
    for wrong in (math.inf, math.nan, -1):
        with pytest.raises(ValueError, match="margin="):
            gtn.nn.HingeLoss(margin=wrong)
    with pytest.raises(TypeError, match="margin=None"):
        gtn.nn.HingeLoss(margin=None)
    with pytest.raises(GraphError, match="count=0"):
        gtn.nn.ExpectedRiskLoss(count=0)
    for wrong in (2.5, None, True):
        with pytest.raises(TypeError, match="count="):
            gtn.nn.ExpectedRiskLoss(count=wrong)
    with pytest.raises(TypeError, match="risk='errors'"):
        gtn.nn.ExpectedRiskLoss(risk="errors")
    for answer in (None, "ab", [[1.0], [1.0, 2.0]]):
        with pytest.raises(GraphError, match="the risks of 2 paths are as many finite numbers"):
            gtn.nn.ExpectedRiskLoss(risk=lambda found, target, answer=answer: answer)(GRAPH, "aa")


def test_what_is_derived_once_is_returned_although_another_thread_replaced_the_rest():
    topology = gtn.string("ab").topology

    def make():
        topology.once("other", int)
        del topology.__dict__["_made"]  # as when two threads make the first dict at once
        topology.once("another", int)
        return 7

    assert topology.once("key", make) == 7
