"""Serve a pad in the browser: a small page, on this machine only, that reads what one writes.

The page loads nothing from elsewhere. It posts ink as JSON strokes to ``/read``, where it is read
like a file; the answer has the likeliest words and the same pictures. If ink is kept, the page
posts it with its label to ``/keep``.
"""

from __future__ import annotations

import json
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from demos.pages import fill_file
from demos.words.pad.kept_ink import KeptInk
from demos.words.report.page import Reader, card
from recognizers.online.ink import InkError
from recognizers.online.ink_files import LabelledInk, from_json
from recognizers.online.normalization import turning_points

__all__ = [
    "MOST_BYTES",
    "MOST_POINTS",
    "MOST_STROKES",
    "MOST_TURNS",
    "PadError",
    "PadServer",
    "answer",
    "keep",
]

HOST = "127.0.0.1"
DEMO = Path(__file__).parents[1]
"""Names of templates are relative to this folder."""

MOST_BYTES = 1 << 20
"""Most bytes of a posted body, checked before it is read."""

MOST_POINTS = 20_000
"""Most points of one drawing: a few minutes of writing."""

MOST_STROKES = 200
MOST_TURNS = 400
"""Most strokes, and turns of the pen upwards or downwards, of ink to be read.

They limit a reading, during which others wait, to a few seconds; the longest words have about half
as many."""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class PadError(ValueError):
    """What was posted cannot be read, or nothing can be served; the message says why."""


def answer(reader: Reader, body: bytes) -> dict[str, Any]:
    """Return the answer to posted strokes: `words` (text, posterior, penalty) and `html`.

    `html` holds the pictures, in elements that need the style of the page.

    Raises:
        PadError: the body is not JSON or not of the form, has no points or too many, or has more
            strokes or turns of the pen than a word.
    """
    ink = _posted(body).ink
    strokes, turns = len(ink), len(turning_points(ink).points)
    for count, most, what in (
        (strokes, MOST_STROKES, "strokes"),
        (turns, MOST_TURNS, "turns of the pen"),
    ):
        if count > most:
            raise PadError(f"{count:,} {what}, but a word has {most} at most: write one at a time")
    _, found = card(reader, ink, name="pad")
    words = [
        {"text": text, "posterior": posterior, "penalty": penalty}
        for text, posterior, penalty in found.words
    ]
    return {"words": words, "html": fill_file(DEMO, "pad/answer.html", card=found)}


def keep(kept: KeptInk, body: bytes) -> dict[str, Any]:
    """Keep posted strokes with their `label`; return the `file` and the `count` of files.

    Raises:
        PadError: as `answer`; or the label is not a word.
    """
    one = _posted(body)
    try:
        return {"file": kept.keep(one.ink, one.label or ""), "count": len(kept)}
    except (ValueError, OSError) as error:
        raise PadError(f"it is not kept: {error}") from error


def _posted(body: bytes) -> LabelledInk:
    try:
        found = from_json(body.decode())
    except ValueError as error:  # of UTF-8, of JSON, of ink
        raise PadError(f"the strokes cannot be read: {error}") from error
    if found.ink.is_empty:
        raise PadError("no stroke has a point: write something first")
    if len(found.ink.points) > MOST_POINTS:
        raise PadError(f"{len(found.ink.points):,} points; at most {MOST_POINTS:,} are read")
    return found


class PadServer(ThreadingHTTPServer):
    """Serves the page and reads what is posted, on this machine only; port 0: any free one.

    With a folder of `kept` ink, the page asks what was written, and keeps it there.
    Use it as a context manager; `serve_forever` serves. Raises PadError if the port is taken.
    """

    daemon_threads = True

    def __init__(self, reader: Reader, port: int = 0, kept: KeptInk | None = None) -> None:
        self.reader, self.kept = reader, kept
        # One word at a time: the network and the search need the processor for themselves.
        self.turn = threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise PadError(f"port {port}: {error.strerror}; another would be right") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error in the terminal, unless the browser went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: PadServer
    timeout = 30

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        if self.path != "/":
            self._send(HTTPStatus.NOT_FOUND, {"error": f"there is no {self.path}; the pad is /"})
            return
        about, kept = self.server.reader.about, self.server.kept
        try:
            page = fill_file(DEMO, "pad/pad.html", about=about, kept=kept)
        except InkError as error:  # the kept files were changed meanwhile
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)})
        else:
            self._send(HTTPStatus.OK, page)

    def do_POST(self) -> None:
        # No part of an unread body may be taken for the next request.
        self.close_connection = True
        if not self._is_ours():
            return
        kept = self.server.kept
        if self.path != "/read" and (self.path != "/keep" or kept is None):
            message = f"there is no {self.path}; strokes are posted to /read"
            self._send(HTTPStatus.NOT_FOUND, {"error": message})
            return
        try:
            body = self.rfile.read(self._length())
            with self.server.turn:
                keeps = self.path == "/keep" and kept is not None
                found = keep(kept, body) if keeps else answer(self.server.reader, body)
        except PadError as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        else:
            self._send(HTTPStatus.OK, found)

    def _length(self) -> int:
        given = self.headers.get("Content-Length", "")
        if not given.isascii() or not given.isdigit():
            raise PadError("a post needs a Content-Length, the number of its bytes")
        length = int(given[:20])
        if length > MOST_BYTES:
            raise PadError(f"{length:,} bytes; at most {MOST_BYTES:,} are read")
        return length

    def _is_ours(self) -> bool:
        """Whether the request uses the name of this page; other pages must not post to it."""
        names = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in names and origin in (None, *(f"http://{n}" for n in names)):
            return True
        self._send(HTTPStatus.FORBIDDEN, {"error": f"the pad answers to {self.server.address}"})
        return False

    def _send(self, status: HTTPStatus, content: str | dict[str, Any]) -> None:
        is_page = isinstance(content, str)
        body = (content if is_page else json.dumps(content)).encode()  # type: ignore[union-attr]
        self.send_response(status)
        kind = "text/html" if is_page else "application/json"
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for the address."""
