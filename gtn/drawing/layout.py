"""Layered layout: the places of nodes, curves and labels in a drawing, as a pure function.

Sugiyama's method, with labels as items of their own: columns of nodes alternate with columns of
labels, and a curve that passes a column is an item there, too. Items of a column never overlap, and
curves bend only between columns, so no curve runs through another arc's label or a node it does
not join.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gtn.drawing.columns import Box, Columns, place, reduce_crossings

__all__ = ["Box", "Layout", "Link", "layered", "layers"]

Floats = NDArray[np.float64]

RADIUS = 10.0
HEAD = 6.0  # length of an arrow head
LOOP = 20.0  # how far a self loop rises above its node
GAP = 9.0  # least vertical distance between two items
MARGIN = 8.0
CUT = 8.0  # how much of the curves beyond a layer shows when a row is cut there


class Link(NamedTuple):
    """A curve to draw from node to node, with the room for its label around a point on it."""

    src: int
    dst: int
    box: Box


@dataclass(frozen=True)
class Layout:
    """Positions in pixels, y downwards, everything inside ``[0, width] x [0, height]``.

    Attributes:
        nodes: centres, ``[N, 2]``.
        curves: for each link a chain of cubic Bezier curves, control points ``[3 k + 1, 2]``,
            from the circle of its source to the tail of its arrow head.
        tips: the point of each link's arrow head, on the circle of its destination, ``[M, 2]``.
        labels: the point of each link's label, on its curve; of a self loop above it; ``[M, 2]``.
        layers: the layer of each node, ``[N]``.
        rooms: how far to the left and to the right each layer goes, with the labels of its self
            loops, ``[L, 2]``. What lies between two layers is in neither.
    """

    nodes: Floats
    curves: list[Floats]
    tips: Floats
    labels: Floats
    layers: list[int]
    rooms: Floats
    width: float
    height: float

    def rows(self, max_width: float | None) -> list[tuple[float, float]]:
        """Return the rows into which the drawing is cut: the first and last x of each.

        The layer at a cut ends one row and begins the next. Rows are not wider than ``max_width``,
        unless two neighbouring layers take more; ``None``: one row.

        >>> nodes, links = [Box(0, 0, 0, 0)] * 3, [Link(i, i + 1, Box(9, 9, 9, 9)) for i in (0, 1)]
        >>> drawn = layered(nodes, links, [0])
        >>> drawn.rows(150.0), drawn.width
        ([(0.0, 126.0), (76.0, 202.0)], 202.0)
        """
        if max_width is None:
            return [(0.0, self.width)]
        rows, begin, cut = [], 0.0, 0
        while self.width - begin > max_width and cut + 1 < len(self.rooms) - 1:
            ends = self.rooms[cut + 1 : -1, 1] + CUT
            cut += max(1, int(np.searchsorted(ends, begin + max_width, side="right")))
            rows.append((begin, float(self.rooms[cut, 1]) + CUT))
            begin = float(self.rooms[cut, 0]) - CUT
        return [*rows, (begin, self.width)]


def layers(num_nodes: int, pairs: Sequence[tuple[int, int]], starts: Sequence[int]) -> list[int]:
    """Return the layer of each node: its topological generation, left to right.

    In a cycle, an arc back to a node that breadth-first search from the starts saw earlier counts
    as reversed. Only self loops stay within a layer.

    >>> layers(4, [(0, 1), (1, 2), (2, 1), (1, 3)], [0])
    [0, 1, 2, 2]
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(range(num_nodes))
    graph.add_edges_from((a, b) for a, b in pairs if a != b)
    rank: dict[int, int] = {}
    for root in [*starts, *range(num_nodes)]:
        if root not in rank:
            for node in [root, *(b for _, b in nx.bfs_edges(graph, root))]:
                rank.setdefault(node, len(rank))
    component = {n: c for c, ns in enumerate(nx.strongly_connected_components(graph)) for n in ns}
    forward = nx.DiGraph()
    forward.add_nodes_from(range(num_nodes))
    for a, b in graph.edges:
        back = component[a] == component[b] and rank[b] < rank[a]
        forward.add_edge(*((b, a) if back else (a, b)))
    layer = [0] * num_nodes
    for depth, generation in enumerate(nx.topological_generations(forward)):
        for node in generation:
            layer[node] = depth
    for node in range(num_nodes):  # a node that only joins in later is placed where it does
        if forward.in_degree(node) == 0 and forward.out_degree(node) and node not in starts:
            layer[node] = min(layer[b] for b in forward.successors(node)) - 1
    return layer


