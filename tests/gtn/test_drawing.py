"""Drawing: properties of the layout's geometry, the files written, and what is refused."""

import base64
import os
import shutil
import stat
import struct
import subprocess
import xml.etree.ElementTree as ET
import zlib
from io import BytesIO
from itertools import pairwise
from math import inf

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import gtn
from gtn.drawing import Box, Drawing, Link, draw, layered, notebook_html, to_dot, to_svg
from gtn.drawing.colors import ACCENT, Ramp
from gtn.drawing.columns import Columns, crossings, isotonic, reduce_crossings
from gtn.drawing.layout import CUT, GAP, RADIUS, layers
from gtn.drawing.pictures import png
from gtn.testing import batches, graphs

SVG = "{http://www.w3.org/2000/svg}"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="no dot program")

FIG20 = [
    (0, 1, "3", 0.1),
    (0, 1, "5", 2.3),
    (1, 2, "4", 0.4),
    (1, 2, "2", 1.3),
    (2, 3, "1", 0.1),
    (2, 3, "4", 2.4),
    (0, 2, "3", 3.4),
    (0, 2, "4", 4.4),
    (1, 3, "4", 0.6),
    (1, 3, "9", 1.2),
]


@pytest.fixture
def fig20():
    return gtn.from_arcs(FIG20, final=3)


def texts(svg):
    return [e.text for e in ET.fromstring(svg).iter(f"{SVG}text")]


def symbols(svg):
    return [e.text for e in ET.fromstring(svg).iter(f"{SVG}text") if e.get("font-size") == "11"]


def titles(svg):
    return [e.text for e in ET.fromstring(svg).iter(f"{SVG}title")]


