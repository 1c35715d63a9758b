"""Results as JSON lines, from which an interrupted reading resumes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from tqdm import tqdm

from demos.checks.reading.reader import Reading
from demos.checks.reading.volume import Result
from demos.locks import is_ours
from recognizers.images import ImageError

__all__ = ["LinesError", "appended", "line_of", "read_into", "unread", "written"]


BEGINNING = b'{"file": "'
"""How every line begins: tells a torn line from a file of something else."""


class LinesError(ValueError):
    """A file whose lines are not by this reader; the message names the file and the line."""


def line_of(result: Result, reader: str) -> dict[str, Any]:
    """Return the content of the line of a file: its reading or its error, and the reader's name.

    >>> line_of((Path("a.png"), ImageError("a.png: no such file")), "1f")
    {'file': 'a.png', 'error': 'a.png: no such file', 'reader': '1f'}
    """
    path, found = result
    if isinstance(found, ImageError):
        return {"file": str(path), "error": str(found), "reader": reader}
    return {
        "file": str(path),
        "text": found.text,
        "confidence": found.confidence,
        "accepted": found.accepted,
        "alternatives": [{"text": t, "posterior": p} for t, p in found.alternatives],
        "reader": reader,
    }


def written(path: Path, reader: str) -> Callable[[Path], bool]:
    """Repair a reader's file of lines, and return a test of whether it has a line for a file.

    A torn last line, left by a killed process, is cut off if it begins as our lines do. Only eight
    bytes are kept in memory per line. Without a file, nothing is written yet.

    Raises:
        LinesError: a line is not a JSON object with ``file``, or is by another reader; or another
            process is appending to the file. The file is left as it is.
    """
    if not path.exists():
        return lambda file: False
    numbers, good = array("Q"), 0
    with path.open("rb+") as lines:
        _keep_others_from(lines, path)
        for count, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                if line[: len(BEGINNING)] != BEGINNING[: len(line)]:
                    _file_of(line, reader, f"{path}:{count}")
                break
            numbers.append(_number(_file_of(line, reader, f"{path}:{count}")))
            good += len(line)
        lines.truncate(good)
    known = np.unique(np.frombuffer(numbers, dtype=np.uint64))

    def is_written(file: Path) -> bool:
        number = np.uint64(_number(str(file)))
        place = int(np.searchsorted(known, number))
        return place < len(known) and bool(known[place] == number)

    return is_written


def unread(files: Iterable[Path], is_written: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield the files that have no line yet."""
    return (file for file in files if not is_written(file))


def read_into(path: Path, results: Iterable[Result], reader: str) -> Iterator[Result]:
    """Append a line for each result to a file, then yield the result.

    Writes are buffered: a process that is killed loses the last few lines, and those files are
    read again.

    Raises:
        LinesError: another process is appending to the file, so files would get two lines.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines:
        _keep_others_from(lines, path)
        for result in results:
            lines.write(json.dumps(line_of(result, reader)) + "\n")
            yield result


def appended(path: Path, results: Iterable[Result], reader: str) -> dict[str, float]:
    """Append a line for each result to a file, with a progress bar; return counts and the rate.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bad = [(Path("a.png"), ImageError("a.png: bad"))]
    ...     found = appended(Path(folder) / "a.jsonl", bad, "1f")
    >>> found["lines more"], found["accepted"], found["errors"]
    (1, 0, 1)
    """
    started, counts = time.perf_counter(), {"lines more": 0, "accepted": 0, "errors": 0}
    for _, found in tqdm(read_into(path, results, reader), unit="field", disable=None):
        counts["lines more"] += 1
        counts["errors"] += isinstance(found, ImageError)
        counts["accepted"] += isinstance(found, Reading) and found.accepted
    return {**counts, "per second": counts["lines more"] / (time.perf_counter() - started)}


def _keep_others_from(lines: IO[Any], path: Path) -> None:
    """Keep other processes from a file while it is open, where system and disk have locks."""
    if not is_ours(lines.fileno()):
        raise LinesError(f"{path}: another process writes its lines there; choose another --out")


def _file_of(line: bytes, reader: str, where: str) -> str:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise LinesError(f"{where}: not JSON ({error}); choose another --out") from error
    if not isinstance(content, dict) or not isinstance(content.get("file"), str):
        raise LinesError(f"{where}: not the line of a reading: no file; choose another --out")
    if content.get("reader") != reader:
        raise LinesError(
            f"{where}: read by {content.get('reader', 'a reader without a name')}, not by "
            f"{reader}; choose another --out"
        )
    return str(content["file"])


def _number(file: str) -> int:
    return int.from_bytes(hashlib.blake2b(os.fsencode(file), digest_size=8).digest(), "little")
