"""Files keep graphs whole, are written whole or not at all, and are named where they are wrong."""

import io
import json
import math
import os
import stat
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich_graphs import AB, ANY, rich, same_bits

import gtn
from gtn.data import Column, Sources
from gtn.interchange import files
from gtn.testing import batches, graphs

FEW = settings(max_examples=40)


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
