"""Reading by SDNN/HMM: a network swept over the word, character models on its outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from demos.words.reading.letters import LETTERS, letter_network, letter_penalties
from recognizers.online.amap import COLUMNS, ROWS, amaps_of
from recognizers.online.hmm import CharacterModels
from recognizers.online.ink import Ink
from recognizers.online.ink_batch import InkBatch
from recognizers.online.network import MAPS

__all__ = ["MARGIN", "HmmReading"]

MARGIN = (COLUMNS - 2) // 2
"""Free columns on both sides of a word, so that some window is centred on each of its columns."""

MOST_COLUMNS = 4096


class HmmReading(nn.Module):
    """The SDNN transformer and the character models of Fig. 31.

    With `halved` the products of the network are in half precision.
    """

    def __init__(
        self, output: str = "softmax", *, states: int = 1, maps: Sequence[int] = MAPS, seed: int = 0
    ) -> None:
        super().__init__()
        self.network = letter_network(output, maps, seed)
        self.models = CharacterModels(LETTERS, states=states)
        self.halved = False

    def images(
        self,
        words: Sequence[Ink],
        rng: np.random.Generator | None = None,
        strength: float = 1.0,
    ) -> tuple[Tensor, np.ndarray]:
        """Return annotated images [B, 5, 20, W] of normalised words, and output counts [B].

        With `rng` the words are distorted first.
        """
        batch = InkBatch.of(words)
        if rng is not None:
            batch = batch.distorted(rng, strength, turning=0.15)
        right = np.full(len(words), float(MARGIN))
        kept = np.flatnonzero(np.diff(batch.strokes[batch.inks]))
        if len(kept):
            starts = batch.strokes[batch.inks[:-1]][kept]
            right[kept] += np.maximum.reduceat(batch.points[:, 0], starts)
        columns = np.clip(np.ceil(right) + 1 + MARGIN, COLUMNS, MOST_COLUMNS).astype(np.int64)
        points = batch.points + np.array([MARGIN - 2.0, 0.0])
        drawn = amaps_of(points, batch.strokes, batch.inks, int(columns.max()), ROWS)
        return torch.from_numpy(drawn), (columns - COLUMNS) // 2 + 1

    def forward(self, images: Tensor) -> Tensor:
        """Return penalties [B, T, 27] of letters and rubbish at each position (nats)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.halved):
            found: Tensor = self.network(images.contiguous(memory_format=torch.channels_last))
        if found.dim() == 2:
            found = found[:, :, None, None]
        return letter_penalties(found[:, :, 0].transpose(1, 2))
