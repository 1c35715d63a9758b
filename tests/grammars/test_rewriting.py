"""Rewrite rules of every kind, compared with plain string rewriting and pynini's cdrewrite."""

import itertools
import math
import random
import re
from collections import defaultdict

import pytest
import torch

import gtn
from grammars.rewriting import BEGIN, END, rewrite
from grammars.rule_applications import applications
from gtn.testing.openfst import assert_same_language, language, to_openfst

DIRECTIONS = ("left-to-right", "right-to-left", "simultaneous")
MODES = list(itertools.product(DIRECTIONS, (False, True)))
COUNT = 4  # random rules for each direction, obligatory and optional
LETTERS = gtn.SymbolTable("ab")
LONGEST = 5
BEFORE = ("", "a", "b", "ab|bb", "^", "^a|b", "a*b", "^[ab]", "b(ab)*", "^(a|bb)*", "(a|^)b")
AFTER = ("", "a", "b", "ab|bb", "$", "a$|b", "ba*", "[ab]$", "(ba)*b", "(a|bb)*$", "b(a|$)")


def test_the_symbol_of_failure_arcs_is_no_letter():
    alphabet = gtn.SymbolTable(["a", gtn.BACK_OFF, "b"])
    rule = rewrite({"a": "b"}, after="b", alphabet=alphabet)
    assert gtn.path_text(gtn.viterbi_path(gtn.string("aab") @ rule)) == "abb"
    assert rule.isymbols == alphabet
    model = gtn.Graph.from_arcs([(0, 1, gtn.BACK_OFF), (1, 0, "a")], final=0)
    with pytest.raises(gtn.GraphError, match="has '<backoff>', which the alphabet lacks"):
        rewrite(model, alphabet=alphabet)


def random_rule(rng, *, insertions):
    """A change, of (read, written, penalty), and its contexts."""

    def text(least):
        return "".join(rng.choices("ab", k=rng.randint(least, 2)))

    pairs = {}
    for _ in range(rng.randint(1, 3)):
        read = text(0 if insertions and rng.random() < 0.5 else 1)
        pairs[read, text(0 if read else 1)] = rng.choice((0.0, rng.randrange(1, 16) / 8))
    return pairs, *(rng.choice(("", rng.choice(known))) for known in (BEFORE, AFTER))


def change_of(pairs, **options):
    """The transducer of pairs of texts, with penalties on starts, arcs and finals in turn."""
    arcs, starts, finals, nodes = [], {}, {}, 0
    for i, ((read, written), penalty) in enumerate(pairs.items()):
        steps = list(itertools.zip_longest(read, written))
        at = [penalty if i % 3 == part else 0.0 for part in range(3)]
        for k, (one, other) in enumerate(steps):
            arcs.append((nodes + k, nodes + k + 1, one, other, at[1] if k == 0 else 0.0))
        starts[nodes], finals[nodes + len(steps)] = at[0], at[2]
        nodes += len(steps) + 1
    return gtn.from_arcs(
        arcs, start=starts, final=finals, symbols=LETTERS, dtype=torch.float64, **options
    )


def ways(text, pairs, before, after, direction, optional):
    """(Text, penalty) of what the rule makes of a text, once for each way to apply it."""
    if direction == "right-to-left":
        mirror = {(read[::-1], written[::-1]): p for (read, written), p in pairs.items()}
        found = ways(text[::-1], mirror, after, before, "mirrored", optional)
        return [(written[::-1], penalty) for written, penalty in found]

    def in_front(place, written):
        seen = text[:place] if direction == "simultaneous" else written
        if direction == "mirrored":
            return re.match(before, seen[::-1]) is not None
        return re.search(f"(?:{before})\\Z", seen) is not None

    def follows(place):
        if direction == "mirrored":
            return re.search(f"(?:{after})\\Z", text[place:][::-1]) is not None
        return re.match(after, text[place:]) is not None

    found = []

    def go_on(place, written, penalty, behind):
        parts = [
            (read, new, p)
            for (read, new), p in pairs.items()
            if text.startswith(read, place)
            and (read or not behind)
            and in_front(place, written)
            and follows(place + len(read))
        ]
        for read, new, p in parts:
            go_on(place + len(read), written + new, penalty + p, True)
        if parts and not optional:
            return
        if place == len(text):
            found.append((written, penalty))
        else:
            go_on(place + 1, written + text[place], penalty, False)

    go_on(0, "", 0.0, False)
    return found


