"""Reading folders of any size: bounded memory, all cores, lines that can be continued."""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from demos.checks.__main__ import app
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.reading.json_lines import LinesError, line_of, read_into, unread, written
from demos.checks.reading.reader import CheckReader, Reading, shipped_checkpoint
from demos.checks.reading.volume import UNDER_WAY, read_files
from demos.image_folders import image_files
from recognizers.datasets.fields import load_fields
from recognizers.folding import folded
from recognizers.images import ImageError

run = CliRunner()
SDNN = shipped_checkpoint("sdnn")
GOOD = [one.path for one in load_fields(DEMO_FIELDS).fields]


@pytest.fixture(scope="module")
def reader() -> CheckReader:
    return CheckReader.load(SDNN)


def folder_of(place: Path, count: int, bad: int) -> set[str]:
    """Make a folder of many files, most of them empty paper; return the broken names."""
    (place / "00").mkdir(parents=True)
    Image.new("L", (24, 12), 200).save(place / "00" / "paper.png")
    paper = (place / "00" / "paper.png").read_bytes()
    (place / "00" / "paper.png").unlink()
    broken = set()
    for i in range(count):
        path = place / f"{i // 1000:02d}" / f"{i:05d}.png"
        path.parent.mkdir(exist_ok=True)
        content = paper
        if i % (count // bad) == 7:
            content = (b"", b"no picture", GOOD[0].read_bytes()[:200])[len(broken) % 3]
            broken.add(path.name)
        elif i % 100 < 2:
            content = GOOD[i // 100 % len(GOOD)].read_bytes()
        path.write_bytes(content)
    return broken


# -- many files --------------------------------------------------------------------------------


def test_a_hundred_broken_files_of_ten_thousand_cost_a_line_each(tmp_path: Path) -> None:
    count, bad = 10_000, 100
    broken = folder_of(tmp_path / "many", count, bad)
    assert len(broken) == bad
    out = tmp_path / "lines.jsonl"
    # One view of each file is enough: four more of empty paper would take most of the time.
    command = ["read", str(tmp_path / "many"), "--checkpoint", str(SDNN), "--views", "1"]
    command += ["--out", str(out)]
    result = run.invoke(app, [*command, "--workers", "2"])
    assert result.exit_code == 1, result.output
    assert f"{count} lines more" in result.stdout
    assert f"{bad} errors" in result.stdout
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [Path(line["file"]).name for line in lines] == [f"{i:05d}.png" for i in range(count)]
    assert {Path(line["file"]).name for line in lines if "error" in line} == broken
    assert all(line["file"] in line["error"] for line in lines if "error" in line)
    # A picture is read the same in whatever group and process.
    texts: dict[int, set[str]] = {}
    for i, line in enumerate(lines):
        if line.get("text"):
            assert 1 <= len(line["alternatives"]) <= 5
            texts.setdefault(i // 100 % len(GOOD), set()).add(line["text"])
    assert len(texts) == len(GOOD)
    assert all(len(found) == 1 for found in texts.values())
    # The second time nothing is left to read.
    before = out.read_bytes()
    again = run.invoke(app, [*command, "--workers", "1"])
    assert again.exit_code == 0
    assert "0 lines more" in again.stdout
    assert out.read_bytes() == before


def test_files_are_taken_as_results_are_fetched(reader: CheckReader) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        for path in itertools.cycle(GOOD):
            taken += 1
            yield path

    some = list(itertools.islice(read_files(reader, endless()), 20))
    assert [path for path, _ in some] == [GOOD[i % len(GOOD)] for i in range(20)]
    assert taken <= 2 * reader.recognize.together
    assert UNDER_WAY >= 1


def test_folders_are_listed_as_they_come(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.JPG", "a/z/3.png", "a/notes.txt", "0.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in image_files([tmp_path])]
    assert names == ["0.tif", "a/z/3.png", "b/1.JPG", "b/2.png"]
    first = next(image_files([tmp_path, tmp_path / "gone"]))
    assert first == tmp_path / "0.tif"


def test_an_empty_folder_costs_an_error_and_the_rest_is_read(
    reader: CheckReader, tmp_path: Path
) -> None:
    found = list(read_files(reader, image_files([GOOD[0], tmp_path, GOOD[1]])))
    assert [path for path, _ in found] == [GOOD[0], tmp_path, GOOD[1]]
    assert [isinstance(result, Reading) for _, result in found] == [True, False, True]
    assert str(found[1][1]) == f"{tmp_path}: no image in this folder"


# -- lines -------------------------------------------------------------------------------------


READER = "1f, 5 views"


def results(*names: str) -> list[tuple[Path, Reading | ImageError]]:
    reading = Reading("12", 0.75, True, (("12", 0.75), ("72", 0.25)))
    return [(Path(n), ImageError(f"{n}: bad") if "bad" in n else reading) for n in names]


def test_a_torn_last_line_is_mended_and_its_file_read_again(tmp_path: Path) -> None:
    out = tmp_path / "new" / "lines.jsonl"
    assert not written(out, READER)(Path("a"))
    assert len(list(read_into(out, results("a", "bad", "c"), READER))) == 3
    whole = out.read_bytes()
    last = len(whole.splitlines(keepends=True)[2])
    for torn in (1, 9, last - 1):
        out.write_bytes(whole[: len(whole) - last + torn])
        left = list(unread(map(Path, ["a", "bad", "c", "d"]), written(out, READER)))
        assert left == [Path("c"), Path("d")]
        assert out.read_bytes() == whole[:-last]
        list(read_into(out, results("c"), READER))
        assert out.read_bytes() == whole
    assert json.loads(whole.splitlines()[1]) == {
        "file": "bad",
        "error": "bad: bad",
        "reader": READER,
    }
    assert line_of(results("a")[0], READER)["alternatives"][1] == {"text": "72", "posterior": 0.25}


def test_a_reading_cut_short_goes_on(reader: CheckReader, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    list(read_into(whole, read_files(reader, GOOD), READER))
    for _ in itertools.islice(read_into(cut, read_files(reader, GOOD), READER), 5):
        pass
    assert len(cut.read_text().splitlines()) == 5
    list(read_into(cut, read_files(reader, unread(GOOD, written(cut, READER))), READER))
    texts = [[json.loads(x)["text"] for x in p.read_text().splitlines()] for p in (whole, cut)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("line", ["file,text\n", "[1]\n", '{"name": "a"}\n', '{"file": 3}\n'])
def test_a_file_of_something_else_is_left_as_it_is(line: str, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    out.write_text(json.dumps({"file": "a", "reader": READER}) + "\n" + line)
    with pytest.raises(LinesError, match=r"labels\.csv:2"):
        written(out, READER)
    assert out.read_text().endswith(line)


@pytest.mark.parametrize("content", ['{"important": [1, 2, 3]}', "my notes", '{"file":3}', "["])
def test_a_file_of_something_else_without_a_last_line_end_is_left_too(
    content: str, tmp_path: Path
) -> None:
    """Half a line of our own is told from another file by how it begins."""
    out = tmp_path / "notes"
    out.write_text(content)
    with pytest.raises(LinesError, match="notes:1"):
        written(out, READER)
    assert out.read_text() == content


@pytest.mark.parametrize("other", [{"reader": "1f, 1 views"}, {"reader": 3}, {}])
def test_lines_of_another_reader_are_not_gone_on_with(other: dict, tmp_path: Path) -> None:
    out = tmp_path / "lines.jsonl"
    list(read_into(out, results("a"), READER))
    content = out.read_text() + json.dumps({"file": "b", **other}) + "\n"
    out.write_text(content)
    with pytest.raises(LinesError, match=r"lines\.jsonl:2: read by .*, not by 1f, 5 views; choose"):
        written(out, READER)
    assert out.read_text() == content


def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.png")
    list(read_into(tmp_path / "lines.jsonl", results(name), READER))
    assert written(tmp_path / "lines.jsonl", READER)(Path(name))


# -- folding -----------------------------------------------------------------------------------


def test_folded_networks_say_the_same(reader: CheckReader) -> None:
    network = reader.recognize.network
    lines = torch.rand(3, 1, 40, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(folded(network)(lines), network(lines), rtol=1e-4, atol=1e-3)
    kept = folded(nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.ReLU()))
    assert isinstance(kept[0], nn.BatchNorm2d)


def test_reading_leaves_the_reader_as_it_is(reader: CheckReader) -> None:
    before = {key: value.clone() for key, value in reader.state_dict().items()}
    list(read_files(reader, GOOD[:2]))
    after = reader.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(p.requires_grad for p in reader.recognize.network.parameters())


@pytest.mark.skipif(os.name != "posix", reason="locks are those of POSIX")
def test_two_readings_do_not_write_to_one_file_at_once(tmp_path: Path) -> None:
    results = [(tmp_path / f"{i}.png", ImageError(f"{i}.png: bad")) for i in range(2)]
    first = read_into(tmp_path / "out.jsonl", results, "1f")
    next(first)
    with pytest.raises(LinesError, match=r"out\.jsonl: another process"):
        next(read_into(tmp_path / "out.jsonl", results, "1f"))
    with pytest.raises(LinesError, match=r"out\.jsonl: another process"):
        written(tmp_path / "out.jsonl", "1f")  # it would cut off the line that the other has begun
    assert len(list(first)) == 1
    assert len(list(read_into(tmp_path / "out.jsonl", [], "1f"))) == 0


@pytest.mark.skipif(os.name != "posix", reason="locks are those of POSIX")
def test_lines_are_written_to_a_disk_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(error: int) -> None:
        def refuse(*_: object) -> None:
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr("fcntl.flock", refuse)

    out, results = tmp_path / "out.jsonl", [(Path("a.png"), ImageError("a.png: bad"))]
    flock(errno.ENOLCK)
    assert len(list(read_into(out, results, "1f"))) == 1
    assert written(out, "1f")(Path("a.png"))
    flock(errno.EIO)  # as from a broken disk
    with pytest.raises(OSError, match="Input/output"):
        written(out, "1f")
