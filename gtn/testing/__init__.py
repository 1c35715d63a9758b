"""Testing kit: random graphs, brute-force oracles, and comparisons of graphs.

For tests of operations on graphs, the library's and your own. Four kinds of things:

- *strategies* for `hypothesis <https://hypothesis.readthedocs.io>`_: :func:`graphs`,
  :func:`transducer_pairs`, :func:`batches`, :func:`exact_penalties` (they need hypothesis,
  the extra ``testing`` of the installation; nothing else here does);
- *oracles*, slow and plain: :func:`paths` enumerates accepting paths, and from them come
  :func:`forward_penalty_by_enumeration`, :func:`viterbi_by_enumeration`,
  :func:`posteriors_by_enumeration` and :func:`path_penalties_by_string`;
  :func:`penalty_by_closure`, :func:`posteriors_by_closure`, :func:`distances_by_closure` and
  :func:`string_penalties` are also exact on cyclic graphs;
- :func:`assert_equivalent`: two graphs assign the same penalty to every pair of strings;
  :func:`assert_derivatives`: an operation's derivatives agree with finite differences;
- :mod:`gtn.testing.openfst`: graphs to OpenFst and back through pynini, many random graphs in
  bulk (:func:`~gtn.testing.openfst.random_graphs`), and a quick comparison of their languages.

Test an operation of your own by stating what it must not change. This one keeps, of parallel arcs
with the same labels, the one of least penalty; so every string keeps its best path:

>>> import gtn
>>> from hypothesis import given
>>> from gtn.testing import assert_equivalent, graphs
>>> def without_worse_parallel_arcs(g):
...     best = {}
...     for arc, p in enumerate(g.penalties.tolist()):
...         key = (g.src[arc], g.dst[arc], g.ilabels[arc], g.olabels[arc])
...         if key not in best or p < g.penalties[best[key]]:
...             best[key] = arc
...     kept = sorted(best.values())
...     return gtn.Graph.from_arrays(
...         g.src[kept], g.dst[kept], g.ilabels[kept], g.olabels[kept],
...         penalties=g.penalties[kept], num_nodes=g.num_nodes,
...         isymbols=g.isymbols, osymbols=g.osymbols,
...         start=g.starts, start_penalties=g.start_penalties,
...         final=g.finals, final_penalties=g.final_penalties)
>>> @given(graphs(labels=1, acceptor=False, epsilons=True))
... def test_best_paths_stay(g):
...     assert_equivalent(g, without_worse_parallel_arcs(g), semiring="tropical")
>>> test_best_paths_stay()

In the log semiring, where all paths count, the graphs differ:

>>> g = gtn.Graph.from_arcs([(0, 1, "a", 1.0), (0, 1, "a", 2.0)], final=1)
>>> assert_equivalent(g, without_worse_parallel_arcs(g), semiring="log")
Traceback (most recent call last):
AssertionError: the graphs differ on input 'a' -> output 'a': penalty 0.6867383 in the first,
1 in the second (log semiring; 1 of 1 pairs of strings differ)
"""

from gtn.testing.comparison import assert_equivalent, penalty_by_closure, string_penalties
from gtn.testing.derivatives import assert_derivatives
from gtn.testing.enumeration import (
    Path,
    forward_penalty_by_enumeration,
    path_penalties_by_string,
    paths,
    posteriors_by_enumeration,
    viterbi_by_enumeration,
)
from gtn.testing.kleene import distances_by_closure, posteriors_by_closure
from gtn.testing.notation import as_code
from gtn.testing.strategies import batches, exact_penalties, graphs, transducer_pairs

__all__ = [
    "Path",
    "as_code",
    "assert_derivatives",
    "assert_equivalent",
    "batches",
    "distances_by_closure",
    "exact_penalties",
    "forward_penalty_by_enumeration",
    "graphs",
    "path_penalties_by_string",
    "paths",
    "penalty_by_closure",
    "posteriors_by_closure",
    "posteriors_by_enumeration",
    "string_penalties",
    "transducer_pairs",
    "viterbi_by_enumeration",
]
