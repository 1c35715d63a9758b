"""Folders of labelled fields: rows, problems, held-out fields and validation fields."""

from __future__ import annotations

from collections import UserList
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from demos.checks.commands.read import DEMO_FIELDS
from recognizers.datasets import fields
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


def lines_of(tmp_path: Path, rows: list[str], end: str = "\n") -> tuple[dict[str, str], list[str]]:
    """Return the texts of a table by file, and its problems without the folder's name."""
    for name in "abcde":
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "labels.csv").write_text(
        "file,text,split,notes\n" + end.join(rows) + end, newline=""
    )
    found = load_fields(tmp_path)
    problems = [problem.split("labels.csv:")[1] for problem in found.problems]
    return {one.name: one.text for one in found.fields}, problems


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("filler", [0, 5000])
def test_a_quote_that_is_not_closed_is_named_and_the_rows_after_it_are_read(
    tmp_path: Path, end: str, filler: int
) -> None:
    notes = [f"e.png,{'1' * 30}"] + [f"gone{i}.png,{'1' * 30}" for i in range(filler)]
    said = "a quote that opens here is not closed in this line"
    for rows, lines, kept in (
        (['a.png,"12', "b.png,7"], [2], "b"),  # up to the end of the file
        (['a.png,"12', 'b.png,"7"', "c.png,8"], [2], "bc"),  # up to the next quote
        (["a.png,12", "", 'b.png,"7', 'c.png,"8', "d.png,9"], [4, 5], "ad"),
        (['"a.png,12', 'b.png,"7"'], [2], "b"),
        (["a.png,12", 'b.png,"1,5",,"as,', "c.png,8"], [3], "ac"),
    ):
        texts, problems = lines_of(tmp_path, rows + notes, end)
        assert [*texts] == [f"{name}.png" for name in kept + "e"]
        wrong = [problem for problem in problems if said in problem]
        assert [int(problem.split(":")[0]) for problem in wrong] == lines
        assert len(problems) == len(wrong) + filler
    last = lines_of(tmp_path, ["a.png,12", 'b.png,"7'])
    assert (last[0], last[1][0].split(";")[0]) == ({"a.png": "12"}, f"3: {said}")
    (tmp_path / "labels.csv").write_text('file,"text\na.png,12\n')
    with pytest.raises(FieldSetError, match=r"labels\.csv:1: a quote that opens here"):
        load_fields(tmp_path)


def test_quotes_that_are_not_closed_in_many_lines_are_read_in_turn() -> None:
    """Each line is read about twice, not once for each quote before it."""

    class Lines(UserList[str]):
        asked = 0

        def __getitem__(self, at: Any) -> Any:
            Lines.asked += isinstance(at, int)
            return super().__getitem__(at)

    lines = Lines(["file,text\n", *(f'{i}.png,"12\n' for i in range(500))])
    assert [line for line, wrong in fields._rows(lines) if isinstance(wrong, str)] == [
        *range(2, 502)
    ]
    assert Lines.asked < 5 * len(lines)


def test_quotes_that_are_closed_and_notes_over_several_lines_are_read(tmp_path: Path) -> None:
    rows = [
        'a.png,"1,5",,"blurred,',
        'see ""b"""',
        'b.png,"say ""7"""',
        "gone.png,1",
        'c.png,"8\n"',
    ]
    texts, problems = lines_of(tmp_path, rows)
    assert texts == {"a.png": "1,5", "b.png": 'say "7"', "c.png": "8"}
    assert problems == ["5: gone.png does not exist in this folder"]


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


def test_a_name_that_is_too_long_ends_no_other_row(tmp_path: Path) -> None:
    texts, problems = lines_of(tmp_path, ["a.png,1", f"{'x' * 300},2", "b.png,3"])
    assert texts == {"a.png": "1", "b.png": "3"}
    assert problems == [f"3: {'x' * 300} does not exist in this folder"]


def test_spaces_around_the_names_of_columns_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "labels.csv").write_text("file, text , split\na.png, 1, test\n")
    (found,) = load_fields(tmp_path).fields
    assert (found.text, found.split) == ("1", "test")


def test_rows_that_training_must_not_take(tmp_path: Path) -> None:
    """A file under another name, a row without text, an unknown split; test fields are known."""
    for name in "abcdefg":
        picture(tmp_path / f"{name}.png")
    rows = ["a.png,1,", "./a.png,9,", "b.png", "c.png,3,dev", "d.png,4,test", "e.png,,train"]
    rows += ["f.png,1,,250", "g.png,7,,,"]
    (tmp_path / "labels.csv").write_text("\n".join(["file,text,split", *rows]) + "\n")
    found = load_fields(tmp_path)
    assert [(f.name, f.text) for f in found.fields] == [
        ("a.png", "1"),
        ("d.png", "4"),
        ("e.png", ""),
        ("g.png", "7"),
    ]
    assert [problem.split(": ")[1] for problem in found.problems] == [
        "./a.png stands here for the second time",
        "b.png has no text",
        "split 'dev' of c.png is not one of train, validation, test",
        "f.png has more cells than there are columns; a text with a comma stands in quotes",
    ]
    for share in (0.0, 0.5, 1.0):
        training, validation = split_in_blocks(found.fields, share, 0)
        assert sorted(training + validation) == [0, 2, 3]


def test_files_of_one_name_in_several_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in ("x", "images/y"):
        (tmp_path / folder).mkdir(parents=True)
        picture(tmp_path / folder / "1.png")
    (tmp_path / "labels.csv").write_text("file,text\nx/1.png,1\nimages/y/./1.png,2\n")
    assert [f.name for f in load_fields(tmp_path).fields] == ["x/1.png", "y/1.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,text\na.png,1\n", "no column file"),
        (b"file\na.png\n", "no column text"),
        (b"", "no column"),
        (b"file,text\n", "no field"),
        (b"file,text\n\xff\xfe,1\n", "UTF-8"),
        (b"file,text,text\na.png,1,2\n", "csv:1: the column text stands here more than once"),
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
    assert found.measured(3) == last
    assert found.measured(0) == first + last


def test_held_out_fields_are_those_marked_as_test(tmp_path: Path) -> None:
    for name in "abcd":
        picture(tmp_path / f"{name}.png")
    rows = "file,text,split\na.png,1,test\nb.png,2,validation\nc.png,3,\nd.png,4,\n"
    (tmp_path / "labels.csv").write_text(rows)
    found = load_fields(tmp_path)
    assert [one.path.stem for one in found.to_learn(1)] == ["b", "c"]
    with pytest.raises(FieldSetError, match="all 4 fields are held out"):
        found.to_learn(3)
    for count, names in ((0, "a"), (1, "ad"), (2, "acd")):
        rest, held_out = found.held_out(count)
        assert "".join(one.path.stem for one in held_out) == names
        assert {one.path.stem for one in rest} == {*"abcd"} - {*names}
        assert found.measured(count) == held_out
