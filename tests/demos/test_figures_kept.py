"""Where commands keep what they measure: only shipped checkpoints have published figures."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import demos.mnist.commands as mnist
import demos.strings.commands as strings
import demos.words.commands.experiments as words
from demos.mnist.__main__ import app as mnist_app
from demos.mnist.models import shipped
from demos.strings.__main__ import app as strings_app
from demos.strings.reader import shipped_checkpoint
from demos.words.__main__ import app as words_app
from demos.words.reading.reader import shipped_path

FOLDER = {
    "beam": Path("results/words"),
    "spelling": Path("results/words"),
    "robustness": Path("results/mnist"),
    "speed": Path("results/strings"),
}
SHIPPED = {
    "beam": shipped_path("sdnn"),
    "spelling": shipped_path("segments"),
    "robustness": shipped(),
    "speed": shipped_checkpoint(),
}
APP = {"beam": words_app, "spelling": words_app, "robustness": mnist_app, "speed": strings_app}


@pytest.fixture
def kept(monkeypatch):
    """The folders in which figures were kept, while nothing is read or measured."""
    folders = []
    for name in ("write_beams", "write_spelling"):
        monkeypatch.setattr(words, name, lambda _, __, folder, **___: folders.append(folder))
    monkeypatch.setattr(words, "load_reader", lambda *_: None)
    monkeypatch.setattr(words, "find_data", lambda *_: Path("unipen"))

    def changes(_checkpoint, _data, folder, _most):
        folders.append(folder)
        return {"curves": {}}

    monkeypatch.setattr(mnist, "measure_changes", changes)
    monkeypatch.setattr(strings, "load", lambda _: None)
    monkeypatch.setattr(strings, "measure", lambda _: {})
    monkeypatch.setattr(strings, "keep_figures", lambda path, _: folders.append(path.parent))
    return folders


@pytest.mark.parametrize("command", FOLDER)
def test_figures_of_another_checkpoint_stand_beside_it(command, kept, tmp_path):
    other = tmp_path / "mine.safetensors"
    other.touch()
    for given in (
        [],
        ["--checkpoint", str(SHIPPED[command])],
        ["--checkpoint", str(other)],
        ["--checkpoint", str(other), "--results", "figures"],
    ):
        done = CliRunner().invoke(APP[command], [command, *given])
        assert done.exit_code == 0, done.output
    assert kept == [FOLDER[command], FOLDER[command], tmp_path, Path("figures")]


def test_figures_of_some_of_the_digits_are_kept_only_where_a_folder_is_given(kept):
    for given in (["--digits", "100"], ["--digits", "100", "--results", "figures"]):
        done = CliRunner().invoke(mnist_app, ["robustness", *given])
        assert done.exit_code == 0, done.output
    assert kept == [None, Path("figures")]
