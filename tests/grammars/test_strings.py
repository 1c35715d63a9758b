"""Strings of any kind with fill around them, compared with plain enumeration."""

from itertools import product

import pytest
import torch

import gtn
from grammars.fill import PLACES, RUBBISH, with_fill
from grammars.regex import accepts, regex
from grammars.strings import any_string, fixed_length
from gtn.determinization.ambiguity import is_unambiguous


def readings(graph, text):
    """The output strings of an input string, each with the penalties of its paths."""
    arcs = list(zip(graph.src, graph.dst, graph.ilabels, graph.olabels, graph.penalties.tolist()))
    starts = dict(zip(graph.starts.tolist(), graph.start_penalties.tolist()))
    finals = dict(zip(graph.finals.tolist(), graph.final_penalties.tolist()))
    labels = graph.isymbols.encode(text).tolist()
    found = {}
    todo = [(node, 0, "", penalty) for node, penalty in starts.items()]
    while todo:
        node, place, output, penalty = todo.pop()
        if place == len(labels) and node in finals:
            found.setdefault(output, []).append(round(penalty + finals[node], 4))
        for src, dst, ilabel, olabel, own in arcs:
            reads = ilabel != gtn.EPSILON
            if src == node and not (reads and (place == len(labels) or labels[place] != ilabel)):
                written = "" if olabel == gtn.EPSILON else graph.osymbols.symbol(olabel)
                todo.append((dst, place + reads, output + written, penalty + own))
    return found


def strings(symbols, most):
    return ("".join(s) for n in range(most + 1) for s in product(symbols, repeat=n))


@pytest.mark.parametrize(("least", "most"), [(0, 0), (0, 2), (1, 3), (2, 2), (0, None), (2, None)])
def test_any_string_accepts_by_length(least, most):
    graph = any_string("ab", min_length=least, max_length=most)
    assert graph.topology.is_deterministic
    for text in strings("ab", 5):
        within = least <= len(text) and (most is None or len(text) <= most)
        assert accepts(graph, text) == within
    bounds = f"{{{least},{'' if most is None else most}}}"
    smallest = regex(f"[ab]{bounds}", alphabet="ab")
    assert (graph.num_nodes, graph.num_arcs) == (smallest.num_nodes, smallest.num_arcs)


def test_any_string_keeps_the_labels_of_a_table():
    table = gtn.SymbolTable({4: "x", 2: "<y>"})
    graph = fixed_length(table, 2)
    assert graph.isymbols is table
    assert graph.ilabels.tolist() == [2, 4, 2, 4]
    assert accepts(graph, ["<y>", "x"])


def test_the_symbol_of_failure_arcs_is_in_no_string():
    table = gtn.SymbolTable(["a", gtn.BACK_OFF, "b"])
    pairs = fixed_length(table, 2)
    assert [(gtn.string(text) @ pairs).num_nodes > 0 for text in ("a", "ab", "")] == [0, 1, 0]
    assert gtn.path_text(gtn.viterbi_path(gtn.string("ab") @ any_string(table))) == "ab"
    assert pairs.isymbols == table


def test_wrong_lengths_are_refused():
    with pytest.raises(gtn.GraphError, match="min_length is -1"):
        any_string("a", min_length=-1)
    with pytest.raises(gtn.GraphError, match="below min_length, 3"):
        any_string("a", min_length=3, max_length=2)
    with pytest.raises(gtn.GraphError):
        fixed_length("a", -1)


def fill_penalty(text, penalty, places):
    """The penalty of the fill in an input string, or None if fill stands in a wrong place."""
    if not text.strip(RUBBISH):
        before, between, after = len(text), 0, 0
    else:
        before = len(text) - len(text.lstrip(RUBBISH))
        after = len(text) - len(text.rstrip(RUBBISH))
        between = text.count(RUBBISH) - before - after
    counts = dict(zip(PLACES, (before, between, after), strict=True))
    if any(count and place not in places for place, count in counts.items()):
        return None
    return round(sum(penalty[place] * count for place, count in counts.items()), 4)


