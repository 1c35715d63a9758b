"""The options of each command of the reader of lines; :mod:`demos.strings.commands` does them.

Nothing here imports what takes long.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import (
    Mnist,
    Seed,
    file_to_write,
    folder_to_write,
    refuse_given,
    require_file,
    require_folder,
    require_known,
)
from demos.strings.choices import FORMS, NETWORKS, RECIPES, RESULTS, TEST_STRINGS
from demos.strings.settings import Settings, SpotSettings
from recognizers.classes import DIGITS

__all__ = [
    "Compose",
    "Evaluate",
    "EvaluateSpotter",
    "Read",
    "Report",
    "Speed",
    "Spot",
    "Train",
    "TrainSpotter",
]

Holdout = Annotated[
    int,
    typer.Option(
        min=0, help="The last N names of --data: training leaves them out, evaluate measures them."
    ),
]
Checkpoint = Annotated[Path | None, typer.Option(help="A reader; default: the shipped one.")]


@dataclass(frozen=True)
class Train:
    """Train on characters among neighbours, then on whole strings; goes on where interrupted."""

    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the readers, the log and the state."
        ),
    ]
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv: lines to learn from, too.")
    ] = None
    holdout: Holdout = 0
    digits: Mnist = None
    network: Annotated[str, typer.Option(help=f"One of {', '.join(NETWORKS)}.")] = NETWORKS[0]
    characters: Annotated[int, typer.Option(min=1, help="Steps on windows.")] = Settings.characters
    strings: Annotated[int, typer.Option(min=1, help="Steps on lines.")] = Settings.strings
    bfloat16: Annotated[
        bool, typer.Option(help="Whether the network learns with products in half precision.")
    ] = Settings.bfloat16
    seed: Seed = 0
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for the figures of all stages on the fixed test."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse an unknown network, and to hold out what is not given."""
        require_known(self.network, NETWORKS, "--network")
        _require_data(self.data, self.holdout)
        require_folder(self.data)


@dataclass(frozen=True)
class Evaluate:
    """Measure a reader on strings that no training has seen, or on labelled images of lines."""

    context: typer.Context
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv; default: the synthetic test.")
    ] = None
    holdout: Holdout = 0
    digits: Mnist = None
    checkpoint: Checkpoint = None
    count: Annotated[int, typer.Option(min=1, help="Strings of the synthetic test.")] = TEST_STRINGS
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of inverted pixels.")] = 0.0
    recipe: Annotated[str, typer.Option(help="Of the synthetic test: paper or free.")] = "paper"
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False

    def __post_init__(self) -> None:
        """Refuse an unknown recipe, and what is of the synthetic test beside data."""
        require_known(self.recipe, RECIPES, "--recipe")
        _require_data(self.data, self.holdout)
        if self.data is not None:
            others = ["digits", "count", "noise", "recipe"]
            refuse_given(self.context, others, "--data has the lines that are read")
        require_file(self.checkpoint)
        require_folder(self.data)


@dataclass(frozen=True)
class Read:
    """Read lines of digits: string and confidence, and a picture of how they were read."""

    context: typer.Context
    paths: Annotated[list[Path], typer.Argument(help="Images of lines, or folders of images.")]
    checkpoint: Checkpoint = None
    grammar: Annotated[
        str | None, typer.Option(help="A regular expression that the string matches.")
    ] = None
    pictures: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for a picture of each line and its outputs."
        ),
    ] = None
    form: Annotated[str, typer.Option(help=f"Of the pictures: {' or '.join(FORMS)}.")] = "svg"
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per file.")] = False

    def __post_init__(self) -> None:
        """Refuse a form of no pictures, and pictures among the files that are read."""
        require_known(self.form, FORMS, "--form")
        if self.pictures is None:
            refuse_given(self.context, ["form"], "no --pictures are drawn")
        elif self.form == "png":
            folder, taken = self.pictures.resolve(), {path.resolve() for path in self.paths}
            if not taken.isdisjoint([folder, *folder.parents]):
                why = "is read, so its pictures would be, too; choose another folder"
                raise typer.BadParameter(f"{self.pictures} {why}", param_hint="--pictures")
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Compose:
    """Write lines, or pages of scattered digits, as images: something to read, spot and learn."""

    context: typer.Context
    what: Annotated[str, typer.Argument(help="lines or pages.")]
    out: Annotated[
        Path, typer.Argument(callback=folder_to_write, help="Folder for the images and labels.csv.")
    ]
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 12
    part: Annotated[str, typer.Option(help="Of MNIST's digits: train or test.")] = "test"
    recipe: Annotated[str, typer.Option(help="Of lines: paper or free.")] = "paper"
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of inverted pixels.")] = 0.0
    seed: Seed = 0
    digits: Mnist = None

    def __post_init__(self) -> None:
        """Refuse unknown names, and options of lines beside pages."""
        require_known(self.what, ("lines", "pages"), "what")
        require_known(self.part, ("train", "test"), "--part")
        require_known(self.recipe, RECIPES, "--recipe")
        if self.what == "pages":
            refuse_given(self.context, ["recipe", "noise"], "it is of lines")


