"""The criteria compared, decimal numbers, and the measurement of speed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import gtn
from demos.checks.__main__ import app
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.composing.decimals import compose_decimal, decimal
from demos.checks.experiments.criteria import compare_criteria, spread_of
from demos.checks.experiments.criteria_page import curves_of, table_of
from demos.checks.experiments.settings import Budget
from demos.checks.reading.reader import shipped_checkpoint
from demos.checks.training.segments import CRITERIA
from demos.tables import write_into
from grammars import named
from recognizers.datasets.fields import Field, FieldSetError, load_fields
from recognizers.datasets.written_amounts import MnistFields
from recognizers.lenet import LeNet5

run = CliRunner()
TINY = Budget(fields=5, validation=2, passes=1, digit_steps=2, digits="small")
PATTERN = "regex:-?[0-9]*[.,]?[0-9]*"


@pytest.fixture(scope="module")
def fields() -> list[Field]:
    return sorted(load_fields(DEMO_FIELDS).fields, key=lambda one: len(one.text))


# -- collapse ----------------------------------------------------------------------------------


def collapsed() -> LeNet5:
    """A network that says the same of everything: all states and all centres are one point."""
    network = LeNet5(adaptive=True, normalize=False)
    with torch.no_grad():
        for parameter in network.f6.parameters():
            parameter.zero_()
        network.out.centres.zero_()
    return network.eval()


def test_collapse_satisfies_the_criteria_without_competitors_and_no_other() -> None:
    images = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        penalties = collapsed()(images)
    assert penalties.abs().max() == 0.0
    graph = gtn.linear(penalties)
    losses = {name: float(loss()(graph, [3, 1, 4])) for name, loss in CRITERIA.items()}
    assert losses["viterbi"] == losses["forward"] == 0.0
    # All thousand readings have the same penalty.
    assert losses["discriminative-forward"] == pytest.approx(math.log(1000), rel=1e-6)
    assert losses["hinge"] == pytest.approx(3.0)
    assert losses["expected-risk"] > 1.0


def test_spread() -> None:
    assert spread_of(torch.ones(5, 3)) == 0.0
    assert spread_of(torch.tensor([[0.0], [2.0]])) == 1.0


def test_every_criterion_has_the_same_budget_and_is_done_once(
    fields: list[Field], tmp_path: Path
) -> None:
    result = compare_criteria(fields, TINY, tmp_path, progress=False)
    assert set(result["criteria"]) == set(CRITERIA)
    begins = [lines[0] for lines in result["criteria"].values()]
    assert all(one == begins[0] for one in begins)
    for lines in result["criteria"].values():
        assert len(lines) == 2
        assert math.isfinite(lines[1]["loss"])
        assert lines[1]["centres"] > 0.0
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*-*.json")}
    again = compare_criteria(fields, TINY, tmp_path, progress=False)
    assert again == result == json.loads((tmp_path / "criteria.json").read_text())
    assert before == {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*-*.json")}
    assert len(table_of(result["criteria"]).splitlines()) == 3 + len(CRITERIA)
    assert len(curves_of(result["criteria"]).axes) == 4
    with pytest.raises(FieldSetError, match="5 fields; the budget asks for 7"):
        compare_criteria(fields[:5], TINY, tmp_path, progress=False)


def test_an_unknown_criterion_is_named(tmp_path: Path) -> None:
    result = run.invoke(app, ["criteria", "--out", str(tmp_path), "--loss", "mse"])
    assert result.exit_code == 2
    assert "'mse'" in result.output


def test_tables_go_between_marks_of_their_name(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- x: begin -->\nold\n<!-- x: end -->\n<!-- y: begin --><!-- y: end -->\n"
    )
    write_into(page, "new", "x")
    assert page.read_text().startswith("a\n<!-- x: begin -->\nnew\n<!-- x: end -->\n<!-- y: begin")
    with pytest.raises(ValueError, match="<!-- z: begin -->"):
        write_into(page, "new", "z")


# -- decimal numbers ---------------------------------------------------------------------------


def test_the_grammar_writes_every_decimal_number() -> None:
    grammar = named(PATTERN)
    rng = np.random.default_rng(1)
    texts = {decimal(rng) for _ in range(300)}
    assert all(grammar.writes(text) for text in texts)
    assert {"-", ",", "."} <= set("".join(texts))
    assert any(text.isdigit() for text in texts)
    assert not grammar.writes("1.5,2")


def test_fields_of_decimal_numbers_are_the_same_for_the_same_seed() -> None:
    images = np.zeros((20, 28, 28), np.uint8)
    images[:, 4:24, 12:16] = 255
    composer = MnistFields(images, np.arange(20) % 10)
    one, two, other = (compose_decimal(composer, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.text == two.text
    assert np.array_equal(one.image, two.image)
    assert one.text != other.text
    assert one.image.dtype == np.uint8
    assert len(one.sources) == sum(character.isdigit() for character in one.text)


# -- speed -------------------------------------------------------------------------------------


def test_speed_keeps_its_measurements(tmp_path: Path) -> None:
    page, keep = tmp_path / "page.md", tmp_path / "speed.json"
    page.write_text("<!-- speed: begin --><!-- speed: end -->")
    command = ["speed", "--data", str(DEMO_FIELDS), "--repeat", "2", "--workers", "1"]
    sdnn = str(shipped_checkpoint("sdnn"))
    result = run.invoke(
        app, [*command, "--checkpoint", sdnn, "--keep", str(keep), "--page", str(page)]
    )
    assert result.exit_code == 0, result.output
    (row,) = json.loads(keep.read_text())["measurements"]
    assert (row["fields"], row["processes"], row["recognizer"]) == (24, 1, "sdnn")
    assert "| 1 | 24 |" in page.read_text()
