"""The paper's argument, measured: a system trained part by part against one trained as a whole.

``apart`` trains part by part (section I of the paper): the recognizer learns single characters,
which the segmenter cuts out where the boxes of the fields say that a character stands, and
rubbish, which is all other ink that the segmenter proposes; it answers with class probabilities.
Segment penalties and grammar are set by hand, and the costs of rubbish and segments are then chosen
on training fields. ``together`` takes this system and trains all of it through the graphs by the
discriminative forward loss (section VI), from the texts alone. ``longer`` instead trains it part by
part for about as many more images, so that a difference is not one of effort. The other criteria
can be measured on the same system, too.
"""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

import gtn
from demos.checkpoint import load_checkpoint, save_checkpoint
from demos.checks.experiments.crossvalidate import folds_of
from demos.checks.experiments.settings import Effort
from demos.checks.measuring.evaluate import edit_distance
from demos.checks.reading.reader import CheckReader
from demos.checks.reading.segments import SegmentReading
from demos.checks.training.pretraining import digit_images, drawer, pretrain
from demos.checks.training.samples import Sample, prepared, rethicken
from demos.checks.training.segments import CRITERIA
from demos.figures import keep_figures, load_figures
from demos.run_state import training_into
from recognizers.datasets.fields import Field, FieldSetError
from recognizers.distortion import Distortion
from recognizers.lenet import LeNet5
from recognizers.segmentation import Segmentation
from recognizers.segmentation.graph import segmentation_graph
from recognizers.segmentation.quality import overlap

__all__ = [
    "STAGES",
    "TOGETHER",
    "WITHOUT_COMPETITORS",
    "Probabilities",
    "character_labels",
    "compare_trainings",
]

STAGES = ("apart", "longer", "together")
"""The stages measured in each fold."""

TOGETHER = "discriminative-forward"
"""The criterion of the stage ``together``."""

WITHOUT_COMPETITORS = ("viterbi", "forward")
"""Criteria under which a penalty without a competitor would fall for ever. With these, segment
and grammar penalties stay fixed; classes still compete in the network, as probabilities."""

IS, IS_NOT = 0.7, 0.5
"""Overlap with a box from which an arc is that character, and overlap below which it is rubbish."""

UNKNOWN = -1
"""Label of arcs between the two; training on characters leaves them out."""

RUBBISH_COSTS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
SEGMENT_SHARES = (0.0, 0.5, 1.0, 2.0)


class Probabilities(nn.Module):
    """A network whose penalties are negative log probabilities of its classes.

    The last class, rubbish, costs ``rubbish`` nats more, a number that is chosen, not trained. The
    module reads the same arc data as the network inside it.

    >>> answers = Probabilities(nn.Linear(4, 3))(torch.zeros(2, 4))
    >>> torch.allclose((-answers).exp().sum(dim=1), torch.ones(2))
    True
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.reads = tuple(getattr(network, "reads", ("image",)))
        self.rubbish: Tensor
        self.register_buffer("rubbish", torch.zeros(()))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the penalties ``[A, C]`` of segments."""
        penalties = -functional.log_softmax(-self.network(*inputs), dim=1)
        cost = functional.pad(self.rubbish.reshape(1), (penalties.shape[1] - 1, 0))
        return penalties + cost


def character_labels(
    segmentation: Segmentation, boxes: np.ndarray, classes: Sequence[int], rubbish: int
) -> np.ndarray:
    """Label each arc, int64 ``[A]``, with the class of a character, rubbish, or ``UNKNOWN``.

    Args:
        segmentation: of a field.
        boxes: x, y, width, height of its characters, ``[D, 4]``.
        classes: the D classes of the characters.
        rubbish: the class of arcs that overlap every character by less than half.
    """
    shared = overlap(segmentation.boxes.astype(np.float64), boxes)
    most = shared.max(axis=1, initial=0.0)
    labels = np.full(len(most), UNKNOWN, dtype=np.int64)
    labels[most < IS_NOT] = rubbish
    found = most >= IS
    labels[found] = np.asarray(classes, dtype=np.int64)[shared[found].argmax(axis=1)]
    return labels


