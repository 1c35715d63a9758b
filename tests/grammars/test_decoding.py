"""Decoding: an infinite beam gives full composition; posteriors; what a finite beam keeps."""

import itertools
import math

import numpy as np
import pytest
import torch

import gtn
from grammars.characters import character_models
from grammars.decoding import Decoder
from grammars.lexicon import lexicon
from grammars.ngram_counts import counted_ngrams
from gtn.errors import GraphError

WORDS = ["cab", "cabs", "abc", "a", "bad", "dab", "dad", "add"]
PENALTIES = np.arange(1, len(WORDS) + 1) / 4  # the least of the penalties stands on the start
LETTERS = gtn.SymbolTable("abcds")
PHONES = gtn.SymbolTable(["DH", "AH", "IY", "S", "Z"])
SPELLED = [
    ("the", "DH AH"),
    ("the", "DH IY"),
    ("sea", "S IY"),
    ("see", "S IY"),
    ("sees", "S IY Z"),
    ("seas", "S IY Z"),
    ("a", "AH"),
]


def lattice(seed, pieces=6, classes=5, symbols=LETTERS):
    """A recognition graph: pieces and groups of two pieces, with an arc for each class."""
    rng = np.random.default_rng(seed)
    ends = [(i, i + k) for i in range(pieces) for k in (1, 2) if i + k <= pieces]
    src, dst = np.repeat(np.array(ends), classes, axis=0).T
    labels = np.tile(np.arange(classes), len(ends))
    penalties = torch.from_numpy(rng.uniform(0, 4, len(src)))
    return gtn.from_arrays(src, dst, labels, penalties=penalties, final=pieces, symbols=symbols)


def words_and_grammar():
    words = lexicon(
        WORDS, symbols=LETTERS, penalties=PENALTIES, outputs="words", dtype=torch.float64
    )
    text = [["cab", "a", "dad"], ["a", "bad", "cab"], ["dab", "a"]]
    grammar = counted_ngrams(text, order=2, vocabulary=WORDS)
    return words, grammar.graph(words.osymbols, dtype=torch.float64)


def silenced(grammar):
    """The grammar with failure arcs that write nothing."""
    return gtn.relabel(grammar, olabels={gtn.BACK_OFF: None})


def spelled_words_and_grammar():
    """A lexicon of words spelled in phones, two with several spellings, and a grammar of words."""
    names, spellings = zip(*SPELLED)
    words = lexicon(
        names,
        spellings=[spelling.split() for spelling in spellings],
        penalties=np.arange(len(names)) / 4,
        symbols=PHONES,
        outputs="words",
        dtype=torch.float64,
    )
    text = [sentence.split() for sentence in ("see the sea", "the seas", "a sea", "see a sea")]
    grammar = counted_ngrams(text, order=2, vocabulary=sorted(set(names)))
    return words, grammar.graph(words.osymbols, dtype=torch.float64)


def systems():
    """Name, decoder without a beam, what it reads, and the full composition of that."""
    acceptor = lexicon(WORDS, symbols=LETTERS, penalties=PENALTIES, dtype=torch.float64)
    words, grammar = words_and_grammar()
    models = character_models("abcds", touch=1.0)
    many = gtn.closure(words)
    frames = gtn.linear(
        torch.from_numpy(np.random.default_rng(3).uniform(0, 3, (9, 6))), symbols=models.isymbols
    )
    yield "letters", Decoder.of(acceptor, beam=math.inf), lattice(0), lambda g: g @ acceptor
    yield "words", Decoder.of(words, beam=math.inf), lattice(1), lambda g: g @ words
    yield (
        "grammar",
        Decoder.of(many, grammar, beam=math.inf, separator=" "),
        lattice(2),
        lambda g: (g @ many) @ grammar,
    )
    spelled, follows = spelled_words_and_grammar()
    spoken = gtn.closure(spelled)
    yield (
        "spelled words and a grammar",
        Decoder.of(spoken, follows, beam=math.inf, separator=" "),
        lattice(4, pieces=5, symbols=PHONES),
        lambda g: (g @ spoken) @ follows,
    )
    yield (
        "models",
        Decoder.of(acceptor, models=models, beam=math.inf),
        frames,
        lambda g: (g @ models) @ acceptor,
    )
    yield (
        "models on the fly, and a grammar",
        Decoder((models, many, grammar), beam=math.inf, separator=" "),
        frames,
        lambda g: ((g @ models) @ many) @ grammar,
    )


