"""Rewrite rules with contexts, as transducers: for misreadings, spellings, pronunciations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from grammars.regex import regex
from grammars.rule_applications import acceptor, applications, leaders, least, merged
from gtn.batch import assemble, gather, rearranged, traced
from gtn.construction import from_arrays
from gtn.data import Sources
from gtn.epsilons import remove_epsilon
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.optimization import connect
from gtn.rational import reverse
from gtn.rational.relabelling import relabel
from gtn.symbols import BACK_OFF, EPSILON, SymbolTable, letter_labels
from gtn.topology import Topology

__all__ = ["BEGIN", "END", "rewrite"]

BEGIN = "[BOS]"
"""The symbol that a context reads at the beginning of the text, as in pynini."""

END = "[EOS]"
"""The symbol that a context reads at the end of the text, as in pynini."""

Direction = Literal["left-to-right", "right-to-left", "simultaneous"]
Text = str | Sequence[str]
"""A text of letters; or a sequence of its symbols, needed if some have several characters."""

Ints = NDArray[Any]

_DIRECTIONS = ("left-to-right", "right-to-left", "simultaneous")


def rewrite(
    change: Graph | Mapping[Text, Text],
    *,
    before: Graph | str | None = None,
    after: Graph | str | None = None,
    alphabet: SymbolTable | Iterable[str],
    direction: Direction = "left-to-right",
    optional: bool = False,
    max_nodes: int = 1_000_000,
) -> Graph:
    """Return the transducer of a rewrite rule: a change, and the contexts in which it is made.

    The rule reads every text over the alphabet. A part of the text that ``change`` reads, with
    ``before`` in front of it and ``after`` behind it, becomes what ``change`` writes; the rest is
    copied. This is the rule ``change / before __ after`` of phonology (Kaplan and Kay 1994; Mohri
    and Sproat 1996), and pynini's ``cdrewrite``. ``text @ rule`` applies the rule to a text; ``one
    @ two`` applies two rules, one after the other.

    Each way of applying the rule has one path. Its penalty is that of the paths of ``change`` on
    it, and gradients flow to them; copies cost nothing. The ``sources`` of arcs are arcs of
    ``change``. If its penalties need no gradient and it has no arc data, arcs of equal labels and
    penalty are merged, as long as each way keeps a path of its own: the rule is then the smallest
    that is deterministic in these labels and penalties.

    Contexts may overlap each other and the parts; changed parts do not overlap. Of overlapping
    parts, the one that begins first is changed; if several begin at the same place, each is, on a
    path of its own. An empty part is changed once per place: in front of another part or a letter,
    but not right behind a part. Paths of ``change`` that read and write nothing do not count.

    A change may be a dictionary of thousands of words. Time and memory are then mostly those of the
    rule itself: about as many nodes as the words have letters, each with an arc for each letter
    and, where a part may begin, for each pair of letters that begins one. Learned penalties keep
    the arcs of all words apart, so that each such node has as many arcs as there are words.

    Args:
        change: a transducer, or a mapping from texts to what they become, aligned letter by
            letter. A text with symbols of several characters is a tuple of its symbols:
            ``("[pl]",)``.
        before, after: contexts: acceptors without penalties, or regular expressions over the
            alphabet, as for :func:`grammars.regex.regex`. In an expression, ``^`` is the beginning
            of the text and ``$`` its end, as in ``before="^|[aeiou]"``; in a graph, the symbols
            ``BEGIN`` and ``END`` are. A dot and ``[^…]`` also read symbols of several characters,
            but only a graph can name one. ``None``: any context.
        alphabet: the symbols of texts, read or written: a table (its labels are kept), or the
            symbols of labels 0, 1, 2 …; ``gtn.BACK_OFF``, which failure arcs read, does not count.
        direction: ``"left-to-right"``: the rule sees what it has written in front of a part, and
            what is still to be read behind it; ``"right-to-left"``: the other way round, and of
            overlapping parts the last is changed; ``"simultaneous"``: it goes from left to right,
            but sees what is read on both sides.
        optional: whether a part may also stay unchanged.
        max_nodes: most nodes of any deterministic graph on the way.

    Raises:
        GraphError: a batch; a change without a path, or with a key or value that is not a text; a
            context that is a transducer, has a penalty or accepts nothing; a symbol that the
            alphabet lacks, or an alphabet that is a graph; an expression with a symbol of several
            characters, ``[BOS]`` or ``[EOS]``; another direction; too many nodes.
        DivergentGraphError: a cycle of the change that reads and writes nothing, and costs nothing.

    No German word ends in a voiced plosive:

    >>> import gtn
    >>> letters = "abcdefghijklmnopqrstuvwxyz"
    >>> devoicing = rewrite({"b": "p", "d": "t", "g": "k"}, after="$", alphabet=letters)
    >>> [gtn.path_text(gtn.string(word) @ devoicing) for word in ("hund", "hunde", "tag")]
    ['hunt', 'hunde', 'tak']

    English plurals: insert a vowel after sibilants, then remove the boundary:

    >>> vowel = rewrite({"": "e"}, before="([sxz]|[cs]h)[+]", after="s$", alphabet=letters + "+")
    >>> plural = vowel @ rewrite({"+": ""}, alphabet=letters + "+")
    >>> [gtn.path_text(gtn.string(word) @ plural) for word in ("cat+s", "box+s", "church+s")]
    ['cats', 'boxes', 'churches']

    Features are symbols of several characters:

    >>> symbols = [*letters, "[pl]"]
    >>> spoken = rewrite({("[pl]",): "s"}, before="[^aeiou]", alphabet=symbols)
    >>> spoken = spoken @ rewrite({("[pl]",): "ns"}, alphabet=symbols)
    >>> [gtn.path_text(gtn.string([*stem, "[pl]"]) @ spoken) for stem in ("trip", "auto")]
    ['trips', 'autons']

    A 0 between capitals may be a misread O, at a learned penalty:

    >>> import torch
    >>> penalty = torch.tensor([0.5], requires_grad=True)
    >>> confused = gtn.from_arcs([(0, 1, "0", "O")], final=1).with_penalties(penalty)
    >>> rule = rewrite(confused, before="[A-Z]", after="[A-Z]", alphabet="0123BOXY", optional=True)
    >>> readings = gtn.string("B0X10") @ rule
    >>> [gtn.path_text(path) for path in gtn.n_best(readings, 2)]
    ['B0X10', 'BOX10']
    >>> gtn.forward_penalty(readings).backward()
    >>> penalty.grad  # the posterior of the change
    tensor([0.3775])
    """
    if direction not in _DIRECTIONS:
        known = ", ".join(map(repr, _DIRECTIONS))
        raise GraphError(f"direction={direction!r}; known are {known}")
    letters = _Letters.of(alphabet)
    parts = _parts(_change(change, letters))
    left, right = _context("before", before, letters), _context("after", after, letters)
    turned = direction == "right-to-left"
    if turned:
        left, right = letters.turned(right), letters.turned(left)

    def ways(parts: Graph) -> Graph:
        found = applications(
            reverse(parts) if turned else parts,
            left,
            right,
            letters.count,
            sees_written=direction != "simultaneous",
            optional=optional,
            max_nodes=max_nodes,
        )
        return least(reverse(found) if turned else found, max_nodes)

    if parts.penalties.requires_grad or parts.data:
        return _rule(ways(parts), parts, letters)
    first = leaders(parts, letters.count)
    copies, changes = np.split(first, [letters.count])
    shared = _shared(parts, changes, max_nodes)
    if shared is not None:
        found = ways(shared)
        names = np.concatenate((copies, changes[shared.sources[0].index]))
        same = merged(found, names[found.ilabels], max_nodes)
        if same is not None:
            return _rule(same, parts, letters)
    found = ways(parts)
    same = merged(found, first[found.ilabels], max_nodes)
    return _rule(found if same is None else same, parts, letters)


@dataclass(frozen=True)
class _Letters:
    """An alphabet whose letters are numbered in the order of their labels.

    The last two of the ``count`` numbers are the beginning and the end of a text, for contexts.
    """

    table: SymbolTable
    labels: Ints

    @staticmethod
    def of(alphabet: SymbolTable | Iterable[str]) -> _Letters:
        if isinstance(alphabet, Graph):
            raise GraphError(
                "the alphabet is a graph; it is the symbols that texts are made of, such as the "
                "table of a graph, graph.isymbols"
            )
        table = alphabet if isinstance(alphabet, SymbolTable) else SymbolTable(alphabet)
        for symbol in (BEGIN, END):
            if symbol in table:
                raise GraphError(f"the alphabet has {symbol!r}, which is kept for contexts")
        return _Letters(table, letter_labels(table))

    @property
    def count(self) -> int:
        """Letters, and the two ends of a text."""
        return len(self.labels) + 2

    def numbers(
        self, labels: Ints, table: SymbolTable | None, what: str, beside: Mapping[str, int]
    ) -> Ints:
        """Return the numbers of a graph's labels; ``beside`` has those of symbols not letters."""
        used = np.unique(labels)
        found = np.full(len(used), EPSILON)
        for i in np.flatnonzero(used != EPSILON):
            if table is None:
                raise GraphError(f"{what} has no symbol table; give it one with with_symbols")
            symbol = table.symbol(used[i])
            if symbol in self.table and symbol != BACK_OFF:
                # As their dtype: with a Python int each search would copy all of them.
                label = self.labels.dtype.type(self.table.label(symbol))
                found[i] = np.searchsorted(self.labels, label)
            elif symbol in beside:
                found[i] = beside[symbol]
            else:
                raise GraphError(f"{what} has {symbol!r}, which the alphabet lacks")
        return found[np.searchsorted(used, labels)]

    def turned(self, context: Graph | None) -> Graph | None:
        """Return a numbered context reversed, with the ends of the text swapped."""
        if context is None:
            return None
        number = np.append(np.arange(self.count), EPSILON)  # [-1] is epsilon
        number[[-3, -2]] = number[[-2, -3]]
        turned = reverse(context).topology
        return acceptor(turned, number[turned.ilabels])


