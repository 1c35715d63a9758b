"""Beams are measured, and the page is written from whatever figures there are."""

import json
import re

import pytest
import torch
from typer.testing import CliRunner

from demos.words.__main__ import app
from demos.words.experiments.beam import measure_beams, write_beams
from demos.words.experiments.page import write_page
from demos.words.experiments.pictures import HASTY, Example, draw_examples, draw_normaliser
from demos.words.reading.lexicon import lexicon_graph
from demos.words.reading.reader import WordReader
from demos.words.report.page import Reader
from demos.words.samples.handwriting import HANDS, SAMPLES, write_word
from grammars.words import word_list

WORDS = ["ink", "hand", "paper", "a", "in", "an", "it", "on", "to", "no"]


@pytest.fixture(scope="module")
def reader():
    torch.manual_seed(0)
    return WordReader("segments").eval()


def unipen_word(word, number):
    """A UNIPEN data file of one word."""
    text = ".COORD X Y\n"
    ink = write_word(word, HANDS["upright"], number)
    for stroke in ink:
        points = "\n".join(f"{x:.0f} {y:.0f}" for x, y in stroke)
        text += f".PEN_DOWN\n{points}\n.PEN_UP\n"
    return text + f'.SEGMENT WORD 0-{len(ink) - 1} OK "{word}"\n'


def test_a_wider_beam_keeps_more_and_the_widest_all(reader):
    words = ["ink", "an", "it"]
    recognized = [
        reader.recognized(reader.normalize(write_word(word)))[2].detach().double() for word in words
    ]
    found = measure_beams(reader, recognized, words, lexicon_graph(WORDS), (1.0, 4.0, 1e6))
    assert [row["beam"] for row in found] == [1.0, 4.0, 1e6]
    arcs = [row["arcs"] for row in found]
    assert arcs == sorted(arcs)
    for row in found:
        assert 0 <= row["word_error"] <= 1
        assert 0 <= row["ms"] <= row["ms_most"]
    full = reader.decoder(lexicon_graph(WORDS), float("inf"))
    told = [full.read(one, 1)[0].text for one in recognized]
    wrong = sum(a != b for a, b in zip(told, words, strict=True)) / len(words)
    assert found[-1]["word_error"] == pytest.approx(wrong)


def test_beams_of_a_tree_are_kept_in_a_file(reader, tmp_path):
    place = tmp_path / "tree" / "data" / "6" / "own"
    place.mkdir(parents=True)
    for number, word in enumerate(["ink", "an", "it"]):
        (place / f"{word}.dat").write_text(unipen_word(word, number))
    options = {"sizes": [20], "count": 2, "beams": (2.0, 8.0)}
    tree = tmp_path / "tree"
    path = write_beams(reader, tree, tmp_path, side="unlisted", **options)
    found = json.loads(path.read_text())
    assert path.name == "beam-segments.json"
    assert (found["n_words"], found["side"]) == (2, "unlisted")
    assert [lexicon["words"] for lexicon in found["lexicons"]] == [20]
    assert [row["beam"] for row in found["lexicons"][0]["beams"]] == [2.0, 8.0]
    with pytest.raises(ValueError, match="no word by the writers of the side 'test'"):
        write_beams(reader, tree, tmp_path, **options)


def side(factor):
    names = ("word_error", "char_error", "word_error_no_lexicon", "char_error_no_lexicon")
    return {"n_words": 1234, "words_per_second": 9.0} | dict.fromkeys(names, 0.1 * factor)


def run(system, normaliser, before, after, unseen=None):
    names = ("word_error", "char_error_no_lexicon")
    return {
        "task": "words",
        "command": "python -m demos.words train",
        "configuration": {"system": system, "normaliser": normaliser, "seed": 0, "words": 4000},
        "n_training": 5,
        "parameters": 7,
        "lexicon_frequency": 0.4,
        "lexicon_letter": 0.75,
        "lexicon_seen": 0.5,
        "lexicon_listed": 0.1,
        "before": {"every_third_of_test": side(before)},
        "after": {
            "test": side(after),
            "every_third_of_test": side(after),
            "left_out": side(2.0),
            "validation": side(3.0),
            "validation_in_english": side(3.5),
            "validation_words_alike": side(4.0),
            "test_in_english": side(after),
            "test_words_alike": side(after),
            "test_unseen": side(after) if unseen is None else unseen,
            "test_by_contributor": {"own": side(after)},
        },
        "cut_by_global_training": dict.fromkeys(names, 1 - after / before),
        "seconds_of_training": {"strings": 60.0, "words": 120.0},
        "machine": "a machine",
    }


@pytest.fixture(scope="module")
def beams():
    rows = [
        {"beam": b, "word_error": e, "ms": b, "ms_95": 2 * b, "ms_most": 3 * b, "arcs": 100 * b}
        for b, e in ((1.0, 0.2), (5.0, 0.1012), (10.0, 0.1))
    ]
    lexicon = {"words": 25000, "arcs": 30000, "nodes": 9, "seconds_to_build": 0.5, "beams": rows}
    about = {"system": "segments", "n_words": 50, "machine": "a machine"}
    return about | {"lexicons": [lexicon, lexicon | {"words": 250000}]}


HANDS_MEASURED = {
    "start": "words-sdnn.safetensors",
    "machine": "a desk",
    "hands": {
        name: {
            "seconds": seconds,
            "before": {"word_error": a, "char_error_no_lexicon": c},
            "after": {"word_error": b, "char_error_no_lexicon": d},
        }
        for name, seconds, a, b, c, d in (
            ("a 01", 20.0, 0.3, 0.2, 0.4, 0.1),
            ("b 02", 40.0, 0.5, 0.1, 0.6, 0.2),
        )
    },
}