SYSTEMS = (
    "letters",
    "words",
    "grammar",
    "spelled words and a grammar",
    "models",
    "models on the fly, and a grammar",
)


def test_every_system_is_tried():
    assert tuple(name for name, *_ in systems()) == SYSTEMS


@pytest.mark.parametrize("name", SYSTEMS)  # made in the test: collecting needs no kernel
def test_with_an_infinite_beam_it_is_full_composition(name):
    decoder, recognized, whole = next(system for own, *system in systems() if own == name)
    full = whole(recognized).double()
    found = decoder.search(recognized).double()
    for scorer in (gtn.viterbi_penalty, gtn.forward_penalty):
        torch.testing.assert_close(scorer(found), scorer(full), rtol=1e-9, atol=1e-9)
    readings = decoder.read(recognized, count=10_000, candidates=10_000)
    paths = gtn.n_best(full, 10_000, distinct="output")
    expected = {
        decoder.separator.join(full.osymbols.decode(gtn.path_labels(path))): (
            gtn.viterbi_penalty(path).item()
        )
        for path in paths
    }
    assert {r.text: pytest.approx(r.penalty, abs=1e-9) for r in readings} == expected
    assert sum(r.posterior for r in readings) == pytest.approx(1.0, abs=1e-9)
    assert [r.forward for r in readings] == sorted(r.forward for r in readings)
    total = gtn.forward_penalty(full).item()
    for reading in readings:
        assert reading.posterior == pytest.approx(math.exp(total - reading.forward), rel=1e-9)
        assert reading.forward <= reading.penalty + 1e-9
    assert len(readings) > 3


def test_a_grammar_tells_words_that_sound_alike_apart():
    words, grammar = spelled_words_and_grammar()
    decoder = Decoder.of(gtn.closure(words), grammar, separator=" ")
    for sounds, text in (
        ("S IY DH IY S IY", "see the sea"),
        ("S IY AH S IY", "see a sea"),
        ("DH AH S IY Z", "the seas"),
    ):
        heard = PHONES.encode(sounds.split()).astype(int)
        outputs = 5.0 * (1 - torch.nn.functional.one_hot(torch.from_numpy(heard), 5).double())
        assert decoder.read(outputs, 1)[0].text == text


