"""Training with grammars and labels that do not fit, and training that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from demos.checks.__main__ import app
from demos.checks.composing.fields import write_fields
from demos.checks.reading.reader import CheckReader, Reading
from demos.checks.training.settings import Settings
from demos.checks.training.train import train
from grammars import named
from gtn import GraphError
from recognizers.datasets.fields import Field, FieldSetError, load_fields
from recognizers.images import load_field

run = CliRunner()
COUNT = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("composed")
    write_fields(place, "train", COUNT, seed=5)
    return place


@pytest.fixture(scope="module")
def fields(folder: Path) -> list[Field]:
    return list(load_fields(folder).fields)


def quick(**given: object) -> Settings:
    return Settings.of("sdnn", **{"passes": 1, "further": 0, "validation": 0.25, **given})


# -- grammars ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["", "()", "[^ -~]", "(", "a{2,1}", "(?=1)"])
def test_grammars_that_read_nothing_are_named(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(GraphError):
        named(f"regex:{pattern}")
    with pytest.raises((GraphError, ValueError)) as error:
        train([], quick(grammar=f"regex:{pattern}"), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
    assert str(error.value)


def test_a_grammar_of_the_empty_text_alone_is_refused() -> None:
    with pytest.raises(GraphError, match="reads no character at all"):
        named("regex:")


def test_a_grammar_that_accepts_everything_trains_and_reads(
    fields: list[Field], tmp_path: Path
) -> None:
    metrics = train(fields, quick(grammar="regex:.*"), tmp_path, workers=1, progress=False)
    assert metrics["training_fields"] + metrics["validation_fields"] == COUNT
    reader = CheckReader.load(tmp_path / "reader.safetensors")
    assert len(reader.rules.characters) == 95
    assert reader.rules.writes("any text, at all!")
    (reading,) = reader.read([load_field(fields[0].path)])
    assert isinstance(reading, Reading)
    assert 0.0 < reading.confidence <= 1.0


def test_a_grammar_of_one_text_reads_that_text(fields: list[Field], tmp_path: Path) -> None:
    same = [Field(one.path, "12") for one in fields]
    train(same, quick(grammar="regex:12"), tmp_path, workers=1, progress=False)
    reader = CheckReader.load(tmp_path / "reader.safetensors")
    (reading,) = reader.read([load_field(fields[0].path)])
    assert reading.text == "12"
    assert reading.confidence == pytest.approx(1.0)


# -- labels ------------------------------------------------------------------------------------


def test_an_impossible_label_is_named_and_raised_or_skipped(
    folder: Path, fields: list[Field], tmp_path: Path
) -> None:
    one = Field(fields[2].path, "12,50")
    wrong = [*fields[:2], one, *fields[3:]]
    with pytest.raises(FieldSetError, match=rf"{one.name}: '12,50'.*'0123456789'.*fields out"):
        train(wrong, quick(), tmp_path / "raise", progress=False)
    assert not (tmp_path / "raise").exists()
    with pytest.raises(ValueError, match="known are 'raise', 'skip'"):
        train(wrong, quick(), tmp_path / "raise", progress=False, infeasible="guess")
    skipped = train(wrong, quick(), tmp_path / "skip", workers=1, progress=False, infeasible="skip")
    assert skipped["training_fields"] + skipped["validation_fields"] == COUNT - 1
    (problem,) = skipped["problems"]
    assert problem.startswith(str(one.path))
    assert "'12,50'" in problem
    # What is skipped makes no difference to the others.
    rest = [field for field in fields if field.path != one.path]
    train(rest, quick(), tmp_path / "rest", workers=1, progress=False)
    states = [
        CheckReader.load(tmp_path / name / "reader.safetensors").state_dict()
        for name in ("skip", "rest")
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    with pytest.raises(FieldSetError, match="no field is left"):
        train([one], quick(), tmp_path / "none", progress=False, infeasible="skip")


def test_the_command_says_what_it_would_take(folder: Path, tmp_path: Path) -> None:
    command = ["train", "--data", str(folder), "--out", str(tmp_path), "--infeasible", "guess"]
    result = run.invoke(app, command)
    assert result.exit_code == 2
    assert "raise, skip" in result.output


# -- killed ------------------------------------------------------------------------------------

TRAIN = """
import sys
from pathlib import Path
from demos.checks.training.settings import Settings
from demos.checks.training.train import train
from recognizers.datasets.fields import load_fields

settings = Settings.of("sdnn", passes=4, further=0, validation=0.25)
train(load_fields(sys.argv[1]).fields, settings, Path(sys.argv[2]), workers=1, progress=False)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_killed_training_goes_on_to_the_same_reader_bit_for_bit(
    folder: Path, fields: list[Field], tmp_path: Path
) -> None:
    settings = quick(passes=4)
    train(fields, settings, tmp_path / "whole", workers=1, progress=False)
    log = tmp_path / "cut" / "log.jsonl"
    process = subprocess.Popen([sys.executable, "-c", TRAIN, str(folder), str(tmp_path / "cut")])
    try:
        while process.poll() is None and not (log.exists() and '"pass": 1' in log.read_text()):
            time.sleep(0.002)
        process.kill()
    finally:
        assert process.wait() == -signal.SIGKILL
    done = [json.loads(line) for line in log.read_text().splitlines()]
    assert 1 <= len(done) < 4
    assert not (tmp_path / "cut" / "reader.safetensors").exists()
    train(fields, settings, tmp_path / "cut", workers=1, progress=False)
    one, two = (
        CheckReader.load(tmp_path / name / "reader.safetensors") for name in ("whole", "cut")
    )
    for key, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[key]), key
    assert (one.scale, one.threshold) == (two.scale, two.threshold)
    losses = [
        [json.loads(line)["loss"] for line in path.read_text().splitlines()]
        for path in (tmp_path / "whole" / "log.jsonl", log)
    ]
    assert losses[0] == losses[1]
