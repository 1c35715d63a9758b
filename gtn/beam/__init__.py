"""Beam: pruned composition on the fly, for decoding with large lexicons and grammars.

- ``pruning``: the composition of several graphs, following only what is likely;
- ``cascade``: graphs that each read what the one before writes, laid out for the search;
- ``token_passing``: the search itself, its buffers and how they grow;
- ``settling``: the part that all tokens share, which the search may forget.

:mod:`gtn.streaming` searches frames that come piece by piece.
"""

from gtn.beam.pruning import checked_beam, pruned

__all__ = ["checked_beam", "pruned"]
