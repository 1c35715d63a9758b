"""Digits of a user's own folder: learning, holding out, resuming, cutting out of fields."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from demos import run_state
from demos.checkpoint import CheckpointError
from demos.command_line import run
from demos.mnist.__main__ import app
from demos.mnist.cut_digits import app as cutting
from demos.mnist.field_digits import cut_digits
from demos.mnist.models import load_model
from demos.mnist.own_digits import SHARE, own_digits, train_on_own
from demos.mnist.read import DigitReader
from demos.mnist.recipes import RECIPES
from demos.mnist.train import Digits
from recognizers.datasets.fields import FieldSetError, load_fields

call = CliRunner().invoke

QUICK = replace(RECIPES["lenet-1"], passes=2, batch=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty digits of scikit-learn, drawn large and dark on light, in the order of their files."""
    place, digits = tmp_path_factory.mktemp("own"), load_digits()
    rows = ["file,text"]
    for i in range(40):
        large = Image.fromarray((digits.images[i] * 15.9).astype(np.uint8)).resize((64, 64))
        Image.fromarray(255 - np.pad(np.asarray(large), 8)).save(place / f"{i:02}.png")
        rows.append(f"{i:02}.png,{digits.target[i]}")
    (place / "labels.csv").write_text("\n".join(rows) + "\n")
    return place


def own_of(folder):
    return own_digits(load_fields(folder).fields)[0]