@dataclass(frozen=True)
class Spot:
    """Find a digit anywhere on a page, in several sizes; with a heat map of where it may be."""

    path: Annotated[Path, typer.Argument(help="Image of a page.")]
    what: Annotated[str, typer.Option(help="The digit to find.")]
    checkpoint: Annotated[Path | None, typer.Option(help="A spotter; default: shipped.")] = None
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least probability.")] = 0.5
    tallest: Annotated[
        float,
        typer.Option(
            min=20.0, max=2000.0, help="Pixels of the highest digits; the lowest have 20."
        ),
    ] = 56.0
    picture: Annotated[
        Path | None, typer.Option(callback=file_to_write, help="A .svg or .png of what is found.")
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each find.")] = False

    def __post_init__(self) -> None:
        """Refuse what is no digit, and a picture that cannot be drawn."""
        if self.what not in DIGITS or len(self.what) != 1:
            raise typer.BadParameter(f"{self.what!r} is no digit", param_hint="--what")
        require_file(self.checkpoint)
        if self.picture is None:
            return
        if self.picture.resolve() == self.path.resolve():
            raise typer.BadParameter(f"{self.picture} is the page itself", param_hint="--picture")
        if self.picture.suffix.lower()[1:] not in FORMS:
            wrong = f"{self.picture} is no .svg or .png file"
            raise typer.BadParameter(wrong, param_hint="--picture")


@dataclass(frozen=True)
class EvaluateSpotter:
    """Measure a spotter on pages that no training has seen."""

    digits: Mnist = None
    checkpoint: Annotated[Path | None, typer.Option(help="A spotter; default: shipped.")] = None
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False

    def __post_init__(self) -> None:
        """Refuse a spotter that is not there."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class TrainSpotter:
    """Train what finds digits on pages of digits and clutter; goes on where interrupted."""

    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the spotter, its log and its state."
        ),
    ]
    digits: Mnist = None
    positions: Annotated[
        bool, typer.Option(help="Whether to learn from positions, or only from what is on a page.")
    ] = True
    steps: Annotated[int, typer.Option(min=1, help="Steps on pages.")] = SpotSettings.steps
    seed: Seed = 0
    results: Annotated[
        Path | None,
        typer.Option(callback=folder_to_write, help="Folder for the figures on the fixed pages."),
    ] = None


@dataclass(frozen=True)
class Speed:
    """Measure how long lines of several widths take, and what one pass saves."""

    checkpoint: Checkpoint = None
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help=f"Folder of the figures; default: {RESULTS.as_posix()}, or that of another "
            "checkpoint.",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse a reader that is not there."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Report:
    """Write the page of figures and pictures from what the runs left."""

    context: typer.Context
    results: Annotated[Path, typer.Option(help="Folder of the figures.")] = RESULTS
    page: Annotated[Path, typer.Option(callback=file_to_write, help="The page to write.")] = Path(
        "docs/strings.md"
    )
    digits: Mnist = None
    pictures: Annotated[bool, typer.Option(help="Whether to draw them, too.")] = True

    def __post_init__(self) -> None:
        """Refuse digits for pictures that are not drawn."""
        if not self.pictures:
            refuse_given(self.context, ["digits"], "--no-pictures has none drawn")


def _require_data(data: Path | None, holdout: int) -> None:
    if holdout and data is None:
        raise typer.BadParameter("holds out lines of --data", param_hint="--holdout")
