"""``python -m demos.words train|evaluate``: the command line of the readers of ink."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from demos.command_line import run
from demos.figures import echo_figures
from demos.words.adapt_commands import add_to as add_adapting
from demos.words.characters import Settings, errors_of, load_network, train_characters
from demos.words.evaluate_folder import evaluate_folder, labels_of, load_folder
from demos.words.evaluate_words import word_errors
from demos.words.lexicon import file_words, task_words
from demos.words.read_commands import add_to, load_reader
from demos.words.reader import SYSTEMS
from demos.words.report import result_name, shipped_network, write_card, write_characters_result
from demos.words.report_words import write_words_card, write_words_result
from demos.words.samples import load_characters, load_letters
from demos.words.train_own import train_beside_unipen
from demos.words.train_words import STAGES, train_words
from demos.words.train_words import Settings as WordSettings
from demos.words.word_samples import evenly, load_words, word_labels
from grammars.words import WordList
from recognizers.datasets.fields import load_fields
from recognizers.online.unipen_trees import TreeError
from recognizers.online.writers import SIDES, UNLISTED

app = typer.Typer(
    help="Reads words and characters written with a pen.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

TASKS = ("characters", "words")
RESULTS = Path("results") / "words"

Cache = Annotated[
    Path | None, typer.Option(help="A folder that keeps what was read, for the next time.")
]


@app.command()
def train(
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
    maps: Annotated[
        tuple[int, int] | None, typer.Option(help="Of the network (words); the paper's are 8 25.")
    ] = None,
    context: Annotated[
        bool, typer.Option(help="Also show what is beside a segment (words, segments).")
    ] = WordSettings.context,
    distortion: Annotated[
        float, typer.Option(min=0.0, help="Strength of distortions of the ink (words).")
    ] = WordSettings.distortion,
    rate: Annotated[
        float, typer.Option(min=0.0, help="Of learning from words.")
    ] = WordSettings.word_rate,
    start: Annotated[
        Path | None, typer.Option(help="A reader that the steps on words begin with (words).")
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="Measure on so many test words (words).")
    ] = None,
    until: Annotated[
        float, typer.Option(help="Stop after so many seconds; go on with the same command (words).")
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
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = Settings.seed,
    cache: Cache = None,
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
    weights: Annotated[
        Path | None, typer.Option(help="Folder for the network with its card, to be shipped.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True,
) -> None:
    """Train on the writers of the training and measure on those of the test.

    Of a folder with labels.csv (file,text) the words are learned beside those of
    UNIPEN, as of one more contributor, and those held out are measured.
    """
    if task not in TASKS:
        raise typer.BadParameter(f"{task!r} is none of {', '.join(TASKS)}", param_hint="--task")
    own = data if data is not None and (data / "labels.csv").is_file() else None
    if own is not None and task != "words":
        raise typer.BadParameter(f"{own} has labels.csv: of words", param_hint="--task")
    for option, given in (("--most", most), ("--weights", weights)):
        if own is not None and given is not None:
            raise typer.BadParameter("only with UNIPEN data", param_hint=option)
    for option, given in (("--unipen", unipen), ("--holdout", holdout or None)):
        if own is None and given is not None:
            raise typer.BadParameter("only with a folder that has labels.csv", param_hint=option)
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
            context=context,
            distortion=distortion,
            seed=seed,
        )
        if own is not None:
            out = out or Path("runs") / "words" / f"{own.resolve().name}-{system}-seed{seed}"
            metrics, problems = train_beside_unipen(
                own, _find(unipen, "--unipen"), word_settings, out, holdout=holdout, cache=cache,
                progress=progress, until=until,
            )  # fmt: skip
            _report(problems)
            typer.echo(_stopped(out) if metrics is None else json.dumps(metrics))
            return
        _train_words(
            _find(data), word_settings, out, most, cache, progress, until, results, weights
        )
        return
    output = output or Settings.output
    settings = Settings(output=output, passes=passes, fixed=fixed, seed=seed)
    out = out or Path("runs") / "words" / result_name(asdict(settings))
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
    _report(words.problems)
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


@app.command()
def evaluate(
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
    system: Annotated[str, typer.Option(help=f"Of the shipped readers: {', '.join(SYSTEMS)}.")] = (
        WordSettings.system
    ),
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
    if side is not None and side not in SIDES:
        raise typer.BadParameter(f"{side!r} is none of {', '.join(SIDES)}", param_hint="--side")
    place = _find(data)
    if (place / "labels.csv").is_file():
        for option, given in (("--side", side), ("--characters", characters)):
            if given is not None:
                raise typer.BadParameter(
                    f"{place} has labels.csv: all of its words are read, by --checkpoint",
                    param_hint=option,
                )
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
    _report(found.problems)
    line = _word_figures(place, checkpoint, system, lexicon, sides, most, cache)
    line |= errors_of(network, found)
    if not line:
        raise ValueError(f"no character and no word by the writers of the side {side!r}")
    echo_figures(line, as_json)


add_to(app)
add_adapting(app)


def _word_figures(
    data: Path,
    path: Path | None,
    system: str,
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
    _report(words.problems)
    words = words.take(evenly(len(words), most))
    return word_errors(reader, words, reader.lexicon(_listed(lexicon, labels)))


def _folder_figures(
    folder: Path,
    path: Path | None,
    system: str,
    lexicon: Path | None,
    most: int | None,
    holdout: int,
) -> dict[str, Any]:
    """What a reader of words gets wrong in a folder with labels; names each word it misread."""
    reader = load_reader(path, system)
    words, problems = load_folder(folder, holdout=holdout)
    _report(problems)
    # All labels of the folder, as adapt has them: what is held out is read among the others.
    listed = _listed(lexicon, labels_of(load_fields(folder).fields))
    words, known = [words[i] for i in evenly(len(words), most)], set(listed)
    for one in words:
        if one.label not in known:
            typer.echo(f"not in the lexicon: {one.name}  {one.label}", err=True)
    figures, wrong = evaluate_folder(reader, words, reader.lexicon(listed))
    for name, truth, text in wrong:
        typer.echo(f"{name}  {truth}  read {text or '(nothing)'}")
    return figures | {"left_out": len(problems)}


def _stopped(out: Path) -> str:
    return f"{out}: stopped on the way; the same command goes on"


def _listed(lexicon: Path | None, labels: list[str]) -> WordList:
    """The words of a file, or else those of the task, which has all labels."""
    listed = task_words(labels) if lexicon is None else file_words(lexicon)
    if listed.problems:
        typer.echo(listed.summary(), err=True)
    return listed


def _find(data: Path | None, option: str = "--data") -> Path:
    if data is not None:
        return data
    folder = os.environ.get("GTN_DATA")
    if not folder:
        raise TreeError(f"give {option}, or set GTN_DATA to a folder with unipen/ inside")
    return Path(folder) / "unipen"


def _report(problems: list[str]) -> None:
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)


if __name__ == "__main__":
    run(app)
