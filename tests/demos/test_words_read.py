"""Reading ink from files: words, posteriors, a page of pictures; any ink at all is read."""

import json
import os
import time

import numpy as np
import pytest
import torch
from html_pages import Page
from typer.testing import CliRunner

from demos.words.__main__ import app
from demos.words.choices import SYSTEMS
from demos.words.commands.read import OWN_INK
from demos.words.reading.reader import WordReader, shipped_reader
from demos.words.report.page import Reader, card, words_of
from demos.words.samples.handwriting import HANDS, sample_files, write_word
from grammars.words import word_list
from recognizers.online.ink import Ink
from recognizers.online.ink_files import to_json

WORDS = ["ink", "hand", "paper", "a", "in", "an", "it", "playground", "quickly", "z" * 200]
HOSTILE = {
    "a point": Ink([[(3, 3)]]),
    "a point again and again": Ink([[(3, 3)] * 50, [(3, 3)]]),
    "points of a word again and again": None,
    "a dash": Ink([[(0, 0), (1e12, 0)]]),
    "a pole": Ink([[(0, -1e12), (0, 1e12)]]),
    "far away": Ink([[(1e12, 1e12 - 9), (1e12 - 1000, 1e12 - 500)]]),
    "one point far away": Ink([[(0, 0), (1, 9), (2, 0)], [(1e12, -1e12)]]),
    "tiny": Ink([[(0, 0), (1e-300, 1e-300)]]),
    "hundreds of strokes": Ink([[(i % 61, i % 17), (i % 61 + 1, i % 13)] for i in range(250)]),
}


@pytest.fixture(scope="module", params=SYSTEMS)
def checkpoint(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("reader") / f"{request.param}.safetensors"
    WordReader(request.param).save(path)
    return path


@pytest.fixture(scope="module")
def reader(checkpoint):
    return Reader(WordReader.load(checkpoint), word_list(WORDS))


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    path = tmp_path_factory.mktemp("lexicon") / "words.txt"
    path.write_text("\n".join(WORDS))
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["read", *map(str, arguments)])


def test_words_of_files_and_a_page_that_needs_no_other(checkpoint, lexicon, tmp_path):
    odd = tmp_path / "a<b>&.json"
    odd.write_text(to_json(write_word("ink"), "<ink>"))
    broken = tmp_path / "broken.json"
    broken.write_text('{"strokes": [[[0, 0]')
    page = tmp_path / "out" / "page.html"
    options = ["--checkpoint", checkpoint, "--lexicon", lexicon]
    done = run(odd, broken, OWN_INK / "hand.json", *options, "--page", page, "--json")
    assert done.exit_code == 1  # one could not be read
    first, wrong, second = map(json.loads, done.stdout.splitlines())
    assert (first["label"], second["label"]) == ("<ink>", "hand")
    assert "broken.json: not JSON" in wrong["error"]
    for line in (first, second):
        assert len(line["words"]) == 5
        assert line["text"] == line["words"][0]["text"]
        shares = [word["posterior"] for word in line["words"]]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) < 1 + 1e-6
    text = page.read_text()
    parsed = Page(text)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in parsed.links)
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert not {"script", "link", "iframe"} & set(parsed.tags)
    assert "a<b>" not in text
    assert "<ink>" not in text
    assert "Best words" in parsed.text
    assert "cannot be read" in parsed.text
    assert ("Segmentation graph" in parsed.text) == ("segments" in checkpoint.name)


def test_a_page_shows_a_file_whose_name_is_no_utf8(checkpoint, lexicon, tmp_path):
    name = os.fsdecode(b"\xff.json")
    try:
        (tmp_path / name).write_text((OWN_INK / "hand.json").read_text())
    except OSError:
        pytest.skip("file names are UTF-8 here")
    page = tmp_path / "page.html"
    options = "--checkpoint", checkpoint, "--lexicon", lexicon, "--page", page
    assert run(tmp_path / name, *options, "--json").exit_code == 0
    assert "?.json" in page.read_text()


def test_lines_of_text_and_no_page(checkpoint, lexicon):
    options = ["--checkpoint", checkpoint, "--lexicon", lexicon, "--no-pictures"]
    done = run(OWN_INK / "ink.json", "missing.json", *options, "--count", 2)
    assert done.exit_code == 1
    line, wrong = done.stdout.splitlines(), done.stderr.splitlines()
    assert len(line) == len(wrong) == 1
    assert "missing.json: cannot be read" in wrong[0]
    assert len(line[0].split("  ")) == 3  # the file and two words


def test_a_page_that_is_not_written_may_be_anything(checkpoint, lexicon, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "words.html").write_text("mine")
    options = [OWN_INK / "ink.json", "--checkpoint", checkpoint, "--lexicon", lexicon]
    assert run(*options, "--no-pictures").exit_code == 0
    assert "not a page of HTML" in run(*options).stderr
    assert (tmp_path / "report" / "words.html").read_text() == "mine"


