"""The spotter: trained with the positions of digits, or only from which digits are on a page."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

import gtn
from demos.checkpoint import WEIGHTS, load_checkpoint, restored, save_checkpoint, write_whole
from demos.figures import machine
from demos.run_state import RunState, moments_of, restore_moments
from demos.strings.settings import SpotSettings
from recognizers.classes import DIGITS
from recognizers.datasets.pages import PageRecipe, Pages, draw_pages, present
from recognizers.datasets.strings import line_input
from recognizers.spotting import (
    IGNORED,
    Detection,
    Places,
    Pyramid,
    average_precision,
    detections,
    hits,
    somewhere,
    targets_of,
)
from recognizers.spotting.network import SpotNetwork

__all__ = [
    "TEST_PAGES",
    "Spotter",
    "evaluate_spotter",
    "shipped_spotter",
    "train_spotter",
]

KIND = "graph-transformer-networks/spotter/1"
STATE = "graph-transformer-networks/spotter-state/1"
SMALL = PageRecipe(side=64, digits=(1, 2), size=(1.0, 1.6), clutter=(0, 2), waves=(0, 0))
"""Pages with few places for a digit."""
WITH_SMALLER = PageRecipe(size=(0.8, 2.5))
"""Pages with digits below the smallest size asked for: otherwise many of that size are missed."""

TEST_PAGES = 500
TEST_SEED = 1998
SAVE_EVERY = 100


class Spotter(nn.Module):
    """Finds digits on pages, ``uint8 [H, W]``, 0 paper, from 20 to about 55 pixels high.

    >>> spotter = Spotter()
    >>> spotter.penalties(np.zeros((1, 64, 80), np.uint8)).shape
    torch.Size([1, 376, 11])
    """

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.network = SpotNetwork(DIGITS, generator=torch.Generator().manual_seed(seed))
        self.pyramid = Pyramid(self.network)
        self.report: dict[str, Any] = {}

    def penalties(self, pages: NDArray[np.uint8]) -> Tensor:
        """Return the penalties of all windows of pages ``uint8 [B, H, W]``: ``[B, N, C]``."""
        found: Tensor = self.pyramid(line_input(pages))
        return found

    @torch.no_grad()
    def spot(
        self, page: NDArray[np.uint8], *, least: float = -7.0, label: int | None = None
    ) -> list[Detection]:
        """Return the finds on a page, best first, down to the log probability ``least``.

        Without a ``label``, the best 200 of all digits; with one, all finds of that digit.
        """
        places = self.pyramid.places(*page.shape)
        most = 200 if label is None else None
        penalties = self.penalties(page[None])[0]
        return detections(penalties, places, least=least, most=most, label=label)

    def save(self, path: str | Path) -> None:
        """Write the spotter and the report of its training."""
        save_checkpoint(path, self.network.state_dict(), {"report": self.report}, kind=KIND)

    @classmethod
    def load(cls, path: str | Path) -> Spotter:
        """Return a spotter that :meth:`save` wrote.

        Raises:
            CheckpointError: the file is missing, or not such a checkpoint.
        """
        tensors, about = load_checkpoint(path, kind=KIND)
        spotter = cls()
        restored(lambda: spotter.network, tensors, path)
        spotter.report = about.get("report", {})
        return spotter.eval()


def shipped_spotter() -> Path:
    """Return the path of the shipped spotter."""
    return WEIGHTS / "strings-spotter.safetensors"


def loss_with_positions(penalties: Tensor, places: Places, pages: Pages) -> Tensor:
    """Return the mean over all objects of what their windows cost, and their share of the others.

    It is the discriminative loss (eq. 9) summed over all windows, divided by the number of objects.
    """
    rubbish = len(DIGITS)
    target = targets_of(places, pages.owner, pages.labels, pages.boxes, len(pages.images), rubbish)
    each = functional.cross_entropy(
        -penalties.flatten(0, 1),
        torch.from_numpy(target).flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )
    return each / max(1, len(pages.labels))


def loss_without_positions(penalties: Tensor, pages: Pages) -> Tensor:
    """Return the discriminative forward loss (eq. 17) of which digits are somewhere, for one page.

    For each digit all windows are parallel arcs between two nodes, beside the arc "nowhere" with
    penalty zero; a window's penalty is the digit's against rubbish.
    """
    count, windows, classes = penalties.shape
    rubbish = classes - 1
    against = penalties[..., :rubbish] - penalties[..., rubbish:]
    frames = functional.pad(against.transpose(1, 2), (0, 1))  # [B, digits, N + 1]
    there = present(pages).astype(np.int64).reshape(-1, 1)
    loss = gtn.nn.MMILoss(somewhere(windows), reduction="sum")
    return loss(frames.reshape(count * rubbish, 1, windows + 1), there.tolist()) / count


def train_spotter(
    digits: tuple[Tensor, Tensor], settings: SpotSettings, out: Path, *, progress: bool = True
) -> dict[str, Any]:
    """Train a spotter and write it to ``out/spotter.safetensors``; return the metrics.

    ``out`` also holds ``settings.json``, ``log.jsonl``, ``metrics.json`` and
    ``state.safetensors``, from which an interrupted run resumes with the same result.

    Raises:
        CheckpointError: ``out`` holds a run of other settings.
    """
    spotter = Spotter(seed=settings.seed)
    network = spotter.network
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=settings.decay)
    out.mkdir(parents=True, exist_ok=True)
    state = RunState(out, {"settings": asdict(settings)}, "other settings", STATE)
    done, seconds, lines = _resume(state, network, optimizer)
    write_whole(out / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")
    spotter.train()
    started, recent = time.perf_counter(), []
    bar = tqdm(range(done, settings.steps), unit="step", disable=not progress,
               initial=done, total=settings.steps)  # fmt: skip
    for number in bar:
        share = number / settings.steps
        height = share / 0.05 if share < 0.05 else 0.5 * (1 + math.cos(math.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * height
        torch.manual_seed(1_000_003 * settings.seed + number)  # for drop-out
        rng = np.random.default_rng([settings.seed + 1, number])
        if share < settings.small and not settings.positions:
            pages = draw_pages(*digits, SMALL, 4 * settings.pages, rng)
        else:
            recipe = WITH_SMALLER if settings.positions else PageRecipe()
            pages = draw_pages(*digits, recipe, settings.pages, rng)
        penalties = spotter.penalties(pages.images)
        if settings.positions:
            places = spotter.pyramid.places(*pages.images.shape[1:])
            loss = loss_with_positions(penalties, places, pages)
        else:
            loss = loss_without_positions(penalties, pages)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        recent.append(loss.item())
        if (number + 1) % SAVE_EVERY == 0 or number + 1 == settings.steps:
            seconds += time.perf_counter() - started
            started = time.perf_counter()
            lines.append({"step": number + 1, "loss": float(np.mean(recent))})
            bar.set_postfix(loss=f"{lines[-1]['loss']:.3f}")
            recent = []
            state.write_log(lines)
            tensors = {"network": network.state_dict(), "optimizer": moments_of(optimizer)}
            state.save(tensors, done=number + 1, seconds=seconds, log=lines)
    spotter.report = {"settings": asdict(settings), "seconds": seconds}
    spotter.eval().save(out / "spotter.safetensors")
    metrics = {"settings": asdict(settings), "seconds": seconds, "machine": machine()}
    write_whole(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


def evaluate_spotter(
    spotter: Spotter, digits: tuple[Tensor, Tensor], count: int = TEST_PAGES
) -> dict[str, Any]:
    """Return the average precision of each digit on fixed pages of MNIST's test digits.

    ``average_precision`` is the mean over the ten digits, ``of_digits`` each; ``n`` pages.
    """
    recipe = PageRecipe()
    pages = draw_pages(*digits, recipe, count, np.random.default_rng(TEST_SEED))
    scores: list[list[float]] = [[] for _ in DIGITS]
    good: list[list[bool]] = [[] for _ in DIGITS]
    started = time.perf_counter()
    for i, page in enumerate(pages.images):
        found = spotter.spot(page)
        here = pages.owner == i
        for one, hit in zip(found, hits(found, pages.labels[here], pages.boxes[here]), strict=True):
            scores[one.label].append(one.score)
            good[one.label].append(bool(hit))
    seconds = time.perf_counter() - started
    objects = np.bincount(pages.labels, minlength=len(DIGITS))
    each = [
        average_precision(np.array(s), np.array(g, dtype=np.bool_), int(n))
        for s, g, n in zip(scores, good, objects, strict=True)
    ]
    return {
        "n": count,
        "average_precision": float(np.mean(each)),
        "of_digits": dict(zip(DIGITS, each, strict=True)),
        "ms_per_page": 1000 * seconds / count,
    }


def _resume(
    state: RunState, network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, float, list[dict[str, Any]]]:
    """Return the steps and seconds that an interrupted run has done, and its log."""
    found = state.load()
    if found is None:
        return 0, 0.0, []
    parts, about = found
    network.load_state_dict(parts["network"])
    restore_moments(optimizer, parts.get("optimizer", {}))
    return about["done"], about["seconds"], about["log"]
