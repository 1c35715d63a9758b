"""Folders of ink with ``labels.csv``: what is read wrongly, and what is left out."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from demos.words.__main__ import app
from demos.words.choices import SYSTEMS
from demos.words.commands.read import OWN_INK
from demos.words.measuring.folder import as_words, evaluate_folder, load_folder, load_rows
from demos.words.measuring.words import Told
from demos.words.reading.reader import shipped_reader
from demos.words.samples.handwriting import write_word
from demos.words.samples.words import evenly
from recognizers.datasets.fields import FieldSetError, load_fields
from recognizers.online.ink_files import to_json
from recognizers.online.unipen_trees import TreeError


def unipen(*words):
    """A UNIPEN data file of these words."""
    text, strokes = ".COORD X Y\n", 0
    for word in words:
        ink = write_word(word)
        for stroke in ink:
            points = "\n".join(f"{x:.0f} {y:.0f}" for x, y in stroke)
            text += f".PEN_DOWN\n{points}\n.PEN_UP\n"
        text += f'.SEGMENT WORD {strokes}-{strokes + len(ink) - 1} OK "{word}"\n'
        strokes += len(ink)
    return text


def folder_of(folder, rows):
    """Write ``labels.csv`` for files, and made-up ink under their names."""
    for file in rows:
        if (OWN_INK / file).is_file():
            shutil.copy(OWN_INK / file, folder)
    lines = ["file,text", *(f"{file},{text}" for file, text in rows.items())]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def run(folder, *arguments):
    return CliRunner().invoke(app, ["evaluate", "--data", str(folder), *map(str, arguments)])


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("hand\nband\nink\njust\npaper\n")
    return path


def test_a_folder_of_neither_kind_is_told_what_would_be_right(tmp_path):
    with pytest.raises(TreeError, match=r"no folder data/ .*; nor is there a labels\.csv"):
        raise run(tmp_path).exception


def test_files_of_all_kinds_beside_their_labels(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "b.inkml").write_text("<ink><trace>0 0, 1 -9</trace></ink>")
    (tmp_path / "c.dat").write_text(unipen("ink"))
    (tmp_path / "own.json").write_text(to_json(write_word("it"), "another label"))
    rows = {"hand.json": "Hand", "b.inkml": "l", "c.dat": '"""ink"""', "own.json": "it"}
    words, problems = load_folder(folder_of(tmp_path, rows))
    labels = {one.name: one.label for one in words}
    assert labels == {"hand.json": "hand", "b.inkml": "l", "c.dat": "ink", "own.json": "it"}
    assert problems == []
    assert words[0].ink.points.tolist() == [[0.0, 0.0], [1.0, 9.0]]


def test_what_cannot_be_read_is_named_and_the_rest_is_read(tmp_path):
    (tmp_path / "broken.json").write_text('{"strokes": [[[0, 0]')
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "two.dat").write_text(unipen("in", "it"))
    rows = dict.fromkeys(["broken.json", "empty.json", "picture.png", "gone.json"], "a")
    rows |= {"hand.json": "", "ink.json": "4th", "just.json": "just", "two.dat": "in"}
    words, problems = load_folder(folder_of(tmp_path, rows))
    assert [(one.name, one.label, one.is_written) for one in words] == [
        ("ink.json", "4th", False),
        ("just.json", "just", True),
    ]
    said = {
        "broken.json": "not JSON",
        "empty.json": "no stroke has a point",
        "picture.png": "byte 0 is not UTF-8 text",
        "gone.json": "does not exist",
        "hand.json": "no text",
        "two.dat": "2 inks",
    }
    assert len(problems) == len(said)
    for name, what in said.items():
        assert any(name in problem and what in problem for problem in problems)


def test_nothing_to_read(tmp_path):
    (tmp_path / "a.json").write_text("[[[")
    folder_of(tmp_path, {"a.json": "a"})
    with pytest.raises(FieldSetError, match=r"no file is read; the first of 1 .*a\.json: not JSON"):
        load_folder(tmp_path)
    assert isinstance(run(tmp_path, "--json").exception, FieldSetError)
    folder_of(tmp_path, {})
    with pytest.raises(FieldSetError, match="no field to read"):
        load_folder(tmp_path)


@pytest.mark.parametrize("system", SYSTEMS)
def test_errors_of_a_folder(system, tmp_path):
    rows = {"hand.json": "band", "ink.json": "ink", "just.json": "just"}
    words, _ = load_folder(folder_of(tmp_path, rows))
    reader = shipped_reader(system)
    figures, wrong = evaluate_folder(reader, words, reader.lexicon(["hand", "ink", "just"]))
    assert wrong == [("hand.json", "band", "hand")]
    assert (figures["n_words"], figures["word_error"]) == (3, 1 / 3)
    assert figures["char_error"] == pytest.approx(1 / 11)
    assert figures["char_error_no_lexicon"] >= 1 / 11
    assert figures["words_per_second"] > 0
    told = Told(as_words(reader, words), ["hand"] * 3, ["hand"] * 3, ["hand"] * 3, 1.5)
    assert told.figures()["words_per_second"] == 2.0
    assert told.errors(but={"band"})["n_words"] == 2


def test_texts_of_other_characters_are_errors_and_are_not_learned(tmp_path):
    rows = {"hand.json": "hand", "ink.json": "Ink's", "just.json": "just"}
    folder = folder_of(tmp_path, rows)
    done = run(folder, "--json")
    assert done.exit_code == 0, done.output
    assert 'ink.json: "ink\'s" has other characters than the letters a-z; it co' in done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["n_words"], found["not_written"], found["left_out"]) == (3, 1, 0)
    assert found["word_error"] == pytest.approx(1 / 3)
    assert found["char_error"] == pytest.approx(2 / 13)  # ink
    words, problems = load_rows(load_fields(folder).fields)
    assert [one.label for one in words] == ["hand", "just"]
    assert '"Ink\'s" has other characters than the letters a-z' in problems[0]


def test_a_folder_is_measured_from_the_command_line(tmp_path):
    (tmp_path / "bad.json").write_text("[[[")
    rows = {"hand.json": "band", "ink.json": "Ink", "zebra.json": "zebra", "bad.json": "bad"}
    done = run(folder_of(tmp_path, rows), "--json")
    assert done.exit_code == 0, done.output
    # "band" and "hand" are both in the lexicon, and hand is what was written.
    misread, figures = done.stdout.splitlines()
    assert misread == "hand.json  band  read hand"
    found = json.loads(figures)
    assert (found["n_words"], found["left_out"]) == (3, 1)
    assert found["word_error"] == pytest.approx(1 / 3)
    assert found["char_error"] == pytest.approx(1 / 12)
    assert "left out: " in done.stderr
    assert "bad.json: not JSON" in done.stderr
    assert "not in the lexicon" not in done.stderr


def test_words_that_the_lexicon_does_not_have_are_errors(tmp_path, lexicon):
    folder = folder_of(tmp_path, {"hand.json": "hand", "zebra.json": "zebra", "ink.json": "ink"})
    done = run(folder, "--lexicon", lexicon, "--json")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == ["not in the lexicon: zebra.json  zebra"]
    misread, figures = done.stdout.splitlines()
    assert misread.startswith("zebra.json  zebra  read ")
    assert json.loads(figures)["word_error"] == pytest.approx(1 / 3)


def test_so_many_words_evenly_from_all(tmp_path, lexicon):
    names = ["hand", "ink", "just", "paper", "zebra"]
    folder = folder_of(tmp_path, {f"{name}.json": name for name in names})
    lexicon.write_text("hand\nin1\nink\njust\n")
    done = run(folder, "--lexicon", lexicon, "--most", 3, "--system", "sdnn", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["n_words"] == 3
    assert "'1' (the third)" in done.stderr
    assert "not in the lexicon: zebra.json" in done.stderr
    assert "not in the lexicon: paper.json" not in done.stderr
    assert evenly(5, 3) == [0, 2, 4]


def test_a_word_without_end_among_the_labels_spoils_no_other(tmp_path):
    (tmp_path / "long.json").write_text(to_json(write_word("it")))
    rows = {"hand.json": "hand", "zebra.json": "zebra", "long.json": "abcdefghij" * 9}
    done = run(folder_of(tmp_path, rows), "--json")
    assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == ["long.json"]


def test_options_of_other_data_are_refused(tmp_path):
    folder = folder_of(tmp_path, {"hand.json": "hand"})
    network = str(folder / "hand.json")  # a file that exists
    for options in (["--side", "test"], ["--characters", network], ["--system", "both"]):
        done = run(folder, *options)
        assert done.exit_code == 2
        assert options[0] in done.stderr
