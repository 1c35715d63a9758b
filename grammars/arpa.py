"""N-gram models as ARPA files, the text format of language model toolkits."""

from __future__ import annotations

import gzip
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from grammars.ngram import BEGIN, END, UNKNOWN, NGrams, Order
from grammars.ngram_counts import shorter_ngrams

__all__ = ["read_arpa", "write_arpa"]

_Grams = dict[tuple[int, ...], list[float]]
_LN10 = math.log(10.0)
_NEVER = -99.0  # how the files write the logarithm of zero


def read_arpa(path: str | os.PathLike[str]) -> NGrams:
    """Return the model of an ARPA file (gzipped, if its name ends in ``.gz``).

    Logarithms to base 10 become penalties in nats; -99 and below mean probability zero. If a
    pruned file lacks the n-gram that another begins or ends with, it is added with the probability
    that backing off gives it, which changes nothing in the model. ``<s>``, ``</s>`` and ``<unk>``
    are added with probability zero if they are missing.

    Raises:
        ValueError: a line that breaks the format, with file and line number.
        OSError: a file that cannot be read.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.arpa"
    >>> _ = path.write_text('''\\\\data\\\\
    ... ngram 1=4
    ... ngram 2=1
    ...
    ... \\\\1-grams:
    ... -99 <s> -0.3
    ... -0.5 </s>
    ... -1.0 <unk>
    ... -0.3 yes
    ...
    ... \\\\2-grams:
    ... -0.1 <s> yes
    ...
    ... \\\\end\\\\
    ... ''')
    >>> model = read_arpa(path)
    >>> round(model.penalty("yes", ["<s>"]) / math.log(10), 6)
    0.1
    >>> round(model.penalty("no", ["<s>"]) / math.log(10), 6)
    1.3
    """
    words: list[str] = []
    number: dict[str, int] = {}
    orders: list[_Grams] = []
    announced: list[tuple[int, int]] = []  # how many n-grams should follow, and the line
    section = _BEFORE
    line = 0
    for line, text in _lines(path):
        if not text:
            continue
        if text == "\\data\\" and section == _BEFORE:
            section = _DATA
        elif section == _BEFORE:
            continue  # anything before the header
        elif text == "\\end\\":
            _check_count(path, line, orders, announced)
            section = _AFTER
            break
        elif match := re.fullmatch(r"\\(\d+)-grams:", text):
            _check_count(path, line, orders, announced)
            section = int(match[1])
            if section != len(orders) + 1 or section > len(announced):
                raise _error(
                    path,
                    line,
                    f"{section}-grams after {len(orders)}-grams, of {len(announced)} announced",
                )
            orders.append({})
        elif text.startswith("\\"):
            raise _error(path, line, f"{text!r} is not a section; one is \\2-grams: or \\end\\")
        elif section == _DATA:
            match = re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", text)
            if match is None or int(match[1]) != len(announced) + 1:
                raise _error(
                    path, line, f"{text!r}; 'ngram {len(announced) + 1}=COUNT' would be right"
                )
            announced.append((int(match[2]), line))
        else:
            _read_gram(path, line, text, section, len(announced), words, number, orders[-1])
    if section != _AFTER:
        what = "\\end\\" if section != _BEFORE else "\\data\\"
        raise _error(path, line, f"the file ends without {what}")
    if len(orders) != len(announced):
        raise _error(path, line, f"{len(announced)} lengths are announced, {len(orders)} are there")
    for word in (BEGIN, END, UNKNOWN):
        if word not in number:
            number[word] = len(words)
            words.append(word)
            orders[0][(number[word],)] = [math.inf, 0.0]
    _complete(orders)
    return NGrams(words, _tables(orders, len(words)))


