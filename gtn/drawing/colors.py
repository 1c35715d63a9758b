"""Two colour ramps: from pale to dark blue, and from blue over grey to red."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACCENT", "Ramp"]

ACCENT = "#c8371b"
"""The colour of what is highlighted."""

_SEQUENTIAL = ("#c9d5e3", "#94b5d3", "#5790bf", "#2567a0", "#0b3c73")
_DIVERGING = ("#1f5fa8", "#7fa8d1", "#c9c9c9", "#dd8f78", "#b3261e")


@dataclass(frozen=True)
class Ramp:
    """Colours for values from ``low`` to ``high``.

    Values of both signs get the diverging ramp, symmetric around zero: positive (a penalty that the
    loss wants lower) is red, negative blue. Values of one sign get the sequential ramp.
    """

    low: float
    high: float
    stops: tuple[str, ...]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Ramp:
        """Return the ramp that suits some values.

        >>> Ramp.of(np.array([0.0, 0.5])).color(0.5), Ramp.of(np.array([-1.0, 2.0])).color(0.0)
        ('#0b3c73', '#c9c9c9')
        """
        low, high = float(values.min(initial=0)), float(values.max(initial=0))
        if low < 0 < high:
            high = max(-low, high)
            return cls(-high, high, _DIVERGING)
        if low < 0:
            return cls(low, 0.0, _SEQUENTIAL[::-1])
        return cls(0.0, high or 1.0, _SEQUENTIAL)

    def color(self, value: float) -> str:
        """Return the colour of a value as ``#rrggbb``; values beyond the ends get the ends."""
        place = float(np.clip((value - self.low) / (self.high - self.low), 0, 1))
        place *= len(self.stops) - 1
        i = min(int(place), len(self.stops) - 2)
        pairs = zip(_channels(self.stops[i]), _channels(self.stops[i + 1]), strict=True)
        mixed = [round(a + (b - a) * (place - i)) for a, b in pairs]
        return "#{:02x}{:02x}{:02x}".format(*mixed)


def _channels(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]
