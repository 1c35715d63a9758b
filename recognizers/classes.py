"""The classes of a recognizer: characters, and rubbish."""

from __future__ import annotations

__all__ = ["DIGITS", "RUBBISH", "class_names"]

DIGITS = "0123456789"

RUBBISH = "rubbish"
"""Name of the class for everything that is not a character; always the last."""


def class_names(classes: str, rubbish: bool) -> tuple[str, ...]:
    """Return the names of the classes in the order of the outputs.

    Raises:
        ValueError: no class, or a class named twice.

    >>> class_names("01", rubbish=True)
    ('0', '1', 'rubbish')
    """
    if not classes:
        raise ValueError("a recognizer needs at least one class")
    if len(set(classes)) != len(classes):
        repeated = next(c for c in classes if classes.count(c) > 1)
        raise ValueError(f"class {repeated!r} is named twice in {classes!r}")
    return (*classes, RUBBISH) if rubbish else tuple(classes)
