"""Measure what a beam costs: error and time of decoding against the width of the beam."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import gtn
from demos.figures import keep_figures, machine
from demos.words.reading.lexicon import task_words
from demos.words.reading.reader import WordReader
from demos.words.samples.words import CATEGORY, load_words
from grammars.decoding import Decoder
from recognizers.online.unipen_cache import load_unipen

__all__ = ["BEAMS", "ENOUGH", "measure_beams", "write_beams"]

BEAMS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0)

ENOUGH = 0.002
"""Word error that a beam may add to that of the widest one."""


def measure_beams(
    reader: WordReader,
    recognized: Sequence[gtn.Graph],
    labels: Sequence[str],
    lexicon: gtn.Graph,
    beams: Sequence[float] = BEAMS,
) -> list[dict[str, float]]:
    """Read words with beams of each width; time only the search and the best path.

    Args:
        recognized: recognition graphs of the words.
        labels: their labels.

    Returns:
        for each beam `word_error`; processor time in `ms` (mean), `ms_95` (95th percentile) and
        `ms_most`; and the mean number of `arcs` kept.
    """
    widest = reader.decoder(lexicon, max(beams))
    found = []
    with torch.no_grad():
        _read(widest, recognized[0])  # compiles, and makes the indexes of the lexicon
        for beam in beams:
            decoder = widest.with_beam(beam)
            texts, seconds, arcs = zip(*(_read(decoder, one) for one in recognized), strict=True)
            ms = 1000.0 * np.array(seconds)
            found.append(
                {
                    "beam": beam,
                    "word_error": float(np.mean([a != b for a, b in zip(texts, labels)])),
                    "ms": float(ms.mean()),
                    "ms_95": float(np.quantile(ms, 0.95)),
                    "ms_most": float(ms.max()),
                    "arcs": float(np.mean(arcs)),
                }
            )
    return found


def _read(decoder: Decoder, recognized: gtn.Graph) -> tuple[str, float, int]:
    """Return the text read, the seconds it took, and the number of arcs kept."""
    started = time.process_time()
    kept = decoder.search(recognized)
    text = gtn.path_text(gtn.viterbi_path(kept), "output") if kept.num_nodes else ""
    return text, time.process_time() - started, kept.num_arcs


def write_beams(
    reader: WordReader,
    data: Path,
    results: Path,
    *,
    sizes: Sequence[int],
    count: int,
    beams: Sequence[float] = BEAMS,
    side: str = "test",
    cache: Path | None = None,
) -> Path:
    """Measure the beams on words of one side of the writers; return the file of the figures.

    The words are `count` of the side, spread evenly over it; the lexicons are those of the task,
    one for each of `sizes`, in words.

    Raises:
        ValueError: there are no words by these writers.
    """
    labels = [s.label for s in load_unipen(data, [CATEGORY], cache).segments]
    words = load_words(data, normaliser=reader.normaliser, cache=cache, sides=(side,))
    if not len(words):
        raise ValueError(f"{data}: no word by the writers of the side {side!r}")
    some = words.take(np.unique(np.linspace(0, len(words) - 1, count).astype(int)))
    recognized = [reader.recognized(ink)[2].detach().double() for ink in some.inks]
    path = results / f"beam-{reader.system}.json"
    content = {
        "command": f"python -m demos.words beam --system {reader.system} --count {count} "
        + " ".join(f"--size {size}" for size in sizes),
        "system": reader.system,
        "n_words": len(some),
        "side": side,
        "machine": machine(),
        "torch": torch.__version__,
        "lexicons": [],
    }
    for size in sizes:
        started = time.process_time()
        list_ = task_words(labels, size)
        graph = reader.lexicon(list_)
        seconds = time.process_time() - started
        figures = measure_beams(reader, recognized, some.labels, graph, beams)
        lexicon: dict[str, Any] = {
            "words": len(list_),
            "arcs": graph.num_arcs,
            "nodes": graph.num_nodes,
            "seconds_to_build": seconds,
            "beams": figures,
        }
        content["lexicons"].append(lexicon)
    keep_figures(path, content)
    return path
