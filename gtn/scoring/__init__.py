"""Scoring: sums over all paths of a graph, the forward penalty and what is expected under it.

- ``all_paths``: the forward penalty and the posteriors of arcs;
- ``expectation``: expectations over the paths of a graph, and their entropy;
- ``recursion``: the two primitives, closed under differentiation, that both are made of;
- ``cycles``: the same sums where there are cycles, component by component.
"""

from gtn.scoring.all_paths import (
    Posteriors,
    arc_posteriors,
    forward_penalty,
    forward_penalty_float64,
    posteriors_float64,
)

__all__ = [
    "Posteriors",
    "arc_posteriors",
    "forward_penalty",
    "forward_penalty_float64",
    "posteriors_float64",
]