def _change(given: Graph | Mapping[Text, Text], letters: _Letters) -> Graph:
    """Return the change with its letters numbered."""
    if isinstance(given, Mapping):
        given = _spelled(given, letters.table)
    if not isinstance(given, Graph):
        raise GraphError(
            "a change is a graph, or a mapping from texts to what becomes of them, "
            f"as of dict(pairs); not {type(given).__name__}"
        )
    if given.topology.is_batch:
        raise GraphError("a change is a single graph, not a batch; make it one with united()")
    inputs = letters.numbers(given.ilabels, given.isymbols, "the input of the change", {})
    outputs = letters.numbers(given.olabels, given.osymbols, "the output of the change", {})
    return relabel(given.with_symbols(None, None), inputs, outputs)


def _spelled(pairs: Mapping[Text, Text], table: SymbolTable) -> Graph:
    """Return the transducer of pairs of texts, aligned letter by letter."""
    reads: list[int] = []
    writes: list[int] = []
    lengths: list[int] = []
    for read, written in pairs.items():
        if not (_is_text(read) and _is_text(written)):
            raise GraphError(
                f"the change {read!r}: {written!r} is not a pair of texts, or of tuples of symbols"
            )
        lacking = next((symbol for symbol in (*read, *written) if symbol not in table), None)
        if lacking is not None:
            raise GraphError(
                f"the change {read!r}: {written!r} has {lacking!r}, which the alphabet lacks"
                + _in_tuples(read, written, table)
            )
        longer = max(len(read), len(written))
        if longer:
            lengths.append(longer)
            for labels, text in ((reads, read), (writes, written)):
                labels.extend(map(table.label, text))
                labels.extend([EPSILON] * (longer - len(text)))
    # Each pair leads from node 0 to node 1, through nodes of its own.
    count, arcs = np.array(lengths, dtype=np.int64), np.arange(len(reads))
    past = np.cumsum(count)
    own = 2 + arcs - np.repeat(np.arange(len(count)), count)
    src, dst = own - 1, own.copy()
    src[past - count], dst[past - 1] = 0, 1
    return from_arrays(
        src,
        dst,
        np.array(reads, dtype=np.int64),
        np.array(writes, dtype=np.int64),
        final=1,
        num_nodes=2 + len(arcs) - len(count),
        symbols=table,
    )


