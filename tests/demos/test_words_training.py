"""Readers of words: what they learn from, that they learn, and that runs can be interrupted."""

import json
import math

import numpy as np
import pytest
import torch
import wordfreq

import gtn
from demos.checkpoint import CheckpointError
from demos.words.choices import BEAM, SYSTEMS
from demos.words.measuring.words import Told, character_errors, read_texts, tell, word_errors
from demos.words.reading.guesses import GUESSES
from demos.words.reading.letters import LETTERS, NETWORK_CLASSES, folded, letter_penalties
from demos.words.reading.lexicon import (
    MOST_LETTERS,
    file_words,
    free_strings,
    lexicon_graph,
    task_words,
)
from demos.words.reading.reader import WordReader
from demos.words.samples.handwriting import HANDS, write_word
from demos.words.samples.words import Words
from demos.words.training import words as module
from demos.words.training.losses import training_of
from demos.words.training.settings import WordSettings
from demos.words.training.strings import (
    RUBBISH,
    compose_strings,
    labelled_segments,
    output_labels,
    placed,
)
from demos.words.training.word_results import write_words_card, write_words_result
from demos.words.training.words import STAGES, train_words
from recognizers.online.ink import Ink
from recognizers.online.segmentation import segment_ink
from recognizers.online.writers import SIDES

TEXTS = ["it", "sun", "moon", "star", "art", "no", "son", "rust"]


ORDER = 3
"""Letters after two others, not five: a reader that has hardly learned follows them all."""


@pytest.fixture(scope="module")
def words():
    reader = WordReader()
    inks = [reader.normalize(write_word(t, HANDS["upright"], seed)) for seed, t in enumerate(TEXTS)]
    return Words(inks, TEXTS, ["own"] * len(TEXTS), ["train"] * len(TEXTS))


@pytest.fixture(scope="module")
def letters():
    return [(write_word(c, HANDS["upright"], seed), c) for seed in range(3) for c in LETTERS]


def test_letters_fold():
    assert [folded(t) for t in ('"Then', "BIZ", "a b", "", '"', "naïve")] == [
        "then", "biz", None, None, None, None,
    ]  # fmt: skip
    penalties = letter_penalties(torch.randn(4, 7, 53))
    torch.testing.assert_close(torch.exp(-penalties).sum(-1), torch.ones(4, 7))


def test_the_lexicon_of_the_task():
    found = task_words(["Zyxw", "the", "4711"], 50)
    assert len(found) == 50
    assert found.words[:2] == ("zyxw", "the")
    graph = lexicon_graph(found)
    assert gtn.intersect(graph, gtn.string("zyxw", symbols=graph.isymbols)).num_nodes > 0
    assert gtn.intersect(free_strings(), gtn.string("qq", symbols=graph.isymbols)).num_nodes > 0


def test_words_of_the_texts_learned_from_are_more_frequent():
    words = ["their", "theta", "zyxw"]
    counted = {"theta": 2, "zyxw": 1, "the": 1}

    def penalties(**options):
        graph = lexicon_graph(words, letter=0.0, **options)
        texts = [gtn.string(word, symbols=graph.isymbols) for word in words]
        return np.array([float(gtn.viterbi_penalty(gtn.intersect(graph, t))) for t in texts])

    english = np.array([wordfreq.word_frequency(word, "en") for word in words])
    assert (english > 0.0).tolist() == [True, True, False]
    expected = -0.8 * np.log(0.4 * english + 0.5 * np.array([0, 2, 1]) / 4 + 0.1 / 3)
    np.testing.assert_allclose(penalties(seen=counted), expected - expected.min(), atol=0.01)
    np.testing.assert_array_equal(penalties(seen={}), penalties())
    np.testing.assert_array_equal(penalties(), np.sort(penalties()))


def test_a_word_without_end_leaves_the_others_within_the_beam():
    graph = lexicon_graph(["in", "z" * 200], frequency=0.0)
    short = gtn.intersect(graph, gtn.string("in", symbols=graph.isymbols))
    assert float(gtn.viterbi_penalty(short)) == MOST_LETTERS - 2 < BEAM


def test_a_reader_keeps_what_it_has_seen(tmp_path):
    reader = WordReader("segments")
    reader.seen = {"cat": 3}
    reader.save(tmp_path / "reader.safetensors")
    assert WordReader.load(tmp_path / "reader.safetensors").seen == {"cat": 3}


def test_counts_of_a_file_come_before_those_of_the_reader(tmp_path):
    (tmp_path / "words.txt").write_text("Cat\t1\ndog\t9\ncat\t2\n")
    listed = file_words(tmp_path / "words.txt")
    assert listed.words == ("cat", "dog")
    graph = lexicon_graph(listed, letter=0.0, seen={"cat": 1000})
    best = gtn.intersect(graph, gtn.string("dog", symbols=graph.isymbols))
    other = gtn.intersect(graph, gtn.string("cat", symbols=graph.isymbols))
    assert float(gtn.viterbi_penalty(best)) == 0.0
    found = float(gtn.viterbi_penalty(other))
    assert found == pytest.approx(0.8 * math.log(3.0), abs=0.01)


