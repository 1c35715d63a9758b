"""Folders, readers and names from the options of the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from demos.checks.choices import SHIPPED
from demos.checks.experiments.compare import name_of
from demos.checks.reading.reader import CheckReader, shipped_checkpoint
from demos.checks.training.settings import Settings
from demos.command_line import echo_problems
from recognizers.datasets.fields import Field, FieldSet, find_data, load_fields

__all__ = [
    "called",
    "checkpoint_of",
    "fields_in",
    "further_in",
    "load_reader",
    "measured_fields",
    "settings_of",
]


def checkpoint_of(given: Path | None, recognizer: str | None) -> Path:
    """Return the given checkpoint, or that of a shipped reader."""
    return given or shipped_checkpoint(recognizer or SHIPPED)


def settings_of(recognizer: str, passes: int | None, **given: Any) -> Settings:
    """Return training settings; ``passes`` are those that suit the recognizer, unless given.

    >>> settings_of("sdnn", None, loss="ctc").passes, settings_of("lenet5", 3).passes
    (100, 3)
    """
    return Settings.of(recognizer, **given, **({} if passes is None else {"passes": passes}))


def load_reader(checkpoint: Path, views: int | None = None) -> CheckReader:
    """Load a reader of fields from a checkpoint; ``views``, if given, replaces its own number."""
    reader = CheckReader.load(checkpoint)
    reader.views = views or reader.views
    return reader


def fields_in(data: Path | None) -> FieldSet:
    """Load the fields of a folder, or of the one in ``$GTN_DATA``; print what is left out."""
    found = load_fields(find_data(data, "car", "checks"))
    echo_problems(found.problems)
    return found


def further_in(folders: list[Path] | None, beside: FieldSet) -> list[Field]:
    """Load the fields of further folders that may be learned; print what is left out.

    All further fields are learned, so none may be among those of ``beside``, some of which are held
    out or used for validation.

    Raises:
        typer.BadParameter: a further folder has a field of ``beside``.
    """
    ours = {one.path.resolve() for one in beside.fields}
    others: list[Field] = []
    for folder in folders or []:
        composed = load_fields(folder)
        echo_problems(composed.problems)
        others += composed.to_learn(0)
        if both := [one for one in composed.fields if one.path.resolve() in ours]:
            raise typer.BadParameter(
                f"{folder} has {both[0].name} of --data, too, where it may be held out",
                param_hint="--further",
            )
    return others


def measured_fields(data: Path | None, holdout: int) -> tuple[list[Field], str]:
    """Return the fields to measure on, and a name for them."""
    found = fields_in(data)
    fields = found.measured(holdout)
    marked = any(one.split == "test" for one in found.fields)
    held_out = f"{'the test,' if marked else 'the last'} {len(fields)} of {len(found.fields)}"
    which = held_out if marked or holdout else f"all {len(fields)}"
    return fields, f"{found.directory.name}: {which}"


def called(reader: CheckReader) -> str:
    """Return the name of a reader, from its recognizer and its training."""
    report = reader.training_facts.report
    name = name_of(reader.recognizer, report.get("settings", {}).get("loss", Settings.loss))
    further = {
        "begun with another": report.get("start"),
        "no prior over lengths": reader.rules.name == "car:no-prior",
    }
    return ", ".join([name, *(what for what, is_so in further.items() if is_so)])
