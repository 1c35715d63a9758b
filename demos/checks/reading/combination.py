"""Combine several readers: scale and project their interpretation graphs, intersect or unite them.

Each reader's graph of a field, projected to its output, accepts texts. In the *intersection* the
penalties of a text add up: all readers must agree, like independent witnesses. In the *union* a
text has the paths of all: one reader is enough. The penalty of a text is minus the logarithm of its
posterior, scaled: a scale above one makes a reader more certain than it claims, one below one less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

import gtn
from demos.checks.choices import WAYS
from demos.checks.reading.reader import CheckReader, Reading
from demos.checks.reading.texts import mean, texts_of
from demos.checks.reading.views import prepare_files
from recognizers.images import ImageError

__all__ = ["combined", "read_together"]

LIKELIEST = 64
"""Number of texts considered per view."""


def combined(graphs: Sequence[gtn.Graph], way: str) -> gtn.Graph:
    """Return the intersection or the union of acceptors of texts; the union if they disagree.

    >>> a = gtn.union(gtn.string("1"), gtn.string("7"))
    >>> [gtn.path_text(p) for p in gtn.n_best(combined([a, gtn.string("7")], "intersection"), 2)]
    ['7']
    """
    if way not in WAYS:
        raise ValueError(f"{way!r} is not a way of combining; choose from {', '.join(WAYS)}")
    able = [graph for graph in graphs if graph.num_nodes]
    if way == "intersection" and len(able) == len(graphs):
        met = able[0]
        for graph in able[1:]:
            met = gtn.intersect(met, graph)
        if met.num_nodes:
            return met
    return gtn.union(*able) if able else graphs[0]


@torch.no_grad()
def texts_graph(reader: CheckReader, views: Sequence[object], scale: float) -> gtn.Graph:
    """Return the acceptor of the texts that a reader finds in the views of a field.

    It is the projection of the interpretation graphs to their outputs, without epsilons, with one
    path per text, limited to the ``LIKELIEST`` texts of each view. The penalty of a text is minus
    the logarithm of its posterior, times the scale.
    """
    found = reader.recognize.texts(views, reader.grammar(), LIKELIEST)
    posteriors = {text: p for text, p in mean(found).items() if p > 0.0}
    table = reader.rules.graph.osymbols
    if not posteriors:
        return gtn.empty(symbols=table, dtype=torch.float64)
    strings = gtn.strings(list(posteriors), symbols=table).double()
    penalties = -scale * torch.tensor(list(posteriors.values()), dtype=torch.float64).log()
    united = gtn.union(*strings.with_penalties(strings.penalties, start_penalties=penalties))
    return gtn.minimize(gtn.determinize(gtn.remove_epsilon(united)))


def read_together(
    readers: Sequence[CheckReader],
    paths: Sequence[Path],
    way: str,
    *,
    scales: Sequence[float] | None = None,
    workers: int = 1,
) -> Iterator[tuple[Path, Reading | ImageError]]:
    """Yield each file with the combined reading of all readers, or with the error of the file.

    The first reader sets the threshold of acceptance.
    """
    scales = [1.0] * len(readers) if scales is None else scales
    prepared = [
        prepare_files(paths, one.recognize.prepare, workers, views=one.views) for one in readers
    ]
    for found in zip(*prepared, strict=True):
        path = found[0][0]
        results = [result for _, result in found]
        error = next((r for r in results if isinstance(r, ImageError)), None)
        if error is not None:
            yield path, error
            continue
        graphs = [
            texts_graph(reader, views, scale)
            for reader, views, scale in zip(readers, results, scales, strict=True)
            if not isinstance(views, ImageError)
        ]
        joint = combined(graphs, way)
        texts = texts_of(gtn.GraphBatch.from_graphs([joint])) if joint.num_nodes else [{}]
        yield path, readers[0].reading(texts)
