"""Over-segmentation: each path uses every piece once; without ink there is no path."""

import os
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import gtn
from grammars import RUBBISH, named
from recognizers.datasets.fields import FieldSetError
from recognizers.images import load_field
from recognizers.segmentation import Segmentation, ink_image, segment_field, segment_images
from recognizers.segmentation.binarization import (
    MIN_CONTRAST,
    dark_on_light,
    ink_threshold,
    remove_edge_lines,
    remove_faint,
    remove_specks,
    subtract_rules,
)
from recognizers.segmentation.cuts import (
    estimate_slant,
    hit_and_deflect,
    hit_and_deflect_from_below,
    row_shifts,
    shear,
    unshear,
)
from recognizers.segmentation.features import FEATURES
from recognizers.segmentation.graph import INK, SegmentPenalty, segmentation_graph
from recognizers.segmentation.images import normalise_segment, to_input
from recognizers.segmentation.quality import (
    has_path,
    measure_segmentation,
    overlap,
    read_boxes,
)
from recognizers.segmentation.rules import CUTS, THOROUGH, Rules
from recognizers.segmentation.surroundings import segment_surroundings

DATA = Path(os.environ.get("GTN_DATA", Path(__file__).parents[3] / "shared" / "data")) / "car"
needs_data = pytest.mark.skipif(
    not (DATA / "boxes.csv").exists(), reason=f"no courtesy-amount fields in {DATA}"
)


@needs_data
def test_fields_of_checks_are_dark_on_light_and_their_negatives_are_not():
    fields = [load_field(path) for path in sorted((DATA / "images").iterdir())[::9]]
    assert len(fields) >= 100
    assert all(dark_on_light(field) is field for field in fields)
    inverted = [np.array_equal(dark_on_light(255 - field), field) for field in fields]
    assert np.mean(inverted) > 0.95


@pytest.mark.parametrize("level", [0, 120, 255])
def test_empty_paper_stays_as_it_is(level):
    paper = np.full((20, 50), level, np.uint8)
    assert dark_on_light(paper) is paper


def bars(columns, height=48, width=120, thick=5):
    """Draw vertical strokes at the given columns, dark on light."""
    field = np.full((height, width), 225, np.uint8)
    for column in columns:
        field[8 : height - 8, column : column + thick] = 40
    return field


def touching_zeros():
    """Draw two rings that touch."""
    image = Image.new("L", (100, 50), 230)
    draw = ImageDraw.Draw(image)
    for left in (18, 44):
        draw.ellipse((left, 8, left + 28, 42), outline=30, width=4)
    return np.asarray(image)


def check(segmentation: Segmentation) -> None:
    """Check what holds for every segmentation."""
    s = segmentation
    count = s.num_nodes - 1
    assert s.image.dtype == np.uint8
    assert s.image.shape == s.mask.shape == s.pieces.shape
    assert s.src.dtype == s.dst.dtype == np.int32
    assert s.boxes.shape == (s.num_arcs, 4)
    assert s.images.shape == (s.num_arcs, 32, 32)
    assert s.images.dtype == np.uint8
    assert s.features.shape == (s.num_arcs, len(FEATURES))
    assert np.isfinite(s.features).all()
    assert np.array_equal(s.pieces >= 0, s.mask)
    if s.num_arcs == 0:
        assert s.num_nodes == 2
        assert not s.mask.any()
        return
    assert set(np.unique(s.pieces[s.mask])) == set(range(count))
    spans = s.dst - s.src
    assert spans.min() == 1
    assert spans.max() <= Rules().longest_group
    assert s.src.min() == 0
    assert s.dst.max() == count
    # every piece alone is an arc, so that every node lies on a complete path
    assert set(s.src[spans == 1]) == set(range(count))
    assert len({*zip(s.src.tolist(), s.dst.tolist())}) == s.num_arcs
    assert np.array_equal(np.lexsort((s.dst, s.src)), np.arange(s.num_arcs))
    assert len(s.cuts) == count - 1
    assert all(line.ndim == 2 and line.shape[1] == 2 for line in s.cuts)
    assert (s.boxes[:, 2:] > 0).all()
    assert s.images.reshape(s.num_arcs, -1).any(axis=1).all()


