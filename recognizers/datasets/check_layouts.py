"""Where things are on checks: families of layouts, and the layouts drawn from them.

Personal checks are alike, business checks are not: their amount is wherever a program printed it. A
family gives rough places; each layout of the family moves every thing a little, once and for all,
and chooses fonts and frames. Families of the part ``test`` have no layout in ``train``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FAMILIES", "Family", "Layout", "layouts"]

Place = tuple[float, float]
"""Left end and line of writing of a thing, as shares of the check's width and height."""


@dataclass(frozen=True)
class Family:
    """Rough places of things; ``numbers`` are further fields of digits with their names."""

    name: str
    kind: str
    amount: Place
    date: Place
    number: Place
    payer: Place
    bank: Place
    payee: Place
    words: Place
    signature: Place
    memo: Place | None = None
    numbers: tuple[tuple[str, float, float], ...] = ()
    headed: bool = False


@dataclass(frozen=True)
class Layout:
    """One printed form: a family, and what its printer chose.

    Attributes:
        name: the name of the family and the number of the layout.
        family: the family, with its places moved to those of this form.
        size: width and height in pixels, at 150 to the inch.
        font: the font of the form; ``typed``: the font of a program or machine that fills it in.
        frame: the frame of the amount: ``box``, ``line`` under it, ``shade`` or ``none``.
        sign: whether a currency sign is printed before the amount.
        by_hand: how often the amount is written by hand.
        pitch: size of the form's letters in pixels.
    """

    name: str
    family: Family
    size: tuple[int, int]
    font: str
    typed: str
    frame: str
    sign: bool
    by_hand: float
    pitch: int

    @property
    def kind(self) -> str:
        """The kind of checks: ``business`` or ``personal``."""
        return self.family.kind


B, P = "business", "personal"

FAMILIES: dict[str, tuple[Family, ...]] = {
    "train": (
        Family(
            "columns",
            B,
            (0.76, 0.46),
            (0.42, 0.46),
            (0.85, 0.11),
            (0.04, 0.09),
            (0.43, 0.09),
            (0.10, 0.62),
            (0.05, 0.34),
            (0.60, 0.80),
            None,
            (("VENDOR", 0.22, 0.46), ("CHECK", 0.60, 0.46)),
            True,
        ),
        Family(
            "classic",
            B,
            (0.78, 0.40),
            (0.74, 0.24),
            (0.86, 0.10),
            (0.04, 0.08),
            (0.42, 0.08),
            (0.14, 0.40),
            (0.05, 0.53),
            (0.60, 0.80),
            (0.05, 0.80),
            (("ACCOUNT", 0.42, 0.25),),
        ),
        Family(
            "lower",
            B,
            (0.74, 0.64),
            (0.74, 0.50),
            (0.86, 0.12),
            (0.05, 0.10),
            (0.46, 0.10),
            (0.10, 0.50),
            (0.10, 0.64),
            (0.58, 0.82),
            None,
            (("FED ID", 0.05, 0.36),),
        ),
        Family(
            "top",
            B,
            (0.70, 0.28),
            (0.44, 0.28),
            (0.85, 0.10),
            (0.04, 0.08),
            (0.44, 0.08),
            (0.12, 0.52),
            (0.08, 0.40),
            (0.60, 0.78),
            None,
            (("INVOICE", 0.06, 0.28), ("CLAIM", 0.06, 0.76)),
            True,
        ),
        Family(
            "left",
            B,
            (0.20, 0.50),
            (0.05, 0.38),
            (0.82, 0.12),
            (0.05, 0.09),
            (0.50, 0.10),
            (0.10, 0.66),
            (0.40, 0.50),
            (0.62, 0.80),
            None,
            (("PAYROLL", 0.60, 0.30),),
        ),
        Family(
            "voucher",
            B,
            (0.80, 0.52),
            (0.60, 0.38),
            (0.80, 0.38),
            (0.05, 0.10),
            (0.40, 0.10),
            (0.08, 0.66),
            (0.06, 0.52),
            (0.60, 0.84),
            (0.05, 0.84),
            (("BATCH", 0.40, 0.38), ("STORE", 0.80, 0.20)),
            True,
        ),
        Family(
            "home",
            P,
            (0.80, 0.43),
            (0.62, 0.24),
            (0.88, 0.12),
            (0.04, 0.10),
            (0.05, 0.67),
            (0.16, 0.43),
            (0.05, 0.56),
            (0.56, 0.82),
            (0.05, 0.82),
        ),
        Family(
            "bank above",
            P,
            (0.79, 0.48),
            (0.64, 0.30),
            (0.87, 0.13),
            (0.34, 0.10),
            (0.05, 0.28),
            (0.15, 0.48),
            (0.05, 0.60),
            (0.58, 0.82),
            (0.06, 0.82),
        ),
        Family(
            "money order",
            P,
            (0.74, 0.38),
            (0.40, 0.24),
            (0.80, 0.12),
            (0.05, 0.11),
            (0.05, 0.24),
            (0.14, 0.52),
            (0.06, 0.38),
            (0.52, 0.80),
            (0.05, 0.68),
            (("SERIAL", 0.70, 0.24),),
        ),
        Family(
            "date first",
            P,
            (0.81, 0.40),
            (0.08, 0.28),
            (0.88, 0.10),
            (0.30, 0.09),
            (0.06, 0.70),
            (0.18, 0.40),
            (0.05, 0.54),
            (0.54, 0.80),
            (0.05, 0.84),
        ),
    ),
    "test": (
        Family(
            "cascade",
            B,
            (0.72, 0.54),
            (0.72, 0.40),
            (0.72, 0.26),
            (0.05, 0.09),
            (0.40, 0.09),
            (0.10, 0.48),
            (0.06, 0.62),
            (0.56, 0.82),
            None,
            (("CONTRACT", 0.36, 0.28),),
        ),
        Family(
            "banner",
            B,
            (0.78, 0.34),
            (0.56, 0.34),
            (0.36, 0.34),
            (0.36, 0.09),
            (0.04, 0.09),
            (0.12, 0.58),
            (0.06, 0.46),
            (0.60, 0.80),
            (0.05, 0.80),
            (("PERIOD", 0.10, 0.34),),
            True,
        ),
        Family(
            "middle",
            B,
            (0.46, 0.50),
            (0.74, 0.38),
            (0.86, 0.12),
            (0.04, 0.10),
            (0.46, 0.10),
            (0.08, 0.66),
            (0.08, 0.38),
            (0.62, 0.80),
            None,
            (("FILE", 0.10, 0.52),),
        ),
        Family(
            "county",
            B,
            (0.80, 0.60),
            (0.60, 0.30),
            (0.84, 0.30),
            (0.30, 0.09),
            (0.05, 0.22),
            (0.12, 0.46),
            (0.06, 0.60),
            (0.60, 0.84),
            None,
            (("WARRANT", 0.80, 0.12),),
        ),
        Family(
            "wide",
            P,
            (0.78, 0.46),
            (0.50, 0.26),
            (0.86, 0.14),
            (0.05, 0.10),
            (0.36, 0.74),
            (0.12, 0.46),
            (0.06, 0.60),
            (0.60, 0.84),
            (0.05, 0.76),
        ),
        Family(
            "raised",
            P,
            (0.82, 0.36),
            (0.66, 0.18),
            (0.88, 0.08),
            (0.05, 0.08),
            (0.36, 0.22),
            (0.16, 0.36),
            (0.05, 0.50),
            (0.52, 0.78),
            (0.06, 0.70),
        ),
    ),
}
"""The families of each part."""

