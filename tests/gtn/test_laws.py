"""Algebraic laws as tables of equal expressions, each marked tropical, log or both.

An expression is Python, in which these letters are batches of random graphs:

====  ==========================================================================================
a b c  acyclic transducers with epsilons, several starts and finals, infinite and negative penalties
x y z  the same, acceptors
u v w  the same, acceptors without penalties
k l m  transducers with cycles too, of penalties so high that the sum over all paths converges;
       none of them accepts the pair of empty strings without a penalty
n      the same, acceptors
====  ==========================================================================================

``s`` is the semiring at hand, ``one`` accepts the empty string, ``zero`` nothing, ``every`` all
strings. Graphs are compared by what they give to each pair of strings, up to three labels a side.
"""

import re

import numpy as np
import pytest
import torch

import gtn
from gtn.testing.openfst import assert_same_language, language, random_graphs

COUNT = 50  # graphs of each letter
LONGEST = 3
LABELS = 2

BOTH = ("tropical", "log")
TROPICAL = ("tropical",)
LOG = ("log",)

LAWS = {
    # union and concatenation are a semiring
    "union is associative": ("(a | b) | c", "a | (b | c)", BOTH),
    "union commutes": ("k | l", "l | k", BOTH),
    "union has a zero": ("k | zero", "k", BOTH),
    "union keeps the best once": ("k | k", "k", TROPICAL),
    "concat is associative": ("(a + b) + c", "a + (b + c)", BOTH),
    "concat has a one on the left": ("one + k", "k", BOTH),
    "concat has a one on the right": ("k + one", "k", BOTH),
    "concat has a zero": ("k + zero", "zero", BOTH),
    "concat distributes from the left": ("k + (l | m)", "(k + l) | (k + m)", BOTH),
    "concat distributes from the right": ("(a | b) + c", "(a + c) | (b + c)", BOTH),
    # closure
    "closure unfolds on the left": ("closure(k)", "one | k + closure(k)", BOTH),
    "closure unfolds on the right": ("closure(k)", "one | closure(k) + k", BOTH),
    "plus is one and more": ("closure(k, plus=True)", "k + closure(k)", BOTH),
    "closure of closure": ("closure(closure(k))", "closure(k)", TROPICAL),
    "two or three": ("closure(k, lower=2, upper=3)", "k + k | k + k + k", BOTH),
    "two at most": ("closure(k, upper=2)", "one | k | k + k", BOTH),
    "two or more": ("closure(k, lower=2)", "k + k + closure(k)", BOTH),
    "none or more": ("closure(k, lower=0)", "closure(k)", BOTH),
    "one or more": ("closure(k, lower=1)", "closure(k, plus=True)", BOTH),
    "none at all": ("closure(k, lower=0, upper=0)", "one", BOTH),
    "closure of a union": ("closure(k | l)", "closure(closure(k) + l) + closure(k)", BOTH),
    "closure of a concat": ("closure(k + l)", "one | k + closure(l + k) + l", BOTH),
    "closure of zero": ("closure(zero)", "one", BOTH),
    "closure twice is closure": ("closure(k) + closure(k)", "closure(k)", TROPICAL),
    # reversal, inversion, projection
    "reverse is its own inverse": ("reverse(reverse(k))", "k", BOTH),
    "reverse of a union": ("reverse(k | l)", "reverse(k) | reverse(l)", BOTH),
    "reverse of a concat": ("reverse(k + l)", "reverse(l) + reverse(k)", BOTH),
    "reverse of a closure": ("reverse(closure(k))", "closure(reverse(k))", BOTH),
    "cross reads the one": ("project(cross(x, one), 'input')", "x", BOTH),
    "cross writes the other": ("project(cross(one, x), 'output')", "x", BOTH),
    "cross is inverted": ("invert(cross(x, y))", "cross(y, x)", BOTH),
    "cross is composed": ("cross(x, one) + cross(one, y)", "cross(x, y)", BOTH),
    "cross distributes": ("cross(x | y, z)", "cross(x, z) | cross(y, z)", BOTH),
    "relabel to and fro": ("relabel(relabel(k, {0: 1, 1: 0}), {0: 1, 1: 0})", "k", BOTH),
    "relabel of a union": (
        "relabel(k | l, {0: 1})",
        "relabel(k, {0: 1}) | relabel(l, {0: 1})",
        BOTH,
    ),
    "relabel of the other side": (
        "invert(relabel(k, {0: None}))",
        "relabel(invert(k), None, {0: None})",
        BOTH,
    ),
    "invert is its own inverse": ("invert(invert(k))", "k", BOTH),
    "invert of a union": ("invert(k | l)", "invert(k) | invert(l)", BOTH),
    "invert of a concat": ("invert(k + l)", "invert(k) + invert(l)", BOTH),
    "invert of a reverse": ("invert(reverse(k))", "reverse(invert(k))", BOTH),
    "project twice": ("project(project(k, 'output'), 'input')", "project(k, 'output')", BOTH),
    "project of an inverse": ("project(invert(k), 'input')", "project(k, 'output')", BOTH),
    "project of a concat": ("project(k + l)", "project(k) + project(l)", BOTH),
    # composition
    "compose is associative": ("(a @ b) @ c", "a @ (b @ c)", BOTH),
    "compose has a one on the right": ("k @ every", "k", BOTH),
    "compose has a one on the left": ("every @ k", "k", BOTH),
    "compose has a zero": ("k @ zero", "zero", BOTH),
    "compose distributes from the left": ("a @ (b | c)", "(a @ b) | (a @ c)", BOTH),
    "compose distributes from the right": ("(a | b) @ c", "(a @ c) | (b @ c)", BOTH),
    "compose of cycles distributes": ("n @ (k | l)", "(n @ k) | (n @ l)", BOTH),
    "invert of a composition": ("invert(a @ b)", "invert(b) @ invert(a)", BOTH),
    "reverse of a composition": ("reverse(a @ b)", "reverse(a) @ reverse(b)", BOTH),
    "projection comes forward": (
        "project(a @ b, 'input')",
        "project(a @ project(b, 'input'), 'input')",
        BOTH,
    ),
    "filters agree": ("compose(a, b, filter='match')", "a @ b", BOTH),
    "trivial filter, best paths": ("compose(a, b, filter='trivial')", "a @ b", TROPICAL),
    "intersect commutes": ("intersect(x, y)", "intersect(y, x)", BOTH),
    "intersect is associative": (
        "intersect(intersect(x, y), z)",
        "intersect(x, intersect(y, z))",
        BOTH,
    ),
    "intersect of cycles commutes": ("intersect(n, x)", "intersect(x, n)", BOTH),
    "an infinite beam": ("compose(a, b, beam=inf)", "a @ b", BOTH),
    # optimization keeps a graph equivalent
    "connect": ("connect(k)", "k", BOTH),
    "topsort": ("topsort(a)", "a", BOTH),
    "remove_epsilon": ("remove_epsilon(k, semiring=s)", "k", BOTH),
    "push to the start": ("push(k, semiring=s)", "k", BOTH),
    "push to the final": ("push(k, 'final', semiring=s)", "k", BOTH),
    "push of a reverse": (
        "push(reverse(k), 'start', semiring=s)",
        "reverse(push(k, 'final', semiring=s))",
        BOTH,
    ),
    "determinize": ("determinize(x, semiring=s)", "x", BOTH),
    "determinize pairs": ("determinize(a, side='both', semiring=s)", "a", BOTH),
    "determinize twice": (
        "determinize(determinize(x, semiring=s), semiring=s)",
        "determinize(x, semiring=s)",
        BOTH,
    ),
    "minimize": ("minimize(determinize(x, semiring=s), semiring=s)", "x", BOTH),
    "minimize by sources": (
        "minimize(determinize(x, semiring=s), semiring=s, merge='sources')",
        "x",
        BOTH,
    ),
    "two reversed determinizations": (
        "determinize(reverse(determinize(reverse(x), semiring=s)), semiring=s)",
        "x",
        BOTH,
    ),
    "prune nothing": ("prune(k, beam=inf)", "k", BOTH),
    # difference and complement
    "nothing without itself": ("difference(u, u)", "zero", BOTH),
    "difference takes nothing": ("difference(x, zero)", "x", BOTH),
    "difference takes everything": ("difference(x, every)", "zero", BOTH),
    "differences commute": (
        "difference(difference(x, u), v)",
        "difference(difference(x, v), u)",
        BOTH,
    ),
    "difference of a union": ("difference(x | y, u)", "difference(x, u) | difference(y, u)", BOTH),
    "difference from a union": ("difference(x, u | v)", "difference(difference(x, u), v)", BOTH),
    "difference is in the complement": ("difference(x, u)", "intersect(x, rest(u))", BOTH),
    "what is in and what is not": ("difference(x, u) | intersect(x, once(u))", "x", BOTH),
    "complement of a complement": ("rest(rest(u))", "u", TROPICAL),
    "De Morgan": ("rest(u | v)", "intersect(rest(u), rest(v))", BOTH),
    "symmetric difference": (
        "difference(once(u) | once(v), intersect(u, v))",
        "difference(once(u), v) | difference(once(v), u)",
        BOTH,
    ),
    "difference of a transducer": ("difference(a, u)", "a @ rest(u)", BOTH),
}

