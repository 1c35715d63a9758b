"""Training the check reader: every criterion, resumed runs, drawn fields, wrong labels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from demos.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from demos.checks.__main__ import app
from demos.checks.choices import LOSSES
from demos.checks.commands.arguments import further_in
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.composing.fields import write_fields
from demos.checks.measuring.evaluate import (
    evaluate,
    read_files,
)
from demos.checks.reading.reader import CheckReader, Reading, shipped_checkpoint
from demos.checks.training.loop import FieldLoop, with_wrong_labels
from demos.checks.training.samples import Mixture, Sample
from demos.checks.training.settings import Settings
from demos.checks.training.train import train
from recognizers.datasets.fields import (
    Field,
    FieldSetError,
    file_hash,
    load_fields,
)
from recognizers.lenet import LeNet5

QUICK = Settings(passes=2, digit_passes=0.5, digits="small", validation=0.2, variants=1)


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> list[Field]:
    folder = tmp_path_factory.mktemp("composed")
    write_fields(folder, "train", 24, seed=5)
    return list(load_fields(folder).fields)


def test_training_lowers_the_loss_and_resumes_to_the_same_reader(
    composed: list[Field], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(composed, QUICK, tmp_path / "whole", progress=False)
    log = [json.loads(x) for x in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in log if "pass" in line]
    assert losses[1] < losses[0]
    assert whole["training_fields"] + whole["validation_fields"] == len(composed)
    best = max(line["validation_exact"] for line in log if "pass" in line)
    when = [line["pass"] for line in log if line.get("validation_exact") == best][-1]
    assert whole["best"]["passes"] == when
    kept = CheckReader.load(tmp_path / "whole" / "best.safetensors")
    assert kept.training_facts.report["passes"] == when
    assert "<svg" in (tmp_path / "whole" / "curves.svg").read_text()

    # The same run, interrupted in its second pass and prepared in this process alone.
    original = FieldLoop.one_pass

    def interrupted(self: FieldLoop, number: int, *rest: object) -> None:
        if number == 1:
            raise KeyboardInterrupt
        original(self, number, *rest)

    monkeypatch.setattr(FieldLoop, "one_pass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(composed, QUICK, tmp_path / "cut", workers=1, progress=False)
    monkeypatch.undo()
    # A killed run may leave a line that the state does not have, and half a line.
    assert json.loads((tmp_path / "cut" / "log.jsonl").read_text().splitlines()[-1])["pass"] == 1
    with (tmp_path / "cut" / "log.jsonl").open("a") as log_of_cut:
        log_of_cut.write('{"pass": 2}\n{"pa')
    train(composed, QUICK, tmp_path / "cut", workers=1, progress=False)
    passes = [
        json.loads(x).get("pass") for x in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()
    ]
    assert [n for n in passes if n] == [1, 2]
    for name in ("best", "reader"):
        one = CheckReader.load(tmp_path / "whole" / f"{name}.safetensors")
        two = CheckReader.load(tmp_path / "cut" / f"{name}.safetensors")
        for key, value in one.state_dict().items():
            torch.testing.assert_close(value, two.state_dict()[key], rtol=0, atol=0)
    seen = {file_hash(field.path) for field in composed}
    assert set(one.training_facts.seen) == seen
    assert evaluate(one, composed)["n_seen_in_training"] == len(composed)

    # In a state from before best passes were kept, no pass is called the best or left over.
    state = tmp_path / "cut" / "state.safetensors"
    tensors, about = load_checkpoint(state)
    older = {key: value for key, value in tensors.items() if not key.startswith("best.")}
    about = {key: value for key, value in about.items() if not key.startswith("best_")}
    save_checkpoint(state, older, about)
    assert "best" not in train(composed, QUICK, tmp_path / "cut", workers=1, progress=False)
    assert not (tmp_path / "cut" / "best.safetensors").exists()


def test_the_mean_that_is_kept_has_left_the_beginning_behind(
    composed: list[Field], tmp_path: Path
) -> None:
    # With only its usual share of the newest, the mean would still be where the reader began.
    settings = Settings.of("sdnn", passes=3, validation=0.2, averaging=1e-9)
    for_test = replace(composed[8], split="test")
    metrics = train([*composed[:8], for_test], settings, tmp_path, progress=False)
    assert metrics["training_fields"] + metrics["validation_fields"] == 8
    begun = CheckReader("car", "sdnn", seed=settings.seed).state_dict()
    reader = CheckReader.load(tmp_path / "reader.safetensors")
    assert set(reader.training_facts.seen) == {file_hash(one.path) for one in composed[:8]}
    kept = reader.state_dict()
    last, _ = load_checkpoint(tmp_path / "state.safetensors")
    moved = stayed = 0.0
    for key, value in kept.items():
        if value.is_floating_point():
            moved += float((last[f"reader.{key}"] - begun[key]).square().sum())
            stayed += float((last[f"reader.{key}"] - value).square().sum())
    assert 0.0 < stayed < 0.25 * moved


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"ctc"}))
def test_every_criterion_takes_a_step(composed: list[Field], loss: str, tmp_path: Path) -> None:
    settings = Settings(
        loss=loss, passes=1, digit_passes=0.0, digits="small", validation=0.2, variants=0
    )
    metrics = train(composed[:8], settings, tmp_path, progress=False)
    assert metrics["passes"] == 1
    state = CheckReader.load(tmp_path / "reader.safetensors").state_dict()
    assert all(v.isfinite().all() for v in state.values())


@pytest.mark.parametrize(
    "options",
    [
        {"grammar": "regex:-?[0-9]*[.,]?[0-9]*"},
        {"recognizer": "lenet5"},
        {"recognizer": "lenet5-rbf"},
    ],
    ids=["regex", "lenet5", "rbf"],
)
def test_another_grammar_and_other_recognizers_train_without_a_change_of_code(
    composed: list[Field], options: dict[str, str], tmp_path: Path
) -> None:
    settings = Settings(**options, passes=1, digit_passes=0.1, digits="small", variants=0)
    train(composed[:8], settings, tmp_path, progress=False)
    reader = CheckReader.load(tmp_path / "reader.safetensors")
    classes = "".join(reader.recognize.network.classes[:-1])
    assert set(classes) == set("0123456789" + ("-.," if "grammar" in options else ""))
    assert reader.recognizer == options.get("recognizer", "two-stream")
    assert isinstance(reader.recognize.network, LeNet5) == ("recognizer" in options)
    _, result = next(read_files(reader, [composed[0].path]))
    assert isinstance(result, Reading)
    assert reader.rules.writes(result.text)


def test_a_run_of_other_settings_is_not_continued(composed: list[Field], tmp_path: Path) -> None:
    settings = Settings(passes=1, digit_passes=0.0, replay=0, variants=0)
    train(composed[:6], settings, tmp_path, progress=False)
    with pytest.raises(CheckpointError, match="other settings"):
        train(
            composed[:6],
            Settings(passes=1, digit_passes=0.0, replay=0, variants=0, seed=1),
            tmp_path,
            progress=False,
        )
    assert json.loads((tmp_path / "settings.json").read_text())["seed"] == 0
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert kept["validation_fields"] == 0
    assert kept["problems"] == []
    assert [remark[:26] for remark in kept["remarks"]] == ["no field is for validation"]
    # Nor is a run with other labels, or one whose fields are now among the further ones.
    other = [Field(composed[0].path, "1"), *composed[1:6]]
    with pytest.raises(CheckpointError, match="other settings"):
        train(other, settings, tmp_path, progress=False)
    with pytest.raises(CheckpointError, match="other settings"):
        train(composed[:5], settings, tmp_path, further=composed[5:6], progress=False)


def test_a_text_outside_the_grammar_is_named(composed: list[Field], tmp_path: Path) -> None:
    wrong = [composed[0], Field(composed[1].path, "12,50")]
    with pytest.raises(FieldSetError, match=rf"{composed[1].name}: '12,50'"):
        train(wrong, QUICK, tmp_path, progress=False)


def test_a_regular_expression_is_a_grammar() -> None:
    reader = CheckReader("regex:-?[0-9]+,[0-9][0-9]")
    assert (
        reader.recognize.network.classes[:-1] == tuple("-,0123456789")
        or len(reader.recognize.network.classes) == 13
    )
    assert reader.rules.writes("-12,50")
    assert not reader.rules.writes("12.50")


def test_further_fields_are_drawn_anew_in_each_pass(composed: list[Field], tmp_path: Path) -> None:
    settings = Settings(passes=2, variants=0, further=3, validation=0.25)
    metrics = train(composed[:8], settings, tmp_path, further=composed[8:], progress=False)
    assert metrics["further_fields"] == len(composed) - 8
    assert metrics["training_fields"] + metrics["validation_fields"] == 8
    reader = CheckReader.load(tmp_path / "reader.safetensors")
    assert len(reader.training_facts.seen) == len(composed)
    samples = [Sample(str(i), "1", []) for i in range(12)]
    mixture = Mixture(samples[:4], samples[4:], 3)
    generator = torch.Generator().manual_seed(0)
    passes = [{one.name for one in mixture.draw(generator)} for _ in range(9)]
    assert all(len(one) == len(mixture) == 7 and set("0123") <= one for one in passes)
    assert len(set.union(*passes)) == 12


def test_a_label_that_cannot_be_right_pulls_no_longer() -> None:
    losses = torch.tensor([0.1, 3.0, 40.0], dtype=torch.float64, requires_grad=True)
    mixed = with_wrong_labels(losses, 0.02)
    mixed.sum().backward()
    assert losses.grad is not None
    assert losses.grad[0] > 0.95
    assert losses.grad[2] < 1e-12
    assert mixed[2].item() == pytest.approx(-np.log(0.02))
    assert torch.equal(with_wrong_labels(losses, 0.0), losses)
    assert torch.autograd.gradcheck(
        lambda x: with_wrong_labels(x, 0.05), (losses.detach().requires_grad_(),)
    )


def test_training_begins_with_another_reader(composed: list[Field], tmp_path: Path) -> None:
    start = CheckReader.load(shipped_checkpoint())
    settings = Settings.of("sdnn", passes=1, validation=0.0, rate=1e-9)
    train(composed[:6], settings, tmp_path / "run", start=start, progress=False)
    reader = CheckReader.load(tmp_path / "run" / "reader.safetensors")
    learned = start.state_dict()
    for key, value in reader.state_dict().items():
        if value.is_floating_point() and "running" not in key:
            torch.testing.assert_close(value, learned[key], rtol=1e-4, atol=1e-5)
    # What the reader it began with has seen, this one has seen, too.
    ours = {file_hash(one.path) for one in composed[:6]}
    assert set(reader.training_facts.seen) == ours | set(start.training_facts.seen)
    with pytest.raises(CheckpointError, match="another --out"):
        train(composed[:6], settings, tmp_path / "run", progress=False)

    call = CliRunner().invoke
    data = str(composed[0].path.parent)
    given = ["train", "--data", data, "--holdout", "18", "--passes", "1"]
    options = ["--grammar", "regex:[0-9]*", "--start", "sdnn", "--out", str(tmp_path / "own")]
    done = call(app, [*given, *options])
    assert done.exit_code == 0, done.output
    metrics = json.loads(done.stdout.splitlines()[-1])
    assert metrics["training_fields"] <= 6
    # With few validation fields, the threshold and the scale that it goes with stay as they were.
    assert (metrics["threshold"], metrics["scale"]) == (start.threshold, start.scale)
    assert f"it stays at {start.threshold:.3f}, that of the reader that this one" in done.stderr
    wrong = call(app, [*given, "--start", "two-stream", "--out", str(tmp_path / "no")])
    assert "sdnn cannot begin with one with two-stream" in str(wrong.exception)
    assert not (tmp_path / "no").exists()


def test_further_fields_marked_as_test_are_left_out(tmp_path: Path) -> None:
    write_fields(tmp_path, "train", 3, seed=5)
    labels = tmp_path / "labels.csv"
    first, *rows = labels.read_text().splitlines()
    marked = [
        f"{first},split",
        *(f"{row},{split}" for row, split in zip(rows, ("test", "", "train"), strict=True)),
    ]
    labels.write_text("\n".join(marked) + "\n")
    beside = load_fields(DEMO_FIELDS)
    learned = further_in([tmp_path], beside)
    assert [one.name for one in learned] == [row.split(",")[0] for row in rows[1:]]
    with pytest.raises(typer.BadParameter, match=r"has test_000\.png of --data, too"):
        further_in([tmp_path, DEMO_FIELDS], beside)
