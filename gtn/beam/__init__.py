"""Beam: pruned composition on the fly, for decoding with large lexicons and grammars.

- ``pruning``: the composition of several graphs, of which only what is likely is followed;
- ``cascade``: graphs of which each reads what the one before it writes, laid out for the search;
- ``token_passing``: the search itself, its buffers and how they grow;
- ``settling``: what all its tokens have behind them, which it may forget.

Frames that come piece by piece are searched by :mod:`gtn.streaming`.
"""

from gtn.beam.pruning import check_beam, pruned

__all__ = ["check_beam", "pruned"]
