"""Ink from other files: JSON lists of strokes, and InkML (W3C recommendation of 2011).

Unless they say otherwise, both count y downwards, as screens do; `Ink` counts it upwards.
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
"""Suffixes (lower case) of the files in a folder that count as ink."""

MAX_BYTES = 1 << 26
"""Most bytes of a file of ink, checked before it is read."""

MOST_NUMBERS = 16
"""Most numbers of a point in JSON: x, y, and whatever else a pen measures."""


class LabelledInk(NamedTuple):
    """Ink and what it says; `label` is None if the file does not tell."""

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
        raise InkError(f"{path}: byte {error.start} is not UTF-8 text") from error
    except InkError as error:
        raise InkError(f"{path}: {error}") from error


def from_json(text: str) -> LabelledInk:
    """Return the ink in JSON: a list of strokes, each a list of points [x, y], or an object.

    An object has these as `strokes`; `label` says what was written, `y` is "down" (the default) or
    "up". A point may also be an object with `x` and `y`. Further numbers of a point (time,
    pressure) are ignored, up to `MOST_NUMBERS` in all; longer ones are refused as lists of all x
    and all y, which other programs write.

    Raises:
        InkError: the text is not JSON, or not of this form; the message says where.

    Example:
        >>> from_json('[[[0, 0], [1, 2, 99]], [{"x": 3, "y": 4}]]').ink.points.tolist()
        [[0.0, 0.0], [1.0, -2.0], [3.0, -4.0]]
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits
        raise InkError(f"not JSON: {error}") from error
    label, direction = None, "down"
    if isinstance(found, dict):
        if "strokes" not in found:
            raise InkError('the object has no "strokes"')
        label, direction = found.get("label"), found.get("y", "down")
        found = found["strokes"]
    if label is not None and not isinstance(label, str):
        raise InkError(f'"label" must be text, not {label!r}')
    if label is not None and not _is_text(label):
        raise InkError(f'"label" has half a character: {label!r}')
    if direction not in ("down", "up"):
        raise InkError(f'"y" must be "down" or "up", not {direction!r}')
    if not isinstance(found, list):
        raise InkError("the strokes must be a list of lists of points")
    strokes = []
    for i, stroke in enumerate(found):
        if not isinstance(stroke, list):
            raise InkError(f"stroke {i} is not a list of points")
        strokes.append([_point(p, i, j) for j, p in enumerate(stroke)])
    return LabelledInk(_upwards(Ink(strokes), direction == "down"), label)


