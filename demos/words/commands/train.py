"""The commands by which a reader learns: ``train``, and ``adapt`` to one's own hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import typer

from demos.command_line import echo_problems
from demos.run_state import training_into
from demos.words.choices import SIZE, SYSTEMS
from demos.words.commands.arguments import order_of
from demos.words.options.train import Adapt, Train
from demos.words.reading.lexicon import task_words
from demos.words.reading.reader import shipped_path
from demos.words.samples.characters import load_characters, load_letters
from demos.words.samples.words import load_words
from demos.words.training.adapt import adapt_folder
from demos.words.training.character_results import result_name, write_card, write_characters_result
from demos.words.training.characters import train_characters
from demos.words.training.own_words import train_beside_unipen
from demos.words.training.settings import CharacterSettings, WordSettings
from demos.words.training.word_results import write_words_card, write_words_result
from demos.words.training.words import STAGES, readers_of, train_words
from recognizers.datasets.fields import find_data
from recognizers.online.writers import SIDES

__all__ = ["adapt", "train"]


def train(given: Train) -> None:
    """Train a network of characters or a reader of words; write and print what it gets wrong."""
    own = given.own
    if given.task == "characters":
        _train_characters(given)
    elif own is None:
        _train_words(given)
    else:
        name = f"{own.resolve().name}-{given.system}-seed{given.seed}"
        out = given.out or Path("runs") / "words" / name
        with training_into(out):
            metrics, problems = train_beside_unipen(
                own,
                find_data(given.unipen, "unipen", option="--unipen"),
                _word_settings(given),
                out,
                holdout=given.holdout,
                size=given.size or SIZE,
                order=order_of(given.order),
                cache=given.cache,
                progress=given.progress,
                until=given.until,
            )
        echo_problems(problems)
        typer.echo(_stopped(out) if metrics is None else json.dumps(metrics))


def _train_characters(given: Train) -> None:
    settings = CharacterSettings(
        output=given.output or CharacterSettings.output,
        passes=given.passes,
        fixed=given.fixed,
        seed=given.seed,
    )
    out = given.out or Path("runs") / "words" / result_name(asdict(settings))
    sides = {name: (name,) for name in SIDES}
    with training_into(out):
        found = load_characters(find_data(given.data, "unipen"), sides, cache=given.cache)
        echo_problems(found["train"].problems)
        network = train_characters(
            found["train"], found["validation"], settings, out, progress=given.progress
        )
    path = write_characters_result(network, found, asdict(settings), out, given.results)
    if given.weights is not None:
        write_card(out / "network.safetensors", path, given.weights)
    typer.echo(_written(path, given))


def _word_settings(given: Train) -> WordSettings:
    return WordSettings(
        system=given.system,
        output=given.output or WordSettings.output,
        normaliser=given.normaliser,
        strings=given.strings,
        words=given.steps,
        word_rate=given.rate,
        start=str(given.start or ""),
        maps=given.maps or WordSettings.maps,
        context=given.context_,
        distortion=given.distortion,
        seed=given.seed,
    )


def _train_words(given: Train) -> None:
    data, settings = find_data(given.data, "unipen"), _word_settings(given)
    plain = "" if settings.normaliser else "-no-normaliser"
    out = given.out or Path("runs") / "words" / f"{settings.system}{plain}-seed{settings.seed}"
    readers_of(settings)  # reports errors in the settings before data are read
    with training_into(out):
        words = load_words(data, normaliser=settings.normaliser, cache=given.cache)
        echo_problems(words.problems)
        done = train_words(
            load_letters(data, ("train",), given.cache),
            words.of(("train",)),
            words.of(("validation",)),
            settings,
            out,
            progress=given.progress,
            until=given.until,
        )
    if not done:
        typer.echo(_stopped(out))
        return
    listed = task_words(words.labels)
    path = write_words_result(words, listed, settings, out, given.results, given.most)
    if given.weights is not None:
        write_words_card(out / f"{STAGES[-1]}.safetensors", path, given.weights)
    typer.echo(_written(path, given))


def _written(path: Path, given: Train) -> str:
    return path.read_text().strip() if given.progress else json.dumps({"result": str(path)})


def adapt(given: Adapt) -> None:
    """Write the reader that has learned, and print what it reads before and after."""
    shipped = shipped_path(given.system or SYSTEMS[0])
    with training_into(given.out):
        metrics, problems = adapt_folder(
            given.data,
            given.start or shipped,
            given.out,
            holdout=given.holdout,
            size=given.size or SIZE,
            order=order_of(given.order),
            steps=given.steps,
            rate=given.rate,
            seed=given.seed,
            progress=given.progress,
        )
    echo_problems(problems)
    typer.echo(json.dumps(metrics | {"left_out": len(problems)}))


def _stopped(out: Path) -> str:
    return f"{out}: stopped on the way; the same command goes on"
