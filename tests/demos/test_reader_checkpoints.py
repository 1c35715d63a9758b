"""Checkpoints: written whole, read back, or refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from safetensors import safe_open

from demos.checkpoint import (
    WEIGHTS,
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
    write_whole,
)
from demos.checks.reading.reader import CheckReader, shipped_checkpoint
from demos.checks.whole.reader import WholeReader
from demos.command_line import file_to_write, folder_to_write
from demos.mnist.models import load_model
from demos.strings.reader import StringReader
from demos.words.reading.reader import WordReader
from demos.words.training.characters import load_network


@pytest.fixture(scope="module")
def reader() -> CheckReader:
    return CheckReader.load(shipped_checkpoint())


def test_checkpoints_round_trip(reader: CheckReader, tmp_path: Path) -> None:
    reader.save(tmp_path / "copy.safetensors")
    copy = CheckReader.load(tmp_path / "copy.safetensors")
    for key, value in reader.state_dict().items():
        assert torch.equal(value, copy.state_dict()[key])
    assert copy.threshold == reader.threshold


def test_bad_checkpoints(reader: CheckReader, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        CheckReader.load(tmp_path / "none.safetensors")
    whole = shipped_checkpoint().read_bytes()
    for length in (0, 5, 200, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut\.safetensors"):
            CheckReader.load(tmp_path / "cut.safetensors")
    about = {"grammar": "car", "recognizer": reader.recognizer, "threshold": 0.5, "views": 1}
    save_checkpoint(tmp_path / "other.safetensors", {"layer": torch.zeros(3)}, about)
    with pytest.raises(CheckpointError, match="another architecture"):
        CheckReader.load(tmp_path / "other.safetensors")
    tensors = dict(reader.state_dict())
    tensors["recognize.network.out.1.weight"] = torch.zeros(2, 2)
    save_checkpoint(tmp_path / "shape.safetensors", tensors, about)
    with pytest.raises(CheckpointError, match="another architecture"):
        CheckReader.load(tmp_path / "shape.safetensors")
    save_checkpoint(tmp_path / "none.safetensors", {}, {"grammar": "car"})
    with pytest.raises(CheckpointError, match="missing"):
        CheckReader.load(tmp_path / "none.safetensors")


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "old")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a.txt", 5)  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="links without rights are those of POSIX")
def test_a_link_is_written_through_and_stays(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "a.txt").write_text("old")
    (here / "a.txt").symlink_to("../there/a.txt")
    (here / "twice.txt").symlink_to(here / "a.txt")
    inode = (there / "a.txt").stat().st_ino
    write_whole(here / "twice.txt", "new")
    assert (there / "a.txt").read_text() == "new"
    assert (there / "a.txt").stat().st_ino != inode  # replaced there, whole
    (here / "later.txt").symlink_to(there / "later.txt")  # to what does not exist yet
    write_whole(here / "later.txt", "first")
    assert all(path.is_symlink() for path in here.iterdir())
    assert sorted(path.name for path in there.iterdir()) == ["a.txt", "later.txt"]
    (here / "round.txt").symlink_to(here / "round.txt")
    with pytest.raises(OSError, match=r"symbolic links: '.*/here/round\.txt'$"):
        write_whole(here / "round.txt", "new")
    (here / "lost.txt").symlink_to(tmp_path / "none" / "a.txt")
    with pytest.raises(OSError, match=r"No such file or directory: '.*/here/lost\.txt'$"):
        write_whole(here / "lost.txt", "new")


@pytest.mark.skipif(os.name != "posix", reason="links without rights are those of POSIX")
def test_links_that_lead_nowhere_are_told_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "lost").symlink_to(tmp_path / "none" / "a")
    (tmp_path / "later").symlink_to(tmp_path / "a")
    for check in (file_to_write, folder_to_write):
        for name in ("round", "lost", "lost/b", "lost/b/c", "later/b"):
            with pytest.raises(typer.BadParameter, match=r"(round|lost|later) is a link that le"):
                check(tmp_path / name)
    assert file_to_write(tmp_path / "later") == tmp_path / "later"
    with pytest.raises(typer.BadParameter, match="later is a link that leads nowhere"):
        folder_to_write(tmp_path / "later")  # no link may stand where a folder is made
    (tmp_path / "there").mkdir()
    (tmp_path / "folder").symlink_to("there")
    for name in ("folder", "folder/b", "there/b/c"):
        assert folder_to_write(tmp_path / name) == tmp_path / name
    assert file_to_write(tmp_path / "folder" / "a") == tmp_path / "folder" / "a"


@pytest.mark.skipif(os.name != "posix", reason="limits are those of POSIX")
def test_an_error_of_writing_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    import resource

    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"Is a directory: '.*/folder'$"):
        write_whole(tmp_path / "folder", "new")
    write_whole(tmp_path / "a.txt", "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))  # as a disk that is nearly full
    try:
        with pytest.raises(OSError, match=r"File too large: '.*/a\.txt'$"):
            write_whole(tmp_path / "a.txt", "long" * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "folder"]
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are those of POSIX")
def test_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(file_to_write(pipe) or pipe, "new")
    assert os.read(end, 9) == b"new"
    os.close(end)
    assert [p.name for p in tmp_path.iterdir() if p.is_fifo()] == ["pipe"]


@pytest.mark.parametrize(
    ("name", "load", "setting"),
    [
        ("checks-two-stream", CheckReader.load, "recognizer"),
        ("whole-checks", WholeReader.load, "recognizer"),
        ("lenet-1", load_model, "settings"),
        ("strings", StringReader.load, "settings"),
        ("words-sdnn", WordReader.load, "settings"),
        ("characters", load_network, "settings"),
    ],
)
def test_settings_that_no_module_has(
    name: str, load: Callable[[Path], Any], setting: str, tmp_path: Path
) -> None:
    shipped = WEIGHTS / f"{name}.safetensors"
    with safe_open(shipped, framework="pt") as file:
        kind = file.metadata()["format"]
    tensors, about = load_checkpoint(shipped, kind=kind)
    strange: Any = {"strange": 1} if setting == "settings" else "strange"
    path = tmp_path / "later.safetensors"
    save_checkpoint(path, tensors, about | {setting: strange}, kind=kind)
    with pytest.raises(CheckpointError, match=r"later\.safetensors: .*strange"):
        load(path)
    save_checkpoint(path, tensors, {k: about[k] for k in about if k != setting}, kind=kind)
    with pytest.raises(CheckpointError, match=rf"later\.safetensors: .*{setting}"):
        load(path)
