"""The demo of digits, on a few drawn ones: training, resuming, results, boosting, commands."""

import json
import struct
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from demos.checkpoint import CheckpointError
from demos.mnist import rows
from demos.mnist.__main__ import app
from demos.mnist.boost import train_boosted
from demos.mnist.evaluate import evaluate, load_digits
from demos.mnist.models import MODELS, load_model, save_model, shipped
from demos.mnist.recipes import RECIPES, Recipe, with_settings
from demos.mnist.results import (
    Result,
    ResultError,
    by_row,
    error_reject_curve,
    read_results,
    reject_share,
    write_result,
)
from demos.mnist.timing import measure_time
from demos.mnist.train import Digits, _Loop, penalties_of, split, train_network

runner = CliRunner()


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def draw(count, seed):
    """Strokes in ten directions, one for each digit, moved a little."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    y, x = np.mgrid[0:28, 0:28] - 13.5
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        angle = np.pi * label / 10
        dx, dy = rng.uniform(-1, 1, 2)
        across = (x - dx) * np.cos(angle) + (y - dy) * np.sin(angle)
        image[(np.abs(across) < 2) & (x**2 + y**2 < 81)] = 255
    return images, labels


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mnist")
    for name, count, seed in (("train", 160, 0), ("t10k", 60, 1)):
        images, labels = draw(count, seed)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


QUICK = Recipe(
    "lenet-1", passes=4, batch=8, rates=(5e-4,), samples=20, distortion={"translation": 1.0}
)


def same(a, b):
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize(
    "recipe",
    [
        QUICK,
        replace(QUICK, optimizer="adamw", rates=(3e-3,), averaging=0.05, originals=0.0),
        replace(QUICK, curvature="gauss-newton", curvature_loss="discriminative", distortion=None),
    ],
    ids=["sdlm", "adamw", "gauss-newton"],
)
def test_an_interrupted_run_ends_as_a_whole_one(data, tmp_path, monkeypatch, recipe):
    digits = load_digits("lenet-1", "train", data)
    whole = train_network(recipe, 1, digits, tmp_path / "whole", progress=False)
    assert [line["pass"] for line in whole.passes] == [1, 2, 3, 4]
    assert whole.passes[-1]["loss"] < whole.passes[0]["loss"]

    from_loop = train_network.__globals__["_Loop"]
    passes = from_loop.one_pass

    def until_the_third(self, number, *rest):
        if number == 2:
            raise KeyboardInterrupt
        passes(self, number, *rest)

    monkeypatch.setattr(from_loop, "one_pass", until_the_third)
    with pytest.raises(KeyboardInterrupt):
        train_network(recipe, 1, digits, tmp_path / "parts", progress=False)
    monkeypatch.setattr(from_loop, "one_pass", passes)
    again = train_network(recipe, 1, digits, tmp_path / "parts", progress=False)
    assert same(whole.network, again.network)
    lines = (tmp_path / "parts" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["wrong"] for line in lines] == [p["wrong"] for p in whole.passes]
    # Another seed makes another run, not a continuation of this one.
    with pytest.raises(CheckpointError, match="another recipe or seed, or of other digits"):
        train_network(recipe, 2, digits, tmp_path / "parts", progress=False)


def test_a_step_of_a_batch_stands_for_a_step_of_each_pattern(tmp_path):
    """By stochastic diagonal LM; the mean of the parameters begins with that of the first steps."""
    generator = torch.Generator().manual_seed(0)
    digits = Digits(torch.rand(6, 1, 32, 32, generator=generator), torch.arange(6))
    recipe = replace(RECIPES["lenet-5"], passes=1, batch=6, averaging=1e-3)
    loop = _Loop(recipe, 0, digits, tmp_path, {})
    before = deepcopy(loop.network)
    loop.one_pass(0, None, False)
    (recipe.loss_function()(before(digits.inputs), digits.labels) * 6).backward()
    first = [p for p in before.parameters() if p.requires_grad]
    rates = loop.optimizer.rates()
    kept = [p for p in loop.final().parameters() if p.requires_grad]
    for old, new, mean, rate in zip(first, loop.parameters, kept, rates, strict=True):
        torch.testing.assert_close(new.detach(), (old - rate * old.grad).detach())
        torch.testing.assert_close(mean.detach(), torch.lerp(old, new, 1 / 1.1).detach())


def test_a_row_from_training_to_its_card(data, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "lenet-1", replace(QUICK, passes=16))
    results, weights = tmp_path / "results", tmp_path / "weights"
    arguments = ["--data", str(data), "--out", str(tmp_path / "run"), "--results", str(results)]
    done = runner.invoke(app, ["train", "--row", "lenet-1", "--no-progress", *arguments])
    assert done.exit_code == 0, done.output
    (result,) = read_results(results)
    assert (result.row, result.model, result.seed, result.n) == ("lenet-1", "lenet-1", 0, 60)
    assert result.parameters == 2578
    assert len(result.passes) == 16
    assert result.error <= 0.3  # by chance, nine out of ten would be wrong
    assert result.command == "python -m demos.mnist train --row lenet-1 --seed 0"

    checkpoint = results / "lenet-1-seed0.safetensors"
    done = runner.invoke(
        app, ["evaluate", "--json", "--data", str(data), "--checkpoint", str(checkpoint)]
    )
    line = json.loads(done.output.splitlines()[-1])
    assert list(line) == ["model", "n", "error", "reject_for_half_percent", "parameters"]
    assert line["error"] == result.error
    plain = runner.invoke(app, ["evaluate", "--data", str(data), "--checkpoint", str(checkpoint)])
    assert "digits per second" in plain.output

    for path in rows.ship("lenet-1", results, weights):
        assert path.stat().st_size > 0
    card = (weights / "lenet-1.md").read_text()
    assert result.command in card
    assert f"{result.error:.2%}" in card
    assert load_model(weights / "lenet-1.safetensors")[0] == "lenet-1"
    with pytest.raises(ResultError, match="train the row with seed 0 first"):
        rows.ship("lenet-4", results, weights)


def test_validation_writes_no_result(data, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "lenet-1", QUICK)
    monkeypatch.setattr("demos.mnist.train.VALIDATION", 100)
    arguments = ["--data", str(data), "--out", str(tmp_path / "run"), "--set", "passes=1"]
    arguments += ["--results", str(tmp_path)]
    for _ in range(2):  # what was tried twice is listed once
        done = runner.invoke(
            app, ["train", "--row", "lenet-1", "--validate", "--no-progress", *arguments]
        )
        assert done.exit_code == 0, done.output
    line = json.loads(done.output.splitlines()[-1])
    logged = json.loads((tmp_path / "run" / "log.jsonl").read_text())
    assert line["validation_error"] == logged["validation_wrong"]
    assert not list(tmp_path.rglob("*-seed0.json"))
    noted = json.loads((tmp_path / "choices.jsonl").read_text())
    assert noted["settings"] == {"passes": 1, "optimizer": "sdlm"}
    assert (noted["row"], noted["fitted"]) == ("lenet-1", 60)
    assert noted["validation_error"] == line["validation_error"]
    done = runner.invoke(app, ["train", "--row", "lenet-1", *arguments])
    assert done.exit_code == 2  # other settings are for choosing, not for results
    assert runner.invoke(app, ["train", "--row", "lenet-9"]).exit_code == 2


def test_the_validation_digits_are_the_last(data):
    digits = load_digits("lenet-5", "train", data)
    training, validation = split(digits)
    assert len(training.labels) + len(validation.labels) == 160
    assert torch.equal(digits.inputs[-1], validation.inputs[-1])


def test_boosted_networks(data, tmp_path):
    recipe = replace(
        QUICK,
        model="lenet-4",
        passes=2,
        stream={"translation": 3.0},
        boosted=40,
        boosted_passes=2,
        cost=1.75,
    )
    digits = load_digits("lenet-4", "train", data)
    trained = train_boosted(recipe, 0, digits, tmp_path, progress=False, validation=digits)
    assert [p["network"] for p in trained.passes] == [
        "first", "first", "second", "second", "third", "third", "all",
    ]  # fmt: skip
    network = trained.network
    assert network.cost(digits.inputs) == pytest.approx(1.75, abs=0.02)
    figures = evaluate("boosted-lenet-4", network, digits)
    assert figures["parameters"] == 3 * 50_698
    single = figures["multiply_adds"] / figures["figures"]["mean_cost"]
    assert single == pytest.approx(255_572)
    # Nothing is trained or searched for again, and the file gives the same answers.
    again = train_boosted(recipe, 0, digits, tmp_path, progress=False)
    assert same(again.network, network)
    save_model(tmp_path / "net.safetensors", "boosted-lenet-4", network, {})
    assert (tmp_path / "net.safetensors").stat().st_size < 310_000
    _, loaded, _ = load_model(tmp_path / "net.safetensors")
    part = digits.inputs[:50]
    assert torch.equal(penalties_of(loaded, part), penalties_of(network, part))


def test_checkpoints_of_something_else(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_model(tmp_path / "missing.safetensors")
    network = MODELS["lenet-1"].build()
    save_model(tmp_path / "a.safetensors", "lenet-9", network, {})
    with pytest.raises(CheckpointError, match="'lenet-9' is not one of"):
        load_model(tmp_path / "a.safetensors")
    save_model(tmp_path / "b.safetensors", "lenet-4", network, {})
    with pytest.raises(CheckpointError, match=r"b\.safetensors: of another architecture"):
        load_model(tmp_path / "b.safetensors")
    with pytest.raises(CheckpointError, match="no such row"):
        shipped("lenet-9")


def result(row="a", seed=0, error=0.01):
    return Result(row, "m", seed, 10, error, None, 1, 2, 3, {}, "c", {"training": 1, "test": 2})


def test_results_are_read_as_they_were_written(tmp_path):
    for one in (result("b"), result("a", 2), result("a", 10)):
        write_result(replace(one, passes=[{"pass": 1}, {"pass": 2}]), tmp_path)
    found = read_results(tmp_path)
    assert [(r.row, r.seed) for r in found] == [("a", 2), ("a", 10), ("b", 0)]
    assert found[0].passes == [{"pass": 1}, {"pass": 2}]
    assert [r.seed for r in by_row(found)["a"]] == [2, 10]
    assert len(read_results(tmp_path, "b")) == 1
    (tmp_path / "c-seed0.json").write_text('{"row": "c"}')
    with pytest.raises(ResultError, match=r"c-seed0\.json: not a result"):
        read_results(tmp_path)


def test_rejection():
    penalties = torch.tensor([[0.0, 1.0], [0.0, 5.0], [3.0, 0.0], [0.2, 0.0]])
    labels = torch.tensor([1, 0, 1, 1])  # wrong: the first, rejected second
    rejected, wrong = error_reject_curve(penalties, labels)
    assert rejected.tolist() == [0.0, 0.25, 0.5, 0.75]
    assert wrong.tolist() == [0.25, pytest.approx(1 / 3), 0.0, 0.0]
    assert reject_share(penalties, labels) == 0.5
    assert reject_share(penalties, 1 - labels) == 1.0
    with pytest.raises(ValueError, match="2 classes or more"):
        reject_share(torch.zeros(3, 1), labels)


def test_settings():
    recipe = with_settings(RECIPES["lenet-5"], ["passes=3", 'distortion={"rotation": 5}'])
    assert (recipe.passes, recipe.distortion) == (3, {"rotation": 5})
    for wrong in ("passes", "passes=x", "colour=1"):
        with pytest.raises(ValueError, match="not KEY=JSON with a key of model"):
            with_settings(recipe, [wrong])
    plain = replace(recipe, distortion=None)
    for wrong in ('passes="3"', "passes=2.5", "passes=null", "passes=true", 'distortion="x"',
                  "rates=1", "decay=null"):  # fmt: skip
        for given in (recipe, plain):
            with pytest.raises(ValueError, match="is of type"):
                with_settings(given, [wrong])
    assert with_settings(plain, ['distortion={"rotation": 5}']).distortion == {"rotation": 5}
    with pytest.raises(ValueError, match="passes is 0"):
        with_settings(recipe, ["passes=0"])
    others = with_settings(recipe, ["decay=1", "rates=[0.1, 0.2]", "rubbish=null"])
    assert (others.decay, others.rates, others.rubbish) == (1.0, (0.1, 0.2), None)
    assert recipe.rate(0) == 5e-4
    assert recipe.rate(19.5) == 1e-5
    cosine = replace(recipe, optimizer="adamw", passes=30, rates=(3e-3,))
    assert cosine.rate(30) == pytest.approx(0.0)
    assert max(cosine.rate(p / 10) for p in range(300)) == pytest.approx(3e-3)
    assert len(RECIPES["lenet-5-best"].rates) == RECIPES["lenet-5-best"].passes


def test_a_page_is_not_overwritten_for_want_of_the_folder(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("as it was")
    done = runner.invoke(app, ["compare", "--results", str(tmp_path / "x"), "--page", str(page)])
    assert isinstance(done.exception, ResultError)
    (tmp_path / "x").mkdir()
    done = runner.invoke(app, ["compare", "--results", str(tmp_path / "x"), "--page", str(page)])
    assert isinstance(done.exception, ResultError)
    assert page.read_text() == "as it was"


def test_times_are_measured():
    figures = measure_time(10)
    assert figures["ratio"] == pytest.approx(
        figures["lenet5_pass_seconds"] / figures["plain_pass_seconds"]
    )
    assert all(value > 0 for value in figures.values())
