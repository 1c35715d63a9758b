"""The commands by which a reader learns: ``train``, and ``adapt`` to one's own hand."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import Seed, echo_problems, folder_to_write, refuse_given, require_known
from demos.words.commands.arguments import (
    RESULTS,
    Cache,
    System,
    system_of,
)
from demos.words.reading.lexicon import task_words
from demos.words.reading.reader import SYSTEMS, shipped_path
from demos.words.samples.characters import load_characters, load_letters
from demos.words.samples.words import load_words
from demos.words.training.adapt import RATE, STEPS, adapt_folder
from demos.words.training.character_results import (
    result_name,
    write_card,
    write_characters_result,
)
from demos.words.training.characters import Settings, train_characters
from demos.words.training.own_words import train_beside_unipen
from demos.words.training.word_results import write_words_card, write_words_result
from demos.words.training.words import STAGES, train_words
from demos.words.training.words import Settings as WordSettings
from recognizers.datasets.fields import find_data
from recognizers.online.writers import SIDES

__all__ = ["adapt", "train"]

TASKS = ("characters", "words")
OUTPUTS = ("rbf", "softmax")
OF_CHARACTERS = ("passes", "fixed")
OF_WORDS = (
    "unipen",
    "holdout",
    "system",
    "normaliser",
    "strings",
    "steps",
    "maps",
    "context_",
    "distortion",
    "rate",
    "start",
    "most",
    "until",
)

Start = Annotated[Path | None, typer.Option(help="A reader to begin with; default: the shipped.")]


def train(
    context: typer.Context,
    task: Annotated[str, typer.Option(help=f"One of {', '.join(TASKS)}.")] = "characters",
    data: Annotated[
        Path | None,
        typer.Option(
            help="A UNIPEN tree, a folder of archives, or (words) one with labels.csv (file,text) "
            "and files of ink; default: unipen in $GTN_DATA."
        ),
    ] = None,
    unipen: Annotated[
        Path | None,
        typer.Option(
            help="UNIPEN data, learned beside words of one's own; default: unipen in $GTN_DATA."
        ),
    ] = None,
    holdout: Annotated[
        int,
        typer.Option(min=0, help="The last N names of labels.csv are not learned, but measured."),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help="Folder of the run; default: one of runs/words, called by task and seed.",
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="rbf or softmax; default: rbf for characters, else softmax.")
    ] = None,
    system: Annotated[
        str, typer.Option(help=f"{' or '.join(SYSTEMS)} (words).")
    ] = WordSettings.system,
    normaliser: Annotated[
        bool, typer.Option(help="Lay words on their lines; without: scale them by their height.")
    ] = True,
    strings: Annotated[
        int, typer.Option(min=0, help="Steps on letters side by side (words).")
    ] = WordSettings.strings,
    steps: Annotated[int, typer.Option(min=0, help="Steps on words.")] = WordSettings.words,
    maps: Annotated[
        tuple[int, int] | None, typer.Option(help="Of the network (words); the paper's are 8 25.")
    ] = None,
    context_: Annotated[
        bool,
        typer.Option(
            "--context/--no-context", help="Also show what is beside a segment (words, segments)."
        ),
    ] = WordSettings.context,
    distortion: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="Strength of distortions of the ink (words).")
    ] = WordSettings.distortion,
    rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of learning from words.")
    ] = WordSettings.word_rate,
    start: Annotated[
        Path | None, typer.Option(help="A reader that the steps on words begin with (words).")
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="Measure on so many test words (words).")
    ] = None,
    until: Annotated[
        float,
        typer.Option(
            min=0.0, help="Stop after so many seconds; go on with the same command (words)."
        ),
    ] = math.inf,
    passes: Annotated[
        int, typer.Option(min=1, help="Over the characters (characters).")
    ] = Settings.passes,
    fixed: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Share of the passes with fixed RBF centres (characters)."
        ),
    ] = Settings.fixed,
    seed: Seed = Settings.seed,
    cache: Cache = None,
    results: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder of the results.")
    ] = RESULTS,
    weights: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for the network with its card, to be shipped."
        ),
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True,
) -> None:
    """Train on the writers of the training and measure on those of the test.

    Of a folder with labels.csv (file,text) the words are learned beside those of
    UNIPEN, as of one more contributor, and those held out are measured.
    """
    require_known(task, TASKS, "--task")
    if output is not None:
        require_known(output, OUTPUTS, "--output")
    if task == "words":
        refuse_given(context, OF_CHARACTERS, "it is of --task characters")
    else:
        refuse_given(context, OF_WORDS, "it is of --task words")
    require_known(system, SYSTEMS, "--system")
    if system != "segments":
        refuse_given(context, ["context_"], f"{system} has no segments")
    own = data if data is not None and (data / "labels.csv").is_file() else None
    if own is not None and task != "words":
        raise typer.BadParameter(f"{own} has labels.csv: of words", param_hint="--task")
    if own is not None:
        refuse_given(context, ["most", "weights", "results"], "--data has labels.csv")
    else:
        refuse_given(context, ["unipen", "holdout"], "no --data with labels.csv is given")
    if task == "words":
        word_settings = WordSettings(
            system=system,
            output=output or WordSettings.output,
            normaliser=normaliser,
            strings=strings,
            words=steps,
            word_rate=rate,
            start=str(start or ""),
            maps=maps or WordSettings.maps,
            context=context_,
            distortion=distortion,
            seed=seed,
        )
        if own is not None:
            out = out or Path("runs") / "words" / f"{own.resolve().name}-{system}-seed{seed}"
            metrics, problems = train_beside_unipen(
                own,
                find_data(unipen, "unipen", option="--unipen"),
                word_settings,
                out,
                holdout=holdout,
                cache=cache,
                progress=progress,
                until=until,
            )
            echo_problems(problems)
            typer.echo(_stopped(out) if metrics is None else json.dumps(metrics))
            return
        _train_words(
            find_data(data, "unipen"),
            word_settings,
            out,
            most,
            cache,
            progress,
            until,
            results,
            weights,
        )
        return
    output = output or Settings.output
    if output != "rbf":
        refuse_given(context, ["fixed"], f"{output} has no RBF centres")
    settings = Settings(output=output, passes=passes, fixed=fixed, seed=seed)
    out = out or Path("runs") / "words" / result_name(asdict(settings))
    found = load_characters(
        find_data(data, "unipen"), {name: (name,) for name in SIDES}, cache=cache
    )
    echo_problems(found["train"].problems)
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
    most: int | None,
    cache: Path | None,
    progress: bool,
    until: float,
    results: Path,
    weights: Path | None,
) -> None:
    plain = "" if settings.normaliser else "-no-normaliser"
    out = out or Path("runs") / "words" / f"{settings.system}{plain}-seed{settings.seed}"
    words = load_words(data, normaliser=settings.normaliser, cache=cache)
    echo_problems(words.problems)
    done = train_words(
        load_letters(data, ("train",), cache),
        words.of(("train",)),
        words.of(("validation",)),
        settings,
        out,
        progress=progress,
        until=until,
    )
    if not done:
        typer.echo(_stopped(out))
        return
    listed = task_words(words.labels)
    path = write_words_result(words, listed, settings, out, results, most)
    if weights is not None:
        write_words_card(out / f"{STAGES[-1]}.safetensors", path, weights)
    typer.echo(path.read_text().strip() if progress else json.dumps({"result": str(path)}))


def adapt(
    data: Annotated[
        Path, typer.Option(help="Folder with labels.csv (file,text) and files of ink, a word each.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the reader, its log and its state."
        ),
    ],
    start: Start = None,
    system: System = None,
    holdout: Annotated[
        int,
        typer.Option(min=0, help="The last N file names: not learned, but read before and after."),
    ] = 0,
    steps: Annotated[
        int, typer.Option(min=1, help=f"Steps of {WordSettings.word_batch} words.")
    ] = STEPS,
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of learning.")] = RATE,
    seed: Seed = 0,
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True,
) -> None:
    """Have a reader learn one's own hand from a folder of ink; goes on where it was interrupted."""
    shipped = shipped_path(system_of(system, start, "--start"))
    metrics, problems = adapt_folder(
        data, start or shipped, out, holdout=holdout, steps=steps, rate=rate,
        seed=seed, progress=progress,
    )  # fmt: skip
    echo_problems(problems)
    typer.echo(json.dumps(metrics | {"left_out": len(problems)}))


def _stopped(out: Path) -> str:
    return f"{out}: stopped on the way; the same command goes on"
