"""The criteria of section VI side by side: the same network, the same fields, the same budget.

Only LeNet-5 with RBF units whose centres are adaptive (section VI-A) is trained. Everything else
stays fixed: segmentation graphs, grammar, rubbish. This shows how the two criteria that know only
the correct paths collapse: centres and states move together until the network gives the same answer
to everything, at no penalty at all.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import gtn
from demos.checkpoint import load_checkpoint, save_checkpoint
from demos.checks.experiments.settings import Budget
from demos.checks.measuring.evaluate import edit_distance
from demos.checks.training.pretraining import digit_images, drawer, pretrain
from demos.checks.training.samples import Sample, prepared
from demos.checks.training.segments import CRITERIA
from demos.figures import keep_figures, load_figures
from demos.run_state import training_into
from grammars import RUBBISH, named
from recognizers.datasets.fields import Field, FieldSetError
from recognizers.lenet import LeNet5
from recognizers.recognition import RecognitionTransformer
from recognizers.segmentation import segment_field
from recognizers.segmentation.graph import segmentation_graph

__all__ = ["compare_criteria", "spread_of"]


def compare_criteria(
    fields: Sequence[Field],
    budget: Budget,
    out: Path,
    *,
    criteria: Sequence[str] = tuple(CRITERIA),
    workers: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Train the same network by each criterion; return its measurements after each pass.

    Each finished criterion writes ``out/NAME.json``, and is not run again with the same budget and
    fields; ``out/begin.safetensors`` is the network that all criteria begin with;
    ``out/criteria.json`` holds all results. The line of a pass has the mean ``loss`` in training,
    the mean distance between two ``centres``, and the ``spread`` of the states
    (:func:`spread_of`); and, for the validation fields read by the Viterbi path, the share that is
    ``exact`` and the ``digit_error``. Line 0 describes the initial network.

    Raises:
        FieldSetError: there are fewer fields than the budget asks for.
        CheckpointError: another process runs in ``out``.
    """
    need = budget.fields + budget.validation
    if len(fields) < need:
        raise FieldSetError(f"{len(fields)} fields; the budget asks for {need}")
    about = {"budget": asdict(budget), "files": [one.name for one in fields[:need]]}
    with training_into(out, make=True):
        samples, problems = prepared(fields[:need], segment_field, workers, progress)
        training = samples[: len(samples) - budget.validation]
        validation = samples[len(samples) - budget.validation :]
        begin: RecognitionTransformer | None = None
        found = {}
        for name in criteria:
            file = out / f"{name}.json"
            if not file.exists() or load_figures(file)["about"] != about:
                begin = begin or _begin(budget, out / "begin.safetensors", progress)
                lines = _trained(name, copy.deepcopy(begin), training, validation, budget, progress)
                keep_figures(file, {"about": about, "passes": lines})
            found[name] = load_figures(file)["passes"]
        result = {
            "budget": asdict(budget),
            "training_fields": len(training),
            "validation_fields": len(validation),
            "problems": problems,
            "criteria": found,
        }
        keep_figures(out / "criteria.json", result)
    return result


def spread_of(states: torch.Tensor) -> float:
    """Return the root mean square distance of states ``[A, D]`` from their mean.

    >>> spread_of(torch.tensor([[3.0, 4.0], [-3.0, -4.0]]))
    5.0
    """
    return float((states - states.mean(dim=0)).square().sum(dim=1).mean().sqrt())


def _begin(budget: Budget, file: Path, progress: bool) -> RecognitionTransformer:
    """Return the transformer that all criteria begin with; only its network will be trained.

    Its parameters are loaded from the file if that has the same budget, else made and saved there.
    """
    rules = named(budget.grammar)
    generator = torch.Generator().manual_seed(budget.seed)
    network = LeNet5(
        rules.characters,
        "rbf",
        rubbish=True,
        adaptive=True,
        initialization="unit-variance",
        generator=generator,
    )
    kept = load_checkpoint(file) if file.exists() else ({}, {})
    if kept[1] == asdict(budget):
        network.load_state_dict(kept[0])
    else:
        digits, _ = digit_images(budget.digits)
        draw = drawer(network, digits)
        pretrain(network, draw, steps=budget.digit_steps, seed=budget.seed, progress=progress)
        save_checkpoint(file, network.state_dict(), asdict(budget))
    reads = RecognitionTransformer(network, gtn.SymbolTable([*rules.characters, RUBBISH]))
    for parameter in reads.parameters():
        parameter.requires_grad_(False)
    for name, parameter in network.named_parameters():
        # Without competitors, a penalty of its own would fall for ever.
        parameter.requires_grad_("rubbish" not in name)
    return reads


def _trained(
    name: str,
    reads: RecognitionTransformer,
    training: Sequence[Sample],
    validation: Sequence[Sample],
    budget: Budget,
    progress: bool,
) -> list[dict[str, float]]:
    """Train the network by one criterion; return its measurements, pass by pass."""
    network = reads.network
    assert isinstance(network, LeNet5)
    grammar = named(budget.grammar).graph
    criterion = CRITERIA[name](grammar, infeasible="skip")
    slow = [p for p in network.parameters() if p is not network.out.centres and p.requires_grad]
    optimizer = torch.optim.Adam(
        [
            {"params": slow, "lr": budget.rate},
            {"params": [network.out.centres], "lr": budget.centre_rate},
        ]
    )
    started = time.perf_counter()
    lines = [_measured(reads, grammar, validation)]
    for number in tqdm(range(budget.passes), desc=name, unit="pass", disable=not progress):
        network.train()
        generator = torch.Generator().manual_seed(1000 * budget.seed + number)
        order = torch.randperm(len(training), generator=generator).tolist()
        total = 0.0
        for i in range(0, len(order), budget.batch):
            chosen = order[i : i + budget.batch]
            graphs = _graphs([training[k] for k in chosen])
            loss = criterion(reads(graphs), [training[k].text for k in chosen])
            optimizer.zero_grad()
            if loss.requires_grad:
                loss.backward()
                optimizer.step()
            total += loss.item() * len(chosen)
        line = _measured(reads, grammar, validation)
        seconds = time.perf_counter() - started
        lines.append({**line, "loss": total / len(training), "seconds": seconds})
    return lines


@torch.no_grad()
def _measured(
    reads: RecognitionTransformer, grammar: gtn.Graph, samples: Sequence[Sample]
) -> dict[str, float]:
    """Measure the network as it is on validation samples."""
    network = reads.network
    assert isinstance(network, LeNet5)
    network.eval()
    right, edits, states = 0, 0, []
    for i in range(0, len(samples), 16):
        some = samples[i : i + 16]
        graphs = _graphs(some)
        states.append(network.features(graphs.data["image"]).flatten(1))
        read = gtn.compose(reads(graphs).without_data(), grammar)
        paths = gtn.viterbi_path(read)
        assert isinstance(paths, gtn.GraphBatch)
        for one, path in zip(some, paths, strict=True):
            text = gtn.path_text(path, "output") if path.num_nodes else ""
            right += text == one.text
            edits += edit_distance(text, one.text)
    return {
        "centres": float(torch.pdist(network.out.centres.detach()).mean()),
        "spread": spread_of(torch.cat(states)),
        "exact": right / max(1, len(samples)),
        "digit_error": edits / max(1, sum(len(one.text) for one in samples)),
    }


def _graphs(samples: Sequence[Sample]) -> gtn.GraphBatch:
    return gtn.GraphBatch.from_graphs([segmentation_graph(one.prepared[0]) for one in samples])
