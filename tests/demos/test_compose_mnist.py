"""Amount fields composed from MNIST's digits."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from demos.checks.compose_mnist import app
from recognizers.datasets.fields import load_fields
from recognizers.datasets.mnist import load_mnist
from recognizers.datasets.written_amounts import Hand, MnistFields, back_to_digit, marks_of
from recognizers.segmentation import segment_field

DATA = Path(os.environ.get("GTN_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


@pytest.fixture(scope="module")
def composer() -> MnistFields:
    if not (DATA / "mnist").is_dir():
        pytest.skip(f"no MNIST in {DATA}")
    images, labels = load_mnist(DATA / "mnist", "train")
    return MnistFields(np.asarray(images), np.asarray(labels))


def test_the_same_seed_gives_the_same_field(composer: MnistFields) -> None:
    for seed in range(3):
        first, second = (composer.compose(np.random.default_rng(seed)) for _ in "ab")
        assert first.text == second.text
        assert np.array_equal(first.image, second.image)
    assert composer.compose(np.random.default_rng(9)).text != first.text


def test_digits_come_from_mnist_under_their_label(composer: MnistFields) -> None:
    labels = np.asarray(load_mnist(DATA / "mnist", "train")[1])
    drawn = 0
    for seed in range(40):
        field = composer.compose(np.random.default_rng(seed))
        assert field.text.isdigit()
        for digit, source in zip(field.text, field.sources, strict=True):
            drawn += source < 0
            # Ones with an upstroke and zeros of a single stroke are drawn, too.
            assert digit in "01" if source < 0 else digit == str(labels[source])
    assert drawn > 0


def test_every_digit_is_seen_by_the_segmenter(composer: MnistFields) -> None:
    enough = 0
    for seed in range(30):
        field = composer.compose(np.random.default_rng(seed))
        assert 62 <= field.image.shape[0] < 80
        enough += segment_field(field.image).num_nodes > len(field.text)
    assert enough >= 28  # touching digits are cut, and marks are further pieces


def test_marks_keep_the_digits_and_group_by_thousands() -> None:
    grouped = 0
    for seed in range(200):
        marks = marks_of("1234567", np.random.default_rng(seed))
        assert "".join(m for m in marks if m.isdigit()) == "1234567"
        between = "".join(marks)
        between = between[between.index("1") : between.index("7") + 1]
        grouped += between != "1234567"
        if between != "1234567":
            assert [len(part) for part in between.replace(",", ".").split(".")] == [1, 3, 3]
    assert 60 < grouped < 140


def test_digits_lean_to_the_right_and_come_from_one_stretch() -> None:
    """Each pixel up is a fixed step to the right; the digits used follow each other in the set."""
    forth = np.linalg.inv(back_to_digit(2.0, 0.0, 0.5, 1.5))
    np.testing.assert_allclose(forth @ [-1.0, 0.0], [-2.0, 1.0])
    np.testing.assert_allclose(forth @ [0.0, 1.0], [0.0, 3.0])
    turned = np.linalg.inv(back_to_digit(1.0, 0.1, 0.0, 1.0))
    np.testing.assert_allclose(turned @ turned.T, np.eye(2), atol=1e-12)
    labels = np.arange(2000) % 10
    fields = MnistFields(np.zeros((2000, 28, 28), np.uint8), labels)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        hand = replace(Hand.of(rng, 2000), upstroke=0.0)
        source = fields.choose("3", hand, rng)[1]
        assert labels[source] == 3
        assert hand.window <= source < hand.window + 60


def test_digits_without_an_image_are_named() -> None:
    with pytest.raises(ValueError, match="digit 3"):
        MnistFields(np.zeros((3, 28, 28), np.uint8), np.array([0, 1, 2]))


def test_the_command_writes_a_folder_of_fields(
    composer: MnistFields, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = CliRunner().invoke(
        app, [str(tmp_path), "--count", "3", "--digits", str(DATA / "mnist"), "--seed", "5"]
    )
    assert result.exit_code == 0, result.output
    found = load_fields(tmp_path)
    assert not found.problems
    expected = [composer.compose(np.random.default_rng([5, i])).text for i in range(3)]
    assert [one.text for one in found.fields] == expected
    monkeypatch.delenv("GTN_DATA", raising=False)
    failed = CliRunner().invoke(app, [str(tmp_path)])
    assert failed.exit_code == 1
    assert "give --digits DIR, or set GTN_DATA" in str(failed.exception)
