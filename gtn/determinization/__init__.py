"""Determinization: graphs that read a string in at most one way, and what they make possible.

- ``determinism``: pairs of labels as symbols, and whether a node has two arcs for one symbol;
- ``ambiguity``: whether a string has several paths, or an input several outputs;
- ``determinization``: the deterministic graph of the same strings;
- ``subsets``: the weighted subset construction behind it, with differentiable residuals;
- ``minimization``: deterministic graphs with as few nodes as their strings and penalties need;
- ``complementation``: difference and complement, what an acceptor does not accept.
"""

from gtn.determinization.determinization import (
    check_semiring,
    check_unweighted,
    determinize,
    tolerance,
    unweighted,
)

__all__ = ["check_semiring", "check_unweighted", "determinize", "tolerance", "unweighted"]
