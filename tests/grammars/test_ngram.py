"""N-grams: probabilities sum to one, in the model and in its graph; ARPA files."""

import gzip
import math
from collections import Counter
from itertools import pairwise, product
from string import ascii_lowercase

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from grammars.arpa import read_arpa, write_arpa
from grammars.ngram import BACK_OFF, BEGIN, END, UNKNOWN, NGrams
from grammars.ngram_counts import counted_ngrams
from gtn.errors import GraphError

TEXT = ["abracadabra", "abc", "cab", "", "dad"]
SENTENCES = st.lists(st.text("abc", max_size=7), min_size=1, max_size=6)
SMOOTHINGS = ["witten-bell", "kneser-ney", "katz"]


def next_words(model, history):
    """The probability of each word that can come next."""
    return {w: math.exp(-model.penalty(w, history)) for w in model.words if w != BEGIN}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(SENTENCES, st.integers(1, 4), st.sampled_from(SMOOTHINGS))
def test_probabilities_of_the_next_word_sum_to_one(sentences, order, smoothing):
    model = counted_ngrams(sentences, order=order, smoothing=smoothing)
    for length in range(order):
        for history in product([BEGIN, *"abc"], repeat=length):
            total = sum(next_words(model, history).values())
            assert total == pytest.approx(1.0, abs=1e-12), history


@settings(max_examples=30, deadline=None, derandomize=True)
@given(SENTENCES, st.integers(1, 4), st.sampled_from(SMOOTHINGS))
def test_the_graph_says_what_the_model_says(sentences, order, smoothing):
    """Each string of up to three letters has the model's penalty."""
    model = counted_ngrams(sentences, order=order, smoothing=smoothing, vocabulary="abc")
    grammar = model.graph(dtype=torch.float64)
    texts = ["".join(t) for n in range(4) for t in product("abc", repeat=n)]
    read = gtn.compose(
        gtn.strings(texts, symbols=gtn.SymbolTable("abc"), dtype=torch.float64),
        grammar,
        failure=BACK_OFF,
    )
    found = gtn.forward_penalty(read)
    for text, penalty in zip(texts, found.tolist()):
        words = [BEGIN, *text, END]
        expected = sum(model.penalty(w, words[:i]) for i, w in enumerate(words) if i)
        assert penalty == pytest.approx(expected, abs=1e-9), text
    assert grammar.topology.is_connected
    assert grammar.num_nodes == len(histories(model))


def histories(model):
    """The histories that have a node: the empty one, those after which a word was seen, and those
    that cost something to forget."""
    seen, found = [()], {(), (BEGIN,)} if model.order > 1 else {()}
    for n, grams in enumerate(model.orders):
        found |= {seen[prefix] for prefix in grams.prefix.tolist()}
        rows = zip(grams.prefix.tolist(), grams.word.tolist())
        seen = [(*seen[prefix], model.words[word]) for prefix, word in rows]
        if n + 1 < model.order:
            costly = [w for w, paid in zip(seen, grams.back_off.tolist()) if paid != 0]
            found |= {words for words in costly if words[-1] != END}
    return found


def next_in_graph(grammar, history, unknown=()):
    """The sum over the next symbols and the end, after a history, by failure composition."""
    table = grammar.isymbols
    letters = [s for s in table if s != BACK_OFF]
    total = 0.0
    before = gtn.string(history, symbols=table, dtype=torch.float64)
    stops = gtn.compose(before, grammar, failure=BACK_OFF)
    # With a final penalty of zero at every history, this is what a path has paid so far.
    open_ = gtn.Graph.from_arrays(
        grammar.src, grammar.dst, grammar.ilabels, penalties=grammar.penalties,
        start=grammar.starts.tolist(), final=range(grammar.num_nodes), symbols=table,
    )  # fmt: skip
    paid = gtn.forward_penalty(gtn.compose(before, open_, failure=BACK_OFF)).item()
    total += math.exp(paid - gtn.forward_penalty(stops).item())
    for letter in letters:
        longer = gtn.string([*history, letter], symbols=table, dtype=torch.float64)
        all_ = gtn.forward_penalty(gtn.compose(longer, open_, failure=BACK_OFF)).item()
        total += math.exp(paid - all_)
    return total


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_next_words_of_the_graph_sum_to_one(order, smoothing):
    model = counted_ngrams(TEXT, order=order, smoothing=smoothing)
    grammar = model.graph(dtype=torch.float64)
    for history in ["", "a", "ab", "abra", "zc", "dd", "cabcab"]:
        seen = [c if c != "z" else UNKNOWN for c in history]
        assert next_in_graph(grammar, seen) == pytest.approx(1.0, abs=1e-9), history