SPELLING = {
    "system": "sdnn",
    "n_words": 500,
    "n_unseen": 40,
    "words": {"english": 20000, "lexicon": 25000},
    "machine": "a desk",
    "errors": {
        "6": {"word_error": 0.12, "char_error": 0.04, "word_error_unseen": 0.31, "ms": 9.5},
        "lexicon": {"word_error": 0.1, "char_error": 0.03, "word_error_unseen": None, "ms": 2.5},
    },
}


def test_the_page_has_the_figures_that_there_are(reader, beams, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    for name, content in {
        "beam-segments": beams,
        "sdnn-seed0": run("sdnn", True, 1.6, 0.8, unseen={}),
        "segments-seed0": run("segments", True, 1.5, 1.0),
        "segments-no-normaliser-seed0": run("segments", False, 2.0, 1.6),
        "characters-rbf-seed0": {
            "task": "characters",
            "configuration": {"output": "rbf", "passes": 3, "fixed": 1.0, "seed": 0},
            "test": {"digit_error": 0.02, "upper_error": 0.04, "lower_error": 0.06},
            "left_out": {"digit_error": 0.01},
        },
    }.items():
        (results / f"{name}.json").write_text(json.dumps(content))
    page = tmp_path / "docs" / "words.md"
    (results / "spelling-sdnn.json").write_text(json.dumps(SPELLING))
    (results / "hands-sdnn.json").write_text(json.dumps(HANDS_MEASURED))
    written = write_page(Reader(reader, word_list(WORDS)), results, page)
    text = page.read_text()
    row = "| `rbf` (centres fixed), 3 passes, seed 0 | 2.00% | 4.00% | 6.00% | 1.00% |  |  |"
    assert row in text
    name = "over-segmentation, 4,000 steps"
    assert f"| {name} | words | 1,234 | 10.0 | 10.0 | 10.0 | 10.0 |" in text
    assert (
        f"| {name}, no normaliser | characters; every third word of the test | 1,234 | 20.0" in text
    )
    hmm = "SDNN/HMM, 4,000 steps"
    assert f"{hmm}: training on words cuts the word error with the lexicon by 50%" in text
    assert f"{name}: the normaliser cuts the word error by 38% (from 16.0% to 10.0%" in text
    assert f"| {hmm} | 1,234 | 20.0 |" in text  # left out
    assert f"| {hmm} | validation | 1,234 | words all alike | 40.0 | 40.0 |" in text
    assert f"| {hmm} | test, words" not in text
    assert "| `own` | 1,234 | 10.0 | 16.0 | 8.0 |" in text
    # The narrowest beam that costs at most 0.2%, and the widest beam.
    assert "| 25,000 | 50 | 30,000 | 0.5 s | 5 | 10.1% | 5.0 | 10.0 | 500 |" in text
    assert "| 250,000 | 50 | 30,000 | 0.5 s | 10 | 10.0% | 10.0 | 20.0 | 1,000 |" in text
    assert "| SDNN/HMM | n-grams of 6 letters | 12.0% | 4.0% | 31.0% | 9.5 |" in text
    assert "| SDNN/HMM | the lexicon of the task, 25,000 words | 10.0% | 3.0% |  | 2.5 |" in text
    assert "500 words of the test, sampled evenly from all" in text
    assert "new words are in no training text (40 for SDNN/HMM)" in text
    assert "not measured" not in text.lower()
    own = text.split("## Your own hand")[1].split("##")[0]
    rows = [line for line in own.splitlines() if line.startswith("| `") or "| mean" in line]
    assert rows == [
        "| `b 02` | 50.0 | 10.0 | 60.0 | 20.0 |",
        "| `a 01` | 30.0 | 20.0 | 40.0 | 10.0 |",
        "| mean | 40.0 | 15.0 | 50.0 | 15.0 |",
    ]
    assert "30 seconds a writer on a desk" in own
    rows = re.findall(r"^\| .*", text, re.MULTILINE)
    assert all(row.endswith(" |") for row in rows)
    assert f"of {len(SAMPLES) + len(HASTY)} right: synthetic ink" in text
    linked = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    assert all((page.parent / link).is_file() for link in linked)
    assert {page, *(page.parent / link for link in linked if "beam" in link)} <= set(written)


@pytest.mark.parametrize("is_read", [True, False])
def test_without_figures_the_page_says_so(reader, tmp_path, is_read):
    page = tmp_path / "words.md"
    write_page(Reader(reader, word_list(WORDS)) if is_read else None, tmp_path / "nothing", page)
    text = page.read_text()
    assert text.count("Not measured.") == 4
    assert "Ours are not measured." in text
    assert ("No trained reader" in text) == (not is_read)
    linked = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    assert all((page.parent / link).is_file() for link in linked)


def test_the_picture_of_the_normaliser_is_one_drawing():
    picture = draw_normaliser(["ink"])
    assert picture.count("<svg") == picture.count("</svg>") == 5
    assert draw_normaliser(["ink"]) == picture


def test_examples_say_what_was_read_and_what_was_written():
    ink = write_word("ink")
    picture = draw_examples([Example(ink, "ink", "ink", 0.9), Example(ink, "ink", "<in>", 0.5)])
    assert "ink 0.90</text>" in picture
    assert "&lt;in&gt; 0.50, written: ink</text>" in picture


def test_a_page_is_not_overwritten_for_want_of_figures(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("as it was")
    for results in (tmp_path / "none", tmp_path):
        options = ["report", "--results", str(results), "--page", str(page)]
        done = CliRunner().invoke(app, options)
        assert isinstance(done.exception, FileNotFoundError)
        assert page.read_text() == "as it was"