def test_bars_become_pieces_with_their_boxes():
    s = segment_field(bars([20, 60, 95]))
    check(s)
    assert s.num_nodes == 4
    single = s.boxes[s.dst - s.src == 1]
    assert np.abs(single - [(20, 8, 5, 32), (60, 8, 5, 32), (95, 8, 5, 32)]).max() <= 2.0


def test_groups_stop_at_wide_gaps():
    near = segment_field(bars([20, 30, 40]))
    far = segment_field(bars([20, 30, 90]))
    assert (0, 3) in set(zip(near.src.tolist(), near.dst.tolist()))
    assert (0, 2) in set(zip(far.src.tolist(), far.dst.tolist()))
    assert not any(s <= 1 and d == 3 for s, d in zip(far.src, far.dst))


def test_touching_zeros_are_cut_apart():
    s = segment_field(touching_zeros())
    check(s)
    truth = np.array([[18.0, 8, 28, 34], [45.0, 8, 28, 34]])
    good = overlap(s.boxes.astype(float), truth) >= 0.8
    assert has_path(s, good)


def test_an_arc_shows_its_own_ink_only():
    s = segment_field(bars([40, 50]))
    alone = s.images[(s.src == 0) & (s.dst == 1)][0]
    both = s.images[(s.src == 0) & (s.dst == 2)][0]
    # the middle row crosses one stroke of the first, two strokes with paper between of the second
    assert np.count_nonzero(np.diff((alone[16] > 128).astype(int)) == 1) == 1
    assert np.count_nonzero(np.diff((both[16] > 128).astype(int)) == 1) == 2


def test_an_arc_shows_no_ink_of_a_piece_within_its_box():
    owner = np.full((20, 20), -1)
    owner[:, 0:4] = owner[16:, :] = 1
    owner[2:10, 6:10], owner[2:10, 12:16] = 0, 2
    ink = np.where(owner >= 0, 255, 0).astype(np.uint8)
    images = segment_images(ink, owner, np.arange(3), np.arange(1, 4), 20.0)
    expected = normalise_segment(np.where(owner == 1, 255, 0).astype(np.uint8), 20.0)
    assert np.array_equal(images[1], expected)


@pytest.mark.parametrize(
    "field",
    [
        np.full((50, 150), 255, np.uint8),
        np.zeros((50, 150), np.uint8),
        np.full((50, 150), 131, np.uint8),
        np.tile(np.linspace(120, 220, 150).astype(np.uint8), (50, 1)),
        np.full((1, 1), 7, np.uint8),
        np.full((1, 90), 200, np.uint8),
    ],
    ids=["white", "black", "grey", "ramp", "pixel", "line"],
)
def test_no_ink_no_path(field):
    s = segment_field(field)
    check(s)
    assert s.num_arcs == 0
    graph = segmentation_graph(s, SegmentPenalty())
    assert graph.num_nodes == 2
    assert graph.num_arcs == 0


@pytest.mark.parametrize("shape", [(1, 200), (2, 3), (4, 4), (300, 4), (5, 900), (700, 1600)])
def test_noise_of_any_shape(shape):
    noise = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    check(segment_field(noise))


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 90), st.integers(0, 10**6), st.floats(0.0, 0.6))
def test_random_blobs(height, width, seed, share):
    random = np.random.default_rng(seed)
    field = np.where(random.random((height, width)) < share, 30, 220).astype(np.uint8)
    check(segment_field(field))


def test_deterministic():
    first, second = (segment_field(touching_zeros()) for _ in range(2))
    for field in fields(Segmentation):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if field.name == "cuts":
            assert all(np.array_equal(x, y) for x, y in zip(a, b))
        else:
            assert np.array_equal(a, b)


def test_light_ink_on_dark_ground_reads_the_same():
    dark, light = segment_field(bars([20, 60])), segment_field(255 - bars([20, 60]))
    assert np.array_equal(dark.src, light.src)
    assert np.array_equal(dark.images, light.images)


def test_high_fields_are_reduced_and_boxes_stay_in_file_pixels():
    field = np.asarray(Image.fromarray(bars([20, 60])).resize((1200, 480), Image.Resampling.BOX))
    s = segment_field(field)
    check(s)
    assert s.image.shape[0] == 128
    assert np.abs(s.boxes[0] - (200, 80, 50, 320)).max() <= 12


