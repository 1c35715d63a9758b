"""The options of each command of the digit recognizers; :mod:`demos.mnist.commands` executes them.

Nothing here imports slow modules.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from demos.command_line import (
    Holdout,
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
    typer.Option(help="MNIST folder, or one with labels.csv; default: mnist in $GTN_DATA."),
]
Checkpoint = Annotated[
    Path | None, typer.Option(help="Checkpoint of a network; default: the shipped LeNet-5.")
]
Kept = Annotated[Path, typer.Option(help="Folder of the results to use.")]
Results = Annotated[Path, typer.Option(callback=folder_to_write, help="Folder for the results.")]


@dataclass(frozen=True)
class Train:
    """Train a row of the table and measure it; resumes where it was interrupted.

    With a --data folder that has labels.csv (file,text), train on its digits
    together with MNIST's, by the row's recipe; write OUT/network.safetensors.
    """

    context: typer.Context
    row: Annotated[str, typer.Option(help=f"One of {', '.join(ROWS)}.")] = "lenet-5"
    seed: Seed = 0
    validate: Annotated[
        bool,
        typer.Option(
            help="Train on 55,000 digits, validate on 5,000; the only result is one line."
        ),
    ] = False
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Change a setting of the recipe, KEY=JSON; with --validate or your own digits.",
        ),
    ] = None
    data: DataOrLabels = None
    digits: Annotated[
        Path | None,
        typer.Option(
            help="MNIST folder to learn beside your own digits; default: mnist in $GTN_DATA."
        ),
    ] = None
    alone: Annotated[bool, typer.Option("--alone", help="Train on your own digits only.")] = False
    holdout: Holdout = 0
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for the run; default: runs/mnist/ROW-seedN."
        ),
    ] = None
    results: Results = RESULTS
    progress: Annotated[
        bool, typer.Option(help="Show a progress bar and a line for each pass.")
    ] = True

    def __post_init__(self) -> None:
        """Refuse an unknown row, and options that do not apply to the data."""
        require_known(self.row, ROWS, "--row")
        if self.own is not None:
            why = "results for your own digits are in metrics.json in --out"
            refuse_given(self.context, ["results"], why)
            return
        of_own = {"--digits": self.digits, "--alone": self.alone, "--holdout": self.holdout}
        for option, given in of_own.items():
            if given:
                only = "only with a --data folder that has labels.csv"
                raise typer.BadParameter(only, param_hint=option)
        if self.setting and not self.validate:
            raise typer.BadParameter("only with --validate", param_hint="--set")

    @property
    def own(self) -> Path | None:
        """The data folder, if it holds the user's own digits, with ``labels.csv``."""
        return labelled(self.data)


@dataclass(frozen=True)
class Evaluate:
    """Measure a network on the 10,000 test digits, or on labelled images of digits."""

    data: DataOrLabels = None
    holdout: Holdout = 0
    checkpoint: Checkpoint = None
    as_json: Annotated[
        bool, typer.Option("--json", help="End with the figures as one line of JSON.")
    ] = False
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
        """The data folder, if it holds the user's own digits, with ``labels.csv``."""
        return labelled(self.data)


