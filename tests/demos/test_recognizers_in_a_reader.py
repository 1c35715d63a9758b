"""Any network can be the recognizer of a reader, and gradients reach all its parts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import gtn
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.reading.reader import CheckReader
from recognizers.datasets.fields import load_fields
from recognizers.images import load_field
from recognizers.recognition import RecognitionTransformer
from recognizers.segmentation import segment_field
from recognizers.segmentation.graph import segmentation_graph
from recognizers.segmentation.rules import CUTS


@pytest.mark.parametrize("recognizer", ["two-stream", "lenet5", "residual", "bilinear"])
def test_one_loss_reaches_every_parameter(recognizer: str) -> None:
    fields = load_fields(DEMO_FIELDS).fields[:3]
    reader = CheckReader("car", recognizer)
    graphs = [segmentation_graph(segment_field(load_field(one.path))) for one in fields]
    loss = gtn.nn.DiscriminativeForwardLoss(reader.grammar)
    value = loss(reader.recognize(gtn.GraphBatch.from_graphs(graphs)), [one.text for one in fields])
    assert value > 0
    value.backward()
    without = {
        name for name, p in reader.named_parameters() if p.grad is None or not p.grad.abs().sum()
    }
    # A penalty that every path of every reading pays has no gradient: that of the only start.
    # The segments' common bias has one, since readings differ in how many segments they have.
    assert without <= {"grammar.start_penalties"}


def test_a_name_says_how_fields_are_cut() -> None:
    field = load_field(load_fields(DEMO_FIELDS).fields[0].path)
    usual, thorough = (CheckReader("car", name) for name in ("residual", "residual-thorough"))
    arcs = [one.recognize.prepare(field).num_arcs for one in (usual, thorough)]
    assert arcs[0] == segment_field(field).num_arcs
    assert arcs[1] == segment_field(field, CUTS["thorough"]).num_arcs > arcs[0]
    assert usual.state_dict().keys() == thorough.state_dict().keys()
    assert len(thorough.read([field])) == 1


@pytest.mark.parametrize("name", ["residual", "bilinear"])
def test_folded_examples_read_the_same(name: str) -> None:
    field = load_field(load_fields(DEMO_FIELDS).fields[1].path)
    reader = CheckReader("car", name, views=1).eval()
    for module in reader.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, generator=torch.Generator().manual_seed(1))
    given, folded = reader.read([field])[0], reader.for_reading().read([field])[0]
    assert given.text == folded.text
    assert given.confidence == pytest.approx(folded.confidence, rel=1e-3)


def test_another_network_plugs_in() -> None:
    field = load_fields(DEMO_FIELDS).fields[0]
    network = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 11))
    read = RecognitionTransformer(network, gtn.SymbolTable("0123456789□"))
    graph = read(segmentation_graph(segment_field(load_field(field.path))))
    gtn.forward_penalty(graph).backward()
    weight = network[1].weight
    assert isinstance(weight, torch.Tensor)
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize("classes", [10, "0123456789"])
def test_classes_of_another_network_are_counted(classes: int | str) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 10))
    network.classes = classes  # type: ignore[assignment]
    with pytest.raises(ValueError, match="the network has 10 classes, the table 11 symbols"):
        RecognitionTransformer(network, gtn.SymbolTable("0123456789□"))
    RecognitionTransformer(network, gtn.SymbolTable("0123456789"))


def test_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    page = (root / "docs" / "recognizers.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/recognizers.md", "exec"), {})


def test_the_graphs_of_a_reading_are_drawn_as_the_page_on_checks_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = Path(__file__).parents[2] / "docs"
    (block,) = re.findall(r"```python\n(.*?)```", (docs / "checks.md").read_text(), re.DOTALL)
    (tmp_path / "demos").symlink_to(docs.parent / "demos")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block, "docs/checks.md", "exec"), names)
    assert names["reader"].read([names["field"]])[0].text == gtn.path_text(names["best"])
    segments, taken = names["segments"], names["in_segments"].index
    assert segments.src[taken].tolist() == [0, *segments.dst[taken].tolist()[:-1]]
    ink = segments.data["image"][taken.tolist()]
    assert torch.equal(ink, names["best"].data["image"])
    for name in ("segments", "recognized", "best", "likely"):
        assert (tmp_path / f"{name}.svg").read_text().count("<image") >= len(taken)
