"""OpenFst's text: graphs survive the round trip, and errors name the file and the line."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich_graphs import ANY, rich

import gtn
from gtn import GraphError
from gtn.interchange import reading
from gtn.testing import assert_equivalent, graphs
from gtn.testing.openfst import assert_same_language, from_openfst, random_graphs, to_openfst


def single_start(graph):
    """A graph that OpenFst's text can hold: one start without penalty, finite final penalties."""
    return (
        len(graph.starts) == 1
        and graph.start_penalties[0] == 0
        and bool(graph.final_penalties.isfinite().all())
    )


@given(graphs(**ANY, negative=False), st.booleans())
def test_text_and_back(g, tables):
    if tables:
        g = g.with_symbols(gtn.SymbolTable("abc"), gtn.SymbolTable(["one", "two", "<x>"]))
    back = gtn.from_openfst_text(
        gtn.to_openfst_text(g), isymbols=g.isymbols, osymbols=g.osymbols, dtype=torch.float64
    )
    assert len(back.starts) <= 1
    assert_equivalent(back, g, max_length=3, semiring="tropical")


@given(graphs(**ANY, max_starts=1, max_finals=3))
def test_text_of_one_start_comes_back_as_it_was(g):
    g = g.with_penalties(g.penalties, start_penalties=torch.zeros_like(g.start_penalties))
    if not single_start(g):
        return
    back = gtn.from_openfst_text(gtn.to_openfst_text(g), dtype=torch.float64)
    assert back.num_nodes == g.num_nodes
    assert back.starts.tolist() == g.starts.tolist()
    assert back.finals.tolist() == g.finals.tolist()
    assert torch.equal(back.final_penalties, g.final_penalties)
    order = np.argsort(g.src != g.starts[0], kind="stable")
    order = order[np.argsort(np.where(g.src == g.starts[0], -1, g.src)[order], kind="stable")]
    for name in ("src", "dst", "ilabels", "olabels"):
        assert np.array_equal(getattr(back, name), getattr(g, name)[order]), name
    assert torch.equal(back.penalties, g.penalties[torch.from_numpy(order)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_penalties_read_back_bit_for_bit(dtype):
    penalties = torch.rand(500, dtype=dtype, generator=torch.Generator().manual_seed(0)) ** 9
    penalties = torch.cat([penalties, torch.tensor([math.inf, 0.0, 1e-30, 1e30], dtype=dtype)])
    g = gtn.from_arrays([0] * 504, [1] * 504, range(504), penalties=penalties, final=1)
    back = gtn.from_openfst_text(gtn.to_openfst_text(g, acceptor=True), acceptor=True, dtype=dtype)
    assert torch.equal(back.penalties, penalties)
    assert back.topology.ilabels is back.topology.olabels


def test_openfst_reads_our_text_and_we_read_its(tmp_path):
    pywrapfst = pytest.importorskip("pywrapfst", reason="OpenFst is asked through pynini")
    for i, g in enumerate(random_graphs(300, seed=1, infinite=True)):
        compiler = pywrapfst.Compiler()
        compiler.write(gtn.to_openfst_text(g))
        fst = compiler.compile()
        assert_same_language(g, fst, note=f"compiled {i}")
        printed = to_openfst(g).print(show_weight_one=i % 2 == 1)
        back = gtn.from_openfst_text(printed, dtype=torch.float64)
        assert_same_language(back, g, atol=2e-5, note=f"printed {i}")  # OpenFst prints six digits


def test_openfst_agrees_on_symbol_tables(tmp_path):
    pywrapfst = pytest.importorskip("pywrapfst", reason="OpenFst is asked through pynini")
    table = gtn.SymbolTable({0: "a", 4: "bee", 2: "c"})
    file = tmp_path / "symbols.txt"
    file.write_text(gtn.to_openfst_symbols(table), encoding="utf-8")
    theirs = pywrapfst.SymbolTable.read_text(str(file))
    assert {theirs.find(s): s for s in ("<eps>", "a", "bee", "c")} == {
        0: "<eps>", 1: "a", 5: "bee", 3: "c"
    }  # fmt: skip
    assert gtn.from_openfst_symbols(file) == table
    g = gtn.Graph.from_arcs([(0, 1, "a", "bee"), (1, 1, None, "c", 0.5)], final=1, symbols=table)
    compiler = pywrapfst.Compiler(isymbols=theirs, osymbols=theirs)
    compiler.write(gtn.to_openfst_text(g))
    fst = compiler.compile()
    assert gtn.equal(from_openfst(fst).float(), g.with_symbols(None, None))
    back = gtn.from_openfst_text(fst.print(isymbols=theirs, osymbols=theirs), symbols=file)
    assert gtn.equal(back, g)


def test_the_start_comes_first_and_lonely_nodes_stay():
    g = gtn.Graph.from_arcs([(0, 1, 5)], start=2, final=1, num_nodes=5)
    text = gtn.to_openfst_text(g)
    assert text.startswith("2\tInfinity\n")
    assert gtn.equal(gtn.from_openfst_text(text), g)
    assert gtn.to_openfst_text(gtn.empty()) == ""
    assert gtn.from_openfst_text("").num_nodes == 0
    assert gtn.from_openfst_text("7\n").num_nodes == 1


def test_a_table_names_its_own_epsilon(tmp_path):
    table = "- 0\nx 1\n<eps> 2\n"
    g = gtn.from_openfst_text("0 1 x -\n0 1 - <eps>\n1", symbols=table)
    assert g.ilabels.tolist() == [0, -1]
    assert g.olabels.tolist() == [-1, 1]
    usual = gtn.from_openfst_text("0 1 x ε\n1", symbols=gtn.SymbolTable("x"))
    assert usual.olabels.tolist() == [-1]


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_a_text_that_is_read_in_pieces_is_the_same(at_once, monkeypatch):
    text = "\n 3\t0  x\u00a0y z 0.5\r\n\n0 3 z <eps> 1e3\n3 Infinity\n0 12 z z\n12 2.5\r\n0 0.25"
    table = "<eps> 0\nx\u00a0y 1\nz 2\n"
    whole = gtn.from_openfst_text(text, symbols=table)
    assert whole.penalties.tolist() == [0.5, 1000.0, 0.0]
    assert whole.starts.tolist() == [1]
    assert whole.finals.tolist() == [0, 2]
    assert whole.final_penalties.tolist() == [0.25, 2.5]
    monkeypatch.setattr(reading, "_AT_ONCE", at_once)
    assert gtn.equal(gtn.from_openfst_text(text, symbols=table), whole)
    with pytest.raises(gtn.GraphError, match=r"text:9: 'x' is not a penalty"):
        gtn.from_openfst_text(f"{text}\n0 1 z z x\n0 1 y y\n", symbols=table)


def test_numbers_of_many_digits():
    g = gtn.from_openfst_text(f"{2**63 - 1} {'0' * 30}7 {2**31 - 1} 00000000000000000000\n7\n")
    assert (g.num_nodes, g.starts.tolist(), g.finals.tolist()) == (2, [1], [0])
    assert (g.ilabels.tolist(), g.olabels.tolist()) == ([2**31 - 2], [-1])
    for field in (2**63, 10**18 * 10, "1234567890123456789x", "\u0663" * 20):
        with pytest.raises(gtn.GraphError, match=f"text:1: '{field}' is not a state"):
            gtn.from_openfst_text(f"{field} 1 1 1")
    many = 5000  # more than Python makes an integer of
    assert gtn.from_openfst_text(f"{'0' * many}7 7 {'0' * many} 1\n").ilabels.tolist() == [-1]
    assert gtn.from_openfst_symbols(f"a {'0' * many}7").label("a") == 6
    with pytest.raises(gtn.GraphError, match=r"text:1: '9{79}…' is not a state"):
        gtn.from_openfst_text(f"{'9' * many} 1 1 1")
    with pytest.raises(gtn.SymbolError, match=r"symbols:1: .* does not fit 32 bits"):
        gtn.from_openfst_symbols(f"a {'9' * many}")


def test_messages_hold_no_long_texts():
    for text, options in (
        ("0 1 1 " + "x" * 1000, {}),
        ("0 1 1 1 " + "x" * 1000, {}),
        ("0 1 1 1 " * 300, {}),
        ("0 1 a " + "b" * 1000, {"symbols": "a 1"}),
        ("0 1 a a", {"symbols": "a " * 1000}),
        ("0 1 a a", {"symbols": f"{'a' * 1000} 1\n{'a' * 1000} 2"}),
    ):
        with pytest.raises(gtn.GraphError) as caught:
            gtn.from_openfst_text(text, **options)
        assert len(str(caught.value)) < 250


def test_penalties_are_read_in_their_type():
    text = "0 1 1 1 1e39\n0 1 1 1 -1e39\n1"
    assert gtn.from_openfst_text(text, dtype=torch.float64).penalties.tolist() == [1e39, -1e39]
    with pytest.raises(gtn.GraphError, match="text:2: '-1e39' is not a penalty"):
        gtn.from_openfst_text(text, dtype=torch.float32)
    with pytest.raises(gtn.GraphError, match="text:2: '-1e39' is not a penalty"):
        gtn.from_openfst_text("0 1 1 1\n1 -1e39", dtype=torch.float32)
    assert gtn.from_openfst_text("0 1 1 1 1e39\n1").penalties.tolist() == [math.inf]


def test_texts_of_other_editors(tmp_path):
    """A byte order mark is not part of the text, and only line feeds end lines."""
    (tmp_path / "g.txt").write_bytes("\ufeff0 1 a b\r\n1\r\n".encode())
    (tmp_path / "words.txt").write_bytes("\ufeffa 1\r\nb 2\r\n".encode())
    g = gtn.from_openfst_text(tmp_path / "g.txt", symbols=tmp_path / "words.txt")
    assert (g.isymbols, g.ilabels.tolist()) == (gtn.SymbolTable("ab"), [0])
    with pytest.raises(gtn.GraphError, match="text:1: "):  # in no time; it took minutes
        gtn.from_openfst_text("0 1 1 1" + "\r" * 300_000 + "1\n")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("0 1 1 1\n0 1 1\n", {}, "2: '0 1 1' has 3 fields.*acceptor=True"),
        (
            "0 1 1 0.5\n1",
            {},
            "1: '0.5' is not a label.*osymbols=, and lines with one .*acceptor=True",
        ),
        ("0 1 1 1 0.5\n", {"acceptor": True}, "1: '0 1 1 1 0.5' has 5 fields.*acceptor=False"),
        ("0 1 1 1 0.5 7 8", {}, "1: .* has 7 fields"),
        ("0 1 -1 1", {}, "1: '-1' is not a label"),
        ("0 1 1 99999999999", {}, "1: '99999999999' is not a label"),
        ("0 1 a a", {}, "1: 'a' is not a label.*isymbols="),
        ("\n\n0 1 a z", {"symbols": gtn.SymbolTable("a")}, "3: the symbol 'z' is not in"),
        ("0 1 1 1 x", {}, "1: 'x' is not a penalty"),
        ("0 1 1 1 -Infinity", {}, "1: '-Infinity' is not a penalty"),
        ("0 1 1 1 nan", {}, "1: 'nan' is not a penalty"),
        ("0 1 1 1 1_000", {}, "1: '1_000' is not a penalty"),
        ("0 1 1 1 ٣", {}, "1: '٣' is not a penalty"),
        ("0 1.5 1 1", {}, "1: '1.5' is not a state"),
        ("0\n0 2.5", {}, "2: state 0 is made final twice"),
        ("0 1 1 1", {"symbols": "a 1\nb 2 3"}, "symbols:2: 'b 2 3' is not a symbol and its label"),
        ("0 1 1 1", {"symbols": "a 1\na 2"}, "symbols:2: 'a 2': a symbol or label is there twice"),
        ("0 1 1 1", {"symbols": "ε 3\n"}, "symbols:1: 'ε' has label 3"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, options, message):
    with pytest.raises(gtn.GraphError, match=message):
        gtn.from_openfst_text(text, **options)
    if "symbols:" not in message:
        file = tmp_path / "machine.txt"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(gtn.GraphError, match=rf"machine\.txt:{message}"):
            gtn.from_openfst_text(file, **options)


def test_a_path_is_a_path(tmp_path):
    with pytest.raises(gtn.GraphError, match=r"a file is a Path\('machine.txt'\)"):
        gtn.from_openfst_text("machine.txt")
    with pytest.raises(FileNotFoundError):
        gtn.from_openfst_text(Path("machine.txt"))
    (tmp_path / "latin").write_bytes("ä".encode("latin-1"))
    with pytest.raises(gtn.GraphError, match="latin: not a text in UTF-8"):
        gtn.from_openfst_text(tmp_path / "latin")


def test_what_the_text_cannot_hold():
    for symbol in ("a b", "", "<eps>"):
        table = gtn.SymbolTable([symbol])
        with pytest.raises(gtn.SymbolError, match="cannot be written"):
            gtn.to_openfst_symbols(table)
        with pytest.raises(gtn.SymbolError, match="cannot be written"):
            gtn.to_openfst_text(gtn.string([0], symbols=table))
    with pytest.raises(gtn.GraphError, match="one by one"):
        gtn.to_openfst_text(rich())
    with pytest.raises(gtn.GraphError, match="arc 1 reads 3 and writes 4"):
        gtn.to_openfst_text(gtn.Graph.from_arcs([(0, 1, 3), (0, 1, 3, 4)], final=1), acceptor=True)


def test_equal_numbers_of_two_tables_are_no_acceptor():
    tables = {"isymbols": gtn.SymbolTable("a"), "osymbols": gtn.SymbolTable("b")}
    with pytest.raises(GraphError, match="different tables: this is not an acceptor"):
        gtn.to_openfst_text(gtn.from_arcs([(0, 1, 0)], final=1, **tables), acceptor=True)


def test_the_greatest_label_has_no_number_in_openfst():
    graph = gtn.string([2**31 - 1])
    with pytest.raises(GraphError, match="label 2147483647 cannot be written"):
        gtn.to_openfst_text(graph)
    assert "2147483647" in gtn.to_openfst_text(gtn.string([2**31 - 2]))
