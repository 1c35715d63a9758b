"""The options of each command of the line reader; :mod:`demos.strings.commands` executes them.

Nothing here imports slow modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import (
    Holdout,
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

Checkpoint = Annotated[
    Path | None, typer.Option(help="Checkpoint of a reader; default: the shipped one.")
]


@dataclass(frozen=True)
class Train:
    """Train on characters among neighbours, then on strings; resumes where it was interrupted."""

    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the readers, the log and the state."
        ),
    ]
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv: your own lines to learn as well.")
    ] = None
    holdout: Holdout = 0
    digits: Mnist = None
    network: Annotated[str, typer.Option(help=f"One of {', '.join(NETWORKS)}.")] = NETWORKS[0]
    characters: Annotated[int, typer.Option(min=1, help="Training steps on windows.")] = (
        Settings.characters
    )
    strings: Annotated[int, typer.Option(min=1, help="Training steps on lines.")] = Settings.strings
    bfloat16: Annotated[
        bool, typer.Option(help="Train with the network's products in half precision.")
    ] = Settings.bfloat16
    seed: Seed = 0
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for the figures of all stages on the fixed test."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse an unknown network, and ``--holdout`` without data."""
        require_known(self.network, NETWORKS, "--network")
        _require_data(self.data, self.holdout)
        require_folder(self.data)


@dataclass(frozen=True)
class Evaluate:
    """Measure a reader on strings not seen in training, or on labelled images of lines."""

    context: typer.Context
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv; default: the synthetic test.")
    ] = None
    holdout: Holdout = 0
    digits: Mnist = None
    checkpoint: Checkpoint = None
    count: Annotated[int, typer.Option(min=1, help="Number of strings in the synthetic test.")] = (
        TEST_STRINGS
    )
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of inverted pixels.")] = 0.0
    recipe: Annotated[str, typer.Option(help="Recipe of the synthetic test: paper or free.")] = (
        "paper"
    )
    as_json: Annotated[
        bool, typer.Option("--json", help="End with the figures as one line of JSON.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse an unknown recipe, and options of the synthetic test beside data."""
        require_known(self.recipe, RECIPES, "--recipe")
        _require_data(self.data, self.holdout)
        if self.data is not None:
            others = ["digits", "count", "noise", "recipe"]
            refuse_given(self.context, others, "with --data, the lines of that folder are read")
        require_file(self.checkpoint)
        require_folder(self.data)


@dataclass(frozen=True)
class Read:
    """Print the string on each line of digits and its confidence; draw how it was read."""

    context: typer.Context
    paths: Annotated[list[Path], typer.Argument(help="Images of lines, or folders of images.")]
    checkpoint: Checkpoint = None
    grammar: Annotated[
        str | None, typer.Option(help="Regular expression that the string must match.")
    ] = None
    pictures: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for a picture of each line and its outputs."
        ),
    ] = None
    form: Annotated[str, typer.Option(help=f"Format of the pictures: {' or '.join(FORMS)}.")] = (
        "svg"
    )
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per file.")] = (
        False
    )

    def __post_init__(self) -> None:
        """Refuse a format without pictures, and pictures among the files to read."""
        require_known(self.form, FORMS, "--form")
        if self.pictures is None:
            refuse_given(self.context, ["form"], "no --pictures are drawn")
        elif self.form == "png":
            folder, taken = self.pictures.resolve(), {path.resolve() for path in self.paths}
            if not taken.isdisjoint([folder, *folder.parents]):
                why = "is itself read, and so would the new pictures be; choose another folder"
                raise typer.BadParameter(f"{self.pictures} {why}", param_hint="--pictures")
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Compose:
    """Compose images of lines, or of pages with scattered digits, to read, spot or learn."""

    context: typer.Context
    what: Annotated[str, typer.Argument(help="lines or pages.")]
    out: Annotated[
        Path, typer.Argument(callback=folder_to_write, help="Folder for the images and labels.csv.")
    ]
    count: Annotated[int, typer.Option(min=1, help="How many to compose.")] = 12
    part: Annotated[str, typer.Option(help="Part of MNIST to take digits from: train or test.")] = (
        "test"
    )
    recipe: Annotated[str, typer.Option(help="Recipe of lines: paper or free.")] = "paper"
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of inverted pixels.")] = 0.0
    seed: Seed = 0
    digits: Mnist = None

    def __post_init__(self) -> None:
        """Refuse unknown names, and options of lines with pages."""
        require_known(self.what, ("lines", "pages"), "what")
        require_known(self.part, ("train", "test"), "--part")
        require_known(self.recipe, RECIPES, "--recipe")
        if self.what == "pages":
            refuse_given(self.context, ["recipe", "noise"], "it applies to lines only")


