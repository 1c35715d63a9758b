"""The field location transformer: candidates, features, penalties, the field graph."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import gtn
from recognizers.datasets.check_printing import draw_line, draw_text
from recognizers.datasets.checks import CheckComposer
from recognizers.datasets.mnist import load_mnist
from recognizers.fields import FieldPenalty, LocatedFields, field_graph, likeliest, locate_fields
from recognizers.fields.candidates import (
    ROLES,
    beside_each_other,
    candidate_fields,
    split_off_cents,
    split_off_sign,
    words,
)
from recognizers.fields.features import FEATURES, likeness_to_sign, sign_glyphs
from recognizers.fields.ink import horizontal_lines, ink_of_check, paper_levels

DATA = Path(os.environ.get("GTN_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def printed(*texts, lines=(), shape=(400, 900), paper=220):
    """A check with black texts (text, x, y, size) and lines (x, y, width, height)."""
    ink = np.zeros(shape, np.uint8)
    for text, x, y, size in texts:
        draw_text(ink, text, "sans", size, x, y, 1.0)
    for box in lines:
        draw_line(ink, box, 1.0)
    return np.clip(paper - 0.8 * ink.astype(float), 0, 255).astype(np.uint8)


def found_of(boxes, roles, pairs, features=None):
    """Located fields with the given boxes, without ink."""
    if features is None:
        features = np.zeros((len(boxes), len(FEATURES)), np.float32)
    images = tuple(np.full((8, 8), 255, np.uint8) for _ in boxes)
    return LocatedFields(
        np.asarray(boxes, np.float32),
        np.asarray(roles),
        features,
        np.asarray(pairs, np.int64).reshape(-1, 2),
        images,
        (100, 200),
    )


def test_an_amount_is_one_of_the_candidates():
    check = printed(("ACME SUPPLY", 30, 50, 16), ("$1,250.60", 600, 200, 24))
    found = locate_fields(check)
    assert any(x < 605 and x + wide > 700 and 170 < y < 200 for x, y, wide, _ in found.boxes)
    assert (found.roles[found.pairs[:, 0]] == 1).all()
    assert (found.roles[found.pairs[:, 1]] == 2).all()


def test_lines_and_frames_are_no_ink():
    frame = [(590, 170, 200, 2), (590, 215, 200, 2), (590, 170, 2, 46), (788, 170, 2, 46)]
    check = printed(("250.60", 620, 200, 24), lines=[*frame, (30, 300, 500, 2)])
    ink = ink_of_check(check)
    assert ink.lines[170].sum() > 150
    assert ink.lines[300].sum() > 450
    assert ink.lines[175:210][:, [590, 789]].all()  # sides of frames are lines, too
    assert (ink.boxes[:, 2] - ink.boxes[:, 0] < 60).all()
    names = locate_fields(check).features[:, FEATURES.index("framed")]
    assert names.max() > 0.9


def test_ink_that_crosses_a_line_stays():
    mask = np.zeros((40, 200), bool)
    mask[20:22] = True
    mask[5:35, 90:94] = True
    lines = horizontal_lines(mask, 60)
    assert not lines[20:22, 90:94].any()
    assert lines[20, :80].all()


def test_lines_have_a_length_and_small_gaps():
    for length, gap, found in ((56, 0, True), (55, 0, False), (60, 4, True), (60, 5, False)):
        mask = np.zeros((9, 100), bool)
        mask[4, 20 : 20 + length] = True
        mask[4, 50 : 50 + gap] = False
        assert np.array_equal(horizontal_lines(mask, 60), mask & found)


def test_the_locator_does_not_mind_the_shade_of_the_paper():
    texts = (("1,250.60", 600, 200, 24), ("No. 4521", 700, 50, 16))
    bright, dark = (locate_fields(printed(*texts, paper=paper)) for paper in (230, 215))
    assert np.array_equal(bright.boxes, dark.boxes)


def test_paper_levels_leave_shades_out():
    grey = np.tile(np.linspace(230, 180, 400), (200, 1)).astype(np.uint8)
    assert paper_levels(grey)[40:160, 40:360].max() < 8


def test_currency_signs_are_alike():
    signs = likeness_to_sign(sign_glyphs())
    assert signs.min() > 0.99
    stripes = np.zeros((1, 16, 16))
    stripes[:, ::4] = 255
    assert likeness_to_sign(stripes)[0] < 0.5


def alike_beside(text):
    """Where the fields of a check begin and end, and how alike the characters beside them are."""
    found = locate_fields(printed((text, 600, 200, 24)))
    columns = [FEATURES.index(name) for name in ("alike_before", "alike_behind")]
    ends = found.boxes[:, 0], found.boxes[:, 0] + found.boxes[:, 2]
    return np.stack(ends, axis=1).astype(int).tolist(), found.features[:, columns].tolist()


def test_a_character_that_was_left_out_is_seen_beside_the_field():
    ends, alike = alike_beside("1250.60 7")
    whole, first, last = (ends.index(one) for one in ([602, 720], [617, 720], [602, 698]))
    assert alike[whole] == [0.0, 0.0]
    assert alike[first][0] > 0.5
    assert alike[first][1] == 0.0
    assert alike[last][0] == 0.0
    assert alike[last][1] > 0.5


def test_a_currency_sign_is_no_character_that_was_left_out():
    ends, alike = alike_beside("$ 250.60")
    amount, shorter, whole = (ends.index([left, 706]) for left in (624, 640, 602))
    assert alike[amount][0] < 0.1
    assert alike[shorter][0] > 0.5  # without its first digit
    columns = [FEATURES.index(name) for name in ("sign_before", "sign_first")]
    signs = locate_fields(printed(("$ 250.60", 600, 200, 24))).features[:, columns]
    assert (signs[[amount, whole, shorter]] > 0.6).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_words_join_what_is_near_and_no_more():
    boxes = np.array([[0, 0, 10, 20], [14, 0, 24, 20], [60, 0, 70, 20], [0, 40, 10, 60]])
    found = {tuple(sorted(word.tolist())) for word in words(boxes, 80.0)}
    assert (0, 1) in found
    assert (3,) in found
    assert (0, 1, 2) not in found


def test_cents_are_split_off_with_what_they_stand_over():
    digits = [[0, 10, 20, 40], [24, 12, 44, 41], [48, 18, 60, 41]]
    raised = [[66, 8, 76, 22], [80, 8, 90, 22]]
    below = [[64, 25, 92, 27], [66, 29, 74, 40], [78, 29, 86, 40]]
    dollars, cents = split_off_cents(np.array(digits + raised + below), np.arange(8))
    assert dollars.tolist() == [0, 1, 2]
    assert cents.tolist() == [3, 4]
    assert split_off_cents(np.array(digits), np.arange(3)) is None


def test_what_is_raised_between_dollars_is_theirs():
    """As the apostrophe in 1'250, then the cents; a point after everything ends them."""
    boxes = [[0, 10, 20, 40], [24, 10, 30, 20], [34, 10, 54, 40], [60, 8, 70, 22], [74, 8, 84, 22]]
    dollars, cents = split_off_cents(np.array(boxes), np.arange(5))
    assert (dollars.tolist(), cents.tolist()) == ([0, 1, 2], [3, 4])
    assert split_off_cents(np.array([*boxes, [90, 10, 110, 40]]), np.arange(6)) is None