def sampled(curve):
    """Points on a chain of cubic Bezier curves."""
    t = np.linspace(0, 1, 25)[:, None]
    pieces = [curve[i : i + 4] for i in range(0, len(curve) - 1, 3)]
    return np.concatenate(
        [
            (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
            for a, b, c, d in pieces
        ]
    )


# -- layout ---------------------------------------------------------------------------------------


@st.composite
def problems(draw):
    """Nodes and links of all kinds: cycles, parallel links, self loops, unreached nodes."""
    n = draw(st.integers(1, 9))
    node = st.integers(0, n - 1)
    pairs = draw(st.lists(st.tuples(node, node), max_size=25))
    pairs = [p for i, p in enumerate(pairs) if p[0] != p[1] or p not in pairs[:i]]
    side = st.floats(0, 40)
    boxes = st.builds(Box, side, side, side, side)
    links = [Link(a, b, draw(boxes)) for a, b in pairs]
    nodes = [draw(boxes) for _ in range(n)]
    starts = draw(st.lists(node, max_size=3, unique=True).map(sorted))
    return nodes, links, starts


@given(problems())
def test_nothing_overlaps_and_everything_is_inside(problem):
    nodes, links, starts = problem
    drawn = layered(nodes, links, starts)
    assert drawn.nodes.shape == (len(nodes), 2)
    assert len(drawn.curves) == len(drawn.tips) == len(drawn.labels) == len(links)

    loops = {k.src for k in links if k.src == k.dst}
    rooms = [
        (x - max(b.left, RADIUS), y - RADIUS - b.above, x + max(b.right, RADIUS), y + RADIUS)
        for (x, y), b in zip(drawn.nodes, nodes, strict=True)
    ]
    labels = [
        (x - b.left, y - b.above, x + b.right, y + (0 if k.src == k.dst else b.below))
        for (x, y), k in zip(drawn.labels, links, strict=True)
        for b in [k.box]
    ]
    for i, a in enumerate([*rooms, *labels]):
        assert min(a[:2]) >= 0
        assert a[2] <= drawn.width
        assert a[3] <= drawn.height
        for j, b in enumerate([*rooms, *labels][:i]):
            link = links[i - len(nodes)] if i >= len(nodes) else None
            own = link is not None and link.src == link.dst == j
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart or own, (i, j)

    for i, (link, curve) in enumerate(zip(links, drawn.curves, strict=True)):
        points = sampled(curve)
        assert np.isfinite(points).all()
        assert (points >= 0).all()
        assert (points <= (drawn.width, drawn.height)).all()
        for n, centre in enumerate(drawn.nodes):
            least = np.hypot(*(points - centre).T).min()
            if n in (link.src, link.dst):
                assert least >= RADIUS - 0.5
            else:
                assert least > RADIUS + 1, (i, n)
        for j, (x0, y0, x1, y1) in enumerate(labels):
            inside = (points > (x0, y0)) & (points < (x1, y1 - 1e-6))
            loop = links[j].src == links[j].dst and links[j].src in loops
            if j != i and not loop:
                assert not inside.all(1).any(), (i, j)
        ends = np.array([drawn.nodes[link.src], drawn.nodes[link.dst]])
        assert np.hypot(*(curve[0] - ends[0])) == pytest.approx(RADIUS, abs=1e-6)
        assert np.hypot(*(drawn.tips[i] - ends[1])) == pytest.approx(RADIUS, abs=1e-6)


@given(problems(), st.floats(10, 500))
def test_rows_show_every_node_and_label_whole(problem, max_width):
    nodes, links, starts = problem
    drawn = layered(nodes, links, starts)
    rows = drawn.rows(max_width)
    assert (rows[0][0], rows[-1][1]) == (0.0, drawn.width)
    spans = [(x - max(b.left, RADIUS), x + max(b.right, RADIUS))
             for (x, _), b in zip(drawn.nodes, nodes, strict=True)]  # fmt: skip
    spans += [(x - k.box.left, x + k.box.right)
              for (x, _), k in zip(drawn.labels, links, strict=True)]  # fmt: skip
    for left, right in spans:
        assert any(a <= left and right <= b for a, b in rows)
    # A layer ends a row and begins the next; a row that is too wide joins two neighbouring layers.
    cuts = [int(np.flatnonzero(drawn.rooms[:, 1] + CUT == b)[0]) for _, b in rows[:-1]]
    assert [a for a, _ in rows[1:]] == [drawn.rooms[k, 0] - CUT for k in cuts]
    ends = [0, *cuts, len(drawn.rooms) - 1]
    for (a, b), (first, last) in zip(rows, pairwise(ends), strict=True):
        assert b - a <= max_width or last - first <= 1
    assert drawn.rows(None) == drawn.rows(drawn.width) == [(0.0, drawn.width)]


@given(problems())
def test_layout_is_deterministic_and_keeps_its_arguments(problem):
    nodes, links, starts = problem
    first, second = layered(nodes, links, starts), layered(list(nodes), list(links), list(starts))
    assert (first.nodes == second.nodes).all()
    assert all((a == b).all() for a, b in zip(first.curves, second.curves, strict=True))


@given(problems())
def test_no_arc_stays_in_a_layer_and_acyclic_graphs_go_right(problem):
    nodes, links, starts = problem
    pairs = [(k.src, k.dst) for k in links]
    layer = layers(len(nodes), pairs, starts)
    assert all(layer[a] != layer[b] for a, b in pairs if a != b)
    forward = [(min(p), max(p)) for p in pairs]
    layer = layers(len(nodes), forward, starts)
    assert all(layer[a] < layer[b] for a, b in forward if a != b)


def test_a_symmetric_graph_is_drawn_symmetrically():
    label = Box(20, 20, 10, 10)
    drawn = layered([Box(0, 0, 0, 0)] * 3, [Link(i // 2, i // 2 + 1, label) for i in range(4)], [0])
    assert np.ptp(drawn.nodes[:, 1]) < 1e-6
    assert drawn.labels[0, 1] - drawn.nodes[0, 1] == pytest.approx(
        drawn.nodes[0, 1] - drawn.labels[1, 1]
    )
    assert drawn.labels[1, 1] - drawn.labels[0, 1] == pytest.approx(20 + GAP)


@example([(0, 0), (0, 1), (1, 1), (1, 3), (1, 4), (2, 4), (4, 1)])  # sweeps find no order as good
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), unique=True, max_size=12))
def test_crossings_are_counted(pairs):
    columns = Columns(2)
    left = [columns.add(0, Box(0, 0, 0, 0)) for _ in range(5)]
    right = [columns.add(1, Box(0, 0, 0, 0)) for _ in range(5)]
    for a, b in pairs:
        columns.join(left[a], right[b], 1)
    expected = sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(pairs) for c, d in pairs[:i])
    assert crossings(columns, 0) == expected
    reduce_crossings(columns)
    assert crossings(columns, 0) <= expected
    assert sorted(columns.items[1]) == right


