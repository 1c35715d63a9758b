"""Train and test the network on isolated characters, the first phase of section IX."""

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

from demos.checkpoint import load_checkpoint, restored, save_checkpoint
from demos.figures import keep_figures
from demos.run_state import (
    RunState,
    averaged,
    in_order,
    moments_of,
    numbered,
    restore_moments,
)
from demos.words.samples.characters import CLASSES, KINDS, Characters
from demos.words.training.settings import CharacterSettings
from recognizers.losses import discriminative_loss
from recognizers.online.network import AmapNetwork

__all__ = ["KIND", "errors_of", "load_network", "penalties_of", "train_characters"]

KIND = "graph-transformer-networks/characters/1"


def train_characters(
    training: Characters,
    validation: Characters,
    settings: CharacterSettings,
    out: str | Path,
    *,
    progress: bool = True,
) -> AmapNetwork:
    """Train a network by eq. 9; resume an interrupted run from `out/state.safetensors`.

    Writes `config.json`, a line of `log.jsonl` for each pass, and the network,
    `out/network.safetensors`. Interrupted or not, the same settings and data give the same network.

    Raises:
        CheckpointError: the state in `out` is of other settings or other data.
    """
    loop = _Loop(training, settings, Path(out))
    loop.resume()
    keep_figures(loop.out / "config.json", loop.run)
    while len(loop.passes) < settings.passes:
        loop.one_pass(validation, progress)
    network = loop.averaged()
    about = {"run": loop.run, "passes": len(loop.passes), "settings": network.settings}
    save_checkpoint(loop.out / "network.safetensors", network.state_dict(), about, kind=KIND)
    return network


