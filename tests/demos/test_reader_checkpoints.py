"""Checkpoints of the check reader: written whole, read back, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from demos.checkpoint import CheckpointError, save_checkpoint, write_whole
from demos.checks.reading.reader import CheckReader, shipped_checkpoint


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
