"""Emission penalties against graphs, frame by frame, without building the product.

``emissions[t, c]`` is the penalty (nats) of reading class c in frame t, as a network gives it. A
path takes one arc with an input label per frame, and any number of epsilon arcs in between. Its
penalty is the sum of the penalties of its arcs, its start and its final and of the emissions it
reads. So each function here equals the scorer of the same name on
``compose(linear(emissions), graph)``, in time O(T A) with little memory. Class c is label c. A
graph need not read all classes, but must read no other label (an error names the arc); its table,
if any, must name all classes, and may name more.

Everything takes one problem or a batch:

====================  ===============  ===========================================
emissions             graph            problems
====================  ===============  ===========================================
``[T, C]``            a graph          one: results without a first dimension
``[B, T, C]``         a graph          B, which share the graph
``[B, T, C]``         a batch of B     B, each with a graph of its own
``[T, C]``            a batch of B     B, which share the emissions
====================  ===============  ===========================================

Emissions need not be normalised, and may be ``inf``. Problem b has ``lengths[b]`` frames; later
frames are ignored and have gradient zero. The arithmetic is float64 for every dtype. Gradients can
be differentiated to any order; only from the third derivative on is the product built. The problems
of a batch run in as many threads as torch has; results do not depend on their number, to the bit.
"""

from gtn.dense.paths import (
    Alignment,
    alignment,
    viterbi_path,
    viterbi_penalty,
    viterbi_penalty_float64,
)
from gtn.dense.problems import Lengths
from gtn.dense.sums import arc_posteriors, forward_penalty, forward_penalty_float64, posteriors

__all__ = [
    "Alignment",
    "Lengths",
    "alignment",
    "arc_posteriors",
    "forward_penalty",
    "forward_penalty_float64",
    "posteriors",
    "viterbi_path",
    "viterbi_penalty",
    "viterbi_penalty_float64",
]