@pytest.mark.parametrize("normaliser", [True, False])
def test_strings_know_their_letters(letters, normaliser):
    rng = np.random.default_rng(0)
    inks = [placed(ink, c) for ink, c in letters]
    classes = np.array([NETWORK_CLASSES.index(c) for _, c in letters])
    strings = compose_strings(inks, classes, 20, rng, normaliser=normaliser)
    whole = 0
    for string in strings:
        assert len(string.classes) == 4
        assert (np.diff(string.spans.ravel()) > 0).all()
        assert string.ink.bounds[2] == pytest.approx(string.spans[-1, 1], abs=0.1)
        word, labels = labelled_segments(string, rng)
        whole += (labels < RUBBISH).sum()
        for a in np.flatnonzero(labels < RUBBISH):
            k = np.flatnonzero(string.classes == labels[a])
            assert np.abs(string.spans[k] - word.boxes[a, [0, 2]]).max(axis=1).min() < 0.1
        of_outputs = output_labels(string, 40, 0.0)
        assert set(of_outputs[of_outputs < RUBBISH]) == set(string.classes)
    assert whole >= 60  # of 80, as letters that lie over each other are left out


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_loss_is_that_of_the_reader(system, words):
    reader = WordReader(system)
    training = training_of(reader.recognize)
    targets = [training.word(i, t) for i, t in zip(words.inks, words.labels, strict=True)]
    rng = np.random.default_rng(0)
    losses, skipped = training.word_losses(targets, rng, 0.0)
    assert skipped == 0
    assert (losses > 0).all()
    # Minus the log posterior of the text among all strings, as found by decoding without a beam.
    for i in (0, 2):
        found = reader.decoder(beam=1e9).read(reader.recognized(words.inks[i])[2], 400)
        posterior = {r.text: r.posterior for r in found}.get(TEXTS[i])
        if posterior is not None:
            assert -np.log(posterior) == pytest.approx(losses[i].item(), rel=2e-3)
    losses.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in reader.parameters()
               if p.requires_grad and p is not getattr(reader.recognize, "unused", None)
               and p.numel() > 1)  # fmt: skip
    short, skipped = training.word_losses([training.word(words.inks[0], "i" * 99)], rng, 0.0)
    assert skipped == 1
    assert short.item() == 0.0


