"""Shared by the pages of fields and of whole checks: cards, one per file, in a template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from demos.checkpoint import write_whole
from demos.pages import fill_file

__all__ = ["MOST_SHOWN", "FileCard", "cards_of", "shown_of", "write_page"]

MOST_SHOWN = 24
"""Most files on a page of measured files."""

Card = TypeVar("Card")


@dataclass(frozen=True)
class FileCard:
    """The part of a card that fields and whole checks share."""

    number: int
    name: str
    truth: str | None = None
    error: str = ""
    text: str = ""
    confidence: float = 0.0
    accepted: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()
    width: int = 0
    height: int = 0
    picture: str = ""

    @property
    def right(self) -> bool | None:
        """Whether the text is the truth; None where either is unknown."""
        return None if self.truth is None or self.error else self.text == self.truth


def cards_of(
    make: Callable[[int, Path, str | None], Card],
    paths: Sequence[Path],
    truths: Sequence[str] | None,
) -> list[Card]:
    """Return a card for each file, made from its number from 1, its path and its truth.

    Raises:
        ValueError: not as many truths as files.

    >>> cards_of(lambda number, path, truth: (number, path.name, truth), [Path("a.png")], ["7"])
    [(1, 'a.png', '7')]
    """
    if truths is not None and len(truths) != len(paths):
        raise ValueError(f"{len(truths)} truths for {len(paths)} files; one each is needed")
    known = list(truths) if truths is not None else [None] * len(paths)
    return [
        make(number, Path(path), truth)
        for number, (path, truth) in enumerate(zip(paths, known, strict=True), 1)
    ]


def shown_of(found: int, measured: int, what: str) -> str:
    """Say which part of the measured files a page shows.

    >>> shown_of(5, 29, "Read wrong"), shown_of(40, 128, "Read wrong")
    ('Read wrong: 5 of 29', 'Read wrong: 40 of 128, here the 24 most confident')
    """
    cut = f", here the {MOST_SHOWN} most confident" if found > MOST_SHOWN else ""
    return f"{what}: {found} of {measured}{cut}"


def write_page(
    template: str, directory: Path, cards: Sequence[FileCard], *, judged: bool, **facts: Any
) -> Path:
    """Write the self-contained ``directory/report.html``; return its path.

    Args:
        template: the name of a file beside this one.
        directory: created if missing.
        cards: one for each file.
        judged: whether the truths are known.
        facts: further variables of the template; ``chosen`` says what the files are a part of.
    """
    readable = [card for card in cards if not card.error]
    page = fill_file(
        Path(__file__).parent,
        template,
        cards=cards,
        readable=len(readable),
        accepted=sum(card.accepted for card in readable),
        right=sum(card.right is True for card in readable),
        judged=judged,
        **facts,
    )
    target = Path(directory) / "report.html"
    write_whole(target, page, errors="replace")
    return target
