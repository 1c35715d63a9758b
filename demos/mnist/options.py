"""The options of each command of the digit recognizers; :mod:`demos.mnist.commands` does them.

Nothing here imports what takes long.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from demos.command_line import (
    Mnist,
    Seed,
    figures_to_write,
    file_to_write,
    folder_to_write,
    labelled,
    refuse_given,
    require_file,
    require_known,
)
from demos.mnist.choices import BASELINES, RESULTS, ROWS, SIZES
from recognizers.datasets.mirrors import MIRRORS

__all__ = [
    "Baseline",
    "Compare",
    "CutDigits",
    "Download",
    "Evaluate",
    "Pictures",
    "Read",
    "Robustness",
    "Ship",
    "Time",
    "Train",
    "TrainSizes",
    "numbers_of",
    "settings_of",
]

DataOrLabels = Annotated[
    Path | None,
    typer.Option(help="Folder of MNIST, or with labels.csv; default: mnist in $GTN_DATA."),
]
Holdout = Annotated[
    int, typer.Option(min=0, help="The last N names of labels.csv are not learned, but measured.")
]
Checkpoint = Annotated[Path | None, typer.Option(help="A network; default: the shipped LeNet-5.")]
Kept = Annotated[Path, typer.Option(help="Folder of the results.")]
Results = Annotated[Path, typer.Option(callback=folder_to_write, help="Folder of the results.")]


@dataclass(frozen=True)
class Train:
    """Train a row of the table and measure it; goes on where it was interrupted.

    Of a folder with labels.csv (file,text) the digits are learned as the row's
    recipe says, beside MNIST's, and out/network.safetensors is written.
    """

    context: typer.Context
    row: Annotated[str, typer.Option(help=f"One of {', '.join(ROWS)}.")] = "lenet-5"
    seed: Seed = 0
    validate: Annotated[
        bool, typer.Option(help="Train on 55,000, validate on 5,000; write no result but a line.")
    ] = False
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Another setting of the recipe, KEY=JSON; with --validate or digits of one's own.",
        ),
    ] = None
    data: DataOrLabels = None
    digits: Annotated[
        Path | None,
        typer.Option(
            help="Folder of MNIST, learned beside digits of one's own; default: mnist in $GTN_DATA."
        ),
    ] = None
    alone: Annotated[bool, typer.Option("--alone", help="Only digits of one's own.")] = False
    holdout: Holdout = 0
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder of the run; default: runs/mnist/ROW-seedN."
        ),
    ] = None
    results: Results = RESULTS
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True

    def __post_init__(self) -> None:
        """Refuse an unknown row, and options that are for other data."""
        require_known(self.row, ROWS, "--row")
        if self.own is not None:
            why = "what is measured of digits of one's own is in metrics.json of --out"
            refuse_given(self.context, ["results"], why)
            return
        of_own = {"--digits": self.digits, "--alone": self.alone, "--holdout": self.holdout}
        for option, given in of_own.items():
            if given:
                only = "only with a folder that has labels.csv"
                raise typer.BadParameter(only, param_hint=option)
        if self.setting and not self.validate:
            raise typer.BadParameter("only with --validate", param_hint="--set")

    @property
    def own(self) -> Path | None:
        """The data, if they are digits of one's own: a folder with ``labels.csv``."""
        return labelled(self.data)


@dataclass(frozen=True)
class Evaluate:
    """Measure a network on the 10,000 test digits, or on labelled images of digits."""

    data: DataOrLabels = None
    holdout: Holdout = 0
    checkpoint: Checkpoint = None
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False
    keep: Annotated[
        Path | None, typer.Option(callback=figures_to_write, help="File for the figures.")
    ] = None

    def __post_init__(self) -> None:
        """Refuse to hold out digits of MNIST."""
        if self.holdout and self.own is None:
            raise typer.BadParameter("holds out rows of labels.csv", param_hint="--holdout")
        require_file(self.checkpoint)

    @property
    def own(self) -> Path | None:
        """The data, if they are digits of one's own: a folder with ``labels.csv``."""
        return labelled(self.data)


