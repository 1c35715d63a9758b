"""Ink written by code, and ink from files of all kinds."""

import tarfile

import numpy as np
import pytest

from demos.words.samples.files import ink_of_file, inks_of
from demos.words.samples.handwriting import HANDS, LETTERS, Hand, write_word
from recognizers.online.ink import Ink, InkError
from recognizers.online.ink_files import to_json
from recognizers.online.normalization import fit_lines
from recognizers.online.unipen import UnipenReader

UNIPEN = ".COORD X Y\n.PEN_DOWN\n0 0 1 9\n.PEN_UP\n.PEN_DOWN\n5 5 6 6\n"


@pytest.mark.parametrize("name", HANDS)
def test_a_hand_writes_every_letter_and_its_lines_are_found(name):
    for letter in LETTERS:
        assert len(write_word(letter, HANDS[name]).points) > 3
    hand = HANDS[name]
    ink = write_word("handwriting", hand, seed=3)
    assert ink == write_word("handwriting", hand, seed=3)
    assert ink != write_word("handwriting", hand, seed=4)
    lines = fit_lines(ink).lines
    x = np.linspace(*ink.bounds[::2], 9)
    own = hand.size * (hand.slope * x / hand.size + hand.curvature * (x / hand.size) ** 2)
    np.testing.assert_allclose(lines.at(x)[2], own, atol=0.3 * hand.size)
    np.testing.assert_allclose(lines.at(x)[1], own + hand.size, atol=0.3 * hand.size)


def test_joined_letters_are_fewer_strokes():
    apart = write_word("aunt", HANDS["upright"])
    together = write_word("aunt", HANDS["joined"])
    assert len(together) < len(apart)
    assert write_word("", Hand()).is_empty
    with pytest.raises(ValueError, match="character 1 is 'É'"):
        write_word("aÉ")


def test_files_of_all_kinds_give_their_ink(tmp_path):
    ink = Ink([[(0, 0), (1, 9)], [(5, 5), (6, 6)]])
    (tmp_path / "a.json").write_text(to_json(ink, "li"))
    (tmp_path / "b.inkml").write_text(
        "<ink><trace>0 0, 1 -9</trace><trace>5 -5, 6 -6</trace></ink>"
    )
    (tmp_path / "c.dat").write_text(UNIPEN)
    (tmp_path / "notes.txt").write_text("no ink")
    found = dict(inks_of([tmp_path]))
    assert [one[0].ink for one in found.values()] == [ink] * 3
    assert [one[0].label for one in found.values()] == ["li", None, None]


def test_words_of_a_unipen_file_with_what_it_includes(tmp_path):
    place = tmp_path / "data" / "6" / "own"
    place.mkdir(parents=True)
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "ink.dat").write_text(UNIPEN)
    (place / "a.dat").write_text(
        '.INCLUDE ink.dat\n.SEGMENT WORD 0-1 OK "li"\n.SEGMENT CHARACTER 0 OK "l"\n'
        '.SEGMENT WORD 1 OK "i"\n'
    )
    first, second = ink_of_file(place / "a.dat")
    assert (first.label, len(first.ink), second.label) == ("li", 2, "i")
    assert first.name.endswith("a.dat:2")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "[[[1, 2], [3", "not JSON"),
        ("a.json", "[]", "no stroke has a point"),
        ("a.json", '{"strokes": [[], []]}', "no stroke has a point"),
        ("a.json", "[[[1, 1e400]]]", "finite"),
        ("a.json", "[[[1, 1e13]]]", r"point 0 of stroke 0 is \(1, 1e\+13\)"),
        ("a.inkml", "<ink><trace>1 2", "not XML"),
        ("b.inkml", "ink, but no XML", "not XML"),
        ("a.dat", ".COORD X Y\n.PEN_DOWN\n1 2 3\n", "line 2: .PEN_DOWN has 3 numbers"),
        ("a.dat", ".COORD X Y\n", "names component 0|no stroke has a point"),
        ("a.dat", b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InkError, match=message) as caught:
        ink_of_file(path)
    assert str(caught.value).startswith(str(path))


def test_a_bad_file_does_not_keep_others_from_being_read(tmp_path):
    (tmp_path / "good.json").write_text("[[[0, 0], [1, 1]]]")
    empty = tmp_path / "empty"
    empty.mkdir()
    paths = [tmp_path / "missing.json", tmp_path / "good.json", empty]
    found = [one for _, one in inks_of(paths)]
    assert isinstance(found[0], InkError)
    assert found[1][0].ink.points.shape == (2, 2)
    assert "no file of ink" in str(found[2])


def test_words_of_a_real_file(data_dir, tmp_path):
    archive = data_dir / "unipen" / "pri.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    with tarfile.open(archive) as packed:
        for member in filter(tarfile.TarInfo.isfile, packed):
            # Not extractall: its filter is newer than the oldest Python 3.11.
            place, content = tmp_path / member.name, packed.extractfile(member)
            assert content is not None
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.read())
    files = sorted(tmp_path.rglob("data/6/**/*.dat"))
    found = [one for _, inks in inks_of(files) for one in inks]
    every = [s for s in UnipenReader(tmp_path, ["6"]) if not s.ink.is_empty]
    assert sorted(one.label for one in found) == sorted(s.label for s in every)
    assert len(found) == 106
    assert {one.name.split(":")[0] for one in found} <= {str(path) for path in files}
