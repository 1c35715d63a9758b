"""Words that are in no list: n-grams of letters, alone and in readers of both systems."""

import json
import math
from itertools import product

import pytest
import torch
from typer.testing import CliRunner

import gtn
from demos.words.__main__ import app
from demos.words.choices import FREE_BEAM, SYSTEMS
from demos.words.experiments import spelling as experiment
from demos.words.experiments.spelling import write_spelling
from demos.words.measuring.words import tell
from demos.words.reading import lexicon, spelling
from demos.words.reading.lexicon import lexicon_graph, task_words
from demos.words.reading.reader import WordReader
from demos.words.reading.spelling import letter_ngrams, spelling_graph
from demos.words.report.page import Reader
from demos.words.samples.handwriting import HANDS, write_word
from demos.words.samples.words import Words
from grammars.ngram import BACK_OFF, BEGIN, END
from recognizers.online.ink import Ink

ENGLISH = {"an": -math.log(0.75), "at": -math.log(0.25)}
"""All English that there is in these tests."""


@pytest.fixture
def little_english(monkeypatch):
    monkeypatch.setattr(spelling, "known_words", lambda: ENGLISH)


@pytest.mark.usefixtures("little_english")
def test_half_of_the_text_is_english_and_half_is_what_was_seen():
    english, mixed = letter_ngrams({}, 2), letter_ngrams({"to": 3, "at": 1}, 2)
    # So much text that what it lacks hardly counts.
    assert english.penalty("n", "a") == pytest.approx(-math.log(0.75), abs=1e-3)
    assert math.exp(-mixed.penalty("t", ["<s>"])) == pytest.approx(0.5 * 3 / 4, abs=1e-3)
    after_a = 0.5 * 0.25 + 0.5 * 1 / 4
    expected = after_a / (after_a + 0.5 * 0.75)
    assert math.exp(-mixed.penalty("t", "a")) == pytest.approx(expected, abs=1e-3)
    for model in (english, mixed):
        total = sum(math.exp(-model.penalty(w, "a")) for w in model.words if w != BEGIN)
        assert total == pytest.approx(1.0)


@pytest.mark.parametrize("seen", [{"a": 0}, {"a": -1, "b": 2}, {"a": math.nan}, {"a": math.inf}])
def test_words_that_were_seen_no_time_are_told(seen):
    with pytest.raises(ValueError, match=r"seen 'a' .* times: counts are 0 or above"):
        spelling_graph(2, seen=seen)


@pytest.mark.usefixtures("little_english")
def test_a_string_costs_what_its_letters_cost_less_what_each_is_given_back():
    model = letter_ngrams({"tan": 1}, 3)
    graph = spelling_graph(3, seen={"tan": 1}, scale=0.5, letter=2.0)
    texts = ["".join(letters) for n in (1, 2, 3) for letters in product("ant", repeat=n)]
    read = gtn.compose(gtn.strings(texts, dtype=torch.float64), graph, failure=BACK_OFF)
    for text, penalty in zip(texts, gtn.forward_penalty(read).tolist(), strict=True):
        every = [BEGIN, *text, END]
        paid = sum(model.penalty(one, every[:i]) for i, one in enumerate(every) if i)
        assert penalty == pytest.approx(0.5 * paid - 2.0 * len(text), abs=1e-4), text


@pytest.mark.usefixtures("little_english")
@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_read_is_what_the_whole_composition_has(system):
    reader = WordReader(system).eval()
    reader.seen = {"to": 2, "tan": 1}
    graph = reader.spelling(2)
    recognized = reader.recognized(reader.normalize(write_word("no")))[2].detach().double()
    letters = recognized
    if system == "sdnn":
        letters = gtn.compose(recognized, reader.recognize.models().detach().double())
    every = gtn.compose(letters, graph.double(), failure=BACK_OFF)
    found = reader.decoder(graph, math.inf).read(recognized, 9, candidates=9)
    assert min(r.penalty for r in found) == pytest.approx(gtn.viterbi_penalty(every).item())
    total = gtn.forward_penalty(every).item()
    for reading in found:
        own = gtn.compose(every, gtn.string(reading.text, symbols=graph.isymbols))
        assert reading.penalty == pytest.approx(gtn.viterbi_penalty(own).item())
        assert reading.forward == pytest.approx(gtn.forward_penalty(own).item(), rel=1e-5)
        assert reading.posterior == pytest.approx(math.exp(total - reading.forward), rel=1e-4)


