"""Options of the commands by which a reader learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import (
    Seed,
    folder_to_write,
    labelled,
    refuse_given,
    require_file,
    require_known,
)
from demos.words.choices import OUTPUTS, RATE, RESULTS, STEPS, SYSTEMS, TASKS
from demos.words.options.shared import Cache, OrderToo, Size, System, require_reader
from demos.words.training.settings import CharacterSettings, WordSettings

__all__ = ["Adapt", "Train"]

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
    "size",
    "order",
    "most",
    "until",
)

Start = Annotated[Path | None, typer.Option(help="A reader to begin with; default: the shipped.")]


@dataclass(frozen=True)
class Train:
    """Train on the writers of the training and measure on those of the test.

    Of a folder with labels.csv (file,text) the words are learned beside those of
    UNIPEN, as of one more contributor, and those held out are measured.
    """

    context: typer.Context
    task: Annotated[str, typer.Option(help=f"One of {', '.join(TASKS)}.")] = "characters"
    data: Annotated[
        Path | None,
        typer.Option(
            help="A UNIPEN tree, a folder of archives, or (words) one with labels.csv (file,text) "
            "and files of ink; default: unipen in $GTN_DATA."
        ),
    ] = None
    unipen: Annotated[
        Path | None,
        typer.Option(
            help="UNIPEN data, learned beside words of one's own; default: unipen in $GTN_DATA."
        ),
    ] = None
    holdout: Annotated[
        int,
        typer.Option(min=0, help="The last N names of labels.csv are not learned, but measured."),
    ] = 0
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help="Folder of the run; default: one of runs/words, called by task and seed.",
        ),
    ] = None
    output: Annotated[
        str | None, typer.Option(help="rbf or softmax; default: rbf for characters, else softmax.")
    ] = None
    system: Annotated[str, typer.Option(help=f"{' or '.join(SYSTEMS)} (words).")] = (
        WordSettings.system
    )
    normaliser: Annotated[
        bool, typer.Option(help="Lay words on their lines; without: scale them by their height.")
    ] = True
    strings: Annotated[int, typer.Option(min=0, help="Steps on letters side by side (words).")] = (
        WordSettings.strings
    )
    steps: Annotated[int, typer.Option(min=0, help="Steps on words.")] = WordSettings.words
    maps: Annotated[
        tuple[int, int] | None, typer.Option(help="Of the network (words); the paper's are 8 25.")
    ] = None
    context_: Annotated[
        bool,
        typer.Option(
            "--context/--no-context", help="Also show what is beside a segment (words, segments)."
        ),
    ] = WordSettings.context
    distortion: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="Strength of distortions of the ink (words).")
    ] = WordSettings.distortion
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of learning from words.")] = (
        WordSettings.word_rate
    )
    start: Annotated[
        Path | None, typer.Option(help="A reader that the steps on words begin with (words).")
    ] = None
    size: Size = None
    order: OrderToo = None
    most: Annotated[
        int | None, typer.Option(min=1, help="Measure on so many test words (words).")
    ] = None
    until: Annotated[
        float,
        typer.Option(
            min=0.0, help="Stop after so many seconds; go on with the same command (words)."
        ),
    ] = math.inf
    passes: Annotated[int, typer.Option(min=1, help="Over the characters (characters).")] = (
        CharacterSettings.passes
    )
    fixed: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Share of the passes with fixed RBF centres (characters)."
        ),
    ] = CharacterSettings.fixed
    seed: Seed = CharacterSettings.seed
    cache: Cache = None
    results: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder of the results.")
    ] = RESULTS
    weights: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for the network with its card, to be shipped."
        ),
    ] = None
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True

    def __post_init__(self) -> None:
        """Refuse unknown names, and options without effect on what is trained."""
        require_known(self.task, TASKS, "--task")
        if self.output is not None:
            require_known(self.output, OUTPUTS, "--output")
        if self.task == "words":
            refuse_given(self.context, OF_CHARACTERS, "it is of --task characters")
        else:
            refuse_given(self.context, OF_WORDS, "it is of --task words")
        require_known(self.system, SYSTEMS, "--system")
        if self.system != "segments":
            refuse_given(self.context, ["context_"], f"{self.system} has no segments")
        if self.own is None:
            why = "no --data with labels.csv is given"
            refuse_given(self.context, ["unipen", "holdout", "size", "order"], why)
        elif self.task != "words":
            raise typer.BadParameter(f"{self.own} has labels.csv: of words", param_hint="--task")
        else:
            refuse_given(self.context, ["most", "weights", "results"], "--data has labels.csv")
        output = self.output or CharacterSettings.output
        if self.task == "characters" and output != "rbf":
            refuse_given(self.context, ["fixed"], f"{output} has no RBF centres")
        require_file(self.start)

    @property
    def own(self) -> Path | None:
        """The data, if they are words of one's own: a folder with ``labels.csv``."""
        return labelled(self.data)


@dataclass(frozen=True)
class Adapt:
    """Have a reader learn one's own hand from a folder of ink; goes on where it was interrupted."""

    data: Annotated[
        Path, typer.Option(help="Folder with labels.csv (file,text) and files of ink, a word each.")
    ]
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the reader, its log and its state."
        ),
    ]
    start: Start = None
    system: System = None
    holdout: Annotated[
        int,
        typer.Option(min=0, help="The last N file names: not learned, but read before and after."),
    ] = 0
    steps: Annotated[
        int, typer.Option(min=1, help=f"Steps of {WordSettings.word_batch} words.")
    ] = STEPS
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of learning.")] = RATE
    size: Size = None
    order: OrderToo = None
    seed: Seed = 0
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True

    def __post_init__(self) -> None:
        """Refuse two readers to begin with."""
        require_reader(self.system, self.start, "--start")
