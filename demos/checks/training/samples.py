"""The samples of a training pass: prepared fields, drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm

from demos.checks.reading.views import Prepare, prepare_files
from recognizers.datasets.fields import Field
from recognizers.images import ImageError

__all__ = ["Mixture", "Sample", "prepared", "rethicken"]


@dataclass
class Sample:
    """A field, prepared as it is and in views or variants."""

    name: str
    text: str
    prepared: list[Any]


@dataclass(frozen=True)
class Mixture:
    """The fields of each pass: every field, and ``drawn`` of the further ones."""

    fields: list[Sample]
    further: list[Sample]
    drawn: int

    def __len__(self) -> int:
        """Return the number of fields of one pass."""
        return len(self.fields) + min(self.drawn, len(self.further))

    def draw(self, generator: torch.Generator) -> list[Sample]:
        """Return the fields of one pass in random order."""
        count = len(self) - len(self.fields)
        chosen = torch.randperm(len(self.further), generator=generator)[:count].tolist()
        pool = [*self.fields, *(self.further[i] for i in chosen)]
        return [pool[i] for i in torch.randperm(len(pool), generator=generator).tolist()]


def prepared(
    fields: Sequence[Field],
    prepare: Prepare,
    workers: int,
    progress: bool,
    *,
    variants: int = 0,
    views: int = 1,
) -> tuple[list[Sample], list[str]]:
    """Prepare all readable fields; also return what was wrong with the others."""
    samples, problems = [], []
    paths = [one.path for one in fields]
    results = prepare_files(paths, prepare, workers, variants, views=views)
    bar = tqdm(results, total=len(fields), desc="preparing", unit="field", disable=not progress)
    for one, (_, result) in zip(fields, bar, strict=True):
        if isinstance(result, ImageError):
            problems.append(str(result))
            tqdm.write(f"left out: {result}")
        else:
            samples.append(Sample(one.name, one.text, result))
    return samples, problems


def rethicken(images: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Return images ``[A, 1, H, W]`` with strokes made thicker or thinner at random."""
    thick, thin = _extremes(images, torch.maximum), _extremes(images, torch.minimum)
    share = 1.4 * torch.rand(len(images), 1, 1, 1, generator=generator) - 0.7
    return torch.where(
        share > 0, images + share * (thick - images), images - 0.5 * share * (thin - images)
    )


def _extremes(images: torch.Tensor, extreme: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Return the extreme of each pixel's 3x3 neighbours; faster than pooling with stride 1."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = extreme(extreme(padded[..., :-2, :], padded[..., 1:-1, :]), padded[..., 2:, :])
    return extreme(extreme(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])
