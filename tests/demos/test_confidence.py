"""Confidence: calibration on validation fields, the curves, and the page on a data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from html_pages import Page
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import gtn
from demos.checks.__main__ import app
from demos.checks.choices import WAYS
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.measuring.calibration import (
    FEWEST,
    calibrate,
    error_reject,
    expected_calibration_error,
    fit_scale,
    reliability,
)
from demos.checks.measuring.confusions import NOTHING, aligned, confusions
from demos.checks.measuring.curves import error_reject_figure, training_figure
from demos.checks.measuring.evaluate import Outcome, edit_distance, not_written, threshold_for
from demos.checks.reading.combination import combined
from demos.checks.reading.reader import CheckReader, Reading, shipped_checkpoint
from demos.checks.reading.texts import mean, rest, scaled, texts_of
from demos.checks.training.recalibration import recalibrate
from grammars import named
from recognizers.datasets.fields import Field, FieldSetError, load_fields
from recognizers.images import load_field

run = CliRunner()
SDNN = shipped_checkpoint("sdnn")
words = st.text("0123", max_size=7)


def outcomes(*rows: tuple[float, bool]) -> list[Outcome]:
    return [
        Outcome(str(i), "1", Reading("1" if exact else "2", confidence, True))
        for i, (confidence, exact) in enumerate(rows)
    ]


# -- scaling -----------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=6), st.floats(0.05, 5.0))
def test_scaled_posteriors_are_posteriors_in_the_same_order(
    masses: list[float], scale: float
) -> None:
    total = sum(masses) * 1.25
    texts = {str(i): mass / total for i, mass in enumerate(masses)}
    found = scaled(texts, scale)
    assert sum(found.values()) + rest(found) == pytest.approx(1.0)
    order = sorted(texts, key=texts.__getitem__)
    assert [found[t] for t in order] == sorted(found.values())
    assert scaled(texts, 1.0) == texts
    assert scaled(scaled(texts, scale), 1 / scale) == pytest.approx(texts, rel=1e-6, abs=1e-9)


def test_a_view_that_says_nothing_counts_against_all_texts() -> None:
    assert mean([{"1": 0.5, "7": 0.5}, {}]) == {"1": 0.25, "7": 0.25}
    assert mean([{}, {}]) == {}


def test_certain_texts_stay_certain_and_none_stay_none() -> None:
    assert scaled({"1": 1.0}, 0.3) == {"1": 1.0}
    assert scaled({}, 0.3) == {}
    assert scaled({"1": 0.0}, 2.0) == {"1": 0.0}


def test_the_scale_is_that_by_which_the_readings_were_spoilt() -> None:
    rng = np.random.default_rng(4)
    fields, truths = [], []
    for _ in range(1500):
        p = rng.uniform(0.5, 0.98)
        fields.append(scaled({"1": p, "7": 0.9 * (1 - p)}, 2.5))  # overconfident
        truths.append(str(rng.choice(["1", "7", "2"], p=[p, 0.9 * (1 - p), 0.1 * (1 - p)])))
    assert fit_scale(fields, truths) == pytest.approx(1 / 2.5, rel=0.15)
    assert fit_scale([], []) == 1.0
    # Wrong labels say nothing about the reader.
    sure = [{"1": 0.999}] * 98 + [{"1": 0.999}] * 2
    labels = ["1"] * 98 + ["7"] * 2
    assert fit_scale(sure, labels) < 0.8 < fit_scale(sure, labels, wrong_labels=0.02)
    # If nothing is wrong, any larger scale would be likelier; twenty fields do not decide.
    assert 1.2 < fit_scale([{"1": 0.9}] * 20, ["1"] * 20) < 2.5


# -- curves ------------------------------------------------------------------------------------


def test_reliability_of_what_is_right_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.3, 1.0, 4000)
    honest = outcomes(*((float(c), bool(rng.random() < c)) for c in sure))
    assert expected_calibration_error(honest) < 0.03
    vain = outcomes(*((0.99, i % 2 == 0) for i in range(100)))
    assert expected_calibration_error(vain) == pytest.approx(0.49)
    # Too little confidence is as wrong as too much, and the two do not cancel.
    modest = outcomes(*((0.3, i % 2 == 0) for i in range(100)))
    assert expected_calibration_error(modest, 1) == pytest.approx(0.2)
    assert expected_calibration_error([*vain, *modest], 2) == pytest.approx((0.49 + 0.2) / 2)
    bins = reliability(honest, 8)
    assert len(bins) == 8
    assert sum(one.count for one in bins) == 4000
    assert [one.confidence for one in bins] == sorted(one.confidence for one in bins)
    assert len(reliability(outcomes((0.5, True)), 10)) == 1
    assert expected_calibration_error([]) == 0.0


def test_the_error_reject_curve() -> None:
    some = outcomes((0.9, True), (0.8, True), (0.8, False), (0.6, True), (0.5, False))
    rejected, wrong, least = error_reject(some)
    assert rejected == pytest.approx([0.0, 0.2, 0.4, 0.8])
    assert wrong == pytest.approx([2 / 5, 1 / 4, 1 / 3, 0.0])
    assert least.tolist() == [0.5, 0.6, 0.8, 0.9]
    assert [len(part) for part in error_reject([])] == [0, 0, 0]
    # The operating point lies on the curve and is marked there.
    threshold = threshold_for(some, most_errors=0.25)
    place = least.tolist().index(threshold)
    assert wrong[place] <= 0.25
    (axes,) = error_reject_figure(some, threshold).axes
    (marked,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert marked.get_xdata() == pytest.approx([100 * rejected[place]])
    assert marked.get_ydata() == pytest.approx([100 * wrong[place]])


@pytest.mark.parametrize("passes", [1, 2, 3, 20, 100])
def test_no_pass_is_named_in_part(passes: int) -> None:
    lines = [{"pass": i + 1, "loss": 1.0 / (i + 1), "validation_exact": 0.5} for i in range(passes)]
    for axes in training_figure([{"stage": "digits"}, *lines]).axes:
        low, high = axes.get_xlim()
        named = [float(x) for x in axes.get_xticks() if low <= x <= high]
        assert named
        assert all(x.is_integer() for x in named)
        assert passes > 3 or named == [*range(1, passes + 1)]
        assert (axes.lines[0].get_marker() == "o") == (passes == 1)  # else nothing is visible


# -- calibrating a reader ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def fields() -> list[Field]:
    return list(load_fields(DEMO_FIELDS).fields)


def test_calibrating_sets_scale_and_threshold_and_keeps_what_is_read(
    fields: list[Field], tmp_path: Path
) -> None:
    reader = CheckReader.load(SDNN)
    views = [[reader.recognize.prepare(load_field(one.path))] for one in fields]
    before = reader.read_prepared(views)
    names, truths = [one.name for one in fields], [one.text for one in fields]
    found, figures = calibrate(reader, views, names, truths, wrong_labels=0.02)
    assert figures["scale"] == reader.scale != 1.0
    assert figures["threshold"] == reader.threshold
    after = reader.read_prepared(views)
    assert [one.text for one in after] == [one.text for one in before]
    assert [o.reading for o in found] == after
    assert [r.accepted for r in after] == [r.confidence >= reader.threshold for r in after]
    reader.save(tmp_path / "reader.safetensors")
    again = CheckReader.load(tmp_path / "reader.safetensors")
    assert (again.scale, again.threshold) == (reader.scale, reader.threshold)
    assert again.read_prepared(views) == after
    # Where fields are few, a reader keeps the scale and threshold of the one it began with.
    begun = CheckReader("car", "sdnn", scale=0.5, threshold=0.75)
    kept, few = calibrate(reader, views, names, truths, begun_with=begun)
    assert (reader.scale, reader.threshold) == (few["scale"], few["threshold"]) == (0.5, 0.75)
    assert [o.reading.accepted for o in kept] == [o.reading.confidence >= 0.75 for o in kept]
    twice = (views * 2, names * 2, truths * 2)
    assert len(twice[0]) == FEWEST
    assert calibrate(reader, *twice, begun_with=begun)[1] == calibrate(reader, *twice)[1]
    # Without a field nothing is known, and only certainty is accepted.
    _, figures = calibrate(reader, [], [], [])
    assert (figures["scale"], figures["threshold"]) == (1.0, 1.0)


def test_only_validation_fields_calibrate(fields: list[Field]) -> None:
    reader = CheckReader.load(SDNN)
    state = {key: value.clone() for key, value in reader.state_dict().items()}
    split = [Field(one.path, one.text, "train") for one in fields]
    with pytest.raises(FieldSetError, match="no field is for validation"):
        recalibrate(reader, split)
    split[3] = Field(split[3].path, split[3].text, "validation")
    before = reader.scale, reader.threshold
    figures = recalibrate(reader, split)
    assert (figures["scale"], figures["threshold"]) == (reader.scale, reader.threshold) == before
    assert figures["remarks"] == [
        f"of 1 validation field no threshold can be chosen: it stays at {reader.threshold:.3f}, "
        "that of the reader before; mark 24 or more (column split)"
    ]
    enough = recalibrate(reader, [Field(f.path, f.text, "validation") for f in fields] * 2)
    assert enough["remarks"] == []
    assert (enough["scale"], enough["threshold"]) == (reader.scale, reader.threshold) != before
    figures = recalibrate(reader, split)
    assert all(torch.equal(state[key], value) for key, value in reader.state_dict().items())
    # Fields that its training has not seen would be split differently from its own.
    with pytest.raises(FieldSetError, match=f"{fields[5].name}: not among the fields"):
        recalibrate(reader, [*split[:5], fields[5]])
    # Texts that the grammar does not write were left out before the fields were split.
    again = recalibrate(reader, [*split, Field(fields[5].path, "1,5")])
    assert again["scale"] == figures["scale"]
    with pytest.raises(FieldSetError, match="how it was trained"):
        recalibrate(CheckReader("car", "sdnn"), split)


# -- confusions --------------------------------------------------------------------------------


@given(words, words)
def test_alignments_spell_both_and_have_the_fewest_edits(truth: str, read: str) -> None:
    pairs = aligned(truth, read)
    assert "".join(x for x, _ in pairs) == truth
    assert "".join(y for _, y in pairs) == read
    assert (NOTHING, NOTHING) not in pairs
    assert sum(x != y for x, y in pairs) == edit_distance(truth, read)


def test_confusions_are_counted_over_all_fields() -> None:
    some = [
        Outcome("a", "127", Reading("17", 0.5, True)),
        Outcome("b", "7", Reading("1", 0.5, True)),
    ]
    counts = confusions(some)
    assert dict(counts) == {("1", "1"): 1, ("2", NOTHING): 1, ("7", "7"): 1, ("7", "1"): 1}


# -- the page ----------------------------------------------------------------------------------


def test_the_page_shows_curves_confusions_and_the_worst_errors(tmp_path: Path) -> None:
    page = tmp_path / "pages" / "fields.html"
    data = tmp_path / "set"
    (data / "images").mkdir(parents=True)
    rows = ["file,text"]
    for one in load_fields(DEMO_FIELDS).fields[:5]:
        (data / "images" / one.name).write_bytes(one.path.read_bytes())
        rows.append(f"{one.name},{one.text}")
    first = rows[1].split(",")
    rows[1] = f"{first[0]},9{first[1][1:]}9"  # a wrong label makes an error
    (data / "images" / "broken.png").write_bytes(b"no picture")
    rows.append("broken.png,12")
    (data / "labels.csv").write_text("\n".join(rows) + "\n")
    command = ["evaluate", "--data", str(data), "--checkpoint", str(SDNN), "--json"]
    pages = ["--page", str(page), "--plots", str(tmp_path / "plots")]
    result = run.invoke(app, [*command, *pages, "--workers", "1"])
    assert result.exit_code == 0, result.output
    for name, axis in (("error-reject", "rejected, % of the fields"), ("reliability", "right, %")):
        assert axis in (tmp_path / "plots" / f"{name}.svg").read_text()
    figures = next(x for x in result.stdout.splitlines() if x.startswith("{"))
    assert json.loads(figures)["n"] == 5
    text = page.read_text(encoding="utf-8")
    shown = Page(text)
    words = shown.text
    assert text.count("<svg") == 2
    assert "expected calibration error" in words
    assert "Reliability" in words
    assert first[0] in words
    assert "9 missed" in words
    assert "broken.png: not an image" in words
    assert all(link.startswith(("data:", "#")) for link in shown.links)


def test_texts_that_no_reading_can_match_are_named(tmp_path: Path) -> None:
    fields = load_fields(DEMO_FIELDS).fields[:2]
    for one in fields:
        (tmp_path / one.name).write_bytes(one.path.read_bytes())
    rows = [f"{fields[0].name},{fields[0].text}", f"{fields[1].name},12.50"]
    (tmp_path / "labels.csv").write_text("\n".join(["file,text", *rows]) + "\n")
    command = ["evaluate", "--data", str(tmp_path), "--checkpoint", str(SDNN), "--json"]
    result = run.invoke(app, [*command, "--views", "1", "--workers", "1"])
    assert result.exit_code == 0, result.output
    named = f"{fields[1].name}: the grammar 'car' does not write '12.50'; it counts as an error"
    assert named in result.stderr
    assert fields[0].name not in result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert (found["n"], found["not_written"]) == (2, 1)
    assert found["exact"] <= 0.5


def test_what_readers_together_cannot_write(tmp_path: Path) -> None:
    digits, points = named("car"), named("regex:[0-9]*[.][0-9]*")
    fields = [Field(tmp_path / text, text) for text in ("12", "1.2", "x")]
    assert [one.text for one in not_written([digits, points], fields)] == ["x"]
    graphs = [
        gtn.string(text, symbols=one.graph.osymbols)
        for text, one in (("12", digits), ("1.2", points))
    ]
    for way in WAYS:  # where readers disagree, a text that only one of them writes can be read
        assert "1.2" in texts_of(gtn.GraphBatch.from_graphs([combined(graphs, way)]))[0]