def test_own_digits_are_a_share_of_each_pass(folder, tmp_path):
    own = own_of(folder)
    others = Digits(torch.randn(480, 1, 28, 28), torch.arange(480) % 10)
    metrics = train_on_own(QUICK, 1, own, tmp_path, mnist=others, held_out=own, progress=False)
    assert (metrics["own"], metrics["mnist"], metrics["times"]) == (40, 480, 4)
    assert SHARE == 4 * 40 / (4 * 40 + 480)
    assert metrics["held_out"]["n"] == 40
    assert json.loads((tmp_path / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    assert load_model(tmp_path / "network.safetensors")[0] == "lenet-1"
    # many own ones are seen once
    few = Digits(others.inputs[:8], others.labels[:8])
    metrics = train_on_own(QUICK, 1, own, tmp_path / "few", mnist=few, progress=False)
    assert metrics["times"] == 1
    assert "held_out" not in metrics


def test_digits_are_learned_alone_and_an_interrupted_run_goes_on(folder, tmp_path, monkeypatch):
    own, recipe = own_of(folder), replace(QUICK, passes=40)
    whole = train_on_own(recipe, 0, own, tmp_path / "whole", held_out=own, progress=False)
    assert whole["held_out"]["error"] < 0.1  # ten classes, forty digits, each seen forty times
    plain = run_state.save_checkpoint

    def killed(*arguments, **options):
        plain(*arguments, **options)
        if arguments[2]["passes"][-1]["pass"] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(run_state, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        train_on_own(recipe, 0, own, tmp_path / "torn", progress=False)
    monkeypatch.setattr(run_state, "save_checkpoint", plain)
    train_on_own(recipe, 0, own, tmp_path / "torn", progress=False)
    first, second = (
        load_model(tmp_path / name / "network.safetensors")[1] for name in ("whole", "torn")
    )
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    # as many other digits make another run
    relabelled = own._replace(fields=[replace(one, text="0") for one in own.fields])
    with pytest.raises(CheckpointError, match="or of other digits"):
        train_on_own(recipe, 0, relabelled, tmp_path / "torn", progress=False)


def test_the_command_trains_and_the_others_read_with_what_it_wrote(folder, tmp_path):
    out = tmp_path / "run"
    given = ["--data", str(folder), "--holdout", "10"]
    options = ["--row", "lenet-1", "--set", "passes=1", "--set", "scale=0.5", "--alone"]
    done = call(app, ["train", *given, *options, "--out", str(out), "--no-progress"])
    assert done.exit_code == 0, done.output
    line = json.loads(done.stdout.splitlines()[-1])
    assert (line["row"], line["own"], line["mnist"], line["n"]) == ("lenet-1", 30, 0, 10)
    network = str(out / "network.safetensors")
    assert DigitReader(network).recipe.scale == 0.5
    done = call(app, ["evaluate", *given, "--checkpoint", network, "--json"])
    assert json.loads(done.stdout.splitlines()[-1])["error"] == line["error"]
    done = call(app, ["read", "--checkpoint", network, str(folder / "00.png"), "--json"])
    assert done.exit_code == 0, done.output


def test_what_is_for_no_training_is_not_learned(folder, tmp_path):
    for name in ("00.png", "01.png", "02.png"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    labels = tmp_path / "labels.csv"
    rows = ["00.png,0,test", "01.png,1,train", "02.png,2,", "bad.png,3,", "03.png,3,validation"]
    shutil.copy(folder / "03.png", tmp_path)
    labels.write_text("\n".join(["file,text,split", *rows]) + "\n")
    options = ["--row", "lenet-1", "--set", "passes=1", "--alone", "--out", str(tmp_path / "run")]
    done = call(app, ["train", "--data", str(tmp_path), *options, "--no-progress"])
    assert done.exit_code == 0, done.output
    line = json.loads(done.stdout.splitlines()[-1])
    assert (line["own"], line["n"]) == (2, 1)  # what is marked as test is measured
    assert "left out: rows of the split validation, 1" in done.stderr
    assert f"left out: {tmp_path / 'bad.png'}" in done.stderr
    network = str(tmp_path / "run" / "network.safetensors")
    done = call(app, ["evaluate", "--data", str(tmp_path), "--checkpoint", network, "--json"])
    assert json.loads(done.stdout.splitlines()[-1])["n"] == 1
    labels.write_text(labels.read_text().replace("00.png,0", "00.png,12"))
    done = call(app, ["train", "--data", str(tmp_path), *options, "--no-progress"])
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["n"], figures["not_written"], figures["error"]) == (1, 1, 1.0)
    assert "00.png: the text '12' is not a single digit; it counts as an error" in done.stderr
    labels.write_text("file,text,split\n00.png,0,test\n")
    with pytest.raises(FieldSetError, match="all 1 fields are held out"):
        call(app, ["train", "--data", str(tmp_path), *options], catch_exceptions=False)


@pytest.mark.parametrize(
    "options",
    [
        ["--validate"],
        ["--row", "boosted-lenet-4"],
        ["--row", "boosted-lenet-4", "--alone"],
        ["--alone", "--digits", "x"],
    ],
)
def test_options_that_do_not_go_with_own_digits(folder, options, tmp_path):
    run = ["train", "--data", str(folder), "--out", str(tmp_path / "run"), *options]
    done = call(app, run)
    assert done.exit_code == 2
    message = " ".join(done.stderr.replace("│", " ").split())
    assert f"Invalid value for {options[0]}:" in message
    assert "labels.csv: one network" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [["--alone"], ["--digits", "x"], ["--holdout", "3"]])
def test_options_that_go_with_own_digits_only(options, tmp_path):
    done = call(app, ["train", "--data", str(tmp_path), *options])
    assert done.exit_code == 2
    assert "labels.csv" in done.stderr


def test_digits_are_cut_out_of_fields(tmp_path):
    fields, out = tmp_path / "fields", tmp_path / "digits"
    fields.mkdir()
    picture = np.arange(60 * 40, dtype=np.uint16).reshape(40, 60).astype(np.uint8)
    Image.fromarray(picture).save(fields / "a.png")
    (fields / "labels.csv").write_text("file,text\na.png,47\n")
    boxes = fields / "boxes.csv"
    boxes.write_text("file,digit,x,y,width,height\na.png,4,0,2,20,30\na.png,7,21.5,3,18.5,35\n")
    (fields / "bad.png").write_bytes(b"no picture")
    (fields / "labels.csv").write_text("file,text\na.png,47\nbad.png,1\n")
    count, problems = cut_digits(fields, out)
    assert count == 2
    assert [problem.split(":")[0] for problem in problems] == [str(fields / "bad.png")]
    first, second = load_fields(out).fields
    assert [(one.name, one.text) for one in (first, second)] == [
        ("a.png-0.png", "4"),
        ("a.png-1.png", "7"),
    ]
    assert np.array_equal(np.asarray(Image.open(first.path)), picture[1:33, :21])
    assert np.array_equal(np.asarray(Image.open(second.path)), picture[2:39, 20:41])
    boxes.write_text("file,digit,x,y,width,height\na.png,4,0,2,20,30\n")
    with pytest.raises(FieldSetError, match=r"a\.png: '47' needs a box for every character"):
        cut_digits(fields, tmp_path / "none")
    assert not (tmp_path / "none" / "labels.csv").exists()


def test_a_file_that_is_no_network_is_one_line(tmp_path, monkeypatch, capsys):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr("sys.argv", ["mnist", "read", str(file), "--checkpoint", str(file)])
    with pytest.raises(SystemExit) as end:
        run(app)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


def test_modules_that_are_one_command_say_what_is_wrong_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["cut_digits", str(tmp_path), "--data", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as end:
        run(cutting)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "none" in line