def layered(nodes: Sequence[Box], links: Sequence[Link], starts: Sequence[int] = ()) -> Layout:
    """Return the layout of nodes and links; equal arguments give equal layouts.

    Args:
        nodes: the room that each node takes in addition to its circle and its self loops.
        links: at most one self loop for each node.
        starts: nodes that come first.

    >>> label = Box(20, 20, 15, 3)
    >>> drawn = layered([Box(0, 0, 0, 0)] * 2, [Link(0, 1, label), Link(0, 1, label)], [0])
    >>> bool(drawn.nodes[0, 1] == drawn.nodes[1, 1]), len(drawn.curves)
    (True, 2)
    """
    layer = layers(len(nodes), [(link.src, link.dst) for link in links], starts)
    reach = RADIUS + HEAD + 1
    boxes = [
        Box(max(b.left, reach), max(b.right, reach), b.above + RADIUS, b.below + RADIUS)
        for b in nodes
    ]
    for link in links:
        if link.src == link.dst:
            own, loop = boxes[link.src], link.box
            boxes[link.src] = Box(
                max(own.left, loop.left),
                max(own.right, loop.right),
                max(own.above, RADIUS + LOOP + loop.above),
                own.below,
            )
    columns = Columns(2 * max(layer, default=-1) + 1)
    items = [columns.add(2 * layer[n], boxes[n]) for n in range(len(nodes))]
    chains = [_chain(columns, link, layer, items) for link in links]
    reduce_crossings(columns)
    y = place(columns, GAP)
    x, left, right = _abscissae(columns, y)
    points = np.array([(x[columns.of[i]], y[i]) for i in range(len(y))]).reshape(-1, 2)

    curves, tips, labels = [], [], []
    for link, (chain, at) in zip(links, chains, strict=True):
        if link.src == link.dst:
            curve, tip, label = _loop(points[items[link.src]])
        else:
            curve, tip = _curve(points, columns, chain, left, right, link.src != chain[0])
            label = points[chain[at]]
        curves.append(curve)
        tips.append(tip)
        labels.append(label)
    low, high = _bounds(points, columns, curves)
    return Layout(
        nodes=points[items].reshape(-1, 2) - low,
        curves=[curve - low for curve in curves],
        tips=np.array(tips).reshape(-1, 2) - low,
        labels=np.array(labels).reshape(-1, 2) - low,
        layers=layer,
        rooms=np.stack([x - left, x + right], axis=1)[::2] - low[0],
        width=float(high[0] - low[0]),
        height=float(high[1] - low[1]),
    )


def _chain(
    columns: Columns, link: Link, layer: Sequence[int], items: Sequence[int]
) -> tuple[list[int], int]:
    """Return the items of a link from left to right, and which of them carries the label."""
    if link.src == link.dst:
        return [items[link.src]], 0
    first, last = sorted((link.src, link.dst), key=lambda n: layer[n])
    columns_between = range(2 * layer[first] + 1, 2 * layer[last])
    middle = (layer[last] - layer[first] - 1) // 2 * 2
    chain = [items[first]]
    for i, column in enumerate(columns_between):
        chain.append(columns.add(column, link.box if i == middle else Box(0, 0, 3, 3)))
    chain.append(items[last])
    for a, b in pairwise(chain):
        columns.join(a, b, straightness=12.0 if a != chain[0] and b != chain[-1] else 1.0)
    return chain, middle + 1


