"""The rows of Fig. 9 that are not LeNets: their inputs, how they are built and measured.

Settings were chosen on the last 5,000 training digits, with the method trained on the other 55,000
or fewer (``baseline ROW --validate``; its lines are in ``results/mnist/choices.jsonl``).
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from demos.mnist.choices import RESULTS
from demos.mnist.evaluate import measure
from demos.mnist.models import MODELS, load_model
from demos.mnist.results import (
    Result,
    ResultError,
    add_choice,
    error_reject_curve,
    result_path,
    write_result,
)
from demos.mnist.train import VALIDATION
from recognizers.baselines import Classifier
from recognizers.baselines.linear import Linear, PairwiseLinear
from recognizers.baselines.local_learning import LocalLinear
from recognizers.baselines.neighbours import Neighbours
from recognizers.baselines.perceptron import Perceptron
from recognizers.baselines.polynomial import Quadratic
from recognizers.baselines.radial import RadialBasis
from recognizers.baselines.reduced_set import ReducedSet
from recognizers.baselines.support_vectors import SupportVectors, VirtualSupportVectors
from recognizers.baselines.tangent import TangentNeighbours
from recognizers.datasets.fields import find_data
from recognizers.datasets.mnist import load_mnist
from recognizers.digits.deslanting import deslant
from recognizers.digits.reduction import to_16x16
from recognizers.distortion import Distortion
from recognizers.small_lenets import LeNet4

__all__ = ["BASELINES", "Row", "run_baseline", "validate_baseline"]

FAMILY = {"translation": 1.5, "scaling": 0.12, "squeezing": 0.12, "shearing": 0.2}


@dataclass(frozen=True)
class Row:
    """A row: ``read`` turns uint8 images [N, 28, 28] into samples; ``method`` and ``settings``
    make the classifier; the ``seeded`` rows depend on a seed."""

    method: Callable[..., Classifier]
    read: Callable[[np.ndarray], np.ndarray]
    settings: dict[str, Any]
    seeded: bool = False

    def build(self, seed: int, out: Path, settings: dict[str, Any]) -> Classifier:
        """Return the classifier with its settings, seed and state file, where it takes these."""
        given = dict(self.settings) | settings
        if "distortion" in given:
            try:
                given["distortion"] = Distortion(**given["distortion"])
            except TypeError as error:
                raise ValueError(f"distortion: {error}") from error
        if "hidden" in given:
            given["hidden"] = tuple(given["hidden"])
        if self.seeded:
            given["seed"] = seed
        if self.method is VirtualSupportVectors:
            given["state"] = out / "support.npy"
        return self.method(**given)


def regular(images: np.ndarray) -> np.ndarray:
    """Return all 784 pixels, from 0 (paper) to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255.0


def upright(images: np.ndarray) -> np.ndarray:
    """Return the 400 pixels of the deslanted digit, from 0 (paper) to 1."""
    return regular(deslant(images))


def lenet4_states(images: np.ndarray, path: Path) -> np.ndarray:
    """Return the states of the 120 units before the outputs of a trained LeNet-4."""
    name, network, _ = load_model(path)
    if not isinstance(network, LeNet4):
        raise ResultError(f"{path}: holds {name}, lenet-4 would be right")
    with torch.no_grad():
        parts = [
            network.hidden(MODELS[name].prepare(part)).flatten(1)
            for part in torch.from_numpy(images).split(1000)
        ]
    return torch.cat(parts).numpy()


def _network(*hidden: int, read: Callable = regular, **settings: Any) -> Row:
    return Row(Perceptron, read, {"hidden": list(hidden)} | settings, seeded=True)


BASELINES = {
    "linear": Row(Linear, regular, {"inverse_strength": 0.1}),
    "linear-deslanted": Row(Linear, upright, {"inverse_strength": 0.1}),
    "pairwise-linear": Row(PairwiseLinear, regular, {"inverse_strength": 0.1}),
    "knn": Row(Neighbours, regular, {"k": 3}),
    "knn-deslanted": Row(Neighbours, upright, {"k": 3}),
    "pca-quadratic": Row(Quadratic, regular, {"components": 40, "inverse_strength": 0.01}),
    "rbf": Row(RadialBasis, regular, {"units": 1000, "width": 2.0}, seeded=True),
    "tangent-distance": Row(
        TangentNeighbours,
        to_16x16,
        {"k": 4, "smoothing": 0.5, "slack": 0.2, "euclidean": 300, "candidates": 60},
    ),
    "svm-4": Row(SupportVectors, upright, {"degree": 4, "inverse_strength": 10.0}),
    "rs-svm-5": Row(
        ReducedSet,
        upright,
        {"degree": 5, "vectors": 1580, "passes": 20, "step": 1e-3},
        seeded=True,
    ),
    "v-svm-9": Row(VirtualSupportVectors, regular, {"degree": 9, "inverse_strength": 10.0}),
    "mlp-300": _network(300),
    "mlp-300-distortions": _network(300, distortion=FAMILY),
    "mlp-300-deslanted": _network(300, read=upright),
    "mlp-1000": _network(1000),
    "mlp-1000-distortions": _network(1000, distortion=FAMILY),
    "mlp-300-100": _network(300, 100),
    "mlp-300-100-distortions": _network(300, 100, distortion=FAMILY),
    "mlp-500-150": _network(500, 150),
    "mlp-500-150-distortions": _network(500, 150, distortion=FAMILY),
    "lenet-4-knn": Row(Neighbours, regular, {"k": 3}),
    "lenet-4-local": Row(LocalLinear, regular, {"k": 200, "strength": 1.0}),
}
"""The rows by name. Those of LeNet-4 read the states of a network trained with the same seed."""


