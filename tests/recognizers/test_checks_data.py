"""Whole checks: the same seed gives the same check, and its truth is right."""

import numpy as np
import pytest

from recognizers.datasets.check_amounts import drawn_text, print_amount, write_amount
from recognizers.datasets.check_layouts import FAMILIES, layouts
from recognizers.datasets.check_printing import draw_line, draw_text, in_words, lay, text_ink
from recognizers.datasets.checks import CheckComposer
from recognizers.datasets.written_amounts import MnistFields


def bars():
    """Twenty images in which every digit is a bar."""
    images = np.zeros((20, 28, 28), np.uint8)
    images[:, 4:24, 12:16] = 255
    return images, np.arange(20) % 10


@pytest.fixture(scope="module")
def composer():
    return CheckComposer(*bars(), "train")


def checks_of(composer, count):
    return [composer.compose(np.random.default_rng([3, i])) for i in range(count)]


def test_the_same_seed_gives_the_same_check(composer):
    first, again = (composer.compose(np.random.default_rng(5)) for _ in "ab")
    assert np.array_equal(first.image, again.image)
    assert (first.text, first.parts, first.layout) == (again.text, again.parts, again.layout)
    other = composer.compose(np.random.default_rng(6))
    assert (other.text, other.layout) != (first.text, first.layout)


def test_layouts_of_the_test_are_in_no_training():
    families = {part: {one.family.name for one in layouts(part)} for part in FAMILIES}
    assert not families["train"] & families["test"]
    assert {one.kind for one in layouts("test")} == {"business", "personal"}
    names = [one.name for part in FAMILIES for one in layouts(part)]
    assert len(set(names)) == len(names)
    with pytest.raises(ValueError, match="'exam' is not one of train, test"):
        layouts("exam")


def test_the_box_holds_the_ink_of_the_amount(composer):
    for check in checks_of(composer, 6):
        x, y, wide, high = check.box
        assert x >= 0
        assert x + wide <= check.image.shape[1]
        assert y >= 0
        assert y + high <= check.image.shape[0]
        inside = check.image[y : y + high, x : x + wide].astype(float)
        assert inside.min() < np.median(check.image) - 40
        for part in check.parts:
            assert part.box[0] >= x
            assert part.box[1] >= y


def test_what_is_written_says_the_text(composer):
    for check in checks_of(composer, 8):
        whole, cents = check.text.split(".")
        digits = "".join(c for c in check.parts[0].written.split("/")[0] if c.isdigit() or c in "x")
        assert digits.startswith(whole)
        if len(check.parts) == 2:
            assert [part.role for part in check.parts] == ["dollars", "cents"]
            assert (digits, check.parts[1].written) == (whole, cents)
        else:
            assert digits[len(whole) :] in (cents, "xx")


def test_two_fields_for_cents_that_stand_high():
    writer = MnistFields(*bars(), tight=True)
    raised = 0
    for seed in range(30):
        found = write_amount("305.40", writer, np.random.default_rng(seed))
        if len(found.parts) == 2:
            dollars, cents = (part.box for part in found.parts)
            raised += 1
            assert cents[0] >= dollars[0] + dollars[2] - 1
            assert cents[1] + cents[3] < dollars[1] + dollars[3]
            assert cents[3] < dollars[3]
    assert 4 <= raised <= 16


def test_digits_stand_on_the_line_of_the_amount():
    """Written by hand they jump a little; raised cents lose no ink."""
    writer = MnistFields(*bars(), tight=True)
    away: dict[int, list[int]] = {1: [], 2: []}
    for seed in range(60):
        found = write_amount("888.88", writer, np.random.default_rng(seed))
        x, y, wide, high = found.parts[0].box
        first = found.ink[:, x : x + max(4, wide // (4 if len(found.parts) == 2 else 9))]
        foot = int(np.flatnonzero((first > 60).any(axis=1))[-1]) + 1
        away[len(found.parts)].append(foot - found.line)
        for part in found.parts[1:]:
            x, y, wide, high = part.box
            ink = found.ink[y : y + high, x : x + wide] > 60
            assert ink.shape == (high, wide)
            assert ink.any(axis=1).all()
    for some in away.values():
        assert len(some) >= 8
        assert abs(np.median(some)) <= 1
        assert np.percentile(np.abs(some), 80) <= 5


def test_printed_amounts_stand_in_their_places(composer):
    places = {one.name: one for one in composer.layouts}
    away = []
    for seed in range(40):
        check = composer.compose(np.random.default_rng([4, seed]))
        if check.printed:
            layout = places[check.layout]
            line = layout.family.amount[1] * layout.size[1]
            away.append(check.box[1] + check.box[3] - line)
    assert len(away) >= 8
    assert 0 <= np.median(away) <= 6  # commas hang below


def test_printed_amounts_are_as_wide_as_what_is_printed():
    found = print_amount("1250.60", "mono", 20, np.random.default_rng(1))
    (part,) = found.parts
    assert part.written.strip("$*").replace(",", "") == "1250.60"
    assert found.ink.shape == (part.box[3], part.box[2])


def test_drawn_texts_are_amounts():
    for seed in range(50):
        whole, cents = drawn_text(np.random.default_rng(seed), most=4).split(".")
        assert 1 <= len(whole) <= 4
        assert str(int(whole)) == whole
        assert len(cents) == 2


def test_in_words():
    assert in_words(0) == "ZERO"
    assert in_words(13) == "THIRTEEN"
    assert in_words(800_000) == "EIGHT HUNDRED THOUSAND"
    assert in_words(999_999).split() == (
        ["NINE", "HUNDRED", "NINETY", "NINE", "THOUSAND", "NINE", "HUNDRED", "NINETY", "NINE"]
    )


def test_what_falls_off_the_sheet_is_cut_off():
    sheet = np.zeros((20, 30), np.uint8)
    assert lay(sheet, np.full((10, 10), 200, np.uint8), 25, -4) == (25, 0, 5, 6)
    assert int((sheet > 0).sum()) == 30
    assert lay(sheet, np.full((4, 4), 200, np.uint8), 40, 2)[2:] == (0, 0)
    numbered = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert lay(sheet, numbered, -3, -2) == (0, 0, 7, 8)
    assert np.array_equal(sheet[:8, :7], numbered[2:, 3:])
    assert draw_text(np.zeros((60, 60), np.uint8), "1", "sans", 20, 5, 50)[1::2] == (35, 15)
    draw_line(sheet, (-5, 18, 100, 9), 1.0)
    assert sheet[18:].min() == 255
    assert draw_text(sheet, " ", "sans", 12, 3, 10) == (3, 10, 0, 0)
    ink, rise = text_ink("g", "serif", 20)
    assert rise < ink.shape[0]  # it reaches below the line
