"""Courtesy amounts: the grammar graph of the check reader (paper, section X; T_gram).

The paper does not list its grammar; this one is built after the amounts in its Fig. 33,
``$ *** 3.45``, ``45/xx`` and ``$10,000.00``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from grammars.fill import with_fill
from grammars.strings import any_string
from gtn.builder import Builder
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.optimization import connect
from gtn.symbols import SymbolTable

__all__ = ["AMOUNT_SYMBOLS", "DIGITS", "FILLS", "FORMATS", "amounts", "courtesy_digits"]

DIGITS = "0123456789"

AMOUNT_SYMBOLS = DIGITS + "."
"""The output symbols of normalised amounts, such as ``1234.56``."""

FILLS = {"*": 1.0, "-": 1.0, "=": 1.0, ".": 1.0, "#": 1.0, " ": 0.0}
"""What writers put around an amount, with penalties; a space is not ink, and costs nothing."""

FORMATS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "us": {},
        "uk": {"currency": "£"},
        "de": {
            "currency": "€",
            "thousands": ".",
            "decimal": ",",
            "currency_behind": True,
            "dashed_cents": True,
        },
        "fr": {
            "currency": "€",
            "thousands": "",
            "decimal": ",",
            "currency_behind": True,
            "dashed_cents": True,
        },
        "ch": {"currency": "", "thousands": "'"},
    }
)
"""How amounts are written in some countries, as arguments of :func:`amounts`.

