"""Folders of labelled fields: rows, problems, held-out and validation fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from demos.checks.__main__ import DEMO_FIELDS
from recognizers.datasets.fields import (
    Field,
    FieldSetError,
    load_fields,
    split_in_blocks,
)


def test_validation_fields_are_blocks_of_successive_names() -> None:
    fields = [Field(Path(f"{i:03d}.png"), "1") for i in range(240)]
    training, validation = split_in_blocks(fields[::-1], 0.1, seed=3)
    assert sorted(training + validation) == list(range(240))
    names = sorted(int(fields[::-1][i].path.stem) for i in validation)
    assert len(names) == 24
    assert names == list(range(names[0], names[0] + 24))
    assert split_in_blocks(fields[:9], 0.2, seed=0)[1]


def picture(path: Path) -> None:
    Image.new("L", (40, 20), 255).save(path)


def test_problems_of_single_rows_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    picture(folder / "images" / "a.png")
    picture(folder / "b.png")
    picture(tmp_path / "outside.png")
    rows = "file,text,split\na.png,1,train\nb.png,2,validation\ngone.png,3,\n,4,\na.png,5,\n"
    (folder / "labels.csv").write_text(rows + "../outside.png,6,\n")
    found = load_fields(folder)
    assert [f.text for f in found.fields] == ["1", "2"]
    assert len(found.problems) == 4
    assert "labels.csv:4: gone.png does not exist" in found.problems[0]
    assert split_in_blocks(found.fields, 0.5, 0) == ([0], [1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,text\na.png,1\n", "no column file"),
        (b"file\na.png\n", "no column text"),
        (b"", "no column"),
        (b"file,text\n", "no field"),
        (b"file,text\n\xff\xfe,1\n", "UTF-8"),
    ],
)
def test_unusable_labels(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(FieldSetError, match=message):
        load_fields(tmp_path)


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FieldSetError, match="no such folder"):
        load_fields(tmp_path / "none")
    with pytest.raises(FieldSetError, match=r"labels\.csv"):
        load_fields(tmp_path)


def test_held_out_fields_are_the_last_names() -> None:
    found = load_fields(DEMO_FIELDS)
    first, last = found.held_out(3)
    assert [f.name for f in first + last] == sorted(f.name for f in found.fields)
    assert len(last) == 3
    with pytest.raises(FieldSetError, match="hold out"):
        found.held_out(12)