def test_what_is_as_high_as_the_dollars_is_no_cents():
    digits = np.array([[0, 10, 20, 40], [24, 10, 44, 40], [50, 4, 70, 33]])
    assert split_off_cents(digits, np.arange(3)) is None
    digits[2, 1] += 3  # nine tenths as high
    assert split_off_cents(digits, np.arange(3)) is not None


def boxes_of_bars(*bars):
    """The boxes of the candidates on a check 200 pixels high with bars (x, y, width, height)."""
    grey = np.full((200, 400), 220, np.uint8)
    for x, y, wide, tall in bars:
        grey[y : y + tall, x : x + wide] = 40
    return candidate_fields(ink_of_check(grey)).boxes.tolist()


def test_fields_are_of_the_sizes_of_amounts():
    for wide, tall, fits in ((24, 40, 1), (23, 40, 0), (30, 41, 0), (6, 4, 1), (6, 3, 0)):
        assert boxes_of_bars((50, 60, wide, tall)) == [[50, 60, 50 + wide, 60 + tall]] * fits
    for count, fits in ((7, True), (8, False)):
        whole = [50, 60, 45 + 9 * count, 64]
        assert (whole in boxes_of_bars(*((50 + 9 * k, 60, 4, 4) for k in range(count)))) == fits


@pytest.mark.parametrize(
    ("first", "sign"),
    [
        ((0, 10, 16, 30), False),
        ((0, 12, 16, 30), False),  # nine tenths as high
        ((0, 14, 16, 30), True),
        ((0, 8, 16, 30), False),
        ((0, 6, 16, 30), True),
        ((-1, 10, 15, 30), False),  # a fifth of the height apart
        ((-2, 10, 14, 30), True),
    ],
)
def test_a_sign_is_apart_or_of_another_size(first, sign):
    word = np.array([[37, 25, 42, 32], first, [19, 10, 35, 30], [44, 11, 60, 31]])  # a comma first
    rest = split_off_sign(word, np.arange(4))
    assert (None if rest is None else rest.tolist()) == ([2, 0, 3] if sign else None)
    assert split_off_sign(word, np.array([1, 2])) is None


