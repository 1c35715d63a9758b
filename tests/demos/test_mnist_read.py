"""Reading single digits from files: commands, bad files, labels, and distorted real digits."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from demos.mnist.__main__ import app
from demos.mnist.models import MODELS, save_model, shipped
from demos.mnist.own_digits import load_digit
from demos.mnist.read import DigitReader, evaluate_folder
from demos.mnist.recipes import RECIPES
from recognizers.datasets.fields import FieldSetError
from recognizers.datasets.mnist import load_mnist
from recognizers.digits.frames import frame_digit
from recognizers.images import ImageError

call = CliRunner().invoke


@pytest.fixture(scope="module")
def reader():
    return DigitReader(shipped())


@pytest.fixture
def folder(tmp_path):
    """Digits of scikit-learn, dark on light and light on dark, and files that are not digits."""
    digits = load_digits()
    rows = ["file,text"]
    (tmp_path / "images" / "light").mkdir(parents=True)
    for i in range(10):
        large = Image.fromarray((digits.images[i] * 15.9).astype(np.uint8)).resize((96, 96))
        image = np.pad(np.asarray(large), 20)
        name = f"light/{i}.png" if i % 2 else f"{i}.jpg"
        Image.fromarray(image if i % 2 else 255 - image).save(tmp_path / "images" / name)
        rows.append(f"{name},{digits.target[i]}")
    Image.new("L", (90, 90), 230).save(tmp_path / "images" / "blank.png")
    (tmp_path / "images" / "bad.png").write_bytes(b"no picture")
    for name in ("12.png", "six.png"):
        Image.fromarray(255 - image).save(tmp_path / "images" / name)
    rows += ["blank.png,3", "bad.png,1", "gone.png,2", "12.png,12", "six.png,٦"]
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def test_read(folder):
    images = folder / "images"
    done = call(app, ["read", str(images / "0.jpg"), str(images / "light"), "--json"])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == [
        str(images / name) for name in ("0.jpg", *(f"light/{i}.png" for i in (1, 3, 5, 7, 9)))
    ]
    for line in lines:
        assert list(line) == ["file", "digit", "probability", "second"]
        assert line["digit"] != line["second"]["digit"]
        assert 0 < line["second"]["probability"] <= line["probability"] < 1
    plain = call(app, ["read", str(images / "0.jpg")])
    name, digit, probability = plain.stdout.split("  ")
    assert (name, digit) == (str(images / "0.jpg"), "0")
    assert float(probability) == pytest.approx(lines[0]["probability"], abs=1e-3)


def test_most_digits_of_another_set_are_read(reader):
    """They have only 8x8 pixels and come from other writers, but most can be recognized."""
    digits = load_digits()
    images = [np.pad((one * 15.9).astype(np.uint8), 2) for one in digits.images[:500]]
    frames = np.stack([frame_digit(255 - one) for one in images])
    right = reader.penalties(frames).argmin(1).numpy() == digits.target[:500]
    assert right.mean() > 0.85


def test_a_bad_file_costs_one_error(folder):
    names = ("bad.png", "0.jpg", "blank.png", "none.png", "2.jpg")
    paths = [str(folder / "images" / name) for name in names]
    done = call(app, ["read", "--json", *paths, str(folder / "empty")])
    assert done.exit_code == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in line for line in lines] == [True, False, True, True, False, True]
    assert lines[2]["error"].endswith("blank.png: no ink that could be a digit")
    (folder / "empty").mkdir()
    done = call(app, ["read", *paths, str(folder / "empty")])
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 2
    assert len(done.stderr.splitlines()) == 4
    assert done.stderr.splitlines()[-1] == f"{folder / 'empty'}: no image in this folder"
    with pytest.raises(ImageError, match=r"blank\.png: no ink"):
        load_digit(folder / "images" / "blank.png")


def test_a_folder_with_labels(folder, reader):
    figures, wrong, problems = evaluate_folder(reader, folder)
    assert (figures["n"], figures["left_out"], figures["model"]) == (12, 3, "lenet-5")
    assert figures["not_written"] == 2
    assert figures["error"] == pytest.approx(len(wrong) / 12)
    assert 2 <= len(wrong) <= 5
    assert {one.truth for one in wrong} >= {"٦", "12"}
    assert any("gone.png does not exist" in problem for problem in problems)
    labels = folder / "labels.csv"
    labels.write_text(labels.read_text(encoding="utf-8").replace("0.jpg,0", "0.jpg,8"), "utf-8")
    done = call(app, ["evaluate", "--data", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    assert "0.jpg  8  read 0" in done.stdout.splitlines()
    assert done.stderr.count("left out: ") == 3
    assert "12.png: the text '12' is not a single digit; it counts as an error" in done.stderr
    assert "six.png: the text '٦' is not a single digit; it counts as an error" in done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert list(line) == [
        "model", "n", "error", "reject_for_half_percent", "parameters", "not_written",
        "left_out",
    ]  # fmt: skip
    assert line["error"] == pytest.approx(figures["error"] + 1 / 12)


def test_nothing_to_measure(folder):
    with pytest.raises(FieldSetError, match=r"neither a labels\.csv nor the test digits of MNIST"):
        call(app, ["evaluate", "--data", str(folder / "images")], catch_exceptions=False)
    (folder / "labels.csv").write_text("file,text\n12.png,\nblank.png,1\n")
    with pytest.raises(
        FieldSetError, match=r"no file is read; the first of 2 that cannot: 12\.png"
    ):
        call(app, ["evaluate", "--data", str(folder)], catch_exceptions=False)


@pytest.mark.parametrize("row", ["lenet-1", "lenet-5", "boosted-lenet-4"])
def test_posteriors_are_those_of_the_loss(row):
    recipe = RECIPES[row]
    penalties = 30 * torch.rand(5, 10, generator=torch.Generator().manual_seed(0)).double()
    posteriors = recipe.posteriors(penalties)
    for label in range(10):
        loss = recipe.loss_function("discriminative")(penalties, torch.full((5,), label))
        assert float(loss) == pytest.approx(float(-posteriors[:, label].log().mean()))
    assert bool((posteriors.sum(1) <= 1 + 1e-12).all())
    far = recipe.posteriors(penalties + 1000)
    assert float(far.sum(1).max()) == pytest.approx(1 if recipe.rubbish is None else 0, abs=1e-6)


def test_networks_of_other_names_are_read_with(folder, tmp_path):
    save_model(tmp_path / "net.safetensors", "lenet-1", MODELS["lenet-1"].build(), {"row": "x"})
    reader = DigitReader(tmp_path / "net.safetensors")
    assert reader.recipe is RECIPES["lenet-1"]
    found = reader.read(load_digit(folder / "images" / "0.jpg"))
    assert sorted(digit for digit, _ in found) == list(range(10))
    assert sum(p for _, p in found) == pytest.approx(1)


def test_digits_that_were_moved_enlarged_and_inverted_are_read_as_the_originals(reader, data_dir):
    images, labels = load_mnist(data_dir / "mnist", "test")
    chosen, labels = images[:1000].numpy(), labels[:1000]
    rng = np.random.default_rng(0)

    def changed(image):
        side = int(rng.integers(40, 200))
        large = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
        around = rng.integers(0, 60, (2, 2))
        return 230 - (np.pad(large, around) * 0.8).astype(np.uint8)

    def error(frames):
        return float((reader.penalties(frames).argmin(1) != labels).double().mean())

    original = error(chosen)
    assert error(np.stack([frame_digit(image) for image in chosen])) <= original + 0.002
    assert error(np.stack([frame_digit(changed(image)) for image in chosen])) <= original + 0.004