def run_baseline(
    name: str,
    seed: int = 0,
    data: Path | None = None,
    out: Path | None = None,
    folder: Path = RESULTS,
    *,
    progress: bool = False,
) -> Result:
    """Fit a row to all training digits, measure it on the test digits, write the result.

    An interrupted long fit resumes from its state in ``out`` (default: ``runs/mnist/ROW-seedN``).
    Raises ValueError for an unknown row, CheckpointError if LeNet-4 is missing.
    """
    row = _row(name)
    out = out or Path("runs") / "mnist" / f"{name}-seed{seed}"
    given = {"progress": progress} if row.method in (Perceptron, ReducedSet) else {}
    model = row.build(seed, out, given)
    read = _reader(name, row, seed, folder)
    images, labels = load_mnist(find_data(data, "mnist"), "train")
    started = time.perf_counter()
    model.fit(read(images.numpy()), labels.numpy())
    fitted = time.perf_counter()
    images, labels = load_mnist(find_data(data, "mnist"), "test")
    tested = time.perf_counter()
    penalties = torch.from_numpy(model.penalties(read(images.numpy())))
    seconds = {"training": fitted - started, "test": time.perf_counter() - tested}
    result = Result(
        row=name,
        model=row.method.__name__,
        seed=seed,
        **measure(penalties, labels),
        parameters=model.memory,
        multiply_adds=model.multiply_adds,
        memory=model.memory,
        configuration=row.settings | {"input": _input_name(name, row)},
        command=f"python -m demos.mnist baseline {name} --seed {seed}",
        seconds=seconds,
        passes=_passes(model),
        figures={"error_reject": curve(penalties, labels)},
    )
    write_result(result, folder)
    return result


def validate_baseline(
    name: str,
    seed: int = 0,
    data: Path | None = None,
    folder: Path = RESULTS,
    *,
    settings: dict[str, Any] | None = None,
    digits: int | None = None,
) -> float:
    """Return the share wrong of the last 5,000 training digits, with the row fitted to the others.

    ``settings`` replace those of the row; ``digits`` limits the fit to the first so many. A line
    with all this is added to ``choices.jsonl`` in ``folder``. Raises ValueError for more digits
    than remain besides those of the validation.
    """
    row = _row(name)
    settings = settings or {}
    _require_of_kind(name, row, settings)
    read = _reader(name, row, seed, folder)
    images, labels = (part.numpy() for part in load_mnist(find_data(data, "mnist"), "train"))
    cut = max(1, len(labels) - VALIDATION)
    if digits is not None and digits > cut:
        raise ValueError(
            f"there are {cut:,} digits to fit on, beside the last {len(labels) - cut:,} to "
            f"validate on: not {digits:,}"
        )
    part = slice(0, digits or cut)
    model = row.build(seed, Path("runs") / "mnist" / f"{name}-validated", settings)
    if isinstance(model, VirtualSupportVectors):
        model.state = None  # the state belongs to a fit of other digits
    model.fit(read(images[part]), labels[part])
    answers = model.penalties(read(images[cut:])).argmin(1)
    wrong = float((answers != labels[cut:]).mean())
    add_choice(folder, name, seed, row.settings | settings, part.stop, wrong)
    return wrong


def curve(penalties: torch.Tensor, labels: torch.Tensor, most: float = 0.2) -> list[list[float]]:
    """Return the error-reject curve as 101 pairs (share rejected, share wrong of the rest).

    The share rejected goes from 0 to ``most`` in equal steps.

    >>> y = torch.tensor([[0.0, 9.0], [4.0, 5.0]]).repeat(500, 1)
    >>> curve(y, torch.tensor([0, 1]).repeat(500))[0]
    [0.0, 0.5]
    """
    rejected, wrong = error_reject_curve(penalties, labels)
    at = torch.linspace(0.0, most * len(labels), 101).long().clamp(max=len(labels) - 1)
    pairs = zip(rejected[at].tolist(), wrong[at].tolist(), strict=True)
    return [[round(share, 5), round(error, 5)] for share, error in pairs]


def _row(name: str) -> Row:
    if name not in BASELINES:
        raise ValueError(f"row {name!r} is not one of {', '.join(BASELINES)}")
    return BASELINES[name]


def _require_of_kind(name: str, row: Row, settings: dict[str, Any]) -> None:
    """Raise ValueError for a setting that the row does not have, or one of the wrong type."""
    parameters = inspect.signature(row.method).parameters
    for key, value in settings.items():
        if key not in parameters:
            raise ValueError(f"{name} has no setting {key!r}")
        usual = row.settings.get(key, parameters[key].default)
        kinds: tuple[type, ...] = (
            (list, tuple) if isinstance(usual, list | tuple) else (type(usual),)
        )
        if isinstance(usual, float):
            kinds = (float, int)
        if usual not in (None, inspect.Parameter.empty) and type(value) not in kinds:
            raise ValueError(f"{name}: {key} is of the kind of {json.dumps(usual)}, not {value!r}")


def _reader(name: str, row: Row, seed: int, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    if name.startswith("lenet-4"):
        path = result_path("lenet-4", seed, folder).with_suffix(".safetensors")
        return partial(lenet4_states, path=path)
    return row.read


def _input_name(name: str, row: Row) -> str:
    if name.startswith("lenet-4"):
        return "120 states of LeNet-4"
    return {regular: "28x28", upright: "20x20, deslanted", to_16x16: "16x16"}[row.read]


def _passes(model: Classifier) -> list[dict[str, Any]]:
    losses = model.losses if isinstance(model, Perceptron) else []
    return [{"pass": number, "loss": loss} for number, loss in enumerate(losses, 1)]
