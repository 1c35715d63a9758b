"""OpenFst, networkx, files, pickling: graphs survive the round trip, and wrong files are named."""

import copy
import io
import json
import math
import os
import pickle
import stat
import struct
import zipfile
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

import gtn
from gtn import GraphError
from gtn.data import Column, Sources
from gtn.interchange import files, reading
from gtn.testing import assert_equivalent, batches, graphs
from gtn.testing.openfst import assert_same_language, from_openfst, random_graphs, to_openfst

ANY = {"acyclic": False, "epsilons": True, "acceptor": False, "infinite": True}
AB = gtn.SymbolTable("ab")
FEW = settings(max_examples=40)


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


# -- files ----------------------------------------------------------------------------------------


@pytest.fixture(params=[".npz", ".safetensors"])
def path(request, tmp_path):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors", reason="the format of safetensors")
    return tmp_path / f"graph{request.param}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_file_keeps_everything(path, dtype):
    batch = rich(dtype)
    for graph in (batch, batch[1], batch[:0], gtn.empty(), gtn.string([1, 2]), gtn.string("a")):
        gtn.save(graph, path)
        same_bits(gtn.load(path), graph)
    assert gtn.load(path).topology.src.flags.writeable is False


@FEW
@given(st.one_of(graphs(**ANY, isymbols=AB, labels=2), batches(**ANY, dtype=torch.float32)))
def test_a_file_keeps_any_graph(tmp_path_factory, graph):
    pytest.importorskip("safetensors", reason="the format of safetensors")
    folder = tmp_path_factory.mktemp("any")
    for name in ("g.npz", "g.safetensors"):
        gtn.save(graph, folder / name)
        same_bits(gtn.load(folder / name), graph)


@pytest.mark.parametrize("operands", [1, 2, 3])
def test_sources_of_an_operation_are_kept(path, operands):
    one, other = gtn.string("ab"), gtn.string("ac")
    g = [gtn.determinize(one | other), one @ other, gtn.union(one, other, one + other)][
        operands - 1
    ]
    gtn.save(g, path)
    same_bits(gtn.load(path), g)
    assert len(g.sources) == operands


def test_only_rows_that_arcs_have_are_kept(path):
    g = gtn.string([1, 2]).with_data(
        image=Column(torch.arange(1000.0).reshape(10, 100), Sources(np.array([7, -1], np.int32)))
    )
    gtn.save(g, path)
    kept = gtn.load(path).data.column("image")
    assert kept.base.shape == (1, 100)
    assert torch.equal(kept.values(), g.data["image"])


def test_equal_graphs_make_equal_files(path):
    gtn.save(rich(), path)
    first = path.read_bytes()
    gtn.save(rich(), path)
    assert path.read_bytes() == first


def test_gradients_stay_behind(path):
    g = gtn.linear(torch.ones(2, 3, requires_grad=True))
    gtn.save(g, path)
    assert not gtn.load(path).penalties.requires_grad