@dataclass(frozen=True)
class Spot:
    """Find a digit anywhere on a page, at several sizes; draw a heat map of where it may be."""

    path: Annotated[Path, typer.Argument(help="Image of a page.")]
    what: Annotated[str, typer.Option(help="The digit to find.")]
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint of a spotter; default: the shipped one.")
    ] = None
    least: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Lowest probability to report.")
    ] = 0.5
    tallest: Annotated[
        float,
        typer.Option(
            min=20.0, max=2000.0, help="Height of the tallest digits in pixels; the smallest: 20."
        ),
    ] = 56.0
    picture: Annotated[
        Path | None,
        typer.Option(callback=file_to_write, help="File (.svg or .png) to draw the finds in."),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per find.")] = (
        False
    )

    def __post_init__(self) -> None:
        """Refuse a value that is not a digit, and a picture that cannot be drawn."""
        if self.what not in DIGITS or len(self.what) != 1:
            raise typer.BadParameter(f"{self.what!r} is not a digit", param_hint="--what")
        require_file(self.checkpoint)
        if self.picture is None:
            return
        if self.picture.resolve() == self.path.resolve():
            raise typer.BadParameter(f"{self.picture} is the page itself", param_hint="--picture")
        if self.picture.suffix.lower()[1:] not in FORMS:
            wrong = f"{self.picture} is not an .svg or .png file"
            raise typer.BadParameter(wrong, param_hint="--picture")


@dataclass(frozen=True)
class EvaluateSpotter:
    """Measure a spotter on pages not seen in training."""

    digits: Mnist = None
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint of a spotter; default: the shipped one.")
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one line of JSON.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse a missing checkpoint."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class TrainSpotter:
    """Train a spotter on pages of digits and clutter; resumes where it was interrupted."""

    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the spotter, the log and the state."
        ),
    ]
    digits: Mnist = None
    positions: Annotated[
        bool,
        typer.Option(help="Learn from the positions of digits, or only from which are on a page."),
    ] = True
    steps: Annotated[int, typer.Option(min=1, help="Training steps on pages.")] = SpotSettings.steps
    seed: Seed = 0
    results: Annotated[
        Path | None,
        typer.Option(callback=folder_to_write, help="Folder for the figures on the fixed pages."),
    ] = None


@dataclass(frozen=True)
class Speed:
    """Measure the time to read lines of several widths, and what a single pass saves."""

    checkpoint: Checkpoint = None
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help=f"Folder for the figures; default: {RESULTS.as_posix()}, or the folder of a "
            "--checkpoint of your own.",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse a missing checkpoint."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Report:
    """Write the page of figures and pictures from the results of the runs."""

    context: typer.Context
    results: Annotated[Path, typer.Option(help="Folder of the figures to use.")] = RESULTS
    page: Annotated[Path, typer.Option(callback=file_to_write, help="The page to write.")] = Path(
        "docs/strings.md"
    )
    digits: Mnist = None
    pictures: Annotated[bool, typer.Option(help="Draw the pictures, too.")] = True

    def __post_init__(self) -> None:
        """Refuse digits where no pictures are drawn."""
        if not self.pictures:
            refuse_given(self.context, ["digits"], "--no-pictures draws none")


def _require_data(data: Path | None, holdout: int) -> None:
    if holdout and data is None:
        raise typer.BadParameter("holds out lines of --data", param_hint="--holdout")
