"""A lattice made deterministic: the word strings near the best path, each once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import gtn
from benchmarks.case import Answer, Case, Entrant, Race
from benchmarks.cases.decode_words import CHARACTERS, frames
from benchmarks.graphs import fresh
from benchmarks.peers.openfst import arcs, least, machine, openfst
from grammars.characters import character_models
from grammars.decoding import Decoder
from grammars.lexicon import lexicon

_WIDE, _NEAR = 14.0, 8.0  # beams of the search and of the strings, in nats
_SIGNAL = 4.0


def _inputs(words: int, written: int) -> gtn.Graph:
    """Return the lattice that a wide beam finds in noise, pruned to the near beam."""
    from grammars.frequent_words import frequent_words  # the extra "words"

    known, symbols = frequent_words(words, alphabet=CHARACTERS[1:]), gtn.SymbolTable(CHARACTERS)
    text = lexicon(known, symbols=symbols, outputs="words")
    space = gtn.from_arcs([(0, 1, " ", None)], final=1, isymbols=symbols, osymbols=text.osymbols)
    models = character_models(CHARACTERS, touch=0.0)
    decoder = Decoder.of((text + space).closure(), models=models, beam=_WIDE)
    chosen = np.random.default_rng(0).integers(min(300, words), size=written)
    heard = [
        frames(known.words[k] + " ", seed, 4 * len(known.words[k]) + 8, _SIGNAL)
        for seed, k in enumerate(chosen)
    ]
    lattice = gtn.project(decoder.search(torch.cat(heard).double()), "output")
    near = gtn.remove_epsilon(gtn.prune(lattice, beam=_NEAR), semiring="tropical")
    return gtn.prune(near, beam=_NEAR)


def _entrants(lattice: gtn.Graph) -> list[Entrant]:
    def ours(graph: gtn.Graph) -> gtn.Graph:
        return gtn.determinize(graph, semiring="tropical", beam=_NEAR)

    def theirs(pynini: Any, fst: Any) -> Any:
        return pynini.determinize(fst, weight=_NEAR)

    def answer(graph: gtn.Graph) -> Answer:
        return {
            "least penalty": gtn.viterbi_penalty(graph).item(),
            "nodes of gtn": graph.num_nodes,
            "arcs of gtn": graph.num_arcs,
        }

    return [
        Entrant("gtn", ours, lambda: (fresh(lattice),), answer),
        *openfst(
            theirs,
            lambda: [machine(lattice)],
            lambda fst: {
                "least penalty": least(fst),
                "nodes of OpenFst": fst.num_states(),
                "arcs of OpenFst": arcs(fst),
            },
        ),
    ]


LATTICE = Case(
    "lattice",
    f"Determinize a lattice of words by a beam of {_NEAR:g} nats",
    {
        "full": {"words": 1000, "written": 20},
        "quick": {"words": 1000, "written": 10},
        "smallest": {"words": 20, "written": 2},
    },
    _inputs,
    (Race("by a beam", _entrants),),
)