NUMBERS = {
    # penalties of whole graphs: log stands for forward_penalty, least for viterbi_penalty
    "union adds up": ("total(k | l)", "plus(total(k), total(l))", BOTH),
    "concat adds": ("total(k + l)", "total(k) + total(l)", BOTH),
    "closure is the star": ("total(closure(k))", "star(total(k))", BOTH),
    "reverse": ("total(reverse(k))", "total(k)", BOTH),
    "connect": ("total(connect(k))", "total(k)", BOTH),
    "remove_epsilon": ("total(remove_epsilon(k, semiring=s))", "total(k)", BOTH),
    "push": ("total(push(k, semiring=s))", "total(k)", BOTH),
    "determinize": ("total(determinize(x, semiring=s))", "total(x)", BOTH),
    "minimize": ("total(minimize(determinize(x, semiring=s), semiring=s))", "total(x)", BOTH),
    "distances at the finals": ("ends(k, 'forward')", "total(k)", BOTH),
    "distances at the starts": ("ends(k, 'backward')", "total(k)", BOTH),
    "associative composition": ("total((a @ b) @ c)", "total(a @ (b @ c))", BOTH),
    "the best path": ("viterbi_penalty(viterbi_path(k))", "viterbi_penalty(k)", TROPICAL),
    "the first of the n best": ("first(n_best(k, 1))", "viterbi_penalty(k)", TROPICAL),
    "pruned to the best": ("viterbi_penalty(prune(k, beam=0))", "viterbi_penalty(k)", TROPICAL),
    "all paths, no worse than the best": (
        "minimum(total(k), viterbi_penalty(k))",
        "total(k)",
        LOG,
    ),
    "entropy": ("entropy(k)", "where_finite(k, mean_penalty(k) - total(k))", LOG),
    "entropies of a concat add": (
        "where_finite(k + l, entropy(k) + entropy(l))",
        "entropy(k + l)",
        LOG,
    ),
    "entropy of a reverse": ("entropy(reverse(k))", "entropy(k)", LOG),
    "entropy of a push": ("entropy(push(k))", "entropy(k)", LOG),
}


