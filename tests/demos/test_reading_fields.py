"""Reading fields: batches, bad files and the views of a field."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from demos.checks.__main__ import app
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.measuring.evaluate import (
    evaluate,
    read_files,
)
from demos.checks.reading.json_lines import LinesError
from demos.checks.reading.reader import CheckReader, Reading, shipped_checkpoint
from demos.checks.reading.views import Views
from demos.checks.report.fields import write_report
from recognizers.datasets.fields import (
    file_hash,
    load_fields,
)
from recognizers.images import ImageError, load_field

run = CliRunner()


@pytest.fixture(scope="module")
def reader() -> CheckReader:
    return CheckReader.load(shipped_checkpoint())


def test_the_shipped_reader_reads_the_demo_fields(reader: CheckReader) -> None:
    fields = load_fields(DEMO_FIELDS).fields
    figures = evaluate(reader, fields)
    assert figures["n"] == len(fields) == 12
    assert figures["exact"] >= 0.75
    assert figures["n_seen_in_training"] == 0


def test_posteriors_of_the_readings(reader: CheckReader) -> None:
    paths = [one.path for one in load_fields(DEMO_FIELDS).fields[:4]]
    for _, reading in read_files(reader, paths):
        assert isinstance(reading, Reading)
        posteriors = [p for _, p in reading.alternatives]
        assert posteriors == sorted(posteriors, reverse=True)
        assert 0 < sum(posteriors) <= 1 + 1e-9
        assert reading.accepted == (reading.confidence >= reader.threshold)


def test_a_batch_reads_as_single_fields_do(reader: CheckReader) -> None:
    paths = [one.path for one in load_fields(DEMO_FIELDS).fields]
    together = dict(read_files(reader, paths))
    for path in paths[::4]:
        ((_, alone),) = read_files(reader, [path])
        assert alone.text == together[path].text
        assert alone.confidence == pytest.approx(together[path].confidence, abs=1e-4)


def test_light_writing_on_dark_paper_is_read_as_dark_on_light(reader, tmp_path: Path) -> None:
    fields = load_fields(DEMO_FIELDS).fields[:4]
    images = [load_field(one.path) for one in fields]
    read = reader.read([*images, *(255 - image for image in images)])
    for one, other in zip(read[:4], read[4:], strict=True):
        assert one.text == other.text
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
    inverted = []
    for one, image in zip(fields, images, strict=True):
        Image.fromarray(255 - image).save(tmp_path / one.path.name)
        inverted.append(tmp_path / one.path.name)
    assert [r.text for _, r in read_files(reader, inverted)] == [r.text for r in read[:4]]
    write_report(reader, inverted, tmp_path / "report")
    assert read[0].text in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.parametrize("value", [0, 255])
def test_fields_without_ink_say_nothing(reader: CheckReader, value: int) -> None:
    reading = reader.read([np.full((40, 120), value, np.uint8)])[0]
    assert reading == Reading("", 0.0, False)


def test_one_bad_file_does_not_end_a_batch(reader: CheckReader, tmp_path: Path) -> None:
    good = load_fields(DEMO_FIELDS).fields[0].path
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "half.png").write_bytes(good.read_bytes()[:300])
    files = [tmp_path / "empty.png", good, tmp_path / "half.png", tmp_path / "gone.png", good]
    results = [result for _, result in read_files(reader, files)]
    assert [isinstance(r, ImageError) for r in results] == [True, False, True, True, False]
    assert results[1].text == results[4].text
    for path, result in zip(files, results, strict=True):
        if isinstance(result, ImageError):
            assert str(path) in str(result)


def test_read_prints_json_lines_and_fails_for_bad_files(tmp_path: Path) -> None:
    good = load_fields(DEMO_FIELDS).fields[0].path
    (tmp_path / "a.png").write_bytes(good.read_bytes())
    (tmp_path / "b.png").write_bytes(b"nonsense")
    result = run.invoke(app, ["read", str(tmp_path), "--json"])
    assert result.exit_code == 1
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["text"]
    assert first["file"].endswith("a.png")
    assert "b.png" in second["error"]
    assert first["reader"] == second["reader"] == f"{file_hash(shipped_checkpoint())}, 5 views"
    out = tmp_path / "lines.jsonl"
    for count in (2, 0):
        result = run.invoke(app, ["read", str(tmp_path), "--out", str(out)])
        assert f"{count} lines more" in result.output
    result_before = out.read_text()
    result = run.invoke(app, ["read", str(tmp_path), "--out", str(out), "--views", "1"])
    assert isinstance(result.exception, LinesError)
    assert out.read_text() == result_before


def test_the_posterior_of_a_text_is_its_mean_over_the_views(reader: CheckReader) -> None:
    seen = Views(load_field(load_fields(DEMO_FIELDS).fields[2].path), reader.recognize.prepare, 3)
    together = reader.texts([seen])[0]
    alone = [reader.texts([[one]])[0] for one in seen]
    best = max(alone[0], key=alone[0].__getitem__)
    mean = sum(found.get(best, 0.0) for found in alone) / 3
    assert together[best] == pytest.approx(mean, abs=1e-6)
    assert reader.read_prepared([]) == []


def test_fields_may_have_different_numbers_of_views(reader: CheckReader) -> None:
    fields = [load_field(one.path) for one in load_fields(DEMO_FIELDS).fields[:3]]
    seen = [Views(field, reader.recognize.prepare, k) for k, field in enumerate(fields)]
    none, one, two = reader.texts(seen)
    assert none == {}
    for views, found in ((seen[1], one), (seen[2], two)):
        assert found == pytest.approx(reader.texts([views])[0], abs=1e-6)


def test_views_are_the_same_each_time_and_the_first_is_the_field() -> None:
    field = load_field(load_fields(DEMO_FIELDS).fields[0].path)
    first, second = (list(Views(field, np.asarray, 4)) for _ in range(2))
    assert len(first) == 4
    assert np.array_equal(first[0], field)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(np.array_equal(field, other) for other in first[1:])


def test_how_many_views_are_read_can_be_chosen() -> None:
    good = str(load_fields(DEMO_FIELDS).fields[0].path)
    one, five = (
        json.loads(run.invoke(app, ["read", good, "--json", "--views", count]).stdout)
        for count in ("1", "5")
    )
    assert one["text"] == five["text"]
    assert one["confidence"] != five["confidence"]