def test_any_letters(checkpoint):
    done = run(OWN_INK / "ink.json", "--checkpoint", checkpoint, "--no-pictures", "--free")
    assert done.exit_code == 0
    assert "(nothing)" not in done.stdout


def test_the_page_says_whether_there_is_a_list(checkpoint, lexicon, tmp_path):
    ways = (["--free", "--order", 0], "Any letters"), (["--lexicon", lexicon], "Lexicon")
    for options, said in ways:
        page = tmp_path / "page.html"
        done = run(OWN_INK / "ink.json", "--checkpoint", checkpoint, "--page", page, *options)
        assert done.exit_code == 0, done.output
        assert f"<b>4 · {said}</b>" in page.read_text()


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_ink_there_is_has_its_words_and_pictures(reader, name):
    ink = HOSTILE[name]
    if ink is None:
        word = write_word("ink")
        ink = Ink(stroke.repeat(3, axis=0) for stroke in word)
        once, again = reader.read(word), reader.read(ink)
        assert [r.text for r in once.readings] == [r.text for r in again.readings]
        shares = [[r.posterior for r in found.readings] for found in (once, again)]
        np.testing.assert_allclose(*shares, rtol=0.05)
    reading, found = card(reader, ink)
    assert np.isfinite(reading.planes).all()
    assert all(0 <= r.posterior <= 1 + 1e-9 for r in reading.readings)
    assert found.words or name == "hundreds of strokes"  # more than any word has
    assert "nan" not in (found.lines or "")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_word_written_from_the_right_to_the_left_is_the_same_word(system):
    # Cuts may lie elsewhere; a trained reader has learned not to mind.
    reader = Reader(shipped_reader(system), word_list(WORDS))
    ink = write_word("paper", HANDS["upright"], 5)
    found = [reader.read(one).readings[0] for one in (ink, ink.reversed())]
    assert [r.text for r in found] == ["paper"] * 2
    assert found[0].posterior == pytest.approx(found[1].posterior, abs=0.05)


def test_a_word_of_200_letters_in_bounded_time(reader):
    ink = write_word("abcdefghij" * 20, HANDS["joined"])
    started = time.process_time()
    reading, found = card(reader, ink)
    assert time.process_time() - started < 120
    assert reading.text in ("", *WORDS)
    assert found.text == reading.text


def test_a_word_has_the_same_outputs_alone_and_beside_longer_ones():
    reader = WordReader("sdnn").eval()
    words = [reader.normalize(write_word(text)) for text in ("i", "ink", "playground")]
    with torch.no_grad():
        images, counts = reader.recognize.images(words)
        together = reader.recognize(images)
        for word, outputs, count in zip(words, together, counts, strict=True):
            alone = reader.recognize(reader.recognize.images([word])[0])[0]
            assert len(alone) == count
            torch.testing.assert_close(outputs[:count], alone)


def test_ink_without_points_has_no_words(reader):
    reading, found = card(reader, Ink())
    assert reading.text == ""
    assert found.graphs is None


def test_a_lexicon_with_all_that_can_be_wrong(checkpoint, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("Ink\n\nhand\nhand\nna\u00efve\nink\n3rd\n")
    options = ["--checkpoint", checkpoint, "--lexicon", path, "--no-pictures"]
    done = run(OWN_INK / "ink.json", *options, "--json")
    assert done.exit_code == 0
    assert "line 2: '' is empty" in done.stderr
    assert "line 4: 'hand' is a duplicate of line 3" in done.stderr
    assert "'ï' (the third)" in done.stderr
    assert "'3' (the first)" in done.stderr
    words = {word["text"] for word in json.loads(done.stdout)["words"]}
    assert words == {"ink", "hand"}


@pytest.mark.parametrize("content", ["", "\n\n", "42\n", b"\xff\xfe"])
def test_a_lexicon_without_a_word(checkpoint, tmp_path, content):
    path = tmp_path / "words.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run(OWN_INK / "ink.json", "--checkpoint", checkpoint, "--lexicon", path)
    assert isinstance(done.exception, ValueError)
    assert "words.txt has no word in it" in str(done.exception)


def test_counts_of_a_lexicon_are_penalties_whatever_the_capitals(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("The\t2\nthe\t1\nof\t1\n")
    found = words_of(path, 10)
    assert found.words == ("the", "of")
    np.testing.assert_allclose(found.penalties, -np.log([0.75, 0.25]))


def test_wrong_options(checkpoint, lexicon):
    both = run(OWN_INK / "ink.json", "--lexicon", lexicon, "--free", "--checkpoint", checkpoint)
    assert both.exit_code == 2
    assert run(OWN_INK / "ink.json", "--system", "both").exit_code == 2


def test_ink_that_comes_with_the_package_is_as_the_code_writes_it():
    written = sample_files()
    assert {p.name for p in OWN_INK.iterdir()} == set(written)
    for name, content in written.items():
        found, own = (json.loads(text) for text in ((OWN_INK / name).read_text(), content))
        assert found["label"] == own["label"]
        for one, other in zip(found["strokes"], own["strokes"], strict=True):
            np.testing.assert_allclose(one, other, atol=0.11)
