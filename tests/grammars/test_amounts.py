"""Amounts, checked against regular expressions; each accepted pair has one path."""

import re
from collections import Counter
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from grammars.amounts import FILLS, FORMATS, amounts, courtesy_digits
from grammars.fill import RUBBISH, with_fill
from grammars.registry import NAMES, named
from gtn.determinization.ambiguity import is_unambiguous

FILL = f"[{re.escape(''.join(FILLS))}]*"
LEAD = rf"{FILL}\$?{FILL}"
WHOLE = r"(0|[1-9]\d{0,6}|[1-9]\d{0,2}(?:,\d{3})+)"
HUNDRED = "/(?:100|xx|XX)"
STYLES = [
    re.compile(pattern)
    for pattern in (
        rf"{LEAD}{WHOLE}(){FILL}",
        rf"{LEAD}{WHOLE}\.(\d\d){FILL}",
        rf"{LEAD}()\.(\d\d){FILL}",
        rf"{LEAD}{WHOLE}{FILL}(\d\d|no|xx|XX){HUNDRED}{FILL}",
        rf"{LEAD}()(\d\d){HUNDRED}{FILL}",
    )
]


# Made when a test asks for them, so that no kernel is needed to collect the tests.
@cache
def grammar():
    return amounts()


@cache
def filled():
    return named("amounts").graph


def oracle(text):
    """The normalised amounts that a text may mean, at most one for each style."""
    found = set()
    for style in STYLES:
        match = style.fullmatch(text)
        if match:
            whole, cents = match[1].replace(",", "") or "0", match[2]
            cents = cents if cents.isdigit() or not cents else "00"
            if len(whole) <= 7:
                found.add(whole + "." * bool(cents) + cents)
    return found


def outgoing(graph):
    table = {}
    for src, dst, i, o in zip(graph.src, graph.dst, graph.ilabels, graph.olabels, strict=True):
        table.setdefault(int(src), []).append((int(dst), int(i), int(o)))
    return table


def count_paths(graph, text, arcs=None):
    """The output strings of an input string, each with its number of paths."""
    if any(symbol not in graph.isymbols for symbol in text):
        return {}
    arcs = outgoing(graph) if arcs is None else arcs
    labels = graph.isymbols.encode(text).tolist()
    todo = [(int(start), 0, "") for start in graph.starts]
    found = Counter()
    while todo:
        node, place, output = todo.pop()
        if place == len(labels) and node in graph.finals:
            found[output] += 1
        for dst, ilabel, olabel in arcs.get(node, ()):
            written = output if olabel == gtn.EPSILON else output + graph.osymbols.symbol(olabel)
            if ilabel == gtn.EPSILON:
                todo.append((dst, place, written))
            elif place < len(labels) and labels[place] == ilabel:
                todo.append((dst, place + 1, written))
    return dict(found)


def has_one_path_per_pair(graph):
    """Whether no two paths have both the same input string and the same output string.

    ``is_unambiguous`` compares only paths that pair inputs with outputs in the same way. Here,
    paths that write the same earlier or later are compared, too: pairs of paths that read the
    same are followed step by step, with what one of them has written ahead of the other.
    """
    arcs = outgoing(graph)

    def ways(node, output="", taken=()):
        """Ways over arcs that read nothing to an arc that reads, or to the end.

        Each is (label, node, output, arcs)."""
        if node in graph.finals:
            yield None, node, output, taken
        for arc in arcs.get(node, ()):
            dst, ilabel, olabel = arc
            written = output if olabel == gtn.EPSILON else output + chr(olabel)
            if ilabel == gtn.EPSILON:
                yield from ways(dst, written, (*taken, arc))
            else:
                yield ilabel, dst, written, (*taken, arc)

    steps = {node: list(ways(node)) for node in range(graph.num_nodes)}
    todo = [(int(a), int(b), "", "", a != b) for a in graph.starts for b in graph.starts]
    seen = set(todo)
    while todo:
        one, two, ahead_one, ahead_two, different = todo.pop()
        for label, dst_one, output_one, taken_one in steps[one]:
            for other, dst_two, output_two, taken_two in steps[two]:
                if other != label:
                    continue
                a, b = ahead_one + output_one, ahead_two + output_two
                common = min(len(a), len(b))
                if a[:common] != b[:common]:
                    continue
                a, b = a[common:], b[common:]
                apart = different or taken_one != taken_two
                if label is None and not a and not b and apart:
                    return False
                state = (dst_one, dst_two, a, b, apart)
                if label is not None and state not in seen:
                    assert len(a + b) < 5, "one path writes ever more than the other"
                    seen.add(state)
                    todo.append(state)
    return True


