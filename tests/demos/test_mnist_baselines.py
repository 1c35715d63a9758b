"""The baselines' command, the page of results, robustness, sizes and pictures."""

import json
import struct
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from demos.mnist import baselines, compare, pictures, plots, robustness, sizes
from demos.mnist.__main__ import app
from demos.mnist.baselines import BASELINES, run_baseline, validate_baseline
from demos.mnist.models import MODELS, save_model, shipped
from demos.mnist.paper import FIGURE_9, Printed
from demos.mnist.recipes import RECIPES, with_settings
from demos.mnist.results import Result, ResultError, read_results, write_result
from demos.plots import as_svg

RUN = CliRunner()


def shapes(count, seed):
    """Made-up digits of 28x28: bars at ten places, moved a little, with labels in order."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        y, x = 5 + label // 5 * 9 + rng.integers(2), 4 + label % 5 * 4 + rng.integers(2)
        image[y : y + 8, x : x + 3] = 200 + rng.integers(55)
        image[4, 4:23] = image[23, 4:23] = 90  # a frame fixes the box of the ink
        image[4:23, 4] = image[4:23, 23] = 90
    return images, labels.astype(np.uint8)


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mnist")
    for part, count in (("train", 300), ("t10k", 60)):
        images, labels = shapes(count, count)
        header = struct.pack(">BBBB3I", 0, 0, 8, 3, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">BBBBI", 0, 0, 8, 1, count)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    network = MODELS["lenet-5"].build(generator=torch.Generator().manual_seed(0))
    save_model(path, "lenet-5", network, {"row": "untrained"})
    return path


@pytest.fixture
def small(monkeypatch):
    """The rows, with settings for which a few hundred digits are enough."""
    fewer = {"passes": 3, "units": 20, "components": 8, "vectors": 40, "k": 1}
    for name, row in BASELINES.items():
        known = {k: v for k, v in fewer.items() if k in row.settings}
        monkeypatch.setitem(
            BASELINES, name, type(row)(**vars(row) | {"settings": row.settings | known})
        )
    monkeypatch.setattr(baselines, "VALIDATION", 50)


@pytest.mark.parametrize(
    "name", [n for n in BASELINES if not n.startswith(("lenet-4", "mlp-500", "mlp-1000"))]
)
def test_every_row_runs(mnist, tmp_path, small, name):
    result = run_baseline(name, 0, mnist, tmp_path / "run", tmp_path)
    assert read_results(tmp_path) == [result]
    assert (result.row, result.n) == (name, 60)
    assert result.error <= 0.5
    assert result.command == f"python -m demos.mnist baseline {name} --seed 0"
    pairs = np.array(result.figures["error_reject"])
    assert pairs[0].tolist() == [0.0, pytest.approx(result.error, abs=1e-5)]
    assert (np.diff(pairs[:, 0]) >= 0).all()
    assert name in {printed.name for printed in FIGURE_9}


def test_rows_on_the_states_of_lenet4(mnist, tmp_path, small):
    with pytest.raises(ValueError, match=r"lenet-4-seed0\.safetensors"):
        run_baseline("lenet-4-knn", 0, mnist, tmp_path, tmp_path)
    network = MODELS["lenet-4"].build(generator=torch.Generator().manual_seed(0))
    save_model(tmp_path / "lenet-4-seed0.safetensors", "lenet-4", network, {})
    for name in ("lenet-4-knn", "lenet-4-local"):
        result = run_baseline(name, 0, mnist, tmp_path, tmp_path)
        assert result.configuration["input"] == "120 states of LeNet-4"
        assert result.memory == 300 * 120
    wrong = MODELS["lenet-5"].build()
    save_model(tmp_path / "lenet-4-seed1.safetensors", "lenet-5", wrong, {})
    with pytest.raises(ResultError, match="holds lenet-5, lenet-4 would be right"):
        run_baseline("lenet-4-knn", 1, mnist, tmp_path, tmp_path)


def test_the_same_seed_gives_the_same_result(mnist, tmp_path, small):
    first, again, other = (
        run_baseline("mlp-300", seed, mnist, tmp_path, tmp_path / str(i))
        for i, seed in enumerate((0, 0, 1))
    )
    assert first.passes == again.passes != other.passes
    assert len(first.passes) == 20


def test_validation_leaves_the_test_digits_alone(mnist, tmp_path, small, monkeypatch):
    parts = []
    load = baselines.load_mnist
    monkeypatch.setattr(baselines, "load_mnist", lambda d, p: parts.append(p) or load(d, p))
    validate_baseline("knn", 0, mnist, tmp_path)
    validate_baseline("knn", 0, mnist, tmp_path, settings={"k": 5}, digits=100)
    assert parts == ["train", "train"]
    lines = [json.loads(line) for line in (tmp_path / "choices.jsonl").read_text().splitlines()]
    assert [(line["settings"]["k"], line["fitted"]) for line in lines] == [(1, 250), (5, 100)]
    assert read_results(tmp_path) == []
    with pytest.raises(ValueError, match="knn has no setting 'depth'"):
        validate_baseline("knn", 0, mnist, tmp_path, settings={"depth": 5})
    with pytest.raises(ValueError, match=r"250 digits to fit on, beside the last 50 .* not 251"):
        validate_baseline("knn", 0, mnist, tmp_path, digits=251)
    assert validate_baseline("knn", 0, mnist, tmp_path, digits=250) >= 0.0


def test_the_command_line_refuses_what_is_wrong(mnist, tmp_path):
    answer = RUN.invoke(app, ["baseline", "lenet-9", "--data", str(mnist)])
    assert isinstance(answer.exception, ValueError)
    assert "row 'lenet-9' is not one of linear, " in str(answer.exception)
    for options in (["--set", "k=5"], ["--digits", "100"], ["--validate", "--set", "k:5"]):
        answer = RUN.invoke(app, ["baseline", "knn", "--data", str(mnist), *options])
        assert answer.exit_code == 2
    answer = RUN.invoke(app, ["train-sizes", "--sizes", "many"])
    assert answer.exit_code == 2
    with pytest.raises(FileNotFoundError, match="train-images"):
        run_baseline("linear", 0, tmp_path, tmp_path, tmp_path)


def result_of(row, seed, error, **more):
    values = {
        "model": "m", "n": 10_000, "reject_for_half_percent": 0.02, "parameters": 10,
        "multiply_adds": 4000, "memory": 4010, "configuration": {}, "seconds": {"training": 90.0},
        "command": f"python -m demos.mnist train --row {row} --seed {seed}",
        "machine": "a machine",
    }  # fmt: skip
    return Result(row=row, seed=seed, error=error, **values | more)


def test_the_page_is_written_from_the_results(tmp_path):
    folder, page = tmp_path / "results", tmp_path / "docs" / "mnist.md"
    for seed, error in enumerate((0.008, 0.009, 0.010)):
        write_result(result_of("lenet-5", seed, error), folder)
    write_result(result_of("knn", 0, 0.09, reject_for_half_percent=None), folder)
    write_result(result_of("something-new", 0, 0.2), folder)
    (folder / "choices.jsonl").write_text(
        '{"row": "knn", "settings": {"k": 3}, "fitted": 55000, "validation_error": 0.025}\n'
    )
    runs = [
        {"digits": n, "seed": 0, "error": 0.01, "seconds": 60.0,
         "passes": [{"pass": p, "wrong": 0.1 / p, "test_wrong": 0.08 / p} for p in (1, 2)]}
        for n in (15_000, 60_000)
    ]  # fmt: skip
    (folder / "training-sizes.json").write_text(json.dumps({"runs": runs}))
    (folder / "robustness.json").write_text(
        json.dumps(
            {
                "row": "lenet-5",
                "n": 100,
                "command": "c",
                "curves": {"scale": [[0.5, 0.4], [1.0, 0.01]]},
            }
        )
    )
    assert compare.compare(folder, page) == page
    text = page.read_text()
    assert "| LeNet-5 | 0.95 | 0.90 ± 0.10 |" in text
    assert "| K-NN Euclidean | 5 | 9.00 |" in text
    assert "| something-new |  | 20.00 |" in text
    assert text.count("not yet run") == len(FIGURE_9) - 2
    assert "Of the 2 methods" in text
    assert "1 are\nwithin 15%" in text
    assert "K-NN Euclidean (9.00% for 5.0%)" in text
    assert "--row lenet-5 --seed {0,1,2}" in text
    assert "| `knn` | k 3 | 55,000 | 2.50% |" in text
    names = {p.name for p in (tmp_path / "docs" / "mnist").iterdir()}
    expected = ["errors", "rejection", "multiply_adds", "memory"]
    expected += ["passes", "sizes", "robustness"]
    assert names == {f"{name}.svg" for name in expected}
    assert all(f"(mnist/{name})" in text for name in names)
    # The same results make the same files.
    before = {p: p.read_bytes() for p in (tmp_path / "docs").rglob("*.*")}
    compare.compare(folder, page)
    assert {p: p.read_bytes() for p in (tmp_path / "docs").rglob("*.*")} == before
    (folder / "linear-seed0.json").write_text("{}")
    with pytest.raises(ResultError, match=r"linear-seed0\.json: not a result"):
        compare.compare(folder, page)


def test_one_result_makes_a_page_of_rows_not_yet_run_and_none_makes_no_page(tmp_path):
    folder, page = tmp_path / "results", tmp_path / "mnist.md"
    folder.mkdir()
    with pytest.raises(ResultError, match="results: no result to write the page of"):
        compare.compare(folder, page)
    assert not page.exists()
    write_result(result_of("knn", 0, 0.05), folder)
    compare.compare(folder, page)
    assert page.read_text().count("| not yet run |") == len(FIGURE_9) - 1


def test_curves_are_measured_from_weights_once(mnist, tmp_path, monkeypatch):
    network = MODELS["lenet-5"].build(generator=torch.Generator().manual_seed(0))
    save_model(tmp_path / "lenet-5-seed0.safetensors", "lenet-5", network, {})
    results = {"lenet-5": [result_of("lenet-5", 0, 0.9)], "knn": [result_of("knn", 0, 0.1)]}
    first = compare.error_reject_curves(results, tmp_path, mnist)
    assert list(first) == ["lenet-5"]
    assert len(first["lenet-5"]) == 101
    monkeypatch.setattr(compare, "load_model", None)
    assert compare.error_reject_curves(results, tmp_path, mnist) == first


def test_parts_of_the_training_digits(mnist, tmp_path):
    recipe = with_settings(RECIPES["lenet-5"], ["passes=2", "samples=20"])
    run = {"data": mnist, "out": tmp_path / "run", "folder": tmp_path, "recipe": recipe}
    path = sizes.train_sizes((60,), **run, progress=False)
    again = sizes.train_sizes((60, 30), **run, progress=False)
    runs = json.loads(again.read_text())["runs"]
    assert path == again
    assert [r["digits"] for r in runs] == [30, 60]
    assert all(r["error"] == r["passes"][-1]["test_wrong"] for r in runs)
    with pytest.raises(ValueError, match="size 301: there are 300"):
        sizes.train_sizes((301,), **run, progress=False)


def test_a_row_is_reached_by_the_mean_of_its_seeds():
    printed = Printed("lenet-5", "LeNet-5", error=1.0)
    for errors, reached in (([0.0114], True), ([0.0116], False), ([0.009, 0.015], False)):
        results = [SimpleNamespace(error=error) for error in errors]
        assert compare._reached(printed, results) is reached
    assert compare._reached(printed, []) is None


def test_changes_that_change_nothing(mnist, tmp_path, checkpoint):
    images = torch.rand(3, 1, 32, 32)
    for name, neutral in (("scale", 1), ("shift_right", 0), ("shift_down", 0), ("rotation", 0)):
        change, amounts = robustness.CHANGES[name]
        assert neutral in amounts
        assert torch.allclose(change(images, neutral), images, atol=1e-5)
    square = torch.full((1, 1, 32, 32), -0.1)
    square[0, 0, 4:8, 14:18] = 1.175  # above the middle
    for turned, rows, columns in (
        (robustness.rotate(square, 90.0), (14, 18), (24, 28)),
        (robustness.rotate(square, -90.0), (14, 18), (4, 8)),
        (robustness.scale(square, 0.5), (10, 12), (15, 17)),
    ):
        ink = (turned[0, 0] > 0.5).nonzero()
        assert (int(ink[:, 0].min()), int(ink[:, 0].max()) + 1) == rows
        assert (int(ink[:, 1].min()), int(ink[:, 1].max()) + 1) == columns
    moved = robustness.shift_down(robustness.shift_right(images, 3), -2)
    assert torch.allclose(moved[:, :, :-2, 3:], images[:, :, 2:, :-3], atol=1e-5)
    noisy = robustness.add_noise(torch.full((1, 1, 100, 100), -0.1), 0.1)
    assert (noisy > 1).float().mean() == pytest.approx(0.1, abs=0.015)
    figures = robustness.robustness(checkpoint, mnist, tmp_path, most=8)
    assert json.loads((tmp_path / "robustness.json").read_text()) == figures
    assert figures["curves"].keys() == robustness.CHANGES.keys()
    with pytest.raises(ValueError, match="there are 60 test digits, not 61"):
        robustness.robustness(checkpoint, mnist, tmp_path, most=61)
    assert as_svg(plots.changes(figures["curves"])).startswith("<?xml")


def test_pictures(mnist, tmp_path, checkpoint):
    page = pictures.draw_pictures(checkpoint, tmp_path, mnist, digit=3)
    text = page.read_text()
    files = {p.name for p in tmp_path.glob("*.png")}
    assert files == {
        f"{n}.png" for n in ("filters", "maps", "codes", "saliency", "states", "errors")
    }
    assert text.count("data:image/png;base64,") == 6
    assert "340,908" in text
    with pytest.raises(ValueError, match="digit 60: there are 60"):
        pictures.draw_pictures(checkpoint, tmp_path, mnist, digit=60)
    with pytest.raises(ValueError, match="boosted-lenet-4 is three networks"):
        pictures.draw_pictures(shipped("boosted-lenet-4"), tmp_path, mnist)


@pytest.mark.parametrize("name", ["lenet-1", "lenet-4"])
def test_states_of_the_smaller_networks(name):
    model = MODELS[name]
    network = model.build(generator=torch.Generator().manual_seed(0))
    images = torch.rand(2, 1, *model.size)
    states = pictures.layer_states(network, images)
    assert torch.equal(states["out"], network(images))
    assert pictures.saliency(network, images).shape == (2, *model.size)
    assert pictures.states_before_output(network, images).shape == (2, 10)