@pytest.mark.usefixtures("little_english")
def test_spelling_is_counted_once_for_each_order_and_texts():
    reader = WordReader("segments")
    graph = reader.spelling(2)
    assert reader.spelling(2) is graph
    assert reader.spelling(3) is not graph
    reader.seen["to"] = 1
    learned = reader.spelling(2)
    assert gtn.isomorphic(learned, spelling_graph(2, seen={"to": 1}))
    assert reader.spelling(2) is learned is not graph


@pytest.mark.usefixtures("little_english")
def test_letters_that_follow_each_other_are_likelier():
    reader = WordReader("segments").eval()
    reader.seen = {"moon": 9}
    ink = write_word("moon", HANDS["upright"], 1)
    plain, weighed = (Reader(reader, None, beam, order) for beam, order in ((8.0, 0), (None, 3)))
    assert plain.about == "any letters"
    assert weighed.about == "any letters, as they follow each other in words"
    assert weighed.decoder.beam == FREE_BEAM

    def share(one):  # of all letters read, those that the words have
        texts = [r.text for r in one.read(ink).readings]
        return sum(letter in "moonat" for text in texts for letter in text) / len("".join(texts))

    assert share(weighed) > share(plain)
    assert weighed.read(Ink()).text == ""


@pytest.mark.usefixtures("little_english")
def test_errors_with_spelling_are_told():
    reader = WordReader("segments").eval()
    reader.seen = {"no": 1}
    words = Words([reader.normalize(write_word("no"))], ["no"], ["own"], ["test"])
    told = tell(reader, words, lexicon_graph(["no", "on"]))
    decoder = reader.decoder(reader.spelling(), FREE_BEAM)
    assert told.spelled == [decoder.read(reader.recognized(words.inks[0])[2], 1)[0].text]
    figures = told.errors()
    assert figures["word_error_spelling"] == float(told.spelled != ["no"])
    assert figures["char_error_spelling"] >= 0


@pytest.mark.usefixtures("little_english")
def test_the_command_reads_with_any_order(tmp_path):
    WordReader("segments").save(tmp_path / "reader.safetensors")
    (tmp_path / "ink.json").write_text(json.dumps([s.tolist() for s in write_word("no")]))
    command = ["read", str(tmp_path / "ink.json"), "--free", "--no-pictures", "--json"]
    command += ["--checkpoint", str(tmp_path / "reader.safetensors")]
    told = {}
    for order in ("0", "1", "3"):
        done = CliRunner().invoke(app, [*command, "--order", order])
        assert done.exit_code == 0, done.output
        told[order] = json.loads(done.stdout)["words"]
        assert len(told[order]) == 5
    assert told["0"] != told["1"] != told["3"]
    command.remove("--free")
    done = CliRunner().invoke(app, [*command, "--order", "3"])
    assert done.exit_code == 2
    assert "--order" in done.output


@pytest.mark.usefixtures("little_english")
def test_orders_are_measured_beside_the_lexicon(tmp_path, monkeypatch):
    reader = WordReader("sdnn").eval()
    reader.seen = {"no": 1}
    words = ["no", "on", "to"]
    monkeypatch.setattr(experiment, "task_words", lambda texts: task_words(texts, 3))
    monkeypatch.setattr(lexicon, "known_words", lambda: ENGLISH)
    place = tmp_path / "tree" / "data" / "6" / "own"
    place.mkdir(parents=True)
    for word in words:
        text = ".COORD X Y\n"
        ink = write_word(word)
        for stroke in ink:
            points = "\n".join(f"{x:.0f} {y:.0f}" for x, y in stroke)
            text += f".PEN_DOWN\n{points}\n.PEN_UP\n"
        (place / f"{word}.dat").write_text(text + f'.SEGMENT WORD 0-{len(ink) - 1} OK "{word}"\n')
    tree = tmp_path / "tree"
    path = write_spelling(reader, tree, tmp_path, count=3, orders=(0, 2), side="unlisted")
    found = json.loads(path.read_text())
    assert path.name == "spelling-sdnn.json"
    assert (found["n_words"], found["n_unseen"]) == (3, 2)
    assert found["words"] == {"english": 3, "lexicon": 3}
    assert list(found["errors"]) == ["0", "2", "english", "lexicon"]
    for figures in found["errors"].values():
        assert 0 <= figures["word_error"] <= 1
        assert 0 <= figures["word_error_unseen"] <= 1
        assert figures["ms"] > 0
    with pytest.raises(ValueError, match="no word by the writers of the side 'test'"):
        write_spelling(reader, tree, tmp_path, count=3)
