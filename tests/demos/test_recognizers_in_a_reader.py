"""Any network can be the recognizer of a reader, and gradients reach every part of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gtn
from demos.checks.__main__ import DEMO_FIELDS
from demos.checks.reader import CheckReader
from recognizers.datasets.fields import load_fields
from recognizers.images import load_field
from recognizers.recognition import RecognitionTransformer
from recognizers.segmentation import segment_field
from recognizers.segmentation_graph import segmentation_graph


@pytest.mark.parametrize("recognizer", ["two-stream", "lenet5"])
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