@pytest.mark.parametrize("table", ["a b q", "<s> </s> a b q", "q </s> <backoff> b a <s>"])
def test_the_ends_of_sentences_are_no_words_that_are_not_known(table):
    model = counted_ngrams([["a", "b"], ["b"]], order=2)
    symbols = gtn.SymbolTable(table.split())
    for back_off in ("#", gtn.BACK_OFF):
        grammar = model.graph(symbols, unknown="share", back_off=back_off, dtype=torch.float64)
        read = gtn.compose(gtn.string(["a", "q"]).double(), grammar, failure=back_off)
        words = zip(("a", UNKNOWN, "</s>"), (["<s>"], ["a"], [UNKNOWN]))
        expected = sum(model.penalty(word, after) for word, after in words)
        assert gtn.viterbi_penalty(read).item() == pytest.approx(expected)
        read = set(grammar.isymbols.decode(grammar.ilabels))
        assert read == {"a", "b", "q", back_off}
    # The other model's symbols are all known, except its back-off symbol.
    again = model.graph(grammar.isymbols, unknown="share", back_off="##")
    assert gtn.BACK_OFF not in again.isymbols.decode(again.ilabels)


def test_unknown_words_share_what_is_left_for_them():
    sentences = [s.split() for s in ("the cat sat", "the dog ran", "a cat ran")]
    model = counted_ngrams(sentences, order=3, vocabulary=["the", "cat", "ran", "a", "sat"])
    table = gtn.SymbolTable(["the", "cat", "ran", "a", "sat", "cow", "pig", "dog"])
    grammar = model.graph(table, unknown="share", dtype=torch.float64)
    for history in [[], ["the"], ["the", "dog"], ["cow"], ["cat", "pig", "ran"]]:
        assert next_in_graph(grammar, history) == pytest.approx(1.0, abs=1e-9), history
    for word, known in (("cow", False), ("cat", True)):
        read = gtn.compose(
            gtn.string(["the", word], symbols=table, dtype=torch.float64), grammar, failure=BACK_OFF
        )
        stands = word if known else UNKNOWN
        expected = sum(
            model.penalty(w, [BEGIN, "the", stands][:i])
            for i, w in ((1, "the"), (2, stands), (3, END))
        )
        expected += 0 if known else math.log(3)
        assert gtn.forward_penalty(read).item() == pytest.approx(expected, abs=1e-9)
    forbidding = model.graph(table)
    assert (
        gtn.compose(gtn.string(["cow"], symbols=table), forbidding, failure=BACK_OFF).num_nodes == 0
    )


def test_a_graph_is_scored_again_with_another_model():
    """The graph of one model can read what a composition with another has written."""
    sentences = [s.split() for s in ("the cat sat", "the dog sat", "a cat", "a dog ran")]
    first, other = counted_ngrams(sentences, order=3), counted_ngrams(sentences[2:], order=2)
    said = gtn.string(["a", "cat", "sat"], symbols=gtn.SymbolTable(first.words[3:])).double()

    def composed(graph, model, scale, unknown="forbid"):
        grammar = model.graph(graph.osymbols, scale=scale, unknown=unknown, dtype=torch.float64)
        return gtn.compose(graph, grammar, failure=BACK_OFF)

    scored = composed(said, first, 1.0)
    unscored = composed(scored, first, -1.0)
    assert gtn.forward_penalty(unscored).item() == pytest.approx(0, abs=1e-9)
    again = composed(unscored, other, 0.5, "share")
    text = [BEGIN, "a", "cat", "sat", END]
    expected = sum(other.penalty(text[i], text[:i]) for i in range(1, 5)) + math.log(2)  # the, sat
    assert gtn.forward_penalty(again).item() == pytest.approx(0.5 * expected, abs=1e-9)


