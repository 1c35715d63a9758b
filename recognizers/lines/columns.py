"""Convolutions from the pixels of a line to a vector for each column, shared by two networks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from recognizers.convolutions import convolution

__all__ = ["COLUMN", "HEIGHT", "MAPS", "column_layers"]

HEIGHT = 40
"""Height of a line in pixels."""

MAPS = (16, 32, 48, 64, 64)
"""Maps of the five convolutions over the image, unless said otherwise."""

COLUMN = 96
"""Units of a column's vector, unless said otherwise."""


def column_layers(
    maps: Sequence[int] = MAPS, column: int = COLUMN, *, along: int = 1
) -> list[nn.Module]:
    """Return the layers from ``[B, 1, 40, W]`` to ``[B, column, 1, W / 4]``.

    Five convolutions; a stride and two poolings divide the height by eight and the width by four,
    and a sixth convolution collapses a column to a vector. Few maps at full size, and pooling
    before normalisation, make them fast on a CPU. The image is padded above and below.

    Args:
        maps: of the five convolutions.
        column: units of a column's vector.
        along: 1 to pad at the ends of the line, too; 0 for layers that can be swept, which give
            eight outputs less.

    >>> sum(isinstance(layer, nn.Conv2d) for layer in column_layers())
    6
    """
    a, b, c, d, e = maps
    edge = (1, along)
    return [
        *convolution(1, a, 5, stride=2, padding=(2, 2 * along)),  # 20 rows
        *convolution(a, b, 3, padding=edge, pool=2),  # 10 rows
        *convolution(b, c, 3, padding=edge),
        *convolution(c, d, 3, padding=edge, pool=(2, 1)),  # 5 rows
        *convolution(d, e, 3, padding=edge),
        *convolution(e, column, (HEIGHT // 8, 1)),
    ]
