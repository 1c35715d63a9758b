"""Keep labelled ink in a folder, in the form that ``adapt`` and ``evaluate`` take."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from demos.words.reading.letters import folded
from recognizers.online.ink import Ink, InkError
from recognizers.online.ink_files import to_json

__all__ = ["KeptInk"]

HEADER = ["file", "text"]


class KeptInk:
    """A folder of numbered files of ink and ``labels.csv``; both grow by one with each word.

    Raises:
        InkError: ``labels.csv`` has other columns or cannot be read.

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
        """Write ink into the folder; return the name of its file.

        Raises:
            InkError: the text has characters other than letters; then nothing is kept.
            OSError: the folder cannot be written to.
        """
        if not folded(text):
            raise InkError(f"{text!r} is not a word of the letters a-z")
        name = self._new_name()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / name).open("x", encoding="utf-8") as file:  # never overwrites a file
            file.write(to_json(ink, text))
        labels = self.folder / "labels.csv"
        begin = "" if labels.exists() else ",".join(HEADER) + "\n"
        if labels.exists() and not labels.read_bytes().endswith(b"\n"):
            begin = "\n"
        with labels.open("a", encoding="utf-8") as rows:
            rows.write(f"{begin}{name},{text}\n")  # a word of letters needs no quotes
        return name

    def _new_name(self) -> str:
        """Return a name that no row and no file has, here or among the images."""
        names = [Path(row[0]) for row in self._rows()[1:]]
        for folder in (self.folder, self.folder / "images"):
            names += folder.glob("*.json")
        taken = [int(name.stem) for name in names if re.fullmatch("[0-9]+", name.stem)]
        return f"{1 + max(taken, default=0):04d}.json"

    def _rows(self) -> list[list[str]]:
        """Return the rows of ``labels.csv`` and its header; only the header if there is no file."""
        labels = self.folder / "labels.csv"
        if not labels.exists():
            return [HEADER]
        try:
            with labels.open(newline="", encoding="utf-8-sig") as lines:
                rows = [row for row in csv.reader(lines, strict=True) if row]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InkError(f"{labels}: cannot be read: {error}") from error
        if rows[:1] != [HEADER]:
            raise InkError(f"{labels}:1: ink is kept in columns file,text, not {rows[:1]}")
        return rows