def test_counts_by_hand():
    """Witten-Bell (method C) on two sentences, worked out by hand."""
    model = counted_ngrams(["ab", "aa"], order=2)
    total, kinds, uniform = 6, 3, 1 / 4  # a a a b </s> </s>; without <s>: </s> <unk> a b
    share = kinds / (total + kinds)
    a = (1 - share) * 3 / 6 + share * uniform
    assert math.exp(-model.penalty("a")) == pytest.approx(a)
    after_a = 3 / (3 + 3)  # a was followed by b, a and </s>, once each
    assert math.exp(-model.penalty("a", ["a"])) == pytest.approx((1 - after_a) / 3 + after_a * a)
    after_begin = 1 / (2 + 1)
    assert math.exp(-model.penalty("a", [BEGIN])) == pytest.approx(
        1 - after_begin + after_begin * a
    )
    unknown = share * uniform
    assert math.exp(-model.penalty("z", [BEGIN])) == pytest.approx(after_begin * unknown)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    SENTENCES.flatmap(
        lambda s: st.tuples(st.just(s), st.lists(st.integers(1, 9), min_size=len(s)))
    ),
    st.integers(1, 4),
    st.sampled_from(SMOOTHINGS),
)
def test_a_sentence_that_is_there_so_often_counts_so_often(given_, order, smoothing):
    sentences, counts = given_[0], given_[1][: len(given_[0])]
    repeated = [s for s, count in zip(sentences, counts) for _ in range(count)]
    made = counted_ngrams(sentences, order=order, smoothing=smoothing, counts=counts)
    expected = counted_ngrams(repeated, order=order, smoothing=smoothing)
    assert made.words == expected.words
    for one, other in zip(made.orders, expected.orders, strict=True):
        for name in ("prefix", "word", "penalties", "back_off", "shorter"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_kneser_ney_counts_contexts():
    """A word that is frequent in one context only is unlikely in a new one."""
    sentences = [["san", "francisco"]] * 20 + [f"{w} fog".split() for w in "abcdefgh"]
    penalties = {}
    for smoothing in SMOOTHINGS:
        model = counted_ngrams(sentences, order=2, smoothing=smoothing)
        penalties[smoothing] = [model.penalty(w, ["the"]) for w in ("francisco", "fog")]
    assert penalties["witten-bell"][0] < penalties["witten-bell"][1]
    assert penalties["kneser-ney"][0] > penalties["kneser-ney"][1]


def test_kneser_ney_by_hand():
    """Counts of contexts, a discount for each length, and what it leaves for shorter histories."""
    sentences = ["ab", "ba", "ab", "ba", "aa", "ac", "bc", "ca"]
    model = counted_ngrams(sentences, order=2, smoothing="kneser-ney")
    # The contexts of each letter and the end: a after <s> a b c, b after <s> a, c after <s> a b,
    # </s> after a b c, <unk> after none. None has a single context, so that the discount is a half.
    contexts = {"a": 4, "b": 2, "c": 3, END: 3}
    total, kinds = sum(contexts.values()), len(contexts)
    one = {w: (n - 0.5) / total + 0.5 * kinds / total / 5 for w, n in contexts.items()}
    for word, probability in one.items():
        assert math.exp(-model.penalty(word)) == pytest.approx(probability), word
    assert math.exp(-model.penalty("z")) == pytest.approx(0.5 * kinds / total / 5)
    pairs = Counter(pair for s in sentences for pair in pairwise([BEGIN, *s, END]))
    once, twice = (sum(n == times for n in pairs.values()) for times in (1, 2))
    assert (once, twice) == (5, 4)
    discount = once / (once + 2 * twice)
    for first in (BEGIN, *"abc"):
        followed = {w: n for (f, w), n in pairs.items() if f == first}
        seen = sum(followed.values())
        left = discount * len(followed) / seen
        for word, n in followed.items():
            assert math.exp(-model.penalty(word, [first])) == pytest.approx(
                (n - discount) / seen + left * one[word]
            )


def test_katz_where_good_and_turing_estimate_nothing():
    """With 8, 4, 3, 2, 2 words seen once, twice and so on, no estimated discount lies between 0
    and 1; then half of each count is given away."""
    times = {1: "abcdefgh", 2: "ijkl", 3: "mno", 4: "pq", 5: "rs", 6: "t", 40: "u"}
    sentences = [letter for count, letters in times.items() for letter in letters * count]
    model = counted_ngrams(sentences, order=1, smoothing="katz", vocabulary=ascii_lowercase)
    total = 2 * len(sentences)  # with the ends
    found = next_words(model, [])
    for count, letters in times.items():
        for letter in letters:
            assert found[letter] == pytest.approx((count - 0.5) / total)
    left = 0.5 * (sum(map(len, times.values())) + 1) / total
    assert found["z"] == pytest.approx(left / 6)  # v, w, x, y, z and <unk>


def test_katz_discounts_as_good_and_turing_estimate():
    """In a text with n1 = 120, n2 = 40, ..., k is 5: counts above 5 are not discounted."""
    kinds = {1: 120, 2: 40, 3: 20, 4: 12, 5: 8, 6: 6, 90: 3}
    names = iter(range(1000))
    sentences, seen = [], {}
    for count, many in kinds.items():
        for name in (f"w{next(names)}" for _ in range(many)):
            sentences += [[name]] * count
            seen[name] = count
    model = counted_ngrams(sentences, order=1, smoothing="katz")
    total, q = 2 * len(sentences), 6 * 6 / 120
    for name, count in seen.items():
        of = 1.0
        if count <= 5:
            of = ((count + 1) * kinds[count + 1] / (count * kinds[count]) - q) / (1 - q)
        assert 0 < of <= 1
        assert math.exp(-model.penalty(name)) == pytest.approx(of * count / total)
    # Together they lose n1 of the text, what Good and Turing give to the unseen.
    assert math.exp(-model.penalty(UNKNOWN)) == pytest.approx(kinds[1] / total)


def test_katz_leaves_something_where_only_frequent_words_were_seen():
    sentences = [["very", "often"]] * 50 + [[w, x] for w in "abcdefg" for x in "hijk"]
    model = counted_ngrams(sentences, order=2, smoothing="katz")
    after = next_words(model, ["very"])
    assert after["often"] > 0.95
    assert min(after.values()) > 0
    assert sum(after.values()) == pytest.approx(1.0)


def test_the_beginning_of_a_sentence_is_no_word_whose_contexts_are_counted():
    """In "abab", b and the end each follow one word, and a follows two: <s> and b."""
    model = counted_ngrams(["abab"], order=2, smoothing="kneser-ney")
    discount = 2 / (2 + 2 * 1)  # b and the end were seen in one context, a in two
    for word, contexts in (("a", 2), ("b", 1), (END, 1)):
        expected = (contexts - discount) / 4 + discount * 3 / 4 / 4
        assert math.exp(-model.penalty(word)) == pytest.approx(expected), word


def test_a_history_of_frequent_words_counts_as_seen_once_more():
    """What was seen 50 times is not discounted: the other words get 1 of then 51."""
    times = {1: 120, 2: 40, 3: 20, 4: 12, 5: 8, 6: 6}  # Good and Turing estimate what is kept
    rare = [[f"h{r}-{i}", f"w{r}-{i}"] for r, many in times.items() for i in range(many)]
    counts = [r for r, many in times.items() for _ in range(many)]
    model = counted_ngrams(
        [*rare, ["very", "often"]], order=2, smoothing="katz", counts=[*counts, 50]
    )
    after = next_words(model, ["very"])
    assert after["often"] == pytest.approx(50 / 51)
    assert sum(after.values()) == pytest.approx(1.0)


def test_katz_where_every_word_was_seen():
    model = counted_ngrams(["ab", "ba", "aa", "bb"], order=2, smoothing="katz", vocabulary="a")
    for history in ([], ["a"], [UNKNOWN], [BEGIN]):
        after = next_words(model, history)
        assert set(after) == {"a", END, UNKNOWN}
        assert sum(after.values()) == pytest.approx(1.0)


def test_more_context_fits_the_text_better():
    text = list(("the quick brown fox jumps over the lazy dog " * 3).split())
    scores = []
    for order in (1, 2, 3, 4):
        model = counted_ngrams(text, order=order)
        words = [[BEGIN, *w, END] for w in text]
        scores.append(sum(model.penalty(w[i], w[:i]) for w in words for i in range(1, len(w))))
    assert scores == sorted(scores, reverse=True)


def test_scale_and_symbols():
    model = counted_ngrams(["ab", "ba"], order=2)
    table = gtn.SymbolTable({10: "b", 20: "a", 30: "x"})
    one, half = (model.graph(table, scale=scale, dtype=torch.float64) for scale in (1.0, 0.5))
    read = [
        gtn.viterbi_penalty(gtn.compose(gtn.string("ab", symbols=table), g, failure=BACK_OFF))
        for g in (one, half)
    ]
    assert read[0].item() == pytest.approx(2 * read[1].item(), abs=1e-6)
    assert set(one.ilabels.tolist()) == {10, 20, one.isymbols.label(BACK_OFF)}
    assert UNKNOWN not in one.isymbols


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_arpa_files_hold_the_model(tmp_path, order, name):
    model = counted_ngrams(TEXT, order=order, smoothing="kneser-ney")
    write_arpa(model, tmp_path / name)
    again = read_arpa(tmp_path / name)
    assert again.words == model.words
    for a, b in zip(again.orders, model.orders, strict=True):
        for field in ("prefix", "word", "shorter"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
        np.testing.assert_allclose(a.penalties, b.penalties, atol=1e-7)
        np.testing.assert_allclose(a.back_off, b.back_off, atol=1e-7)
    assert [p.name for p in tmp_path.iterdir()] == [name]


ARPA = r"""whatever stands in front
\data\
ngram 1=5
ngram 2=3
ngram 3=2

\1-grams:
-99 <s> -0.25
-0.5 </s>
-1.5 <unk>
-0.4 a -0.125
-0.6 b

\2-grams:
-0.2 <s> a -0.0625
-0.3 a b
-0.1 b </s>

\3-grams:
-0.05 <s> a b
-0.01 b a b

\end\
"""


def test_an_arpa_file_by_hand(tmp_path):
    """As in a pruned file, the last trigram begins with a bigram that is not listed."""
    path = tmp_path / "model.arpa"
    path.write_text(ARPA + "whatever stands behind\n")
    model = read_arpa(path)

    def logarithm(word, *after):
        return -model.penalty(word, after) / math.log(10)

    assert logarithm("a", BEGIN) == pytest.approx(-0.2)
    assert logarithm("b", BEGIN, "a") == pytest.approx(-0.05)
    assert logarithm("a", BEGIN, "a") == pytest.approx(-0.0625 - 0.125 - 0.4)
    assert logarithm("b", "b", "a") == pytest.approx(-0.01)
    assert logarithm("a", "b") == pytest.approx(-0.4)  # added, with the penalty of backing off
    assert logarithm("z", "a") == pytest.approx(-0.125 - 1.5)
    assert logarithm(END, "a", "b") == pytest.approx(-0.1)
    grammar = model.graph(dtype=torch.float64)
    read = gtn.compose(gtn.string("ab", dtype=torch.float64), grammar, failure=BACK_OFF)
    total = logarithm("a", BEGIN) + logarithm("b", BEGIN, "a") + logarithm(END, "a", "b")
    assert gtn.forward_penalty(read).item() == pytest.approx(-total * math.log(10))


def test_what_a_pruned_file_lacks_is_charged_for_backing_off(tmp_path):
    """The missing bigram "b a" costs what forgetting "b" costs, besides "a"."""
    path = tmp_path / "model.arpa"
    path.write_text(ARPA.replace("-0.6 b", "-0.6 b -0.75"))
    model = read_arpa(path)
    assert -model.penalty("a", ["b"]) / math.log(10) == pytest.approx(-0.75 - 0.4)
    assert -model.penalty("b", ["b", "a"]) / math.log(10) == pytest.approx(-0.01)


def test_forgetting_a_word_costs_though_nothing_was_seen_after_it(tmp_path):
    """As in a pruned file, "c" has a cost of backing off but begins no bigram."""
    path = tmp_path / "model.arpa"
    text = ARPA.replace("ngram 1=5", "ngram 1=6").replace("-0.6 b\n", "-0.6 b\n-0.9 c -0.375\n")
    path.write_text(text)
    model = read_arpa(path)
    for sentence in ("c", "cc", "ca", "ac", "cab", "abc"):
        read = gtn.compose(
            gtn.string(sentence, dtype=torch.float64),
            model.graph(dtype=torch.float64),
            failure=BACK_OFF,
        )
        words = [BEGIN, *sentence, END]
        expected = sum(model.penalty(w, words[:i]) for i, w in enumerate(words) if i)
        assert gtn.forward_penalty(read).item() == pytest.approx(expected), sentence
    assert -model.penalty("a", ["c"]) / math.log(10) == pytest.approx(-0.375 - 0.4)


def test_a_logarithm_that_was_rounded_above_zero_is_zero(tmp_path):
    path = tmp_path / "model.arpa"
    path.write_text(ARPA.replace("-0.05 <s> a b", "0.00001 <s> a b"))
    assert read_arpa(path).penalty("b", [BEGIN, "a"]) == 0.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ngram 2=3", "ngram 3=3", r"line 4: 'ngram 3=3'; 'ngram 2=COUNT' would be right"),
        ("ngram 2=3", "ngram 2=4", r"line 19: 3 2-grams end here; line 4 announces 4"),
        ("-0.3 a b", "x a b", "line 16: 'x' is not a number"),
        ("-0.3 a b", "nan a b", "line 16: nan is not the logarithm"),
        ("-0.3 a b", "0.3 a b", "line 16: the logarithm 0.3 is that of more than one"),
        ("-0.3 a b", "-0.3 a", "line 16: 2 fields; a 2-gram has a logarithm and 2 words"),
        ("-0.3 a b", "0.001 a b", "line 16: the logarithm 0.001 is that of more than one"),
        ("-0.3 a b", "-0.3 a c", "line 16: 'c' is not among the 1-grams"),
        ("-0.3 a b", "-0.3 c b", "line 16: 'c' is not among the 1-grams"),
        ("-0.3 a b", "-0.2 <s> a", "line 16: the 2-gram '<s> a' was there before"),
        ("\\2-grams:", "\\3-grams:", "line 14: 3-grams after 1-grams"),
        ("\\2-grams:", "\\bigrams:", r"line 14: '\\\\bigrams:' is not a section"),
        ("\\end\\", "", r"line \d+: the file ends without \\end"),
        ("\\data\\", "", r"line \d+: the file ends without \\data"),
        ("ngram 3=2\n", "ngram 3=2\nngram 4=0\n", "4 lengths are announced, 3 are there"),
    ],
)
def test_what_breaks_the_format_is_named(tmp_path, old, new, message):
    path = tmp_path / "model.arpa"
    assert old in ARPA
    path.write_text(ARPA.replace(old, new))
    with pytest.raises(ValueError, match=f"model.arpa, .*{message}"):
        read_arpa(path)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "model.arpa"
    path.write_bytes(ARPA.encode().replace(b"-0.6 b", b"-0.6 \xff"))
    with pytest.raises(ValueError, match="line 12: not utf-8"):
        read_arpa(path)
    squeezed = tmp_path / "model.arpa.gz"
    squeezed.write_bytes(gzip.compress(ARPA.encode())[:60])
    with pytest.raises(ValueError, match="not a gzip file"):
        read_arpa(squeezed)
    squeezed.write_text(ARPA)
    with pytest.raises(ValueError, match="not a gzip file"):
        read_arpa(squeezed)
    with pytest.raises(ValueError, match="white space"):
        write_arpa(counted_ngrams(["a b"], order=1), path)


