"""Union, concatenation, closure, reversal, inversion, projection, by enumeration of paths."""

import tracemalloc
from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from gtn import GraphError
from gtn.equivalence import equal, isomorphic
from gtn.rational import closure, concat, invert, project, reverse, union
from gtn.testing import assert_derivatives, batches, graphs, paths

FEW = settings(max_examples=30)  # for each row of a table
SMALL = {"max_nodes": 4, "max_arcs": 5, "labels": 2, "epsilons": True, "acceptor": False}


def spelled(graph, max_length=None):
    """What each path spells, with its penalty; repeated if several paths agree."""
    return Counter((p.inputs, p.outputs, p.penalty) for p in paths(graph, max_length))


def joined(*parts):
    """What two paths spell, one after the other."""
    inputs, outputs = (sum((p[i] for p in parts), ()) for i in (0, 1))
    return inputs, outputs, sum(p[2] for p in parts)


@given(graphs(**SMALL), graphs(**SMALL), graphs(**SMALL))
def test_union_has_the_paths_of_all(a, b, c):
    assert spelled(union(a, b, c)) == spelled(a) + spelled(b) + spelled(c)
    assert not (union(a, b).ilabels[a.num_arcs + b.num_arcs :]).size


@given(graphs(**SMALL), graphs(**SMALL))
def test_concat_has_one_path_per_pair_of_paths(a, b):
    pairs = product(spelled(a).elements(), spelled(b).elements())
    assert spelled(concat(a, b)) == Counter(joined(p, q) for p, q in pairs)


@given(graphs(**SMALL), graphs(**SMALL), graphs(**SMALL))
def test_concat_of_three(a, b, c):
    triples = product(*(spelled(g).elements() for g in (a, b, c)))
    assert spelled(concat(a, b, c)) == Counter(joined(*t) for t in triples)


@given(graphs(max_nodes=3, max_arcs=3, labels=2), st.booleans())
def test_closure_has_one_path_per_sequence_of_paths(g, plus):
    longest = 7
    own = [(p.inputs, p.outputs, p.penalty, len(p.arcs)) for p in paths(g)]
    expected = Counter() if plus else Counter([((), (), 0.0)])
    sequences = [((), (), 0.0, -2 if plus else 0)]
    while sequences:  # a path and the epsilon arc on either side of it; plus has no outer ones
        sequences = [
            (s[0] + p[0], s[1] + p[1], s[2] + p[2], s[3] + p[3] + 2)
            for s, p in product(sequences, own)
            if s[3] + p[3] + 2 <= longest
        ]
        expected.update(s[:3] for s in sequences)
    assert spelled(closure(g, plus=plus), longest) == expected


@given(graphs(**SMALL))
def test_reverse_reads_backwards(g):
    backwards = Counter({(i[::-1], o[::-1], p): n for (i, o, p), n in spelled(g).items()})
    turned = reverse(g)
    assert spelled(turned) == backwards
    assert [sources.index.tolist() for sources in turned.sources] == [[*range(g.num_arcs)]]


@given(graphs(**SMALL))
def test_invert_exchanges_sides_and_project_keeps_one(g):
    assert spelled(invert(g)) == Counter({(o, i, p): n for (i, o, p), n in spelled(g).items()})
    inputs, outputs = Counter(), Counter()
    for (i, o, p), n in spelled(g).items():
        inputs[i, i, p] += n
        outputs[o, o, p] += n
    assert spelled(project(g)) == inputs
    assert spelled(project(g, "output")) == outputs


EQUAL = {
    "reverse is its own inverse": lambda a, b, c: (reverse(reverse(a)), a),
    "invert is its own inverse": lambda a, b, c: (invert(invert(a)), a),
    "projections after inversion": lambda a, b, c: (project(invert(a)), project(a, "output")),
    "projection is idempotent": lambda a, b, c: (project(project(a)), project(a)),
    "union is associative": lambda a, b, c: (union(union(a, b), c), union(a, union(b, c))),
    "union of three": lambda a, b, c: (union(a, b, c), (a | b) | c),
    "union of one": lambda a, b, c: (union(a), a),
    "concat of one": lambda a, b, c: (concat(a), a),
    "empty is neutral in union": lambda a, b, c: (union(a, gtn.empty(dtype=torch.float64)), a),
    "reverse of union": lambda a, b, c: (reverse(union(a, b)), union(reverse(a), reverse(b))),
    "operators": lambda a, b, c: ((a | b) + c.closure(), concat(union(a, b), closure(c))),
    "invert of closure": lambda a, b, c: (invert(closure(a)), closure(invert(a))),
}


