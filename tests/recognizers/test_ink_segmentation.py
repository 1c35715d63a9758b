"""Segmentation of words: the pieces hold all ink, and the order of strokes does not matter."""

from itertools import pairwise

import numpy as np
import pytest

import gtn
from demos.words.samples.handwriting import HANDS, write_word
from recognizers.online.amap import amaps
from recognizers.online.ink import Ink
from recognizers.online.normalization import normalized
from recognizers.online.segmentation import FEATURES, MOST_WIDTH, segment_ink
from recognizers.online.segmentation_graph import (
    segment_images,
    segmentation_graph,
    segmentation_graphs,
)
from recognizers.online.slant import slant, upright

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
    cut, images = cuts[0], segment_images(cuts[:1], context=True)
    for a in range(len(cut)):
        parts = []
        for p in range(cut.num_pieces):
            if not cut.src[a] <= p < cut.dst[a]:
                bounds = cut.strokes[cut.pieces[p] : cut.pieces[p + 1] + 1]
                parts += [cut.points[i:j] for i, j in pairwise(bounds)]
        left, right = cut.ink(a).bounds[0::2]
        middle, scale = 0.5 * (left + right), min(1.0, 14.0 / max(right - left, 1e-9))
        ink = Ink([(part - [middle, 0.0]) * [scale, 1.0] + [8.5, 0.0] for part in parts])
        np.testing.assert_allclose(images[a, 5:], amaps([ink])[0], atol=1e-5)
    alone = segment_ink(Ink([[(3, 7), (3, 13)]]))
    assert not segment_images([alone], context=True)[:, 5:].any()
    assert segment_images([], context=True).shape == (0, 10, 20, 18)
    rng = np.random.default_rng
    same = segment_images(cuts, rng(1), context=True)[:, :5] == segment_images(cuts, rng(1))
    assert same.all()


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
    assert cut.features.shape[1] == len(FEATURES)


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


def test_slant_of_odd_ink():
    for ink in (Ink(), Ink([[(1, 1)]]), Ink([[(1, 1)] * 3]), Ink([[(0, 5), (9, 5)]])):
        assert slant(ink) == 0.0
        assert upright(ink) == ink