def test_a_file_has_the_permissions_of_any_new_file(path):
    mask = os.umask(0o077)
    try:
        gtn.save(gtn.string("ab"), path)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_is_written_whole_or_not_at_all(path, monkeypatch):
    gtn.save(gtn.string([1]), path)
    before = path.read_bytes()

    def broken(self, target):
        raise OSError("no room")

    monkeypatch.setattr(files.Path, "replace", broken)
    with pytest.raises(OSError, match="no room"):
        gtn.save(gtn.string([1, 2]), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with pytest.raises(gtn.DataError, match="arc data 'what' are of type object"):
        gtn.save(gtn.string([1]).with_data(what=np.array([{}])), path)
    day = np.array(["2001-01-01"], dtype="datetime64[D]")
    for values, fill in ((np.array([2j]), 1j), (day, day[0])):
        with pytest.raises(
            gtn.DataError, match=r"arc data 'what' have the fill .*; a number, a te"
        ):
            gtn.save(gtn.string([1]).with_data(what=Column(values, fill=fill)), path)
    assert path.read_bytes() == before


def test_damaged_files_are_named(path):
    gtn.save(rich(), path)
    whole = path.read_bytes()
    damaged = [whole[:n] for n in (0, 1, 8, 100, len(whole) // 2, len(whole) - 1)]
    damaged += [b"\0" * 100, b"x" * len(whole)]
    damaged += [whole[:-n] + b"\xff" * 200 + whole[200 - n :] for n in (201, 1500)]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(gtn.GraphError, match=rf"{path.name}: not a complete graph file \(.+\)"):
            gtn.load(path)


@pytest.mark.parametrize("changed", [lambda byte: byte ^ 255, lambda byte: byte ^ 6])
def test_flipped_bytes_never_pass_unseen(path, changed):
    g = gtn.Graph.from_arcs([(0, 1, 3, 4, 0.5), (1, 2, 4, None)], final=2)
    gtn.save(g, path)
    whole, named = path.read_bytes(), ""
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([changed(whole[at])]) + whole[at + 1 :])
        try:
            same_bits(gtn.load(path), g)  # bytes on which nothing depends, such as dates
        except gtn.GraphError as error:
            named += f"{error}\n"
    assert named.count(path.name) == named.count("\n") > 50


def test_another_name_or_type_of_an_array_never_passes_unseen(tmp_path):
    path = tmp_path / "graph.safetensors"
    gtn.save(gtn.connect(gtn.Graph.from_arcs([(0, 1, 3, 4, 0.5), (1, 2, 4, None)], final=2)), path)
    whole = path.read_bytes()
    for old, new in ((b'"olabels"', b'"olabelz"'), (b'{"dtype":"I32"', b'{"dtype":"F32"')):
        for at in (i for i in range(len(whole)) if whole.startswith(old, i)):
            path.write_bytes(whole[:at] + new + whole[at + len(old) :])
            with pytest.raises(gtn.GraphError, match=r"graph\.safetensors: not a complete graph"):
                gtn.load(path)


def test_files_of_others_are_told_to_be_none_of_save(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    np.savez(tmp_path / "other.npz", weight=np.zeros(3))
    safetensors.save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    for name in ("other.npz", "other.safetensors"):
        with pytest.raises(gtn.GraphError, match=rf"{name}: .*\(gtn\.save did not write it\)"):
            gtn.load(tmp_path / name)


def test_a_folder_that_is_missing_is_told_by_the_file_that_was_asked_for(tmp_path):
    for name, write in (("graph.npz", gtn.save), ("graph.svg", gtn.draw)):
        path = tmp_path / "missing" / name
        with pytest.raises(FileNotFoundError) as caught:
            write(gtn.string([3, 4]), path)
        assert caught.value.filename == str(path)


def test_other_compressions_are_not_read(tmp_path):
    path = tmp_path / "graph.npz"
    gtn.save(gtn.string([3, 4]), path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\1\2") + 10] = zipfile.ZIP_BZIP2
    path.write_bytes(whole)
    with pytest.raises(gtn.GraphError, match=r"graph\.npz: not a complete graph .*compressed"):
        gtn.load(path)


def test_what_a_file_says_is_checked(tmp_path):
    path = tmp_path / "graph.npz"

    def rewritten(change):
        gtn.save(rich()[0], path)
        with zipfile.ZipFile(path) as members:
            arrays = {n[:-4]: np.load(io.BytesIO(members.read(n))) for n in members.namelist()}
        about = json.loads(arrays["about"].tobytes())
        change(arrays, about)
        about.pop("sum")
        about["sum"] = files._checksum({k: v for k, v in arrays.items() if k != "about"}, about)
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        np.savez(path, **arrays)
        with pytest.raises(gtn.GraphError, match=r"graph\.npz") as raised:
            gtn.load(path)
        return str(raised.value)

    assert "not a complete" in rewritten(lambda arrays, about: arrays.pop("src"))
    assert "arc 0" in rewritten(lambda arrays, about: arrays["dst"].fill(77))
    assert "format" in rewritten(lambda arrays, about: about.update(format="other"))
    assert "nan" in rewritten(lambda arrays, about: arrays["penalties"].fill(math.nan))
    assert "rows" in rewritten(lambda arrays, about: arrays["data.2.index"].fill(9))
    assert "offsets" in rewritten(lambda arrays, about: arrays["data.3.offsets"].fill(1))
    assert "shape" in rewritten(
        lambda arrays, about: about["data"]["image"].update(shape=[10**9, 10**9])
    )
    assert "object" in rewritten(lambda arrays, about: about["data"]["word"].update(dtype="|O"))


def test_a_pickle_in_an_npz_is_not_read(tmp_path):
    path = tmp_path / "graph.npz"
    np.savez(path, about=np.array([{}], dtype=object))
    with pytest.raises(gtn.GraphError, match=r"graph\.npz.*allow_pickle=False"):
        gtn.load(path)
    np.savez(path, other=np.arange(3))
    with pytest.raises(gtn.GraphError, match=r"graph\.npz.*save did not write it"):
        gtn.load(path)


def test_other_suffixes_and_missing_files(tmp_path):
    for use in (lambda p: gtn.save(gtn.string([1]), p), gtn.load):
        with pytest.raises(gtn.GraphError, match=r"graph\.pt: graphs are kept in \.npz"):
            use(tmp_path / "graph.pt")
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        gtn.load(tmp_path / "none.npz")


def test_without_safetensors_the_message_says_what_to_install(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(files.importlib, "import_module", missing)
    with pytest.raises(ImportError, match="pip install safetensors"):
        gtn.save(gtn.string([1]), tmp_path / "g.safetensors")


# -- OpenFst text --------------------------------------------------------------------------------


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


# -- OpenFst's binary format ---------------------------------------------------------------------


@pytest.mark.parametrize("semiring", ["tropical", "log", "log64"])
def test_openfst_reads_our_binary_and_we_read_its(semiring, tmp_path):
    pynini = pytest.importorskip("pynini", reason="OpenFst is asked through pynini")
    pywrapfst = pytest.importorskip("pywrapfst", reason="OpenFst is asked through pynini")
    dtype = torch.float64 if semiring == "log64" else torch.float32
    tables = gtn.SymbolTable(["a b", "ü"]), gtn.SymbolTable({0: "x", 7: "", 1: "y"})
    for i, g in enumerate(random_graphs(200, seed=2, infinite=True, acyclic=False)):
        named = g if i % 2 else g.with_symbols(*tables)
        content = gtn.to_openfst_binary(named, semiring)
        theirs = pynini.Fst.read_from_string(content)
        assert theirs.verify()
        assert_same_language(from_openfst(theirs), g, max_length=3)
        back = gtn.from_openfst_binary(content)
        assert back.penalties.dtype == dtype
        assert gtn.equal(gtn.from_openfst_binary(theirs.write_to_string()), back)
        assert (back.isymbols, back.osymbols) == (named.isymbols, named.osymbols)
        for kind in ("vector", "const"):
            pywrapfst.convert(theirs, kind).write(str(tmp_path / kind))
            assert gtn.equal(gtn.from_openfst_binary(tmp_path / kind), back)
        table = theirs.output_symbols()
        if table is not None:
            assert {n: table.find(n) for n in (0, 1, 8, 2)} == {0: "<eps>", 1: "x", 8: "", 2: "y"}


def test_several_starts_and_no_start_in_binary():
    g = gtn.from_arcs([(0, 2, 5, 0.5), (1, 2, 6)], start={0: 0.25, 1: math.inf}, final={2: 1.5})
    back = gtn.from_openfst_binary(gtn.to_openfst_binary(g))
    assert (back.num_nodes, back.starts.tolist()) == (4, [3])
    assert_equivalent(back.double(), g.double(), semiring="tropical")
    for empty in (gtn.empty(), gtn.from_arcs([(0, 1, 5)], start={0: math.inf}, final=1)):
        assert gtn.from_openfst_binary(gtn.to_openfst_binary(empty)).num_nodes == 0


def test_an_aligned_machine_and_one_out_of_a_pipe():
    """Const machines may be aligned to 16 bytes; a piped machine does not know its states."""
    content = gtn.to_openfst_binary(g := gtn.from_arcs([(0, 1, 5, 0.5), (1, 0, 6)], final=1))
    at = content.index(struct.pack("<qqq", 0, 2, 2))
    piped = content[: at + 8] + struct.pack("<qq", -1, -1) + content[at + 24 :]
    assert gtn.equal(gtn.from_openfst_binary(piped), g)
    head = struct.pack("<ii5si8s", 2125659606, 5, b"const", 8, b"standard")
    states = [struct.pack("<fIIII", final, i, 1, 0, 0) for i, final in enumerate([math.inf, 0.0])]
    arcs = [struct.pack("<iifi", 6, 6, 0.5, 1), struct.pack("<iifi", 7, 7, 0.0, 0)]
    for version, flags in ((1, 0), (2, 4)):
        parts = [head + struct.pack("<iiQqqq", version, flags, 1, 0, 2, 2)]
        for records in (states, arcs):
            parts += [b"\0" * (-len(b"".join(parts)) % 16), *records]
        assert gtn.equal(gtn.from_openfst_binary(b"".join(parts)), g)


def test_symbols_in_openfsts_binary_format(tmp_path):
    pywrapfst = pytest.importorskip("pywrapfst", reason="OpenFst is asked through pynini")
    theirs = pywrapfst.SymbolTable("words")
    for symbol, number in (("-", 0), ("a b", 4), ("<eps>", 2)):
        theirs.add_symbol(symbol, number)
    path = tmp_path / "words.syms"
    theirs.write(str(path))
    assert gtn.from_openfst_symbols(path) == gtn.SymbolTable({3: "a b", 1: "<eps>"})
    assert gtn.from_openfst_text("0 1 - <eps>\n1", symbols=path).ilabels.tolist() == [-1]
    path.write_bytes(path.read_bytes().replace(b"a b", b"\xce\xb5!"))
    assert "ε!" in gtn.from_openfst_symbols(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(gtn.GraphError, match=r"words\.syms is damaged: it ends at byte \d+, too"):
        gtn.from_openfst_symbols(path)


def test_damaged_binaries_are_named(tmp_path):
    g = gtn.from_arcs([(0, 1, "a", "b", 0.5), (1, 2, "b", None)], final=2)
    whole, path = gtn.to_openfst_binary(g), tmp_path / "G.fst"
    for end in range(4, len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(gtn.GraphError, match=r"G\.fst is damaged: .* early|a text of \d+"):
            gtn.from_openfst_binary(path)
    random = np.random.default_rng(0)
    for _ in range(3000):  # whatever it holds, it is read or the error names it
        content = bytearray(whole)
        content[random.integers(len(whole))] = random.integers(256)
        try:
            gtn.from_openfst_binary(bytes(content))
        except gtn.GraphError:
            continue


def test_what_is_no_such_binary_is_told(tmp_path):
    path = tmp_path / "G.fst"
    path.write_text("0 1 1 1\n1\n")
    with pytest.raises(gtn.GraphError, match=r"G\.fst is not a machine .*from_openfst_text reads"):
        gtn.from_openfst_binary(path)
    path.write_bytes(gtn.to_openfst_binary(gtn.string([3])).replace(b"vector", b"sector"))
    with pytest.raises(gtn.GraphError, match=r"a sector machine with standard arcs; only vector"):
        gtn.from_openfst_binary(path)
    with pytest.raises(
        gtn.GraphError, match=r"binary format, which gtn\.from_openfst_binary reads"
    ):
        gtn.from_openfst_text(path)
    with pytest.raises(gtn.GraphError, match=r"G\.fst: graphs are .*gtn\.from_openfst_binary"):
        gtn.load(path)
    end = struct.pack("<f", 0.5)
    content = gtn.to_openfst_binary(gtn.from_arcs([(0, 1, 3)], final={1: 0.5}))
    assert content.count(end) == 1
    with pytest.raises(gtn.GraphError, match="final 0 has penalty nan"):
        gtn.from_openfst_binary(content.replace(end, struct.pack("<f", math.nan)))
    with pytest.raises(gtn.GraphError, match="one by one"):
        gtn.to_openfst_binary(gtn.strings(["a", "b"]))
    with pytest.raises(gtn.GraphError, match="known are 'tropical'"):
        gtn.to_openfst_binary(gtn.string([3]), "max")
    with pytest.raises(gtn.GraphError, match="2147483647 cannot be written"):
        gtn.to_openfst_binary(gtn.string([2**31 - 1]))


def vector_machine(arcs, *, start=0, num_states=2, tables=(), weight="f", kind=b"standard"):
    """The bytes of a machine of two states, with arcs from the first to the second, which ends."""
    states = [(math.inf, arcs), (0.0, [])]
    head = struct.pack(f"<ii6si{len(kind)}s", 2125659606, 6, b"vector", len(kind), kind)
    head += struct.pack("<iiQqqq", 2, (1 << len(tables)) - 1, 3, start, num_states, len(arcs))
    body = [
        struct.pack(f"<{weight}q", final, len(own))
        + b"".join(struct.pack(f"<ii{weight}i", *arc) for arc in own)
        for final, own in states
    ]
    return b"".join([head, *tables, *body])


def binary_table(*symbols):
    pairs = [struct.pack("<i", len(s)) + s + struct.pack("<q", n) for s, n in symbols]
    return b"".join([struct.pack("<iiqq", 2125658996, 0, len(pairs), len(pairs)), *pairs])


ONE_ARC = [(1, 1, 0.5, 1)]


@pytest.mark.parametrize(
    ("arcs", "options", "message"),
    [
        ([*ONE_ARC, (-1, 1, 0.5, 1)], {}, ": arc 1 has input label -1; labels are >= 0"),
        ([(-(2**31), -(2**31), 0.5, 1)], {}, ": arc 0 has input label -2147483648; labels"),
        ([(1, -(2**31), 0.5, 1)], {}, ": arc 0 has output label -2147483648; labels"),
        ([(1, 1, math.nan, 1)], {}, ": arc 0 has penalty nan"),
        ([(1, 1, -math.inf, 1)], {}, ": arc 0 has penalty -inf"),
        ([(1, 1, 0.5, 2)], {}, ": arc 0 has destination node 2, which does not exist"),
        (ONE_ARC, {"start": 2}, ": start node 2 does not exist"),
        (ONE_ARC, {"start": -2}, r" is damaged: its header has start -2 and 2 states"),
        (ONE_ARC, {"num_states": -2}, r" is damaged: its header has start 0 and -2 states"),
        (ONE_ARC, {"num_states": 2**62}, r" is damaged: it ends in state 1, too early"),
        (ONE_ARC, {"kind": b"lattice4"}, r" is a vector machine with lattice4 arcs; only"),
        (
            ONE_ARC,
            {"tables": [binary_table((b"-", 0))]},
            r": arc 0 has input label 0, which is not in SymbolTable",
        ),
        (
            ONE_ARC,
            {"tables": [binary_table((b"a", 1), (b"b", 1))]},
            ": symbol 'b' has number 1; that symbol or number is there twice",
        ),
        (
            ONE_ARC,
            {"tables": [binary_table((b"a", 0), (b"a", 1))]},
            ": symbol 'a' has number 1; that symbol or number is there twice",
        ),
        (ONE_ARC, {"tables": [binary_table((b"a", -1))]}, ": symbol 'a' has number -1; numbers"),
        (
            ONE_ARC,
            {"tables": [binary_table((b"a", 2**31))]},
            ": symbol 'a' has number 2147483648; numbers",
        ),
        (
            ONE_ARC,
            {"tables": [binary_table((b"\xce\xb5", 2))]},
            ": symbol 'ε' has number 2; that symbol is kept for epsilon",
        ),
    ],
)
def test_what_a_graph_cannot_have_is_told_in_the_numbers_of_the_file(
    tmp_path, arcs, options, message
):
    path = tmp_path / "G.fst"
    path.write_bytes(vector_machine(ONE_ARC, weight="d", kind=b"log64"))
    assert gtn.from_openfst_binary(path).penalties.tolist() == [0.5]
    path.write_bytes(vector_machine(arcs, **options))
    with pytest.raises(gtn.GraphError, match=rf"G\.fst{message}"):
        gtn.from_openfst_binary(path)


def test_arcs_of_const_machines_follow_each_other():
    head = struct.pack("<ii5si8s", 2125659606, 5, b"const", 8, b"standard")
    head += struct.pack("<iiQqqq", 2, 0, 1, 0, 2, 2)
    arcs = b"".join(struct.pack("<iifi", n, n, 0.5, 1) for n in (6, 7))

    def read(*places):
        states = [struct.pack("<fIIII", 0.0, place, 1, 0, 0) for place in places]
        return gtn.from_openfst_binary(b"".join([head, *states, arcs]))

    assert read(0, 1).src.tolist() == [0, 1]
    with pytest.raises(gtn.GraphError, match="the arcs of state 0 are not behind those before it"):
        read(1, 0)


def test_penalties_beyond_float32_need_float64():
    arcs, double = [(0, 1, 3, 0.5), (0, 1, 4, -1e39)], {"dtype": torch.float64}
    wide = gtn.from_arcs(arcs, final=1, **double)
    for g, what in (
        (wide, "arc 1 has penalty -1e[+]39"),
        (gtn.from_arcs(arcs[:1], start={0: 1e39}, final=1, **double), "start 0 has penalty 1e"),
        (gtn.from_arcs(arcs[:1], final={1: 3.5e38}, **double), "final 0 has penalty 3.5e"),
    ):
        for semiring in ("tropical", "log"):
            with pytest.raises(gtn.GraphError, match=f"{what}.* semiring='log64'"):
                gtn.to_openfst_binary(g, semiring)
    assert gtn.equal(gtn.from_openfst_binary(gtn.to_openfst_binary(wide, "log64")), wide)


# -- networkx -----------------------------------------------------------------------------------


@given(graphs(**ANY), st.booleans(), st.sampled_from([torch.float32, torch.float64]))
def test_networkx_and_back(g, tables, dtype):
    g = g.to(dtype)
    if tables:
        g = g.with_symbols(gtn.SymbolTable("abc"), gtn.SymbolTable("cba"))
    g = g.with_data(row=torch.arange(2 * g.num_arcs).reshape(-1, 2)) if g.num_arcs else g
    back = gtn.from_networkx(gtn.to_networkx(g))
    assert gtn.equal(back, g)
    assert back.penalties.dtype == dtype
    assert (back.isymbols, back.osymbols) == (g.isymbols, g.osymbols)


def test_a_network_of_ones_own():
    network = nx.DiGraph([("s", "t", {"label": 3, "weight": 2}), ("t", "t", {})])
    network.nodes["s"]["start"] = True
    network.nodes["t"]["final"] = 0.5
    g = gtn.from_networkx(network, penalty="weight")
    assert g.ilabels.tolist() == [3, -1]
    assert g.penalties.tolist() == [2, 0]
    assert g.starts.tolist() == [0]
    assert g.final_penalties.tolist() == [0.5]
    again = gtn.from_networkx(network, start=["s", "t"], final={"t": 1.0})
    assert again.starts.tolist() == [0, 1]


def test_networkx_algorithms_see_the_graph():
    g = gtn.Graph.from_arcs([(0, 1, 1, 5.0), (0, 2, 1, 1.0), (2, 1, 1, 1.0)], final=1)
    network = gtn.to_networkx(g)
    assert nx.shortest_path(network, 0, 1, weight="penalty") == [0, 2, 1]


def test_networks_that_are_no_graphs():
    with pytest.raises(gtn.GraphError, match="direction"):
        gtn.from_networkx(nx.Graph())
    with pytest.raises(gtn.GraphError, match="final node 'z' is not in the network"):
        gtn.from_networkx(nx.DiGraph([("a", "b")]), start="a", final="z")
    with pytest.raises(gtn.GraphError, match="one by one"):
        gtn.to_networkx(rich())
    with pytest.raises(gtn.DataError, match="merged"):
        gtn.to_networkx(rich()[0])
    halves = nx.MultiDiGraph([(0, 1, {"data": {"x": 1}}), (0, 1, {})])
    with pytest.raises(gtn.GraphError, match="edge 1 has no data 'x'"):
        gtn.from_networkx(halves, start=0, final=1)
    far = nx.DiGraph([("a", "b", {"penalty": "far"})])
    with pytest.raises(gtn.GraphError, match="edge from 'a' to 'b' has penalty 'far'"):
        gtn.from_networkx(far, start="a", final="b")
    with pytest.raises(gtn.GraphError, match="start node 'a' has penalty None"):
        gtn.from_networkx(nx.DiGraph([("a", "b")]), start={"a": None}, final="b")


# -- pickling and copying -------------------------------------------------------------------------


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


def test_equal_numbers_of_two_tables_are_no_acceptor():
    tables = {"isymbols": gtn.SymbolTable("a"), "osymbols": gtn.SymbolTable("b")}
    with pytest.raises(GraphError, match="different tables: this is not an acceptor"):
        gtn.to_openfst_text(gtn.from_arcs([(0, 1, 0)], final=1, **tables), acceptor=True)


def test_truth_values_of_numpy_at_the_nodes_of_a_network():
    network = nx.DiGraph()
    network.add_node("x", start=np.True_, final=np.False_)
    network.add_node("y", start=np.False_, final=np.True_)
    network.add_edge("x", "y", label=1)
    graph = gtn.from_networkx(network)
    assert (graph.starts.tolist(), graph.finals.tolist()) == ([0], [1])
    assert graph.final_penalties.tolist() == [0.0]
    network.add_edge("x", "y", label=1, data="foo")
    with pytest.raises(GraphError, match="edge 0 has data='foo'"):
        gtn.from_networkx(network)


def test_the_greatest_label_has_no_number_in_openfst():
    graph = gtn.string([2**31 - 1])
    with pytest.raises(GraphError, match="label 2147483647 cannot be written"):
        gtn.to_openfst_text(graph)
    assert "2147483647" in gtn.to_openfst_text(gtn.string([2**31 - 2]))
