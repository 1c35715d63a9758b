"""Training part by part and as a whole: labels of segments, stages, resuming."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import demos.checks.experiments.separate as separate
from demos.checkpoint import load_checkpoint
from demos.checks.__main__ import app
from demos.checks.experiments.separate import (
    STAGES,
    UNKNOWN,
    WITHOUT_COMPETITORS,
    Probabilities,
    character_labels,
    compare_trainings,
)
from demos.checks.experiments.separate_page import table_of
from demos.checks.experiments.settings import Effort
from recognizers.datasets.fields import FieldSetError, load_fields
from recognizers.segmentation import segment_field
from recognizers.segmentation.quality import read_boxes

QUICK = Effort(apart=1, longer=1, together=1, digits="small", digit_steps=2, folds=2, block=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fields of two or three ones, and their boxes."""
    place = tmp_path_factory.mktemp("ones")
    (place / "images").mkdir()
    labels, boxes = ["file,text"], ["file,digit,x,y,width,height"]
    for i in range(6):
        field = np.full((48, 150), 225, np.uint8)
        for k in range(2 + i % 2):
            left = 20 + 20 * k + i
            field[8:40, left : left + 12] = 40
            boxes.append(f"{i}.png,1,{left},8,12,32")
        Image.fromarray(field).save(place / "images" / f"{i}.png")
        labels.append(f"{i}.png,{'1' * (2 + i % 2)}")
    (place / "labels.csv").write_text("\n".join(labels) + "\n")
    (place / "boxes.csv").write_text("\n".join(boxes) + "\n")
    return place


def test_segments_are_characters_or_rubbish_or_neither() -> None:
    field = np.full((48, 150), 225, np.uint8)
    field[8:40, 20:32] = field[8:40, 40:52] = 40
    segmentation = segment_field(field)
    ends = list(zip(segmentation.src.tolist(), segmentation.dst.tolist(), strict=True))
    truth = np.array([[20.0, 8, 12, 32], [40.0, 8, 12, 32]])
    labels = character_labels(segmentation, truth, [1, 7], rubbish=10)
    found = dict(zip(ends, labels.tolist(), strict=True))
    assert (found[0, 1], found[1, 2], found[0, 2]) == (1, 7, 10)
    # both strokes make one character, so either of them is a part
    labels = character_labels(segmentation, np.array([[20.0, 8, 32, 32]]), [4], rubbish=10)
    assert dict(zip(ends, labels.tolist(), strict=True)) == {(0, 1): 10, (0, 2): 4, (1, 2): 10}
    labels = character_labels(segmentation, np.array([[14.0, 8, 20, 32]]), [4], rubbish=10)
    assert labels[ends.index((0, 1))] == UNKNOWN


def test_answers_are_probabilities_and_rubbish_may_cost_more() -> None:
    network = torch.nn.Linear(4, 3)
    answers = Probabilities(network)
    before = answers(torch.ones(2, 4))
    assert torch.allclose((-before).exp().sum(dim=1), torch.ones(2))
    assert torch.allclose(before.diff(), network(torch.ones(2, 4)).diff(), atol=1e-6)
    answers.rubbish.fill_(2.0)
    change = answers(torch.ones(2, 4)) - before
    assert torch.allclose(change, torch.tensor([0.0, 0.0, 2.0]).expand(2, 3))


def test_all_stages_are_measured_and_none_is_done_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields, boxes = load_fields(folder).fields, read_boxes(folder / "boxes.csv")
    lines = compare_trainings(fields, boxes, QUICK, tmp_path, progress=False)
    assert [line["n"] for line in lines] in ([4, 2], [2, 4])
    for line in lines:
        assert all(0.0 <= line[stage]["exact"] <= 1.0 for stage in STAGES)
        assert line["together"]["seconds"] > line["apart"]["seconds"]
        assert {"rubbish", "segments"} <= line["apart"].keys()
    # stages that are done are measured but not trained again
    (tmp_path / "fold-0.json").unlink()
    for name in ("_train_apart", "_train_together"):
        monkeypatch.setattr(separate, name, None)
    again = compare_trainings(fields, boxes, QUICK, tmp_path, progress=False)
    assert again == lines