def test_boxes_of_reduced_fields_begin_in_the_middle_of_a_pixel_of_the_file():
    """Enlarged four times in both directions, the same field has boxes four times as large."""
    field = bars([20, 60], height=128, width=160, thick=8)
    one, four = segment_field(field), segment_field(np.kron(field, np.ones((4, 4), np.uint8)))
    assert (one.scale, four.scale) == (1.0, 4.0)
    np.testing.assert_allclose(four.boxes[:, :2] + 0.5, 4 * (one.boxes[:, :2] + 0.5))
    np.testing.assert_allclose(four.boxes[:, 2:], 4 * one.boxes[:, 2:])
    for small, large in zip(one.cuts, four.cuts, strict=True):
        np.testing.assert_allclose(large, 4 * small)


@pytest.mark.parametrize("slant", [-0.3, 0.4])
def test_lines_between_pieces_lean_with_the_writing(slant):
    field = np.full((60, 140), 225, np.uint8)
    for row in range(8, 52):
        for left in (45, 80):
            begin = left + round(slant * (30 - row))
            field[row, begin : begin + 6] = 40
    (line,) = segment_field(field).cuts
    for x, y in line:
        middle = 45 + 6 + (80 - 51) / 2 + slant * (30 - y)
        assert abs(x - middle) < 4


def test_what_is_full_black_is_the_third_decile_of_the_ink():
    levels = np.linspace(100, 200, 101, dtype=np.float32)[None].repeat(3, axis=0)
    image = ink_image(levels, np.ones(levels.shape, bool), 60.0)
    assert np.flatnonzero(image[1] < 255).tolist() == list(range(30))
    assert image[0, 0] == round(255 * (100 - 24) / (130 - 24))


def test_a_printed_rule_is_no_ink():
    field = bars([40, 75], width=160)
    field[44:46] = 120
    s = segment_field(field)
    assert s.num_nodes == 3
    assert not s.mask[44:46].any()


def of_rule(row, length, level=60.0):
    """What is left of a rule two pixels thick on a field of 40 x 200, but for the rule's ends."""
    levels = np.zeros((40, 200), np.float32)
    levels[row : row + 2, 10 : 10 + length] = level
    return subtract_rules(levels)[row : row + 2, 15 : 5 + length]


@pytest.mark.parametrize("row", [0, 8, 10, 28, 30])
def test_rules_in_the_middle_half_are_longer(row):
    """Rules are longer than 0.35 of the width; in the middle half of 40 rows, longer than 0.75."""
    inside = 10 <= row < 30
    assert of_rule(row, 66).all()
    assert of_rule(row, 80).all() == inside
    assert of_rule(row, 145).all() == inside
    assert not of_rule(row, 165).any()
    # What is up to 1.6 times as dark as the rule goes with it; in the middle, 1.3 times.
    for times, stays in ((1.25, False), (1.35, inside), (1.55, inside), (1.65, True)):
        rule = np.full((40, 200), 0.0, np.float32)
        rule[row : row + 2] = 60.0
        rule[row, 100] = 60.0 * times
        assert bool(subtract_rules(rule)[row, 100]) == stays


def test_a_rule_is_longer_than_the_field_is_high_and_may_be_uneven():
    levels = np.zeros((80, 100), np.float32)
    levels[2, 10:80] = levels[70, 5:95] = 60.0
    left = subtract_rules(levels)
    assert left[2, 15:75].all()
    assert not left[70, 10:90].any()
    uneven = np.zeros((40, 200), np.float32)
    uneven[2, ::2], uneven[2, 1::2] = 60.0, 30.0
    steps = np.zeros((40, 200), np.float32)
    steps[2, :100] = steps[3, 100:] = 60.0
    assert not subtract_rules(uneven).any()
    assert not subtract_rules(steps).any()


def test_ink_is_darker_than_the_noise_of_the_paper():
    levels = np.full((20, 50), 30.0, np.float32)
    levels[5:8, 5:9] = 50.0
    assert ink_threshold(levels) == pytest.approx(60.0)  # twice the noise
    assert ink_threshold(levels - 30.0) == pytest.approx(MIN_CONTRAST)
    assert ink_threshold((levels - 30.0) * MIN_CONTRAST / 20.0) == MIN_CONTRAST
    assert ink_threshold((levels - 30.0) * (MIN_CONTRAST - 0.1) / 20.0) == np.inf


