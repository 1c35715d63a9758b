"""Draw filters, feature maps, codes, saliency, the map of F6 and the errors (Fig. 8).

Each is a PNG file; a self-contained HTML page shows them all.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from torch import Tensor, nn
from torch.nn import functional

from demos.checkpoint import write_whole
from demos.mnist.evaluate import load_digits
from demos.mnist.models import MODELS, load_model
from demos.mnist.train import Digits, penalties_of
from demos.pages import fill_file
from recognizers.boosting import BoostedNetworks
from recognizers.codes import HEIGHT, WIDTH
from recognizers.datasets.mnist import BACKGROUND
from recognizers.layers import ConnectedConv2d, EuclideanRBF, Subsampling
from recognizers.lenet import describe, layers_of

__all__ = ["draw_pictures", "layer_states", "saliency", "states_before_output"]

MOST_ERRORS = 120
"""Most misread digits shown."""

MOST_POINTS = 2000
"""Most digits on the map of the states before the output."""


@dataclass(frozen=True)
class Picture:
    """A picture of the page: its file name, description, and PNG."""

    name: str
    title: str
    text: str
    png: bytes

    @property
    def uri(self) -> str:
        """Return the PNG as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def draw_pictures(
    checkpoint: Path, out: Path, data: Path | None = None, *, digit: int = 0, seed: int = 0
) -> Path:
    """Draw all pictures of a network into ``out``; return the page, ``out/pictures.html``.

    ``digit`` is the number of the test digit whose feature maps are shown.

    Raises:
        CheckpointError: the file is not a checkpoint.
        ValueError: there is no test digit with that number; or the checkpoint holds
            three boosted networks.
    """
    name, network, about = load_model(checkpoint)
    if isinstance(network, BoostedNetworks):
        raise ValueError(f"{checkpoint}: {name} is three networks; a single one is drawn")
    test = load_digits(name, "test", data)
    if not 0 <= digit < len(test.labels):
        raise ValueError(f"digit {digit}: there are {len(test.labels)} test digits, from 0")
    penalties = penalties_of(network, test.inputs)
    wrong = (penalties.argmin(1) != test.labels).nonzero()[:, 0]
    pictures = _pictures(network, test, penalties, wrong, digit, seed)
    for picture in pictures:
        write_whole(Path(out) / f"{picture.name}.png", picture.png)
    page = fill_file(
        Path(__file__).parent,
        "pictures.html",
        row=about.get("row", name),
        model=name,
        pictures=pictures,
        layers=describe(network, MODELS[name].size),
        wrong=len(wrong),
        count=len(test.labels),
    )
    target = Path(out) / "pictures.html"
    write_whole(target, page)
    return target