@cache
def arcs_of(made):
    return outgoing(made())


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("$***1,234.56", "1234.56"),
        ("$ *** 3.45", "3.45"),
        ("$10,000.00", "10000.00"),
        ("$ 20 45/xx", "20.45"),
        ("20 45/100", "20.45"),
        ("2045/100", "20.45"),
        ("20 no/100---", "20.00"),
        ("20.xx/100", "20.00"),
        ("45/xx", "0.45"),
        ("1234567.89", "1234567.89"),
        ("1,234,567.89", "1234567.89"),
        ("1,250", "1250"),
        ("1250", "1250"),
        ("===60=", "60"),
        ("60.", "60"),
        ("0", "0"),
        ("#12#", "12"),
        ("1,234 45/XX", "1234.45"),
    ],
)
def test_written_amounts(written, amount):
    assert count_paths(grammar(), written) == {amount: 1}
    assert oracle(written) == {amount}


@pytest.mark.parametrize(
    "written",
    ["", "$", "***", "1,23", "12,34.00", "1,2345", "1234,567", "12345678", "1,234,56", "007",
     "1.5", "1.234", "0,123", "1..50", "20 5/100", "no/100", "12/50", "1,234,567,890", "1$"],
)  # fmt: skip
def test_what_is_no_amount(written):
    assert count_paths(grammar(), written) == {}


def test_every_short_string_is_read_as_the_oracle_says():
    for n in range(7):
        for text in map("".join, product("04,.$" if n < 5 else "04.,", repeat=n)):
            found = count_paths(grammar(), text, arcs_of(grammar))
            assert found == dict.fromkeys(oracle(text), 1), text


def test_every_style_is_read_with_fill_between_its_parts():
    leads = ["", "$", "*$ -", " #="]
    wholes = ["", "0", "70", "1,234", "1234567"]
    gaps = ["", "*", " -", "-.*"]
    cents = ["", ".", ".60", *map("".join, product(gaps, ["05", "no", "XX"], ["/100", "/xx"]))]
    read = 0
    for text in map("".join, product(leads, wholes, cents, ["", "-", "= "])):
        expected = oracle(text)
        found = count_paths(grammar(), text, arcs_of(grammar))
        assert found == dict.fromkeys(expected, 1), text
        read += bool(expected)
    assert read > 1000


PIECES = ["0", "4", "12", "123", ",", ",123", ".", "-", "*", " ", "$", "45", "/100", "/xx", "/XX",
          "no", "xx", "XX", "x", "/"]  # fmt: skip


@settings(deadline=None, max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_any_string_is_read_as_the_oracle_says(text):
    assert count_paths(grammar(), text, arcs_of(grammar)) == dict.fromkeys(oracle(text), 1)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_fill_beside_amounts_leaves_one_path(data):
    """Rubbish, wherever it stands, changes neither the outputs nor the number of paths."""
    pieces = [piece for piece in PIECES if piece != " "]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=6)))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + RUBBISH + text[place:]
    found = count_paths(filled(), text, arcs_of(filled))
    assert found == dict.fromkeys(oracle(text.replace(RUBBISH, "")), 1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fills": {}},
        {"thousands": ""},
        {"currency": ""},
        {"decimal": ""},
        {"thousands": ".", "decimal": ",", "currency": "€"},
        {"thousands": " ", "fills": {" ": 0.0, ",": 1.0}},
        {"max_digits": 1},
        {"max_digits": 4},
        *FORMATS.values(),
    ],
)
def test_variants_are_unambiguous_and_connected(options):
    graph = amounts(**options)
    assert graph.topology.is_connected
    assert has_one_path_per_pair(graph)
    assert has_one_path_per_pair(with_fill(graph))