SETTINGS = {"pool": 40, "strings": 3, "string_batch": 8, "words": 12, "word_batch": 8,
            "maps": (4, 8), "averaging": 5, "bfloat16": False}  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_that_is_interrupted_comes_to_the_same(system, words, letters, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOG_EVERY", 4)
    settings = WordSettings(system=system, context=system == "segments", **SETTINGS)

    def run(folder, until=np.inf):
        return train_words(
            letters, words, words, settings, tmp_path / folder, progress=False, until=until
        )

    assert run("whole")
    times = 0
    while not run("parts", 0.0):
        times += 1
    assert times >= settings.strings + settings.words - 1
    for stage in STAGES:
        one, other = (
            WordReader.load(tmp_path / f / f"{stage}.safetensors") for f in ("whole", "parts")
        )
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    left = (tmp_path / "whole" / "config.json").read_bytes()
    with pytest.raises(CheckpointError, match="other settings"):
        train_words(
            letters, words, words, WordSettings(system=system, seed=1), tmp_path / "whole",
            progress=False,
        )  # fmt: skip
    assert (tmp_path / "whole" / "config.json").read_bytes() == left


@pytest.mark.parametrize("system", SYSTEMS)
def test_errors_of_words(system, words):
    reader = WordReader(system)
    figures = word_errors(reader, words, lexicon_graph(TEXTS), ORDER)
    assert figures["n_words"] == len(TEXTS)
    assert 0 <= figures["word_error"] <= 1
    assert figures["words_per_second"] > 0
    (told,) = read_texts(reader, words, [reader.decoder(lexicon_graph(TEXTS))])
    assert set(told) <= {*TEXTS, ""}
    assert word_errors(reader, words.take([]), lexicon_graph(TEXTS), ORDER) == {}
    assert character_errors(["abc", "", "xy"], ["abd", "ab", "xy"]) == pytest.approx(3 / 7)


@pytest.mark.parametrize("system", SYSTEMS)
def test_odd_ink_is_read(system):
    reader = WordReader(system)
    decoder = reader.decoder(lexicon_graph(TEXTS))
    for ink in (Ink(), Ink([[(0, 0)]]), Ink([[(7, 7)] * 5]), Ink([[(1e11, 0), (0, 1)]]),
                write_word("a" * 200)):  # fmt: skip
        found = reader.read(ink, decoder)
        assert found.text in {*TEXTS, ""}
        if ink.is_empty:
            assert found.text == ""
            assert found.planes.shape[:2] == (5, 20)
    backward = write_word("moon").reversed()
    assert reader.read(backward, decoder).readings


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_word_is_read_under_all_guesses(system):
    reader = WordReader(system).eval()
    decoder = reader.decoder(lexicon_graph(TEXTS), beam=1e9)
    ink = write_word(TEXTS[0], HANDS["upright"], 1)
    layouts = reader.layouts(ink)
    assert len(layouts) == len(GUESSES[system])
    heights = [one.fit.lines.core_height for one in layouts]
    cores = [guess.core for guess in GUESSES[system]]
    np.testing.assert_allclose(heights, heights[0] * np.array(cores))
    every = len(TEXTS)
    found = reader.read(ink, decoder, n=every)
    each = [(decoder.read(reader.recognized(one.ink)[2], every), one.penalty) for one in layouts]
    for reading in found.readings:
        same = [r.forward + cost for one, cost in each for r in one if r.text == reading.text]
        assert reading.forward == pytest.approx(-np.logaddexp.reduce(-np.array(same)))
    # There are no words but those of the lexicon.
    assert sum(r.posterior for r in found.readings) == pytest.approx(1.0, abs=1e-4)
    words = Words([reader.normalize(ink)], [TEXTS[0]], ["own"], ["test"], written=[ink])
    told = tell(reader, words, lexicon_graph(TEXTS), ORDER)
    assert told.with_lexicon == [reader.read(ink, reader.decoder(lexicon_graph(TEXTS))).text]
    plain = WordReader(system, normaliser=False)
    assert len(plain.layouts(ink)) == 1


def test_errors_but_for_some_words(words):
    told = Told(words, [*TEXTS[:4], *["no"] * 4], TEXTS, ["sun"] * 8, 1.0)
    assert told.errors()["word_error"] == 3 / 8
    assert told.errors()["word_error_no_lexicon"] == 0
    assert told.errors()["word_error_spelling"] == 7 / 8
    found = told.errors(but={"art", "it"})
    assert (found["n_words"], found["word_error"]) == (6, 2 / 6)
    assert told.errors(but=TEXTS) == {}


def test_words_begin_with_the_reader_that_was_given(words, letters, tmp_path):
    given = WordReader("sdnn", seed=5)
    given.save(tmp_path / "given.safetensors")
    own = SETTINGS | {"strings": 2, "words": 0, "start": str(tmp_path / "given.safetensors")}
    settings = WordSettings(system="sdnn", **(own | {"maps": (8, 25)}))
    assert train_words(letters, words, words, settings, tmp_path / "run", progress=False)
    first, last = (WordReader.load(tmp_path / "run" / f"{s}.safetensors") for s in STAGES)
    state, begun = last.state_dict(), given.state_dict()
    assert all(torch.equal(state[name], begun[name]) for name in begun)
    assert any(not torch.equal(first.state_dict()[name], begun[name]) for name in begun)


def test_checkpoints(tmp_path):
    reader = WordReader("sdnn", "rbf", maps=[4, 8])
    reader.save(tmp_path / "a.safetensors")
    again = WordReader.load(tmp_path / "a.safetensors")
    assert again.settings == reader.settings
    ink = write_word("sun")
    assert again.read(ink).readings == reader.eval().read(ink).readings
    with pytest.raises(ValueError, match="system"):
        WordReader("none")
    broken = WordReader("segments", maps=[4, 8])
    broken.settings["maps"] = [4, 9]
    broken.save(tmp_path / "b.safetensors")
    with pytest.raises(CheckpointError, match=r"b\.safetensors: of another architecture"):
        WordReader.load(tmp_path / "b.safetensors")


def test_training_reduces_the_error(words, letters, tmp_path):
    settings = WordSettings(system="sdnn", **(SETTINGS | {"strings": 30, "words": 60, "pool": 60}))
    assert train_words(letters, words, words, settings, tmp_path, progress=False)
    before, after = (WordReader.load(tmp_path / f"{stage}.safetensors") for stage in STAGES)
    free = [
        character_errors(read_texts(r, words, [r.decoder()])[0], words.labels)
        for r in (before, after)
    ]
    assert free[1] < free[0]
    assert segment_ink(words.inks[0]).num_pieces >= len(TEXTS[0])


def test_a_result_and_its_card(words, letters, tmp_path):
    settings = WordSettings(**(SETTINGS | {"strings": 2, "words": 2}))
    out = tmp_path / "segments-seed0"
    assert train_words(letters, words, words, settings, out, progress=False)
    everyone = words.take([*range(8)] * 4)
    everyone.sides[:] = [side for side in SIDES for _ in range(8)]
    path = write_words_result(everyone, task_words(TEXTS, 40), settings, out, tmp_path, order=ORDER)
    found = json.loads(path.read_text())
    assert path.name == "segments-seed0.json"
    assert found["lexicon"] == 40
    assert found["after"]["test"]["n_words"] == found["after"]["left_out"]["n_words"] == 8
    assert found["command"].endswith("--strings 2 --steps 2 --maps 4 8 --seed 0")
    # All words of this test occur in the texts of the training.
    assert WordReader.load(out / "words.safetensors").seen == dict.fromkeys(TEXTS, 1)
    assert found["after"]["test_unseen"] == {}
    write_words_card(out / "words.safetensors", path, tmp_path)
    assert "40 words" in (tmp_path / "words-segments.md").read_text()
    assert WordReader.load(tmp_path / "words-segments.safetensors").system == "segments"