def test_other_criteria_begin_with_the_system_trained_apart(folder: Path, tmp_path: Path) -> None:
    fields, boxes = load_fields(folder).fields, read_boxes(folder / "boxes.csv")
    names = ("viterbi", "hinge")
    (line,) = compare_trainings(
        fields, boxes, QUICK, tmp_path, only=[1], criteria=names, progress=False
    )
    begin = load_checkpoint(tmp_path / "fold-1" / "apart.safetensors")[0]
    hand = {key for key in begin if ".network." not in key}
    for name in (*names, "together"):
        found = load_checkpoint(tmp_path / "fold-1" / f"{name}.safetensors")[0]
        moved = {key for key in begin if not torch.equal(found[key], begin[key])}
        assert moved - hand
        assert bool(moved & hand) == (name not in WITHOUT_COMPETITORS)
        assert line[name]["seconds"] > line["apart"]["seconds"]
    trained = [
        load_checkpoint(tmp_path / "fold-1" / f"{name}.safetensors")[0]
        for name in (*names, "together")
    ]
    for one, other in combinations(trained, 2):  # each criterion has made a different network
        assert any(not torch.equal(one[key], other[key]) for key in begin if ".network." in key)
    # what exists is kept when another one is asked for
    (more,) = compare_trainings(
        fields, boxes, QUICK, tmp_path, only=[1], criteria=["forward"], progress=False
    )
    assert {**line, "forward": more["forward"]} == more
    titles = dict(zip(("apart", "hinge"), ("before", "by margins"), strict=True))
    assert [row.split(" | ")[0] for row in table_of([more], titles).splitlines()[2:]] == [
        "| before",
        "| by margins",
    ]


def test_fields_need_boxes(folder: Path, tmp_path: Path) -> None:
    fields, boxes = load_fields(folder).fields, read_boxes(folder / "boxes.csv")
    boxes["3.png"] = boxes["3.png"][:1]
    with pytest.raises(FieldSetError, match=r"3\.png: '111' needs a box"):
        compare_trainings(fields, boxes, QUICK, tmp_path, progress=False)


def test_commands_write_their_tables(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- segmentation: begin -->\n<!-- segmentation: end -->\nb\n")
    kept = tmp_path / "kept.json"
    options = ["--data", str(folder), "--cuts", "usual", "--keep", str(kept), "--page", str(page)]
    result = CliRunner().invoke(app, ["segmentation", *options])
    assert result.exit_code == 0, result.output
    assert "| usual | 6 | 15 | " in page.read_text()
    assert "| 100.00% | 100.0% |" in page.read_text()
    again = CliRunner().invoke(app, ["segmentation", "--measured", str(kept)])
    assert again.stdout == result.stdout


def test_what_cannot_be_compared_or_tabled(folder: Path, tmp_path: Path) -> None:
    call = CliRunner().invoke
    given = ["separate", "--data", str(folder), "--out", str(tmp_path / "out")]
    for options in (["--recognizer", "sdnn"], ["--loss", "ctc"]):
        assert call(app, [*given, *options]).exit_code == 2
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert "not what --keep" in str(call(app, ["segmentation", "--measured", str(other)]).exception)
    assert f"{other}: not the figures of whole checks" in str(
        call(app, ["whole-table", str(other)]).exception
    )
    for broken in (b"{", b"\xff", b"[]"):
        other.write_bytes(broken)
        assert f"{other}: no" in str(call(app, ["whole-table", str(other)]).exception)
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("file,x\na.png,1\n")
    with pytest.raises(FieldSetError, match=r"boxes\.csv:1: no column height and width and y"):
        read_boxes(boxes)
    boxes.write_text("file,digit,x,y,width,height\na.png,1,2,3,4,wide\n")
    with pytest.raises(FieldSetError, match=r"boxes\.csv:2: not a box"):
        read_boxes(boxes)
    with pytest.raises(FieldSetError, match=r"gone\.csv: no such file; .* file,digit,x,y,width"):
        read_boxes(tmp_path / "gone.csv")
    boxes.write_bytes(b"file,digit,x,y,width,height\n\xe9.png,1,2,3,4,5\n")
    with pytest.raises(FieldSetError, match=r"boxes\.csv: not UTF-8"):
        read_boxes(boxes)
    boxes.write_text("file,digit,x,y,width,height\na.png,1,2,3,4,5\n", encoding="utf-8-sig")
    assert read_boxes(boxes)["a.png"].tolist() == [[2, 3, 4, 5]]
