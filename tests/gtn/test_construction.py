"""Construction: every form of arc is taken, and a wrong arc is named by its number."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gtn
from gtn import EPSILON, Builder, DataError, Graph, GraphError, SymbolError, SymbolTable
from gtn.testing import (
    assert_equivalent,
    exact_penalties,
    forward_penalty_by_enumeration,
    graphs,
    paths,
)

LETTERS = SymbolTable("abc")


# -- lists of arcs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arc", "ilabel", "olabel", "penalty"),
    [
        ((0, 1, 7), 7, 7, 0.0),
        ((0, 1, 7, 0.5), 7, 7, 0.5),
        ((0, 1, 7, np.float32(0.5)), 7, 7, 0.5),
        ((0, 1, 7, 8), 7, 8, 0.0),
        ((0, 1, 7, 8, 0.5), 7, 8, 0.5),
        ((0, 1, 7, 8, 2), 7, 8, 2.0),
        ((0, 1, 7, None), 7, EPSILON, 0.0),
        ((0, 1, None, 8), EPSILON, 8, 0.0),
        ((0, 1, None), EPSILON, EPSILON, 0.0),
        ((0, 1, EPSILON, "ε", 1.0), EPSILON, EPSILON, 1.0),
        ((np.int64(0), np.int32(1), np.int64(7)), 7, 7, 0.0),
        ((0, 1, 7, math.inf), 7, 7, math.inf),
    ],
)
def test_forms_of_an_arc(arc, ilabel, olabel, penalty):
    g = Graph.from_arcs([arc], final=1)
    assert (g.src.item(), g.dst.item()) == (0, 1)
    assert (g.ilabels.item(), g.olabels.item()) == (ilabel, olabel)
    assert g.penalties.tolist() == [penalty]
    assert g.topology.is_acceptor == (ilabel == olabel)
    assert g.isymbols is g.osymbols is None


def test_symbols_are_numbered_as_they_come():
    g = Graph.from_arcs([(0, 1, "b", "x", 1.0), (1, 2, "b", None), (1, 2, "a")], final=2)
    assert g.isymbols is g.osymbols
    assert list(g.isymbols) == ["b", "x", "a"]
    assert [g.symbol_pair(arc) for arc in range(3)] == ["b:x", "b:ε", "a"]


def test_given_tables():
    g = Graph.from_arcs([(0, 1, "c", 0.5), (0, 1, 1)], final=1, symbols=LETTERS)
    assert g.ilabels.tolist() == [2, 1]
    assert g.topology.is_acceptor
    digits = SymbolTable("01")
    g = Graph.from_arcs([(0, 1, "c", "1")], final=1, isymbols=LETTERS, osymbols=digits)
    assert (g.ilabels.item(), g.olabels.item()) == (2, 1)
    assert g.osymbols is digits


def test_one_symbol_with_two_labels_makes_a_transducer():
    reverse = SymbolTable("cba")
    g = Graph.from_arcs([(0, 1, "a")], final=1, isymbols=LETTERS, osymbols=reverse)
    assert (g.ilabels.item(), g.olabels.item()) == (0, 2)
    assert g.symbol_pair(0) == "a"


@pytest.mark.parametrize(
    ("arcs", "options", "error", "message"),
    [
        ([(0, 1)], {}, GraphError, r"arc 0 is \(0, 1\); an arc is \(src, dst, label"),
        ([(0, 1, 2), (0, 1, 2, 3, 4.0, 5)], {}, GraphError, "arc 1 is"),
        ([(0, 1, 2), (0, 1, -2)], {}, GraphError, "arc 1 has ilabel -2"),
        ([(0, 1, 2), (-1, 1, 2)], {}, GraphError, "arc 1 has source node -1"),
        ([(0, 5, 2)], {"num_nodes": 3}, GraphError, "arc 0 has destination node 5.*0 to 2"),
        ([(0, 1, 2, math.nan)], {}, GraphError, "arc 0 has penalty nan"),
        ([(0, 1, 2), (0, 1, 2, -math.inf)], {}, GraphError, "arc 1 has penalty -inf"),
        ([(0, 1, 2.5)], {}, GraphError, "arc 0 has label 2.5"),
        ([(0, 1, 2, 3, "x")], {}, GraphError, "arc 0 .*penalty 'x'"),
        ([(0, 1, "a", 2)], {}, GraphError, r"arc 0 is .*a penalty is written as a float, 2.0"),
        ([(0, 1, 2), (0.5, 1, 2)], {}, GraphError, "arc 1 .*source 0.5"),
        ([(0, 1, 2), (0, "1", 2)], {}, GraphError, "arc 1 .*destination '1'"),
        ([(0, 1, 7), 3], {}, GraphError, "arc 1 is 3; an arc is"),
        (
            [(0, 1, "a"), (0, 1, "d")],
            {"symbols": LETTERS},
            SymbolError,
            "arc 1 .*'d', which is not in",
        ),
        ([(0, 1, "a"), (0, 1, 9)], {"symbols": LETTERS}, SymbolError, "arc 1 has input label 9"),
        ([(0, 1, "a")], {"isymbols": LETTERS}, GraphError, "arc 0 has the symbol 'a', but"),
        ([(0, 1, 2)], {"start": [0, 0]}, GraphError, "start node 0 is given twice"),
        ([(0, 1, 2)], {"start": 4, "num_nodes": 2}, GraphError, "start node 4 does not exist"),
        ([(0, 1, 2)], {"start": -1}, GraphError, "start node -1 does not exist"),
        ([(0, 1, 2)], {"start": {0: math.nan}}, GraphError, "start 0 has penalty nan"),
        ([(0, 1, 2)], {"data": {"t": np.zeros(2)}}, DataError, "'t' has 2 rows for 1 arc"),
        ([(0, 1, 2)], {"penalties": torch.zeros(2)}, GraphError, r"shape \[1\], not \[2\]"),
        ([(0, 1, 2)], {"start": [0, 1.7]}, GraphError, "start node 1.7 is not an integer"),
        (
            [(0, 1, 2)],
            {"start": "01"},
            GraphError,
            "start node '01' is not an integer; start is a node",
        ),
        ([(0, 1, 2)], {"start": None}, GraphError, "start node None is not an integer; start is a"),
        ([(0, 1, 2)], {"start": 1.0}, GraphError, "start node 1.0 is not an integer; start is a"),
        ([(0, 1, "a")], {"symbols": "ab"}, SymbolError, "must be a SymbolTable, not str"),
        ([(0, 1, 2)], {"start": {"0": 1.0}}, GraphError, "start node '0' is not an integer"),
        ([(0, 1, 2)], {"start": True}, GraphError, "start node True is not a number"),
        ([(0, 1, 2)], {"start": np.array([True, False])}, GraphError, r"np.flatnonzero\(mask\)"),
        ([(0, 1, 2)], {"start": torch.tensor([False])}, GraphError, r"np.flatnonzero\(mask\)"),
        ([(0, 1, "x"), (1, 2, 0)], {}, SymbolError, "arc 1 has label 0, other arcs have symbols"),
        ([(0, 1, "x", 0, 0.5)], {}, SymbolError, "arc 0 has label 0, other arcs have symbols"),
        (
            [(0, 1, "a"), (0, 1, "a", "")],
            {},
            SymbolError,
            "arc 1 has the symbol ''; epsilon is None",
        ),
        ([(0, 1, "<eps>", "a")], {}, SymbolError, "arc 0 has the symbol '<eps>'; epsilon is None"),
        ([(0, 1, "a", np.int64(2))], {}, GraphError, "a penalty is written as a float, 2.0"),
        ([(0, 1, 2**31)], {}, GraphError, "arc 0 has label 2147483648; labels are 0 to 214748364"),
        ([(0, 1, 0, 2**70)], {}, GraphError, f"arc 0 has label {2**70}; labels are 0 to"),
        ([(0, 2**70, 0)], {}, GraphError, f"arc 0 has destination node {2**70}; nodes are 0 to 2"),
        ([(0, 1, 0)], {"final": 2**70}, GraphError, f"^final node {2**70}; nodes are 0 to 21474"),
        ([(0, 1, 0)], {"start": 2**31}, GraphError, "^start node 2147483648; nodes are 0 to 214"),
    ],
)
def test_wrong_arcs(arcs, options, error, message):
    with pytest.raises(error, match=message):
        Graph.from_arcs(arcs, **{"final": 1} | options)


def test_starts_finals_and_penalties():
    g = Graph.from_arcs([(0, 1, 7)], start={3: 0.5, 0: 0.25}, final=[4, 1], dtype=torch.float64)
    assert g.num_nodes == 5
    assert g.starts.tolist() == [0, 3]
    assert g.start_penalties.tolist() == [0.25, 0.5]
    assert g.finals.tolist() == [1, 4]
    assert g.final_penalties.tolist() == [0.0, 0.0]
    assert g.penalties.dtype == g.start_penalties.dtype == torch.float64


def test_starts_and_finals_of_arrays():
    for nodes in (np.array([0, 2]), torch.tensor([0, 2]), iter([np.int32(2), 0]), range(0, 3, 2)):
        assert Graph.from_arcs([(0, 1, 7)], final=nodes).finals.tolist() == [0, 2]
    for node in (np.int64(2), np.array(2), torch.tensor(2), {np.int64(2): 0.5}):
        assert Graph.from_arcs([(0, 1, 7)], final=node).finals.tolist() == [2]
    g = gtn.from_arrays([0], [1], [7], final={1: 0.0}, final_penalties=torch.ones(1))
    assert g.final_penalties.tolist() == [1.0]


def test_penalties_as_a_tensor():
    penalties = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    g = Graph.from_arcs([(0, 1, 7), (0, 1, 8)], final=1, penalties=penalties)
    assert g.penalties is penalties
    with pytest.raises(GraphError, match=r"arc 1 .*penalty 0.5.*penalties="):
        Graph.from_arcs([(0, 1, 7), (0, 1, 8, 0.5)], final=1, penalties=penalties)


def test_arcs_may_come_from_a_generator_and_be_none():
    g = Graph.from_arcs(((n, n + 1, n) for n in range(3)), final=3)
    assert g.num_arcs == 3
    nothing = Graph.from_arcs([], start=[], final=[])
    assert (nothing.num_nodes, nothing.num_arcs) == (0, 0)
    point = Graph.from_arcs([], final=0)
    assert [path.arcs for path in paths(point)] == [()]


# -- arrays ---------------------------------------------------------------------------------------


@given(graphs(acyclic=False, epsilons=True, acceptor=False, infinite=True))
def test_arrays_and_arcs_make_the_same_graph(g):
    rows = zip(g.src, g.dst, g.ilabels, g.olabels, g.penalties.tolist(), strict=True)
    options = {"num_nodes": g.num_nodes}
    options["start"] = dict(zip(g.starts.tolist(), g.start_penalties.tolist(), strict=True))
    options["final"] = dict(zip(g.finals.tolist(), g.final_penalties.tolist(), strict=True))
    from_rows = Graph.from_arcs(list(rows), dtype=torch.float64, **options)
    from_columns = Graph.from_arrays(
        g.src, g.dst, g.ilabels, g.olabels, penalties=g.penalties, **options
    )
    for same in (from_rows, from_columns):
        for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
            np.testing.assert_array_equal(getattr(same, name), getattr(g, name))
        for name in ("penalties", "start_penalties", "final_penalties"):
            assert torch.equal(getattr(same, name), getattr(g, name))


def test_penalties_of_arrays():
    def dtype(penalties):
        return gtn.from_arrays([0], [1], [7], penalties=penalties, final=1).penalties.dtype

    assert dtype([0.5]) == dtype([1]) == dtype(None) == torch.get_default_dtype()
    assert dtype(np.array([0.5])) == torch.float64
    assert dtype(np.array([0.5], dtype=np.float32)) == torch.float32
    assert dtype(np.array([1])) == torch.get_default_dtype()
    given_starts = torch.tensor([2.0], requires_grad=True)
    g = gtn.from_arrays([0], [1], [7], final=1, start_penalties=given_starts)
    assert g.start_penalties is given_starts


def test_penalties_of_an_array_are_a_copy():
    array = np.array([0.5, 1.5])
    g = gtn.from_arrays([0, 0], [1, 1], [7, 8], penalties=array, final=1)
    array[0] = 9.0
    assert g.penalties.tolist() == [0.5, 1.5]
    array.setflags(write=False)  # torch warns of these where memory is shared
    assert gtn.from_arrays([0, 0], [1, 1], [7, 8], penalties=array, final=1).num_arcs == 2


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        (([0, 1], [1], [7, 8]), {}, "dst has 1 entries for 2 arcs"),
        (([0, 1], [1, 2], [7]), {}, "ilabels has 1 entries for 2 arcs"),
        (([0, 1], [1, 9], [7, 8]), {"num_nodes": 3}, "arc 1 has destination node 9"),
        (([0], [1], [0.5]), {}, "ilabels must be a one-dimensional array of integers"),
        (([0, 1], [1, 2], [7, 8]), {"penalties": [0.0, math.nan]}, "arc 1 has penalty nan"),
        (
            ([0], [1], [7]),
            {"start": {0: 5.0}, "start_penalties": torch.zeros(1)},
            "start= and start_penalties= both have penalties",
        ),
        (([0], [1], [7]), {"penalties": [1.0, 2.0]}, r"shape \[1\], not \[2\]"),
    ],
)
def test_wrong_arrays(arrays, options, message):
    with pytest.raises(GraphError, match=message):
        Graph.from_arrays(*arrays, final=1, **options)


# -- matrices and strings -------------------------------------------------------------------------


@given(st.integers(0, 3), st.integers(1, 3), st.data())
def test_linear_has_a_path_per_string(length, classes, data):
    row = st.lists(exact_penalties(), min_size=classes, max_size=classes)
    rows = data.draw(st.lists(row, min_size=length, max_size=length))
    matrix = torch.tensor(rows, dtype=torch.float64).reshape(length, classes)
    g = gtn.linear(matrix)
    assert len(paths(g)) == classes**length
    expected = -torch.logsumexp(-matrix, 1).sum().item()
    assert forward_penalty_by_enumeration(g) == pytest.approx(expected, abs=1e-9)
    for path in paths(g):
        chosen = sum(rows[t][c] for t, c in enumerate(path.inputs))
        assert path.penalty == chosen


def test_linear_carries_gradients_symbols_and_data():
    matrix = torch.zeros(2, 3, requires_grad=True)
    g = gtn.linear(matrix, symbols=LETTERS, data={"time": np.repeat([0.0, 1.0], 3)})
    (g.penalties * torch.arange(6.0)).sum().backward()
    assert matrix.grad.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert g.symbol_pair(5) == "c"
    assert g.data["time"].tolist() == [0.0] * 3 + [1.0] * 3
    with pytest.raises(GraphError, match=r"penalties must be .* not of shape \[3\]"):
        gtn.linear(torch.zeros(3))
    with pytest.raises(GraphError, match="arc 3 has penalty nan"):
        gtn.linear(torch.tensor([[0.0, 0.0], [0.0, math.nan]]))
    with pytest.raises(SymbolError, match="arc 3 has input label 3"):
        gtn.linear(torch.zeros(1, 4), symbols=LETTERS)


@given(st.text("abc", max_size=5))
def test_string_reads_its_text(text):
    (path,) = paths(gtn.string(text, symbols=LETTERS))
    assert "".join(LETTERS.decode(path.inputs)) == text
    assert path.penalty == 0.0
    assert_equivalent(gtn.string(text), gtn.string(list(text)))


def test_forms_of_a_string():
    assert gtn.string([3, 1]).ilabels.tolist() == [3, 1]
    assert gtn.string(np.array([3, 1])).isymbols is None
    assert list(gtn.string(["the", "cat", "the"]).isymbols) == ["the", "cat"]
    assert gtn.string("", symbols=LETTERS).isymbols is LETTERS
    assert gtn.string([1], dtype=torch.float64).penalties.dtype == torch.float64
    with pytest.raises(SymbolError, match=r"^position 1 .*'x', which is not in"):
        gtn.string("axb", symbols=LETTERS)
    with pytest.raises(GraphError, match=r"^position 1 has label -3"):
        gtn.string([1, -3])


def test_empty_has_no_path():
    g = gtn.empty(symbols=LETTERS, dtype=torch.float64)
    assert paths(g) == []
    assert g.isymbols is LETTERS
    assert g.penalties.dtype == g.start_penalties.dtype == torch.float64
    assert forward_penalty_by_enumeration(g) == math.inf


# -- the builder ----------------------------------------------------------------------------------


def test_builder():
    b = Builder(dtype=torch.float64)
    nodes = [b.add_node(start=True), b.add_node(start=0.5), b.add_node(final=1.5)]
    assert nodes == [0, 1, 2]
    assert b.add_arc(0, 2, "a", penalty=1) == 0
    assert b.add_arc(1, 2, "b", None, penalty=2.0) == 1
    assert b.add_arc(1, 2, "b", "a") == 2
    expected = Graph.from_arcs(
        [(0, 2, "a", 1.0), (1, 2, "b", None, 2.0), (1, 2, "b", "a")],
        start={0: 0.0, 1: 0.5},
        final={2: 1.5},
        dtype=torch.float64,
    )
    assert repr(b.build()) == repr(expected)
    assert_equivalent(b.build(), expected)


def test_builder_takes_arcs_in_the_forms_of_from_arcs():
    b = Builder()
    b.add_node(start=True), b.add_node(final=True)
    arcs = [
        (0, 1, "a"),
        (0, 1, "a", 0.5),
        (0, 1, "a", "b"),
        (0, 1, "a", None, 2.0),
        (0, 1, "b", 0.0),
    ]
    for arc in arcs:
        b.add_arc(*arc)
    assert repr(b.build()) == repr(Graph.from_arcs(arcs, final=1))
    with pytest.raises(GraphError, match=r"arc 5 has two penalties, 0\.5 and 2\.0"):
        b.add_arc(0, 1, "a", 0.5, penalty=2.0)
    with pytest.raises(GraphError, match="arc 5 has penalty None; a penalty is a number"):
        b.add_arc(0, 1, "a", penalty=None)
    with pytest.raises(GraphError, match=r"arc 5 is .*: 1 after a symbol is not an output label"):
        b.add_arc(0, 1, "a", 1)
    with pytest.raises(GraphError, match="arc 5 has source 'a'"):
        b.add_arc("a", 1, "a")
    assert b.build().num_arcs == 5


def test_builder_keeps_zero_apart_from_none():
    b = Builder()
    b.add_node(start=0.0, final=0)
    b.add_node()
    g = b.build()
    assert g.starts.tolist() == g.finals.tolist() == [0]
    assert g.num_nodes == 2


def test_builder_collects_data():
    b = Builder()
    for _ in range(2):
        b.add_node(start=True, final=True)
    b.add_arc(0, 1, 7, image=torch.ones(2, 2), time=0.5)
    b.add_arc(0, 1, 8, image=torch.zeros(2, 2), time=1.5)
    g = b.build()
    assert g.data["image"].shape == (2, 2, 2)
    assert g.data["time"].tolist() == [0.5, 1.5]
    b.add_arc(0, 1, 9, time=2.5)
    with pytest.raises(DataError, match="arc 2 has no data 'image'"):
        b.build()


def test_builder_knows_its_nodes():
    b = Builder()
    b.add_node()
    with pytest.raises(GraphError, match="arc 0 has destination node 1, which was not added"):
        b.add_arc(0, 1, 7)
    with pytest.raises(GraphError, match="arc 0 has source node -1"):
        b.add_arc(-1, 0, 7)
    assert b.build().num_arcs == 0


def test_the_empty_text_goes_with_other_texts():
    maybe = gtn.string("a") | gtn.string("")
    assert gtn.path_text(gtn.n_best(maybe, 3)) == ["a", ""]
    assert gtn.string([]).isymbols is None


def test_a_string_of_a_tensor():
    assert gtn.string(torch.tensor([3, 1])).ilabels.tolist() == [3, 1]


def test_labels_and_nodes_may_be_elements_of_tensors():
    zero, one, label = torch.tensor([0, 1, 7])
    for arc in ((zero, one, label), (zero, one, label, label), (0, one, label, 7, 0.0)):
        assert gtn.equal(gtn.from_arcs([arc], final=one), gtn.from_arcs([(0, 1, 7)], final=1))
    assert gtn.string([label, one]).ilabels.tolist() == [7, 1]
    assert gtn.strings([[label], [one, 0]]).ilabels.tolist() == [7, 1, 0]
    builder = gtn.Builder()
    builder.add_node(start=True)
    builder.add_node(final=True)
    builder.add_arc(zero, one, label)
    assert gtn.equal(builder.build(), gtn.string([7]))
    for wrong in (torch.tensor(True), torch.tensor(1.0), torch.tensor([1])):
        with pytest.raises(GraphError, match="arc 0 has source"):
            gtn.from_arcs([(wrong, 1, 7)], final=1)
        with pytest.raises(GraphError, match=r"^position 0 has label"):
            gtn.string([wrong])


def test_penalties_with_gradients_come_in_one_tensor():
    penalty = torch.tensor(1.0, requires_grad=True)
    with pytest.raises(GraphError, match=r"arc 0 has the tensor .*penalties="):
        gtn.from_arcs([(0, 1, "a", penalty)], final=1)
    builder = Builder()
    node = builder.add_node()
    with pytest.raises(GraphError, match="arc 0 has a penalty that needs a gradient"):
        builder.add_arc(node, node, "a", penalty=penalty)


def test_rows_of_one_key_have_one_shape():
    builder = Builder()
    node = builder.add_node()
    builder.add_arc(node, node, "a", image=np.zeros((2, 2)))
    builder.add_arc(node, node, "b", image=np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"'image' of arc 1 has shape \(3, 2\)"):
        builder.build()


@pytest.mark.parametrize(
    "labels",
    [
        ["34", "", "4"],
        [""],
        [[3, 1], [], torch.tensor([2, 2, 2])],
        [np.array([5]), "7"],
        [["3", "4"], "43"],
    ],
)
def test_strings_are_the_batch_of_each_string(labels):
    table = gtn.SymbolTable("0123456789")
    batch = gtn.strings(labels, symbols=table, dtype=torch.float64)
    assert isinstance(batch, gtn.GraphBatch)
    assert len(batch) == len(labels)
    for one, each in zip(batch, labels, strict=True):
        assert gtn.equal(one, gtn.string(each, symbols=table, dtype=torch.float64))


def test_strings_make_one_table_of_all_their_symbols():
    batch = gtn.strings(["ab", "cb"])
    assert batch.isymbols == gtn.SymbolTable("abc")
    assert gtn.path_text(batch) == ["ab", "cb"]
    assert gtn.strings([[0, 1]]).isymbols is None
    assert gtn.strings([""]).isymbols == gtn.string("").isymbols


def test_strings_of_integers_are_read_without_a_step_for_each_label(monkeypatch):
    def never(*given):
        raise AssertionError("a label was read by itself")

    rows = [[3, 1, -1], [4, 1, 5]]
    wide = np.array(rows)
    ragged = [np.array([3, 1, -1], dtype=np.int32), np.array([], dtype=np.int64), None]
    expected = gtn.strings([["d", "b", "ε"], ["e", "b", "f"]], symbols=gtn.SymbolTable("abcdef"))
    monkeypatch.setattr("gtn.texts.label_of", never)
    for labels in (rows, wide, list(wide), torch.from_numpy(wide), wide.astype(np.int8)):
        found = gtn.strings(labels)
        assert found.ilabels.tolist() == expected.ilabels.tolist() == [3, 1, -1, 4, 1, 5]
        assert found.topology.node_offsets.tolist() == [0, 4, 8]
        assert found.isymbols is None
    found = gtn.strings(ragged)
    assert (found.ilabels.tolist(), found.num_nodes) == ([3, 1, -1], 5)
    assert gtn.strings(["ba", "ab"]).ilabels.tolist() == [0, 1, 1, 0]


def test_strings_of_truth_values_are_those_of_each_row():
    rows = torch.tensor([[True, False], [False, True]])
    assert gtn.strings(rows).ilabels.tolist() == gtn.strings(list(rows)).ilabels.tolist()
    assert gtn.strings(rows).ilabels.tolist() == [1, 0, 0, 1]


def test_no_string_is_an_empty_graph_in_a_batch_of_strings():
    batch = gtn.strings([None, "a", None], symbols=gtn.SymbolTable("a"))
    assert [one.num_nodes for one in batch] == [0, 2, 0]
    assert gtn.forward_penalty(batch).tolist() == [np.inf, 0.0, np.inf]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "ab"], r"string 1: position 1 has the symbol 'b', which is not in"),
        ([[0], [1.5]], r"string 1: position 0 has label 1.5"),
        (
            [[0], [], [1, -100]],
            r"string 2: position 1 has label -100; .* EPSILON == -1, with which",
        ),
        (np.array([[0, 1], [1, -100]]), r"string 1: position 1 has label -100"),
        ([[0], [-3]], "label -3"),
        ([[0], [0, 7]], r"string 1: position 1 has label 7; it is not in .*, whose labels are 0"),
        (torch.tensor([[0, 2**31]]), "string 0: position 1 has label 2147483648; .* 2147483647$"),
        ([[], [2**70]], f"string 1: position 0 has label {2**70}; labels are 0 to 2147483647$"),
        ([np.ma.array([0, 0], mask=[False, True])], "string 0: position 1 has label masked"),
        ([], "at least one string"),
    ],
)
def test_strings_name_what_is_no_label(labels, message):
    with pytest.raises(gtn.GraphError, match=message):
        gtn.strings(labels, symbols=gtn.SymbolTable("a"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("aab", "position 2 has the symbol 'b', which is not in"),
        ([0, 1.5], r"position 1 has label 1\.5; labels are integers"),
        ([0, -5], "position 1 has label -5; labels are 0 to 2147483647, or EPSILON == -1$"),
        (np.array([0, 0, 3]), "position 2 has label 3; it is not in .*, whose labels are 0 to 0$"),
        ([0, 2**31], "position 1 has label 2147483648; labels are 0 to 2147483647$"),
        ([0, 2**70], f"position 1 has label {2**70}; labels are 0 to 2147483647$"),
        (np.array([2**63], dtype=np.uint64), f"position 0 has label {2**63}; labels are 0 to"),
    ],
)
def test_a_string_names_the_position_of_what_is_no_label(labels, message):
    with pytest.raises(gtn.GraphError, match="^" + message):
        gtn.string(labels, symbols=gtn.SymbolTable("a"))


def test_what_is_no_string_or_table():
    with pytest.raises(SymbolError, match="must be a SymbolTable, not str"):
        gtn.string("a", symbols="ab")
    with pytest.raises(SymbolError, match="must be a SymbolTable, not str"):
        gtn.strings(["a"], symbols="ab")
    for wrong in (5, torch.tensor(5)):
        with pytest.raises(GraphError, match="is not a string: give a text, or a sequence"):
            gtn.string(wrong)
    with pytest.raises(GraphError, match="5 is not a string"):
        gtn.strings(["a", 5])
    with pytest.raises(GraphError, match=r"'act' is one text; .* several, as of \['act'\]"):
        gtn.strings("act")
    with pytest.raises(GraphError, match=r"penalties must be a torch.Tensor, not list"):
        gtn.linear([[0.0, 1.0]])


def test_strings_have_symbols_or_numbers():
    with pytest.raises(SymbolError, match=r"^position 1 has label 0, other positions have symb"):
        gtn.string(["x", 0])
    with pytest.raises(SymbolError, match=r"^string 1: position 0 has label 4"):
        gtn.strings(["x", [4]])
    assert gtn.string(["x", -1]).ilabels.tolist() == [0, -1]


@pytest.mark.parametrize("kind", [bool, np.bool_, torch.tensor])
def test_truth_values_of_every_kind_say_where_paths_begin_and_end(kind):
    builder = gtn.Builder()
    first = builder.add_node(start=kind(True), final=kind(False))
    last = builder.add_node(start=kind(False), final=kind(True))
    builder.add_arc(first, last, 1)
    ends = {0: kind(False), 1: kind(True)}
    for graph in (builder.build(), gtn.from_arcs([(0, 1, 1)], final=ends)):
        assert (graph.starts.tolist(), graph.finals.tolist()) == ([0], [1])
        assert (graph.start_penalties.tolist(), graph.final_penalties.tolist()) == ([0.0], [0.0])


def test_what_is_no_penalty_of_an_end():
    builder = gtn.Builder()
    with pytest.raises(GraphError, match="final node 0 has penalty 'x'"):
        builder.add_node(final="x")
    with pytest.raises(GraphError, match="start node 0 has a penalty that needs a gradient"):
        builder.add_node(start=torch.tensor(0.5, requires_grad=True))
    with pytest.raises(GraphError, match="final node 1 has penalty None"):
        gtn.from_arcs([(0, 1, 1)], final={1: None})
    with pytest.raises(GraphError, match="final node 1 has a penalty that needs a gradient"):
        gtn.from_arcs([(0, 1, 1)], final={1: torch.tensor(0.5, requires_grad=True)})
    assert builder.add_node() == 0  # what failed added nothing


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_nodes_may_be_unsigned(kind):
    graph = gtn.from_arrays(np.array([0], kind), np.array([1], kind), [0], final=1)
    assert graph.num_nodes == 2
    none = gtn.from_arrays(np.array([], kind), np.array([], kind), [], final=0)
    assert none.num_nodes == 1


def test_there_is_no_negative_number_of_nodes():
    with pytest.raises(GraphError, match="num_nodes=-1"):
        gtn.from_arcs([], start=[], final=[], num_nodes=-1)


def test_epsilon_in_a_text_is_no_symbol():
    for symbols in (["a", "ε", "b"], ["a", None, "b"]):
        assert gtn.string(symbols).ilabels.tolist() == [0, -1, 1]
        assert gtn.strings([symbols])[0].ilabels.tolist() == [0, -1, 1]
    # In a text ε is a letter, which would be lost.
    for table in (None, gtn.SymbolTable("μα")):
        with pytest.raises(GraphError, match="text 'με' has 'ε' at 1"):
            gtn.string("με", symbols=table)
        with pytest.raises(GraphError, match="text 'με' has 'ε' at 1"):
            gtn.strings(["μ", "με"], symbols=table)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 3))
def test_a_batch_of_chains_is_made_of_chains(lengths, classes):
    penalties = torch.randn(len(lengths), 4, classes, dtype=torch.float64, requires_grad=True)
    table = gtn.SymbolTable("abc"[:classes])
    found = gtn.linear(penalties, lengths=torch.tensor(lengths), symbols=table)
    chains = [gtn.linear(p[:n], symbols=table) for p, n in zip(penalties, lengths, strict=True)]
    assert gtn.equal(found, gtn.GraphBatch.from_graphs(chains))
    total = sum((gtn.forward_penalty(chain) for chain in chains if chain.num_arcs), start=0)
    if isinstance(total, torch.Tensor) and total.isfinite():
        ours = gtn.forward_penalty(found)
        ours = ours[torch.tensor(lengths) > 0].sum()
        torch.testing.assert_close(*(torch.autograd.grad(x, penalties) for x in (ours, total)))
    whole = gtn.linear(penalties)
    assert [chain.num_arcs for chain in whole] == [4 * classes] * len(lengths)
    assert whole.penalties.data_ptr() == penalties.data_ptr()


def test_lengths_that_chains_cannot_have():
    penalties = torch.zeros(2, 3, 4)
    for lengths in (None, [], torch.zeros(0)):
        assert len(gtn.linear(torch.zeros(0, 3, 4), lengths=lengths)) == 0
    assert gtn.linear(penalties, lengths=np.array([1, 2], dtype=np.uint64)).num_arcs == 12
    for lengths, message in (
        ([1], "2 whole numbers"),
        ([1.0, 2.0], "2 whole numbers"),
        ([1, 4], "problem 1 has length 4, but there are 3 frames"),
        ([-1, 2], "problem 0 has length -1"),
    ):
        with pytest.raises(GraphError, match=message):
            gtn.linear(penalties, lengths=lengths)
    with pytest.raises(GraphError, match="lengths belong to a batch"):
        gtn.linear(penalties[0], lengths=[3])
    with pytest.raises(GraphError, match=r"\[T, C\] or \[B, T, C\], not of shape \[3\]"):
        gtn.linear(torch.zeros(3))


def test_a_table_may_have_symbols_that_are_epsilon_elsewhere():
    for items in (["a", "<eps>"], ["a", "", "b"]):
        with pytest.raises(
            SymbolError, match=f"^position 1 has the symbol '{items[1]}'; epsilon is"
        ):
            gtn.string(items)
        with pytest.raises(SymbolError, match=f"a string has the symbol '{items[1]}'"):
            gtn.strings([["b"], items])
    table = SymbolTable(["", "<eps>", "a"])
    assert gtn.string(["<eps>", ""], symbols=table).ilabels.tolist() == [1, 0]
    g = Graph.from_arcs([(0, 1, ""), (1, 2, "<eps>", "a")], final=2, symbols=table)
    assert g.ilabels.tolist() == [0, 1]
    assert g.olabels.tolist() == [0, 2]


def test_a_long_text_is_not_all_of_a_message():
    words = gtn.SymbolTable(["cat"])
    for make in (
        lambda: gtn.string("a" * 10**5 + "ε"),
        lambda: gtn.strings("a" * 10**5),
        lambda: gtn.string("cat " * 10**5, symbols=words),
    ):
        with pytest.raises(gtn.GraphError) as refused:
            make()
        assert len(str(refused.value)) < 400
