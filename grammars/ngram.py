"""Back-off n-grams, and their graphs with failure arcs.

An n-gram model says how likely each word is after the n - 1 before it. If it has not seen them
together, it backs off: it forgets the word furthest away and pays for that. In the graph, a node
is a history, an arc a word seen after it, and a failure arc leads to the shorter history. A failure
arc is followed only if the word was not seen, so the probabilities of the next word sum to one (an
epsilon arc in its place would count seen words twice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.symbols import BACK_OFF, EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = ["BACK_OFF", "BEGIN", "END", "UNKNOWN", "NGrams", "Order"]

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
"""Words of every vocabulary: before the first word, after the last, and for any unknown word."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Order:
    """The n-grams of one length, sorted by prefix, then by last word.

    Attributes:
        prefix: ``[M]``, index of the n-gram without its last word (0 for single words).
        word: ``[M]``, the last word.
        penalties: ``[M]``, in nats: minus log of the probability of the last word after the others.
        back_off: ``[M]``, in nats: the cost of forgetting the first word of this history.
        shorter: ``[M]``, index of the n-gram without its first word (-1 for single words).
    """

    prefix: Ints
    word: Ints
    penalties: Floats
    back_off: Floats
    shorter: Ints

    def __len__(self) -> int:
        return len(self.word)


