"""What a training pass goes through: segmented fields, drawn and distorted at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional
from tqdm import tqdm

import gtn
from demos.checks.ink import segment_files
from recognizers.datasets.fields import Field
from recognizers.distortion import Distortion
from recognizers.images import ImageError
from recognizers.segmentation import Segmentation
from recognizers.segmentation_graph import segmentation_graph

__all__ = ["Mixture", "Sample", "distorted_graphs", "rethicken", "segmented"]

DISTORTED = ("image", "surroundings")
"""Arc data that are pictures of ink, and are distorted at random in training."""


@dataclass
class Sample:
    """A field segmented as it is, and as views or variants of it are."""

    name: str
    text: str
    segmentations: list[Segmentation]


@dataclass(frozen=True)
class Mixture:
    """What one pass goes through: every field, and as many of the further ones as are drawn."""

    fields: list[Sample]
    further: list[Sample]
    drawn: int

    def __len__(self) -> int:
        """Return the number of fields of one pass."""
        return len(self.fields) + min(self.drawn, len(self.further))

    def draw(self, generator: torch.Generator) -> list[Sample]:
        """Return the fields of one pass, in the order in which they are seen."""
        count = len(self) - len(self.fields)
        chosen = torch.randperm(len(self.further), generator=generator)[:count].tolist()
        pool = [*self.fields, *(self.further[i] for i in chosen)]
        return [pool[i] for i in torch.randperm(len(pool), generator=generator).tolist()]


def segmented(
    fields: Sequence[Field], workers: int, progress: bool, *, variants: int = 0, views: int = 1
) -> tuple[list[Sample], list[str]]:
    """Segment all fields that can be read; return what was wrong with the others."""
    samples, problems = [], []
    results = segment_files([one.path for one in fields], workers, variants, views=views)
    bar = tqdm(results, total=len(fields), desc="segmenting", unit="field", disable=not progress)
    for one, (_, result) in zip(fields, bar, strict=True):
        if isinstance(result, ImageError):
            problems.append(str(result))
            tqdm.write(f"left out: {result}")
        else:
            samples.append(Sample(one.name, one.text, result))
    return samples, problems


def distorted_graphs(
    samples: Sequence[Sample],
    reads: Sequence[str],
    distort: Distortion,
    generator: torch.Generator,
) -> gtn.GraphBatch:
    """Return the batch of segmentation graphs of one variant each, their ink distorted."""
    chosen = [
        one.segmentations[int(torch.randint(len(one.segmentations), (1,), generator=generator))]
        for one in samples
    ]
    batch = gtn.GraphBatch.from_graphs([segmentation_graph(one) for one in chosen])
    drawn = {
        name: rethicken(distort(batch.data[name], generator), generator)
        for name in reads
        if name in DISTORTED
    }
    return batch.with_data(**drawn)


def rethicken(images: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Return images ``[A, 1, H, W]`` with strokes that are thicker or thinner, each at random."""
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