def test_tensors_and_graphs_read_alike():
    models = character_models("abcds")
    decoder = Decoder.of(lexicon(WORDS, symbols=LETTERS), models=models, beam=20.0)
    outputs = torch.rand(12, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    graph = gtn.linear(outputs, symbols=models.isymbols)
    assert decoder.read(outputs) == decoder.read(graph)
    assert decoder.read_all([outputs, graph], 2) == [decoder.read(outputs, 2)] * 2
    batch = torch.stack([outputs, outputs.flip(0), torch.full_like(outputs, torch.nan)])
    expected = [decoder.read(outputs, 1), decoder.read(outputs.flip(0)[:7], 1), []]
    assert decoder.read_all(batch, lengths=[12, 7, 0]) == expected
    assert decoder.read_all(batch[:2], 2)[0] == decoder.read(outputs, 2)


@pytest.mark.parametrize(("beam", "max_active"), [(math.inf, None), (4.0, None), (math.inf, 3)])
def test_a_stream_reads_what_the_decoder_reads(beam, max_active):
    for name, decoder, recognized, _ in systems():
        if "models" not in name:
            continue  # it reads no frames
        frames = recognized.penalties.reshape(9, 6)
        decoder = decoder.with_beam(beam, max_active)
        stream = decoder.stream()
        texts = []
        for piece in frames.split([1, 4, 0, 4]):
            stream.add(piece)
            so_far = frames[: stream.length]
            assert stream.read() == decoder.read(so_far)
            assert gtn.equal(stream.search(), decoder.search(so_far))
            texts += [reading.text for reading in stream.read(1, finished=False)]
        assert len(texts) == 4  # at any time there is a reading to show
        assert stream.read(2, candidates=3) == decoder.read(frames, 2, candidates=3)
    with pytest.raises(GraphError, match="penalties of 5 classes, but 6 are read"):
        stream.add(torch.zeros(2, 5))
    with pytest.raises(GraphError, match=r"torch.Tensor \[T, C\]"):
        stream.add([0.0] * 6)


def test_readings_of_what_is_settled_and_of_the_rest_are_independent():
    words, grammar = spelled_words_and_grammar()
    decoder = Decoder.of(gtn.closure(words), grammar, beam=6.0, separator=" ")
    sounds = "S IY DH AH S IY Z DH IY S IY S IY AH S IY"
    heard = PHONES.encode(sounds.split()).astype(int)
    frames = 7.0 * (1 - torch.nn.functional.one_hot(torch.from_numpy(heard), 5).double())
    frames += torch.from_numpy(np.random.default_rng(5).uniform(0, 2, frames.shape))
    alone, stream, parts = decoder.stream(), decoder.stream(), []
    every = {"count": 10_000, "candidates": 10_000}
    for piece in frames.split(3):
        alone.add(piece)
        stream.add(piece)
        settled = stream.settle(**every)
        assert len(settled) == len({reading.text for reading in settled})
        parts += [settled] if settled else []
        assert stream.length == alone.length
    assert 0 < stream.settled < stream.length
    assert sum(len(part) > 1 for part in parts) > 1
    found = {}
    for chosen in itertools.product(*parts, stream.read(**every)):
        text = " ".join(filter(None, (reading.text for reading in chosen)))
        best, posterior = found.get(text, (math.inf, 0.0))
        found[text] = (
            min(best, sum(reading.penalty for reading in chosen)),
            posterior + math.prod(reading.posterior for reading in chosen),
        )
    whole = alone.read(**every)
    assert {r.text: pytest.approx((r.penalty, r.posterior), abs=1e-9) for r in whole} == found
    best = [*(part[0] for part in parts), stream.read(1)[0]]
    assert " ".join(filter(None, (reading.text for reading in best))) == whole[0].text
    forward = sum(reading.forward for reading in best)
    assert forward == pytest.approx(whole[0].forward, abs=1e-9)
    assert decoder.stream().settle() == []
    lost = Decoder.of(lexicon(["ab"])).stream()
    lost.add(torch.zeros(3, 2))
    assert lost.settle() == lost.read() == []


@pytest.mark.parametrize("wrong", [{"count": 0}, {"candidates": -1}, {"beam": -1.0}])
def test_what_is_asked_for_wrongly_settles_nothing(wrong):
    stream = Decoder.of(lexicon(["ab", "b"]).closure(), beam=6.0).stream()
    stream.add(torch.tensor([[0.0, 9.0], [9.0, 0.0], [0.0, 9.0]]))
    with pytest.raises(GraphError, match=next(iter(wrong))):
        stream.settle(**wrong)
    assert stream.settled == 0
    assert [reading.text for reading in stream.settle()] == ["aba"]


@pytest.mark.parametrize("step", ["n_best", "forward_penalty", "strings"])
def test_where_reading_fails_nothing_is_settled(step, monkeypatch):
    stream = Decoder.of(lexicon(["ab", "b"]).closure(), beam=6.0).stream()
    stream.add(torch.tensor([[0.0, 9.0], [9.0, 0.0], [0.0, 9.0]]))
    before = stream.read()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"grammars.decoding.{step}", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stream.settle()
    assert (stream.settled, stream.length, stream.read()) == (0, 3, before)
    assert [reading.text for reading in stream.settle()] == ["aba"]
    assert stream.settled == 3


def test_only_the_readings_that_are_given_are_spelled(monkeypatch):
    spelled = []
    kept = Decoder._text

    def counted(self, table, labels):
        spelled.append(kept(self, table, labels))
        return spelled[-1]

    monkeypatch.setattr(Decoder, "_text", counted)
    decoder = Decoder.of(lexicon(["ab", "ba", "bb", "aa"]))
    readings = decoder.read(torch.rand(2, 2), count=2, candidates=4)
    assert [reading.text for reading in readings] == spelled
    assert len(spelled) == 2


def test_the_reading_of_all_its_paths_comes_before_that_of_the_best_path():
    """Two ways to read "b", each a little worse than that of "a", make it first, also alone."""
    arcs = [(0, 1, "a", 0.0), (0, 1, "b", 0.3), (0, 1, "b", 0.3)]
    decoder = Decoder.of(lexicon(["a", "b"]), beam=math.inf)
    for count in (1, 2):
        readings = decoder.read(gtn.Graph.from_arcs(arcs, final=1), count)
        assert [reading.text for reading in readings] == ["b", "a"][:count]
        assert readings[0].penalty == pytest.approx(0.3)
        assert readings[0].forward == pytest.approx(0.3 - math.log(2))
        share = 2 * math.exp(-0.3) / (1 + 2 * math.exp(-0.3))
        assert readings[0].posterior == pytest.approx(share)


def test_a_beam_keeps_the_best_and_forgets_the_rest():
    words = lexicon(WORDS, symbols=LETTERS, penalties=PENALTIES)
    wide, narrow = (Decoder.of(words, beam=beam) for beam in (math.inf, 1.0))
    same = 0
    for seed in range(30):
        recognized = lattice(seed)
        all_, few = wide.search(recognized), narrow.search(recognized)
        assert few.num_arcs <= all_.num_arcs
        if few.num_nodes:
            assert gtn.viterbi_penalty(few) >= gtn.viterbi_penalty(all_) - 1e-6
            same += wide.read(recognized)[0].text == narrow.read(recognized)[0].text
    assert same > 15
    assert narrow.with_beam(0.0, max_active=1).search(lattice(0)).num_arcs <= 6


def test_gradients_reach_the_recognizer():
    recognized = lattice(5)
    penalties = recognized.penalties.clone().requires_grad_()
    decoder = Decoder.of(lexicon(WORDS, symbols=LETTERS))
    found = decoder.search(recognized.with_penalties(penalties))
    gtn.forward_penalty(found).backward()
    expected = gtn.arc_posteriors(decoder.search(recognized))
    sources = found.sources[0].index
    np.testing.assert_allclose(
        penalties.grad.numpy(),
        np.bincount(sources[sources >= 0], expected.numpy()[sources >= 0], len(penalties)),
        atol=1e-9,
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_gradients_reach_what_is_learned_of_a_lexicon_and_a_grammar(streamed):
    words, grammar = words_and_grammar()
    words, grammar = words.closure().detach(), silenced(grammar)
    models = character_models("".join(LETTERS)).double().detach()
    frames = torch.from_numpy(np.random.default_rng(3).uniform(0, 4, (6, 6)))
    learned = [g.penalties.clone().requires_grad_() for g in (models, words, grammar)]
    three = [g.with_penalties(p) for g, p in zip((models, words, grammar), learned)]
    decoder = Decoder.of(three[1], three[2], models=three[0], beam=math.inf)
    if streamed:
        stream = decoder.stream()
        stream.add(frames)
        found = stream.search()
    else:
        found = decoder.search(frames)
    whole = gtn.linear(frames, symbols=models.isymbols) @ three[0] @ three[1] @ three[2]
    given = torch.autograd.grad(gtn.forward_penalty(found), learned)
    expected = torch.autograd.grad(gtn.forward_penalty(whole), learned)
    for one, other in zip(given, expected, strict=True):
        assert other.abs().sum() > 0.1
        torch.testing.assert_close(one, other)


def test_a_batch_of_frames_is_searched_as_the_message_says():
    """Its loss is the sum of the losses of its samples, and so are the gradients."""
    words, grammar = words_and_grammar()
    penalties = silenced(grammar).penalties.clone().requires_grad_()
    grammar = silenced(grammar).with_penalties(penalties)
    decoder = Decoder.of(words.closure(), grammar, beam=6.0)
    frames = torch.from_numpy(np.random.default_rng(3).uniform(0, 4, (3, 6, 5))).requires_grad_()
    lengths = [6, 4, 5]
    with pytest.raises(GraphError, match=r"gtn.linear\(penalties, symbols=.*, lengths=lengths\)"):
        decoder.search(frames)
    symbols = decoder.readers[0].isymbols
    found = decoder.search(gtn.linear(frames, symbols=symbols, lengths=lengths))
    total = gtn.forward_penalty(found).sum()
    each = sum(gtn.forward_penalty(decoder.search(one[:n])) for one, n in zip(frames, lengths))
    given, expected = (torch.autograd.grad(loss, [frames, penalties]) for loss in (total, each))
    for one, other in zip(given, expected, strict=True):
        torch.testing.assert_close(one, other)
    wide = decoder.with_beam(math.inf).search(gtn.linear(frames, symbols=symbols, lengths=lengths))
    targets = [["cab", "bad"], ["a", "bad"], ["cabs", "a"]]
    right = gtn.forward_penalty(wide @ gtn.strings(targets, symbols=wide.osymbols))
    assert (right > gtn.forward_penalty(wide)).all()
    assert right.isfinite().all()


def test_where_nothing_can_be_read():
    decoder = Decoder.of(lexicon(["s" * 200], symbols=LETTERS))
    assert decoder.read(lattice(0)) == []
    assert Decoder.of(lexicon(["s" * 200], symbols=LETTERS)).read(gtn.empty(symbols=LETTERS)) == []


def test_a_word_of_200_letters_is_read():
    long = "abcd" * 50
    decoder = Decoder.of(lexicon([long, "a"], symbols=LETTERS), models=character_models("abcds"))
    targets = [label for c in long for label in (LETTERS.label(c), 5)]
    outputs = 5.0 * (1 - torch.nn.functional.one_hot(torch.tensor(targets), 6).float())
    assert decoder.read(outputs, 1)[0].text == long


def test_the_memory_is_that_of_the_beam():
    """A larger lexicon means no more arcs as long as the beam keeps the same ones."""
    rng = np.random.default_rng(0)
    words = list({"".join(rng.choice(list("abcds"), rng.integers(4, 9))) for _ in range(3000)})
    outputs = 20.0 * (1 - torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 0, 1, 2]), 5).float())
    graph = gtn.linear(outputs, symbols=LETTERS)
    sizes = []
    for count in (30, 3000):
        decoder = Decoder.of(lexicon(["abcabc", *words[:count]], symbols=LETTERS), beam=10.0)
        found = decoder.search(graph)
        sizes.append(found.num_arcs)
        assert decoder.read(graph)[0].text == "abcabc"
    assert sizes == [6, 6]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: Decoder(()), "at least one graph"),
        (lambda d: Decoder((gtn.empty(),)), "reader 0 has no path"),
        (
            lambda d: Decoder(lexicon(["ab"])),
            r"readers are a tuple of graphs; of one it is \(graph,\)",
        ),
        (lambda d: Decoder(("ab",)), "a graph is needed, not str"),
        (lambda d: Decoder.of(["ab"]), r"is a graph, not list; grammars\.lexicon\.lexicon makes"),
        (
            lambda d: Decoder.of(lexicon(["xy"]), models=character_models("ab")),
            r"write nothing that the lexicon reads: SymbolTable\(2: a b\) against .*2: x y",
        ),
        (
            lambda d: d.read(np.zeros((3, 5))),
            r"recognition graph or a torch.Tensor of penalties \[T, C\], not ndarray",
        ),
        (lambda d: d.with_beam(-1.0), "beam=-1.0"),
        (lambda d: d.with_beam(1.0, 0), "max_active=0"),
        (
            lambda d: Decoder.of(*spelled_words_and_grammar(), failure=0),
            "failure=0, but the graph that reads has failure arcs for '<backoff>', too",
        ),
        (
            lambda d: Decoder(spelled_words_and_grammar()[::-1]),
            r"arc \d+ of reader 0 writes the failure label; .* the graph that reads",
        ),
        (
            lambda d: Decoder((silenced(spelled_words_and_grammar()[1]), lexicon(["ab"]))),
            r"arc \d+ of reader 0 is a failure arc, it reads '<backoff>'; first compose",
        ),
        (lambda d: Decoder.of(lexicon(["ab"]), failure="#"), "symbol '#' is not in SymbolTable"),
        (lambda d: Decoder((gtn.strings(["ab"]),)), "reader 0 is a batch"),
        (lambda d: d.read(torch.zeros(2, 3, 5)), r"not \[2, 3, 5\]; read_all takes \[B, T, C\],"),
        (lambda d: d.read_all([torch.zeros(3, 5)], lengths=[3]), r"one tensor of .* \[B, T, C\]"),
        (lambda d: d.read_all(torch.zeros(1, 3, 5), lengths=[4]), "length 4, but there are 3"),
        (lambda d: d.search(torch.zeros(3)), r"\[T, C\], not \[3\]"),
        (lambda d: d.search(torch.zeros(3, 4)), "of 4 classes, but 5 are read"),
        (lambda d: d.read(gtn.GraphBatch.from_graphs([lattice(0)])), "one graph is read"),
        (lambda d: d.read(lattice(0), 0), "count=0; at least one"),
        (lambda d: d.stream().read(candidates=0), "candidates=0; at least one"),
    ],
)
def test_what_is_wrong_is_said(call, message):
    decoder = Decoder.of(lexicon(WORDS, symbols=LETTERS))
    with pytest.raises(GraphError, match=message):
        call(decoder)