OF_A_FAMILY = 12
"""Layouts drawn from each family."""


def layouts(part: str) -> list[Layout]:
    """Return all layouts of a part, ``train`` or ``test``: always the same.

    Raises:
        ValueError: an unknown part.

    >>> len(layouts("train")), {one.kind for one in layouts("test")} == {"business", "personal"}
    (120, True)
    """
    if part not in FAMILIES:
        raise ValueError(f"part {part!r} is not one of {', '.join(FAMILIES)}")
    return [
        _drawn(family, number, np.random.default_rng([list(FAMILIES).index(part), f, number]))
        for f, family in enumerate(FAMILIES[part])
        for number in range(OF_A_FAMILY)
    ]


def _drawn(family: Family, number: int, rng: np.random.Generator) -> Layout:
    business = family.kind == "business"
    wide = int(rng.integers(1160, 1290) if business else rng.integers(880, 960))
    high = int(wide * (rng.uniform(0.38, 0.45) if business else rng.uniform(0.43, 0.48)))

    def moved(place: Place, most: float = 0.02) -> Place:
        return place[0] + rng.uniform(-most, most), place[1] + rng.uniform(-most, most)

    places = {
        name: moved(getattr(family, name))
        for name in ("amount", "date", "number", "payer", "bank", "payee", "words", "signature")
    }
    numbers = tuple((title, *moved((x, y))) for title, x, y in family.numbers)
    here = Family(
        family.name,
        family.kind,
        **places,
        memo=family.memo and moved(family.memo),
        numbers=numbers,
        headed=family.headed,
    )
    frames = ["box", "line", "shade", "none"]
    return Layout(
        name=f"{family.name} {number}",
        family=here,
        size=(wide, high),
        font=str(rng.choice(["sans", "serif", "times", "grotesque"])),
        typed=str(rng.choice(["mono", "mono bold", "sans", "times", "sans bold", "grotesque"])),
        frame=str(
            rng.choice(frames, p=[0.3, 0.15, 0.15, 0.4] if business else [0.65, 0.2, 0.1, 0.05])
        ),
        sign=bool(rng.random() < (0.45 if business else 0.95)),
        by_hand=0.12 if business else 0.92,
        pitch=int(rng.integers(11, 15)),
    )