def graphs(letter):
    """The batch of a letter."""
    seed = 100 + ord(letter)
    shape = {"max_nodes": 3, "max_arcs": 4, "labels": LABELS, "infinite": True}
    if letter in "abc":
        return random_graphs(COUNT, seed, **shape)
    if letter in "xyz":
        return random_graphs(COUNT, seed, acceptor=True, **shape)
    if letter in "uvw":
        g = random_graphs(COUNT, seed, acceptor=True, **(shape | {"infinite": False}))
        return g.with_penalties(
            torch.zeros_like(g.penalties),
            start_penalties=torch.zeros_like(g.start_penalties),
            final_penalties=torch.zeros_like(g.final_penalties),
        )
    g = random_graphs(
        COUNT, seed, acyclic=False, least=3.5, most=16, acceptor=letter == "n", **shape
    )
    return g.with_penalties(g.penalties, final_penalties=g.final_penalties + 3.5)


def letters(*expressions):
    """The letters of expressions, in order."""
    return sorted(set(re.findall(r"\b[abcxyzuvwklmn]\b", " ".join(expressions))))


def value(expression, semiring, given=None):
    """The value of an expression, with a batch of random graphs for each letter."""
    given = {letter: GRAPHS[letter] for letter in letters(expression)} if given is None else given
    return eval(expression, names(semiring) | given)


