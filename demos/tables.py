"""Format tables in Markdown, and put them into the pages of ``docs/``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from demos.checkpoint import write_whole

__all__ = ["in_markdown", "write_into"]


def in_markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, from its column heads and its rows.

    >>> print(in_markdown(["reader", "right"], [["sdnn", "89.1%"]]))
    | reader | right |
    | --- | --- |
    | sdnn | 89.1% |
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_into(page: Path, content: str, name: str) -> None:
    """Put a table into its place in a page, between the two comments that bear its name.

    Raises:
        ValueError: the page lacks these comments.
    """
    text = page.read_text(encoding="utf-8")
    marks = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"{page}: no place between {marks[0]} and {marks[1]}")
    write_whole(page, f"{before}{begin}\n{content}\n{end}{after}")