def layer_states(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return the squashed states of every layer by name, [B, maps, h, w], and the penalties last.

    The states are differentiable: gradients of later layers reach them.

    >>> from recognizers.lenet import LeNet5
    >>> states = layer_states(LeNet5(), torch.zeros(1, 1, 32, 32))
    >>> list(states), tuple(states["c3"].shape)
    (['c1', 's2', 'c3', 's4', 'c5', 'f6', 'out'], (1, 16, 10, 10))
    """
    names = [row.name for row in layers_of(network, tuple(images.shape[2:]))]
    found: dict[str, Tensor] = {}

    def keep(name: str, result: Tensor) -> None:
        # The squashing reads this very tensor, so it has a gradient after backward().
        found[name] = result

    handles = [
        layer.register_forward_hook(lambda _, __, result, name=name: keep(name, result))
        for name, layer in network.named_modules()
        if name in names
    ]
    try:
        penalties = network(images)
    finally:
        for handle in handles:
            handle.remove()
    squash = network.squash
    states = {name: squash(found[name]) for name in names if name != "out"}
    return states | {"out": penalties}


def states_before_output(network: nn.Module, images: Tensor) -> Tensor:
    """Return the states that the output layer reads, [B, D], without gradients."""
    with torch.no_grad():
        return torch.cat([network.features(part).flatten(1) for part in images.split(500)])


def saliency(network: nn.Module, images: Tensor) -> Tensor:
    """Return how much each pixel supports the answer, [B, H, W], from 0 to 1 (after Grad-CAM).

    Take the states of the last convolution with more than one place, subtract those of blank paper,
    and multiply by the gradient of the difference of the two best penalties. Sum over the maps,
    drop negative values, and place each sum where its unit looks. (Grad-CAM proper takes the states
    as they are, which marks the paper, since units range from -1.7 to 1.7; and it takes the
    gradient of a posterior, which is 0 near 1.)

    >>> from recognizers.lenet import LeNet5
    >>> saliency(LeNet5(), torch.zeros(2, 1, 32, 32)).shape
    torch.Size([2, 32, 32])
    """
    names = [r.name for r in layers_of(network, tuple(images.shape[2:])) if r.height * r.width > 1]
    layers = [network.get_submodule(name) for name in names]
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, ConnectedConv2d))
    layer = layers[last]
    # The subsamplings before the units set their distance; together they are centred on the image.
    step = 2 ** sum(isinstance(one, Subsampling) for one in layers[:last])
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _, __, result: kept.append(result))
    try:
        network(torch.full_like(images[:1], BACKGROUND))
        with torch.enable_grad():
            best = network(images).topk(2, dim=1, largest=False).values
    finally:
        handle.remove()
    paper, states = kept
    (gradient,) = torch.autograd.grad((best[:, 1] - best[:, 0]).sum(), states)
    parts = (gradient * (states - paper).detach()).sum(1, keepdim=True).relu()
    parts = functional.interpolate(
        parts, scale_factor=float(step), mode="bilinear", align_corners=False
    )[:, 0]
    sides = [
        (big - small) // 2 for big, small in zip(images.shape[2:], parts.shape[1:], strict=True)
    ]
    parts = functional.pad(parts, (sides[1], sides[1], sides[0], sides[0]))
    return parts / parts.amax((1, 2), keepdim=True).clamp_min(1e-12)


def _pictures(
    network: nn.Module, test: Digits, penalties: Tensor, wrong: Tensor, digit: int, seed: int
) -> list[Picture]:
    """Draw the pictures of the page, in its order; ``wrong`` are the numbers of missed digits."""
    answers = penalties.argmin(1)
    chosen = test.inputs[digit : digit + 1]
    label = int(test.labels[digit])
    of_each = torch.stack([(test.labels == k).nonzero()[0, 0] for k in test.labels.unique()])
    pictures = [
        Picture(
            "filters",
            "Filters of the first layer",
            "One kernel for each map; red adds, blue takes away where there is ink.",
            _png(_filters(network)),
        ),
        Picture(
            "maps",
            f"Feature maps of test digit {digit}, a {label}",
            "Layer by layer, from the input to the penalties of the classes; black is -1.7159, "
            "white 1.7159.",
            _png(_maps(network, chosen)),
        ),
    ]
    out_layer = getattr(network, "out", None)
    if isinstance(out_layer, EuclideanRBF) and out_layer.centres.shape[1] == WIDTH * HEIGHT:
        pictures.append(
            Picture(
                "codes",
                "The code that F6 approaches",
                f"For the first test digit of each class: the digit, the {WIDTH}x{HEIGHT} states "
                "of F6, and the code of the answer, which is the centre of its RBF unit. Under "
                "them, the squared distance.",
                _png(_codes(network, out_layer, test.inputs[of_each])),
            )
        )
    worst = _most_certain(penalties, wrong)
    shown = torch.cat([of_each, worst[:10]])
    pictures += [
        Picture(
            "saliency",
            "Where the answer comes from",
            "What the last convolution makes of the ink, times the gradient of the difference of "
            "the two best penalties (as Grad-CAM): red spoke for the answer. The first test digit "
            "of each class, then missed ones; true class, answer.",
            _png(_saliencies(network, test.inputs[shown], test.labels[shown])),
        ),
        Picture(
            "states",
            "Map of the states before the output",
            f"t-SNE of {min(MOST_POINTS, len(test.labels)):,} test digits by the states that the "
            "output reads; crosses are missed digits.",
            _png(_map_of_states(network, test, answers, seed)),
        ),
        Picture(
            "errors",
            f"The {len(wrong)} missed test digits (Fig. 8)",
            "True class and answer; the most certain errors first"
            + (f", {MOST_ERRORS} of them." if len(wrong) > MOST_ERRORS else "."),
            _png(_errors(test, answers, worst[:MOST_ERRORS])),
        ),
    ]
    return pictures


def _most_certain(penalties: Tensor, rows: Tensor) -> Tensor:
    best = penalties[rows].topk(2, dim=1, largest=False).values
    return rows[(best[:, 1] - best[:, 0]).argsort(descending=True)]


def _filters(network: nn.Module) -> Figure:
    first = next(m for m in network.modules() if isinstance(m, ConnectedConv2d))
    kernels = first.dense_kernels().detach()[:, 0].numpy()
    most = float(np.abs(kernels).max())
    figure = Figure(figsize=(1.3 * len(kernels), 1.5))
    for axes, kernel in zip(figure.subplots(1, len(kernels)), kernels, strict=True):
        _image(axes, kernel, cmap="RdBu_r", vmin=-most, vmax=most)
    return figure


def _maps(network: nn.Module, image: Tensor) -> Figure:
    with torch.no_grad():
        states = layer_states(network, image)
    rows = {"input": image[0]} | {name: s[0] for name, s in states.items() if s.dim() == 4}
    penalties = states["out"][0]
    figure = Figure(figsize=(11.0, 1.15 * (len(rows) + 1)))
    grid = figure.add_gridspec(len(rows) + 1, 1, hspace=0.25)
    for place, (name, maps) in enumerate(rows.items()):
        small = maps.shape[1] == 1
        columns = 1 if small else len(maps)
        cells = grid[place].subgridspec(1, max(columns, 6), wspace=0.08)
        if small:
            axes = figure.add_subplot(cells[0, :])
            shown = maps[:, 0, 0].reshape(HEIGHT if len(maps) % HEIGHT == 0 else 1, -1)
            _image(axes, shown.numpy(), cmap="gray", vmin=-1.7159, vmax=1.7159)
            axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
            continue
        for column, one in enumerate(maps):
            axes = figure.add_subplot(cells[0, column])
            limits = (None, None) if name == "input" else (-1.7159, 1.7159)
            _image(axes, one.numpy(), cmap="gray", vmin=limits[0], vmax=limits[1])
            if column == 0:
                axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    axes = figure.add_subplot(grid[len(rows)])
    axes.bar(range(len(penalties)), penalties.tolist(), color="#1f5fa8")
    axes.set_xticks(range(len(penalties)), [str(c) for c in network.classes], fontsize=8)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_ylabel("penalty", rotation=0, ha="right", va="center", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _codes(network: nn.Module, output: EuclideanRBF, images: Tensor) -> Figure:
    states = states_before_output(network, images)
    with torch.no_grad():
        penalties = network(images)
    figure = Figure(figsize=(1.1 * len(images), 4.4))
    grid = figure.subplots(3, len(images), gridspec_kw={"hspace": 0.1, "wspace": 0.15})
    for column in range(len(images)):
        answer = int(penalties[column].argmin())
        _image(grid[0, column], images[column, 0].numpy(), cmap="gray_r")
        for row, code in ((1, states[column]), (2, output.centres[answer].detach())):
            shown = code.view(HEIGHT, WIDTH).numpy()
            _image(grid[row, column], shown, cmap="gray_r", vmin=-1.7159, vmax=1.7159)
        distance = float(penalties[column, answer])
        grid[2, column].set_xlabel(f"{network.classes[answer]}  {distance:.1f}", fontsize=8)
    return figure


def _saliencies(network: nn.Module, images: Tensor, labels: Tensor) -> Figure:
    where = saliency(network, images).numpy()
    with torch.no_grad():
        answers = network(images).argmin(1)
    columns = 10
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.1 * columns, 1.35 * rows))
    grid = np.atleast_2d(figure.subplots(rows, columns)).ravel()
    for axes in grid[len(images) :]:
        axes.set_visible(False)
    for axes, image, cam, label, answer in zip(grid, images, where, labels, answers, strict=False):
        _image(axes, image[0].numpy(), cmap="gray_r")
        axes.imshow(cam, cmap="Reds", alpha=0.75 * cam, vmin=0, vmax=1)
        axes.set_title(f"{int(label)} → {int(answer)}", fontsize=8, pad=2)
    return figure


def _map_of_states(network: nn.Module, test: Digits, answers: Tensor, seed: int) -> Figure:
    count = min(MOST_POINTS, len(test.labels))
    states = states_before_output(network, test.inputs[:count]).numpy()
    perplexity = min(30.0, (count - 1) / 3)
    places = TSNE(random_state=seed, perplexity=perplexity, init="pca").fit_transform(states)
    labels = test.labels[:count].numpy()
    wrong = labels != answers[:count].numpy()
    figure = Figure(figsize=(7.5, 6.5))
    axes = figure.subplots()
    for k in np.unique(labels):
        own = (labels == k) & ~wrong
        color = mpl.colormaps["tab10"](int(k))
        axes.scatter(*places[own].T, s=6, color=color, label=str(k))
        missed = (labels == k) & wrong
        axes.scatter(*places[missed].T, s=45, color=color, marker="x")
    axes.legend(fontsize=8, frameon=False, markerscale=2, ncols=2)
    axes.set_xticks([])
    axes.set_yticks([])
    return figure


def _errors(test: Digits, answers: Tensor, rows: Tensor) -> Figure:
    columns = 12
    lines = max(1, -(-len(rows) // columns))
    figure = Figure(figsize=(0.85 * columns, 1.05 * lines))
    grid = np.atleast_2d(figure.subplots(lines, columns)).ravel()
    for axes in grid[len(rows) :]:
        axes.set_visible(False)
    for axes, row in zip(grid, rows.tolist(), strict=False):
        _image(axes, test.inputs[row, 0].numpy(), cmap="gray_r")
        axes.set_title(f"{int(test.labels[row])} → {int(answers[row])}", fontsize=8, pad=2)
    return figure


def _image(axes: Axes, image: np.ndarray, **options: object) -> None:
    axes.imshow(image, interpolation="nearest", **options)
    axes.set_xticks([])
    axes.set_yticks([])


def _png(figure: Figure) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=110, bbox_inches="tight")
    return target.getvalue()
