"""``python -m demos.words train|evaluate``: the command line of the readers of ink."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from demos.checkpoint import CheckpointError
from demos.words.characters import Settings, errors_of, load_network, train_characters
from demos.words.read_commands import add_to
from demos.words.report import shipped_network, write_card, write_characters_result
from demos.words.samples import load_characters, load_letters
from demos.words.train_words import Settings as WordSettings
from demos.words.train_words import train_words
from demos.words.word_samples import load_words
from recognizers.online.unipen_trees import TreeError
from recognizers.online.writers import SIDES, UNLISTED

app = typer.Typer(
    help="Reads pen-written characters.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

TASKS = ("characters", "words")
RESULTS = Path("results") / "words"

Data = Annotated[
    Path | None,
    typer.Option(help="A UNIPEN tree, or a folder of archives; default: unipen in $GTN_DATA."),
]

Cache = Annotated[
    Path | None, typer.Option(help="A folder that keeps what was read, for the next time.")
]


@app.command()
def train(
    task: Annotated[str, typer.Option(help=f"One of {', '.join(TASKS)}.")] = "characters",
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: runs/words/TASK-OUTPUT-seedN.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="rbf or softmax; default: rbf for characters, else softmax.")
    ] = None,
    system: Annotated[str, typer.Option(help="segments or sdnn (words).")] = WordSettings.system,
    normaliser: Annotated[
        bool, typer.Option(help="Lay words on their lines; without: scale them by their height.")
    ] = True,
    strings: Annotated[
        int, typer.Option(min=0, help="Steps on letters side by side (words).")
    ] = WordSettings.strings,
    steps: Annotated[int, typer.Option(min=0, help="Steps on words.")] = WordSettings.words,
    until: Annotated[
        float, typer.Option(help="Stop after so many seconds; go on with the same command (words).")
    ] = math.inf,
    passes: Annotated[int, typer.Option(min=1)] = Settings.passes,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = Settings.seed,
    cache: Cache = None,
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
    weights: Annotated[
        Path | None, typer.Option(help="Folder for the network with its card, to be shipped.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True,
) -> None:
    """Train on the writers of the training and measure on those of the test."""
    if task not in TASKS:
        raise typer.BadParameter(f"{task!r} is none of {', '.join(TASKS)}", param_hint="--task")
    if task == "words":
        word_settings = WordSettings(
            system=system,
            output=output or WordSettings.output,
            normaliser=normaliser,
            strings=strings,
            words=steps,
            seed=seed,
        )
        _train_words(_find(data), word_settings, out, cache, progress, until)
        return
    output = output or Settings.output
    settings = Settings(output=output, passes=passes, seed=seed)
    out = out or Path("runs") / "words" / f"{task}-{output}-seed{seed}"
    found = load_characters(_find(data), {name: (name,) for name in SIDES}, cache=cache)
    _report(found["train"].problems)
    network = train_characters(
        found["train"], found["validation"], settings, out, progress=progress
    )
    path = write_characters_result(network, found, asdict(settings), out, results)
    if weights is not None:
        write_card(out / "network.safetensors", path, weights)
    typer.echo(path.read_text().strip() if progress else json.dumps({"result": str(path)}))


def _train_words(
    data: Path,
    settings: WordSettings,
    out: Path | None,
    cache: Path | None,
    progress: bool,
    until: float,
) -> None:
    plain = "" if settings.normaliser else "-no-normaliser"
    out = out or Path("runs") / "words" / f"{settings.system}{plain}-seed{settings.seed}"
    words = load_words(data, normaliser=settings.normaliser, cache=cache)
    _report(words.problems)
    train_words(
        load_letters(data, ("train",), cache),
        words.of(("train",)),
        words.of(("validation",)),
        settings,
        out,
        progress=progress,
        until=until,
    )


@app.command()
def evaluate(
    data: Data = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A network; default: the shipped one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    side: Annotated[
        str, typer.Option(help="Whose ink: test, validation, left-out or train.")
    ] = "test",
) -> None:
    """Measure on the test writers of the public pack and on all writers that it does not have."""
    network = load_network(checkpoint or shipped_network())
    if side not in SIDES:
        raise typer.BadParameter(f"{side!r} is none of {', '.join(SIDES)}", param_hint="--side")
    sides = (side, UNLISTED) if side == "test" else (side,)
    found = load_characters(_find(data), {side: sides}, "".join(network.classes))[side]
    _report(found.problems)
    line = errors_of(network, found)
    if not line:
        raise ValueError(f"no character by the writers of the side {side!r}")
    if as_json:
        typer.echo(json.dumps(line))
    else:
        for name, value in line.items():
            typer.echo(f"{name:24} {value:.4g}")


add_to(app)


def _find(data: Path | None) -> Path:
    if data is not None:
        return data
    folder = os.environ.get("GTN_DATA")
    if not folder:
        raise TreeError("give --data, or set GTN_DATA to a folder with unipen/ inside")
    return Path(folder) / "unipen"


def _report(problems: list[str]) -> None:
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)


def main() -> None:
    """Run the command line; errors of the user's files end in one line, not in a traceback."""
    try:
        app()
    except (CheckpointError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