@dataclass(frozen=True)
class Read:
    """Print the digit in each image, dark on light or light on dark, and its probability."""

    paths: Annotated[
        list[Path], typer.Argument(help="Images of single digits, or folders of images.")
    ]
    checkpoint: Checkpoint = None
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per file.")] = (
        False
    )

    def __post_init__(self) -> None:
        """Refuse a missing checkpoint."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Baseline:
    """Fit and measure a method that LeNet-5 is compared with (Fig. 9)."""

    context: typer.Context
    row: Annotated[str, typer.Argument(help=f"One of {', '.join(BASELINES)}.")]
    seed: Seed = 0
    validate: Annotated[
        bool,
        typer.Option(help="Fit on 55,000 digits, validate on 5,000; the only result is one line."),
    ] = False
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting of the row, KEY=JSON; with --validate."),
    ] = None
    digits: Annotated[
        int | None, typer.Option(min=10, help="Fit on this many digits only; with --validate.")
    ] = None
    data: Mnist = None
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for the run; default: runs/mnist/ROW-seedN."
        ),
    ] = None
    results: Results = RESULTS

    def __post_init__(self) -> None:
        """Refuse options of ``--validate`` without it, and with it those that it does not use."""
        if self.validate:
            refuse_given(self.context, ["out"], "--validate writes only a line in --results")
        elif self.setting or self.digits:
            raise typer.BadParameter("only with --validate", param_hint="--set, --digits")
        settings_of(self.setting)


@dataclass(frozen=True)
class Compare:
    """Write the table and the plots of all results (Figs. 5, 6 and 9 to 12)."""

    page: Annotated[Path, typer.Option(callback=file_to_write, help="The page to write.")] = Path(
        "docs/mnist.md"
    )
    data: Mnist = None
    results: Kept = RESULTS


@dataclass(frozen=True)
class TrainSizes:
    """Train LeNet-5 on parts of the training digits (Figs. 5 and 6); resumes if interrupted."""

    sizes: Annotated[str, typer.Option(help="Numbers of training digits, separated by commas.")] = (
        ",".join(map(str, SIZES))
    )
    seed: Seed = 0
    data: Mnist = None
    out: Annotated[Path, typer.Option(callback=folder_to_write, help="Folder for the runs.")] = (
        Path("runs/mnist/sizes")
    )
    results: Results = RESULTS

    def __post_init__(self) -> None:
        """Refuse a list that is not of numbers."""
        numbers_of(self.sizes)


@dataclass(frozen=True)
class Robustness:
    """Measure errors on scaled, shifted, rotated and noisy test digits (section III-E)."""

    checkpoint: Checkpoint = None
    digits: Annotated[
        int | None, typer.Option(min=1, help="Use only the first N test digits; default: all.")
    ] = None
    data: Mnist = None
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help=f"Folder for the figures; default: {RESULTS.as_posix()}, or the folder of a "
            "--checkpoint of your own; with --digits: none.",
        ),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one line of JSON.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse a missing checkpoint."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Pictures:
    """Draw filters, feature maps, codes, saliency, the map of F6 and misread digits (Fig. 8)."""

    checkpoint: Checkpoint = None
    digit: Annotated[
        int, typer.Option(min=0, help="Number of the test digit whose maps are shown.")
    ] = 0
    data: Mnist = None
    out: Annotated[Path, typer.Option(callback=folder_to_write, help="Folder for the page.")] = (
        Path("runs/mnist/pictures")
    )
    seed: Annotated[int, typer.Option(min=0, help="Seed of the map of F6 states.")] = 0

    def __post_init__(self) -> None:
        """Refuse a missing checkpoint."""
        require_file(self.checkpoint)


@dataclass(frozen=True)
class Download:
    """Download MNIST and verify it; files that are present and intact are kept."""

    folder: Annotated[Path, typer.Argument(help="Folder for the four files.")]
    url: Annotated[
        list[str] | None,
        typer.Option(help=f"URL of a folder that has the files; default: {', '.join(MIRRORS)}."),
    ] = None


@dataclass(frozen=True)
class Ship:
    """Copy weights of finished rows to recognizers/weights, with cards made from the results."""

    rows: Annotated[
        list[str], typer.Argument(help="Rows whose seed 0 is shipped with the package.")
    ]
    results: Kept = RESULTS


@dataclass(frozen=True)
class Time:
    """Time training of LeNet-5 in turns with a plain torch LeNet, and time evaluation."""

    steps: Annotated[int, typer.Option(min=10, help="Number of batches to time.")] = 300
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one line of JSON.")
    ] = False
    write: Annotated[
        Path | None,
        typer.Option(
            callback=figures_to_write, help="File for the figures, such as results/mnist/time.json."
        ),
    ] = None


@dataclass(frozen=True)
class CutDigits:
    """Cut out the digits of amount fields, one image per digit."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the images and labels.csv."),
    ]
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with labels.csv and boxes.csv; default: car in $GTN_DATA."),
    ] = None


def settings_of(given: list[str] | None) -> dict[str, Any]:
    """Return settings by key, each given as KEY=JSON; stop at one that is not."""
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
    """Return the numbers of a comma-separated list; stop at anything else."""
    try:
        return [int(text) for text in sizes.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"{sizes!r} is not a list of numbers", param_hint="--sizes"
        ) from error
