"""The command ``evaluate``: what a reader of words or of characters gets wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from demos.command_line import echo_problems, refuse_given, require_known
from demos.figures import echo_figures
from demos.words.commands.arguments import (
    Cache,
    System,
    load_reader,
    words_of_task,
)
from demos.words.measuring.folder import evaluate_folder, labels_of, load_folder
from demos.words.measuring.words import word_errors
from demos.words.samples.characters import load_characters
from demos.words.samples.words import evenly, load_words, word_labels
from demos.words.training.character_results import shipped_network
from demos.words.training.characters import errors_of, load_network
from recognizers.datasets.fields import find_data, load_fields
from recognizers.online.unipen_trees import TreeError
from recognizers.online.writers import SIDES, UNLISTED

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A UNIPEN tree, a folder of archives, or one with labels.csv (file,text) and "
            "files of ink; default: unipen in $GTN_DATA."
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A reader of words; default: the shipped one.")
    ] = None,
    characters: Annotated[
        Path | None,
        typer.Option(help="A network of single characters (UNIPEN); default: the shipped one."),
    ] = None,
    system: System = None,
    lexicon: Annotated[
        Path | None,
        typer.Option(help="A file of words; default: all labels of the data and frequent English."),
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="Read so many words, evenly from all.")
    ] = None,
    holdout: Annotated[
        int,
        typer.Option(min=0, help="The last N names of labels.csv only, which adapt left out."),
    ] = 0,
    cache: Cache = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    side: Annotated[
        str | None,
        typer.Option(
            help="Whose ink (UNIPEN): test, validation, left-out or train; default: test."
        ),
    ] = None,
) -> None:
    """Measure on the test writers of the public pack and on all writers that it does not have.

    Of a folder with labels.csv (file,text) all words are read; its files are of
    the formats that the command read takes, one word in each. Files that cannot
    be read and texts of other characters than letters are reported and left out.
    Words that are not in the file of --lexicon are reported and count as errors.
    """
    if side is not None:
        require_known(side, SIDES, "--side")
    place = find_data(data, "unipen")
    if (place / "labels.csv").is_file():
        why = f"{place} has labels.csv: all of its words are read, by --checkpoint"
        refuse_given(context, ["side", "characters", "cache"], why)
        echo_figures(_folder_figures(place, checkpoint, system, lexicon, most, holdout), as_json)
        return
    if holdout:
        raise typer.BadParameter("holds out rows of labels.csv", param_hint="--holdout")
    side = side or "test"
    sides = (side, UNLISTED) if side == "test" else (side,)
    network = load_network(characters or shipped_network())
    try:
        found = load_characters(place, {side: sides}, "".join(network.classes), cache)[side]
    except TreeError as error:
        raise TreeError(f"{error}; nor is there a labels.csv") from error
    echo_problems(found.problems)
    line = _word_figures(place, checkpoint, system, lexicon, sides, most, cache)
    line |= errors_of(network, found)
    if not line:
        raise ValueError(f"no character and no word by the writers of the side {side!r}")
    echo_figures(line, as_json)


def _word_figures(
    data: Path,
    path: Path | None,
    system: str | None,
    lexicon: Path | None,
    sides: tuple[str, ...],
    most: int | None,
    cache: Path | None,
) -> dict[str, Any]:
    """What a reader of words gets wrong in the words of some sides; nothing if there is none."""
    labels = word_labels(data, cache)
    if not labels:
        return {}
    reader = load_reader(path, system)
    words = load_words(data, normaliser=reader.normaliser, cache=cache, sides=sides)
    echo_problems(words.problems)
    words = words.take(evenly(len(words), most))
    return word_errors(reader, words, reader.lexicon(words_of_task(lexicon, labels)))


def _folder_figures(
    folder: Path,
    path: Path | None,
    system: str | None,
    lexicon: Path | None,
    most: int | None,
    holdout: int,
) -> dict[str, Any]:
    """What a reader of words gets wrong in a folder with labels; names each word it misread."""
    reader = load_reader(path, system)
    words, problems = load_folder(folder, holdout=holdout)
    echo_problems(problems)
    # All labels of the folder, as adapt has them: what is held out is read among the others.
    listed = words_of_task(lexicon, labels_of(load_fields(folder).fields))
    words, known = [words[i] for i in evenly(len(words), most)], set(listed)
    for one in words:
        if one.label not in known:
            typer.echo(f"not in the lexicon: {one.name}  {one.label}", err=True)
    figures, wrong = evaluate_folder(reader, words, reader.lexicon(listed))
    for name, truth, text in wrong:
        typer.echo(f"{name}  {truth}  read {text or '(nothing)'}")
    return figures | {"left_out": len(problems)}
