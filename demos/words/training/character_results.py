"""Write the result of a finished training in JSON, and the card of the shipped network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from demos.checkpoint import WEIGHTS, CheckpointError, write_whole
from demos.figures import load_figures, machine
from demos.words.samples.characters import CLASSES, KINDS, Characters
from demos.words.training.characters import errors_of
from demos.words.training.settings import CharacterSettings
from recognizers.lenet import parameters
from recognizers.online.network import AmapNetwork

__all__ = ["NAME", "result_name", "shipped_network", "write_card", "write_characters_result"]

NAME = "characters"
"""Name of the shipped network and of its card."""

PAPER = {"digit": 0.014, "upper": 0.0299, "lower": 0.0415}


def shipped_network() -> Path:
    """Return the shipped checkpoint; raise CheckpointError if there is none."""
    path = WEIGHTS / f"{NAME}.safetensors"
    if not path.is_file():
        raise CheckpointError(f"{path}: no network comes with the package; give --checkpoint")
    return path


def write_characters_result(
    network: AmapNetwork,
    found: dict[str, Characters],
    configuration: dict[str, Any],
    out: Path,
    results: Path,
) -> Path:
    """Measure a network on all sides but the training, and write the result; return its file."""
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    test = found["test"]
    by_contributor = {
        str(name): errors_of(network, _of(test, name)) for name in np.unique(test.contributors)
    }
    content = {
        "task": NAME,
        "command": _command(configuration),
        "configuration": configuration,
        "n_training": len(found["train"]),
        "parameters": parameters(network),
        "test": errors_of(network, test),
        "left_out": errors_of(network, found["left-out"]),
        "validation": errors_of(network, found["validation"]),
        "test_by_contributor": by_contributor,
        "seconds_of_training": sum(line["seconds"] for line in log),
        "machine": machine(),
        "torch": torch.__version__,
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    path = results / f"{result_name(configuration)}.json"
    write_whole(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def result_name(configuration: Mapping[str, Any]) -> str:
    """Return the name of the result of a training.

    >>> result_name({"output": "rbf", "fixed": 1.0, "seed": 0})
    'characters-rbf-fixed-seed0'
    """
    always = "-fixed" if configuration["output"] == "rbf" and configuration["fixed"] == 1.0 else ""
    return f"{NAME}-{configuration['output']}{always}-seed{configuration['seed']}"


def _command(configuration: Mapping[str, Any]) -> str:
    """Return the command that trains so; all other options have their defaults."""
    given = [f"--output {configuration['output']}"]
    given += [
        f"--{name} {configuration[name]}"
        for name in ("passes", "fixed")
        if configuration[name] != getattr(CharacterSettings, name)
    ]
    given.append(f"--seed {configuration['seed']}")
    return f"python -m demos.words train --task {NAME} {' '.join(given)}"


def _of(characters: Characters, contributor: str) -> Characters:
    which = np.flatnonzero(characters.contributors == contributor)
    return Characters(
        characters.ink.take(which),
        characters.labels[which],
        characters.kinds[which],
        characters.contributors[which],
    )


def write_card(network: Path, result: Path, weights: Path) -> None:
    """Copy a network to `weights` and write its card from its result."""
    figures = load_figures(result)
    rows = ["| side | characters | error | among all classes | paper |", "|---|---|---|---|---|"]
    for side in ("test", "left_out", "validation"):
        for kind in KINDS:
            if f"n_{kind}" in figures[side]:
                error = 100 * figures[side][f"{kind}_error"]
                of_all = 100 * figures[side][f"{kind}_error_of_all"]
                paper = f"{100 * PAPER[kind]:.1f}%" if side == "test" else ""
                rows.append(
                    f"| {side.replace('_', '-')} | {figures[side][f'n_{kind}']} ({kind}) "
                    f"| {error:.2f}% | {of_all:.2f}% | {paper} |"
                )
    run, minutes = figures["configuration"], figures["seconds_of_training"] / 60
    where = f"{figures['machine']}, torch {figures['torch']}"
    packs = len(figures["test_by_contributor"])
    card = f"""# {NAME}.safetensors: isolated pen-written characters

The network of section IX of LeCun et al. 1998 (`recognizers.online.network.AmapNetwork`), output
`{run["output"]}`, {figures["parameters"]:,} parameters, for {len(CLASSES)} classes.
Trained on {figures["n_training"]:,} isolated digits and letters of the UNIPEN collection (release
train_r01_v07, CC BY 4.0), of the writers of the training in `recognizers/online/writers.csv`; the
file holds no ink.

    {figures["command"]}

{run["passes"]} passes, seed {run["seed"]}, {minutes:.0f} minutes ({where}).

{chr(10).join(rows)}

"Error" is that of a reader that is told whether it reads a digit, a capital or a small letter,
"among all classes" that of one that is not. The writers of test, left-out and validation are not
in training. The paper's figures are for other data (hand-printed, collected by its authors); here
the test has ink of {packs} contributors, with tablets of very different resolution, and some of its
small letters are cut from words.
"""
    write_whole(weights / f"{NAME}.md", card)
    write_whole(weights / f"{NAME}.safetensors", network.read_bytes())