def test_crossings_that_need_not_be_vanish():
    columns = Columns(2)
    left = [columns.add(0, Box(0, 0, 0, 0)) for _ in range(6)]
    right = [columns.add(1, Box(0, 0, 0, 0)) for _ in range(6)]
    for a, b in zip(left, reversed(right), strict=True):
        columns.join(a, b, 1)
    reduce_crossings(columns)
    assert crossings(columns, 0) == 0


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 5)), min_size=1, max_size=8))
def test_isotonic_is_the_nearest_non_decreasing_row(rows):
    values, strengths = (np.array(column, float) for column in zip(*rows, strict=True))
    fitted = isotonic(values, strengths)
    assert (np.diff(fitted) >= -1e-12).all()
    n = len(values)
    # the min-max formula of isotonic regression
    mean = [
        [
            np.average(values[a : b + 1], weights=strengths[a : b + 1]) if a <= b else 0
            for b in range(n)
        ]
        for a in range(n)
    ]
    expected = [max(min(mean[a][b] for b in range(i, n)) for a in range(i + 1)) for i in range(n)]
    np.testing.assert_allclose(fitted, expected, atol=1e-9)


# -- SVG ------------------------------------------------------------------------------------------


@given(
    graphs(acyclic=False, epsilons=True, acceptor=False, infinite=True),
    st.booleans(),
    st.booleans(),
)
def test_every_graph_is_drawn(graph, colored, wide):
    values = torch.arange(graph.num_arcs) - 2.0
    svg = to_svg(
        graph,
        engine="layered",
        color=values if colored else None,
        width=values if wide else None,
        highlight=np.arange(graph.num_arcs) % 2 == 0,
        max_parallel=None,
    )
    root = ET.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    circles = list(root.iter(f"{SVG}circle"))
    assert len(circles) == graph.num_nodes + len(graph.finals)
    for circle in circles:
        x, y, r = (float(circle.get(k)) for k in ("cx", "cy", "r"))
        assert r <= x <= width - r
        assert r <= y <= height - r
    told = "\n".join(titles(svg))
    assert all(f"arc {a}: " in told for a in range(graph.num_arcs))
    assert svg == to_svg(
        graph,
        engine="layered",
        color=values if colored else None,
        width=values if wide else None,
        highlight=np.arange(graph.num_arcs) % 2 == 0,
        max_parallel=None,
    )


@given(batches(acyclic=False))
def test_batches_show_their_first_graphs(batch):
    shown = texts(to_svg(batch, engine="layered", max_graphs=2))
    captions = [t for t in shown if t and t.startswith("graph ")]
    assert captions == [f"graph {i} of {len(batch)}" for i in range(min(len(batch), 2))]
    assert "subgraph cluster_0" in to_dot(batch).source
    ET.fromstring(notebook_html(batch))


SYMBOLS = ["<b>", "a&b", '"', "'", "\\", "\\n", " ", "", "\n", "\x07", "ε'", "漢字", "🙂", "\ud800"]


def test_all_symbols_can_be_written():
    table = gtn.SymbolTable(SYMBOLS)
    graph = gtn.from_arrays(
        np.zeros(len(table), int),
        np.ones(len(table), int),
        np.arange(len(table)),
        final=1,
        symbols=table,
    )
    svg = to_svg(graph, engine="layered", max_parallel=None)
    svg.encode("utf-8")
    shown = texts(svg)
    for symbol in ("<b>", "a&b", '"', "'", "\\", "\\n", "␣", '""', "\\x07", "漢字", "\\ud800"):
        assert symbol in shown
    to_dot(graph).source.encode("utf-8")
    long = gtn.from_arcs([(0, 1, "x" * 300)], final=1)
    assert "x" * 23 + "…" in texts(to_svg(long, engine="layered"))