@pytest.mark.parametrize(
    ("rows", "width", "stays"),
    [
        ((37, 40), 12, False),
        ((0, 3), 12, False),
        ((37, 40), 11, True),  # not four times as wide as high
        ((35, 40), 20, False),
        ((34, 40), 40, True),  # higher than an eighth of the field
        ((30, 33), 40, True),  # not at the edge
        ((7, 10), 40, True),
    ],
)
def test_what_is_flat_at_the_edge_is_no_ink(rows, width, stays):
    mask = np.zeros((40, 60), bool)
    mask[slice(*rows), 5 : 5 + width] = True
    assert np.array_equal(remove_edge_lines(mask), mask & stays)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_fainter_than_most_ink_is_no_ink(seed):
    """Components of one row each, with random levels and sizes, against the rule written out."""
    rng = np.random.default_rng(seed)
    levels = np.zeros((15, 40))
    sizes = rng.integers(1, 40, 7)
    for row, size in enumerate(sizes):
        levels[2 * row + 1, :size] = rng.integers(1, 4) * 30 + rng.integers(0, 20, size)
    mask = levels > 0
    # A component's levels from the darkest on; those of its first tenth are passed over.
    dark = [sorted(row[row > 0], reverse=True)[(row > 0).sum() // 10] for row in levels[1::2]]
    ranked = sorted(zip(dark, sizes))
    until = np.cumsum([size for _, size in ranked])
    middle = next(level for (level, _), end in zip(ranked, until) if 2 * end >= until[-1])
    stays = np.array(dark) >= 0.6 * middle
    assert remove_faint(mask, levels)[1::2].any(axis=1).tolist() == stays.tolist()
    assert remove_faint(mask, levels).sum() == sizes[stays].sum()
    for least in (1, 10, 40):
        kept = remove_specks(mask, least)
        assert kept.sum(axis=1)[1::2].tolist() == (sizes * (sizes >= least)).tolist()


@pytest.mark.parametrize(
    "bad", [np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4)), np.zeros((0, 4), np.uint8)]
)
def test_wrong_arrays_are_refused(bad):
    with pytest.raises(ValueError, match="uint8 array"):
        segment_field(bad)