@pytest.mark.parametrize(
    ("cents", "fit"),
    [
        ((66, 14, 90, 30), True),
        ((58, 14, 82, 30), True),
        ((56, 14, 80, 30), False),  # too far to the left
        ((86, 14, 110, 30), True),
        ((88, 14, 112, 30), False),
        ((66, 27, 90, 43), True),
        ((66, 29, 90, 45), False),  # barely raised
        ((66, 2, 90, 18), True),
        ((66, 0, 90, 16), False),  # above
        ((66, 4, 90, 30), True),
        ((66, 2, 90, 30), False),  # as high
        ((66, 20, 90, 30), True),
        ((66, 22, 90, 30), False),  # a mark
        ((66, 14, 140, 30), True),
        ((66, 14, 142, 30), False),  # a line of text
    ],
)
def test_cents_beside_dollars(cents, fit):
    boxes = np.array([(0, 20, 60, 50), cents])
    assert beside_each_other(boxes, np.zeros(2, int)) == [(0, 1)] * fit
    assert beside_each_other(boxes, np.array([0, 2])) == []


def test_dollars_and_cents_are_what_a_word_is_split_into_and_words_beside_each_other():
    """Three bars, followed by two shorter ones that are raised."""
    grey = np.full((200, 400), 220, np.uint8)
    for x in (200, 210, 220):
        grey[40:70, x : x + 5] = 40
    for x in (244, 251):
        grey[36:52, x : x + 4] = 40
    found = candidate_fields(ink_of_check(grey))
    roles = [[ROLES[role] for role in found.roles[pair]] for pair in found.pairs]
    assert roles == [["dollars", "cents"]] * len(roles)
    own = np.flatnonzero(found.roles != ROLES.index("amount"))
    assert np.array_equal(np.sort(found.pairs, axis=None), own)  # each belongs to one pair
    apart = [200, 40, 225, 70], [244, 36, 255, 52]
    pairs = [tuple(found.boxes[pair].tolist()) for pair in found.pairs]
    assert pairs.count(apart) == 2  # from the word of all five, and from the two words
    for box, parts in zip(found.boxes, found.components, strict=True):
        of_parts = ink_of_check(grey).boxes[parts]
        assert [*of_parts[:, :2].min(axis=0), *of_parts[:, 2:].max(axis=0)] == box.tolist()


def test_paths_of_the_field_graph_are_fields_and_pairs():
    boxes = [[10 * k, 0, 8, 8] for k in range(5)]
    found = found_of(boxes, [0, 0, 1, 2, 2], [(2, 3), (2, 4)])
    penalties = torch.tensor([1.0, 2.0, 0.5, 0.25, 3.0])
    graph = field_graph(found, penalties)
    every = gtn.n_best(graph, 10)
    totals = sorted(float(gtn.viterbi_penalty(path)) for path in every)
    assert totals == pytest.approx([0.75, 1.0, 2.0, 3.5])
    assert graph.isymbols.decode(graph.ilabels.tolist()) == [ROLES[r] for r in [0, 0, 1, 2, 2]]
    # Cents follow the dollars of their own pair.
    found = found_of(boxes, [1, 2, 1, 2, 2], [(0, 1), (2, 3), (2, 4)])
    every = gtn.n_best(field_graph(found, penalties), 10)
    totals = sorted(float(gtn.viterbi_penalty(path)) for path in every)
    assert totals == pytest.approx([0.75, 3.0, 3.5])


