"""What the commands make of their options: folders, readers, names."""

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
    """Return the checkpoint that is given, or that of a shipped reader."""
    return given or shipped_checkpoint(recognizer or SHIPPED)


def settings_of(recognizer: str, passes: int | None, **given: Any) -> Settings:
    """Return the settings of a training; ``passes`` that suit the recognizer, unless given.

    >>> settings_of("sdnn", None, loss="ctc").passes, settings_of("lenet5", 3).passes
    (100, 3)
    """
    return Settings.of(recognizer, **given, **({} if passes is None else {"passes": passes}))


def load_reader(checkpoint: Path, views: int | None = None) -> CheckReader:
    """Return the reader of fields of a checkpoint; ``views`` in the place of its own, if given."""
    reader = CheckReader.load(checkpoint)
    reader.views = views or reader.views
    return reader


def fields_in(data: Path | None) -> FieldSet:
    """Return the fields of a folder, or of that in ``$GTN_DATA``; say what is left out."""
    found = load_fields(find_data(data, "car", "checks"))
    echo_problems(found.problems)
    return found


def further_in(folders: list[Path] | None, beside: FieldSet) -> list[Field]:
    """Return the fields of further folders that may be learned; say what is left out.

    None of them is among the fields ``beside`` which they stand: some of those are held out, or
    for validation, and further ones are all learned.
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
    """Return the fields that are measured on, and what to call them."""
    found = fields_in(data)
    fields = found.measured(holdout)
    marked = any(one.split == "test" for one in found.fields)
    held_out = f"{'the test,' if marked else 'the last'} {len(fields)} of {len(found.fields)}"
    which = held_out if marked or holdout else f"all {len(fields)}"
    return fields, f"{found.directory.name}: {which}"


def called(reader: CheckReader) -> str:
    """Return what a reader is called, by its recognizer and by what trained it."""
    report = reader.training_facts.report
    name = name_of(reader.recognizer, report.get("settings", {}).get("loss", Settings.loss))
    further = {
        "begun with another": report.get("start"),
        "no prior over lengths": reader.rules.name == "car:no-prior",
    }
    return ", ".join([name, *(what for what, is_so in further.items() if is_so)])