@pytest.mark.parametrize("back_off", [gtn.BACK_OFF, "#"])
def test_frames_have_no_class_for_what_failure_arcs_read(back_off):
    model = counted_ngrams(["ab", "aab", "ba"], order=2)
    failure = None if back_off == gtn.BACK_OFF else back_off
    grammar = model.graph(gtn.SymbolTable("ab"), back_off=back_off, dtype=torch.float64)
    decoder = Decoder((grammar,), failure=failure, beam=math.inf)
    frames = torch.tensor([[0.5, 1.0], [0.25, 0.75]], dtype=torch.float64)
    read = {reading.text: reading.penalty for reading in decoder.read(frames)}
    for text in ("aa", "ab", "ba", "bb"):
        words = ["<s>", *text, "</s>"]
        expected = sum(model.penalty(words[i], words[:i]) for i in range(1, 4))
        expected += sum(frames[t, "ab".index(letter)].item() for t, letter in enumerate(text))
        assert read[text] == pytest.approx(expected)
    stream = decoder.stream()
    stream.add(frames)
    assert {reading.text: reading.penalty for reading in stream.read()} == read
    with pytest.raises(GraphError, match="penalties of 3 classes, but 2 are read"):
        decoder.read(torch.zeros(2, 3))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": -1}, {"candidates": 0}])
def test_no_readings_cannot_be_asked_for(wrong):
    """The error names the option of the call, even where the beam loses every path."""
    decoder = Decoder.of(lexicon(["a", "b"]))
    ((name, number),) = wrong.items()
    for recognized in (torch.zeros(1, 2), torch.zeros(2, 2)):
        with pytest.raises(GraphError, match=f"{name}={number}; at least one can be asked for"):
            decoder.read(recognized, **wrong)
    stream = decoder.stream()
    stream.add(torch.zeros(1, 2))
    with pytest.raises(GraphError, match=f"{name}={number}; at least one can be asked for"):
        stream.read(**wrong)


def test_a_text_without_letters_is_a_reading():
    decoder = Decoder.of(gtn.closure(lexicon(["ab"])))
    assert decoder.read(torch.zeros(0, 2)) == [("", 0.0, 0.0, 1.0)]
    assert decoder.read(torch.zeros(1, 2)) == []
