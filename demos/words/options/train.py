"""Options of the commands that train or adapt a reader."""

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

Start = Annotated[Path | None, typer.Option(help="Reader to start from; default: the shipped one.")]


@dataclass(frozen=True)
class Train:
    """Train on the training writers and measure on the test writers; resumes if interrupted.

    With a --data folder that has labels.csv (file,text), learn its words together with
    those of UNIPEN, as one more contributor, and measure the words held out.
    """

    context: typer.Context
    task: Annotated[str, typer.Option(help=f"One of {', '.join(TASKS)}.")] = "characters"
    data: Annotated[
        Path | None,
        typer.Option(
            help="UNIPEN tree, folder of UNIPEN archives, or (words) folder of ink with labels.csv "
            "(file,text); default: unipen in $GTN_DATA."
        ),
    ] = None
    unipen: Annotated[
        Path | None,
        typer.Option(
            help="UNIPEN data to learn beside your own words; default: unipen in $GTN_DATA."
        ),
    ] = None
    holdout: Annotated[
        int,
        typer.Option(
            min=0,
            help="Hold out the last N names of labels.csv, besides its rows of the split test: "
            "train leaves them out, evaluate measures them.",
        ),
    ] = 0
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help="Folder for the run; default: a folder in runs/words named by task and seed.",
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            help="Output layer, rbf or softmax; default: rbf for characters, else softmax."
        ),
    ] = None
    system: Annotated[str, typer.Option(help=f"What to train: {' or '.join(SYSTEMS)} (words).")] = (
        WordSettings.system
    )
    normaliser: Annotated[
        bool,
        typer.Option(help="Normalise words by their fitted lines; without: by their height alone."),
    ] = True
    strings: Annotated[
        int,
        typer.Option(min=0, help="Training steps on strings of letters set side by side (words)."),
    ] = WordSettings.strings
    steps: Annotated[int, typer.Option(min=0, help="Training steps on words (words).")] = (
        WordSettings.words
    )
    maps: Annotated[
        tuple[int, int] | None,
        typer.Option(help="Feature maps of the network (words); the paper has 8 25."),
    ] = None
    context_: Annotated[
        bool,
        typer.Option(
            "--context/--no-context", help="Also show the ink beside a segment (words, segments)."
        ),
    ] = WordSettings.context
    distortion: Annotated[
        float,
        typer.Option(min=0.0, max=10.0, help="Strength of the distortions of the ink (words)."),
    ] = WordSettings.distortion
    rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Learning rate on words (words).")
    ] = WordSettings.word_rate
    start: Annotated[
        Path | None, typer.Option(help="Checkpoint that the steps on words start from (words).")
    ] = None
    size: Size = None
    order: OrderToo = None
    most: Annotated[
        int | None,
        typer.Option(min=1, help="Measure at most N test words, sampled evenly from all (words)."),
    ] = None
    until: Annotated[
        float,
        typer.Option(min=0.0, help="Stop after N seconds; the same command resumes (words)."),
    ] = math.inf
    passes: Annotated[int, typer.Option(min=1, help="Passes over the characters (characters).")] = (
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
        Path, typer.Option(callback=folder_to_write, help="Folder for the results.")
    ] = RESULTS
    weights: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for the checkpoint with its card, to be shipped."
        ),
    ] = None
    progress: Annotated[
        bool, typer.Option(help="Show a progress bar and a line for each pass.")
    ] = True

    def __post_init__(self) -> None:
        """Refuse unknown names, and options without effect on what is trained."""
        require_known(self.task, TASKS, "--task")
        if self.output is not None:
            require_known(self.output, OUTPUTS, "--output")
        if self.task == "words":
            refuse_given(self.context, OF_CHARACTERS, "it applies to --task characters only")
        else:
            refuse_given(self.context, OF_WORDS, "it applies to --task words only")
        require_known(self.system, SYSTEMS, "--system")
        if self.system != "segments":
            refuse_given(self.context, ["context_"], f"{self.system} has no segments")
        if self.own is None:
            why = "no --data with labels.csv is given"
            refuse_given(self.context, ["unipen", "holdout", "size", "order"], why)
        elif self.task != "words":
            raise typer.BadParameter(
                f"must be words: {self.own} has labels.csv", param_hint="--task"
            )
        else:
            refuse_given(self.context, ["most", "weights", "results"], "--data has labels.csv")
        output = self.output or CharacterSettings.output
        if self.task == "characters" and output != "rbf":
            refuse_given(self.context, ["fixed"], f"{output} has no RBF centres")
        require_file(self.start)

    @property
    def own(self) -> Path | None:
        """The data folder, if it holds the user's own words, with ``labels.csv``."""
        return labelled(self.data)


@dataclass(frozen=True)
class Adapt:
    """Adapt a reader to your hand from a folder of ink; resumes where it was interrupted."""

    data: Annotated[
        Path, typer.Option(help="Folder of ink with labels.csv (file,text), one word per file.")
    ]
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the reader, the log and the state."
        ),
    ]
    start: Start = None
    system: System = None
    holdout: Annotated[
        int,
        typer.Option(
            min=0,
            help="Hold out the last N names of labels.csv, besides its rows of the split test: "
            "they are not learned, but read before and after.",
        ),
    ] = 0
    steps: Annotated[
        int, typer.Option(min=1, help=f"Training steps, of {WordSettings.word_batch} words each.")
    ] = STEPS
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Learning rate.")] = RATE
    size: Size = None
    order: OrderToo = None
    seed: Seed = 0
    progress: Annotated[
        bool, typer.Option(help="Show a progress bar and a line for each pass.")
    ] = True

    def __post_init__(self) -> None:
        """Refuse two readers to start from."""
        require_reader(self.system, self.start, "--start")