class _Loop:
    """Train in passes over characters; the state file holds all that the next pass depends on."""

    def __init__(self, training: Characters, settings: CharacterSettings, out: Path) -> None:
        if not len(training):
            raise ValueError("there is no character to train on: no listed writer of the training")
        self.training, self.settings, self.out = training, settings, out
        self.labels = torch.from_numpy(training.labels)
        kinds = [k for k, (_, classes) in enumerate(KINDS.values()) for _ in classes]
        self.kind_of = torch.tensor(kinds)
        self.run = {**asdict(settings), "characters": len(training)}
        self.state = RunState(out, {"run": self.run}, "other settings or other data", KIND)
        self.network = AmapNetwork(
            CLASSES,
            settings.output,
            adaptive=settings.output == "rbf",
            maps=settings.maps,
            initialization="unit-variance",
            generator=torch.Generator().manual_seed(settings.seed),
        )
        self.parameters = list(self.network.parameters())
        self.average = [p.detach().clone() for p in self.parameters]
        self.optimizer = torch.optim.Adam([{"params": [p]} for p in self.parameters])
        self.steps = -(-len(training) // settings.batch)
        self.passes: list[dict[str, Any]] = []

    def _set_rates(self, step: int) -> None:
        settings, total = self.settings, self.steps * self.settings.passes
        rate = settings.rate * min(1.0, (step + 1) / self.steps)
        rate *= 0.5 + 0.5 * math.cos(math.pi * step / total)
        is_fixed = step < settings.fixed * total
        for group in self.optimizer.param_groups:
            centres = settings.output == "rbf" and group["params"][0] is self.network.out.centres
            group["lr"] = 0.0 if centres and is_fixed else rate

    def one_pass(self, validation: Characters, progress: bool) -> None:
        """Go through the characters once, log it, and write the state."""
        number, settings = len(self.passes), self.settings
        rng = np.random.default_rng([settings.seed, number])
        started = time.perf_counter()
        total = wrong = 0.0
        chunks = np.array_split(rng.permutation(len(self.training)), self.steps)
        bar = tqdm(chunks, f"pass {number + 1}", disable=not progress, leave=False)
        for step, chosen in enumerate(bar, number * self.steps):
            self._set_rates(step)
            drawn = self.training.ink.take(chosen).distorted(rng, settings.distortion)
            targets = self.labels[chosen]
            images = torch.from_numpy(drawn.amaps())
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
                penalties = self.network(images.contiguous(memory_format=torch.channels_last))
            loss = self._loss(penalties, targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                share = max(1.0 / settings.averaging, 1.0 / (1.0 + 0.1 * step))
                torch._foreach_lerp_(self.average, [*self.parameters], share)
            total += float(loss.detach()) * len(chosen)
            wrong += int((penalties.detach().argmin(1) != targets).sum())
        line: dict[str, Any] = {
            "pass": number + 1,
            "loss": total / len(self.training),
            "wrong": wrong / len(self.training),
            "validation": errors_of(self.averaged(), validation),
            "seconds": time.perf_counter() - started,
        }
        self.passes.append(line)
        self._save()
        if progress:
            tqdm.write(json.dumps(line))

    def _loss(self, penalties: Tensor, targets: Tensor) -> Tensor:
        """Return eq. 9 among the classes of each character's kind, and among all."""
        share = self.settings.among_kind
        among = penalties.masked_fill(self.kind_of[targets][:, None] != self.kind_of, torch.inf)
        of_kind, of_all = (discriminative_loss(p, targets) for p in (among, penalties))
        return share * of_kind + (1.0 - share) * of_all

    def averaged(self) -> AmapNetwork:
        """Return the network with the running mean of the parameters, which is kept."""
        return averaged(self.network, AmapNetwork(**self.network.settings), self.average)

    def _save(self) -> None:
        self.state.write_log(self.passes)
        parts = {
            "network": self.network.state_dict(),
            "average": numbered(self.average),
            "optimizer": moments_of(self.optimizer),
        }
        self.state.save(parts, passes=self.passes)

    def resume(self) -> None:
        """Resume from the state file, if there is one."""
        found = self.state.load()
        if found is None:
            return
        parts, about = found
        self.network.load_state_dict(parts["network"])
        restore_moments(self.optimizer, parts.get("optimizer", {}))
        self.average = in_order(parts["average"])
        self.passes = about["passes"]


def load_network(path: str | Path) -> AmapNetwork:
    """Return the network of a checkpoint that `train_characters` wrote.

    Raises:
        CheckpointError: the file is missing, damaged, or of another program.
    """
    tensors, about = load_checkpoint(path, kind=KIND)
    return restored(lambda: AmapNetwork(**about["settings"]), tensors, path)


def penalties_of(network: AmapNetwork, characters: Characters, batch: int = 500) -> Tensor:
    """Return penalties [N, classes] of characters, in nats."""
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(characters.ink.take(range(i, j)).amaps()))
            for i in range(0, len(characters), batch)
            for j in [min(i + batch, len(characters))]
        ]
    return torch.cat(parts) if parts else torch.empty(0, len(network.classes))


def errors_of(network: AmapNetwork, characters: Characters) -> dict[str, Any]:
    """Return the share wrong of each kind that occurs, among the kind's classes and among all.

    Keys: `n_digit`, `digit_error` (of a reader told that it reads a digit), `digit_error_of_all`
    (of one not told), and likewise for `upper` and `lower`.
    """
    penalties = penalties_of(network, characters).numpy()
    figures: dict[str, Any] = {}
    names = np.array(network.classes)
    for kind, (_, classes) in KINDS.items():
        of_kind = characters.kinds == kind
        if not of_kind.any():
            continue
        labels = characters.labels[of_kind]
        among = np.flatnonzero(np.isin(names, [*classes]))
        told = among[penalties[of_kind][:, among].argmin(1)]
        free = penalties[of_kind].argmin(1)
        figures[f"n_{kind}"] = len(labels)
        figures[f"{kind}_error"] = float((told != labels).mean())
        figures[f"{kind}_error_of_all"] = float((free != labels).mean())
    return figures