def texts(longest, letters="ab"):
    return [
        "".join(text) for n in range(longest + 1) for text in itertools.product(letters, repeat=n)
    ]


def expected(rule, mode, longest):
    every = defaultdict(list)
    for text in texts(longest):
        for written, penalty in ways(text, *rule, *mode):
            key = tuple(LETTERS.encode(text).tolist()), tuple(LETTERS.encode(written).tolist())
            every[key].append(penalty)
    return {key: -math.log(sum(math.exp(-p) for p in ps)) for key, ps in every.items()}


def reading(longest):
    return gtn.union(*[gtn.string(t, symbols=LETTERS, dtype=torch.float64) for t in texts(longest)])


@pytest.mark.parametrize("insertions", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_each_way_is_one_path(mode, insertions):
    rng = random.Random(f"{mode} {insertions}")
    direction, optional = mode
    changed = False
    rules = [random_rule(rng, insertions=insertions) for _ in range(COUNT)]
    if insertions:  # a part without letters may be changed, but not right after a part with letters
        rules.append(({("", "b"): 0.5, ("ab", "a"): 0.25, ("bbb", "a"): 0.0}, "", ""))
    for rule in rules:
        pairs, before, after = rule
        change = change_of(pairs)
        learned = change.with_penalties(change.penalties.clone().requires_grad_())
        for one in (change, learned):
            made = rewrite(
                one,
                before=before,
                after=after,
                alphabet=LETTERS,
                direction=direction,
                optional=optional,
            )
            found = language(reading(4) @ made, "log")
            assert found == pytest.approx(expected(rule, mode, 4), abs=1e-12), (rule, mode)
        changed |= any(read != written for read, written in found)
    assert changed


def theirs(pynini, expression):
    """One of the few expressions above as pynini has it, where the letters are bytes 1 and 2."""
    atoms = {"a": "\x01", "b": "\x02", "^": "[BOS]", "$": "[EOS]"}
    rest = list(expression.replace("[ab]", "(a|b)") + ")")

    def union():
        parts, whole = [], []
        while (character := rest.pop(0)) != ")":
            if character == "|":
                whole, parts = [*whole, parts], []
            elif character == "*":
                parts.append(pynini.closure(parts.pop()))
            else:
                parts.append(union() if character == "(" else pynini.accep(atoms[character]))
        one_of = []
        for sequence in [*whole, parts]:
            one = pynini.accep("")
            for part in sequence:
                one = one + part
            one_of.append(one)
        return pynini.union(*one_of)

    return union().optimize()


@pytest.mark.parametrize("mode", MODES)
def test_openfst(mode):
    pynini = pytest.importorskip("pynini")
    rng = random.Random(str(mode))
    everything = pynini.union("\x01", "\x02").closure().optimize()
    direction, optional = mode
    read = to_openfst(reading(LONGEST)).optimize()
    for _ in range(2 * COUNT):
        pairs, before, after = random_rule(rng, insertions=True)
        if not all(read for read, _ in pairs) and re.search(r"[$^]", before + after):
            continue  # pynini inserts before the beginning, too, and adds the penalty
        change = change_of(pairs)
        made = rewrite(
            change,
            before=before,
            after=after,
            alphabet=LETTERS,
            direction=direction,
            optional=optional,
        )
        other = pynini.cdrewrite(
            to_openfst(change),
            theirs(pynini, before),
            theirs(pynini, after),
            everything,
            direction={"l": "ltr", "r": "rtl", "s": "sim"}[direction[0]],
            mode="opt" if optional else "obl",
        )
        ours = (reading(LONGEST) @ made).with_symbols(None, None)
        note = f"{pairs} / {before} __ {after}, {mode}"
        assert_same_language(ours, pynini.compose(read, other), note=note)


def written(text, rule):
    return gtn.path_text(gtn.viterbi_path(gtn.string(text) @ rule))


@pytest.mark.parametrize(
    ("change", "contexts", "sizes"),
    [
        ({"b": "p", "d": "t", "g": "k"}, {"after": "$"}, (3, 260)),
        ({"0": "O"}, {"before": "[A-Z]", "after": "[A-Z]"}, (4, 382)),
        ({"": "e"}, {"before": "([sxz]|[cs]h)[+]", "after": "s$"}, (8, 764)),
        ({"fi": "1", "fl": "2", "ff": "3", "ffi": "4", "ffl": "5"}, {}, (7, 261)),
        ({" ": ""}, {"before": "^|[ ]"}, (2, 254)),
        ({"a": "e"}, {"before": "[eiy][^aeiouy]*"}, (2, 254)),
    ],
)
def test_as_small_as_what_pynini_optimizes(change, contexts, sizes):
    made = rewrite(change, alphabet=map(chr, range(1, 128)), **contexts)
    assert (made.num_nodes, made.num_arcs) == sizes
    smallest = gtn.minimize(
        gtn.determinize(made, side="both", semiring="boolean"), semiring="boolean"
    )
    assert gtn.isomorphic(made, smallest)


@pytest.mark.parametrize(
    ("direction", "right", "left", "overlapping"),
    [
        ("left-to-right", "aaaa", "bbaa", "ba"),
        ("right-to-left", "aabb", "aaaa", "ab"),
        ("simultaneous", "aabb", "bbaa", "ba"),
    ],
)
def test_what_directions_see(direction, right, left, overlapping):
    options = {"alphabet": "ab", "direction": direction}
    assert written("abbb", rewrite({"b": "a"}, before="a", **options)) == right
    assert written("bbba", rewrite({"b": "a"}, after="a", **options)) == left
    assert written("aaa", rewrite({"aa": "b"}, **options)) == overlapping


def test_rules_in_turn():
    """Yawelmani: first a vowel splits consonants, then long vowels shorten in closed syllables."""
    letters = "aiou:pkm"
    inserted = rewrite({"": "i"}, before="[pkm]", after="[pkm](?:[pkm]|$)", alphabet=letters)
    short = rewrite({":": ""}, after="[pkm](?:[pkm]|$)", alphabet=letters)
    assert written("pa:kmka", inserted @ short) == "pa:kimka"
    assert written("pa:kmka", short @ inserted) == "pakimka"


def test_learned_penalties():
    penalties = torch.tensor([0.3, 0.7, 1.1, 0.9], dtype=torch.float64, requires_grad=True)
    ends = torch.tensor([0.2, 0.4], dtype=torch.float64, requires_grad=True)
    arcs = [(0, 1, "a", "b"), (1, 2, "a", None), (0, 2, "b", "b"), (2, 2, "b", "a")]
    text = gtn.string("abaa", symbols=LETTERS, dtype=torch.float64)

    def total(penalties, ends, direction, optional):
        change = gtn.from_arcs(arcs, final=[1, 2], symbols=LETTERS, dtype=torch.float64)
        change = change.with_penalties(penalties, start_penalties=ends[:1], final_penalties=ends)
        rule = rewrite(
            change, before="^|b", alphabet=LETTERS, direction=direction, optional=optional
        )
        return gtn.forward_penalty(text @ rule)

    for mode in (("left-to-right", False), ("right-to-left", True)):
        assert torch.autograd.gradcheck(total, (penalties, ends, *mode))
    assert torch.autograd.gradgradcheck(total, (penalties, ends.detach(), "simultaneous", False))


def test_sources_and_data_are_those_of_the_change():
    change = gtn.from_arcs([(0, 1, None), (1, 2, "a", "b"), (2, 3, "b", "a")], final=3)
    rule = rewrite(change.with_data(time=torch.tensor([1.0, 2.0, 3.0])), alphabet="ab")
    changed = {rule.symbol_pair(arc): int(rule.sources[0].index[arc]) for arc in range(6)}
    assert sorted(changed.values()) == [-1, -1, 1, 2]
    times = {"-1": 0.0, "1": 2.0, "2": 3.0}
    assert rule.data["time"].tolist() == [times[str(k)] for k in rule.sources[0].index]


def test_equal_arcs_are_one_unless_a_way_is_lost():
    words = {"ab": "ba", "bb": "ba", "aab": "aba"}
    merged = rewrite(words, alphabet="ab")
    change = change_of(dict.fromkeys(words.items(), 0.0))
    learned = change.with_penalties(change.penalties.requires_grad_())
    assert merged.num_nodes < rewrite(learned, alphabet="ab").num_nodes
    twice = gtn.from_arcs([(0, 1, "a", "b"), (0, 1, "a", "b")], final=1)
    rule = rewrite(twice, alphabet="ab")
    assert gtn.forward_penalty(gtn.string("aa") @ rule).item() == pytest.approx(-math.log(4))


def word_pairs(count):
    """Words of a few syllables; each becomes another word, gains a letter or loses one."""
    rng = random.Random(0)
    syllables = [one + other for one in "bdfglmnprst" for other in "aeiou"]
    words = dict.fromkeys("".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(4000))
    words = list(words)[: count + 1]
    return {
        word: (other, word + "s", word[:-1])[k % 3]
        for k, (word, other) in enumerate(itertools.pairwise(words))
    }


@pytest.mark.parametrize("contexts", [{}, {"before": "^|[ ]", "after": "[ ]|$"}])
def test_a_rule_grows_with_its_words(contexts, monkeypatch):
    """The rule and the largest graph on the way to it grow with its words, not their square."""
    sizes = []

    def recorded(*operands, **options):
        found = applications(*operands, **options)
        sizes[-1].append(found.num_arcs)
        return found

    monkeypatch.setattr("grammars.rewriting.applications", recorded)
    for count in (400, 800, 1600):
        sizes.append([])
        pairs = word_pairs(count)
        rule = rewrite(pairs, alphabet="abcdefghijklmnopqrstuvwxyz ", **contexts)
        sizes[-1].append(rule.num_arcs)
        text = " ".join(list(pairs)[:20])
        if contexts:
            assert written(text, rule) == " ".join(list(pairs.values())[:20])
    small, middle, large = sizes
    assert len(large) == 2  # one search: equal arcs were merged before
    for one, other in itertools.pairwise((small, middle, large)):
        assert all(later <= 2.2 * earlier for earlier, later in zip(one, other, strict=True))


@pytest.mark.parametrize("mode", MODES)
def test_in_either_order_what_must_not_follow_is_found(mode, monkeypatch):
    """Where reading order would have to remember too much, the reverse order is used."""
    rng = random.Random(f"orders {mode}")
    rules = [random_rule(rng, insertions=True) for _ in range(COUNT)]
    options = {"alphabet": LETTERS, "direction": mode[0], "optional": mode[1]}

    def made():
        return [
            rewrite(change_of(pairs), before=before, after=after, **options)
            for pairs, before, after in rules
        ]

    forwards = made()
    monkeypatch.setattr("grammars.rule_applications.meet", lambda *_: (*[None] * 4, True))
    for one, other in zip(forwards, made(), strict=True):
        assert one.topology.src.tolist() == other.topology.src.tolist()
        assert gtn.isomorphic(one, other)
        assert one.sources[0].index.tolist() == other.sources[0].index.tolist()


def test_what_must_be_kept_in_mind_in_reading_order_is_bounded():
    """If any twelve letters after a b are changed, a change may begin at each of the last twelve
    places."""
    arcs = [(n, n + 1, one, other) for n in range(12) for one, other in ("ab", "ba")]
    change = gtn.from_arcs(arcs, final=12, symbols=LETTERS)
    rule = rewrite(change, before="b", alphabet=LETTERS, direction="simultaneous", max_nodes=400)
    assert written("aab" + "ab" * 6 + "b", rule) == "aab" + "ba" * 6 + "b"
    assert written("aab" + "ab" * 5 + "b", rule) == "aab" + "ab" * 5 + "b"


def test_tables_and_alphabets():
    table = gtn.SymbolTable({7: "b", 3: "a", 9: "<s>"})
    ends = gtn.SymbolTable([BEGIN, END, "<s>"])
    rule = rewrite({"a": "b"}, before=gtn.string([BEGIN], symbols=ends), alphabet=table)
    assert rule.isymbols == rule.osymbols == table
    assert written("aa", rule) == "ba"
    after = gtn.string(["<s>", END], symbols=ends)
    rule = rewrite({"a": ""}, after=after, alphabet=table)
    made = gtn.string(["a", "<s>"], symbols=table) @ rule
    assert gtn.path_labels(gtn.viterbi_path(made)) == [9]
    assert rewrite({"a": "b"}, alphabet=table).penalties.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ({"aX": "Xb", "X": ""}, None, None),
        ({"a": "X"}, "^|[^a]", ".b|$"),
        ({"b": "XX"}, "(a|.)[^b]", None),
        ({"X": "b", "": "X"}, "a", "."),
    ],
)
def test_symbols_of_several_characters_are_symbols_like_others(change, before, after):
    def renamed(text):
        return tuple("[pl]" if symbol == "X" else symbol for symbol in text)

    narrow, wide = ["a", "X", "b", gtn.BACK_OFF], ["a", "[pl]", "b", gtn.BACK_OFF]
    one = rewrite(change, before=before, after=after, alphabet=narrow)
    pairs = {renamed(read): renamed(written) for read, written in change.items()}
    other = rewrite(pairs, before=before, after=after, alphabet=wide)
    assert other.isymbols == other.osymbols == gtn.SymbolTable(wide)
    assert gtn.equal(other.with_symbols(None), one.with_symbols(None))


