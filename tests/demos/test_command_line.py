"""The command lines check their options before anything is done."""

import io
import re
import sys

import pytest
import torch
import typer
from typer.testing import CliRunner

import demos.checks.__main__ as checks
import demos.mnist.__main__ as mnist
import demos.strings.__main__ as strings
import demos.words.__main__ as words
from demos.checks.commands.read import DEMO_FIELDS
from demos.command_line import run
from demos.mnist import baselines
from demos.mnist.recipes import RECIPES, with_settings
from demos.words.commands.read import OWN_INK

# So wide that errors are not wrapped, however long a path is.
pytestmark = pytest.mark.usefixtures("wide_terminal")

FIELD, INK = DEMO_FIELDS / "test_000.png", OWN_INK / "hand.json"


def said(app, *arguments):
    """What a command says about options that it refuses, in one line."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 2, (done.output, done.exception)
    return " ".join(done.stderr.replace("│", " ").split())


@pytest.fixture
def wide_terminal(monkeypatch):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 1000)


@pytest.fixture
def mine(tmp_path):
    """A file that holds something else."""
    path = tmp_path / "mine.csv"
    path.write_text("file,text\n")
    return path


@pytest.mark.parametrize(
    ("app", "command"),
    [
        (checks.app, ["evaluate", "--data", DEMO_FIELDS, "--keep"]),
        (checks.app, ["evaluate", "--data", DEMO_FIELDS, "--page"]),
        (checks.app, ["calibrate", "reader.safetensors", "--out"]),
        (mnist.app, ["evaluate", "--keep"]),
        (mnist.app, ["time", "--write"]),
        (words.app, ["read", INK, "--page"]),
    ],
)
def test_a_file_of_something_else_is_not_overwritten(app, command, mine):
    assert "exists and is not a" in said(app, *command, mine)
    assert "is a folder; a file is written" in said(app, *command, mine.parent)
    assert "mine.csv is a file; a folder is needed" in said(app, *command, mine / "x")
    assert mine.read_text() == "file,text\n"


@pytest.mark.parametrize(
    ("app", "command"),
    [
        (checks.app, ["evaluate", "--data", DEMO_FIELDS, "--report"]),
        (checks.app, ["train", "--data", DEMO_FIELDS, "--out"]),
        (checks.app, ["read", FIELD, "--report"]),
        (strings.app, ["compose", "lines"]),
        (strings.app, ["train", "--out", "out", "--results"]),
        (mnist.app, ["train", "--out"]),
        (words.app, ["adapt", "--data", OWN_INK, "--out"]),
    ],
)
def test_a_folder_that_cannot_be_one_is_told_before_anything_is_done(app, command, mine):
    assert "mine.csv is a file; a folder is" in said(app, *command, mine)
    assert "mine.csv is a file; a folder is" in said(app, *command, mine / "x")


def test_ink_is_not_overwritten_by_the_page_of_its_readings(tmp_path):
    ink = tmp_path / "hand.json"
    ink.write_text(INK.read_text())
    assert "not a page of HTML" in said(words.app, "read", ink, "--page", ink)
    assert ink.read_text() == INK.read_text()


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize(
    ("app", "command"),
    [
        (checks.app, ["train", "--out", "x"]),
        (checks.app, ["crossvalidate", "--out", "x"]),
        (strings.app, ["train", "--out", "x"]),
        (strings.app, ["train-spotter", "--out", "x"]),
        (mnist.app, ["train"]),
        (words.app, ["train"]),
    ],
)
def test_a_seed_has_32_bits(app, command, seed):
    assert "--seed" in said(app, *command, "--seed", seed)


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("batch=0", "batch is 0"),
        ("samples=-3", "samples is -3"),
        ('optimizer="adam"', "optimizer 'adam' is not one of sdlm, adamw"),
        ('model="lenet-6"', "model 'lenet-6' is not one of"),
        ('output="sigmoid"', "output 'sigmoid' is not one of"),
        ("rates=[]", "rates"),
        ('rates=["fast"]', "rates"),
        ("rates=[NaN]", "rates"),
        ("averaging=5", "shares"),
        ("scale=0", "scale is above 0"),
        ('distortion={"blur": 1}', "no distortion: .*blur"),
    ],
)
def test_a_recipe_that_nothing_can_be_trained_by_is_refused(setting, wrong):
    with pytest.raises(ValueError, match=f"^{re.escape(repr(setting))}: .*{wrong}"):
        with_settings(RECIPES["lenet-5"], [setting])


@pytest.mark.parametrize(
    ("row", "settings", "wrong"),
    [
        ("knn", {"k": "three"}, "knn: k is of the kind of 3, not 'three'"),
        ("knn", {"m": 3}, "no setting 'm'"),
        ("mlp-300", {"hidden": 3}, "hidden is of the kind of"),
        ("mlp-300-distortions", {"distortion": {"blur": 1}}, "distortion: .*blur"),
    ],
)
def test_settings_of_a_baseline_are_of_its_kinds(row, settings, wrong, tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "load_mnist", lambda *_: (torch.zeros(9, 28, 28),) * 2)
    with pytest.raises(ValueError, match=wrong):
        baselines.validate_baseline(row, data=tmp_path, folder=tmp_path, settings=settings)


@pytest.mark.parametrize(
    ("app", "command", "option"),
    [
        (words.app, ["adapt", "--data", OWN_INK, "--out", "x", "--rate", "inf"], "--rate"),
        (words.app, ["hands", "--rate", "nan"], "--rate"),
        (words.app, ["train", "--task", "words", "--until", "nan"], "--until"),
        (words.app, ["train", "--task", "words", "--distortion", "inf"], "--distortion"),
        (checks.app, ["combine", "--checkpoint", "x", "--scale", "nan"], "--scale"),
        (checks.app, ["combine", "--checkpoint", "x", "--scale", "-1"], "--scale"),
        (checks.app, ["read", FIELD, "--views", 10**30], "--views"),
        (strings.app, ["spot", FIELD, "--what", 1, "--tallest", "inf"], "--tallest"),
    ],
)
def test_a_number_that_nothing_can_be_done_by_is_refused(app, command, option):
    assert f"Invalid value for '{option}': " in said(app, *command)


@pytest.mark.parametrize(
    ("app", "command", "option"),
    [
        (checks.app, ["train", "--out", "x", "--digits", "small"], "--digits"),
        (checks.app, ["read", FIELD, "--out", "x", "--json"], "--json"),
        (checks.app, ["segmentation", "--measured", "x", "--every", 2], "--every"),
        (checks.app, ["segmentation", "--measured", "x", "--data", "x"], "--data"),
        (
            checks.app,
            [
                "train-fields",
                "--data",
                "x",
                "--out",
                "x",
                "--recognizer",
                "two-stream",
                "--drawn",
                "2",
            ],
            "--drawn",
        ),
        (checks.app, ["separate", "--out", "x", "--folds", 3, "--fold", 3], "--fold"),
        (strings.app, ["evaluate", "--data", "x", "--noise", 0.1], "--noise"),
        (strings.app, ["evaluate", "--data", "x", "--count", 10_000], "--count"),
        (strings.app, ["evaluate", "--data", "x", "--digits", "x"], "--digits"),
        (strings.app, ["read", FIELD, "--form", "png"], "--form"),
        (strings.app, ["compose", "pages", "x", "--recipe", "free"], "--recipe"),
        (strings.app, ["report", "--no-pictures", "--digits", "x"], "--digits"),
        (mnist.app, ["train", "--data", DEMO_FIELDS, "--results", "x"], "--results"),
        (mnist.app, ["baseline", "linear", "--validate", "--out", "x"], "--out"),
        (words.app, ["train", "--steps", 3], "--steps"),
        (words.app, ["train", "--no-normaliser"], "--normaliser"),
        (words.app, ["train", "--context"], "--context"),
        (words.app, ["train", "--until", 9], "--until"),
        (words.app, ["train", "--output", "softmax", "--fixed", 0.5], "--fixed"),
        (words.app, ["train", "--task", "words", "--passes", 3], "--passes"),
        (words.app, ["train", "--task", "words", "--system", "sdnn", "--context"], "--context"),
        (words.app, ["train", "--task", "words", "--holdout", 3], "--holdout"),
        (words.app, ["evaluate", "--data", DEMO_FIELDS, "--cache", "x"], "--cache"),
        (words.app, ["read", INK, "--no-pictures", "--page", "x.html"], "--page"),
        (words.app, ["read", INK, "--lexicon", "x", "--words", 9], "--words"),
        (words.app, ["read", INK, "--free", "--words", 9], "--words"),
        (words.app, ["read", INK, "--checkpoint", "x", "--system", "sdnn"], "--system"),
        (
            words.app,
            ["adapt", "--data", "x", "--out", "x", "--start", "x", "--system", "sdnn"],
            "--system",
        ),
    ],
)
def test_an_option_without_effect_is_refused_by_its_name(app, command, option):
    assert f"Invalid value for {option}: " in said(app, *command)


def test_a_name_that_is_no_utf8_is_shown_as_it_is(monkeypatch):
    app, shown = typer.Typer(), io.BytesIO()
    app.command()(lambda: typer.echo("\udcff.png"))
    monkeypatch.setattr(sys, "argv", ["x"])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, "utf-8"))
    with pytest.raises(SystemExit) as ended:
        run(app)
    sys.stdout.flush()
    assert (ended.value.code, shown.getvalue()) == (0, b"\xff.png\n")
