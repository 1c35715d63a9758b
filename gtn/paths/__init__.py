"""Paths: the best ones, shortest distances, pruning and sampling.

- ``viterbi``: the best path, and what a path reads and writes;
- ``ranking``: the n best paths;
- ``distance``: shortest distances, from the start or to the end;
- ``pruning``: keep what matters, by posterior or by distance from the best path;
- ``narrows``: the nodes that all paths go through;
- ``sampling``: paths drawn at random;
- ``ways``: the least way to or from each node, which the others build on.
"""

from gtn.paths.viterbi import (
    chains,
    path_labels,
    path_text,
    together,
    viterbi_path,
    viterbi_penalty,
    viterbi_penalty_float64,
)

__all__ = [
    "chains",
    "path_labels",
    "path_text",
    "together",
    "viterbi_path",
    "viterbi_penalty",
    "viterbi_penalty_float64",
]
