"""Readers of words that learn a hand: what they gain, what is left out, resumed runs."""

import json
import string
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from typer.testing import CliRunner

from demos.checkpoint import CheckpointError
from demos.words.__main__ import app
from demos.words.choices import SYSTEMS
from demos.words.experiments import hands
from demos.words.measuring.folder import LabelledWord
from demos.words.reading.reader import WordReader, shipped_path
from demos.words.samples.handwriting import write_word
from demos.words.training.adapt import adapt, adapt_folder
from demos.words.training.settings import WordSettings
from demos.words.training.words import train_words
from recognizers.datasets.fields import FieldSetError
from recognizers.online.ink import Ink
from recognizers.online.ink_files import to_json

STRANGE = str.maketrans("a", "o")
LEARNED = ("hand", "ear", "bead", "made", "near", "take", "dear", "paper", "real", "ease", "lane")
HELD_OUT = ("sea", "reach", "area", "pale")


FEW = {"size": 1_000, "order": 3}
"""A thousand words, and letters after two others: who has hardly learned follows them all."""

FEW_WORDS = ["--words", "1000", "--order", "3"]


def strange(texts, first=0):
    """Words by a hand whose a looks like an o."""
    return [
        LabelledWord(f"{text}.json", write_word(text.translate(STRANGE), seed=first + i), text)
        for i, text in enumerate(texts)
    ]


