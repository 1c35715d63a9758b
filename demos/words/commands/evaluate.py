"""The command ``evaluate``: what a reader of words or of characters gets wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from demos.command_line import echo_problems, refuse_given
from demos.figures import echo_figures
from demos.words.commands.arguments import load_reader, order_of, words_of_task
from demos.words.measuring.folder import evaluate_folder, labels_of, load_folder
from demos.words.measuring.words import word_errors
from demos.words.options.evaluate import Evaluate
from demos.words.reading.reader import WordReader
from demos.words.samples.characters import load_characters
from demos.words.samples.words import evenly, load_words, word_labels
from demos.words.training.character_results import shipped_network
from demos.words.training.characters import errors_of, load_network
from recognizers.datasets.fields import find_data, load_fields
from recognizers.online.unipen_trees import TreeError
from recognizers.online.writers import UNLISTED

__all__ = ["evaluate"]


def evaluate(given: Evaluate) -> None:
    """Print the figures of a reader of words, and of a network of characters, on some ink."""
    place = find_data(given.data, "unipen")
    if (place / "labels.csv").is_file():
        why = f"{place} has labels.csv: all of its words are read, by --checkpoint"
        refuse_given(given.context, ["side", "characters", "cache"], why)
        echo_figures(_folder_figures(place, given), given.as_json)
        return
    if given.holdout:
        raise typer.BadParameter("holds out rows of labels.csv", param_hint="--holdout")
    side = given.side or "test"
    sides = (side, UNLISTED) if side == "test" else (side,)
    reader = load_reader(given.checkpoint, given.system)
    network = load_network(given.characters or shipped_network())
    classes = "".join(network.classes)
    try:
        found = load_characters(place, {side: sides}, classes, given.cache)[side]
    except TreeError as error:
        raise TreeError(f"{error}; nor is there a labels.csv") from error
    echo_problems(found.problems)
    line = _word_figures(reader, place, sides, given)
    line |= errors_of(network, found)
    if not line:
        raise ValueError(f"no character and no word by the writers of the side {side!r}")
    echo_figures(line, given.as_json)


def _word_figures(
    reader: WordReader, data: Path, sides: tuple[str, ...], given: Evaluate
) -> dict[str, Any]:
    """Return the errors of a reader on the words of some sides; {} if there are none."""
    labels = word_labels(data, given.cache)
    if not labels:
        return {}
    words = load_words(data, normaliser=reader.normaliser, cache=given.cache, sides=sides)
    echo_problems(words.problems)
    words = words.take(evenly(len(words), given.most))
    listed = words_of_task(given.lexicon, given.size, labels)
    return word_errors(reader, words, reader.lexicon(listed), order_of(given.order))


def _folder_figures(folder: Path, given: Evaluate) -> dict[str, Any]:
    """Return the errors of a reader on a folder with labels; print each misread word."""
    reader = load_reader(given.checkpoint, given.system)
    words, problems = load_folder(folder, holdout=given.holdout)
    echo_problems(problems)
    # All labels of the folder, as in adapt: held-out words are read among the others.
    listed = words_of_task(given.lexicon, given.size, labels_of(load_fields(folder).fields))
    words, known = [words[i] for i in evenly(len(words), given.most)], set(listed)
    for one in words:
        if not one.is_written:
            odd = f"{one.label!r} has other characters than the letters a-z"
            typer.echo(f"{one.name}: {odd}; it counts as an error", err=True)
        elif one.label not in known:
            typer.echo(f"not in the lexicon: {one.name}  {one.label}", err=True)
    figures, wrong = evaluate_folder(reader, words, reader.lexicon(listed), order_of(given.order))
    for name, truth, text in wrong:
        typer.echo(f"{name}  {truth}  read {text or '(nothing)'}")
    return figures | {"left_out": len(problems)}
