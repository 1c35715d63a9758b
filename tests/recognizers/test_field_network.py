"""The network of fields: swept over a line, it says of each window what it says of it alone."""

from __future__ import annotations

import pytest
import torch

from recognizers.lines.columns import column_layers
from recognizers.lines.field_network import FieldNetwork, sweeping


def _used(seed: int) -> FieldNetwork:
    """Return a network in double precision whose normalisation is not the identity."""
    net = FieldNetwork(rubbish=True, generator=torch.Generator().manual_seed(seed))
    net(torch.rand(4, 1, 40, 120, generator=torch.Generator().manual_seed(seed)))
    return net.double().eval()


@pytest.mark.parametrize("more", range(5))
def test_one_pass_says_what_the_windows_say(more: int) -> None:
    net = _used(0)
    high, wide = net.field
    step = net.stride[1]
    width = wide + 6 * step + more
    line = torch.rand(1, 1, high, width, dtype=torch.float64, generator=torch.manual_seed(more))
    together = net(line)
    starts = range(0, width - wide + 1, step)
    alone = [net(line[..., at : at + wide]) for at in starts]
    assert together.shape == (1, 11, 1, len(starts))
    assert torch.allclose(together, torch.cat(alone, dim=3), rtol=1e-6, atol=1e-7)


def test_a_window_sees_all_of_its_columns_and_none_beside_them() -> None:
    net = _used(1)
    wide = net.field[1]
    line = torch.rand(1, 1, 40, wide + 40, dtype=torch.float64, generator=torch.manual_seed(1))
    line.requires_grad_()
    net(line)[0, 3, 0, 5].backward()
    assert line.grad is not None
    seen = torch.nonzero(line.grad.abs().sum(dim=(0, 1, 2))).flatten()
    # Pooling passes on one column of two, so that an outermost one may not count.
    assert 20 <= seen.min() <= 22
    assert 20 + wide - 3 <= seen.max() <= 20 + wide - 1


def test_a_line_has_outputs_to_its_ends_when_swept() -> None:
    swept = sweeping(FieldNetwork(rubbish=True)).eval()
    assert swept(torch.zeros(2, 1, 40, 160)).shape == (2, 38, 11)


@pytest.mark.parametrize("along", [0, 1])
def test_columns_collapse_to_vectors(along: int) -> None:
    layers = torch.nn.Sequential(*column_layers(along=along))
    found = layers(torch.zeros(2, 1, 40, 160))
    assert found.shape[:3] == (2, 96, 1)
    assert found.shape[3] == 40 - 8 * (1 - along)
