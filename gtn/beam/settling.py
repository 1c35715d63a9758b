"""Settling: hand out and forget the part of a search that all its tokens share."""

from __future__ import annotations

import numpy as np

from gtn.beam.cascade import Cascade, Followed, followed, on_paths
from gtn.beam.token_passing import Passed, Starts, TokenPassing
from gtn.product import Product

__all__ = ["Waiting", "nowhere"]


class Waiting:
    """All ways to the tokens that a search along a chain may follow next, the waiting tokens.

    Args:
        cascade: the graphs, with the chain as it is now.
        search: waits at the last node of the chain.

    Attributes:
        product: structure of all these ways; each ends at a waiting token, without penalty.

    Raises:
        GraphError: as :meth:`Cascade.check`.
    """

    def __init__(self, cascade: Cascade, search: TokenPassing) -> None:
        cascade.check(search)
        self._cascade, self._search = cascade, search
        self._passed, going = search.waiting()
        self._ways = followed(self._passed, search, going)
        self._tokens = np.flatnonzero(self._ways.tokens)  # of each node of the product
        self.product: Product = cascade.product_of(self._passed, search.starts, self._ways)

    def forget(self) -> int:
        """Make the search forget tokens and arcs that lie on no way to a waiting token.

        Returns:
            0: all nodes of the chain stay.
        """
        self._search.keep(self._ways.tokens, self._ways.arcs)
        return 0

    def settle(self, node: int) -> tuple[Product, int]:
        """Make the search begin at a node of the product, and forget all ways that avoid it.

        Returns:
            structure of all ways to that node, and how many nodes of the chain come before it.
        """
        passed, ways, search = self._passed, self._ways, self._search
        token = self._tokens[node]
        ended = np.zeros(len(ways.tokens), dtype=np.bool_)
        ended[token] = True
        started, begun = ways.started.copy(), passed.begun[ways.started]
        before, arcs = on_paths(passed, ways.arcs, begun, ended)
        started[started] = before[begun]
        settled = self._cascade.product_of(
            passed, search.starts, Followed(before, arcs, started, ended)
        )
        seed = np.array([token], dtype=np.int32)
        behind, arcs = on_paths(passed, ways.arcs, seed, ways.ended)
        new, chain = search.keep(behind, arcs), self._cascade.graphs[0].topology
        count = int(passed.tokens[token, 0])
        search.begin_at(int(new[token]), int(np.searchsorted(chain.src, count)))
        return settled, count

    def give_up(self) -> int:
        """Make a search without waiting tokens forget everything, and go on from the chain's end.

        Returns:
            how many nodes of the chain come before its end.
        """
        chain = self._cascade.graphs[0].topology
        self.forget()
        self._search.begin_later(chain.num_nodes - 1, chain.num_arcs)
        return chain.num_nodes - 1


def nowhere(cascade: Cascade) -> Product:
    """Return the structure of the empty path: one node without arcs."""
    width = len(cascade.graphs)
    none, one = np.empty((0, width + 2), dtype=np.int32), np.ones(1, dtype=np.bool_)
    offsets = np.array([0, 1], dtype=np.int32)
    begun = np.zeros(1, dtype=np.int32)
    entries = np.full((1, width), -1, dtype=np.int32)
    token = cascade.node_shifts[None].astype(np.int32)  # of no consequence
    passed = Passed(token, one, np.zeros(1), none, np.empty(0), begun, offsets)
    kept = Followed(one, np.empty(0, dtype=np.int64), one, one)
    return cascade.product_of(passed, Starts(token, np.zeros(1), offsets, entries), kept)