def folder_of(folder, words):
    rows = ["file,text"]
    for i, one in enumerate(words):
        (folder / f"{i:02d}.json").write_text(to_json(one.ink))
        rows.append(f"{i:02d}.json,{one.label}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_strange_hand_is_learned(system, tmp_path):
    metrics, problems = adapt(
        strange(LEARNED), strange(HELD_OUT, 50), shipped_path(system), tmp_path, steps=50,
        progress=False, **FEW,
    )  # fmt: skip
    assert problems == []
    assert metrics["n_training"] == len(LEARNED)
    before, after = (metrics[when]["char_error_no_lexicon"] for when in ("before", "after"))
    assert before > 0.2  # every a
    assert after < 0.5 * before
    reader = WordReader.load(tmp_path / "words.safetensors")
    assert reader.system == system
    shipped = WordReader.load(shipped_path(system)).seen
    assert reader.seen["bead"] == shipped.get("bead", 0) + 1
    assert len(reader.seen) >= len(shipped)
    assert json.loads((tmp_path / "metrics.json").read_text())["after"] == metrics["after"]
    assert not (tmp_path / "strings.safetensors").exists()


def test_an_interrupted_run_comes_to_the_same_and_others_are_refused(tmp_path, monkeypatch):
    words, start = strange(LEARNED[:5]), shipped_path("sdnn")

    def run(folder, words=words, **options):
        return adapt(words, [], start, tmp_path / folder, steps=4, progress=False, **options)

    run("whole")
    done = []

    def interrupted(*arguments, **options):
        done.append(train_words(*arguments, **options, until=0.0))
        if not done[-1]:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("demos.words.training.adapt.train_words", interrupted)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run("parts")
    assert done == [False, False]
    run("parts")
    one, other = (WordReader.load(tmp_path / f / "words.safetensors") for f in ("whole", "parts"))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    config = (tmp_path / "whole" / "config.json").read_bytes()
    relabelled = [words[0]._replace(label="band"), *words[1:]]
    rewritten = [words[0]._replace(ink=write_word("hand", seed=9)), *words[1:]]
    for refused in (
        partial(run, seed=1), partial(run, words=relabelled), partial(run, words=rewritten),
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match="other settings or other data"):
            refused("whole")
    assert (tmp_path / "whole" / "config.json").read_bytes() == config


def test_words_that_no_path_spells_are_named(tmp_path):
    words = [*strange(LEARNED[:2]), LabelledWord("dot.json", Ink([[(0, 0), (1, 1)]]), "hello")]
    metrics, problems = adapt(
        words, [], shipped_path("segments"), tmp_path / "a", steps=1, progress=False
    )
    assert metrics["n_training"] == 2
    assert problems == ["dot.json: no path through its ink spells 'hello'"]
    assert "before" not in metrics
    with pytest.raises(FieldSetError, match=r"dot\.json: no path"):
        adapt(words[2:], [], shipped_path("segments"), tmp_path / "b", progress=False)


def test_the_command_learns_from_a_folder_and_evaluate_measures_it(tmp_path):
    data = folder_of(tmp_path, strange([*LEARNED[:4], *HELD_OUT[:2]]))
    (data / "04.json").write_text("nothing")  # held out
    with (data / "labels.csv").open("a") as rows:
        rows.write("00a.json,\n")
    out = tmp_path / "run"
    call = CliRunner().invoke
    given = ["--data", str(data), "--holdout", "2"]
    command = ["adapt", *given, "--out", str(out), "--steps", "1", "--system", "sdnn"]
    done = call(app, [*command, *FEW_WORDS, "--no-progress"])
    assert done.exit_code == 0, done.output
    metrics = json.loads(done.stdout.splitlines()[-1])
    assert (metrics["n_training"], metrics["left_out"]) == (4, 2)
    assert metrics["after"]["n_words"] == 1
    assert "00a.json" in done.output
    assert "04.json" in done.output
    reader = ["--checkpoint", str(out / "words.safetensors")]
    done = call(app, ["evaluate", *given, *reader, *FEW_WORDS, "--json"])
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["n_words"] == 1
    errors = [key for key in figures if "_error" in key]
    assert [figures[key] for key in errors] == [metrics["after"][key] for key in errors]
    alike = call(app, ["evaluate", *given, *reader, "--words", "1000", "--order", "0", "--json"])
    figures = json.loads(alike.stdout.splitlines()[-1])
    assert figures["char_error_spelling"] == figures["char_error_no_lexicon"]
    with (data / "labels.csv").open() as rows:
        content = [line.strip() for line in rows][:5]
    table = [content[0] + ",split", *(f"{line},{split}" for line, split in zip(
        content[1:], ("train", "test", "validation", ""), strict=True))]  # fmt: skip
    (data / "labels.csv").write_text("\n".join(table) + "\n")
    metrics, _ = adapt_folder(
        data, shipped_path("sdnn"), tmp_path / "split", steps=1, progress=False, **FEW
    )
    assert (metrics["n_training"], metrics["after"]["n_words"]) == (2, 1)
    (data / "labels.csv").write_text("\n".join([table[0], *table[2:4]]) + "\n")
    with pytest.raises(FieldSetError, match="2 rows are held out, or for validation"):
        adapt_folder(data, shipped_path("sdnn"), tmp_path / "none")
    with pytest.raises(FieldSetError, match="cannot hold out"):
        adapt_folder(data, shipped_path("sdnn"), out, holdout=9)


def test_every_hand_is_measured_by_itself(tmp_path, monkeypatch):
    place = tmp_path / "data" / "6" / "own"
    place.mkdir(parents=True)
    for name, texts in (("a", [*LEARNED[:6], LEARNED[0]]), ("b", LEARNED[6:8])):
        text, strokes = f".WRITER_ID {name}\n.COORD X Y\n", 0
        for word in texts:
            for stroke in (ink := write_word(word)):
                points = "\n".join(f"{x:.0f} {y:.0f}" for x, y in stroke)
                text += f".PEN_DOWN\n{points}\n.PEN_UP\n"
            text += f'.SEGMENT WORD {strokes}-{strokes + len(ink) - 1} OK "{word}"\n'
            strokes += len(ink)
        (place / f"{name}.dat").write_text(text)
    with pytest.raises(ValueError, match="no writer of the sides test and left-out has 200 words"):
        hands.measure_hands(tmp_path, shipped_path("sdnn"), tmp_path, tmp_path / "x.json")
    monkeypatch.setattr(hands, "SIDES", ("unlisted",))
    monkeypatch.setattr(hands, "LEARNED", 3)
    chosen = hands.hands_of(tmp_path, least=7)
    ((name, hand),) = chosen.items()
    assert name.startswith("own ")
    learned, held_out = ([one.label for one in part] for part in hand)
    assert {*learned, *held_out} <= set(LEARNED[:6])
    assert len(held_out) == 3
    assert not set(learned) & set(held_out)
    assert 3 <= len(learned) <= 4
    monkeypatch.setattr(hands, "hands_of", lambda *_: chosen)
    monkeypatch.setattr(hands, "adapt", partial(adapt, steps=1, **FEW))
    given = ["--data", str(tmp_path), "--results", str(tmp_path), "--out", str(tmp_path / "runs")]
    done = CliRunner().invoke(app, ["hands", "--system", "sdnn", *given])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "hands-sdnn.json").read_text())
    assert found["start"] == "words-sdnn.safetensors"
    assert found["hands"][name]["n_training"] == len(learned)
    assert found["hands"][name]["after"]["n_words"] == len(held_out)
    assert found["hands"][name]["seconds"] > 0
    # Another rate is kept beside it.
    done = CliRunner().invoke(app, ["hands", "--system", "sdnn", "--rate", "0.004", *given])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "hands-sdnn-rate0.004.json").read_text())["rate"] == 0.004
    assert json.loads((tmp_path / "hands-sdnn.json").read_text()) == found
    assert CliRunner().invoke(app, ["hands", "--system", "other"]).exit_code == 2


def unipen(folder, parts):
    """A UNIPEN tree of ink, by category, all by one writer."""
    for category, level, inks in parts:
        lines = [".COORD X Y", ".WRITER_ID me"]
        strokes = 0
        for ink, label in inks:
            for stroke in ink.strokes:
                lines += [".PEN_DOWN", *(f"{x:.1f} {-y:.1f}" for x, y in stroke), ".PEN_UP"]
            last = strokes + len(ink.strokes) - 1
            lines.append(f'.SEGMENT {level} {strokes}-{last} OK "{label}"')
            strokes = last + 1
        place = folder / "data" / category / "us"
        place.mkdir(parents=True)
        (place / "a.dat").write_text("\n".join(lines) + "\n")
    return folder


