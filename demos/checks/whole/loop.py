"""Training passes of a reader of whole checks: over lines, then over checks.

They follow section X of the paper. The recognizer learns from fields: here, from lines cut by the
locator, with known text. The field penalties, first set by hand, learn which path of the field
graph is right. Then the few other parameters (penalties of fields, characters and grammar, but not
the network) are trained globally, by the discriminative forward loss (eq. 17) of the interpretation
graph, from whole checks and their amounts alone.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import gtn
from demos.checks.whole.reader import Prepared, WholeReader
from demos.checks.whole.samples import LocatedCheck, WrittenLine
from demos.checks.whole.settings import WholeSettings
from demos.run_state import RunState, moments_of, move_average, restore_moments
from recognizers.fields import field_graph
from recognizers.lines.distortion import LineDistortion
from recognizers.lines.images import as_batch

__all__ = ["WholeLoop", "field_batches", "places_of"]


class WholeLoop:
    """Train on lines, then on checks; the state file holds all that the next pass depends on."""

    def __init__(
        self,
        reader: WholeReader,
        settings: WholeSettings,
        run: dict[str, Any],
        out: Path,
        progress: bool,
    ) -> None:
        self.reader, self.settings = reader, settings
        self.state = RunState(out, run, "other settings, other checks or another --start")
        self.progress = progress
        self.done = 0
        self.seconds = 0.0  # of all passes, and of the passes before this run
        self.seconds_before = 0.0
        network = reader.reader.recognize.network
        self.of_lines = torch.optim.AdamW(network.parameters(), weight_decay=settings.decay)
        small = [p for name, p in reader.named_parameters() if ".network." not in name]
        # The grammar learns at a higher rate: few of its arcs are on many paths.
        ours = set(reader.reader.grammar.parameters())
        self.of_checks = torch.optim.Adam(
            [
                {"params": [p for p in small if p not in ours], "factor": 1.0},
                {"params": [p for p in small if p in ours], "factor": 4.0},
            ]
        )
        self.places = places_of(reader.reader.grammar.graph)
        self.average = {k: v.clone() for k, v in network.state_dict().items()}

    def pass_of_lines(
        self, number: int, lines: Sequence[WrittenLine], further: Sequence[WrittenLine]
    ) -> None:
        """Train the network by CTC on lines with known text."""
        recognize = self.reader.reader.recognize
        settings = self.settings
        generator = self._seeded(number)
        distort = LineDistortion(stretch=0.2, slant=0.25, waves=1.5, noise=0.05, blot=0.03)
        loss_of = gtn.nn.CTCLoss(blank=len(recognize.symbols) - 1, infeasible="skip")
        drawn = torch.randperm(len(further), generator=generator)[: settings.drawn].tolist()
        batches = _batches([*lines, *(further[i] for i in drawn)], settings.batch, generator)
        total, count = settings.line_passes * len(batches), 0
        recognize.train()
        started, sum_of = time.perf_counter(), 0.0
        bar = tqdm(batches, desc=f"lines {number + 1}", unit="batch", disable=not self.progress)
        for b, chosen in enumerate(bar):
            self._rate(self.of_lines, (number * len(batches) + b) / total, settings.rate)
            images = distort(as_batch([one.image for one in chosen]), generator)
            with torch.autocast("cpu", torch.bfloat16):
                emissions = recognize(images)
            loss = loss_of(emissions, [recognize.symbols.encode(one.written) for one in chosen])
            self.of_lines.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(recognize.network.parameters(), 5.0)
            self.of_lines.step()
            share = max(0.005, 1.0 / (1 + number * len(batches) + b))
            move_average(self.average, recognize.network.state_dict(), share)
            sum_of, count = sum_of + loss.item() * len(chosen), count + len(chosen)
        if number + 1 == settings.line_passes:
            recognize.network.load_state_dict(self.average)
        recognize.eval()
        self._finish(started, {"lines": number + 1, "loss": sum_of / max(count, 1)})

    def train_fields(self, located: Sequence[LocatedCheck]) -> None:
        """Train only the field penalties: which path of the field graph is right."""
        started = time.perf_counter()
        whole, right = field_batches([one for one in located if one.right])
        penalty = self.reader.field_penalty
        optimizer = torch.optim.Adam(penalty.parameters(), lr=0.05)
        value = math.inf
        for step in range(self.settings.field_steps):
            self._rate(optimizer, step / self.settings.field_steps, 0.05)
            spelled, every = (
                gtn.forward_penalty(g.with_penalties(self._of_arcs(g))) for g in (right, whole)
            )
            loss = (spelled - every).mean() + 1e-3 * penalty.coefficients.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            value = loss.item()
        best = [_rank(self.reader, one) for one in located if one.right]
        line = {"fields": len(whole), "loss": value, "first": float(np.mean(np.array(best) == 0))}
        kept = float(np.mean(np.array(best) < self.settings.paths))
        self._finish(started, line | {"among_the_paths": kept})

    def pass_of_checks(self, number: int, checks: Sequence[tuple[Prepared, str]]) -> None:
        """Train all but the network globally, by the discriminative forward loss."""
        started = time.perf_counter()
        generator = self._seeded(1000 + number)
        order = torch.randperm(len(checks), generator=generator).tolist()
        size = self.settings.global_batch
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        total = self.settings.global_passes * len(batches)
        self.reader.eval()
        for parameter in self.reader.reader.recognize.network.parameters():
            parameter.requires_grad_(False)
        losses, skipped = [], 0
        bar = tqdm(batches, desc=f"checks {number + 1}", unit="batch", disable=not self.progress)
        for b, chosen in enumerate(bar):
            self._rate(
                self.of_checks, (number * len(batches) + b) / total, self.settings.global_rate
            )
            decoder = self.reader.decoder
            each = []
            for i in chosen:
                check, text = checks[i]
                if not check.pictures:
                    continue
                graph = self.reader.interpretation_graph(check, decoder)
                criterion = gtn.nn.DiscriminativeForwardLoss(infeasible="infinity")
                value = criterion(graph, text)
                if value.isfinite():
                    # A check whose amount is read nowhere must not dominate the batch.
                    each.append(-torch.logaddexp(-value, value.new_tensor(-6.0)))
                else:
                    skipped += 1
            if not each:
                continue
            loss = torch.stack(each).mean()
            self.of_checks.zero_grad()
            loss.backward()
            # Which digit stands in a place tells nothing about how amounts are written, but a
            # thousand checks can be learned by heart; so all digits of a place move together.
            penalties = self.reader.reader.grammar.penalties
            assert penalties.grad is not None
            moves = penalties.new_zeros(int(self.places.max()) + 1)
            moves.index_add_(0, self.places, penalties.grad)
            penalties.grad = moves[self.places]
            self.of_checks.step()
            losses.append(loss.item())
        mean = float(np.mean(losses)) if losses else 0.0
        self._finish(started, {"checks": number + 1, "loss": mean, "infeasible": skipped})

    def _of_arcs(self, graph: gtn.Graph) -> torch.Tensor:
        roles = torch.from_numpy(np.asarray(graph.ilabels).astype(np.int64))
        penalties: torch.Tensor = self.reader.field_penalty(graph.data["features"], roles)
        return penalties

    def _seeded(self, number: int) -> torch.Generator:
        draw = 1_000_003 * self.settings.seed + number
        torch.manual_seed(draw)  # for drop-out
        return torch.Generator().manual_seed(draw)

    def _rate(self, optimizer: torch.optim.Optimizer, share: float, rate: float) -> None:
        """Set the learning rate: a short rise, then a cosine decay to zero."""
        rise = 0.1
        fall = 0.5 * (1 + math.cos(math.pi * max(share - rise, 0.0) / (1.0 - rise)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0) * min(max(share, 0.01) / rise, fall)

    def _finish(self, started: float, line: dict[str, Any]) -> None:
        """Log a pass, and write the state."""
        self.done += 1
        line = {"pass": self.done, **line, "seconds": time.perf_counter() - started}
        self.state.log(line)
        if self.progress:
            tqdm.write(json.dumps(line))
        self.seconds += line["seconds"]
        self.state.save(
            {
                "reader": self.reader.state_dict(),
                "average": self.average,
                "lines": moments_of(self.of_lines),
                "checks": moments_of(self.of_checks),
            },
            done=self.done,
            seconds=self.seconds,
        )

    def resume(self) -> None:
        """Resume from the state file, if there is one."""
        found = self.state.load()
        if found is None:
            return
        parts, about = found
        self.reader.load_state_dict(parts["reader"])
        self.average = parts["average"]
        restore_moments(self.of_lines, parts.get("lines", {}))
        restore_moments(self.of_checks, parts.get("checks", {}))
        self.done, self.seconds = about["done"], about["seconds"]
        self.seconds_before = self.seconds
        self.state.cut_log(lambda line: line["pass"] <= self.done)


def places_of(grammar: gtn.Graph) -> torch.Tensor:
    """Number the arcs of a grammar, int64 ``[A]``; digits between the same nodes share a number.

    >>> arcs = [(0, 1, "1", 0.0), (0, 1, "$", 0.0), (0, 1, "7", 0.0), (1, 2, "7", 0.0)]
    >>> places_of(gtn.Graph.from_arcs(arcs, final=2)).tolist()
    [0, 1, 0, 2]
    """
    symbols = grammar.isymbols
    assert symbols is not None
    digits = [symbols.label(character) for character in "0123456789" if character in symbols]
    labels = np.asarray(grammar.ilabels)
    rows = np.stack((grammar.src, grammar.dst, np.where(np.isin(labels, digits), -2, labels)))
    return torch.from_numpy(np.unique(rows, axis=1, return_inverse=True)[1].reshape(-1))


def _rank(reader: WholeReader, one: LocatedCheck) -> int:
    """Return how many paths of the field graph are likelier than the likeliest right one."""
    with torch.no_grad():
        each = reader.penalties(one.found).numpy()
    count = len(one.found.boxes)
    paths = np.where(one.found.roles == 0, each, np.inf)
    paths = np.concatenate([paths, each[one.found.pairs].sum(axis=1)])
    assert len(paths) == count + len(one.found.pairs)
    return int((paths < paths[list(one.right)].min()).sum())


def _batches(
    lines: Sequence[WrittenLine], size: int, generator: torch.Generator
) -> list[list[WrittenLine]]:
    """Return lines in batches of similar widths, in any order."""
    order = torch.randperm(len(lines), generator=generator).tolist()
    found = []
    for i in range(0, len(order), 16 * size):
        some = sorted((lines[k] for k in order[i : i + 16 * size]), key=lambda x: x.image.shape[1])
        found += [some[k : k + size] for k in range(0, len(some), size)]
    mixed = torch.randperm(len(found), generator=generator).tolist()
    return [found[b] for b in mixed]


def field_batches(located: Sequence[LocatedCheck]) -> tuple[gtn.GraphBatch, gtn.GraphBatch]:
    """Return the field graphs of checks, whole and with the right paths only; penalties are 0."""
    whole, right = [], []
    for one in located:
        count = len(one.found.boxes)
        graph = field_graph(one.found)
        fields = graph.data["field"].numpy()
        alone = [path for path in one.right if path < count]
        pairs = one.found.pairs[[path - count for path in one.right if path >= count]]
        roles = np.asarray(graph.ilabels)
        kept = np.isin(fields, alone) & (roles == 0)
        kept |= np.isin(fields, pairs[:, 0]) & (roles == 1)
        ends = np.asarray(graph.dst)[kept & (roles == 1)]
        kept |= np.isin(fields, pairs[:, 1]) & (roles == 2) & np.isin(np.asarray(graph.src), ends)
        arcs = np.flatnonzero(kept)
        index = torch.from_numpy(fields[arcs])
        whole.append(graph.without_data("field_box"))
        right.append(
            gtn.from_arrays(
                np.asarray(graph.src)[arcs],
                np.asarray(graph.dst)[arcs],
                roles[arcs],
                start=0,
                final=1,
                num_nodes=graph.num_nodes,
                symbols=graph.isymbols,
                data={"field": index, "features": graph.data["features"][torch.from_numpy(arcs)]},
            )
        )
    return gtn.GraphBatch.from_graphs(whole), gtn.GraphBatch.from_graphs(right)