def _is_text(given: Any) -> bool:
    symbols = given if isinstance(given, tuple | list) else [given]
    return all(isinstance(symbol, str) for symbol in symbols)


def _in_tuples(read: Text, written: Text, table: SymbolTable) -> str:
    """Return advice for the error if a text holds a symbol of several characters, else nothing."""
    for text in (read, written):
        wide = _first_inside(text, table) if isinstance(text, str) else None
        if wide is not None:
            return f"; a text with the symbol {wide!r} is a tuple of its symbols"
    return ""


def _first_inside(text: str, table: SymbolTable) -> str | None:
    """Return the first symbol of several characters that a text holds; None if it holds none."""
    return next((x for x in table if len(x) > 1 and x != BACK_OFF and x in text), None)


def _expressed(pattern: str, table: SymbolTable) -> Graph:
    """Return the acceptor of an expression over a table.

    In the expression, a character that no text has stands for each symbol of several characters.
    """
    wide = [symbol for symbol in table if len(symbol) != 1 and symbol != BACK_OFF]
    private = map(chr, range(0xF0000, 0x110000))
    unused = (c for c in private if c not in table and c not in pattern)
    character = dict(zip(wide, unused))
    if len(character) < len(wide):
        raise GraphError(
            f"an expression over {len(wide)} symbols of several characters; there may be "
            f"{len(character)}, so give a graph"
        )
    symbol = {c: s for s, c in character.items()}
    narrow = SymbolTable({table.label(s): character.get(s, s) for s in table})
    found = regex(pattern, symbols=narrow, begin=BEGIN, end=END)
    assert found.isymbols is not None
    names = {found.isymbols.label(s): symbol.get(s, s) for s in found.isymbols}
    named = SymbolTable(names)
    return found.with_symbols(named, named)