@dataclass(frozen=True)
class FewStrings(WordSettings):
    """A pool of strings hardly larger than the batch of the only step."""

    pool: int = 40


def test_a_folder_is_learned_beside_unipen(tmp_path, monkeypatch):
    monkeypatch.setattr("demos.words.commands.train.WordSettings", FewStrings)
    for module in ("characters", "words"):
        monkeypatch.setattr(f"demos.words.samples.{module}.side", lambda *_: "train")
    letters = [(write_word(c, seed=1), c) for c in string.ascii_lowercase]
    theirs = [(write_word(text, seed=2), text) for text in ("sun", "moon")]
    tree = unipen(tmp_path / "tree", [("1c", "CHARACTER", letters), ("6", "WORD", theirs)])
    (tmp_path / "own").mkdir()
    data = folder_of(tmp_path / "own", strange([*LEARNED[:3], *HELD_OUT[:2]]))
    (data / "01.json").write_text("nothing")
    out = tmp_path / "run"
    command = ["train", "--task", "words", "--data", str(data), "--unipen", str(tree)]
    command += ["--holdout", "2", "--out", str(out), "--strings", "1", "--steps", "2"]
    command += ["--system", "sdnn", "--no-progress", *FEW_WORDS]
    call = CliRunner().invoke
    done = call(app, [*command, "--until", "0"])
    assert "stopped on the way" in done.output, done.output
    assert not (out / "words.safetensors").exists()
    done = call(app, command)
    metrics = json.loads(done.stdout.splitlines()[-1])
    assert (metrics["own"], metrics["unipen"]) == (2, 2)
    assert metrics["held_out"]["n_words"] == 2
    assert "left out: " in done.stderr
    assert "01.json" in done.stderr
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert WordReader.load(out / "words.safetensors").seen == {
        "bead": 1, "hand": 1, "moon": 1, "sun": 1,
    }  # fmt: skip


def test_a_number_of_words_is_none_of_a_list(tmp_path):
    (tmp_path / "labels.csv").write_text("cat\n")
    listed = ["--lexicon", str(tmp_path / "labels.csv"), "--words", "5"]
    for command in (["evaluate", "--data", str(tmp_path), *listed], ["train", "--words", "5"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 2
        assert "Invalid value for --words:" in done.stderr


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("train --task words --data {data} --start {text}", "a.txt: not a whole safetensors file"),
        ("train --task words --data {data} --start {other}", "a reader of .*'sdnn'.*; this run is"),
        ("train --task words --data {data} --maps 0 5", "output map 0 reads no input map"),
        (
            "train --task words --data {own} --unipen {data} --start {other}",
            "a reader of .*'sdnn'.*; this run is",
        ),
        (
            "train --task words --data {own} --unipen {data} --maps 0 5",
            "output map 0 reads no input map",
        ),
        ("adapt --data {own} --start {text}", "a.txt: not a whole safetensors file"),
        ("evaluate --data {data} --checkpoint {text}", "a.txt: not a whole safetensors file"),
        ("evaluate --data {data} --lexicon {data}", "nothing: no such file"),
        ("evaluate --data {own} --lexicon {data}", "nothing: no such file"),
    ],
)
def test_what_options_name_is_looked_at_before_data_are_read(command, wrong, tmp_path):
    own, text, data = (tmp_path / name for name in ("own", "a.txt", "nothing"))
    own.mkdir()
    (own / "labels.csv").touch()  # no rows, not even names of columns
    text.write_text("no reader")
    given = command.format(own=own, data=data, text=text, other=shipped_path("sdnn")).split()
    out = [] if given[0] == "evaluate" else ["--out", str(tmp_path / "out")]
    with pytest.raises((ValueError, OSError), match=wrong):
        CliRunner().invoke(app, [*given, *out], catch_exceptions=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "blamed"),
    [
        (["--task", "characters"], "--task"),
        (["--most", "3"], "--most"),
        (["--weights", "x"], "--weights"),
    ],
)
def test_options_that_do_not_go_with_a_folder(tmp_path, options, blamed):
    (tmp_path / "labels.csv").write_text("file,text\n")
    command = ["train", "--task", "words", "--data", str(tmp_path), *options]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert f"Invalid value for {blamed}:" in done.stderr


@pytest.mark.parametrize("options", [["--unipen", "x"], ["--holdout", "3"]])
def test_options_that_go_with_a_folder_only(tmp_path, options):
    done = CliRunner().invoke(app, ["train", "--task", "words", "--data", str(tmp_path), *options])
    assert done.exit_code == 2
    assert "labels.csv" in done.stderr