_BEFORE, _DATA, _AFTER = -2, -1, 0


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers, stripped of white space."""
    line = 0
    with _open(path, "rb") as file:
        try:
            for line, raw in enumerate(file, 1):
                yield line, raw.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise _error(path, line, f"not utf-8: byte {error.start + 1}") from None
        except (EOFError, gzip.BadGzipFile) as error:
            raise _error(path, line + 1, f"not a gzip file: {error}") from None


def _open(path: str | os.PathLike[str], mode: str) -> IO[bytes]:
    if Path(path).suffix == ".gz":
        return gzip.open(path, mode)
    return Path(path).open(mode)


def _error(path: str | os.PathLike[str], line: int, wrong: str) -> ValueError:
    return ValueError(f"{os.fspath(path)}, line {line}: {wrong}")


def _check_count(
    path: str | os.PathLike[str],
    line: int,
    orders: list[_Grams],
    announced: list[tuple[int, int]],
) -> None:
    """Check that the section ending here has as many n-grams as announced."""
    if orders and len(orders[-1]) != announced[len(orders) - 1][0]:
        count, where = announced[len(orders) - 1]
        raise _error(
            path,
            line,
            f"{len(orders[-1])} {len(orders)}-grams end here; line {where} announces {count}",
        )


def _read_gram(
    path: str | os.PathLike[str],
    line: int,
    text: str,
    length: int,
    order: int,
    words: list[str],
    number: dict[str, int],
    grams: _Grams,
) -> None:
    """Add the n-gram of a line: logarithm, words and, unless longest, back-off logarithm."""
    fields = text.split()
    if len(fields) - length not in ((1, 2) if length < order else (1,)):
        raise _error(
            path, line, f"{len(fields)} fields; a {length}-gram has a logarithm and {length} words"
        )
    penalties = []
    for field in (fields[0], *fields[length + 1 :]):
        try:
            value = float(field)
        except ValueError:
            raise _error(path, line, f"{field!r} is not a number") from None
        if math.isnan(value) or value == math.inf:
            raise _error(path, line, f"{field} is not the logarithm of a probability")
        penalties.append(math.inf if value <= _NEVER else -value * _LN10)
    if penalties[0] < -1e-4:
        raise _error(path, line, f"the logarithm {fields[0]} is that of more than one")
    row = fields[1 : length + 1]
    if length == 1 and row[0] not in number:
        number[row[0]] = len(words)
        words.append(row[0])
    unknown = next((word for word in row if word not in number), None)
    if unknown is not None:
        raise _error(path, line, f"{unknown!r} is not among the 1-grams")
    ids = tuple(number[word] for word in row)
    if ids in grams:
        raise _error(path, line, f"the {length}-gram {' '.join(row)!r} was there before")
    grams[ids] = [max(penalties[0], 0.0), penalties[1] if len(penalties) > 1 else 0.0]


def _complete(orders: list[_Grams]) -> None:
    """Add missing n-grams that others begin or end with, at the penalty of backing off."""

    def backed_off(ids: tuple[int, ...]) -> float:
        paid = 0.0
        while ids not in orders[len(ids) - 1]:
            history = orders[len(ids) - 2].get(ids[:-1])
            paid += history[1] if history is not None else 0.0
            ids = ids[1:]
        return paid + orders[len(ids) - 1][ids][0]

    missing = []
    for n in range(len(orders) - 1, 0, -1):
        wanted = {part for ids in orders[n] for part in (ids[:-1], ids[1:])}
        missing.append(sorted(wanted - orders[n - 1].keys()))
        # The next round needs them. Their penalties are computed below, shortest first.
        orders[n - 1].update((ids, [math.nan, 0.0]) for ids in missing[-1])
    for added in missing:
        for ids in added:
            del orders[len(ids) - 1][ids]
    for added in reversed(missing):
        orders_of = [(ids, backed_off(ids)) for ids in added]
        for ids, penalty in orders_of:
            orders[len(ids) - 1][ids] = [penalty, 0.0]


def _tables(orders: list[_Grams], words: int) -> list[Order]:
    """Return the n-grams as arrays, sorted by prefix, then by last word."""
    tables: list[Order] = []
    place: dict[tuple[int, ...], int] = {(): 0}
    for grams in orders:
        rows = sorted((place[ids[:-1]], ids[-1], ids) for ids in grams)
        place = {ids: i for i, (_, _, ids) in enumerate(rows)}
        prefix = np.array([row[0] for row in rows], dtype=np.int64)
        word = np.array([row[1] for row in rows], dtype=np.int64)
        values = np.array([grams[ids] for _, _, ids in rows]).reshape(-1, 2)
        shorter = np.full(len(rows), -1, dtype=np.int64)
        if tables:
            shorter = shorter_ngrams(prefix, word, tables[-1], words)
        tables.append(Order(prefix, word, values[:, 0], values[:, 1], shorter))
    return tables


def write_arpa(model: NGrams, path: str | os.PathLike[str]) -> None:
    """Write a model as an ARPA file (gzipped, if its name ends in ``.gz``), whole or not at all.

    Logarithms have nine significant digits.

    Raises:
        ValueError: a word that contains white space, which the format cannot hold.
        OSError: a file that cannot be written.

    >>> import pathlib, tempfile
    >>> from grammars.ngram_counts import counted_ngrams
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.arpa"
    >>> write_arpa(counted_ngrams(["ab"], order=2), path)
    >>> path.read_text().splitlines()[:3]
    ['\\\\data\\\\', 'ngram 1=5', 'ngram 2=3']
    """
    bad = next((word for word in model.words if word.split() != [word]), None)
    if bad is not None:
        raise ValueError(f"the word {bad!r} has white space in it; ARPA files separate by that")
    path = Path(path)
    part = path.with_name(f".{path.name}.part{path.suffix}")
    try:
        with _open(part, "wb") as file:
            for line in _written(model):
                file.write(line.encode("utf-8") + b"\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _written(model: NGrams) -> Iterator[str]:
    """Yield the lines of a model."""
    yield "\\data\\"
    for n, order in enumerate(model.orders, 1):
        yield f"ngram {n}={len(order)}"
    texts = [""]
    for n, order in enumerate(model.orders, 1):
        yield f"\n\\{n}-grams:"
        texts = [
            f"{texts[p]} {model.words[w]}".lstrip()
            for p, w in zip(order.prefix.tolist(), order.word.tolist())
        ]
        for text, penalty, back_off in zip(texts, order.penalties, order.back_off):
            last = f"\t{_logarithm(back_off)}" if back_off != 0 else ""
            yield f"{_logarithm(penalty)}\t{text}{last}"
    yield "\n\\end\\"


def _logarithm(penalty: float) -> str:
    return f"{-penalty / _LN10 + 0.0:.9g}" if penalty < math.inf else f"{_NEVER:g}"
