"""Ink from other files: JSON lists of strokes, and InkML (W3C recommendation of 2011).

Both count y downwards unless they say otherwise, as screens do; `Ink` counts it upwards.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from recognizers.online.ink import Ink, InkError

__all__ = ["INK_SUFFIXES", "LabelledInk", "from_inkml", "from_json", "load_ink", "to_json"]

INK_SUFFIXES = frozenset({".json", ".inkml"})
"""Suffixes (lower case) of the files that are taken for ink in a folder."""

MAX_BYTES = 1 << 26
"""Most bytes of a file of ink, checked before it is read."""


class LabelledInk(NamedTuple):
    """Ink and what it says; `label` is None where the file does not tell."""

    ink: Ink
    label: str | None


def load_ink(path: str | Path) -> LabelledInk:
    """Read a file of ink: InkML if it begins with "<" or is named .inkml, else JSON.

    Raises:
        InkError: the file is missing, too large or holds no ink; the message begins with its path.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = Path(folder.name) / "a.json"
        >>> _ = file.write_text('{"label": "l", "strokes": [[[5, 0], [5, 30]]]}')
        >>> found = load_ink(file)
        >>> found.label, found.ink.points.tolist()
        ('l', [[5.0, 0.0], [5.0, -30.0]])
        >>> folder.cleanup()
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InkError(f"{path}: {size:,} bytes; at most {MAX_BYTES:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise InkError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
        is_xml = text.lstrip()[:1] == "<" or path.suffix.lower() == ".inkml"
        return from_inkml(text) if is_xml else from_json(text)
    except UnicodeDecodeError as error:
        raise InkError(f"{path}: byte {error.start} is no UTF-8 text") from error
    except InkError as error:
        raise InkError(f"{path}: {error}") from error


def from_json(text: str) -> LabelledInk:
    """Ink of JSON: a list of strokes, each a list of points [x, y], or an object with more.

    The object has `strokes`; a point may also be an object with `x` and `y`, and further numbers
    of a point (time, pressure) are passed over. `label` says what was written, `y` is "down"
    (the default) or "up".

    Raises:
        InkError: it is no JSON, or not of this form; the message says where.

    Example:
        >>> from_json('[[[0, 0], [1, 2, 99]], [{"x": 3, "y": 4}]]').ink.points.tolist()
        [[0.0, 0.0], [1.0, -2.0], [3.0, -4.0]]
    """
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InkError(f"no JSON: {error}") from error
    label, direction = None, "down"
    if isinstance(found, dict):
        if "strokes" not in found:
            raise InkError('the object has no "strokes"')
        label, direction = found.get("label"), found.get("y", "down")
        found = found["strokes"]
    if label is not None and not isinstance(label, str):
        raise InkError(f'"label" must be text, not {label!r}')
    if direction not in ("down", "up"):
        raise InkError(f'"y" must be "down" or "up", not {direction!r}')
    if not isinstance(found, list):
        raise InkError("the strokes must be a list of lists of points")
    strokes = []
    for i, stroke in enumerate(found):
        if not isinstance(stroke, list):
            raise InkError(f"stroke {i} is no list of points")
        strokes.append([_point(p, i, j) for j, p in enumerate(stroke)])
    return LabelledInk(_upwards(Ink(strokes), direction == "down"), label)


def _point(point: Any, i: int, j: int) -> tuple[float, float]:
    if isinstance(point, dict):
        point = (point.get("x"), point.get("y"))
    good = isinstance(point, (list, tuple)) and len(point) >= 2
    if not good or not all(type(v) in (int, float) for v in point[:2]):
        raise InkError(f"point {j} of stroke {i} is {str(point)[:60]}; [x, y] would be right")
    try:
        return float(point[0]), float(point[1])
    except OverflowError as error:
        raise InkError(f"point {j} of stroke {i} is too large") from error


def to_json(ink: Ink, label: str | None = None) -> str:
    """JSON that `from_json` reads to the same ink; y upwards, and it says so.

    >>> to_json(Ink([[(0, 1)]]), "i")
    '{"label": "i", "y": "up", "strokes": [[[0.0, 1.0]]]}'
    """
    head = {} if label is None else {"label": label}
    return json.dumps({**head, "y": "up", "strokes": [s.tolist() for s in ink]})


def _upwards(ink: Ink, is_down: bool) -> Ink:
    return ink.transformed([[1.0, 0.0], [0.0, -1.0]]) if is_down else ink


def from_inkml(text: str) -> LabelledInk:
    """Ink of the traces of an InkML document, and its annotation "truth" or "label" if any.

    Reads explicit values, differences (`'`) and second differences (`"`) and the repetition of
    the mode; the channels of the first trace format (X and Y without one), with the orientation
    of its axes; traces of `type="penUp"` are no ink. Brushes, transforms and time are passed over.

    Raises:
        InkError: no XML, no InkML, or a trace that cannot be read; the message names the trace.

    Example:
        >>> from_inkml("<ink><trace>10 5, 12 6, '1'1</trace></ink>").ink.points.tolist()
        [[10.0, -5.0], [12.0, -6.0], [13.0, -7.0]]
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        # Entities may grow without bound; ink needs none.
        raise InkError("document type declarations are not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InkError(f"no XML: {error}") from error
    if _name(root) != "ink":
        raise InkError(f"the root element is <{_name(root)}>, <ink> would be right")
    channels = [e for e in root.iter() if _name(e) == "traceFormat"]
    found = [e for e in channels[0].iter() if _name(e) == "channel"] if channels else []
    names = [e.get("name", "").upper() for e in found] or ["X", "Y"]
    if "X" not in names or "Y" not in names:
        raise InkError(f"the channels are {' '.join(names)}; X and Y are needed")
    signs = {e.get("name", "").upper(): e.get("orientation", "+ve") for e in found}
    strokes = []
    for i, trace in enumerate(e for e in root.iter() if _name(e) == "trace"):
        if trace.get("type", "penDown") == "penUp":
            continue
        strokes.append(_trace(trace.text or "", i, names.index("X"), names.index("Y")))
    ink = _upwards(Ink(strokes), signs.get("Y") != "-ve")
    if signs.get("X") == "-ve":
        ink = ink.transformed([[-1.0, 0.0], [0.0, 1.0]])
    labels = (
        e.text
        for e in root.iter()
        if _name(e) == "annotation" and e.get("type", "").lower() in ("truth", "label")
    )
    return LabelledInk(ink, next((t.strip() for t in labels if t), None))


def _name(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


_VALUE = re.compile(r"""\s*([!'"]?)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[TF*?])""")


def _trace(text: str, number: int, x: int, y: int) -> list[tuple[float, float]]:
    points = []
    modes: dict[int, str] = {}
    values: dict[int, float] = {}
    steps: dict[int, float] = {}
    rows = [row for row in text.split(",") if row.strip()]
    for j, row in enumerate(rows):
        matches = list(_VALUE.finditer(row))
        if "".join(m[0] for m in matches).strip() != row.strip() or len(matches) <= max(x, y):
            raise InkError(f"point {j} of trace {number} is {row.strip()[:60]!r}")
        for c in (x, y):
            mode, token = matches[c].groups()
            if mode:
                modes[c] = mode
            kind = modes.get(c, "!")
            if token in "TF" or (token in "*?" and c not in values) or (kind != "!" and j == 0):
                raise InkError(f"point {j} of trace {number} begins with {row.strip()[:60]!r}")
            before = values.get(c, 0.0)
            if token in "*?":  # as the last: the value, or how it changed
                step = 0.0 if kind == "!" else steps.get(c, 0.0)
            elif kind == "!":
                step = float(token) - before
            else:
                step = float(token) + (steps.get(c, 0.0) if kind == '"' else 0.0)
            values[c], steps[c] = before + step, step if j else 0.0
        if not all(math.isfinite(values[c]) for c in (x, y)):
            raise InkError(f"point {j} of trace {number} is too large")
        points.append((values[x], values[y]))
    return points