class NGrams:
    """A back-off model: words, and n-grams of each length up to its order.

    :func:`grammars.ngram_counts.counted_ngrams` makes one from text,
    :func:`grammars.arpa.read_arpa` from a file.

    Args:
        words: the vocabulary, including ``<s>``, ``</s>`` and ``<unk>``; ``words[k]`` is word k.
        orders: the n-grams of length 1, 2, …; 1-gram k is word k. Without its first or its last
            word, each n-gram must be one of those one shorter.

    Raises:
        GraphError: a vocabulary that lacks one of the three, or has a word twice.
    """

    def __init__(self, words: Sequence[str], orders: Sequence[Order]) -> None:
        self.words = tuple(words)
        self.orders = tuple(orders)
        self.number = {word: k for k, word in enumerate(self.words)}
        if len(self.number) != len(self.words):
            raise GraphError("the vocabulary has a word twice")
        missing = [w for w in (BEGIN, END, UNKNOWN) if w not in self.number]
        if missing:
            raise GraphError(f"the vocabulary lacks {', '.join(missing)}")
        # Sorted, to be searched.
        self._keys = [o.prefix * len(self.words) + o.word for o in self.orders]

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.orders)

    def __repr__(self) -> str:
        return f"NGrams({' + '.join(str(len(o)) for o in self.orders)} n-grams)"

    # -- asking ---------------------------------------------------------------------------------

    def penalty(self, word: str, after: Sequence[str] = ()) -> float:
        """Return minus log of the probability of a word after others (the last order - 1 count).

        Unknown words count as ``<unk>``. O(order^2 log M).
        """
        unknown = self.number[UNKNOWN]
        ids = [self.number.get(w, unknown) for w in (*after[-(self.order - 1) :], word)]
        if self.order == 1:
            ids = ids[-1:]
        paid = 0.0
        for first in range(len(ids)):
            found = self.find(ids[first:])
            if found >= 0:
                return paid + float(self.orders[len(ids) - first - 1].penalties[found])
            history = self.find(ids[first:-1])
            if history >= 0 and first < len(ids) - 1:
                paid += float(self.orders[len(ids) - first - 2].back_off[history])
        raise AssertionError("a single word is always there")

    def find(self, ids: Sequence[int]) -> int:
        """Return the index of an n-gram of these words (by number); -1 if it is not there."""
        at = 0
        for length, k in enumerate(ids):
            key, keys = at * len(self.words) + k, self._keys[length]
            at = int(np.searchsorted(keys, key))
            if at == len(keys) or keys[at] != key:
                return -1
        return at

    # -- as a graph -----------------------------------------------------------------------------

    def graph(
        self,
        symbols: SymbolTable | None = None,
        *,
        scale: float = 1.0,
        unknown: Literal["forbid", "share"] = "forbid",
        back_off: str = BACK_OFF,
        dtype: torch.dtype | None = None,
    ) -> Graph:
        """Return the acceptor of sentences, with failure arcs: compositions back off along them.

        A sentence begins after ``<s>``, and ends with the final penalty of ``</s>``. Because of the
        failure arcs, its penalty is exactly minus log of its probability. For sums, best paths and
        samples, compose with the graph first: for those over all sentences, take
        ``any_string(letters) @ model.graph(letters)`` (:func:`grammars.strings.any_string`).

        Args:
            symbols: the output table of the graph before this one, such as ``lexicon.osymbols``;
                the vocabulary unless given. Words of the model that are not in it are left out.
                The symbol ``back_off`` is added unless it is there already, as it is after
                composition with another model.
            scale: factor of all penalties.
            unknown: words of the symbols that the model does not know: ``"forbid"`` has no arc
                for them, ``"share"`` gives each an equal share of the probability of ``<unk>`` (so
                that the sum stays one); ``<s>``, ``</s>`` and back-off symbols do not count.
            back_off: the symbol of failure arcs. If it is not ``gtn.BACK_OFF``, compositions and
                decoders need it as ``failure=``.
            dtype: of the penalties (torch's default dtype, unless given).

        Raises:
            GraphError: an unknown choice; a word of the model that is the back-off symbol; with
                ``"share"``, symbols that have both ``<unk>`` and words the model does not know.

        >>> import gtn
        >>> from grammars.ngram_counts import counted_ngrams
        >>> model = counted_ngrams(["abab", "abb"], order=2)
        >>> grammar = model.graph()
        >>> read = gtn.string("ab") @ grammar
        >>> bigrams = [model.penalty("a", ["<s>"]), model.penalty("b", ["a"]),
        ...            model.penalty("</s>", ["b"])]
        >>> abs(gtn.viterbi_penalty(read).item() - sum(bigrams)) < 1e-5
        True
        """
        if unknown not in ("forbid", "share"):
            raise GraphError(f"unknown={unknown!r}; it is 'forbid' or 'share'")
        table, label, strangers = self._labels(symbols, back_off, unknown)
        # Nodes are histories: the empty one, and the n-grams below the order that are continued.
        node, count = self._nodes()
        src, dst, labels, paid = [], [], [], []
        finals = {0: float(self.orders[0].penalties[self.number[END]])}
        begin, end, unk = (self.number[w] for w in (BEGIN, END, UNKNOWN))
        for n, grams in enumerate(self.orders):
            own = np.zeros(1, dtype=np.int64) if n == 0 else node[n - 1]
            # An n-gram that is no history itself leads to its longest suffix that is one.
            reached = node[n] if n + 1 < self.order else self._ends(node, n)
            written = (grams.word != end) & (grams.word != begin) & (label[grams.word] >= 0)
            src.append(own[grams.prefix[written]])
            dst.append(reached[written])
            labels.append(label[grams.word[written]])
            paid.append(grams.penalties[written])
            ending = grams.word == end
            finals |= dict(
                zip(own[grams.prefix[ending]].tolist(), grams.penalties[ending].tolist())
            )
            if len(strangers):
                these = np.flatnonzero(grams.word == unk)
                each = np.repeat(these, len(strangers))
                src.append(own[grams.prefix[each]])
                dst.append(reached[each])
                labels.append(np.tile(strangers, len(these)))
                paid.append(grams.penalties[each] + np.log(len(strangers)))
            if n + 1 < self.order:
                backs, bound = self._backing(node, n)
                src.append(backs[0])
                dst.append(backs[1])
                labels.append(np.full(len(bound), table.label(back_off)))
                paid.append(bound)
        ends = np.array(sorted(finals), dtype=np.int64)
        penalties = torch.from_numpy(scale * np.concatenate(paid))
        dtype = dtype or torch.get_default_dtype()
        start = 0 if self.order == 1 else int(node[0][begin])
        topology = Topology(
            count,
            np.concatenate(src),
            np.concatenate(dst),
            np.concatenate(labels),
            starts=[start],
            finals=ends,
            check=False,
        )
        return Graph(
            topology,
            penalties.to(dtype),
            start_penalties=torch.zeros(1, dtype=dtype),
            final_penalties=torch.tensor([scale * finals[n] for n in ends.tolist()], dtype=dtype),
            isymbols=table,
            osymbols=table,
        )

    def _labels(
        self, symbols: SymbolTable | None, back_off: str, unknown: str
    ) -> tuple[SymbolTable, Ints, Ints]:
        """Return the table with the back-off symbol, each word's label or -1, unknown labels."""
        given = symbols
        if given is None:
            given = SymbolTable([w for w in self.words if w not in (BEGIN, END)])
        if back_off in self.number:
            raise GraphError(f"{back_off!r} is a word of the model; choose another back_off")
        table = given.merged(SymbolTable([back_off]))
        known = set(self.words) - {BEGIN, END}
        label = np.array(
            [given.label(w) if w in known and w in given else EPSILON for w in self.words],
            dtype=np.int64,
        )
        strangers = []
        if unknown == "share":
            # The words here include <s> and </s>; back-off symbols are no words either.
            others = {*self.words, back_off, BACK_OFF}
            strangers = [given.label(w) for w in given if w not in others]
        if strangers and label[self.number[UNKNOWN]] >= 0:
            # Both <unk> itself and the words it stands for: which is meant would be unclear.
            raise GraphError(
                f"the symbols have {UNKNOWN!r} and words that the model does not know; leave one "
                "or the other out"
            )
        return table, label, np.array(strangers, dtype=np.int64)

    def _nodes(self) -> tuple[list[Ints], int]:
        """Return the node of each n-gram that is shorter than the order, and how many there are.

        An n-gram that nothing was seen after and that backs off for free shares the node of its
        longest such suffix.
        """
        node: list[Ints] = []
        count = 1
        for n, grams in enumerate(self.orders[:-1]):
            goes_on = np.zeros(len(grams), dtype=np.bool_)
            goes_on[self.orders[n + 1].prefix] = True
            goes_on |= grams.back_off != 0
            if n == 0:
                goes_on[self.number[BEGIN]] = True
            goes_on &= grams.word != self.number[END]
            own = np.where(goes_on, np.cumsum(goes_on) - 1 + count, -1)
            count += int(goes_on.sum())
            node.append(own)
            node[n] = np.where(goes_on, own, self._ends(node, n))
        return node, count

    def _ends(self, node: list[Ints], n: int) -> Ints:
        """Return the node of each n-gram of length n + 1 without its first word."""
        if n == 0:
            return np.zeros(len(self.orders[0]), dtype=np.int64)
        return node[n - 1][self.orders[n].shorter]

    def _backing(self, node: list[Ints], n: int) -> tuple[tuple[Ints, Ints], Floats]:
        """Return sources and destinations, and penalties, of failure arcs from n + 1 words."""
        grams = self.orders[n]
        shorter = self._ends(node, n)
        own = node[n] != shorter
        return (node[n][own], shorter[own]), grams.back_off[own]
