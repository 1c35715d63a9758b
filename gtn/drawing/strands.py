"""Strands: what a drawing shows of a graph, however it is then placed and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.data import Sources
from gtn.drawing.colors import Ramp
from gtn.drawing.pictures import Picture, pictures_of
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.symbols import visible

__all__ = ["Row", "Strand", "Style", "number", "strands"]

Floats = NDArray[np.float64]
LONGEST = 24  # characters of a symbol that are shown


@dataclass(frozen=True)
class Row:
    """One line of a label: the symbols of an arc and its penalty, as text."""

    arc: int
    symbols: str
    penalty: str
    color: str | None
    highlighted: bool

    @property
    def text(self) -> str:
        """The whole line: ``a:b / 0.5``."""
        return f"{self.symbols} / {self.penalty}" if self.penalty else self.symbols


@dataclass(frozen=True)
class Strand:
    """A curve between two nodes: one arc, or parallel arcs collapsed into one."""

    src: int
    dst: int
    rows: tuple[Row, ...]
    hidden: int
    color: str | None
    width: float | None
    highlighted: bool
    forbidden: bool
    picture: Picture | None
    title: str


@dataclass(frozen=True)
class Style:
    """How the arcs of a graph look: one entry per arc, checked.

    Args:
        graph: the graph to draw.
        highlight: arcs to emphasise: indexes, a mask ``[A]``, :class:`gtn.Sources` among the arcs
            of this graph, or a graph with only such sources, like the result of ``viterbi_path``.
        color: values ``[A]`` to colour the arcs by: posteriors, gradients …
        width: values ``[A]`` for the widths of the curves.
        images: a key of arc data, or ``[A, H, W]``.
        ink: ``"high"`` or ``"low"``, the values that are ink.
        show_penalties: whether to write penalties; by default, unless all are zero.
        max_parallel: more parallel arcs than this are drawn as one curve (``None``: never).
    """

    graph: Graph
    penalties: Floats
    highlighted: NDArray[np.bool_]
    ramp: Ramp | None
    colors: Floats | None
    widths: Floats | None
    pictures: list[Picture | None]
    show_penalties: bool
    max_parallel: int | None

    @classmethod
    def of(
        cls,
        graph: Graph,
        *,
        highlight: Any = None,
        color: Any = None,
        width: Any = None,
        images: Any = None,
        ink: str = "high",
        show_penalties: bool | None = None,
        max_parallel: int | None = None,
    ) -> Style:
        """Return the style that options describe; raises ``GraphError`` for a wrong option."""
        if max_parallel is not None and max_parallel < 1:
            raise GraphError(f"max_parallel is {max_parallel}; at least one arc must be shown")
        penalties = [graph.penalties, graph.start_penalties, graph.final_penalties]
        colors = None if color is None else _values(color, graph, "color")
        widths = None if width is None else _values(width, graph, "width")
        if widths is not None:
            low, high = min(widths.min(initial=0), 0), widths.max(initial=0)
            widths = 0.8 + 2.7 * (widths - low) / (high - low or 1)
        return cls(
            graph=graph,
            penalties=_numbers(graph.penalties),
            highlighted=_highlighted(highlight, graph),
            ramp=None if colors is None else Ramp.of(colors),
            colors=colors,
            widths=widths,
            pictures=pictures_of(graph, images, ink),
            show_penalties=any(bool((p != 0).any()) for p in penalties)
            if show_penalties is None
            else show_penalties,
            max_parallel=max_parallel,
        )

    def row(self, arc: int) -> Row:
        """Return the line that describes an arc."""
        color = None
        if self.ramp is not None and self.colors is not None:
            color = self.ramp.color(self.colors[arc])
        return Row(
            arc,
            visible(self.graph.symbol_pair(arc), LONGEST),
            number(self.penalties[arc]) if self.show_penalties else "",
            color,
            bool(self.highlighted[arc]),
        )

    def strand(self, arcs: Sequence[int], shown: int) -> Strand:
        """Return the curve of parallel arcs; only the best and highlighted ones are listed."""
        ordered = sorted(arcs, key=lambda a: (not self.highlighted[a], self.penalties[a], a))
        kept = sorted(ordered[:shown], key=lambda a: (self.penalties[a], a))
        rows = tuple(self.row(a) for a in kept)
        strongest = max(arcs, key=lambda a: 0 if self.colors is None else abs(self.colors[a]))
        pictured = [a for a in [*kept, *ordered] if self.pictures[a] is not None]
        src, dst = int(self.graph.src[arcs[0]]), int(self.graph.dst[arcs[0]])
        return Strand(
            src,
            dst,
            rows,
            len(arcs) - len(kept),
            self.row(strongest).color,
            None if self.widths is None else float(max(self.widths[a] for a in arcs)),
            any(row.highlighted for row in rows),
            bool(np.isinf(self.penalties[arcs]).all()),
            self.pictures[pictured[0]] if pictured else None,
            self._title(src, dst, arcs),
        )

    def _title(self, src: int, dst: int, arcs: Sequence[int]) -> str:
        told = [f"{src} → {dst}"]
        for a in list(arcs)[:12]:
            line = f"arc {a}: {visible(self.graph.symbol_pair(a), 200)}"
            line += f", penalty {self.penalties[a]:.6g}"
            line += "" if self.colors is None else f", value {self.colors[a]:.6g}"
            told.append(line)
        if len(arcs) > 12:
            told.append(f"… {len(arcs) - 12} more arcs")
        return "\n".join(told)


def strands(style: Style, arcs: range, *, one_loop: bool = False) -> list[Strand]:
    """Return the curves that show some arcs, in the order of their first arcs.

    More than ``max_parallel`` parallel arcs are collapsed; with ``one_loop``, the self loops of a
    node always.
    """
    between: dict[tuple[int, int], list[int]] = {}
    for a in arcs:
        between.setdefault((int(style.graph.src[a]), int(style.graph.dst[a])), []).append(a)
    most = style.max_parallel
    drawn: list[Strand] = []
    for (src, dst), parallel in between.items():
        many = most is not None and len(parallel) > most
        if many or (one_loop and src == dst):
            drawn.append(style.strand(parallel, len(parallel) if most is None else most))
        else:
            drawn += [style.strand([a], 1) for a in parallel]
    return drawn


def number(value: float, digits: int = 3) -> str:
    """Return a penalty as short text.

    >>> [number(x) for x in (0.693922, -0.0, 12.0, 1234.5, float("inf"))]
    ['0.694', '0', '12', '1234', '∞']
    """
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.{digits}g}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def _numbers(tensor: torch.Tensor) -> Floats:
    return tensor.detach().cpu().double().numpy()


def _values(values: Any, graph: Graph, name: str) -> Floats:
    """Return per-arc values as an array ``[A]``, checked."""
    if isinstance(values, torch.Tensor):
        values = _numbers(values)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GraphError(
            f"{name} must be numbers, one per arc, as arc_posteriors(graph) and a gradient of "
            f"penalties are, not {values!r}"
        ) from error
    if array.shape != (graph.num_arcs,):
        raise GraphError(
            f"{name} must have one value per arc, shape [{graph.num_arcs}], not {list(array.shape)}"
        )
    if np.isnan(array).any():
        raise GraphError(f"{name} of arc {int(np.argmax(np.isnan(array)))} is NaN")
    largest = np.abs(array[np.isfinite(array)]).max(initial=1.0)
    return np.clip(array, -largest, largest)


_OF_WHAT_WAS_MADE = (
    "of a path through what was made of this graph, as made = graph @ grammar, "
    "highlight=made.sources[0].then(path.sources[0])"
)


def _check_part(part: Graph, graph: Graph) -> None:
    """Check that the arcs of a graph are connected and labelled like their sources.

    Sources are mere numbers: those of ``viterbi_path(batch)[i]`` are arcs of the batch of paths,
    and as numbers of arcs of ``batch[i]`` they would name other arcs.
    """
    sources = part.sources[0]
    if sources.offsets is not None:
        return
    own = np.flatnonzero((sources.index >= 0) & (sources.index < graph.num_arcs))
    arcs = sources.index[own]
    nodes = np.concatenate([part.src[own], part.dst[own]])
    images = np.concatenate([graph.src[arcs], graph.dst[arcs]])
    image_of = np.empty(part.num_nodes, dtype=np.int32)
    image_of[nodes[::-1]] = images[::-1]  # reversed, so that the first occurrence counts
    wrong = (image_of[nodes] != images).reshape(2, -1).any(axis=0)
    if part.isymbols == graph.isymbols:
        wrong |= part.ilabels[own] != graph.ilabels[arcs]
    if part.osymbols == graph.osymbols:
        wrong |= part.olabels[own] != graph.olabels[arcs]
    if wrong.any():
        first = int(np.argmax(wrong))
        raise GraphError(
            f"the graph to highlight is not part of this one: its arc {own[first]} "
            f"({part.symbol_pair(own[first])}) cannot be arc {arcs[first]} "
            f"({graph.symbol_pair(arcs[first])}); for a batch, give a path found in one graph, "
            "viterbi_path(batch[i]); for one of several paths, as from n_best, "
            f"highlight=paths.sources[0].then(paths[i].sources[0]); {_OF_WHAT_WAS_MADE}; or say "
            "by highlight=path.sources[0] that these arcs are meant"
        )


def _highlighted(highlight: Any, graph: Graph) -> NDArray[np.bool_]:
    mask = np.zeros(graph.num_arcs, dtype=np.bool_)
    if highlight is None:
        return mask
    if isinstance(highlight, Graph):
        if not highlight.sources:
            raise GraphError(
                "the graph to highlight has no sources; give the result of viterbi_path on the "
                "drawn graph, or the indexes of its arcs"
            )
        if len(highlight.sources) > 1:
            raise GraphError(
                f"the graph to highlight is made of {len(highlight.sources)} graphs; say by "
                "highlight=path.sources[k] that the k-th of them is drawn"
            )
        _check_part(highlight, graph)
        highlight = highlight.sources[0]
    if isinstance(highlight, Sources):
        arcs = highlight.index[highlight.index >= 0]
    else:
        given = highlight.detach().cpu() if isinstance(highlight, torch.Tensor) else highlight
        arcs = np.asarray(given)
        if arcs.dtype == np.bool_:
            if arcs.shape != mask.shape:
                raise GraphError(
                    f"the mask to highlight has shape {list(arcs.shape)} for {len(mask)} arcs"
                )
            return arcs.astype(np.bool_)
        arcs = arcs.reshape(-1)
        if arcs.size and arcs.dtype.kind not in "iu":
            raise GraphError(f"highlight must be indexes of arcs, not {arcs.dtype} values")
    bad = arcs[(arcs < 0) | (arcs >= len(mask))] if arcs.size else arcs
    if bad.size:
        hint = f"; {_OF_WHAT_WAS_MADE}" if isinstance(highlight, Sources) else ""
        raise GraphError(
            f"arc {bad[0]} to highlight does not exist: arcs are 0 to {len(mask) - 1}{hint}"
        )
    mask[arcs.astype(np.int64)] = True
    return mask
