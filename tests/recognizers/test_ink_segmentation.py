"""Segmentation of words: the pieces hold all ink, and the order of strokes does not matter."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import gtn
from demos.words.samples.handwriting import HANDS, write_word
from recognizers.online.amap import amaps
from recognizers.online.ink import Ink
from recognizers.online.ink_batch import InkBatch
from recognizers.online.normalization import normalized
from recognizers.online.segmentation import (
    BASE_ROW,
    FEATURES,
    LEAST_PIECE,
    LEAST_RISE,
    MOST_PIECES,
    MOST_WIDTH,
    STEP,
    members,
    segment_ink,
)
from recognizers.online.segmentation_graph import (
    segment_images,
    segmentation_graph,
    segmentation_graphs,
)
from recognizers.online.segmentation_kernels import cut_strokes, even_strokes
from recognizers.online.slant import SHEARS, slant, upright

WORDS = [
    upright(normalized(write_word(text, hand, seed)))
    for seed, (text, hand) in enumerate(
        (text, hand) for text in ("minimum", "gladly", "tot", "joy") for hand in HANDS.values()
    )
]


def length(points, strokes):
    steps = np.hypot(*np.diff(points, axis=0).T)
    return np.delete(steps, np.asarray(strokes[1:-1]) - 1).sum()


@pytest.mark.parametrize("word", WORDS)
def test_every_piece_of_ink_is_on_every_path(word):
    cut = segment_ink(word)
    assert len(cut.pieces) == cut.num_pieces + 1
    assert cut.pieces[-1] == len(cut.strokes) - 1
    assert length(cut.points, cut.strokes) == pytest.approx(
        length(word.points, word.offsets), rel=0.03
    )
    assert (cut.src < cut.dst).all()
    assert cut.dst.max() == cut.num_pieces
    singles = cut.src[cut.dst == cut.src + 1]
    assert sorted(singles.tolist()) == list(range(cut.num_pieces))
    graph = segmentation_graph(cut)
    # There are as many paths as ways from node to node.
    ways = np.zeros(cut.num_pieces + 1)
    ways[0] = 1
    for a in np.argsort(cut.src, kind="stable"):
        ways[cut.dst[a]] += ways[cut.src[a]]
    assert -gtn.forward_penalty(graph.double()).item() == pytest.approx(np.log(ways[-1]))
    wide = cut.boxes[:, 2] - cut.boxes[:, 0]
    assert (wide[cut.dst > cut.src + 1] <= MOST_WIDTH).all()
    for a in range(len(cut)):
        np.testing.assert_allclose(cut.boxes[a], cut.ink(a).bounds, atol=1e-4)


@pytest.mark.parametrize("word", WORDS)
def test_the_order_of_strokes_leaves_no_trace(word):
    cut = segment_ink(word)
    shuffled = np.random.default_rng(0).permutation(len(word))
    again = segment_ink(word.select(shuffled.tolist()))
    assert (again.src.tolist(), again.dst.tolist()) == (cut.src.tolist(), cut.dst.tolist())
    np.testing.assert_allclose(again.features, cut.features, atol=1e-6)
    np.testing.assert_allclose(segment_images([again]), segment_images([cut]), atol=1e-5)


def test_written_backwards_there_are_about_as_many_pieces():
    forward = [segment_ink(word).num_pieces for word in WORDS]
    backward = [segment_ink(word.reversed()).num_pieces for word in WORDS]
    assert np.abs(np.subtract(forward, backward)).max() <= 3
    assert np.abs(np.subtract(forward, backward)).mean() <= 1.5


def test_features_by_hand():
    """A stroke in two pieces, which meet in the middle of its foot, and a separate bar."""
    stroke = [(3, 13), (4, 7), (6, 7), (10, 13), (11, 7)]
    for word in (Ink([stroke, [(20, 7), (20, 18)]]), Ink([stroke[::-1], [(20, 7), (20, 18)]])):
        cut = segment_ink(word)
        runs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        assert list(zip(cut.src.tolist(), cut.dst.tolist(), strict=True)) == runs
        lefts, rights = cut.boxes[:, 0] / 10, cut.boxes[:, 2] / 10
        width = rights - lefts
        assert 0.45 < rights[0] < 0.55
        expected = {
            "one": [1] * 6,
            "width": width,
            "width_squared": width**2,
            "pieces": np.array([1, 2, 3, 1, 2, 1]) / 7,
            "one_piece": [1, 0, 0, 1, 0, 1],
            "gap_before": [1, 1, 1, 0, 0, 0.9],
            "gap_after": [0, 0.9, 1, 0.9, 1, 1],
            "lift_before": [1, 1, 1, 0, 0, 1],
            "lift_after": [0, 1, 1, 1, 1, 1],
            "lifts_inside": [0, 0, 0.5, 0, 0.5, 0],
        }
        assert tuple(expected) == FEATURES
        np.testing.assert_allclose(cut.features.T, list(expected.values()), atol=1e-5)


def scrawl(rng):
    """Dots, bars, stems and zigzags at random, on a grid of half a pixel."""
    strokes = []
    for _ in range(rng.integers(1, 24)):
        x, y = rng.integers(0, 60) / 2, rng.choice([0, 3, 6.5, 7, 10, 11, 11.5, 12, 14, 15, 16])
        kind = rng.integers(0, 4)
        if kind == 0:  # a dot
            stroke = [(x, y), (x + rng.integers(0, 4) / 2, y + rng.integers(0, 10) / 2)]
        elif kind == 1:  # a bar
            stroke = [(x, y), (x + rng.integers(2, 20) / 2, y)]
        elif kind == 2:  # a stem, which ends at the heights where others lie
            stroke = [(x, 0), (x, rng.choice([13, 14, 14.5, 15, 16, 18]))]
        else:
            rows = rng.choice([[7, 13], [1, 13], [12, 19]])
            stroke = [(x + 2 * i, rows[i % 2]) for i in range(rng.integers(2, 9))]
        strokes.append(stroke[:: rng.choice([-1, 1])])
    return Ink(strokes)


def box_of(lines):
    points = np.concatenate(lines)
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def pieces_by_hand(word):
    """The polylines of each piece, and whether the pen was lifted before it."""
    even, offsets = even_strokes(np.array(word.points), np.array(word.offsets), STEP)
    points, bounds, owner = cut_strokes(even, offsets, LEAST_RISE, LEAST_PIECE, BASE_ROW)
    lines = [points[i:j] for i, j in pairwise(bounds)]
    strokes = [[i for i in range(len(lines)) if owner[i] == s] for s in range(len(word))]
    boxes = [box_of([lines[i] for i in stroke]) for stroke in strokes]

    def goes_to_another(box):
        left, bottom, right, top = box
        wide, high, middle = right - left, top - bottom, 0.5 * (left + right)
        if (bottom >= 11.5 and high < 4) or max(wide, high) < 1.5:
            return True
        return any(
            other[0] + 1.5 < middle < other[2] - 1.5
            and wide + high < 0.7 * ((other[2] - other[0]) + (other[3] - other[1]))
            and bottom < other[3]
            for other in boxes
        )

    goes = [goes_to_another(box) for box in boxes]
    if all(goes):
        goes = [False] * len(boxes)
    own = []  # of each piece the polyline that it is made of, and its stroke
    for s in sorted(range(len(strokes)), key=lambda s: 0.5 * (boxes[s][0] + boxes[s][2])):
        if not goes[s]:
            ends = [box_of([lines[i]]) for i in (strokes[s][0], strokes[s][-1])]
            first, last = (0.5 * (box[0] + box[2]) for box in ends)
            own += [(i, s) for i in strokes[s][:: -1 if last < first else 1]]
    pieces = [[i] for i, _ in own]
    for s, stroke in enumerate(strokes):
        for i in stroke if goes[s] else ():
            left, _, right, top = box_of([lines[i]])
            middle = 0.5 * (left + right)
            away = []
            for j, _ in own:
                begin, _, end, height = box_of([lines[j]])
                unfit = height < 15 if right - left >= 3 else height > top + 1
                beside = max(0.0, begin - middle, middle - end)
                away.append(beside + 0.3 * abs(middle - 0.5 * (begin + end)) + 3.0 * unfit)
            pieces[int(np.argmin(away))].append(i)
    lifted = [p == 0 or own[p][1] != own[p - 1][1] for p in range(len(own))]
    return [[lines[i] for i in sorted(piece)] for piece in pieces], lifted


@pytest.mark.parametrize("seed", range(60))
def test_pieces_and_segments_beside_loops_over_strokes(seed):
    rng = np.random.default_rng(seed)
    word = scrawl(rng)
    pieces, lifted = pieces_by_hand(word)
    most_width = float(rng.choice([6, 12, 32]))
    cut = segment_ink(word, most_width)
    assert cut.num_pieces == len(pieces)
    for p, lines in enumerate(pieces):
        bounds = cut.strokes[cut.pieces[p] : cut.pieces[p + 1] + 1]
        found = [cut.points[i:j] for i, j in pairwise(bounds)]
        assert all(np.array_equal(*pair) for pair in zip(found, lines, strict=True))
    boxes = [box_of(lines) for lines in pieces]
    segments = iter(range(len(cut)))
    for src in range(len(pieces)):
        for dst in range(src + 1, min(src + MOST_PIECES, len(pieces)) + 1):
            left, _, right, _ = box = box_of([line for p in pieces[src:dst] for line in p])
            if dst > src + 1 and right - left > most_width:
                continue
            a = next(segments)
            assert (cut.src[a], cut.dst[a]) == (src, dst)
            np.testing.assert_allclose(cut.boxes[a], box, rtol=1e-6)
            before = [box[2] for box in boxes[:src]]
            after = [box[0] for box in boxes[dst:]]
            expected = {
                "one": 1,
                "width": min((right - left) / 10, 4),
                "width_squared": min((right - left) / 10, 4) ** 2,
                "pieces": (dst - src) / 7,
                "one_piece": dst == src + 1,
                "gap_before": np.clip((left - max(before)) / 10, -1, 1) if before else 1,
                "gap_after": np.clip((min(after) - right) / 10, -1, 1) if after else 1,
                "lift_before": lifted[src],
                "lift_after": dst == len(pieces) or lifted[dst],
                "lifts_inside": sum(lifted[src + 1 : dst]) / 2,
            }
            assert tuple(expected) == FEATURES
            np.testing.assert_allclose(cut.features[a], list(expected.values()), atol=1e-6)
    assert next(segments, None) is None


def test_members_of_nothing():
    none = np.empty(0, np.int64)
    assert members(none, none).tolist() == []
    assert members(np.array([4, 7, 1]), np.array([0, 2, 0])).tolist() == [7, 8]


def test_a_wide_piece_is_a_segment_by_itself():
    cut = segment_ink(Ink([[(3, 0), (48, 19)], [(55, 0), (55, 19)]]))
    assert cut.num_pieces == 2
    assert list(zip(cut.src.tolist(), cut.dst.tolist(), strict=True)) == [(0, 1), (1, 2)]


def test_a_bar_goes_to_the_high_stroke_that_it_crosses_though_a_low_one_is_nearer():
    cut = segment_ink(Ink([[(10, 7), (10, 18)], [(14, 7), (14, 13)], [(10.5, 15), (14, 15)]]))
    assert cut.num_pieces == 2
    assert cut.ink(0).bounds == (10.0, 7.0, 14.0, 18.0)


def test_the_loop_of_a_descender_is_cut_where_it_comes_to_the_base_line():
    """The foot of other letters is cut at its lowest point."""
    for low, height in ((1.5, 6.0), (6.0, 6.0)):
        word = Ink([[(3, 13), (4, low), (9, 13)]])
        cut = segment_ink(word)
        assert cut.num_pieces == 2
        assert cut.points[cut.strokes[1]][1] == pytest.approx(height, abs=0.6)


def test_the_image_of_a_segment_is_that_of_its_ink():
    word = WORDS[0]
    cut = segment_ink(word)
    images = segment_images([cut])
    for a in range(len(cut)):
        ink = cut.ink(a)
        left, _, right, _ = ink.bounds
        scale = min(1.0, 14.0 / max(right - left, 1e-9))
        x, y = ink.points.T
        middle = Ink.of(
            np.stack([(x - 0.5 * (left + right)) * scale + 8.5, y], axis=1), ink.offsets
        )
        np.testing.assert_allclose(images[a], amaps([middle])[0], atol=1e-5)


def test_beside_a_segment_stands_what_is_not_of_it():
    cuts = [segment_ink(word) for word in WORDS[:3]]
    images = segment_images(cuts, context=True)
    assert images.shape == (sum(map(len, cuts)), 10, 20, 18)
    np.testing.assert_array_equal(images[:, :5], segment_images(cuts))
    # Strokes side by side, more than 12 of which reach into the image of each.
    cuts.append(segment_ink(Ink([[(3 + 0.4 * i, 7), (3 + 0.4 * i, 13)] for i in range(30)])))
    assert cuts[-1].num_pieces == 30
    for cut, arcs in ((cuts[0], range(len(cuts[0]))), (cuts[-1], (0, 100, len(cuts[-1]) - 1))):
        images = segment_images([cut], context=True)
        for a in arcs:
            parts = []
            for p in range(max(0, cut.src[a] - 12), min(cut.num_pieces, cut.dst[a] + 12)):
                if not cut.src[a] <= p < cut.dst[a]:
                    bounds = cut.strokes[cut.pieces[p] : cut.pieces[p + 1] + 1]
                    parts += [cut.points[i:j] for i, j in pairwise(bounds)]
            left, right = cut.ink(a).bounds[0::2]
            middle, scale = 0.5 * (left + right), min(1.0, 14.0 / max(right - left, 1e-9))
            ink = Ink([(part - [middle, 0.0]) * [scale, 1.0] + [8.5, 0.0] for part in parts])
            np.testing.assert_allclose(images[a, 5:], amaps([ink])[0], atol=1e-5)
    each = [segment_images([cut], context=True) for cut in cuts]
    np.testing.assert_array_equal(segment_images(cuts, context=True), np.concatenate(each))
    alone = segment_ink(Ink([[(3, 7), (3, 13)]]))
    assert not segment_images([alone], context=True)[:, 5:].any()
    assert segment_images([], context=True).shape == (0, 10, 20, 18)
    rng = np.random.default_rng
    same = segment_images(cuts, rng(1), context=True)[:, :5] == segment_images(cuts, rng(1))
    assert same.all()


def test_words_are_distorted_as_a_whole_before_their_segments_are_drawn():
    cuts = [segment_ink(word) for word in WORDS[:2]]
    points = np.concatenate([cut.points for cut in cuts])
    first, second = (cut.strokes for cut in cuts)
    strokes, inks = np.concatenate((first, first[-1] + second[1:])), [0, len(first) - 1]
    batch = InkBatch(points, strokes, np.array([*inks, len(strokes) - 1]))
    moved = batch.distorted(np.random.default_rng(1), 0.7, turning=0.15).points
    parts = np.split(moved, [len(cuts[0].points)])
    expected = [replace(cut, points=part) for cut, part in zip(cuts, parts, strict=True)]
    found = segment_images(cuts, np.random.default_rng(1), 0.7)
    np.testing.assert_array_equal(found, segment_images(expected))


def test_images_that_are_drawn_already_are_those_of_the_graphs():
    cuts = [segment_ink(word) for word in WORDS[:2]]
    images = segment_images(cuts, context=True)
    batch = segmentation_graphs(cuts, images)
    np.testing.assert_array_equal(batch.data["image"], images)
    with pytest.raises(gtn.GraphError, match="needs at least one word"):
        segmentation_graphs([])


def test_a_batch_is_its_words():
    cuts = [segment_ink(word) for word in WORDS[:3]]
    batch = segmentation_graphs(cuts)
    np.testing.assert_array_equal(
        batch.data["image"], np.concatenate([segment_images([cut]) for cut in cuts])
    )
    for graph, cut in zip(batch, cuts, strict=True):
        assert gtn.equal(graph, segmentation_graph(cut))
    rng = np.random.default_rng
    same = segment_images(cuts, rng(1)) == segment_images(cuts, rng(1))
    assert same.all()
    assert not np.allclose(segment_images(cuts, rng(1)), segment_images(cuts))


@pytest.mark.parametrize(
    ("ink", "pieces"),
    [
        (Ink(), 0),
        (Ink([[(5, 5)]]), 1),
        (Ink([[(5, 5)] * 9]), 1),
        (Ink([[(0, 10), (40, 10)]]), 2),
        (Ink([[(3, 15)], [(9, 15)]]), 2),
        (Ink([[(1e9, 19), (3, 0)]]), None),
    ],
)
def test_odd_ink(ink, pieces):
    cut = segment_ink(ink)
    assert pieces is None or cut.num_pieces == pieces
    graph = segmentation_graph(cut)
    assert graph.num_nodes == cut.num_pieces + 1
    assert np.isfinite(graph.data["image"].numpy()).all()
    assert np.isfinite(cut.features).all()
    assert cut.points.shape == (cut.strokes[-1], 2)
    assert cut.features.shape == (len(cut), len(FEATURES))
    assert cut.boxes.shape == (len(cut), 4)


def test_a_word_of_two_hundred_letters():
    word = normalized(write_word("abcdefghij" * 20))
    cut = segment_ink(word)
    assert 200 <= cut.num_pieces < 1000
    assert len(cut) < 7 * cut.num_pieces


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.4, 0.9])
def test_slant_is_found_and_taken_out(lean):
    word = upright(normalized(write_word("little hill".replace(" ", ""))))
    leaning = word.transformed([[1, lean], [0, 1]])
    assert slant(leaning) == pytest.approx(lean, abs=0.15)
    assert abs(slant(upright(leaning))) <= 0.15
    assert slant(leaning.reversed()) == slant(leaning)
    assert upright(leaning).bounds[0] == pytest.approx(leaning.bounds[0])
    np.testing.assert_array_equal(upright(leaning).points[:, 1], leaning.points[:, 1])


@pytest.mark.parametrize("seed", range(10))
def test_the_slant_has_most_of_the_ink_upright_and_is_near_zero(seed):
    """Beside a loop over slants and pieces of the trajectory; a single letter or a word."""
    rng = np.random.default_rng(seed)
    wide = [4, 9, 60][seed % 3]
    word = Ink(
        rng.uniform(0, (wide, 19), (rng.integers(1, 7), 2)) @ [[1, 0], [rng.uniform(0, 0.5), 1]]
        for _ in range(6)
    )
    wide = float(np.ptp(word.points[:, 0]))
    high = sum(abs(up) for stroke in word for up in np.diff(stroke[:, 1]))

    def goodness(shear):
        share = 0.0
        for stroke in word:
            for across, up in np.diff(stroke, axis=0).tolist():
                leaning = abs(across - shear * up) / abs(up)
                share += abs(up) / high * np.exp(-0.5 * (leaning / 0.2) ** 2)
        return share - 0.05 * (1 + (12 / max(wide, 1.2)) ** 2) * shear**2

    assert slant(word) == pytest.approx(max(SHEARS, key=goodness))
    assert slant(word) in SHEARS.round(2)


def test_slant_of_odd_ink():
    for ink in (Ink(), Ink([[(1, 1)]]), Ink([[(1, 1)] * 3]), Ink([[(0, 5), (9, 5)]])):
        assert slant(ink) == 0.0
        assert upright(ink) == ink
