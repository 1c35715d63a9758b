"""The wide network and what LeNet-5 learns from it."""

from dataclasses import replace

import pytest
import torch

from demos.checkpoint import load_checkpoint
from demos.mnist.models import KIND, MODELS, load_model, save_model
from demos.mnist.recipes import RECIPES, Recipe
from demos.mnist.teacher import WideNetwork, taught_loss
from demos.mnist.train import Digits, penalties_of, train_network
from recognizers.lenet import multiply_adds, parameters


def test_the_taught_loss_is_a_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    said, taught = torch.rand(2, 5, 4, generator=generator, dtype=torch.float64) * 6
    expected = 0.0
    for a, b in zip(said, taught, strict=True):
        p, q = (torch.exp(-v / 2) / torch.exp(-v / 2).sum() for v in (b, a))
        expected -= 4.0 * float((p * q.log()).sum()) / 5
    assert float(taught_loss(said, taught, 2.0)) == pytest.approx(expected)


def test_who_says_what_the_teacher_says_has_nothing_to_learn():
    taught = torch.tensor([[0.1, 3.0, 7.0], [5.0, 0.2, 0.3]], dtype=torch.float64)
    said = (taught + 11.0).requires_grad_()  # the same at every class: the same opinion
    taught_loss(said, taught, 3.0).backward()
    assert said.grad.abs().max() < 1e-12
    # A certain teacher is a label.
    sure = torch.full((2, 3), 1e4, dtype=torch.float64)
    sure[[0, 1], [2, 0]] = 0.0
    said = said.detach()
    right = -torch.log_softmax(-said, 1)[[0, 1], [2, 0]].mean()
    assert float(taught_loss(said, sure, 1.0)) == pytest.approx(float(right))


def test_the_wide_network(tmp_path):
    network = WideNetwork(generator=torch.Generator().manual_seed(1))
    images = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    penalties = network(images)
    assert penalties.dtype == torch.float32
    assert torch.exp(-penalties).sum(1).tolist() == pytest.approx([1.0] * 3)
    for wrong in (torch.zeros(1, 1, 28, 28), torch.zeros(1, 32, 32)):
        with pytest.raises(ValueError, match="must be"):
            network(wrong)
    with pytest.raises(ValueError, match='"softmax"'):
        WideNetwork(output="rbf")
    assert multiply_adds(network) > 10 * multiply_adds(MODELS["lenet-5"].build())
    assert parameters(network) == sum(p.numel() for p in network.parameters())
    save_model(tmp_path / "a.safetensors", "wide", network, {})
    _, loaded, _ = load_model(tmp_path / "a.safetensors")
    assert torch.equal(loaded(images), penalties)


def test_a_taught_run_goes_on_as_if_it_had_not_stopped(tmp_path, monkeypatch):
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(48) % 10
    patterns = torch.rand(10, 1, 32, 32, generator=generator)
    noise = 0.1 * torch.rand(48, 1, 32, 32, generator=generator)
    digits = Digits(patterns[labels] + noise, labels)
    monkeypatch.setitem(RECIPES, "wide", replace(RECIPES["wide"], passes=2, batch=12))
    recipe = Recipe("lenet-5", passes=2, samples=10, teacher="wide", taught=0.5, temperature=2.0)
    whole = train_network(recipe, 1, digits, tmp_path / "whole", progress=False)
    plain = train_network(
        replace(recipe, teacher=""), 1, digits, tmp_path / "plain", progress=False
    )
    assert whole.passes[0]["loss"] != plain.passes[0]["loss"]
    assert whole.seconds > 0

    loop = train_network.__globals__["_Loop"]
    passes = loop.one_pass

    def until_the_second(self, number, *rest):
        if self.recipe.model == "lenet-5" and number == 1:
            raise KeyboardInterrupt
        passes(self, number, *rest)

    monkeypatch.setattr(loop, "one_pass", until_the_second)
    with pytest.raises(KeyboardInterrupt):
        train_network(recipe, 1, digits, tmp_path / "parts", progress=False)
    monkeypatch.setattr(loop, "one_pass", passes)
    again = train_network(recipe, 1, digits, tmp_path / "parts", progress=False)
    assert torch.equal(
        penalties_of(again.network, digits.inputs), penalties_of(whole.network, digits.inputs)
    )
    _, about = load_checkpoint(tmp_path / "parts" / "teacher" / "state.safetensors", kind=KIND)
    assert about["run"]["recipe"]["model"] == "wide"
    assert about["run"]["seed"] == 0