def test_the_figure_of_the_paper_shows_its_numbers(fig20):
    shown = texts(to_svg(fig20, engine="layered"))
    for _, _, symbol, penalty in FIG20:
        assert symbol in shown
        assert str(penalty) in shown
    without = texts(to_svg(fig20, engine="layered", show_penalties=False))
    assert "3.4" not in without
    assert "0" not in texts(to_svg(gtn.string([5]), engine="layered"))[2:]  # zeros are not written


def test_start_and_final_penalties_and_forbidden_arcs():
    graph = gtn.from_arcs(
        [(0, 1, "a", inf), (1, 0, "b", 1.0)], start={0: 0.75, 1: 2.5}, final={1: 7.25}
    )
    svg = to_svg(graph, engine="layered")
    assert {"0.75", "2.5", "7.25", "∞"} <= set(texts(svg))
    assert svg.count("stroke-dasharray") == 1


def test_parallel_arcs_are_collapsed_to_the_best():
    penalties = [5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 8.0]
    graph = gtn.from_arcs([(0, 1, str(i), p) for i, p in enumerate(penalties)], final=1)
    svg = to_svg(graph, engine="layered", max_parallel=3)
    assert symbols(svg) == ["1", "3", "4"]
    assert "+4" in texts(svg)
    assert len(titles(svg)) == 1
    svg = to_svg(graph, engine="layered", max_parallel=3, highlight=[5])
    assert symbols(svg) == ["1", "3", "5"]  # highlighted: always shown
    assert len(titles(to_svg(graph, engine="layered", max_parallel=7))) == 7
    assert "+4" in to_dot(graph, max_parallel=3).source


def test_highlight_by_indexes_mask_and_path(fig20):
    by_index = to_svg(fig20, engine="layered", highlight=[0, 2, 4])
    mask = np.isin(np.arange(10), [0, 2, 4])
    assert by_index == to_svg(fig20, engine="layered", highlight=mask)
    assert by_index == to_svg(fig20, engine="layered", highlight=torch.tensor([4, 0, 2]))
    assert by_index == to_svg(fig20, engine="layered", highlight=gtn.viterbi_path(fig20))
    assert by_index.count('font-weight="bold"') == 3
    assert by_index.count(f'stroke="{ACCENT}"') == 3
    assert ACCENT not in to_svg(fig20, engine="layered")
    none = to_svg(fig20, engine="layered", highlight=[])
    assert none == to_svg(fig20, engine="layered")


def test_colours_follow_the_sign():
    ramp = Ramp.of(np.array([-1.0, 4.0]))
    assert (ramp.low, ramp.high) == (-4, 4)
    red, blue = ramp.color(4), ramp.color(-4)
    assert int(red[1:3], 16) > int(red[5:7], 16)
    assert int(blue[1:3], 16) < int(blue[5:7], 16)
    assert Ramp.of(np.zeros(0)).color(0) == Ramp.of(np.zeros(3)).color(0)
    dark = [
        sum(int(Ramp.of(np.array([0.0, 1.0])).color(v)[i : i + 2], 16) for i in (1, 3, 5))
        for v in np.linspace(0, 1, 20)
    ]
    assert all(a > b for a, b in pairwise(dark))
    assert Ramp.of(np.array([-2.0, -1.0])).color(-2.0) == Ramp.of(np.array([2.0])).color(2.0)


def test_colours_of_arcs_and_their_legend(fig20):
    gradient = torch.tensor([0.1159, -0.0973, *[0.0] * 7, -0.1642])
    svg = to_svg(fig20, engine="layered", color=gradient)
    assert {"−0.164", "0.164"} <= set(texts(svg))
    ramp = Ramp.of(gradient.double().numpy())
    assert f'stroke="{ramp.color(-0.1642)}"' in svg
    infinite = to_svg(fig20, engine="layered", color=[inf, *range(9)])
    assert f'stroke="{Ramp.of(np.arange(9.0)).color(8)}"' in infinite


def test_background():
    graph = gtn.string([1])
    assert '<rect width="100%" height="100%" fill="white"' in to_svg(graph, engine="layered")
    transparent = to_svg(graph, engine="layered", background=None)
    assert "100%" not in transparent
    assert "white" not in transparent
    assert "currentColor" in transparent