def test_the_decision_finds_two_paths():
    """If the point may be written before or after the digit, one pair of strings has two paths."""
    twice = gtn.Graph.from_arcs(
        [(0, 1, "a", "x"), (1, 2, None, "x"), (0, 3, None, "x"), (3, 4, "a", "x")], final=[2, 4]
    )
    assert not has_one_path_per_pair(twice)
    assert has_one_path_per_pair(gtn.Graph.from_arcs([(0, 0, "a", "x")], final=0))


def test_other_countries():
    graph = amounts(currency="€", thousands=".", decimal=",")
    assert count_paths(graph, "€ 1.234,56") == {"1234.56": 1}
    assert count_paths(graph, "1.234") == {"1234": 1}
    assert count_paths(graph, "..1.234.") == {"1234": 1}
    assert count_paths(amounts(thousands=" "), "1 234.50") == {"1234.50": 1}


@pytest.mark.parametrize(
    ("country", "written", "amount"),
    [
        ("us", "$1,234.56", "1234.56"),
        ("uk", "£1,234.56-", "1234.56"),
        ("de", "1.250,60 €", "1250.60"),
        ("de", "€ 1.250,--", "1250"),
        ("de", "*1.250,- €=", "1250"),
        ("de", "20 45/100 €", "20.45"),
        ("de", "1250€", "1250"),
        ("de", "-- 1.250 --€--", "1250"),
        ("fr", "1250,60€", "1250.60"),
        ("ch", "1'250.-", "1250"),
        ("ch", "1'250.60", "1250.60"),
        ("us", "1.250,60", None),
        ("us", "1,250$", None),
        ("de", "1,250.60", None),
        ("de", "1.250,", None),
        ("de", "1.250,*", None),
        ("de", "1250 € €", None),
        ("fr", "1.250,60", None),
        ("ch", "1'25", None),
    ],
)
def test_amounts_as_they_are_written_in_countries(country, written, amount):
    found = {} if amount is None else {amount: 1}
    assert count_paths(amounts(**FORMATS[country]), written) == found
    grammar = named(f"amounts:{country}")
    assert count_paths(grammar.graph, written.replace(" ", RUBBISH)) == found


def test_penalties_of_styles():
    grammar = amounts(
        fills={"*": 1.0, "-": 2.0},
        grouping_penalty=4.0,
        fraction_penalty=8.0,
        no_cents_penalty=16.0,
        bare_cents_penalty=32.0,
    )
    for text, expected in [
        ("$12.50", 0), ("**12-", 4), ("1,234,567", 8), ("1245/100", 8), ("12no/xx*", 25),
        (".45", 32), ("45/100", 40), ("$*12-no/100", 27),
    ]:  # fmt: skip
        written = gtn.string(text, symbols=grammar.isymbols)
        assert gtn.paths.viterbi_penalty(gtn.composition.compose(written, grammar)) == expected


def test_dashes_in_the_place_of_cents_cost_what_dashes_do():
    grammar = amounts(**{**FORMATS["de"], "fills": {"-": 2.0, "*": 1.0}})
    for text, expected in [("12,-", 2), ("12,--", 4), ("12,-*", 3), ("12,50-", 2)]:
        written = gtn.string(text, symbols=grammar.isymbols)
        assert gtn.viterbi_penalty(gtn.compose(written, grammar)) == expected, text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"currency": "US$"}, "currency is 'US\\$'"),
        ({"thousands": ".", "decimal": "."}, "decimal is '.', which is thousands"),
        ({"decimal": "/"}, "in a fraction"),
        ({"fills": {"0": 1.0}}, "fill '0' is a digit"),
        ({"fills": {"$": 1.0}}, "fill '\\$' is currency"),
        ({"fills": {"x": 1.0}}, "in a fraction"),
        ({"fills": {"--": 1.0}}, "not one character"),
        ({"max_digits": 0}, "max_digits is 0"),
        ({"dashed_cents": True}, "the decimal '.' is itself fill"),
        ({"dashed_cents": True, "decimal": ""}, "there is no decimal"),
        (
            {"dashed_cents": True, "decimal": ",", "thousands": "", "fills": {}},
            "not among the fill",
        ),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(gtn.GraphError, match=message):
        amounts(**options)