@pytest.mark.parametrize(
    "places", [PLACES, ("before",), ("between",), ("after",), ("before", "after"), ()]
)
@pytest.mark.parametrize("pattern", ["[ab]{1,3}", "a*", "(ab)*", "a?b?", "ab|ba", "b+a|a", ""])
def test_fill_has_one_path_at_the_right_penalty(pattern, places):
    text = regex(pattern, alphabet="ab")
    penalty = {"before": 1.0, "between": 0.25, "after": 16.0}
    graph = with_fill(text, penalty=penalty, places=places)
    assert graph.topology.is_connected
    assert is_unambiguous(graph)
    for read in strings("ab" + RUBBISH, 5):
        written = read.replace(RUBBISH, "")
        expected = fill_penalty(read, penalty, places)
        if accepts(text, written) and expected is not None:
            assert readings(graph, read) == {written: [expected]}
        else:
            assert readings(graph, read) == {}


def test_a_penalty_of_fill_may_be_a_tensor_without_a_gradient():
    text = any_string("7")
    ready, given = (with_fill(text, penalty=penalty) for penalty in (torch.tensor(0.5), 0.5))
    assert gtn.equal(ready, given)


def test_fill_keeps_penalties_and_their_gradients():
    text = gtn.Graph.from_arcs([(0, 1, "a", 0.5), (1, 0, "b", 0.25)], final={0: 2.0, 1: 4.0})
    penalties = text.penalties.clone().requires_grad_()
    graph = with_fill(text.with_penalties(penalties), penalty=0.125)
    assert readings(graph, f"a{RUBBISH}b") == {"ab": [0.5 + 0.125 + 0.25 + 2.0]}
    assert readings(graph, f"{RUBBISH}a{RUBBISH}") == {"a": [0.25 + 0.5 + 4.0]}
    graph.penalties.sum().backward()
    made_from = torch.from_numpy(graph.sources[0].index)
    assert penalties.grad.tolist() == [int((made_from == a).sum()) for a in (0, 1)]
    assert (made_from == -1).sum() == (graph.olabels == gtn.EPSILON).sum()


def test_fill_of_a_transducer_is_read_right_after_a_symbol():
    """So an arc that reads nothing does not double the paths of the fill beside it."""
    text = gtn.Graph.from_arcs(
        [(0, 1, None, "x"), (1, 2, "a", "a"), (2, 3, None, "y"), (3, 1, None, "z")], final=3
    )
    graph = with_fill(text)
    for read in strings("a" + RUBBISH, 4):
        for_text = readings(text, read.replace(RUBBISH, ""))
        assert readings(graph, read) == for_text
    assert len(readings(graph, f"{RUBBISH}a{RUBBISH}a{RUBBISH}")["xayzay"]) == 1


def test_several_fills_and_a_table_of_the_recognizer():
    table = gtn.SymbolTable(["b", "#", "a", RUBBISH])
    graph = with_fill(any_string("ab"), ["#", RUBBISH], symbols=table, penalty=1.0)
    assert graph.isymbols is table
    assert graph.osymbols == gtn.SymbolTable("ab")
    assert readings(graph, f"#a{RUBBISH}b") == {"ab": [2.0]}
    assert with_fill(any_string("ab")).isymbols.labels == [0, 1, 2]


def test_wrong_fill_is_refused():
    text = any_string("ab", max_length=1)
    with pytest.raises(gtn.GraphError, match="arc 1 of the text reads 'b'"):
        with_fill(text, "b")
    with pytest.raises(gtn.GraphError, match="'behind' is not a place"):
        with_fill(text, places=["behind"])
    with pytest.raises(gtn.GraphError, match="'ahead' is not a place"):
        with_fill(text, penalty={"ahead": 1.0})
    learned = torch.nn.Parameter(torch.tensor(1.0))
    for penalty in (learned, {"before": learned}):
        with pytest.raises(
            gtn.GraphError, match=r"needs a gradient; gtn\.nn\.Learned of the result"
        ):
            with_fill(text, penalty=penalty)
    with pytest.raises(gtn.GraphError, match="no table"):
        with_fill(gtn.string([1, 2]))
    with pytest.raises(gtn.GraphError, match="not to a batch"):
        with_fill(gtn.GraphBatch.from_graphs([text, text]))
    with pytest.raises(gtn.SymbolError, match="'b'"):
        with_fill(text, symbols=gtn.SymbolTable(["a", RUBBISH]))
