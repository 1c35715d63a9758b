"""Training on isolated characters: it resumes, and files are whole; its command on own ink."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from demos.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from demos.words.__main__ import app
from demos.words.samples.characters import CLASSES, KINDS, Characters, load_characters
from demos.words.training.character_results import write_card, write_characters_result
from demos.words.training.characters import (
    KIND,
    errors_of,
    load_network,
    train_characters,
)
from demos.words.training.settings import CharacterSettings
from recognizers.online.ink import Ink
from recognizers.online.ink_batch import InkBatch, in_box

SHAPES = {
    "1": [(0, 10), (0, 0)],
    "L": [(0, 10), (0, 0), (5, 0)],
    "v": [(0, 10), (4, 0), (8, 10)],
    "z": [(0, 10), (8, 10), (0, 0), (8, 0)],
}
SETTINGS = CharacterSettings(passes=2, batch=8, rate=5e-3, averaging=2, distortion=0.3)


def characters(count, contributor="own"):
    chosen = [*SHAPES] * count
    kind_of = {c: kind for kind, (_, classes) in KINDS.items() for c in classes}
    return Characters(
        InkBatch.of([in_box(Ink([SHAPES[c]])) for c in chosen]),
        np.array([CLASSES.index(c) for c in chosen]),
        np.array([kind_of[c] for c in chosen]),
        np.array([contributor] * len(chosen)),
    )


def test_it_learns_and_an_interrupted_training_gives_the_same_network(tmp_path):
    training, validation = characters(8), characters(1)
    whole = train_characters(training, validation, SETTINGS, tmp_path / "a", progress=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("demos.run_state.save_checkpoint", _once())
        with pytest.raises(KeyboardInterrupt):
            train_characters(training, validation, SETTINGS, tmp_path / "b", progress=False)
    resumed = train_characters(training, validation, SETTINGS, tmp_path / "b", progress=False)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    lines = (tmp_path / "b" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["pass"] for line in lines] == [1, 2]
    assert not any(p.name.startswith(".") for p in (tmp_path / "b").iterdir())
    left = (tmp_path / "b" / "config.json").read_bytes()
    with pytest.raises(CheckpointError, match="other settings"):
        train_characters(training, validation, replace(SETTINGS, seed=1), tmp_path / "b")
    assert (tmp_path / "b" / "config.json").read_bytes() == left


def _once():
    """Return a function that saves a checkpoint, but is interrupted the second time."""
    calls = []

    def save(*arguments, **options):
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        save_checkpoint(*arguments, **options)

    return save


@pytest.mark.parametrize("output", ["rbf", "softmax"])
def test_it_learns(tmp_path, output):
    settings = replace(SETTINGS, output=output, passes=6, fixed=0.5)
    network = train_characters(characters(8), characters(1), settings, tmp_path, progress=False)
    figures = errors_of(network, characters(1))
    assert [figures[f"n_{kind}"] for kind in KINDS] == [1, 1, 2]
    assert figures["digit_error_of_all"] == figures["lower_error_of_all"] == 0.0
    again = load_network(tmp_path / "network.safetensors")
    assert errors_of(again, characters(2))["lower_error"] == 0.0
    assert (tmp_path / "network.safetensors").stat().st_size < 2_000_000
    about = load_checkpoint(tmp_path / "network.safetensors", kind=KIND)[1]
    assert about["settings"]["output"] == output
    found = {"train": characters(8), "validation": characters(1), "left-out": characters(0)}
    found["test"] = characters(1)
    configuration = {"output": output, "seed": 0, "passes": 6, "fixed": 0.3}
    result = write_characters_result(network, found, configuration, tmp_path, tmp_path / "r")
    content = json.loads(result.read_text())
    assert content["test_by_contributor"]["own"] == content["test"]
    assert content["left_out"] == {}
    write_card(tmp_path / "network.safetensors", result, tmp_path / "w")
    card = (tmp_path / "w" / "characters.md").read_text()
    assert "| test | 1 (digit) | 0.00% | 0.00% | 1.4% |" in card


def test_own_ink_is_measured_from_the_command_line(tmp_path):
    place = tmp_path / "tree" / "data"
    for category, labels in (("1a", "1"), ("1b", "LL"), ("1c", "vz?")):
        text = ".COORD X Y\n.WRITER_ID me\n"
        for i, label in enumerate(labels):
            points = "\n".join(f"{x} {y}" for x, y in SHAPES.get(label, [(0, 0)]))
            text += f'.PEN_DOWN\n{points}\n.PEN_UP\n.SEGMENT CHARACTER {i} OK "{label}"\n'
        (place / category / "own").mkdir(parents=True)
        (place / category / "own" / "a.dat").write_text(text)
    (place / "1c" / "own" / "b.dat").write_text(".PEN_DOWN\n1 1\n")
    settings = replace(SETTINGS, passes=1)
    train_characters(characters(1), characters(1), settings, tmp_path / "run", progress=False)
    arguments = ["evaluate", "--data", str(tmp_path / "tree"), "--characters"]
    arguments += [str(tmp_path / "run" / "network.safetensors")]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    line = json.loads(done.stdout.splitlines()[-1])
    assert (line["n_digit"], line["n_upper"], line["n_lower"]) == (1, 2, 2)
    assert "before any .COORD" in done.stderr
    assert CliRunner().invoke(app, [*arguments, "--side", "train"]).exit_code != 0
    assert CliRunner().invoke(app, [*arguments, "--side", "x"]).exit_code == 2


def test_the_writers_of_the_public_pack(data_dir):
    path = data_dir / "unipen" / "imp.tar.xz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    found = load_characters(path, {"test": ("test",), "left-out": ("left-out",)})
    assert len(found["test"]) == 0
    assert len(found["left-out"]) == 257 + 645 + 656