``us`` $1,234.56, ``uk`` £1,234.56, ``de`` 1.234,56 € or 1.234,-, ``fr`` 1234,56 €, ``ch`` 1'234.56
or 1'234.-.
"""

_NO_CENTS = ("no", "xx", "XX")
_HUNDRED = ("100", "xx", "XX")


def amounts(
    *,
    currency: str = "$",
    thousands: str = ",",
    decimal: str = ".",
    fills: Mapping[str, float] = FILLS,
    currency_behind: bool = False,
    dashed_cents: bool = False,
    max_digits: int = 7,
    grouping_penalty: float = 0.0,
    fraction_penalty: float = 0.5,
    no_cents_penalty: float = 1.0,
    bare_cents_penalty: float = 3.0,
) -> Graph:
    """Return the transducer from written courtesy amounts to normalised ones.

    An amount is written as fill, a currency sign, fill, the amount itself, fill; all but the
    amount may be missing. (Other countries: ``amounts(**FORMATS["de"])``.) The amount itself is
    one of these (input, output, what it is):

    ====================  ==========  ==========================================
    ``1250``, ``1,250``   ``1250``    whole; separators at every third digit, or none
    ``1,250.60``          ``1250.60`` with two decimals
    ``20 45/100``         ``20.45``   with cents as a fraction: of ``100``, ``xx`` or ``XX``; fill
                                      may stand before the cents
    ``20 no/100``         ``20.00``   no cents: ``no``, ``xx`` or ``XX``
    ``.45``, ``45/xx``    ``0.45``    cents alone
    ``1.250,-``           ``1250``    dashes in place of cents, with ``dashed_cents``
    ====================  ==========  ==========================================

    Whole amounts have no leading zeros (``0`` itself is one). Every (input, output) pair has
    exactly one path. With a fraction, an arc that reads nothing writes the point.

    Args:
        currency, thousands, decimal: one character each, or ``""`` for none.
        fills: the fill characters and the penalty of each; a point may be among them.
        currency_behind: the currency sign may also stand behind the amount, among fill.
        dashed_cents: a decimal may be followed by dashes. The dash must be among the fill, the
            decimal must not.
        max_digits: most digits of the whole amount.
        grouping_penalty: for each separator, in nats, like all penalties.
        fraction_penalty: for cents as a fraction; added to any other.
        no_cents_penalty: for a word in place of zero cents.
        bare_cents_penalty: for cents alone.

    The penalties are starting values: ``gtn.nn.Learned(amounts())`` makes them parameters.

    Raises:
        GraphError: ``max_digits`` below 1; more than one character, a character with two
            meanings, or fill that is part of an amount; ``dashed_cents`` without a dash among the
            fill, without a decimal, or with a decimal that is fill.

    >>> from gtn import SymbolTable, compose, string
    >>> from gtn.paths import path_text, viterbi_path
    >>> grammar = amounts()
    >>> for text in ["$***1,234.56", "$ 20 45/xx", "1,250-"]:
    ...     written = string(text, symbols=grammar.isymbols)
    ...     print(path_text(viterbi_path(compose(written, grammar))))
    1234.56
    20.45
    1250
    """
    if max_digits < 1:
        raise GraphError(f"max_digits is {max_digits}; an amount has at least one digit")
    _check_characters(currency, thousands, decimal, fills)
    if dashed_cents:
        _check_dashes(decimal, fills)
    inputs = "".join((DIGITS, currency, thousands, decimal, *fills, "/", *_NO_CENTS, *_HUNDRED))
    b = _Parts(inputs, fills)
    fronts = b.front(currency)
    # The fill behind an amount. It is never entered without reading, so whole amounts are final.
    behind = b.add_node(final=True)
    b.fill(behind, behind)
    wholes = b.wholes(fronts, thousands, max_digits, grouping_penalty)
    decimals, cents_end = b.decimals(behind)
    fraction, bare_fraction, fraction_end = b.fractions(behind, no_cents_penalty)

    for whole in wholes:
        b.fill(whole, behind)
        if decimal:
            b.add_arc(whole, decimals, decimal, ".")
        b.add_arc(whole, fraction, None, ".", penalty=fraction_penalty)
    bare = b.add_node()
    for front in fronts:
        b.add_arc(front, bare, None, "0", penalty=bare_cents_penalty)
    if decimal:
        b.add_arc(bare, decimals, decimal, ".")
    b.add_arc(bare, bare_fraction, None, ".", penalty=fraction_penalty)
    if dashed_cents:
        dashed = b.add_node()
        b.add_arc(dashed, behind, "-", None, penalty=fills["-"])
        for whole in wholes:
            b.add_arc(whole, dashed, decimal, None)
    if currency_behind and currency:
        signed = b.add_node(final=True)
        for end in (*wholes, cents_end, fraction_end, behind):
            b.add_arc(end, signed, currency, None)
        b.fill(signed, signed)
    return connect(b.build())


class _Parts(Builder):
    """The parts of a written amount, each added as nodes and arcs."""

    def __init__(self, inputs: str, fills: Mapping[str, float]) -> None:
        super().__init__(
            isymbols=SymbolTable(list(dict.fromkeys(inputs))), osymbols=SymbolTable(AMOUNT_SYMBOLS)
        )
        self._fills = fills

    def fill(self, node: int, then: int) -> None:
        """Add an arc for each character of fill."""
        for character, penalty in self._fills.items():
            self.add_arc(node, then, character, None, penalty=penalty)

    def digit(self, node: int, then: int, digits: str = DIGITS) -> None:
        """Add an arc for each digit."""
        for d in digits:
            self.add_arc(node, then, d, d)

    def word(self, node: int, text: str, outputs: str, then: int, penalty: float = 0.0) -> None:
        """Add a chain that reads a text and writes outputs with its first characters."""
        for i, character in enumerate(text):
            following = then if i == len(text) - 1 else self.add_node()
            output = outputs[i] if i < len(outputs) else None
            self.add_arc(node, following, character, output, penalty=penalty if i == 0 else 0.0)
            node = following

    def front(self, currency: str) -> list[int]:
        """Add fill, the currency sign, fill; return the nodes where the amount may begin."""
        fronts = [self.add_node(start=True)]
        self.fill(fronts[0], fronts[0])
        if currency:
            fronts.append(self.add_node())
            self.add_arc(fronts[0], fronts[1], currency, None)
            self.fill(fronts[1], fronts[1])
        return fronts

    def wholes(
        self, fronts: list[int], thousands: str, max_digits: int, penalty: float
    ) -> list[int]:
        """Add whole amounts; return the nodes where they end."""
        zero = self.add_node(final=True)
        # plain[n] is where n + 1 digits end; a separator leads to a group of three digits.
        plain = [self.add_node(final=True) for _ in range(max_digits)]
        for front in fronts:
            self.digit(front, zero, "0")
            self.digit(front, plain[0], DIGITS[1:])
        for n in range(1, max_digits):
            self.digit(plain[n - 1], plain[n])
        if not thousands:
            return [zero, *plain]
        grouped: dict[int, int] = {}
        for n in range(1, max_digits - 2):
            end_of_group = [plain[n - 1]] if n <= 3 else []
            end_of_group += [grouped[n]] if n in grouped else []
            begin, second, third = (self.add_node() for _ in range(3))
            for node in end_of_group:
                self.add_arc(node, begin, thousands, None, penalty=penalty)
            grouped[n + 3] = self.add_node(final=True)
            self.digit(begin, second)
            self.digit(second, third)
            self.digit(third, grouped[n + 3])
        return [zero, *plain, *grouped.values()]

    def decimals(self, behind: int) -> tuple[int, int]:
        """Add cents of two decimals; return the nodes after the point and at the end."""
        begin, tens, end = self.add_node(), self.add_node(), self.add_node(final=True)
        self.digit(begin, tens)
        self.digit(tens, end)
        self.fill(end, behind)
        return begin, end

    def fractions(self, behind: int, no_cents_penalty: float) -> tuple[int, int, int]:
        """Add cents as a fraction; return the nodes: begin after a whole, begin alone, end.

        Fill may stand between the whole amount and the fraction; fill before cents alone belongs
        to the front.
        """
        begin, spaced, alone = (self.add_node() for _ in range(3))
        self.fill(begin, spaced)
        self.fill(spaced, spaced)
        tens, numerator, denominator = (self.add_node() for _ in range(3))
        end = self.add_node(final=True)
        for node in (begin, spaced, alone):
            self.digit(node, tens)
        for node in (begin, spaced):
            for text in _NO_CENTS:
                self.word(node, text, "00", numerator, no_cents_penalty)
        self.digit(tens, numerator)
        self.add_arc(numerator, denominator, "/", None)
        for text in _HUNDRED:
            self.word(denominator, text, "", end)
        self.fill(end, behind)
        return begin, alone, end


def courtesy_digits(
    *,
    min_length: int = 1,
    max_length: int | None = 8,
    before: float = 1.0,
    between: float = 2.0,
    after: float = 1.0,
) -> Graph:
    """Return the grammar of amounts whose texts hold the digits only (the CAR profile).

    The pictures also hold currency signs, points, dashes and underlines, for which a recognizer
    of digits has no class: any piece may be read as fill, ``□:ε``, before, between and after the
    digits. Input labels 0 to 9 are the digits; 10 is fill, the rubbish class. The digits are
    unrolled by position, so that learned penalties hold a prior over lengths and over the digit
    at each position, and each place of fill has its own penalty. One path per (input, output).

    Args:
        min_length, max_length: how many digits. With ``max_length=None`` there is no prior: each
            digit has one penalty, wherever it stands after the first ``min_length``.
        before, between, after: the penalties of a piece of fill, in nats.

    >>> courtesy_digits(max_length=1)
    Graph: 2 nodes, 12 arcs, start 0, final 1
      0 -> 1  0    0
      0 -> 1  1    0
      ...
      0 -> 0  □:ε  1
      1 -> 1  □:ε  1
    """
    digits = any_string(DIGITS, min_length=min_length, max_length=max_length)
    return with_fill(digits, penalty={"before": before, "between": between, "after": after})


def _check_characters(
    currency: str, thousands: str, decimal: str, fills: Mapping[str, float]
) -> None:
    """Check that each character has one meaning; separators and decimals may be fill, too."""
    meaning = dict.fromkeys(DIGITS, "a digit")
    meaning |= {c: "in a fraction" for c in "".join(("/", *_NO_CENTS)) if c not in meaning}
    for name, character in (
        ("currency", currency),
        ("thousands", thousands),
        ("decimal", decimal),
    ):
        if len(character) > 1:
            raise GraphError(f"{name} is {character!r}; it is one character or none")
        if character in meaning:
            raise GraphError(f"{name} is {character!r}, which is {meaning[character]}, too")
        if character:
            meaning[character] = name
    for fill in fills:
        if len(fill) != 1:
            raise GraphError(f"fill {fill!r} is not one character")
        if fill in meaning and meaning[fill] not in ("thousands", "decimal"):
            raise GraphError(f"fill {fill!r} is {meaning[fill]}, too")


def _check_dashes(decimal: str, fills: Mapping[str, float]) -> None:
    """Check that dashes may stand in place of cents."""
    for is_so, wrong in (
        ("-" not in fills, "the dash is not among the fill"),
        (not decimal, "there is no decimal to stand before the dash"),
        (decimal in fills, f"the decimal {decimal!r} is itself fill"),
    ):
        if is_so:
            raise GraphError(f"dashed_cents: {wrong}")