def _abscissae(columns: Columns, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the middle of each column, and how far it goes to the left and to the right."""
    count = len(columns.items)
    left = np.array([max((columns.boxes[i].left for i in c), default=0) for c in columns.items])
    right = np.array([max((columns.boxes[i].right for i in c), default=0) for c in columns.items])
    rise = np.zeros(count)  # the steepest curve before each column
    for a, b in columns.joints:
        rise[columns.of[b]] = max(rise[columns.of[b]], abs(y[a] - y[b]))
    x = np.zeros(count)
    for c in range(1, count):
        x[c] = x[c - 1] + right[c - 1] + np.clip(0.45 * rise[c], 12, 70) + left[c]
    return x, left, right


def _curve(
    points: Floats,
    columns: Columns,
    chain: Sequence[int],
    left: Floats,
    right: Floats,
    backwards: bool,
) -> tuple[Floats, Floats]:
    """Return the control points of a link and the tip of its arrow head.

    Within a column the curve is straight and stays in the room of its item, half of the gaps to
    the neighbours included; it bends between columns.
    """
    first, last = points[chain[0]], points[chain[-1]]
    slopes = [0.0] * len(chain)
    for k in range(1, len(chain) - 1):
        before, here, after = points[chain[k - 1]], points[chain[k]], points[chain[k + 1]]
        box, column = columns.boxes[chain[k]], columns.of[chain[k]]
        free = GAP / 2 + min(box.above, box.below) if box.left == 0 else 2.0
        falls = (here[1] - before[1], after[1] - here[1])
        if falls[0] * falls[1] > 0:  # no slope at a turning point, and none that overshoots
            free = min(free, 0.4 * abs(falls[0]), 0.4 * abs(falls[1]))
            steepest = free / max(left[column], right[column], 1.0)
            slope = (after[1] - before[1]) / (after[0] - before[0])
            slopes[k] = float(np.clip(slope, -steepest, steepest))
    enter, leave = chain[1], chain[-2]
    away = _slope(first, points[enter] - (left[columns.of[enter]], 0), right[columns.of[chain[0]]])
    home = _slope(last, points[leave] + (right[columns.of[leave]], 0), left[columns.of[chain[-1]]])
    tail, head = (RADIUS + HEAD - 1, RADIUS) if backwards else (RADIUS, RADIUS + HEAD - 1)
    path = [first + tail * away / np.hypot(*away)]
    _straight(path, first + right[columns.of[chain[0]]] * away)
    leaving = away
    for item, slope in zip(chain[1:-1], slopes[1:-1], strict=True):
        along = np.array([1.0, slope])
        _bend(path, points[item] - left[columns.of[item]] * along, leaving, along)
        _straight(path, points[item] + right[columns.of[item]] * along)
        leaving = along
    _bend(path, last + left[columns.of[chain[-1]]] * home, leaving, -home)
    _straight(path, last + head * home / np.hypot(*home))
    tip = first + RADIUS * away / np.hypot(*away)
    if backwards:
        return np.array(path[::-1]), tip
    return np.array(path), last + RADIUS * home / np.hypot(*home)


def _slope(centre: Floats, to: Floats, edge: float) -> Floats:
    """Return the direction ``(±1, slope)`` in which a curve leaves a node.

    It is not so steep that it meets the neighbours within the column, which ends at ``edge``.
    """
    dx, dy = to - centre
    steepest = (RADIUS + GAP / 2) / edge
    slope = dy / (edge + 0.5 * (abs(dx) - edge))
    return np.array([np.sign(dx), steepest * np.tanh(slope / steepest)])


def _straight(path: list[Floats], to: Floats) -> None:
    path += [path[-1] + (to - path[-1]) / 3, path[-1] + (to - path[-1]) * 2 / 3, to]


def _bend(path: list[Floats], to: Floats, leaving: Floats, arriving: Floats) -> None:
    """Append a curve to a point, with directions ``(±1, slope)`` at both ends."""
    reach = 0.45 * abs(to[0] - path[-1][0])
    path += [path[-1] + reach * leaving, to - reach * arriving, to]


def _loop(centre: Floats) -> tuple[Floats, Floats, Floats]:
    lean = np.array([0.5, -np.sqrt(0.75)])
    start, tip = centre + RADIUS * lean * (-1, 1), centre + RADIUS * lean
    end = tip + (HEAD - 1) * lean
    top = centre - (0, RADIUS + LOOP)
    curve = [start, start - (8, 14), top - (9, 0), top, top - (-9, 0), end + 8 * lean, end]
    return np.array(curve), tip, top


def _bounds(points: Floats, columns: Columns, curves: Sequence[Floats]) -> tuple[Floats, Floats]:
    if len(points) == 0:
        return np.zeros(2), np.full(2, 2 * MARGIN)
    boxes = np.array(columns.boxes)
    corners = np.concatenate(
        [points - boxes[:, [0, 2]], points + boxes[:, [1, 3]], *curves], dtype=np.float64
    )
    return corners.min(0) - MARGIN, corners.max(0) + MARGIN