def test_an_alphabet_may_have_private_characters():
    odd = chr(0xF0000)
    rule = rewrite({"a": odd}, before=f"[^{odd}]", alphabet=["a", odd, "[pl]"])
    made = gtn.viterbi_path(gtn.string(["[pl]", "a", "a", "a"], symbols=rule.isymbols) @ rule)
    assert made.osymbols.decode(gtn.path_labels(made)) == ["[pl]", odd, "a", odd]
    # A character of an expression that the alphabet lacks is not a symbol of several characters.
    rule = rewrite({"a": "b"}, before=f"[^{odd}]", alphabet=["a", "b", "[pl]"])
    made = gtn.viterbi_path(gtn.string(["[pl]", "a"], symbols=rule.isymbols) @ rule)
    assert made.osymbols.decode(gtn.path_labels(made)) == ["[pl]", "b"]


def test_what_is_refused():
    def refused(message, change=None, **options):
        with pytest.raises(gtn.GraphError, match=message):
            rewrite({"a": "b"} if change is None else change, **{"alphabet": "ab"} | options)

    a = gtn.string("a", symbols=LETTERS)
    refused("the alphabet is a graph; .*graph.isymbols", alphabet=gtn.closure(a))
    refused(r"a mapping from texts .*dict\(pairs\); not list", [("a", "b")])
    letters = "BEOSab"  # in which "[BOS]" would be a class of characters
    refused(r"before .*'\[BOS\]' is one of the letters .*'\^'", before="[BOS]a", alphabet=letters)
    refused(r"after .*'\[EOS\]' is one of the letters .*'\$'", after="[EOS]", alphabet=letters)
    refused(r"direction='rtl'; known are 'left-to-right'", direction="rtl")
    refused("'a': 'c' has 'c', which the alphabet lacks", {"a": "c"})
    refused("'a': None is not a pair of texts", {"a": None})
    refused("the change has no path", {"": ""})
    refused("the change has no path", {})
    refused("the change has no path", gtn.empty(symbols=LETTERS))
    refused("input of the change has 'c', which the alphabet lacks", gtn.string("c"))
    refused("input of the change has no symbol table", gtn.string([0]))
    refused("a change is a single graph", gtn.strings(["a", "b"]))
    refused("before is a single graph", before=gtn.strings(["a", "b"]))
    refused("after is a transducer", after=gtn.relabel(a, olabels={"a": "b"}))
    refused("before has penalties", before=a.with_penalties(torch.ones(1)))
    refused("after accepts nothing", after=gtn.empty(symbols=LETTERS))
    refused("after has 'c', which the alphabet lacks", after=gtn.string("c"))
    refused(r"before has '\[EOS\]', which the alphabet lacks", before="a$")
    refused(r"after has '\[BOS\]', which the alphabet lacks", after="^a")
    refused("matches no character of the alphabet", before="c")
    wide = ["a", "b", "[ab]"]
    refused(r"after is an expression.* '\[ab\]' is not the symbol", after="[ab]", alphabet=wide)
    refused(
        r"has '\[', which .* lacks; a text with the symbol '\[ab\]' is a tuple",
        {"[ab]": "a"},
        alphabet=wide,
    )
    refused("'a': \\('b', 1.0\\) is not a pair of texts, or of tuples", {"a": ("b", 1.0)})
    refused(r"the alphabet has '\[BOS\]', which is kept", alphabet=["a", "b", BEGIN])
    refused("more than 100 nodes", after="[ab]{12}b", max_nodes=100)
