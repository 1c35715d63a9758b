"""Parsed UNIPEN data kept in a folder, in one NumPy file for each tree, until the tree changes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recognizers.online.ink import Ink
from recognizers.online.unipen import Problem, Segment, UnipenReader
from recognizers.online.unipen_trees import Tree

__all__ = ["UnipenData", "load_unipen"]

_VERSION = 1
_TEXTS = tuple(f.name for f in fields(Segment) if f.name not in ("ink", "line"))


class UnipenData(NamedTuple):
    """All segments at a path, and what could not be read."""

    segments: list[Segment]
    problems: list[Problem]


def load_unipen(
    path: str | Path,
    categories: Collection[str] | None = None,
    cache: str | Path | None = None,
) -> UnipenData:
    """Return all segments at `path` (see `UnipenReader`), of these `categories` or of all.

    `cache`: a folder for parsed data, created if missing. A tree is read again if its files have
    changed or its cached file is damaged. All categories of a tree are cached together, so the
    first reading takes as long as reading them all.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> place = Path(folder.name, "data", "1a", "own"); place.mkdir(parents=True)
    >>> _ = (place / "a.dat").write_text('.COORD X Y\\n.PEN_DOWN\\n0 9\\n.SEGMENT WORD 0 ? "1"\\n')
    >>> [load_unipen(folder.name, cache=place / "kept").segments[0].label for _ in range(2)]
    ['1', '1']
    >>> folder.cleanup()
    """
    reader = UnipenReader(path, None if cache is not None else categories)
    if cache is None:
        return UnipenData(list(reader), reader.problems)
    segments: list[Segment] = []
    problems: list[Problem] = []
    for make in reader.trees():
        tree = make()
        file = _file_of(tree, Path(cache))
        found = _read(file)
        if found is None:
            reader.problems = []
            found = UnipenData(list(reader.read_tree(tree)), reader.problems)
            _write(file, found)
        segments += [s for s in found.segments if categories is None or s.category in categories]
        problems += found.problems
    return UnipenData(segments, problems)


def _file_of(tree: Tree, cache: Path) -> Path:
    about = json.dumps([_VERSION, str(tree.path.resolve()), tree.stamp()])
    key = hashlib.sha256(about.encode()).hexdigest()[:16]
    return cache / f"{tree.path.name.split('.')[0]}-{key}.npz"


def _write(file: Path, data: UnipenData) -> None:
    """Write a file that is either whole or not there."""
    inks = [s.ink for s in data.segments]
    points = np.concatenate([np.empty((0, 2)), *(ink.points for ink in inks)])
    whole = points.astype(np.int32) if np.abs(points).max(initial=0.0) < 2**31 else points
    about = {
        "texts": {name: [getattr(s, name) for s in data.segments] for name in _TEXTS},
        "problems": [tuple(p) for p in data.problems],
    }
    arrays = {
        "points": whole if np.array_equal(whole, points) else points,
        "lengths": np.concatenate([np.diff(ink.offsets) for ink in inks] or [np.empty(0, int)]),
        "strokes": np.array([len(ink) for ink in inks], dtype=np.int64),
        "lines": np.array([s.line for s in data.segments], dtype=np.int64),
        "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            np.savez(out, **arrays)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read(file: Path) -> UnipenData | None:
    """Return what a file holds, None if there is none or it is damaged."""
    try:
        # Opened here, because np.load would leave its own handle of a damaged file open.
        with file.open("rb") as raw, np.load(raw, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        about: dict[str, Any] = json.loads(arrays["about"].tobytes())
        points = arrays["points"].astype(np.float64)
        ends = np.concatenate(([0], np.cumsum(arrays["lengths"])))
        strokes = np.concatenate(([0], np.cumsum(arrays["strokes"])))
        segments = []
        columns = zip(*(about["texts"][name] for name in _TEXTS), strict=True)
        for i, (texts, line) in enumerate(zip(columns, arrays["lines"], strict=True)):
            offsets = ends[strokes[i] : strokes[i + 1] + 1]
            ink = Ink.of(points[offsets[0] : offsets[-1]], offsets - offsets[0])
            named = dict(zip(_TEXTS, texts, strict=True))
            segments.append(Segment(ink=ink, line=int(line), **named))
        return UnipenData(segments, [Problem(*p) for p in about["problems"]])
    except (OSError, EOFError, KeyError, ValueError, TypeError, IndexError, zipfile.BadZipFile):
        return None
