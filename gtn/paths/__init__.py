"""Paths: the best ones, how long they are, which are drawn, and which stay.

- ``viterbi``: single paths, the best one, and what a path reads and writes;
- ``ranking``: the best paths, one after the other;
- ``distance``: shortest distances, from the start or to the end;
- ``pruning``: what matters of a graph, by posterior or by distance from the best path;
- ``narrows``: the nodes that all paths go through;
- ``sampling``: paths drawn at random;
- ``ways``: the least way to each node, or from each, on which the others stand.
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
