"""Train a reader of words: first on letters side by side, then on whole words (section IX)."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from demos.figures import keep_figures
from demos.run_state import (
    RunState,
    averaged,
    in_order,
    moments_of,
    numbered,
    restore_moments,
)
from demos.words.measuring.words import quick_errors
from demos.words.reading.letters import NETWORK_CLASSES
from demos.words.reading.reader import WordReader
from demos.words.samples.words import Words
from demos.words.training.losses import training_of
from demos.words.training.settings import WordSettings
from demos.words.training.strings import compose_strings, placed
from recognizers.datasets.fields import file_hash
from recognizers.online.ink import Ink

__all__ = ["STAGES", "new_reader", "readers_of", "train_words"]

STAGES = ("strings", "words")
"""The stages in order: isolated letters side by side; then words, of which only the text is known,
by the discriminative forward criterion (eq. 17) against all strings of letters."""

STATE = "graph-transformer-networks/words-state/1"
SAVE_EVERY = 250
LOG_EVERY = 250
BLOCK = 8
"""Batches of words drawn at once and sorted by width."""


def train_words(
    letters: Sequence[tuple[Ink, str]],
    words: Words,
    validation: Words,
    settings: WordSettings,
    out: str | Path,
    *,
    progress: bool = True,
    until: float = math.inf,
) -> bool:
    """Train a reader; write it after each stage to `out/STAGE.safetensors`.

    `out` also holds `config.json`, `log.jsonl` and `state.safetensors`, from which an interrupted
    run resumes with the same result. Return False if it stopped after `until` seconds.

    Args:
        letters: isolated letters, each with its label; none are needed if `strings` is 0.
        words, validation: words of the training writers and of the validation writers.

    Raises:
        CheckpointError: `out` holds a run of other settings or other data.
    """
    run = _Run(letters, words, validation, settings, Path(out))
    run.resume()
    keep_figures(run.out / "config.json", run.about)
    stop = time.perf_counter() + until
    while run.stage is not None:
        if not run.go(progress, stop):
            return False
        run.finish()
    return True


def new_reader(settings: WordSettings) -> WordReader:
    """Return the untrained reader that a run starts from."""
    options: dict[str, Any] = {"context": True} if settings.context else {}
    return WordReader(
        settings.system,
        settings.output,
        normaliser=settings.normaliser,
        maps=[*settings.maps],
        seed=settings.seed,
        **options,
    )


def readers_of(settings: WordSettings) -> tuple[WordReader, WordReader | None]:
    """Return the untrained reader of a run, and the one that its words stage starts from, if any.

    Raises:
        CheckpointError: `start` is not a reader.
        ValueError: it is not built as the settings say.
    """
    reader = new_reader(settings)
    start = WordReader.load(settings.start) if settings.start else None
    if start is not None and _built(start) != _built(reader):
        raise ValueError(
            f"{settings.start}: a reader of {start.settings}; this run is of {reader.settings}"
        )
    return reader, start


class _Run:
    """Run the stages in turn; the state file holds all that the next step depends on."""

    def __init__(
        self,
        letters: Sequence[tuple[Ink, str]],
        words: Words,
        validation: Words,
        settings: WordSettings,
        out: Path,
    ) -> None:
        if not len(words) or (settings.strings and not letters):
            raise ValueError(
                f"{len(letters)} letters and {len(words)} words to train on; both are needed"
            )
        self.settings, self.out = settings, out
        self.letters, self.words, self.validation = letters, words, validation
        self.about = {
            **asdict(settings),
            "maps": [*settings.maps],
            "start": Path(settings.start).name,
            "started_from": file_hash(settings.start) if settings.start else "",
            "letters": len(letters),
            "of_words": len(words),
            "words_hash": _hash_of(words),
        }
        self.state = RunState(out, {"run": self.about}, "other settings or other data", STATE)
        self.reader, self.start = readers_of(settings)
        self.reader.recognize.halved = settings.bfloat16
        self.training = training_of(self.reader.recognize)
        self.log: list[dict[str, Any]] = []
        self.stage: str | None = None
        self._enter(STAGES[0])
        if self.start is not None and not settings.strings:
            self.reader.load_state_dict(self.start.state_dict())
            self._enter("words")

    def _enter(self, stage: str | None) -> None:
        """Begin a stage with fresh moments of the optimizer."""
        self.stage, self.done = stage, 0
        self.parameters = list(self.reader.parameters())
        self.average = [p.detach().clone() for p in self.parameters]
        self.optimizer = torch.optim.Adam([{"params": [p]} for p in self.parameters])
        self.source: Iterator[Any] | None = None

    def _steps(self) -> int:
        found: int = getattr(self.settings, self.stage or "")
        return found

    def _set_rates(self) -> None:
        s, total = self.settings, self._steps()
        top = s.string_rate if self.stage == "strings" else s.word_rate
        rate = (
            top
            * min(1.0, (self.done + 1) / 100)
            * (0.5 + 0.5 * math.cos(math.pi * self.done / total))
        )
        network = {id(p) for p in self.reader.recognize.network.parameters()}
        centres = getattr(self.reader.recognize.network.out, "centres", None)
        for group in self.optimizer.param_groups:
            (parameter,) = group["params"]
            group["lr"] = rate if id(parameter) in network else rate * s.beside
            if parameter is centres and self.stage == "strings":
                group["lr"] = 0.0

    def go(self, progress: bool, stop: float) -> bool:
        """Take the remaining steps of the stage; return False if time runs out."""
        steps = self._steps()
        started, total, count = time.perf_counter(), 0.0, 0
        bar = tqdm(
            range(self.done, steps), self.stage, initial=self.done, total=steps,
            disable=not progress, leave=False,
        )  # fmt: skip
        for step in bar:
            self._set_rates()
            rng = np.random.default_rng([self.settings.seed, STAGES.index(self.stage or ""), step])
            loss = self._loss(step, rng)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
            self.optimizer.step()
            with torch.no_grad():
                share = max(1.0 / self.settings.averaging, 1.0 / (1.0 + 0.1 * step))
                torch._foreach_lerp_(self.average, [*self.parameters], share)
            total, count, self.done = total + float(loss.detach()), count + 1, step + 1
            over = time.perf_counter() > stop
            if self.done % LOG_EVERY == 0 or self.done == steps or over:
                line = {
                    "stage": self.stage,
                    "step": self.done,
                    "loss": total / count,
                    "seconds": time.perf_counter() - started,
                }
                started, total, count = time.perf_counter(), 0.0, 0
                if self.done % (4 * LOG_EVERY) == 0 or self.done == steps:
                    line |= quick_errors(self.averaged(), self.validation)
                self.log.append(line)
                if progress:
                    tqdm.write(json.dumps(line))
                self._save()
            if over:
                return False
        return True

    def _loss(self, step: int, rng: np.random.Generator) -> Tensor:
        s = self.settings
        if self.stage == "strings":
            if self.source is None:
                self.pool = list(self._strings())
                self.source = iter(())
            # Each string once per pass, in a new order each time.
            per_pass = max(1, len(self.pool) // s.string_batch)
            order = np.random.default_rng([s.seed, 7, step // per_pass]).permutation(len(self.pool))
            first = step % per_pass * s.string_batch
            chosen = [self.pool[i] for i in order[first : first + s.string_batch]]
            return self.training.string_loss(chosen, rng, s.distortion)
        if self.source is None:
            self.targets = [
                self.training.word(ink, text)
                for ink, text in zip(self.words.inks, self.words.labels, strict=True)
            ]
            self.source = iter(())
        batch = self._word_batch(step)
        losses, _ = self.training.word_losses(batch, rng, s.distortion)
        return losses.sum() / sum(len(target.text) for target in batch)

    def _strings(self) -> Iterator[Any]:
        s = self.settings
        rng = np.random.default_rng([s.seed, 5])
        inks = [placed(ink, label) for ink, label in self.letters]
        classes = np.array([NETWORK_CLASSES.index(label) for _, label in self.letters])
        for string in compose_strings(inks, classes, s.pool, rng, normaliser=s.normaliser):
            yield self.training.string(string, rng)

    def _word_batch(self, step: int) -> list[Any]:
        """Return the words of a step; blocks of batches are drawn at once and sorted by width."""
        s = self.settings
        rng = np.random.default_rng([s.seed, 9, step // BLOCK])
        _, owner, counts = np.unique(
            self.words.contributors, return_inverse=True, return_counts=True
        )
        weights = (counts**s.balance / counts)[owner]
        chosen = rng.choice(len(self.targets), size=s.word_batch * BLOCK, p=weights / weights.sum())
        by_width = sorted(chosen.tolist(), key=lambda i: self.targets[i].width)
        which = int(rng.permutation(BLOCK)[step % BLOCK])
        return [self.targets[i] for i in by_width[which * s.word_batch :][: s.word_batch]]

    def averaged(self) -> WordReader:
        """Return the reader with the running mean of the parameters, which is kept."""
        return averaged(self.reader, WordReader(**self.reader.settings), self.average)

    def finish(self) -> None:
        """Write the reader of the stage, and begin the next one with it."""
        reader = self.averaged()
        before = {} if self.start is None else self.start.seen
        reader.seen = dict(sorted((Counter(self.words.labels) + Counter(before)).items()))
        reader.save(self.out / f"{self.stage}.safetensors", run=self.about, stage=self.stage)
        self.reader.load_state_dict(reader.state_dict())
        after = STAGES.index(self.stage or "") + 1
        if self.start is not None and after == STAGES.index("words"):
            self.reader.load_state_dict(self.start.state_dict())
        self._enter(STAGES[after] if after < len(STAGES) else None)
        self._save()

    def _save(self) -> None:
        self.state.write_log(self.log)
        parts = {
            "reader": self.reader.state_dict(),
            "average": numbered(self.average),
            "optimizer": moments_of(self.optimizer),
        }
        self.state.save(parts, stage=self.stage, done=self.done, log=self.log)

    def resume(self) -> None:
        """Resume from the state file, if there is one."""
        found = self.state.load()
        if found is None:
            return
        parts, about = found
        self._enter(about["stage"])
        self.reader.load_state_dict(parts["reader"])
        restore_moments(self.optimizer, parts.get("optimizer", {}))
        self.average = in_order(parts["average"])
        self.done, self.log = about["done"], about["log"]


def _built(reader: WordReader) -> Any:
    """Return what two readers must share for one to continue from the other."""
    shapes = {name: tensor.shape for name, tensor in reader.state_dict().items()}
    return reader.system, reader.settings["output"], reader.normaliser, shapes


def _hash_of(words: Words) -> str:
    """Return what identifies the words of a run: part of the SHA-256 of their texts and ink."""
    digest = hashlib.sha256(json.dumps([words.labels, words.contributors]).encode())
    for ink in words.inks:
        digest.update(ink.points.tobytes())
        digest.update(ink.offsets.tobytes())
    return digest.hexdigest()[:16]