def test_the_likeliest_are_those_of_least_penalty():
    rng = np.random.default_rng(0)
    for _ in range(20):
        roles = [0] * 4 + [1, 2, 1, 2]
        pairs = [(4, 5), (6, 7), (4, 7)]
        found = found_of([[k, 0, 5, 5] for k in range(8)], roles, pairs)
        penalties = torch.from_numpy(rng.uniform(0, 5, 8))
        paths = [(k,) for k in range(4)] + pairs
        ranked = sorted(paths, key=lambda path: sum(float(penalties[k]) for k in path))
        for count in (1, 3, 7):
            kept = likeliest(found, penalties, count)
            wanted = sorted(set(itertools.chain(*ranked[:count])))
            assert kept.boxes[:, 0].astype(int).tolist() == wanted
            ends = kept.boxes[kept.pairs][:, :, 0].astype(int).tolist()
            assert ends == [list(pair) for pair in pairs if pair in ranked[:count]]
        near = likeliest(found, penalties, 7, within=1.0)
        totals = [sum(float(penalties[k]) for k in path) for path in ranked]
        those = [path for path, total in zip(ranked, totals) if total <= totals[0] + 1.0]
        assert near.boxes[:, 0].tolist() == sorted(set(itertools.chain(*those)))


def test_features_by_hand():
    """Three bars, four pixels wide and twenty high, over a printed line; another bar behind."""
    grey = np.full((200, 400), 220, np.uint8)
    for x in (300, 308, 316, 340):
        grey[40:60, x : x + 4] = 40
    grey[66:68, 280:380] = 40
    found = locate_fields(grey)
    number = found.boxes.tolist().index([300.0, 40.0, 20.0, 20.0])
    features = dict(zip(FEATURES, found.features[number].tolist(), strict=True))
    expected = {
        "x": 0.55,
        "x_squared": 0.55**2,
        "y": -0.5,
        "y_squared": 0.25,
        "height": np.log(17 * 20 / 200),
        "aspect": np.log(20 / 80),
        "density": 0.6 / 0.3 - 1,
        "framed": 0.0,
        "rule_under": 1.0,
        "ink_before": 0.0,
        "ink_behind": 80 / (0.6 * 400),
        "darkness": 1.0,
        "components": np.log(3 / 6),
        "unevenness": 0.0,
        "last_line": 0.0,
        "alone": 0.0,
        "heading": 0.0,
        "wide_gap": 4 / 20,
    }
    assert {name: features[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    # Its ink stands four pixels from each side of its picture.
    dark = found.images[number] < 128
    assert np.flatnonzero(dark.any(axis=1)).tolist() == list(range(4, 24))
    assert np.flatnonzero(dark.any(axis=0))[[0, -1]].tolist() == [4, 23]
    headed = grey.copy()
    headed[26:36, 302:318] = 40
    found = locate_fields(headed)
    number = found.boxes.tolist().index([300.0, 40.0, 20.0, 20.0])
    features = dict(zip(FEATURES, found.features[number].tolist(), strict=True))
    assert features["heading"] == features["alone"] == 1.0


def features_of(bars, box):
    """The features of a field on a check 200 x 400 with bars (x, y, width, height)."""
    grey = np.full((200, 400), 220, np.uint8)
    for x, y, wide, tall in bars:
        grey[y : y + tall, x : x + wide] = 40
    found = locate_fields(grey)
    row = found.features[found.boxes.tolist().index(box)]
    return dict(zip(FEATURES, row.tolist(), strict=True))


def test_features_of_what_stands_before_and_above():
    """Three bars, one of them shorter; a separate one before; above, a rule over a dash."""
    bars = [(300, 40, 4, 20), (308, 44, 4, 16), (316, 40, 4, 20)]
    around = [(278, 40, 6, 20), (280, 24, 100, 2), (305, 31, 10, 5)]
    features = features_of(bars + around, [300, 40, 20, 20])
    expected = {
        "framed": 0.0,
        "rule_under": 0.0,
        "ink_before": 120 / (0.6 * 400),
        "ink_behind": 0.0,
        "heading": 50 / (0.3 * 400),
        "alone": 50 / (0.3 * 400),
        "unevenness": 4 * np.std([20, 16, 20]) / 20,
        "alike_before": (1 - 16 / 32) * (1 - features["sign_before"] ** 2),
        "alike_behind": 0.0,
    }
    assert {name: features[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    # What is taller, or stands lower, is less like the field's own characters.
    higher = features_of([*bars, (334, 34, 4, 26)], [300, 40, 20, 20])["alike_behind"]
    assert higher == pytest.approx(1 - np.log(26 / 20) / 0.5)
    lower = features_of([*bars, (332, 45, 4, 20)], [300, 40, 20, 20])["alike_behind"]
    assert lower == pytest.approx(1 - 5 / (0.5 * 20))
    # The field's own bars do not count as left out, though they are as thin as the gaps that count.
    thin = features_of([(x, 40, 2, 30) for x in (300, 310, 320)], [300, 40, 22, 30])
    assert thin["alike_before"] == thin["alike_behind"] == 0.0


def test_a_stroke_that_ends_on_a_line_leaves_the_line_whole():
    for rows in (slice(1, 5), slice(4, 8), slice(3, 6), slice(1, 8)):  # the third is roughness
        mask = np.zeros((9, 50), bool)
        mask[4] = mask[rows, 20] = True
        assert horizontal_lines(mask, 30)[4, 20] == (rows != slice(1, 8))


def test_specks_are_no_components():
    grey = np.full((200, 400), 220, np.uint8)
    grey[40, 50:53] = grey[80:82, 50:52] = 40
    assert ink_of_check(grey).boxes.tolist() == [[50, 80, 52, 82]]


def test_cents_stand_behind_their_dollars_and_small_marks_join_only_what_is_near():
    boxes = np.array([[40, 20, 100, 50], [6, 14, 30, 30], [106, 14, 130, 30]])
    assert beside_each_other(boxes, np.zeros(3, int)) == [(0, 2)]
    for left, joined in ((15, True), (40, False)):
        marks = np.array([[0, 0, 10, 40], [left, 28, left + 10, 40]])
        found = {tuple(sorted(word.tolist())) for word in words(marks, 80.0)}
        assert ((0, 1) in found) is joined


def test_gradients_reach_the_coefficients():
    features = np.random.default_rng(0).normal(size=(4, len(FEATURES))).astype(np.float32)
    found = found_of([[k, 0, 5, 5] for k in range(4)], [0, 0, 1, 2], [(2, 3)], features)
    penalty = FieldPenalty()
    each = penalty(torch.from_numpy(found.features), torch.from_numpy(found.roles))
    graph = field_graph(found, each)
    gtn.forward_penalty(graph).backward()
    grad = penalty.bias.grad
    # The derivative of the forward penalty by a penalty is the arc's posterior.
    assert grad[0] + grad[1] == pytest.approx(1.0)
    assert grad[1] == pytest.approx(float(grad[2]))
    assert penalty.coefficients.grad.abs().sum() > 0


def test_what_makes_a_field_likely_depends_on_its_role():
    """Cents need not look as amounts and dollars usually do."""
    penalty = FieldPenalty()
    roles = torch.arange(3)
    none = penalty(torch.zeros(3, len(FEATURES)), roles)
    assert none.tolist() == [6.0, 7.0, 0.0]
    for name, signs in (
        ("sign_before", [-1, -1, 0]),
        ("x", [-1, -1, 0]),
        ("aspect_squared", [1, 1, 0]),
        ("ink_behind", [1, 1, 0]),
        ("rule_under", [0, 0, -1]),
        ("darkness", [0, 0, 0]),
    ):
        features = torch.zeros(3, len(FEATURES))
        features[:, FEATURES.index(name)] = 1.0
        assert (penalty(features, roles) - none).sign().tolist() == signs


def test_blank_checks_have_no_candidate():
    found = locate_fields(np.full((300, 600), 200, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert field_graph(found).num_arcs == 0
    assert gtn.forward_penalty(field_graph(found)) == torch.inf
    assert len(likeliest(found, torch.zeros(0), 3).boxes) == 0


@pytest.mark.parametrize("shape", [(15, 90), (90, 15), (99,), (99, 99, 3)])
def test_what_is_no_check_raises(shape):
    with pytest.raises(ValueError, match="a check is a uint8 array"):
        locate_fields(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="not float64"):
        locate_fields(np.zeros((99, 99)))
    assert len(locate_fields(np.zeros((16, 16), np.uint8)).boxes) == 0


def test_amounts_on_composed_checks_are_found():
    if not (DATA / "mnist").is_dir():
        pytest.skip(f"no MNIST in {DATA}")
    images, labels = load_mnist(DATA / "mnist", "train")
    composer = CheckComposer(np.asarray(images), np.asarray(labels), "train")
    held = 0
    for i in range(12):
        check = composer.compose(np.random.default_rng([8, i]))
        box = np.array(check.box)
        boxes = locate_fields(check.image).boxes
        ends = np.minimum(boxes[:, :2] + boxes[:, 2:], box[:2] + box[2:])
        shared = np.clip(ends - np.maximum(boxes[:, :2], box[:2]), 0, None).prod(axis=1)
        held += shared.max() > 0.85 * box[2:].prod()
    assert held >= 10