@dataclass(frozen=True)
class Read:
    """Read single digits, dark on light or light on dark: digit and probability."""

    paths: Annotated[
        list[Path], typer.Argument(help="Images of single digits, or folders of images.")
    ]
    checkpoint: Checkpoint = None
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per file.")] = False

    def __post_init__(self) -> None:
        """Refuse a network that is not there."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Baseline:
    """Fit and measure a method that LeNet-5 is compared with (Fig. 9)."""

    context: typer.Context
    row: Annotated[str, typer.Argument(help=f"One of {', '.join(BASELINES)}.")]
    seed: Seed = 0
    validate: Annotated[
        bool, typer.Option(help="Fit on 55,000, validate on 5,000; write no result but a line.")
    ] = False
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another setting of the row, KEY=JSON; with --validate."),
    ] = None
    digits: Annotated[
        int | None, typer.Option(min=10, help="Fit on so many digits only; with --validate.")
    ] = None
    data: Mnist = None
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder of the run; default: runs/mnist/ROW-seedN."
        ),
    ] = None
    results: Results = RESULTS

    def __post_init__(self) -> None:
        """Refuse what is for ``--validate`` without it, and what it writes nothing to."""
        if self.validate:
            refuse_given(
                self.context, ["out"], "--validate writes no more than a line of --results"
            )
        elif self.setting or self.digits:
            raise typer.BadParameter("only with --validate", param_hint="--set, --digits")
        settings_of(self.setting)


@dataclass(frozen=True)
class Compare:
    """Write the table and the plots of all results (Figs. 5, 6 and 9 to 12)."""

    page: Annotated[
        Path, typer.Option(callback=file_to_write, help="The page that is written.")
    ] = Path("docs/mnist.md")
    data: Mnist = None
    results: Kept = RESULTS


@dataclass(frozen=True)
class TrainSizes:
    """Train LeNet-5 on parts of the training digits (Figs. 5 and 6); goes on where it stopped."""

    sizes: Annotated[str, typer.Option(help="Numbers of training digits, with commas between.")] = (
        ",".join(map(str, SIZES))
    )
    seed: Seed = 0
    data: Mnist = None
    out: Annotated[Path, typer.Option(callback=folder_to_write, help="Folder of the runs.")] = Path(
        "runs/mnist/sizes"
    )
    results: Results = RESULTS

    def __post_init__(self) -> None:
        """Refuse what are no numbers."""
        numbers_of(self.sizes)


@dataclass(frozen=True)
class Robustness:
    """Measure scaled, shifted, turned and noisy test digits (section III-E)."""

    checkpoint: Checkpoint = None
    digits: Annotated[
        int | None, typer.Option(min=1, help="The first so many test digits; default: all.")
    ] = None
    data: Mnist = None
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help=f"Folder of the figures; default: {RESULTS.as_posix()}, or that of another "
            "checkpoint; none for some of the digits.",
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False

    def __post_init__(self) -> None:
        """Refuse a network that is not there."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Pictures:
    """Draw filters, feature maps, codes, saliency, the map of F6 and the missed digits (Fig. 8)."""

    checkpoint: Checkpoint = None
    digit: Annotated[int, typer.Option(min=0, help="Test digit whose maps are shown.")] = 0
    data: Mnist = None
    out: Annotated[Path, typer.Option(callback=folder_to_write, help="Folder of the page.")] = Path(
        "runs/mnist/pictures"
    )
    seed: Annotated[int, typer.Option(min=0, help="Of the map of states.")] = 0

    def __post_init__(self) -> None:
        """Refuse a network that is not there."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Download:
    """Fetch MNIST and check it; files that are there and right are left alone."""

    folder: Annotated[Path, typer.Argument(help="Where the four files go.")]
    url: Annotated[
        list[str] | None,
        typer.Option(help=f"Address of a folder that has them; default: {', '.join(MIRRORS)}."),
    ] = None


@dataclass(frozen=True)
class Ship:
    """Put the weights of finished rows into recognizers/weights, with cards from the results."""

    rows: Annotated[list[str], typer.Argument(help="Rows whose seed 0 comes with the package.")]
    results: Kept = RESULTS


@dataclass(frozen=True)
class Time:
    """Time a pass of LeNet-5 beside a plain torch LeNet, in turns; and the evaluation."""

    steps: Annotated[int, typer.Option(min=10, help="Batches that are timed.")] = 300
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False
    write: Annotated[
        Path | None,
        typer.Option(
            callback=figures_to_write, help="File for the figures, such as results/mnist/time.json."
        ),
    ] = None


@dataclass(frozen=True)
class CutDigits:
    """Cut the digits of amount fields out, each a picture of its own."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the pictures and labels.csv."),
    ]
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv and boxes.csv; default: car.")
    ] = None


def settings_of(given: list[str] | None) -> dict[str, Any]:
    """Return the values of settings by their keys, each given as KEY=JSON; stop at what is not."""
    settings = {}
    for text in given or []:
        key, _, value = text.partition("=")
        try:
            settings[key] = json.loads(value)
        except json.JSONDecodeError as error:
            wrong = f"{text!r} is not KEY=JSON ({error})"
            raise typer.BadParameter(wrong, param_hint="--set") from error
    return settings


def numbers_of(sizes: str) -> list[int]:
    """Return numbers that commas are between; stop where something else is."""
    try:
        return [int(text) for text in sizes.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{sizes!r} holds no numbers", param_hint="--sizes") from error
