"""Figures of readings: shares, thresholds, edit distances."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from demos.checks.__main__ import app
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.measuring.evaluate import (
    Outcome,
    accepted_share,
    edit_distance,
    figures_of,
    shares_of,
    threshold_for,
)
from demos.checks.reading.reader import Reading
from demos.strings.evaluate import evaluate_folder
from demos.strings.reader import StringReader
from recognizers.datasets.fields import Field, FieldSetError, file_hash
from recognizers.images import ImageError

run = CliRunner()


def outcomes(*rows: tuple[float, bool]) -> list[Outcome]:
    return [
        Outcome(str(i), "1", Reading("1" if exact else "2", confidence, True))
        for i, (confidence, exact) in enumerate(rows)
    ]


def test_the_threshold_keeps_the_errors_below_the_limit() -> None:
    some = outcomes((0.9, True), (0.8, True), (0.7, False), (0.6, True), (0.5, False))
    assert accepted_share(some, most_errors=0.01) == pytest.approx(0.4)
    assert threshold_for(some, most_errors=0.01) == pytest.approx(0.8)
    assert accepted_share(some, most_errors=0.25) == pytest.approx(0.8)
    assert threshold_for(outcomes((0.9, False)), most_errors=0.01) == 1.0
    assert accepted_share([], most_errors=0.01) == 0.0
    # A certain reading that differs from its label says more about the label than about itself.
    some = outcomes((0.9999, False), (0.99, True), (0.9, True), (0.5, False), (0.4, True))
    assert threshold_for(some, most_errors=0.01) == 1.0
    assert threshold_for(some, most_errors=0.01, wrong_labels=0.02) == pytest.approx(0.9)
    assert accepted_share(some, most_errors=0.01) == 0.0
    # Two readings of equal confidence are accepted together or not at all.
    assert accepted_share(outcomes((0.9, True), (0.9, False)), most_errors=0.01) == 0.0


def test_shares_by_hand(tmp_path: Path) -> None:
    """Two of three fields are accepted; one of these has one wrong character out of four."""
    rows = [("1250", "1250", 0.9, True), ("1250", "150", 0.8, True), ("77", "7", 0.4, False)]
    some = [Outcome("", truth, Reading(text, p, yes)) for truth, text, p, yes in rows]
    found = shares_of(some)
    assert (found["n"], found["exact"]) == (3, 1 / 3)
    assert found["digit_error"] == pytest.approx((1 + 1) / 10)
    assert (found["accepted"], found["accepted_error"]) == (2 / 3, 0.5)
    assert found["accepted_at_1pct_error"] == pytest.approx(1 / 3)
    fields = []
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
        fields.append(Field(tmp_path / name, "1"))
    results = [(one.path, Reading("1", 0.9, True)) for one in fields]
    seen = [file_hash(fields[1].path), "another"]
    figures = figures_of(results, fields, seen)
    assert figures["not_written"] == 0
    assert (figures["n_seen_in_training"], figures["exact"]) == (1, 1.0)
    assert figures["outcomes"][1].name == "b.png"
    # A file that could not be read is not a field that was seen, though its hash was kept.
    torn = [results[0], (fields[1].path, ImageError("b.png: torn"))]
    figures = figures_of(torn, fields, seen, odd=fields)
    assert figures["not_written"] == 1
    assert (figures["n"], figures["n_seen_in_training"]) == (1, 0)
    assert figures["problems"] == ["b.png: torn"]


def test_nothing_but_certainty_is_accepted_where_no_confidence_is_good_enough() -> None:
    some = outcomes((0.9, False), (0.8, True))
    assert threshold_for(some, most_errors=0.01) == 1.0
    assert threshold_for([], most_errors=0.01) == 1.0


def test_edit_distance() -> None:
    assert [edit_distance(a, b) for a, b in [("", ""), ("12", "12"), ("12", "21"), ("1", "")]] == [
        0,
        0,
        2,
        1,
    ]


def test_evaluate_ends_with_one_line_of_json() -> None:
    result = run.invoke(app, ["evaluate", "--data", str(DEMO_FIELDS), "--holdout", "4", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout.splitlines()[-1])
    assert set(figures) == {
        "n",
        "exact",
        "digit_error",
        "accepted",
        "accepted_error",
        "accepted_at_1pct_error",
        "fields_per_second",
        "n_seen_in_training",
        "not_written",
    }
    assert figures["n"] == 4


def test_figures_of_nothing_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "labels.csv").write_text("file,text\na.png,12\n")
    kept = tmp_path / "kept.json"
    for given in ([], ["--whole"]):
        options = ["--data", str(tmp_path), "--json", "--keep", str(kept), "--workers", "1"]
        result = run.invoke(app, ["evaluate", *options, *given])
        assert isinstance(result.exception, FieldSetError)
        assert "a.png" in str(result.exception)
        assert "{" not in result.output
        assert not kept.exists()
    with pytest.raises(FieldSetError, match=r"a\.png"):
        evaluate_folder(StringReader(), tmp_path)


def test_outcomes_and_the_page_know_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    """The labels are wrong on purpose, so that both fields are among the page's errors."""
    rows = ["file,text"]
    for folder, field in (("x", "test_000.png"), ("y", "test_001.png")):
        (tmp_path / folder).mkdir()
        shutil.copy(DEMO_FIELDS / field, tmp_path / folder / "1.png")
        rows.append(f"{folder}/1.png,9")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    page, kept = tmp_path / "page.html", tmp_path / "kept.json"
    given = ["--data", str(tmp_path), "--page", str(page), "--keep", str(kept), "--workers", "1"]
    result = run.invoke(app, ["evaluate", *given])
    assert result.exit_code == 0, result.output
    wrong = json.loads(kept.read_text())["wrong"]
    assert sorted(wrong) == ["x/1.png", "y/1.png"]
    assert wrong["x/1.png"][1] != wrong["y/1.png"][1]
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page.read_text())
    assert len(set(pictures)) == 2