@pytest.mark.parametrize("law", EQUAL)
@FEW
@given(a=graphs(**SMALL), b=graphs(**SMALL), c=graphs(**SMALL))
def test_equal_expressions(law, a, b, c):
    assert equal(*EQUAL[law](a, b, c))


SAME_PATHS = {
    "union commutes": lambda a, b, c: (union(a, b), union(b, a)),
    "concat is associative": lambda a, b, c: (concat(concat(a, b), c), concat(a, concat(b, c))),
    "concat distributes": lambda a, b, c: (
        concat(a, union(b, c)),
        union(concat(a, b), concat(a, c)),
    ),
    "reverse of concat": lambda a, b, c: (
        reverse(concat(a, b)),
        concat(reverse(b), reverse(a)),
    ),
}


@pytest.mark.parametrize("law", SAME_PATHS)
@FEW
@given(a=graphs(**SMALL), b=graphs(**SMALL), c=graphs(**SMALL))
def test_expressions_of_the_same_paths(law, a, b, c):
    one, other = SAME_PATHS[law](a, b, c)
    assert spelled(one) == spelled(other)


@given(graphs(max_nodes=4, max_arcs=4, acyclic=False))
def test_isomorphic_expressions(g):
    assert isomorphic(reverse(closure(g)), closure(reverse(g)))
    assert isomorphic(union(g, reverse(g)), union(reverse(g), g))


UNARY = {
    "closure": closure,
    "plus": lambda g: closure(g, plus=True),
    "reverse": reverse,
    "invert": invert,
    "project": project,
    "project output": lambda g: project(g, "output"),
}
BINARY = {
    "union": union,
    "concat": concat,
    "three": lambda a, b: concat(union(a, b), a, b),
}


def with_rows(graph, **keys):
    return graph.with_data(**{k: np.arange(graph.num_arcs) + first for k, first in keys.items()})


def assert_same(one, other):
    assert type(one) is type(other)
    assert equal(one, other)
    assert one.data.keys() == other.data.keys()
    for key in one.data:
        np.testing.assert_array_equal(one.data[key], other.data[key])


@pytest.mark.parametrize("name", UNARY)
@FEW
@given(batch=batches(acyclic=False, **SMALL))
def test_batches_of_one_operand(name, batch):
    operation, batch = UNARY[name], with_rows(batch, row=10)
    expected = gtn.GraphBatch.from_graphs([operation(g) for g in batch])
    assert_same(operation(batch), expected)


@pytest.mark.parametrize("name", BINARY)
@FEW
@given(data=st.data(), batch=batches(acyclic=False, **SMALL), single=graphs(**SMALL))
def test_batches_of_two_operands(name, data, batch, single):
    operation = BINARY[name]
    other = data.draw(
        st.lists(graphs(**SMALL), min_size=len(batch), max_size=len(batch)).map(
            gtn.GraphBatch.from_graphs
        )
    )
    batch, other, single = (
        with_rows(batch, row=10, left=7),
        with_rows(other, row=100, right=9),
        with_rows(single, row=1000),
    )
    for left, right in ((batch, other), (batch, single), (single, batch)):
        lefts, rights = (
            list(g) if g.topology.is_batch else [g] * len(batch) for g in (left, right)
        )
        made = operation(left, right)
        singles = [operation(x, y) for x, y in zip(lefts, rights, strict=True)]
        assert_same(made, gtn.GraphBatch.from_graphs(singles))
    for k, operand in enumerate((single, batch)):
        sources = union(single, batch).sources[k].index
        found = union(single, batch).data["row"][sources >= 0]
        np.testing.assert_array_equal(found, operand.data["row"][sources[sources >= 0]])


