"""The cases, one topic in each file."""

from benchmarks.case import Case
from benchmarks.cases.check_batch import CHECK_BATCH
from benchmarks.cases.compose_lexicon import COMPOSE_LEXICON
from benchmarks.cases.compose_loops import COMPOSE_LOOPS
from benchmarks.cases.ctc import CTC
from benchmarks.cases.decode import DECODE
from benchmarks.cases.decode_words import DECODE_WORDS
from benchmarks.cases.determinize import DETERMINIZE
from benchmarks.cases.empty_answer import EMPTY_ANSWER
from benchmarks.cases.forward import FORWARD
from benchmarks.cases.growth import GROWTH
from benchmarks.cases.lattice import LATTICE
from benchmarks.cases.look_up import LOOK_UP
from benchmarks.cases.n_best import N_BEST
from benchmarks.cases.rewrite import REWRITE
from benchmarks.cases.startup import STARTUP
from benchmarks.cases.stream import STREAM
from benchmarks.cases.viterbi import VITERBI

__all__ = ["CASES"]

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        COMPOSE_LEXICON,
        COMPOSE_LOOPS,
        EMPTY_ANSWER,
        FORWARD,
        VITERBI,
        CTC,
        CHECK_BATCH,
        DETERMINIZE,
        LATTICE,
        N_BEST,
        DECODE,
        DECODE_WORDS,
        STREAM,
        LOOK_UP,
        REWRITE,
        GROWTH,
        STARTUP,
    )
}
