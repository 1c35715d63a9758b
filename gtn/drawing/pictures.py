"""Pictures on arcs: the rows of arc data as small grey PNG images."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.errors import DataError
from gtn.graph import Graph

__all__ = ["Picture", "pictures_of", "png"]


@dataclass(frozen=True)
class Picture:
    """A picture of H x W pixels, as a data URI."""

    uri: str
    height: int
    width: int


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a grey image ``uint8 [H, W]`` as a PNG file.

    >>> png(np.zeros((1, 1), np.uint8))[:4]
    b'\\x89PNG'
    """
    height, width = pixels.shape

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    rows = np.hstack([np.zeros((height, 1), np.uint8), pixels]).tobytes()  # 0: no row filter
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def pictures_of(graph: Graph, images: Any, ink: str = "high") -> list[Picture | None]:
    """Return the picture of each arc, dark ink on white; ``None`` where an arc has none.

    Args:
        graph: of A arcs.
        images: a key of arc data, or ``[A, H, W]`` or ``[A, 1, H, W]``; ``None``: no pictures.
        ink: whether ``"high"`` or ``"low"`` values are ink. All pictures of a drawing share one
            scale from white to black, so that they can be compared.

    Raises:
        DataError: an unknown key, another shape, NaN or infinite values, naming the arc.
    """
    if ink not in ("high", "low"):
        raise DataError(f"ink={ink!r}; it is 'high' or 'low', the values that are ink")
    if images is None:
        return [None] * graph.num_arcs
    present = np.ones(graph.num_arcs, dtype=np.bool_)
    if isinstance(images, str):
        column = graph.data.column(images)
        if column.sources.offsets is None:
            present = column.sources.index >= 0
        images = column.values()
    if isinstance(images, torch.Tensor):
        images = images.detach().cpu().numpy()
    values = np.asarray(images, dtype=np.float64)
    if values.ndim == 4 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 3 or len(values) != graph.num_arcs or 0 in values.shape[1:]:
        raise DataError(
            f"images must be [{graph.num_arcs}, H, W] for {graph.num_arcs} arcs, "
            f"not {list(values.shape)}"
        )
    wrong = ~np.isfinite(values).all((1, 2)) & present
    if wrong.any():
        raise DataError(f"the image of arc {int(np.argmax(wrong))} has values that are not finite")
    shown = values[present]
    low, high = (shown.min(), shown.max()) if shown.size else (0.0, 1.0)
    grey = np.clip((values - low) / (high - low or 1.0), 0, 1)
    grey = np.rint(255 * (1 - grey if ink == "high" else grey)).astype(np.uint8)
    return [
        Picture(_uri(pixels), *pixels.shape) if there else None
        for pixels, there in zip(grey, present.tolist(), strict=True)
    ]


def _uri(pixels: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")
