"""A folder that ink is put into with what it says, as ``adapt`` and ``evaluate`` take it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from demos.checkpoint import write_whole
from demos.words.letters import folded
from recognizers.online.ink import Ink, InkError
from recognizers.online.ink_files import to_json

__all__ = ["KeptInk"]

HEADER = ["file", "text"]


class KeptInk:
    """A folder of numbered files of ink and ``labels.csv``; both grow by one with each word.

    Raises:
        InkError: a ``labels.csv`` of other columns.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> kept = KeptInk(Path(folder.name, "own"))
    >>> kept.keep(Ink([[(0, 0), (1, 5)]]), "l"), kept.keep(Ink([[(0, 0), (2, 2)]]), "i")
    ('0001.json', '0002.json')
    >>> (kept.folder / "labels.csv").read_text()
    'file,text\\n0001.json,l\\n0002.json,i\\n'
    >>> folder.cleanup()
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows()

    def __len__(self) -> int:
        return len(self._rows()) - 1

    def keep(self, ink: Ink, text: str) -> str:
        """Put ink into the folder, and return the name of its file.

        Raises:
            InkError: a text of other characters than letters; nothing is kept then.
        """
        if not folded(text):
            raise InkError(f"{text!r} is no word of the letters a-z")
        rows = self._rows()
        taken = [int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdigit()]
        name = f"{1 + max(taken, default=0):04d}.json"
        write_whole(self.folder / name, to_json(ink, text))
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([*rows, [name, text]])
        write_whole(self.folder / "labels.csv", table.getvalue())
        return name

    def _rows(self) -> list[list[str]]:
        """The rows of ``labels.csv`` with its header; that alone where there is no such file."""
        labels = self.folder / "labels.csv"
        if not labels.exists():
            return [HEADER]
        with labels.open(newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines) if row]
        if rows[:1] != [HEADER]:
            raise InkError(f"{labels}:1: ink is kept in columns file,text, not {rows[:1]}")
        return rows
