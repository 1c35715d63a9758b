"""Regular expressions, compared with Python's own ``re.fullmatch``."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from grammars.regex import MAX_POSITIONS, PRINTABLE_ASCII, accepts, regex
from gtn.determinization.ambiguity import is_unambiguous

ALPHABET = "ab.1 "
STRINGS = ["".join(s) for n in range(5) for s in product("ab1", repeat=n)]

atoms = st.sampled_from(
    [
        "a",
        "b",
        "1",
        r"\.",
        ".",
        "[ab]",
        "[^a]",
        "[a-b1]",
        r"\d",
        r"\D",
        r"\w",
        r"\W",
        r"\s",
        r"[^\w.]",
        r"[\d ]",
        "(?i:B)",
        "(?i:[A-B])",
        "",
    ]
)
repeats = st.sampled_from(
    ["?", "*", "+", "{2}", "{0}", "{1,2}", "{,2}", "{2,}", "*?", "+?", "??", "{1,3}?"]
)


def larger(patterns):
    return (
        st.tuples(patterns, patterns).map("".join)
        | st.tuples(patterns, patterns).map(lambda ab: f"(?:{ab[0]}|{ab[1]})")
        | st.tuples(patterns, repeats).map(lambda ab: f"({ab[0]}){ab[1]}")
    )


patterns = st.recursive(atoms, larger, max_leaves=6)


def count_paths(graph, text):
    """The number of paths that read a text, counted node by node."""
    counts = dict.fromkeys(graph.starts.tolist(), 1)
    for symbol in text:
        label = graph.isymbols.label(symbol)
        after = {}
        for src, dst, own in zip(graph.src, graph.dst, graph.ilabels, strict=True):
            if own == label and src in counts:
                after[int(dst)] = after.get(int(dst), 0) + counts[int(src)]
        counts = after
    return sum(counts.get(int(n), 0) for n in graph.finals)


@settings(deadline=None, max_examples=150)
@given(patterns, st.lists(st.text(ALPHABET, max_size=6), max_size=30))
def test_accepts_what_fullmatch_matches(pattern, texts):
    graph = regex(pattern, alphabet=ALPHABET)
    assert graph.topology.is_deterministic
    assert not graph.topology.has_epsilons
    match = re.compile(pattern).fullmatch
    for text in [*texts, *STRINGS[:40]]:
        assert accepts(graph, text) == bool(match(text)), text


@settings(deadline=None, max_examples=40)
@given(patterns)
def test_is_minimal_and_unambiguous(pattern):
    graph = regex(pattern, alphabet=ALPHABET)
    smallest = gtn.minimize(graph, semiring="boolean")
    assert (graph.num_nodes, graph.num_arcs) == (smallest.num_nodes, smallest.num_arcs)
    for name in ("src", "dst", "ilabels", "finals"):
        assert (getattr(graph, name) == getattr(smallest, name)).all()
    assert is_unambiguous(graph)


def test_amounts_have_one_path_each():
    graph = regex("-?[0-9]*[.,]?[0-9]*")
    for text in ["1250", "", "-", "12.5", "-,", ".5", "-12,"]:
        assert count_paths(graph, text) == 1
    for text in ["1.2.3", "--1", "a"]:
        assert count_paths(graph, text) == 0
    assert is_unambiguous(graph)
    assert (graph.num_nodes, graph.num_arcs) == (3, 1 + 10 + 2 + 10 + 2 + 10)
    assert not graph.penalties.any()


@pytest.mark.parametrize(
    "pattern",
    ["^ab$", "^(?:a|b)*$", "(?:^a|^b)$", r"\Aab\Z", "^$", "a(?:b$|1$)", "(?:^a)?b", "(?m)^ab$",
     "(?i)AB?", "(?x) a  b # not spaces", "(?s).", "(?P<name>a)b", "(?a)\\w+", "[ab]{0,0}",
     "(?:a|){3}b", "(?:(?:a?b?){2,3}){2}", "(?:a*)*", "(?:a?){20}", "()*", "a|b|", "a{2,}b{,1}"],
)  # fmt: skip
def test_special_patterns(pattern):
    graph = regex(pattern, alphabet="abAB1 \n")
    match = re.compile(pattern).fullmatch
    for text in [*STRINGS, "A", "aB", " ", "\n", "ab\n", "a" * 20]:
        assert accepts(graph, text) == bool(match(text)), text


@pytest.mark.parametrize(
    "pattern", [r"\d+", r"(?a)\d+", r"(?a:\d)\d", r"(?a)\w*", "(?i)a(?-i:b)", "(?i:a(?-i:b))é"]
)
def test_flags_hold_where_they_are_given(pattern):
    alphabet = "aAbBéÉ1\N{ARABIC-INDIC DIGIT THREE}"
    graph = regex(pattern, alphabet=alphabet)
    match = re.compile(pattern).fullmatch
    for text in ("".join(s) for n in range(4) for s in product(alphabet, repeat=n)):
        assert accepts(graph, text) == bool(match(text)), text


def test_dot_reads_newlines_only_if_asked():
    assert not accepts(regex(".", alphabet="a\n"), "\n")
    assert accepts(regex("(?s).", alphabet="a\n"), "\n")


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (r"(a)\1", "back-reference"),
        ("(?P<n>a)(?P=n)", "back-reference"),
        ("(a)?(?(1)b|c)", "conditional"),
        ("a(?=b)", "look-around"),
        ("(?<=a)b", "look-around"),
        ("a(?!b)", "negative look-around"),
        ("(?!)", "negative look-around"),
        (r"\ba", r"word boundary \(\\b\)"),
        (r"a\Bb", r"word boundary \(\\B\)"),
        ("a^b", r"anchor \(\^\) inside"),
        ("a$b", r"anchor \(\$\) inside"),
        ("(?:^a)*", r"anchor \(\^\) inside"),
        ("(?:a$)*", r"anchor \(\$\) inside"),
        ("(?>ab)", "atomic"),
        ("a*+", "possessive"),
        ("a{1000000}", f"more than {MAX_POSITIONS} characters"),
        ("((a{100}){100}){100}", f"more than {MAX_POSITIONS} characters"),
        ("a{4294967294}", f"more than {MAX_POSITIONS} characters"),
        ("a{99999999999999999999}", "does not parse"),
        ("(a", "position 0"),
        ("a[b", "position 1"),
        ("*a", "position 0"),
        ("[^ -~]", r"\[\^ -~\], which matches no character of the alphabet; .* alphabet= or"),
        ("(?:a|b)*a(?:a|b){20}", "more than 100000 nodes"),
        ("(?:" + "a?" * 900 + "){2}", "more than 1000000 pairs of neighbouring characters"),
    ],
)
def test_unsupported_patterns_are_named(pattern, named):
    with pytest.raises(gtn.GraphError, match=named):
        regex(pattern)


def test_absurd_nesting_and_types_are_refused():
    with pytest.raises(gtn.GraphError, match="nested too deeply"):
        regex("(?:" * 5000 + "a" + ")" * 5000)
    with pytest.raises(gtn.GraphError, match="a pattern is a string"):
        regex(b"a")
    with pytest.raises(gtn.SymbolError, match="must be a SymbolTable, not str"):
        regex("a", symbols="ab")
    with pytest.raises(gtn.GraphError, match="not one character"):
        regex("a", alphabet=["a", "bc"])


def test_empty_bodies_may_be_repeated_absurdly():
    assert regex("(?:){1000000000}").num_arcs == 0
    assert accepts(regex("(?:a?){5000}"), "a" * 5000)
    assert not accepts(regex("(?:a?){5000}"), "a" * 5001)


def test_characters_that_the_pattern_names_exist():
    money = regex(r"€[0-9]+|\u00a3[^é]|[а-в]")
    assert money.isymbols == gtn.SymbolTable(PRINTABLE_ASCII + "€£éабв")
    texts = {"€12": True, "€": False, "£a": True, "£б": True, "£é": False, "б": True, "г": False}
    assert {text: accepts(money, text) for text in texts} == texts
    assert regex("a").isymbols == gtn.SymbolTable(PRINTABLE_ASCII)
    with pytest.raises(gtn.SymbolError, match="'ε' is kept for EPSILON"):
        regex("[α-ω]")
    with pytest.raises(gtn.GraphError, match=r"\[é\], which matches no .* of the alphabet"):
        regex("é", alphabet="abc")


def test_tables():
    table = gtn.SymbolTable({7: "b", 3: "a", 9: "<space>"})
    graph = regex("b.|a", symbols=table)
    assert graph.isymbols is table
    assert graph.osymbols is table
    assert graph.ilabels.tolist() == [3, 7, 3, 7]
    assert [accepts(graph, t) for t in ("a", "bb", "b", "ab", "z")] == [True, True] + [False] * 3
    with pytest.raises(gtn.SymbolError, match="'c'"):
        regex("a", symbols=table, alphabet="abc")


def test_accepts_refuses_other_graphs():
    naive = gtn.Graph.from_arcs([(0, 1, "a"), (0, 2, "a")], final=2)
    with pytest.raises(gtn.GraphError, match="deterministic"):
        accepts(naive, "a")
    assert not accepts(gtn.empty(symbols=gtn.SymbolTable("a")), "a")


def test_anchors_read_what_is_given_for_them():
    assert regex("^a$", alphabet="a").num_arcs == 1
    ends = regex("^a|b$", alphabet="abc", begin="<s>", end="</s>")
    assert {gtn.path_text(p) for p in gtn.n_best(ends, 5)} == {"<s>a", "b</s>"}
    with pytest.raises(gtn.GraphError, match="'a' is an end of the text"):
        regex("^.", alphabet="ab", begin="a")
    for twice in ("^^a", "^(^a|b)", "a$$", "(a|b$)$"):
        assert regex(twice, alphabet="ab").num_nodes == 2
        with pytest.raises(gtn.GraphError, match=r"an anchor .* inside the pattern"):
            regex(twice, alphabet="ab", begin="<s>", end="</s>")
    assert gtn.path_text(regex("^$", alphabet="a", begin="<s>", end="</s>")) == "<s></s>"
    both = regex("^a|^$|b$|a", alphabet="ab", begin="#", end="#")
    assert {gtn.path_text(p) for p in gtn.n_best(both, 9)} == {"#a", "##", "b#", "a"}
    assert both.topology.is_deterministic