def names(semiring):
    """The functions and constants that expressions use."""
    log = semiring == "log"
    total = gtn.forward_penalty if log else gtn.viterbi_penalty
    every = gtn.Graph.from_arcs([(0, 0, n) for n in range(LABELS)], final=0, dtype=torch.float64)

    def ends(graph, direction):
        """The distance of each graph's last (first) nodes."""
        at, own = (
            (graph.finals, graph.final_penalties)
            if direction == "forward"
            else (graph.starts, graph.start_penalties)
        )
        far = gtn.shortest_distance(graph, direction, semiring)[
            torch.from_numpy(at.astype(np.int64))
        ]
        owner = graph.topology.graph_of_nodes(at)
        sums = [(far + own)[torch.from_numpy(owner == i)] for i in range(len(graph))]
        sums = [each[each.isfinite()] for each in sums]
        none = torch.full((), torch.inf, dtype=torch.float64)
        if log:
            return torch.stack([-torch.logsumexp(-each, 0) if len(each) else none for each in sums])
        return torch.stack([each.min() if len(each) else none for each in sums])

    def mean_penalty(graph):
        forbidden = [
            p.masked_fill(p == torch.inf, 0.0)
            for p in (graph.penalties, graph.start_penalties, graph.final_penalties)
        ]
        return gtn.expected(
            graph, forbidden[0], start_values=forbidden[1], final_values=forbidden[2]
        )

    def where_finite(graph, numbers):
        return numbers.where(total(graph).isfinite(), torch.zeros_like(numbers))

    def once(graph):
        return gtn.determinize(graph, semiring="boolean")

    return {name: getattr(gtn, name) for name in gtn.__all__} | {
        "s": semiring,
        "inf": float("inf"),
        "one": gtn.string([], dtype=torch.float64),
        "zero": gtn.empty(dtype=torch.float64),
        "every": every,
        "rest": lambda graph: gtn.complement(graph, alphabet=range(LABELS)),
        "once": once,
        "total": total,
        "ends": ends,
        "plus": lambda p, q: -torch.logaddexp(-p, -q) if log else torch.minimum(p, q),
        "star": lambda p: torch.log(-torch.expm1(-p)) if log else torch.zeros_like(p),
        "first": lambda several: torch.stack(
            [
                paths.penalties.new_tensor(torch.inf)
                if not len(paths)
                else gtn.viterbi_penalty(paths)[0]
                for paths in several
            ]
        ),
        "mean_penalty": mean_penalty,
        "where_finite": where_finite,
        "minimum": torch.minimum,
    }


GRAPHS = {letter: graphs(letter) for letter in "abcxyzuvwklmn"}


def rows(table):
    """Each law in each of its semirings, named."""
    return [
        pytest.param(left, right, semiring, id=f"{name}, {semiring}")
        for name, (left, right, semirings) in table.items()
        for semiring in semirings
    ]


@pytest.mark.parametrize(("left", "right", "semiring"), rows(LAWS))
def test_equal_expressions(left, right, semiring):
    first, second = value(left, semiring), value(right, semiring)
    for i in range(COUNT):
        one, two = (g[i] if g.topology.is_batch else g for g in (first, second))
        assert_same_language(one, two, semiring, max_length=LONGEST, atol=1e-9, note=f"graphs {i}")
    if right not in ("zero", "one"):  # the law is not empty
        told = [language(g, semiring, LONGEST) for g in (first if first.topology.is_batch else ())]
        assert sum(map(bool, told)) > COUNT // 10


@pytest.mark.parametrize(("left", "right", "semiring"), rows(NUMBERS))
def test_equal_numbers(left, right, semiring):
    first, second = (value(text, semiring).detach() for text in (left, right))
    torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-9)
    if "total" in left:
        assert first.isfinite().any()


@pytest.mark.parametrize(
    ("left", "right", "semiring"),
    [
        row
        for row in rows(NUMBERS)
        if "mean_penalty" not in row.values[1] and "star" not in row.values[1]
    ],
)
def test_equal_gradients(left, right, semiring):
    generator = torch.Generator().manual_seed(0)
    given, inputs = {}, []
    for letter in letters(left, right):
        g = GRAPHS[letter]
        own = [
            (p + torch.rand(p.shape, generator=generator, dtype=p.dtype)).requires_grad_()
            for p in (g.penalties, g.start_penalties, g.final_penalties)
        ]  # in general position: no ties
        given[letter] = g.with_penalties(own[0], start_penalties=own[1], final_penalties=own[2])
        inputs += own
    first, second = (
        torch.autograd.grad(
            found.where(found.isfinite(), found.new_zeros(())).sum(), inputs, allow_unused=True
        )
        for found in (value(text, semiring, given) for text in (left, right))
    )
    for one, two, of in zip(first, second, inputs):
        one, two = (torch.zeros_like(of) if g is None else g for g in (one, two))
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("left", "right"),
    [("k | k", "k"), ("closure(k) + closure(k)", "closure(k)")],
)
def test_tropical_laws_fail_in_the_log_semiring(left, right):
    # so that the marks of the table are not arbitrary
    with pytest.raises(AssertionError, match="has penalty"):
        test_equal_expressions(left, right, "log")


def test_closure_of_a_closure_diverges_in_the_log_semiring():
    with pytest.raises(gtn.DivergentGraphError):
        gtn.forward_penalty(gtn.closure(gtn.closure(GRAPHS["k"])))
