"""Transducers that say what may be written: amounts, digit strings, words, regular expressions.

Elsewhere in the package:

- ``grammars.regex.regex``: any regular expression; ``grammars.amounts.amounts``: amounts of money.
- ``grammars.rewriting.rewrite``: rewrite rules with contexts, at learned penalties.
- ``grammars.words.read_words``, ``grammars.lexicon.lexicon``: lists of words as one transducer;
  ``grammars.frequent_words``: the most frequent words of a language;
  ``grammars.spellings.read_spellings``: words spelled in phones, word pieces or other symbols.
- ``grammars.ngram_counts.counted_ngrams``, ``grammars.arpa.read_arpa``: n-grams of words or of
  letters, from text or from a file; ``grammars.ngram.NGrams.graph``: as a graph with failure arcs.
- ``grammars.characters.character_models``: what the runs and blanks of a network's outputs spell.
- ``grammars.decoding.Decoder``: searches all of these together, by beam; its ``stream()`` reads
  while frames are still arriving.
"""

from grammars.amounts import courtesy_digits
from grammars.fill import RUBBISH, with_fill
from grammars.registry import NAMES, Grammar, named
from grammars.strings import any_string, fixed_length

__all__ = [
    "NAMES",
    "RUBBISH",
    "Grammar",
    "any_string",
    "courtesy_digits",
    "fixed_length",
    "named",
    "with_fill",
]