def ambiguous_ends():
    """Several starts and finals with penalties, so that concatenation needs a node in between."""
    return gtn.from_arcs(
        [(0, 1, 3, 4, 0.5), (2, 1, 5, 6, 1.5), (1, 3, 7, 8, 2.5), (2, 3, 1, 2, 0.25)],
        start={0: 0.125, 2: 0.75},
        final={1: 0.375, 3: 1.25},
        dtype=torch.float64,
    )


GRADIENTS = {
    **UNARY,
    "union": lambda g: union(g, gtn.string([1], dtype=torch.float64), g),
    "concat": lambda g: concat(g, g),
    "concat with one end": lambda g: concat(g, gtn.string([1], dtype=torch.float64), g),
    "batch": lambda g: concat(gtn.GraphBatch.from_graphs([g, g]), g),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    assert_derivatives(GRADIENTS[name], ambiguous_ends(), order=1)


def test_concat_meets_in_a_node_where_both_ends_are_several():
    many = gtn.from_arcs([], start=range(50), final=range(50), num_nodes=50)
    assert concat(many, many).num_arcs == 100
    assert concat(many, many).num_nodes == 101
    assert len(paths(concat(many, many))) == 2500
    one, two = gtn.string([]), gtn.from_arcs([], start=[0, 1], final=[0, 1], num_nodes=2)
    for a, b, arcs, new in ((one, many, 50, 0), (many, one, 50, 0), (two, two, 4, 1)):
        made = concat(a, b)
        assert (made.num_arcs, made.num_nodes) == (arcs, a.num_nodes + b.num_nodes + new)


def test_symbols_are_merged():
    a = gtn.from_arcs([(0, 1, "x"), (1, 2, "y")], final=2)
    b = gtn.from_arcs([(0, 1, "z"), (1, 2, "y")], final=2)
    for made in (union(a, b), concat(a, b)):
        assert [made.symbol_pair(arc) for arc in range(4)] == ["x", "y", "z", "y"]
        assert made.isymbols == gtn.SymbolTable("xyz")
        assert made.topology.is_acceptor
    c = gtn.from_arcs([(0, 1, "q", "x")], final=1)
    made = union(a, b, c)
    assert [made.symbol_pair(arc) for arc in range(5)] == ["x", "y", "z", "y", "q:x"]
    left_out = union(a, b, symbols="ignore")
    assert [left_out.symbol_pair(arc) for arc in range(4)] == ["x", "y", "x", "y"]


def test_sides_keep_their_tables():
    g = gtn.from_arcs(
        [(0, 1, "a", "b")],
        final=1,
        isymbols=gtn.SymbolTable("a"),
        osymbols=gtn.SymbolTable("xb"),
    )
    assert invert(g).isymbols == gtn.SymbolTable("xb")
    assert invert(g).symbol_pair(0) == "b:a"
    assert project(g, "output").isymbols == gtn.SymbolTable("xb")
    assert project(g).osymbols == gtn.SymbolTable("a")
    assert closure(g).osymbols == gtn.SymbolTable("xb")
    same = gtn.from_arcs(
        [(0, 1, "a", "x")], final=1, isymbols=gtn.SymbolTable("a"), osymbols=gtn.SymbolTable("x")
    )
    # The same labels on both sides, but with different tables.
    shared = gtn.from_arrays(
        [0], [1], [0], final=1, isymbols=gtn.SymbolTable("a"), osymbols=gtn.SymbolTable("x")
    )
    several = closure(g, upper=0), closure(g, upper=2), closure(g, lower=2), concat(g, g)
    for of, all_made in (
        (same, (union(same, same), concat(same, same), closure(same, upper=2))),
        (shared, (union(shared, shared), concat(shared, shared), closure(shared, upper=2))),
        (g, several),
    ):
        for made in all_made:
            assert (made.isymbols, made.osymbols) == (of.isymbols, of.osymbols)
    assert union(shared, same).symbol_pair(0) == union(same, shared).symbol_pair(1) == "a:x"


def test_labels_of_no_table_are_joined_as_integers():
    one, two = gtn.string([3]), gtn.string([5])
    for join in (union, concat):
        assert equal(join(one, two, symbols="ignore"), join(one, two))
        made = join(one, gtn.string("a"), symbols="ignore")  # the tables of the first are taken
        assert (made.isymbols, made.osymbols) == (None, None)
        assert made.ilabels[:2].tolist() == [3, 0]


def test_penalties_of_two_dtypes_meet_in_the_wider():
    made = concat(gtn.string([1]), gtn.string([2], dtype=torch.float64))
    for penalties in (made.penalties, made.start_penalties, made.final_penalties):
        assert penalties.dtype == torch.float64


@pytest.mark.parametrize("nothing", [gtn.empty(), gtn.string([]), gtn.closure(gtn.empty())])
@pytest.mark.parametrize("symbols", ["match", "ignore"])
def test_operands_without_labels_join_any_table(nothing, symbols):
    word = gtn.Graph.from_arcs([(0, 1, "a", "b", 0.5)], final=1)
    for join in (union, concat):
        for operands in ((word, nothing), (nothing, word), (nothing, nothing, word, word)):
            made = join(*operands, symbols=symbols)
            assert made.isymbols == made.osymbols == word.isymbols
            tabled = [g.with_symbols(word.isymbols, word.osymbols) for g in operands]
            assert equal(made, join(*tabled))
    assert spelled(union(gtn.empty(), word)) == spelled(word)
    assert union(nothing, gtn.string([3])).isymbols is None
    assert union(gtn.GraphBatch.from_graphs([word, word]), nothing).isymbols == word.isymbols


def test_wrong_operands():
    a, b = gtn.string("ab"), gtn.string([0, 1])
    with pytest.raises(gtn.SymbolError, match="operand 0 has input symbols and operand 1 has none"):
        union(a, b)
    with pytest.raises(gtn.SymbolError, match="operand 1 has input symbols and operand 0 has none"):
        concat(b, a)
    with pytest.raises(gtn.SymbolError, match="operand 1 has input label 7"):
        union(a, gtn.string([7]), symbols="ignore")
    assert union(a, b, symbols="ignore").isymbols == a.isymbols
    with pytest.raises(gtn.GraphError, match="'match' and 'ignore'"):
        union(a, a, symbols="merge")
    with pytest.raises(gtn.GraphError, match="batches of 2 and 3 graphs"):
        union(*(gtn.GraphBatch.from_graphs([b] * n) for n in (2, 3)))
    with pytest.raises(gtn.GraphError, match="'input' and 'output'"):
        project(a, "left")


def test_an_empty_batch_is_joined_with_a_single_graph():
    none, one = gtn.strings(["a"])[0:0], gtn.string("a")
    for join in (gtn.union, gtn.concat):
        assert len(join(none, one)) == len(join(one, none)) == 0


@given(batches(max_graphs=3, **SMALL), graphs(**SMALL), st.sampled_from([union, concat]))
def test_sources_name_the_operand_of_each_arc_and_its_arc_there(batch, one, join):
    operands = [batch, one, batch]
    made = join(*operands, symbols="ignore")
    assert len(made.sources) == len(made.sources[:]) == 3
    index = np.stack([s.index for s in made.sources])
    assert ((index >= 0).sum(axis=0) <= 1).all()
    for g, own, tail in zip(operands, index, made.sources[-3:], strict=True):
        assert np.array_equal(own, tail.index)
        (here,) = np.nonzero(own >= 0)
        assert np.array_equal(made.ilabels[here], g.ilabels[own[here]])
        assert torch.equal(made.penalties[here], g.penalties[own[here]].to(made.penalties))
        assert set(own[here]) == set(range(g.num_arcs))
    new = (index < 0).all(axis=0)
    assert (made.ilabels[new] == gtn.EPSILON).all()
    assert join is concat or not new.any()
    with pytest.raises(IndexError):
        made.sources[3]


def test_memory_for_the_union_of_many_words_grows_with_their_letters():
    words = [gtn.string(list(np.random.default_rng(i).integers(0, 26, 8))) for i in range(2000)]
    tracemalloc.start()
    made = union(*words)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.num_arcs == 16_000
    assert made.sources[1999].index[-8:].tolist() == list(range(8))
    assert peak < 8e6  # with a list for each operand it took 128 MB


def test_graphs_are_joined_one_by_one():
    for join in (gtn.union, gtn.concat):
        with pytest.raises(GraphError, match="operand 0 is of type list; graphs are given one by"):
            join([gtn.string("a"), gtn.string("b")])