def test_hit_and_deflect_cuts_at_the_valley():
    """Two hills of ink on a ground: lines dropped between them meet in the valley."""
    ink = np.zeros((12, 21), bool)
    for row in range(2, 10):
        ink[row, max(0, 5 - row // 2) : 6 + row // 2] = True
        ink[row, 15 - row // 2 : min(21, 16 + row // 2)] = True
    paths = hit_and_deflect(ink, 8)
    crossed = ink[np.arange(12), paths].sum(axis=1)
    assert crossed[10] == ink[:, 10].sum()
    inner = paths[8:13]
    assert len({tuple(path[8:]) for path in inner.tolist()}) <= 2
    below = hit_and_deflect_from_below(ink[::-1], 8)
    assert np.array_equal(below, paths[:, ::-1])


@pytest.mark.parametrize("slant", [-0.3, 0.0, 0.35, 0.8])
def test_slant_is_found_and_removed(slant):
    mask = np.zeros((40, 160), bool)
    rows = np.arange(40)
    for column in (50, 75, 110):
        for thick in range(4):
            mask[rows, (column + thick + np.rint(slant * (20 - rows))).astype(int)] = True
    found = estimate_slant(mask)
    assert abs(found - slant) <= 0.1
    shifts = row_shifts(40, found)
    assert np.array_equal(unshear(shear(mask, shifts), shifts), mask)


def test_normalised_images_are_like_mnist():
    image = normalise_segment(np.full((60, 30), 255, np.uint8), 60.0)
    rows, columns = np.nonzero(image > 128)
    assert 19 <= np.ptp(rows) + 1 <= 21
    assert 9 <= np.ptp(columns) + 1 <= 11
    assert abs(rows.mean() - 15.5) <= 0.5
    assert abs(columns.mean() - 15.5) <= 0.5
    assert not image[:2].any()
    point = normalise_segment(np.full((6, 6), 255, np.uint8), 60.0)
    assert 2 <= np.ptp(np.nonzero(point > 128)[0]) + 1 <= 4


def test_what_is_neither_enlarged_nor_reduced_stays_as_it_is():
    """20 rows in writing 20 high; the centre of mass comes to the middle, else 2 pixels stay."""
    for width in (2, 6, 20):
        ink = np.random.default_rng(width).integers(0, 256, (20, width), dtype=np.uint8)
        ink = np.maximum(ink, ink[::-1, ::-1])  # its centre of mass is its middle
        expected = np.zeros((32, 32), np.uint8)
        expected[6:26, 16 - width // 2 : 16 + width // 2] = ink
        assert np.array_equal(normalise_segment(ink, 20.0), expected)
    corner = np.zeros((20, 20), np.uint8)
    corner[0, 0], corner[18:, 18:] = 1, 255
    assert np.array_equal(normalise_segment(corner, 20.0)[2:22, 2:22], corner)
    assert not normalise_segment(corner[1:18, 1:18], 20.0).any()  # no ink


def test_wide_segments_are_heightened_up_to_a_limit():
    """10 x 40 pixels in writing 20 high get 20 columns, and rows enlarged 1.7 times as much."""
    image = normalise_segment(np.full((10, 40), 255, np.uint8), 20.0)
    assert abs(image.max(axis=1).astype(float).sum() / 255 - 10 * 0.5 * 1.7) < 0.5
    assert abs(image.max(axis=0).astype(float).sum() / 255 - 20) < 0.5
    # Not beyond the height of high writing: 0.6 of 40 is 20 rows.
    flat = normalise_segment(np.full((20, 24), 255, np.uint8), 40.0)
    assert abs(flat.max(axis=1).astype(float).sum() / 255 - 20 * 20 / 24) < 0.5


def test_points_stay_small_and_heavy_ends_stay_in_the_picture():
    point = normalise_segment(np.full((6, 6), 255, np.uint8), 40.0)
    assert abs(point.astype(float).sum() / 255 - (6 * 20 / 24) ** 2) < 1
    heavy = np.zeros((40, 40), np.uint8)
    heavy[:, 18:22] = 255
    heavy[32:] = 255
    for turn in range(4):
        image = normalise_segment(np.rot90(heavy, turn), 40.0)
        beyond = image > 32
        beyond[2:30, 2:30] = False
        assert not beyond.any()
        assert abs(image.astype(float).sum() / heavy.astype(float).sum() - 0.25) < 0.01


def test_segments_stand_on_the_middle_of_their_line_beside_all_other_ink():
    pieces = np.full((60, 120), -1)
    pieces[10:34, 20:26], pieces[28:34, 40:46], pieces[10:34, 52:58] = 0, 1, 2
    ink = np.where(pieces >= 0, 255, 0).astype(np.uint8)
    src, dst = np.array([0, 1, 0]), np.array([1, 2, 3])
    for scale in (1, 2):
        field, numbers = (np.kron(a, np.ones((scale, scale), a.dtype)) for a in (ink, pieces))
        views = segment_surroundings(field, numbers, numbers, src, dst, 24.0 * scale)
        own, other = views[:, 0] > 127, views[:, 1] > 127
        # Letters 24 high become 16 high, around the middle; the low one stands at their foot.
        assert np.flatnonzero(own[0].any(axis=1)).tolist() == list(range(8, 24))
        assert np.flatnonzero(own[1].any(axis=1)).tolist() == list(range(20, 24))
        assert np.flatnonzero(own[1].any(axis=0)).tolist() == list(range(14, 18))
        assert not (own & other).any()
        assert other[1, :, :14].any()
        assert other[1, :, 18:].any()
        assert not other[2].any()


@pytest.mark.parametrize("height", [9.0, 17.0, 40.0])
def test_surroundings_beside_sums_over_pixels(height):
    """The line of writing is 16 pixels high; each of its pixels is a mean of those of the field."""
    rng = np.random.default_rng(0)
    pieces = np.full((72, 64), -1)
    pieces[46:64, 0:13], pieces[51:58, 13:20], pieces[44:70, 60:64] = 0, 1, 2
    ink = np.where(pieces >= 0, rng.choice([150, 255], pieces.shape), 0).astype(np.uint8)
    ink[46:64, 0:13] = 255
    src, dst = np.array([0, 0, 1, 2]), np.array([1, 2, 3, 3])
    views = segment_surroundings(ink, pieces, pieces, src, dst, height)
    scale = 16 / height
    high = [n for n, rows in enumerate((18, 7, 26)) if rows >= height / 2]
    middles = [(46 + 64) / 2, (51 + 58) / 2, (44 + 70) / 2]
    sizes = [float((pieces == n).sum()) for n in range(3)]
    line = np.average([middles[n] for n in high], weights=[sizes[n] for n in high])
    for (own, other), first, end in zip(views, src, dst, strict=True):
        columns = np.flatnonzero(((pieces >= first) & (pieces < end)).any(axis=0))
        left = round((columns[0] + columns[-1] + 1) / 2 * scale - 16)
        y = line + (np.arange(32) + 0.5 - 16) / scale
        x = (left + np.arange(32) + 0.5) / scale
        sharp = min(scale, 1.0)
        down, across = (
            sharp * np.clip(1 - sharp * np.abs(at[:, None] - np.arange(count) - 0.5), 0, 1)
            for at, count in ((y, 72), (x, 64))
        )
        inside = (pieces >= first) & (pieces < end)
        for view, part in ((own, ink * inside), (other, ink * ~inside)):
            expected = np.clip(np.einsum("yi,xj,ij->yx", down, across, part), 0, 255)
            assert np.abs(view - expected).max() <= 0.51
    assert views.max() == 255


def test_network_input_range():
    values = to_input(np.array([0, 255], np.uint8))
    assert values.dtype == np.float32
    assert np.allclose(values, [-0.1, 1.175])


def test_segmentation_graph_and_its_gradient():
    s = segment_field(touching_zeros())
    penalty = SegmentPenalty()
    graph = segmentation_graph(s, penalty)
    assert graph.num_nodes == s.num_nodes
    assert np.array_equal(graph.src, s.src)
    assert np.array_equal(graph.dst, s.dst)
    assert (graph.ilabels == INK).all()
    assert graph.starts.tolist() == [0]
    assert graph.finals.tolist() == [s.num_nodes - 1]
    assert tuple(graph.data["image"].shape) == (s.num_arcs, 1, 32, 32)
    assert np.array_equal(graph.data["box"], s.boxes)
    graph.penalties.sum().backward()
    assert torch.allclose(penalty.coefficients.grad, torch.from_numpy(s.features).sum(dim=0))
    assert penalty.bias.grad == s.num_arcs
    assert (segmentation_graph(s).penalties == 0).all()


def test_gradients_of_the_segment_penalty():
    s = segment_field(touching_zeros())
    features = torch.from_numpy(s.features).double().requires_grad_()
    penalty = SegmentPenalty().double()
    weights = [p.detach().clone().requires_grad_() for p in penalty.parameters()]
    names = [name for name, _ in penalty.named_parameters()]

    def penalties(features, *weights):
        return torch.func.functional_call(penalty, dict(zip(names, weights)), (features,))

    assert torch.autograd.gradcheck(penalties, (features, *weights))
    # the gradient reaches the costs of a segment's gaps, place on the line, size and aspect
    penalties(features, *weights).square().sum().backward()
    by_name = dict(zip(FEATURES, features.grad.abs().amax(dim=0).tolist()))
    assert all(by_name[name] > 0 for name in ("too_wide", "gap_inside", "cut_before"))
    reached = dict(zip(FEATURES, weights[names.index("coefficients")].grad.abs().tolist()))
    assert all(reached[name] > 0 for name in ("width", "height", "aspect", "middle", "gap_after"))


def test_the_loss_of_a_field_has_gradients_in_the_coefficients():
    """They agree with numerical ones, through segmentation and recognition graph to eq. 17."""
    segmentation = segment_field(touching_zeros())
    graph = segmentation_graph(segmentation).double()
    features = graph.data["features"].double()
    scores = torch.rand(graph.num_arcs, 11, generator=torch.Generator().manual_seed(0)).double()
    loss = gtn.nn.DiscriminativeForwardLoss(named("car").graph.double())
    penalty = SegmentPenalty().double()

    def of(coefficients):
        given = {"coefficients": coefficients, "bias": penalty.bias}
        extra = torch.func.functional_call(penalty, given, (features,))
        symbols = gtn.SymbolTable([*"0123456789", RUBBISH])
        read = gtn.expand(graph.with_penalties(extra), scores, symbols=symbols)
        return loss(read, "00")

    assert torch.autograd.gradcheck(of, penalty.coefficients.detach().requires_grad_())
    (slope,) = torch.autograd.grad(of(penalty.coefficients), penalty.coefficients)
    assert slope.abs().min() > 0 or (slope != 0).sum() > len(FEATURES) // 2


def test_likely_segments_pay_little():
    one = segmentation_graph(segment_field(bars([20, 60, 95])), SegmentPenalty()).penalties
    assert one.abs().max() < 0.1
    s = segment_field(touching_zeros())
    graph = segmentation_graph(s, SegmentPenalty())
    truth = np.array([[18.0, 8, 28, 34], [45.0, 8, 28, 34]])
    good = overlap(s.boxes.astype(float), truth) >= 0.8
    penalties = graph.penalties.detach().numpy()
    zeros = sum(penalties[good[:, zero]].min() for zero in range(2))
    assert zeros < 0.5 * penalties[s.dst - s.src == 1].sum()


def test_several_rules_stand_side_by_side():
    parts = [segment_field(touching_zeros(), rules) for rules in THOROUGH]
    both = segment_field(touching_zeros(), THOROUGH)
    assert both.num_arcs == sum(part.num_arcs for part in parts)
    assert both.num_nodes == sum(part.num_nodes for part in parts) - 2
    assert len(both.cuts) == both.num_nodes - 2
    assert np.array_equal(np.lexsort((both.dst, both.src)), np.arange(both.num_arcs))
    assert (both.src < both.dst).all()
    # exactly the paths of the parts
    paths = [gtn.forward_penalty(segmentation_graph(part).double()) for part in (*parts, both)]
    assert torch.allclose(torch.stack(paths[:-1]).neg().exp().sum(), paths[-1].neg().exp())
    rows = [np.sort(part.features.sum(axis=1)) for part in parts]
    assert np.allclose(np.sort(both.features.sum(axis=1)), np.sort(np.concatenate(rows)))


def test_no_ink_under_several_rules():
    s = segment_field(np.full((50, 150), 255, np.uint8), CUTS["thorough"])
    assert s.num_arcs == 0
    assert s.num_nodes == 2
    with pytest.raises(ValueError, match="not by none"):
        segment_field(touching_zeros(), [])


def test_a_point_under_a_character_does_not_stand_between_its_pieces():
    image = Image.new("L", (80, 60), 230)
    draw = ImageDraw.Draw(image)
    draw.ellipse((18, 8, 46, 42), outline=30, width=4)
    draw.ellipse((28, 48, 32, 52), fill=30)
    zero = np.array([[17.5, 7.5, 29, 35]])
    found = {}
    for whole in (False, True):
        s = segment_field(np.asarray(image), Rules(narrowest_cut=0.2, whole=whole))
        found[whole] = bool((overlap(s.boxes.astype(float), zero) >= 0.95).any())
    assert found == {False: False, True: True}


@needs_data
@pytest.mark.parametrize("name", CUTS)
def test_the_cuts_that_readers_choose_among(name):
    files = sorted(read_boxes(DATA / "boxes.csv"))[5:1080:24]
    found = measure_segmentation(DATA, files, segment=partial(segment_field, rules=CUTS[name]))
    assert found.digit_recall >= {"usual": 0.96, "thorough": 0.985}[name]
    assert found.arcs_per_digit <= {"usual": 14, "thorough": 27}[name]


def test_the_figures_of_a_segmenter(tmp_path):
    """Two fields of two digits; in the second field no segment matches one of the boxes."""
    (tmp_path / "images").mkdir()
    rows = ["file,digit,x,y,width,height"]
    for name, second in (("a.png", 45), ("b.png", 100)):
        Image.fromarray(bars([20, 45], thick=20)).save(tmp_path / "images" / name)
        rows += [f"{name},0,20,8,20,32", f"{name},0,{second},8,20,32"]
    (tmp_path / "boxes.csv").write_text("\n".join(rows) + "\n")
    found = measure_segmentation(tmp_path)
    assert (found.fields, found.digits) == (2, 4)
    assert (found.digit_recall, found.field_recall) == (0.75, 0.5)
    assert (found.missed, found.broken) == ((("b.png", 1),), ("b.png",))
    assert found.arcs_per_digit == 2 * 3 / 4  # each bar, and both together
    assert measure_segmentation(tmp_path, ["a.png"]).field_recall == 1.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: no column file and height and width and x and y"),
        ("file,x,y,width\n", ":1: no column height"),
        ("file,x,y,width,height\na.png,1,2,3,4\na.png,1,2,3\n", ":3: not a box"),
        (
            "file,x,y,width,height\na.png,1,2,3,four\n",
            r":2: not a box \(could not convert .* 'four'",
        ),
    ],
)
def test_boxes_that_cannot_be_read(tmp_path, text, words):
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(FieldSetError, match=words):
        read_boxes(tmp_path / "boxes.csv")


def test_a_digit_is_found_from_the_least_overlap_on(tmp_path):
    """Half of the first digit has an arc, and no arc is left for the second."""
    (tmp_path / "images").mkdir()
    Image.fromarray(bars([20])).save(tmp_path / "images" / "a.png")
    lines = ["file,x,y,width,height", "a.png,0,0,10,10", "a.png,50,0,10,10"]
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    ends = {"src": np.array([0]), "dst": np.array([1])}
    box = np.array([[0, 0, 10, 5]], np.float32)
    one = SimpleNamespace(num_nodes=2, num_arcs=1, boxes=box, **ends)
    for least, recall in ((0.5, 0.5), (0.51, 0.0)):
        found = measure_segmentation(str(tmp_path), least_overlap=least, segment=lambda field: one)
        assert (found.digit_recall, found.field_recall) == (recall, 0.0)
    with pytest.raises(FieldSetError, match=r"boxes\.csv: no box of b\.png$"):
        measure_segmentation(tmp_path, ["a.png", "b.png"])


def test_overlap_is_that_of_the_pixels_of_boxes():
    rng = np.random.default_rng(0)
    corners, sides = rng.integers(0, 5, (2, 7, 2)), rng.integers(1, 7, (2, 7, 2))
    first, second = np.concatenate([corners, sides], axis=2).astype(np.float64)
    found = overlap(first, second[:5])
    masks = np.zeros((2, 7, 12, 12), bool)
    for side, index in np.ndindex(2, 7):
        (x, y), (wide, high) = corners[side, index], sides[side, index]
        masks[side, index, y : y + high, x : x + wide] = True
    ones, others = masks[0][:, None], masks[1][None, :5]
    expected = (ones & others).sum(axis=(2, 3)) / (ones | others).sum(axis=(2, 3))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found > 0).sum() > 5


def test_a_path_has_an_arc_for_every_digit_in_order():
    """Compared with all paths of random graphs, arc by arc."""
    rng = np.random.default_rng(1)
    nodes, digits, answers = 5, 2, []
    for _ in range(200):
        ends = [(i, j) for i in range(nodes) for j in range(i + 1, nodes) if rng.random() < 0.5]
        src, dst = np.array(ends, dtype=np.int32).reshape(-1, 2).T
        s = SimpleNamespace(num_nodes=nodes, num_arcs=len(ends), src=src, dst=dst)
        good = rng.random((len(ends), digits)) < 0.3

        def some(node, digit, s=s, good=good):
            """Whether a way leads on to the end through arcs for this digit and all later ones."""
            if node == nodes - 1:
                return digit == digits
            return any(
                some(s.dst[arc], digit)
                or (digit < digits and good[arc, digit] and some(s.dst[arc], digit + 1))
                for arc in np.flatnonzero(s.src == node)
            )

        answers.append(some(0, 0))
        assert has_path(s, good) == answers[-1]
    assert 0.1 < np.mean(answers) < 0.9


@needs_data
def test_true_digits_have_an_arc():
    files = sorted(read_boxes(DATA / "boxes.csv"))[:952:7]
    loose = measure_segmentation(DATA, files, least_overlap=0.6)
    assert loose.digit_recall >= 0.985
    assert loose.field_recall >= 0.95
    assert loose.arcs_per_digit <= 15


@needs_data
def test_true_digits_have_a_tight_arc():
    files = sorted(read_boxes(DATA / "boxes.csv"))[3:952:19]
    tight = measure_segmentation(DATA, files, least_overlap=0.7)
    assert tight.digit_recall >= 0.94