# -- pictures -------------------------------------------------------------------------------------


def decoded(data):
    """The pixels of a grey PNG file without row filters."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        chunks[kind] = body
        at += 12 + length
    width, height, depth, color = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, color) == (8, 0)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert (rows[:, 0] == 0).all()
    return rows[:, 1:]


@given(st.integers(1, 6), st.integers(1, 6), st.randoms(use_true_random=False))
def test_png_keeps_the_pixels(height, width, random):
    pixels = np.array(
        [[random.randrange(256) for _ in range(width)] for _ in range(height)], dtype=np.uint8
    )
    np.testing.assert_array_equal(decoded(png(pixels)), pixels)


def test_pillow_reads_our_png():
    image = pytest.importorskip("PIL.Image")
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(np.array(image.open(BytesIO(png(pixels)))), pixels)


def pictures(svg):
    uris = [e.get("href") for e in ET.fromstring(svg).iter(f"{SVG}image")]
    return [decoded(base64.b64decode(uri.removeprefix("data:image/png;base64,"))) for uri in uris]


def test_images_on_arcs_dark_ink_on_white():
    ink = np.zeros((2, 2, 3))
    ink[0, 0, 0], ink[1, 1, 1] = 4, 2
    graph = gtn.from_arcs([(0, 1, "a", 1.0), (1, 2, "b", 1.0)], final=2, data={"image": ink})
    high = pictures(to_svg(graph, images="image"))
    assert high[0].tolist() == [[0, 255, 255], [255, 255, 255]]
    assert high[1].tolist() == [[255, 255, 255], [255, 128, 255]]
    low = pictures(to_svg(graph, images=torch.tensor(ink)[:, None], ink="low"))
    assert low[0].tolist() == [[255, 0, 0], [0, 0, 0]]
    constant = pictures(to_svg(graph, images=np.ones((2, 2, 2), bool)))
    assert (constant[0] == 255).all()


def test_missing_images_are_not_drawn():
    image = gtn.Column(np.eye(3)[None], gtn.Sources(np.array([-1, 0], np.int32)))
    graph = gtn.from_arcs([(0, 1, "a"), (1, 1, "b")], final=1, data={"image": image})
    assert len(pictures(to_svg(graph, images="image"))) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "ink"}, r"no arc data 'ink'"),
        ({"images": np.zeros((3, 2, 2))}, r"must be \[10, H, W\]"),
        ({"images": np.full((10, 2, 2), np.nan)}, "image of arc 0"),
        ({"images": np.zeros((10, 2, 2)), "ink": "dark"}, "'high' or 'low'"),
        ({"color": "posterior"}, "color must be numbers, one per arc"),
        ({"color": [1.0]}, r"shape \[10\], not \[1\]"),
        ({"color": [*range(9), np.nan]}, "color of arc 9 is NaN"),
        ({"width": torch.ones(10, 2)}, r"shape \[10\], not \[10, 2\]"),
        ({"highlight": [10]}, "arc 10 to highlight does not exist: arcs are 0 to 9"),
        ({"highlight": [0.5]}, "indexes of arcs"),
        ({"highlight": [True]}, "mask"),
        ({"highlight": gtn.string([1])}, "no sources"),
        ({"engine": "neato"}, "'auto', 'dot' or 'layered'"),
        ({"max_parallel": 0}, "max_parallel is 0"),
        ({"max_graphs": 0}, "max_graphs is 0"),
        ({"max_arcs": 9}, r"10 arcs are too many .*max_arcs"),
        ({"max_width": 0}, "max_width=0; it is a number of pixels"),
        ({"max_width": "wide"}, "max_width='wide'"),
        ({"engine": "dot", "max_width": 900}, "dot engine draws no rows"),
        ({"engine": "dot", "images": np.zeros((10, 2, 2))}, "dot engine draws no images"),
    ],
)
def test_wrong_options_are_named(fig20, options, message):
    with pytest.raises(gtn.GraphError, match=message):
        to_svg(fig20, **options)


def test_many_arcs_are_refused_politely():
    graph = gtn.linear(torch.zeros(43, 7))
    with pytest.raises(
        gtn.GraphError, match=r"301 arcs are too many .*connect it, prune it, .*max_arcs"
    ):
        to_svg(graph)
    assert "+3" in texts(to_svg(graph, engine="layered", max_arcs=301))
    most = gtn.from_arcs([(i % 40, (i * 7 + 1) % 41, i % 10, 0.5) for i in range(300)], final=40)
    ET.fromstring(to_svg(most, engine="layered"))
    assert notebook_html(graph).startswith("<pre>Graph: 44 nodes, 301 arcs")
    assert notebook_html(graph).endswith(
        "one graph of a batch), or gtn.draw(graph, max_arcs=301)</pre>"
    )
    assert notebook_html(gtn.linear(torch.zeros(43, 6))).endswith("or gtn.draw(graph)</pre>")
    assert notebook_html(graph) == graph._repr_html_()


def test_what_is_wide_goes_on_in_rows():
    graph = gtn.string([*range(20)])
    one, rows = to_svg(graph, engine="layered"), to_svg(graph, max_width=300)
    assert float(ET.fromstring(one).get("width")) > 900
    for number in (np.float32(300), np.int64(300)):
        assert to_svg(graph, max_width=number) == rows
    drawn = ET.fromstring(rows)
    assert float(drawn.get("width")) <= 300
    inside = list(drawn.iter(f"{SVG}svg"))[1:]
    # The nodes and labels drawn; the last nodes of a row are also the first of the next.
    seen, nodes = [], []
    for row in inside:
        left, _, width, height = map(float, row.get("viewBox").split())
        assert (float(row.get("width")), float(row.get("height"))) == (width, height)
        for text in row.iter(f"{SVG}text"):
            if left <= float(text.get("x")) <= left + width:
                (seen if text.get("font-size") == "11" else nodes).append(text.text)
    assert seen == symbols(one)
    assert sorted(set(nodes), key=int) == [str(i) for i in range(21)]
    assert len(nodes) == 21 + len(inside) - 1
    assert [float(row.get("y")) for row in inside] == [
        float(row.get("height")) * i for i, row in enumerate(inside)
    ]


def test_a_notebook_gets_rows(fig20):
    wide = gtn.string([*range(60)])
    assert float(ET.fromstring(wide._repr_html_()).get("width")) <= 900
    drawing = draw(wide)
    assert drawing._repr_svg_() == wide._repr_html_()
    unbroken = draw(wide, engine="layered", max_width=None)
    assert unbroken._repr_svg_() == unbroken.svg
    assert len(list(ET.fromstring(fig20._repr_html_()).iter(f"{SVG}svg"))) == 1


@needs_dot
def test_the_dot_engine_draws_one_row_in_a_notebook(fig20):
    drawing = draw(fig20, engine="dot")
    assert drawing._repr_svg_() == drawing.svg


def test_a_table_in_a_notebook_is_escaped():
    graph = gtn.from_arcs([(0, 1, "<b>&", 1.0)] * 101, final=1)
    html = notebook_html(graph)
    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html
    assert ET.fromstring(html).tag == "pre"


# -- files ----------------------------------------------------------------------------------------


def test_files_are_written_whole(tmp_path, fig20):
    file = tmp_path / "graph.svg"
    drawing = draw(fig20, file, engine="layered", highlight=[0])
    assert isinstance(drawing, Drawing)
    assert repr(drawing).startswith("<drawing of 4 nodes and 10 arcs: a picture in a notebook; ")
    assert file.read_text(encoding="utf-8") == drawing.svg == drawing._repr_svg_()
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask
    draw(fig20, str(tmp_path / "graph.dot"), highlight=[0])
    assert (tmp_path / "graph.dot").read_text(encoding="utf-8") == to_dot(
        fig20, highlight=[0]
    ).source
    assert sorted(os.listdir(tmp_path)) == ["graph.dot", "graph.svg"]


def test_a_failure_leaves_the_old_file(tmp_path, fig20, monkeypatch):
    file = tmp_path / "graph.svg"
    file.write_text("old")
    with pytest.raises(gtn.GraphError):
        draw(fig20, file, max_arcs=1)

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        draw(fig20, file, engine="layered")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["graph.svg"]


def test_what_cannot_be_drawn_says_so(tmp_path, fig20, monkeypatch):
    with pytest.raises(gtn.GraphError, match=r"graph\.jpeg: cannot draw '\.jpeg'"):
        draw(fig20, tmp_path / "graph.jpeg")
    with pytest.raises(gtn.GraphError, match=r"has no 'images'"):
        draw(fig20, tmp_path / "graph.png", images="image")
    with pytest.raises(gtn.GraphError, match="too many"):
        draw(fig20, max_arcs=1)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(gtn.GraphError, match="needs the 'dot' program"):
        draw(fig20, tmp_path / "graph.pdf")
    with pytest.raises(gtn.GraphError, match="needs the 'dot' program"):
        to_svg(fig20, engine="dot")
    assert to_svg(fig20) == to_svg(fig20, engine="layered")
    assert os.listdir(tmp_path) == []


# -- DOT ------------------------------------------------------------------------------------------


def test_dot_source(fig20):
    source = to_dot(fig20, highlight=[0], color=range(10)).source
    assert "rankdir=LR" in source
    assert '0 -> 1 [label="3 / 0.1"' in source
    assert "doublecircle" in source
    assert source.count("->") == 11  # ten arcs and the arrow into the start
    pair = gtn.from_arcs([(0, 1, "a", "b", inf)], start={0: 0.5}, final={1: 2.0})
    source = to_dot(pair).source
    assert "a:b / ∞" in source
    assert "style=dashed" in source
    assert '"1 / 2"' in source
    assert "label=0.5" in source


@needs_dot
def test_dot_draws_every_symbol_as_it_is():
    table = gtn.SymbolTable([*SYMBOLS, "&lt;", "<i>x</i>", "\\N", 'q"uo\\'])
    n = len(table)
    graph = gtn.from_arrays(np.zeros(n, int), np.ones(n, int), np.arange(n), final=1, symbols=table)
    svg = to_svg(graph, engine="dot", max_parallel=None)
    shown = texts(svg)
    for symbol in ("<b>", "a&b", '"', "\\", "\\n", "␣", "&lt;", "<i>x</i>", "\\N", 'q"uo\\'):
        assert symbol in shown
    collapsed = texts(to_svg(graph, engine="dot", max_parallel=4))
    assert "<b>" in collapsed
    assert f"+{n - 4}" in collapsed


@needs_dot
@settings(max_examples=15)
@given(graphs(acyclic=False, epsilons=True, acceptor=False, infinite=True))
def test_dot_counts(graph):
    plain = subprocess.run(
        ["dot", "-Tplain"], input=to_dot(graph).source.encode(), capture_output=True, check=True
    ).stdout.decode()
    kinds = [line.split()[0] for line in plain.splitlines()]
    assert kinds.count("node") == graph.num_nodes + len(graph.starts)
    assert kinds.count("edge") == graph.num_arcs + len(graph.starts)


@needs_dot
def test_dot_writes_pictures(tmp_path, fig20):
    draw(fig20, tmp_path / "graph.png", highlight=[0, 8])
    draw(fig20, tmp_path / "graph.pdf")
    assert (tmp_path / "graph.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "graph.pdf").read_bytes()[:4] == b"%PDF"
    ET.fromstring(to_svg(fig20))
    transparent = to_svg(gtn.GraphBatch.from_graphs([fig20] * 3), engine="dot", background=None)
    ET.fromstring(transparent)


def test_a_path_through_two_graphs_is_highlighted_in_the_one_that_is_named():
    held = gtn.from_arcs([(0, 1, 0), (1, 1, 0), (1, 2, 1), (2, 2, 1)], final=2)
    emissions = torch.tensor([[0.0, 9.0], [1.0, 2.0], [1.0, 0.0]])
    best, frames = gtn.dense.viterbi_path(emissions, held), gtn.linear(emissions)
    for graph, k, arcs in ((frames, 0, [0, 2, 5]), (held, 1, [0, 1, 2])):
        # Its arcs in the first are arcs of the second, too: the caller must say which is meant.
        with pytest.raises(gtn.GraphError, match=r"of 2 graphs; say by .*sources\[k\]"):
            gtn.to_svg(graph, highlight=best, engine="layered")
        by_sources = gtn.to_svg(graph, highlight=best.sources[k], engine="layered")
        assert by_sources == gtn.to_svg(graph, highlight=arcs, engine="layered")


def test_sources_that_stand_still_highlight_nothing():
    first = gtn.from_arcs([(0, 1, 0), (1, 2, gtn.EPSILON)], final=2)
    second = gtn.from_arcs([(0, 1, 0)], final=1)
    both = gtn.compose(first, second)
    stood = both.sources[1]
    assert sorted(stood.index.tolist()) == [-1, 0]
    shown = gtn.to_svg(second, highlight=stood, engine="layered")
    assert shown == gtn.to_svg(second, highlight=[0], engine="layered")


def test_a_path_of_a_batch_of_paths_is_not_taken_for_one_of_a_graph_of_the_batch():
    """Its sources are arcs of the batch of paths, and would mark the wrong arcs."""
    graphs = [gtn.linear(torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 2.0]])), gtn.string([0, 1])]
    batch = gtn.GraphBatch.from_graphs([graphs[0], graphs[0], graphs[1], graphs[1]])
    paths = gtn.viterbi_path(batch)
    for i in (0, 1):
        with pytest.raises(gtn.GraphError, match=r"arc 0 \(1\) cannot be arc .*path\(batch"):
            to_svg(batch[i], highlight=paths[i], engine="layered")
    right = to_svg(batch[1], highlight=gtn.viterbi_path(batch[1]), engine="layered")
    assert right == to_svg(graphs[0], highlight=[1, 3], engine="layered")
    # Each of several paths of one graph can be shown, as the message says.
    several = gtn.n_best(graphs[0], 3)
    with pytest.raises(gtn.GraphError, match=r"highlight=paths.sources\[0\].then\(paths\[i\]"):
        to_svg(graphs[0], highlight=several[1], engine="layered")
    second = several.sources[0].then(several[1].sources[0])
    marked = to_svg(graphs[0], highlight=second, engine="layered")
    assert marked == to_svg(graphs[0], highlight=[0, 3], engine="layered")
    # A path through a result of the graph is found in the graph through the sources of both.
    made = graphs[0] @ gtn.string([0, 2])
    path = gtn.viterbi_path(made)
    with pytest.raises(gtn.GraphError, match=r"made = graph @ grammar, highlight=made"):
        to_svg(graphs[0], highlight=path, engine="layered")
    marked = to_svg(graphs[0], highlight=made.sources[0].then(path.sources[0]), engine="layered")
    assert marked == to_svg(graphs[0], highlight=[0, 5], engine="layered")
    with pytest.raises(gtn.GraphError, match=r"does not exist: arcs are 0 to 1; .*made.sources"):
        to_svg(graphs[1], highlight=made.sources[0], engine="layered")
    # The labels agree, but the arcs lie elsewhere.
    turned = gtn.from_arcs([(1, 2, 1), (0, 1, 0)], final=2)
    with pytest.raises(gtn.GraphError, match="not part of this one"):
        to_svg(turned, highlight=gtn.viterbi_path(graphs[1]), engine="layered")
    loops = gtn.from_arcs([(0, 0, 0), (1, 1, 1)], final=1)
    with pytest.raises(gtn.GraphError, match=r"arc 0 \(0\) cannot be arc 0 \(0\)"):
        to_svg(loops, highlight=gtn.viterbi_path(graphs[1]), engine="layered")
    # The caller may insist.
    marked = to_svg(loops, highlight=gtn.viterbi_path(graphs[1]).sources[0], engine="layered")
    assert marked == to_svg(loops, highlight=[0, 1], engine="layered")
    # A part that lacks some arcs, and one made of whole ways.
    pruned = gtn.prune(graphs[0], beam=0.5)
    assert to_svg(graphs[0], highlight=pruned, engine="layered") == to_svg(
        graphs[0], highlight=pruned.sources[0], engine="layered"
    )