def test_courtesy_digits():
    graph = courtesy_digits(max_length=3, before=1.0, between=2.0, after=4.0)
    assert is_unambiguous(graph)
    assert graph.isymbols.decode(range(11)) == [*"0123456789", RUBBISH]
    assert "".join(graph.osymbols) == "0123456789"
    for n in range(6):
        for text in map("".join, product("05" + RUBBISH, repeat=n)):
            digits = text.replace(RUBBISH, "")
            assert count_paths(graph, text) == ({digits: 1} if 1 <= len(digits) <= 3 else {})
    text = gtn.string([10, 1, 10, 10, 2, 10]).with_symbols(graph.isymbols)
    assert gtn.paths.viterbi_penalty(gtn.composition.compose(text, graph)) == 1 + 2 + 2 + 4


def test_courtesy_digits_have_penalties_for_length_and_position():
    """Each digit has an arc of its own for each position, and another where it is the last."""
    graph = courtesy_digits(max_length=8)
    reads = graph.ilabels < 10
    assert reads.sum() == 10 * (8 + 7)
    arcs = np.stack([graph.src, graph.dst, graph.ilabels])[:, reads]
    assert len(np.unique(arcs, axis=1).T) == reads.sum()


def test_courtesy_digits_without_a_prior():
    grammar = named("car:no-prior")
    assert is_unambiguous(grammar.graph)
    assert grammar.characters == "0123456789"
    assert [grammar.writes(text) for text in ("", "7", "0" * 30)] == [False, True, True]
    # After the first digit, each digit has a single arc for all positions.
    reads = grammar.graph.ilabels < 10
    assert reads.sum() < 4 * 2 * 10
    written = gtn.string([1, 10, 2]).with_symbols(grammar.graph.isymbols)
    same = courtesy_digits()
    for graph in (grammar.graph, same):
        assert gtn.viterbi_penalty(gtn.compose(written, graph)) == 2.0


def test_named():
    car = named("car")
    assert car.characters == "0123456789"
    assert named("digits").name == "car"
    assert (car.graph.topology.src == courtesy_digits().topology.src).all()
    assert [car.writes(t) for t in ("1", "12345678", "123456789", "", "1.5", "é")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    whole = named("amounts")
    assert " " not in whole.characters
    assert set("0123456789.,$*-=#/xXno1") == set(whole.characters)
    assert [whole.writes(t) for t in ("1234.56", "1250", "1,250", "1.5")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_named_regular_expressions():
    pattern = "-?[0-9]*[.,]?[0-9]*"
    grammar = named(f"regex:{pattern}")
    assert grammar.name == f"regex:{pattern}"
    assert grammar.characters == ",-.0123456789"
    assert grammar.graph.isymbols.decode([0, 13]) == [",", RUBBISH]
    assert is_unambiguous(grammar.graph)
    assert count_paths(grammar.graph, f"1{RUBBISH}250{RUBBISH}") == {"1250": 1}
    assert grammar.writes("-12,5")
    assert not grammar.writes("1-2")
    euro = named("regex:€?[0-9]+")
    assert euro.characters == "0123456789€"
    assert euro.writes("€12")
    cyrillic = named("regex:[а-я]+[à-ö]?")
    assert [cyrillic.writes(text) for text in ("где", "гдеé", "где€", "abc")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="there is no grammar 'lexicon'") as error:
        named("lexicon")
    assert all(name in str(error.value) for name in NAMES)
    with pytest.raises(gtn.GraphError, match="does not parse"):
        named("regex:(")
    with pytest.raises(gtn.GraphError, match="reads no character"):
        named("regex:")
