"""Train the line reader: first on characters among neighbours, then on whole strings."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

import gtn
from demos.checkpoint import write_whole
from demos.run_state import RunState, moments_of, restore_moments
from demos.strings.labelled_lines import LabelledLines
from demos.strings.reader import StringReader
from demos.strings.settings import Settings
from recognizers.datasets.strings import FREE, PAPER, DigitStrings, Lines, line_input
from recognizers.losses import discriminative_loss

__all__ = ["STAGES", "train"]

STAGES = ("characters", "transducer", "strings")
"""The stages in order: the network on windows, the transducer alone, both on strings."""

STATE = "graph-transformer-networks/strings-state/1"
SAVE_EVERY = 500
BLOCK = 8
"""Batches of lines drawn at once and sorted by width."""


def train(
    digits: tuple[Tensor, Tensor],
    settings: Settings,
    out: Path,
    *,
    own: LabelledLines | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a reader, and write it after each stage to ``out/STAGE.safetensors``.

    ``out`` also holds ``settings.json``, ``log.jsonl``, ``metrics.json``, which is returned, and
    ``state.safetensors``, from which an interrupted run resumes with the same result.

    Args:
        digits: images uint8 ``[N, 28, 28]`` and labels ``[N]`` of single digits.
        own: the user's lines and texts, for a share of the batches of lines.

    Raises:
        CheckpointError: ``out`` holds a run of other settings or other lines.
    """
    torch.manual_seed(settings.seed)
    run = _Run(digits, own, settings, out)
    out.mkdir(parents=True, exist_ok=True)
    run.resume()
    write_whole(out / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")
    for stage in STAGES[STAGES.index(run.stage) :]:
        if stage != run.stage:
            run.begin(stage)
        run.go(progress)
    metrics = {
        "settings": asdict(settings),
        "seconds": run.seconds,
        "own_lines": 0 if own is None else len(own.called),
        "parameters": sum(p.numel() for p in run.reader.network.parameters()),
    }
    write_whole(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


class _Run:
    """Run the stages in turn; the state file holds all that the next step depends on."""

    def __init__(
        self,
        digits: tuple[Tensor, Tensor],
        own: LabelledLines | None,
        settings: Settings,
        out: Path,
    ) -> None:
        self.settings, self.out, self.own = settings, out, own
        run = {"settings": asdict(settings), "lines": [] if own is None else own.called}
        self.state = RunState(out, run, "other settings or other lines", STATE)
        self.reader = StringReader(settings.network, step=settings.step, seed=settings.seed)
        noisy = {"noise": settings.noise, "noisy": 0.5}
        self.data = [
            DigitStrings(*digits, recipe.with_noise(**noisy), seed=settings.seed + 1)
            for recipe in (PAPER, FREE)
        ]
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.block: tuple[int, list[Lines]] | None = None
        self._enter(STAGES[0])

    def begin(self, stage: str) -> None:
        """Begin another stage, from the reader that it starts with."""
        if (
            stage == "strings"
        ):  # starts from the characters: what the transducer learned is discarded
            self.reader.load_state_dict(
                StringReader.load(self.out / "characters.safetensors").state_dict()
            )
        self._enter(stage)

    def _enter(self, stage: str) -> None:
        self.stage, self.done = stage, 0
        network = list(self.reader.network.parameters())
        models = list(self.reader.models.parameters())
        s = self.settings
        groups = {
            "characters": [{"params": network, "top": s.character_rate}],
            "transducer": [{"params": models, "top": 0.05, "weight_decay": 0.0}],
            "strings": [
                {"params": network, "top": s.string_rate},
                {"params": models, "top": 10 * s.string_rate, "weight_decay": 0.0},
            ],
        }[stage]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=s.decay)

    def go(self, progress: bool) -> None:
        """Take the remaining steps of the stage, and write its reader."""
        steps = getattr(self.settings, self.stage)
        bar = tqdm(
            range(self.done, steps), desc=self.stage, unit="step", disable=not progress,
            initial=self.done, total=steps,
        )  # fmt: skip
        started, recent = time.perf_counter(), []
        for number in bar:
            self._rate(number / steps)
            # For drop-out:
            torch.manual_seed(1_000_003 * self.settings.seed + 10 * number)
            loss = self._loss(number)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.reader.parameters(), 5.0)
            self.optimizer.step()
            recent.append(loss.item())
            self.done = number + 1
            if self.done % SAVE_EVERY == 0 or self.done == steps:
                self.seconds[self.stage] += time.perf_counter() - started
                started = time.perf_counter()
                line = {"stage": self.stage, "step": self.done, "loss": float(np.mean(recent))}
                self.state.log(line)
                bar.set_postfix(loss=f"{line['loss']:.4f}")
                recent = []
                if self.done == steps:
                    self.reader.report = {"stage": self.stage, "settings": asdict(self.settings)}
                    self.reader.save(self.out / f"{self.stage}.safetensors")
                self._save()

    def _loss(self, number: int) -> Tensor:
        s = self.settings
        if self.stage == "characters":
            self.reader.train()
            width = self.reader.sdnn.field[1]
            windows, classes = self._drawn(number).windows(number, s.windows, width=width)
            with self._precision():
                penalties = self.reader.network(line_input(windows)).flatten(1)
            return discriminative_loss(penalties.float(), torch.from_numpy(classes))
        lines = self._lines(number)
        loss = gtn.nn.MMILoss(self.reader.models, infeasible="skip")
        learning = self.stage == "strings"
        self.reader.train(learning)
        with torch.set_grad_enabled(learning), self._precision():
            output = self.reader.output_of(lines.images, lines.widths)
        return loss(output.emissions.float(), lines.texts, lengths=output.lengths)

    def _precision(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16)

    def _drawn(self, number: int) -> DigitStrings:
        """Return strings of the paper's recipe or free ones, in their share."""
        return self.data[_is_of(self.settings.free, number)]

    def _lines(self, number: int) -> Lines:
        """Return batch ``number`` of lines of similar width."""
        block, place = divmod(number, BLOCK)
        if self.block is None or self.block[0] != block:
            lines = self._many_lines(block, BLOCK * self.settings.lines)
            order = np.argsort(lines.widths, kind="stable").reshape(BLOCK, -1)
            shuffled = np.random.default_rng([self.settings.seed, block]).permutation(BLOCK)
            self.block = (block, [_some(lines, order[i]) for i in shuffled])
        return self.block[1][place]

    def _many_lines(self, block: int, count: int) -> Lines:
        """Return the lines of a block: composed ones, or a share of the user's own."""
        if self.own is None:
            return self._drawn(block).batch(block, count)
        share = self.settings.own
        before = math.floor(block * share)  # Each kind is counted by itself.
        if _is_of(share, block):
            return self.own.batch(before, count)
        return self._drawn(block - before).batch(block - before, count)

    def _rate(self, share: float) -> None:
        """Set the learning rate: a short rise, then a cosine decay to zero."""
        height = (
            share / 0.05 if share < 0.05 else 0.5 * (1 + math.cos(math.pi * (share - 0.05) / 0.95))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = group["top"] * height

    def _save(self) -> None:
        self.state.save(
            {"reader": self.reader.state_dict(), "optimizer": moments_of(self.optimizer)},
            stage=self.stage,
            done=self.done,
            seconds=self.seconds,
        )

    def resume(self) -> None:
        """Resume from the state file, if there is one."""
        found = self.state.load()
        if found is None:
            return
        parts, about = found
        self._enter(about["stage"])
        self.done, self.seconds = about["done"], about["seconds"]
        self.reader.load_state_dict(parts["reader"])
        restore_moments(self.optimizer, parts.get("optimizer", {}))
        self.state.cut_log(self._has_taken)

    def _has_taken(self, line: dict[str, Any]) -> bool:
        """Return whether the run has already done the steps of a line of the log."""
        behind = STAGES.index(self.stage), self.done
        return (STAGES.index(line["stage"]), line["step"]) <= behind


def _is_of(share: float, number: int) -> bool:
    """Return whether a number is in an evenly spread share of all numbers."""
    return math.floor((number + 1) * share) > math.floor(number * share)


def _some(lines: Lines, chosen: np.ndarray) -> Lines:
    """Return some of the lines without their boxes, cropped to the widest of them."""
    widths = lines.widths[chosen]
    nothing = np.zeros((0, 4), dtype=np.int64)
    return Lines(
        lines.images[chosen][:, :, : widths.max()],
        widths,
        [lines.texts[i] for i in chosen],
        nothing[:, 0],
        nothing,
    )
