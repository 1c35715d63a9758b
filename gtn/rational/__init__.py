"""Rational operations: join, repeat, reverse and relabel graphs.

- ``operations``: union, concatenation, closure, reversal, inversion, projection;
- ``relabelling``: other labels on the arcs, and the cross product made with them;
- ``joining``: several graphs side by side in one, with epsilon arcs and nodes between them.
"""

from gtn.rational.operations import (
    closure,
    concat,
    invert,
    project,
    reverse,
    union,
    with_labels,
)

__all__ = ["closure", "concat", "invert", "project", "reverse", "union", "with_labels"]