def _context(name: str, given: Graph | str | None, letters: _Letters) -> Graph | None:
    """Return the acceptor of a context with its letters and ends numbered."""
    if given is None:
        return None
    if isinstance(given, str):
        for end, sign in ((BEGIN, "^"), (END, "$")):
            if end in given:
                raise GraphError(
                    f"{name} is an expression, in which {end!r} is one of the letters in brackets; "
                    f"that end of the text is {sign!r}"
                )
        wide = _first_inside(given, letters.table)
        if wide is not None:
            raise GraphError(
                f"{name} is an expression, of characters, in which {wide!r} is not the symbol of "
                "the alphabet; give a graph, as of gtn.strings(texts, symbols=alphabet).united()"
            )
        given = _expressed(given, letters.table)
    check_graph(given)
    if given.topology.is_batch:
        raise GraphError(f"{name} is a single graph, not a batch")
    if not given.topology.is_acceptor or given.isymbols != given.osymbols:
        raise GraphError(f"{name} is a transducer; a context is an acceptor: project it")
    ends = {BEGIN: letters.count - 2} if name == "before" else {END: letters.count - 1}
    numbers = letters.numbers(given.ilabels, given.isymbols, name, ends)
    for what in (given.penalties, given.start_penalties, given.final_penalties):
        if (what != 0).any():
            raise GraphError(f"{name} has penalties; those of a rule are those of its change")
    context = connect(acceptor(given.topology, numbers))
    if not context.num_nodes:
        raise GraphError(f"{name} accepts nothing, so that nothing is ever changed")
    return context


