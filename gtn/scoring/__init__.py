"""Scoring: sums over all paths of a graph, such as the forward penalty and expectations.

- ``all_paths``: the forward penalty and the posteriors of arcs;
- ``expectation``: expectations over the paths of a graph, and their entropy;
- ``recursion``: the two primitives behind both, closed under differentiation;
- ``cycles``: the same sums on graphs with cycles, component by component.
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
