"""Transducers that say what may be written: amounts, digit strings, regular expressions.

Beside the names here: ``grammars.regex.regex`` and ``grammars.amounts.amounts``.
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