def compare_trainings(
    fields: Sequence[Field],
    boxes: dict[str, np.ndarray],
    effort: Effort,
    out: Path,
    *,
    only: Sequence[int] = (),
    criteria: Sequence[str] = (),
    workers: int = 1,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Train and measure both ways in each fold, or in the folds ``only``; return a line for each.

    Each finished fold writes ``out/fold-K.json`` and is not run again with the same effort; an
    interrupted fold resumes after its last complete stage. A line holds the number of test fields
    ``n`` and, for each of ``STAGES``, the share that is ``exact``, the ``digit_error``, the
    ``seconds`` of training, and, for the systems trained apart, the costs chosen; and the same for
    each of the other ``criteria`` by its name, as if it were a stage.

    Raises:
        FieldSetError: a field has no boxes, or not one for each character.
        CheckpointError: another process runs in ``out``.
    """
    for one in fields:
        if len(boxes.get(one.name, ())) != len(one.text):
            raise FieldSetError(f"{one.path}: {one.text!r} needs a box for every character")
    about = {"effort": asdict(effort), "fields": len(fields)}
    parts = folds_of(fields, effort.folds, effort.seed, effort.block)
    todo = list(only) or list(range(effort.folds))
    samples: list[Sample] = []
    found = []
    with training_into(out, make=True):
        for fold in todo:
            file = out / f"fold-{fold}.json"
            kept = load_figures(file) if file.exists() else {}
            if kept.get("about") != about:
                kept = {}
            if not {*STAGES, *criteria} <= kept.keys():
                if not samples:
                    reader = CheckReader(effort.grammar, effort.recognizer)
                    samples, _ = prepared(fields, reader.recognize.prepare, workers, progress)
                test = {fields[i].name for i in parts[fold]}
                training = [one for one in samples if one.name not in test]
                tested = [one for one in samples if one.name in test]
                place = out / f"fold-{fold}"
                wanted = [name for name in CRITERIA if name in criteria or name in kept]
                line = _fold(training, tested, boxes, effort, place, wanted, progress)
                kept = {"about": about, "fold": fold, **line}
                keep_figures(file, kept)
            found.append(kept)
    return found


def _fold(
    training: Sequence[Sample],
    test: Sequence[Sample],
    boxes: dict[str, np.ndarray],
    effort: Effort,
    place: Path,
    criteria: Sequence[str],
    progress: bool,
) -> dict[str, Any]:
    """Train the systems of one fold, and measure each on its test fields.

    ``place/STAGE.safetensors`` is the system after a stage; a stage that has one is not run again.
    """
    torch.manual_seed(effort.seed)
    reader = CheckReader(effort.grammar, effort.recognizer, views=1, seed=effort.seed)
    assert isinstance(reader.recognize, SegmentReading)
    reader.recognize.network = Probabilities(reader.recognize.network)
    classes = {character: k for k, character in enumerate(reader.rules.characters)}
    characters = _Characters(training, boxes, classes, reader.recognize.reads)
    some = training[:: max(1, len(training) // effort.tuned_on)]
    line: dict[str, Any] = {"n": len(test), "characters": len(characters.wanted)}

    def apart(system: CheckReader) -> dict[str, float]:
        seconds = _begin(system, effort, progress)
        seconds += _train_apart(system, characters, effort.apart, effort, progress)
        return {"seconds": seconds, **_tune(system, some)}

    def longer(system: CheckReader) -> dict[str, float]:
        seconds = _train_apart(system, characters, effort.longer, effort, progress)
        return {"seconds": line["apart"]["seconds"] + seconds, **_tune(system, some)}

    def together(system: CheckReader, criterion: str = TOGETHER) -> dict[str, float]:
        seconds = _train_together(system, training, criterion, effort, progress)
        return {"seconds": line["apart"]["seconds"] + seconds}

    stages = {"apart": apart, "longer": longer, "together": together}
    others = {name: functools.partial(together, criterion=name) for name in criteria}
    for name, train in (stages | others).items():
        system = copy.deepcopy(reader)
        file = place / f"{name}.safetensors"
        kept = load_checkpoint(file) if file.exists() else ({}, {})
        if kept[1] and _of_stage(kept[1]["effort"], name) == _of_stage(asdict(effort), name):
            system.load_state_dict(kept[0])
            facts = kept[1]["facts"]
        else:
            facts = train(system)
            place.mkdir(parents=True, exist_ok=True)
            about = {"effort": asdict(effort), "facts": facts}
            save_checkpoint(file, dict(system.state_dict()), about)
        line[name] = _measured(system, test) | facts
        if name == "apart":
            reader = system
    return line


def _of_stage(effort: dict[str, Any], stage: str) -> dict[str, Any]:
    """Return what a stage depends on: all but the passes of stages that it does not build on."""
    others = {"apart": {"longer", "together"}, "longer": {"together"}}.get(stage, {"longer"})
    return {key: value for key, value in effort.items() if key not in others}


def _network(reader: CheckReader) -> Probabilities:
    network = reader.recognize.network
    assert isinstance(network, Probabilities)
    return network


def _begin(reader: CheckReader, effort: Effort, progress: bool) -> float:
    """Pretrain on single digits a network that reads only those; return the seconds."""
    network = _network(reader).network
    if not isinstance(network, LeNet5):
        return 0.0
    started = time.perf_counter()
    draw = drawer(network, digit_images(effort.digits)[0])
    pretrain(network, draw, steps=effort.digit_steps, seed=effort.seed, progress=progress)
    return time.perf_counter() - started


class _Characters:
    """Segments of the training fields: those that are characters, and those that are rubbish."""

    def __init__(
        self,
        samples: Sequence[Sample],
        boxes: dict[str, np.ndarray],
        classes: dict[str, int],
        reads: Sequence[str],
    ) -> None:
        graphs = [segmentation_graph(one.prepared[0]) for one in samples]
        labels = [
            character_labels(
                one.prepared[0], boxes[one.name], [classes[c] for c in one.text], len(classes)
            )
            for one in samples
        ]
        self.labels = torch.from_numpy(np.concatenate(labels))
        self.inputs = [torch.cat([graph.data[name] for graph in graphs]) for name in reads]
        rubbish = self.labels == len(classes)
        self.wanted = torch.nonzero((self.labels != UNKNOWN) & ~rubbish).flatten()
        self.rubbish = torch.nonzero(rubbish).flatten()

    def draw(self, generator: torch.Generator) -> Tensor:
        """Draw the segments of one pass: all characters, and as many of rubbish."""
        count = len(self.wanted)
        drawn = torch.randint(len(self.rubbish), (count,), generator=generator)
        mixed = torch.cat([self.wanted, self.rubbish[drawn]])
        return mixed[torch.randperm(len(mixed), generator=generator)]


def _train_apart(
    reader: CheckReader, characters: _Characters, passes: int, effort: Effort, progress: bool
) -> float:
    """Train the network on single segments; return the seconds."""
    network, distort = _network(reader), Distortion()

    def losses(chosen: Tensor, generator: torch.Generator) -> Tensor:
        inputs = [
            rethicken(distort(one[chosen], generator), generator) for one in characters.inputs
        ]
        return functional.nll_loss(-network(*inputs), characters.labels[chosen])

    def batches(generator: torch.Generator) -> Sequence[Tensor]:
        return torch.split(characters.draw(generator), 128)

    network.rubbish.zero_()
    groups = [{"params": list(network.parameters()), "lr": effort.rate}]
    return _descend(reader, groups, batches, losses, passes, effort.seed, progress)


def _train_together(
    reader: CheckReader, samples: Sequence[Sample], criterion: str, effort: Effort, progress: bool
) -> float:
    """Train all of the reader through the graphs; return the seconds."""
    recognize, distort = reader.recognize, Distortion()
    assert isinstance(recognize, SegmentReading)
    loss_of = CRITERIA[criterion](reader.grammar, infeasible="skip")

    def losses(chosen: Tensor, generator: torch.Generator) -> Tensor:
        some = [samples[i] for i in chosen.tolist()]
        graphs = gtn.GraphBatch.from_graphs([segmentation_graph(s.prepared[0]) for s in some])
        drawn = {
            name: rethicken(distort(graphs.data[name], generator), generator)
            for name in recognize.reads
        }
        loss: Tensor = loss_of(recognize(graphs.with_data(**drawn)), [s.text for s in some])
        return loss

    def batches(generator: torch.Generator) -> Sequence[Tensor]:
        return torch.split(torch.randperm(len(samples), generator=generator), effort.batch)

    slow = list(recognize.network.parameters())
    fast = [p for name, p in reader.named_parameters() if ".network." not in name]
    groups = [{"params": slow, "lr": effort.rate}]
    if criterion not in WITHOUT_COMPETITORS:
        groups.append({"params": fast, "lr": 5.0 * effort.rate})
    return _descend(reader, groups, batches, losses, effort.together, effort.seed, progress)


def _descend(
    reader: CheckReader,
    groups: list[dict[str, Any]],
    batches: Callable[[torch.Generator], Sequence[Tensor]],
    losses: Callable[[Tensor, torch.Generator], Tensor],
    passes: int,
    seed: int,
    progress: bool,
) -> float:
    """Take a gradient step for each batch, at rates that fall to zero; return the seconds."""
    started = time.perf_counter()
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: 0.5 * (1 + math.cos(math.pi * min(done / max(passes, 1), 1.0)))
    )
    bar = tqdm(range(passes), unit="pass", disable=not progress)
    for number in bar:
        generator = torch.Generator().manual_seed(1_000_003 * seed + number)
        reader.train()
        total, count = 0.0, 0
        for chosen in batches(generator):
            loss = losses(chosen, generator)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(reader.parameters(), 5.0)
            optimizer.step()
            total, count = total + loss.item(), count + 1
        schedule.step()
        bar.set_postfix(loss=f"{total / max(count, 1):.3f}")
    reader.eval()
    return time.perf_counter() - started


@torch.no_grad()
def _tune(reader: CheckReader, samples: Sequence[Sample]) -> dict[str, float]:
    """Choose the cost of rubbish and the factor on the segment penalties, as if by hand."""
    recognize = reader.recognize
    assert isinstance(recognize, SegmentReading)
    network, penalty = _network(reader), recognize.segment_penalty
    by_hand = type(penalty)().coefficients.detach()

    def wrong(rubbish: float, share: float) -> float:
        network.rubbish.fill_(rubbish)
        penalty.coefficients.copy_(share * by_hand)
        figures = _measured(reader, samples)
        return 1.0 - figures["exact"] + 0.1 * figures["digit_error"]

    rubbish = min(RUBBISH_COSTS, key=lambda cost: wrong(cost, 1.0))
    share = min(SEGMENT_SHARES, key=lambda share: wrong(rubbish, share))
    wrong(rubbish, share)
    return {"rubbish": rubbish, "segments": share}


@torch.no_grad()
def _measured(reader: CheckReader, samples: Sequence[Sample]) -> dict[str, float]:
    """Measure the share of fields read exactly, in one view, and the digit error."""
    reader.eval()
    exact = edits = 0
    for i in range(0, len(samples), 32):
        some = samples[i : i + 32]
        for one, reading in zip(some, reader.read_prepared([s.prepared[:1] for s in some])):
            exact += reading.text == one.text
            edits += edit_distance(reading.text, one.text)
    characters = sum(len(one.text) for one in samples)
    return {"exact": exact / max(len(samples), 1), "digit_error": edits / max(characters, 1)}