def _is_text(label: str) -> bool:
    """Return whether a label can be encoded: JSON may contain half a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in label)


def _point(point: Any, i: int, j: int) -> tuple[float, float]:
    if isinstance(point, dict):
        point = (point.get("x"), point.get("y"))
    good = isinstance(point, (list, tuple)) and len(point) >= 2
    if not good or not all(type(v) in (int, float) for v in point[:2]):
        raise InkError(f"point {j} of stroke {i} is {str(point)[:60]}; [x, y] would be right")
    if len(point) > MOST_NUMBERS:
        raise InkError(
            f"point {j} of stroke {i} has {len(point):,} numbers; [x, y] for each point would be "
            "right, not a list of all x"
        )
    try:
        return float(point[0]), float(point[1])
    except OverflowError as error:
        raise InkError(f"point {j} of stroke {i} is too large") from error


def to_json(ink: Ink, label: str | None = None) -> str:
    """Return JSON from which `from_json` reads the same ink; it says that y goes upwards.

    >>> to_json(Ink([[(0, 1)]]), "i")
    '{"label": "i", "y": "up", "strokes": [[[0.0, 1.0]]]}'
    """
    head = {} if label is None else {"label": label}
    return json.dumps({**head, "y": "up", "strokes": [s.tolist() for s in ink]})


def _upwards(ink: Ink, is_down: bool) -> Ink:
    return ink.transformed([[1.0, 0.0], [0.0, -1.0]]) if is_down else ink


def from_inkml(text: str) -> LabelledInk:
    """Return the ink of an InkML document, and its annotation "truth" or "label" if any.

    Reads explicit values, differences (`'`) and second differences (`"`), where a mode stays until
    the next; the channels of the trace format (X and Y without one), with the orientation of their
    axes and the ratio of their resolutions. A trace that continues another is one stroke with it;
    traces of `type="penUp"` are not ink. Brushes, transforms and time are ignored. An annotation
    counts if it belongs to the document, or to a group that has all traces.

    Raises:
        InkError: not XML, not InkML, trace formats that differ, or a trace that cannot be read; the
            message names the trace.

    Example:
        >>> from_inkml("<ink><trace>10 5, 12 6, '1'1</trace></ink>").ink.points.tolist()
        [[10.0, -5.0], [12.0, -6.0], [13.0, -7.0]]
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        # Entities may expand without bound, and ink needs none.
        raise InkError("document type declarations are not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InkError(f"not XML: {error}") from error
    if _name(root) != "ink":
        raise InkError(f"the root element is <{_name(root)}>, <ink> would be right")
    x, y, right, down = _axes(root)
    defined = {t for e in root if _name(e) == "definitions" for t in _below(e, "trace")}
    traces = _below(root, "trace")
    strokes: list[list[tuple[float, float]]] = []
    places: dict[str | None, int] = {}  # the stroke of each trace, by the name of the trace
    for i, trace in enumerate(traces):
        if trace in defined:
            raise InkError(f"trace {i} is in <definitions>; what refers to it is not read")
        if trace.get("type", "penDown") == "penUp":
            continue
        place = len(strokes)
        if trace.get("continuation") in ("middle", "end"):
            prior = trace.get("priorRef", "")
            if prior[:1] != "#" or prior[1:] not in places:
                raise InkError(f"trace {i} continues {prior!r}, which is not an earlier trace")
            place = places[prior[1:]]
        else:
            strokes.append([])
        strokes[place] += _trace(trace.text or "", i, x, y)
        places[trace.get(f"{_XML}id", trace.get("id"))] = place
    return LabelledInk(Ink(strokes).transformed([[right, 0.0], [0.0, -down]]), _label(root, traces))


_XML = "{http://www.w3.org/XML/1998/namespace}"


def _below(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """Return all elements of a name inside an element."""
    return [e for e in element.iter() if _name(e) == name]


def _axes(root: ElementTree.Element) -> tuple[int, int, float, float]:
    """Return which numbers of a point are X and Y, and the factor of each."""
    found: dict[tuple[int, int, float, float], str] = {}
    for form in _below(root, "traceFormat"):
        inside = (e for child in form for e in (child, *child))
        channels = [e for e in inside if _name(e) == "channel"]
        names = [e.get("name", "").upper() for e in channels] or ["X", "Y"]
        if "X" not in names or "Y" not in names:
            raise InkError(f"the channels are {' '.join(names)}; X and Y are needed")
        x, y = names.index("X"), names.index("Y")
        both = [channels[x], channels[y]] if channels else []
        units = [e.get("units") for e in both]
        if None not in units and len(set(units)) > 1:
            raise InkError(f"X is in {units[0]} and Y in {units[1]}; the same would be right")
        right, down = [-1.0 if e.get("orientation") == "-ve" else 1.0 for e in both] or [1.0, 1.0]
        sides = ", X to the left" * (right < 0.0) + ", Y upwards" * (down < 0.0)
        found[x, y, right, down] = " ".join(names) + sides
    if len(found) > 1:
        raise InkError(f"the trace formats differ: {'; '.join(found.values())}; one is read")
    x, y, right, down = next(iter(found), (0, 1, 1.0, 1.0))
    steps = {_resolutions(e) for e in _below(root, "channelProperties")} - {(1.0, 1.0)}
    if len(steps) > 1:
        raise InkError("the resolutions of the traces differ; one is read")
    return x, y, right, down * next((across / up for across, up in steps), 1.0)


def _resolutions(properties: ElementTree.Element) -> tuple[float, float]:
    """Return the resolutions of X and Y, per the same length; 1 for both unless both are given."""
    told = {
        e.get("channel", "").upper(): (e.get("value", ""), e.get("units"))
        for e in properties
        if _name(e) == "channelProperty" and e.get("name") == "resolution"
    }
    if "X" not in told or "Y" not in told:
        return 1.0, 1.0
    try:
        across, up = (float(told[c][0]) for c in "XY")
    except ValueError:
        across = up = 0.0
    if not (0.0 < across < math.inf and 0.0 < up < math.inf) or told["X"][1] != told["Y"][1]:
        shown = " and ".join(" ".join(map(str, told[c])) for c in "XY")
        raise InkError(f"the resolutions of X and Y are {shown}; both per the same length is right")
    return across, up


def _label(root: ElementTree.Element, traces: list[ElementTree.Element]) -> str | None:
    """Return the label of the document or of a group of all its traces; None if there is none."""
    counts: dict[ElementTree.Element, int] = {}  # of traces in an element
    for e in reversed([*root.iter()]):
        counts[e] = (_name(e) == "trace") + sum(counts[inside] for inside in e)
    groups = [e for e in _below(root, "traceGroup") if counts[e] == len(traces)]
    texts = (
        e.text
        for holder in (root, *groups)
        for e in holder
        if _name(e) == "annotation" and e.get("type", "").lower() in ("truth", "label")
    )
    return next((t.strip() for t in texts if t and t.strip()), None)


def _name(element: ElementTree.Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


_VALUE = re.compile(
    r"""\s*([!'"]?)\s*  # how it is meant, from here on
        ([TF*?]|[+-]?\s*(?:\#[0-9A-F]{1,30}|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))""",
    re.VERBOSE,
)


def _number(token: str) -> float:
    """Return the number of a token, which may be hexadecimal or have a space behind its sign."""
    sign, _, hexadecimal = token.partition("#")
    if hexadecimal:
        return float(int(f"{sign.strip()}{hexadecimal}", 16))
    return float("".join(token.split()))


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
                step = _number(token) - before
            else:
                step = _number(token) + (steps.get(c, 0.0) if kind == '"' else 0.0)
            values[c], steps[c] = before + step, step if j else 0.0
        if not all(math.isfinite(values[c]) for c in (x, y)):
            raise InkError(f"point {j} of trace {number} is too large")
        points.append((values[x], values[y]))
    return points
