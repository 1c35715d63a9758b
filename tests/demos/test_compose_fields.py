import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.compose_fields import app
from demos.checks.composing.fields import write_fields
from recognizers.datasets.amount_texts import amount
from recognizers.datasets.check_paper import paper
from recognizers.datasets.fields import load_fields
from recognizers.datasets.penned_amounts import (
    FINE,
    PARTS,
    Hand,
    choose_digits,
    compose_field,
    digit,
    is_drawable,
    lay_out,
    load_set,
)
from recognizers.images import load_field
from recognizers.segmentation import segment_field


def composed(part, count, seed=7):
    return [compose_field(part, np.random.default_rng([seed, i])) for i in range(count)]


@pytest.mark.parametrize("part", PARTS)
def test_digits_come_from_their_part_and_are_what_the_text_says(part):
    begin, end = PARTS[part]
    labels = load_set()[1]
    for field in composed(part, 12):
        assert all(begin <= i < end for i in field.sources)
        assert "".join(str(labels[i]) for i in field.sources) == field.text


def test_the_parts_share_no_digit():
    (train, test) = (set(range(*PARTS[part])) for part in ("train", "test"))
    assert not train & test
    assert train | test == set(range(len(load_set()[1])))


@pytest.mark.parametrize("part", PARTS)
def test_every_digit_can_be_drawn_from_each_part(part):
    rng = np.random.default_rng(0)
    for character in "0123456789":
        chosen = choose_digits(3 * character, part, rng)
        assert len(chosen) == 3
        assert all(is_drawable(i) for i in chosen)


def test_amounts_have_two_to_six_digits_and_no_leading_zero():
    rng = np.random.default_rng(3)
    texts = [amount(rng) for _ in range(500)]
    assert {len(t) for t in texts} == {2, 3, 4, 5, 6}
    assert all(t.isdigit() and t[0] != "0" for t in texts)
    round_ones = sum(t.endswith("0") for t in texts) / len(texts)
    assert 0.2 < round_ones < 0.6


def test_the_same_seed_writes_the_same_files_and_another_seed_others(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_fields(tmp_path / name, "test", 3, seed)
    contents = [
        {p.name: p.read_bytes() for p in sorted((tmp_path / name).iterdir())} for name in "abc"
    ]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]
    assert len(contents[0]) == 4


def test_more_fields_leave_the_first_as_they_are():
    pass_one, pass_two = composed("train", 2), composed("train", 3)
    for a, b in zip(pass_one, pass_two, strict=False):
        assert a.text == b.text
        assert np.array_equal(a.image, b.image)


def test_fields_look_like_ink_on_paper():
    for field in composed("train", 12, seed=11):
        high, wide = field.image.shape
        assert field.image.dtype == np.uint8
        assert 55 <= high <= 80
        assert 60 <= wide <= 700
        background = np.median(field.image)
        assert background > 120
        assert field.image.min() < 0.6 * background
        # About as much ink as a pen writes: neither a blot nor a blank.
        assert 0.01 < (field.image < 0.7 * background).mean() < 0.35


def test_a_field_has_at_least_as_many_pieces_as_the_segmenter_needs_for_its_digits():
    for field in composed("test", 8, seed=5):
        segmentation = segment_field(field.image)
        assert segmentation.num_nodes - 1 >= len(field.text)


def test_digits_stand_side_by_side():
    hand = Hand.of(np.random.default_rng(2))
    ink = lay_out(hand, "1000", (1, 0, 10, 20), np.random.default_rng(4))
    widest = digit(0, hand, 0.5 * hand.field_height, np.random.default_rng(0))
    written = np.flatnonzero((ink < hand.radius).any(0))
    assert written[-1] - written[0] > 2.0 * (widest.shape[1] - 8 * FINE)
    assert ndimage.label(ink < hand.radius, np.ones((3, 3)))[1] >= 3


def test_paper_is_light_and_of_the_shape_asked_for():
    for seed in range(20):
        sheet = paper((64, 200), np.random.default_rng(seed))
        assert sheet.shape == (64, 200)
        assert 110 < np.median(sheet) < 256


def test_the_shipped_fields_are_of_the_test_part_as_its_command_writes_them():
    folder = DEMO_FIELDS
    found = load_fields(folder)
    assert not found.problems
    assert len(found.fields) == 12
    assert sum(p.stat().st_size for p in folder.iterdir()) < 250_000
    for i, one in enumerate(found.fields):
        again = compose_field("test", np.random.default_rng([1998, 1, i]))
        assert one.text == again.text
        image = load_field(one.path).astype(int)
        assert image.shape == again.image.shape
        # Other versions of the libraries may round differently.
        assert np.abs(image - again.image).mean() < 2.0


def test_command_writes_grey_pictures_with_their_labels(tmp_path):
    result = CliRunner().invoke(app, [str(tmp_path / "out"), "--count", "2", "--part", "train"])
    assert result.exit_code == 0, result.output
    fields = load_fields(tmp_path / "out").fields
    assert [f.name for f in fields] == ["train_000.png", "train_001.png"]
    with Image.open(fields[0].path) as image:
        assert (image.format, image.mode) == ("PNG", "L")


def test_wrong_part_and_count_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'both' is not one of train, test"):
        compose_field("both", np.random.default_rng(0))
    with pytest.raises(ValueError, match="nothing to write"):
        write_fields(tmp_path, "test", 0)


def test_texts_of_files_that_are_not_written_are_not_lost(tmp_path):
    write_fields(tmp_path, "test", 2, seed=1)
    write_fields(tmp_path, "test", 2, seed=2)  # the same names, but another set in the same place
    labels = (tmp_path / "labels.csv").read_text()
    with pytest.raises(ValueError, match=r"has the text of test_001\.png, .* another folder"):
        write_fields(tmp_path, "test", 1, seed=3)
    assert (tmp_path / "labels.csv").read_text() == labels
    (tmp_path / "labels.csv").write_text("something else\nof mine\n")
    with pytest.raises(ValueError, match=r"has the text of other files"):
        write_fields(tmp_path, "test", 2)
    hidden = 'file,text\ntest_000.png,"12\nmine.png,34\n'  # after a quote that is not closed
    (tmp_path / "labels.csv").write_text(hidden)
    with pytest.raises(ValueError, match=r"labels\.csv: cannot be read: .* another folder"):
        write_fields(tmp_path, "test", 2)
    assert (tmp_path / "labels.csv").read_text() == hidden