@pytest.mark.parametrize(
    ("sentences", "options", "message"),
    [
        ([], {}, "there are none"),
        (["a"], {"order": 0}, "order 0"),
        (
            ["a"],
            {"smoothing": "none"},
            "smoothing='none'; it is one of witten-bell, kneser-ney, katz",
        ),
        ([["a"], ["b", "</s>"]], {}, "sentence 1 has"),
        (["a", "b"], {"counts": [1]}, "1 counts for 2 sentences"),
        (["a", "b"], {"counts": [1, 0]}, "sentence 1 has count 0"),
        (["a", "b"], {"counts": [1.5, 1]}, "sentence 0 has count 1.5"),
        (["a", "b"], {"counts": [1, math.nan]}, "sentence 1 has count nan"),
        (["a", "b"], {"counts": [1, math.inf]}, "sentence 1 has count inf"),
        (["a", "b"], {"counts": [2**53, 1]}, rf"sentence 0 has count {2**53}; .* 2\^53"),
        (["a", "b"], {"counts": [1, 2**70]}, f"sentence 1 has count {2**70}"),
        (["a", "b"], {"counts": [2**52, 2**52]}, r"counts of 2 sentences .* 2\^53"),
    ],
)
def test_what_cannot_be_counted(sentences, options, message):
    with pytest.raises(GraphError, match=message):
        counted_ngrams(sentences, **options)


def test_what_cannot_be_a_graph():
    model = counted_ngrams(["ab"], order=2)
    with pytest.raises(GraphError, match="unknown='skip'"):
        model.graph(unknown="skip")
    with pytest.raises(GraphError, match="'a' is a word of the model; choose another back_off"):
        model.graph(back_off="a")
    with pytest.raises(GraphError, match="one or the other"):
        model.graph(gtn.SymbolTable(["a", "z", UNKNOWN]), unknown="share")
    with pytest.raises(GraphError, match="one or the other"):
        model.graph(gtn.SymbolTable([UNKNOWN, "z"]), unknown="share")
    with pytest.raises(GraphError, match="lacks <unk>"):
        NGrams([BEGIN, END], model.orders)
    with pytest.raises(GraphError, match="twice"):
        NGrams([BEGIN, END, UNKNOWN, "a", "a"], model.orders)