def _parts(change: Graph) -> Graph:
    """Return the change with one start that no arc enters and one final that no arc leaves.

    Start and final penalties move onto the arcs, which then show where a path begins and ends.
    """
    speaking = remove_epsilon(change)
    t = speaking.topology
    start_of = np.full(t.num_nodes, -1, dtype=np.int32)
    start_of[t.starts] = np.arange(len(t.starts), dtype=np.int32)
    begins, ends = start_of[t.src], t.final_of_nodes[t.dst]
    arcs, src, dst, starts, finals = [], [], [], [], []
    for first in (False, True):
        for last in (False, True):
            own = np.flatnonzero(~(first & (begins < 0)) & ~(last & (ends < 0))).astype(np.int32)
            arcs.append(own)
            src.append(np.full(len(own), t.num_nodes) if first else t.src[own])
            dst.append(np.full(len(own), t.num_nodes + 1) if last else t.dst[own])
            starts.append(begins[own] if first else np.full(len(own), -1, dtype=np.int32))
            finals.append(ends[own] if last else np.full(len(own), -1, dtype=np.int32))
    source = np.concatenate(arcs)
    topology = Topology(
        t.num_nodes + 2,
        np.concatenate(src),
        np.concatenate(dst),
        t.ilabels[source],
        t.olabels[source],
        starts=[t.num_nodes],
        finals=[t.num_nodes + 1],
    )
    penalties = (
        gather(speaking.penalties, source)
        + gather(speaking.start_penalties, np.concatenate(starts))
        + gather(speaking.final_penalties, np.concatenate(finals))
    )
    sources = Sources(source)
    zero = penalties.new_zeros(1)
    whole = assemble(
        topology, penalties, zero, zero, data=speaking.data.take(sources), sources=(sources,)
    )
    whole = traced(whole, speaking)
    parts = traced(connect(whole), whole)
    if not parts.num_arcs:
        raise GraphError("the change has no path that reads or writes anything")
    return parts


def _shared(parts: Graph, leaders: Ints, max_nodes: int) -> Graph | None:
    """Return parts with the same paths, those that begin or end alike sharing arcs.

    The sources of the result are arcs of the parts. None if that would merge two paths.

    Args:
        parts: those of many words, say.
        leaders: a number for each arc, shared by all arcs of equal labels and penalty.
    """
    _, arc, kind = np.unique(leaders, return_index=True, return_inverse=True)
    found = merged(parts, arc[kind], max_nodes)
    if found is None:
        return None
    arcs = found.ilabels
    topology = found.topology.relabelled(parts.ilabels[arcs], parts.olabels[arcs])
    given = np.full(len(found.starts), -1), np.full(len(found.finals), -1)  # on the arcs
    shared = rearranged(parts, topology, arcs, *(end.astype(np.int32) for end in given))
    return traced(_parts(shared), shared)


def _rule(ways: Graph, parts: Graph, letters: _Letters) -> Graph:
    """Return the transducer of the ways, with the penalties and data of the change."""
    t = ways.topology
    labels = np.append(letters.labels, np.int32(EPSILON))  # [-1] is epsilon
    source = np.maximum(t.ilabels - np.int32(letters.count), np.int32(-1))
    ilabels, olabels = (
        labels[np.where(source < 0, t.ilabels, side[source])]
        for side in (parts.ilabels, parts.olabels)
    )
    topology = t.relabelled(ilabels, None if np.array_equal(ilabels, olabels) else olabels)
    starts, finals = (np.full(len(nodes), -1, dtype=np.int32) for nodes in (t.starts, t.finals))
    rule = rearranged(parts, topology, source, starts, finals)
    return traced(rule, parts).with_symbols(letters.table, letters.table)
