"""Commands are declared with functions that exist and are loaded only when called."""

import dataclasses
import inspect
import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from typing import get_type_hints

import pytest
import typer

import demos.checks.choices as of_checks
import demos.mnist.choices as of_mnist
import demos.strings.choices as of_strings
from demos.checks.experiments.separate import TOGETHER
from demos.checks.reading.networks import FINER, OF_SEGMENTS
from demos.checks.training.segments import CRITERIA
from demos.mnist.baselines import BASELINES
from demos.mnist.recipes import RECIPES
from demos.strings.evaluate import RECIPES as RECIPES_OF_LINES
from demos.words.training.settings import CharacterSettings
from grammars import NAMES
from recognizers.datasets.check_layouts import FAMILIES
from recognizers.datasets.penned_amounts import PARTS
from recognizers.online.network import MAPS
from recognizers.segmentation.rules import CUTS

MODULES = {
    "demos.checks.__main__": [
        ["train", "--out", "x", "--recognizer", "none"],
        ["train", "--out", "x", "--digits", "small"],
        ["evaluate", "--recognizer", "none"],
        ["evaluate", "--whole"],
        ["read", "x.png", "--whole", "--recognizer", "sdnn"],
        ["combine", "--checkpoint", "x"],
        ["criteria", "--out", "x", "--loss", "none"],
        ["separate", "--out", "x", "--loss", "none"],
        ["compose-checks", "x", "--part", "none"],
        ["train-fields", "--data", "x", "--out", "x", "--start", "there-is-none"],
        ["compare", "--page", "there-is-none.md"],
        ["evaluate", "--data", "there-is-none"],
        ["read", "x.png", "--checkpoint", "there-is-none"],
    ],
    "demos.mnist.__main__": [
        ["train", "--row", "none"],
        ["train", "--holdout", "3"],
        ["baseline", "linear", "--set", "k=3"],
        ["baseline", "linear", "--validate", "--set", "k"],
        ["train-sizes", "--sizes", "some"],
        ["read", "x.png", "--checkpoint", "there-is-none"],
    ],
    "demos.strings.__main__": [
        ["train", "--out", "x", "--network", "none"],
        ["read", "x.png", "--form", "png"],
        ["spot", "x.png", "--what", "x"],
        ["spot", "x.png", "--what", "3", "--checkpoint", "there-is-none"],
        ["read", "x.png", "--checkpoint", "there-is-none"],
    ],
    "demos.words.__main__": [
        ["train", "--task", "none"],
        ["train", "--steps", "3"],
        ["train", "--task", "words", "--start", "there-is-none"],
        ["evaluate", "--characters", "there-is-none"],
        ["read", "x.json", "--system", "none"],
        ["pad", "--free", "--words", "3"],
        ["read", "x.json", "--checkpoint", "there-is-none"],
    ],
    "demos.checks.compose_decimals": [["x", "--part", "none"]],
    "demos.checks.compose_fields": [["x", "--part", "none"]],
    "demos.checks.compose_ink": [["x", "--count", "0"]],
    "demos.checks.compose_mnist": [["x", "--count", "0"]],
    "demos.mnist.cut_digits": [[]],
}
"""The command lines, and for each what is wrong in it: told without what takes long to load."""

LONG_TO_LOAD = {
    *("gtn", "grammars", "torch", "numpy", "numba", "scipy", "sklearn", "skimage", "networkx"),
    *("matplotlib", "PIL", "jinja2", "safetensors", "tqdm", "wordfreq"),
}

PROGRAM = """
import importlib, json, sys
from typer.testing import CliRunner

module, *calls = json.loads(sys.argv[1])
app = importlib.import_module(module).app
results = [CliRunner().invoke(app, call) for call in calls]
codes = [2 if isinstance(one.exception, OSError) else one.exit_code for one in results]  # as run
print(json.dumps([codes, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def declared(module):
    """The commands of a module, which holds several or is one itself."""
    found = import_module(module)
    return getattr(found, "COMMANDS", None) or (found.COMMAND,)


EVERY = [pytest.param(c, id=f"{m}:{c.name}") for m in MODULES for c in declared(m)]


@pytest.mark.parametrize("command", EVERY)
def test_what_does_a_command_takes_its_options(command):
    does = pkgutil.resolve_name(command.does)
    assert inspect.isfunction(does)
    assert f"{does.__module__}:{does.__name__}" == command.does
    hints = get_type_hints(does)
    assert hints.pop("return") is type(None)
    assert list(hints.values()) == [command.options]


@pytest.mark.parametrize("command", EVERY)
def test_options_are_values_with_a_help(command):
    assert dataclasses.is_dataclass(command.options)
    assert command.options.__doc__.splitlines()[0].endswith(".")


@pytest.mark.parametrize("module", MODULES)
def test_help_and_what_is_wrong_with_options_load_nothing_long(module):
    commands = declared(module)
    names = [[one.name] for one in commands] if len(commands) > 1 else [[]]
    right = [["--help"], *([*name, "--help"] for name in names)]
    wrong = [*([*name, "--no-such-option"] for name in names), *MODULES[module]]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([module, *right, *wrong])],
        capture_output=True,
        text=True,
        check=True,
    )
    codes, loaded = json.loads(done.stdout)
    assert codes == [0] * len(right) + [2] * len(wrong)
    assert not LONG_TO_LOAD & set(loaded)


def test_all_modules_that_are_run_are_looked_at():
    found = {
        one.name
        for demo in pkgutil.iter_modules(import_module("demos").__path__, "demos.")
        if demo.ispkg
        for one in pkgutil.iter_modules(import_module(demo.name).__path__, f"{demo.name}.")
        if not one.ispkg
        if isinstance(getattr(import_module(one.name), "app", None), typer.Typer)
    }
    assert found == set(MODULES)


@pytest.mark.parametrize(
    ("choices", "known"),
    [
        (of_checks.CUTTING, [*OF_SEGMENTS, *(name + FINER for name in OF_SEGMENTS)]),
        (of_checks.GRAMMARS, NAMES),
        (of_checks.CRITERIA, CRITERIA),
        (sorted(of_checks.LOSSES), sorted([*CRITERIA, "ctc"])),
        (of_checks.CUTS, CUTS),
        (of_checks.PARTS, PARTS),
        (of_checks.PARTS_OF_CHECKS, FAMILIES),
        (of_mnist.ROWS, RECIPES),
        (of_mnist.BASELINES, BASELINES),
        (of_strings.RECIPES, RECIPES_OF_LINES),
    ],
)
def test_what_can_be_chosen_is_what_there_is(choices, known):
    assert list(choices) == list(known)


def test_what_is_taken_where_nothing_is_chosen_is_the_paper_s():
    assert CharacterSettings.maps == MAPS
    assert TOGETHER in of_checks.CRITERIA
