"""Rational operations: graphs joined, repeated, reversed and given other labels.

- ``operations``: union, concatenation, closure, reversal, inversion, projection;
- ``relabelling``: other labels on the arcs, and the cross product that comes of them;
- ``joining``: graphs side by side in one, with epsilon arcs and nodes between them.
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
