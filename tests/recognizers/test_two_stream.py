"""The network of two streams, and its view of a segment among other ink."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recognizers.segment_networks.two_stream import TwoStream
from recognizers.segmentation import segment_field
from recognizers.segmentation.surroundings import LINE_HEIGHT, VIEW, segment_surroundings


def digits_and_a_point() -> np.ndarray:
    field = np.full((60, 160), 230, np.uint8)
    field[15:45, 20:25] = field[15:45, 60:65] = field[15:45, 110:115] = 30
    field[39:45, 84:90] = 30
    return field


def test_both_streams_and_every_parameter_take_part() -> None:
    net = TwoStream("012", rubbish=True, generator=torch.Generator().manual_seed(1))
    ink, around = torch.rand(6, 1, 32, 32), torch.rand(6, 2, 32, 32)
    net(ink, around).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    net.eval()
    assert not torch.equal(net(ink, around), net(ink.flip(0), around))
    assert not torch.equal(net(ink, around), net(ink, around.flip(0)))
    torch.testing.assert_close(net(ink, around)[2:4], net(ink[2:4], around[2:4]))


def test_classes_seed_and_size() -> None:
    first, second = (
        TwoStream("01", rubbish=True, generator=torch.Generator().manual_seed(3)) for _ in "ab"
    )
    assert first.classes == ("0", "1", "rubbish")
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    again = TwoStream(**first.settings)
    assert again.state_dict().keys() == first.state_dict().keys()
    assert first(torch.zeros(0, 1, 32, 32), torch.zeros(0, 2, 32, 32)).shape == (0, 3)
    assert sum(p.numel() for p in TwoStream("0123456789", rubbish=True).parameters()) < 250_000
    with pytest.raises(ValueError, match="named twice"):
        TwoStream("00")


def test_own_and_other_ink_are_the_ink_of_the_line() -> None:
    field = digits_and_a_point()
    cut = segment_field(field)
    singles = np.flatnonzero(cut.dst - cut.src == 1)
    assert len(singles) == 4
    views = cut.surroundings.astype(np.float64)
    for arc in singles:
        own, other = views[arc]
        assert own.sum() > 0
        # Except at the edge of a stroke, the segment's own ink and other ink exclude each other.
        assert np.minimum(own, other).sum() < 0.02 * own.sum()
    heights = [np.flatnonzero(views[arc, 0].max(axis=1) > 100) for arc in singles]
    tall = [rows[-1] - rows[0] + 1 for rows in heights]
    assert max(tall) == pytest.approx(LINE_HEIGHT, abs=2)
    point = int(np.argmin(tall))
    assert point == 2
    assert heights[point][0] > VIEW / 2  # it stands low on the line, and stays small
    assert tall[point] < LINE_HEIGHT / 3


def test_a_group_owns_what_its_pieces_own() -> None:
    cut = segment_field(digits_and_a_point())
    for arc in np.flatnonzero(cut.dst - cut.src == 2):
        own = cut.surroundings[arc, 0].astype(np.float64)
        parts = [
            cut.surroundings[i, 0].astype(np.float64).sum()
            for i in np.flatnonzero(cut.dst - cut.src == 1)
            if cut.src[arc] <= cut.src[i] < cut.dst[arc]
        ]
        # This holds as far as the pieces lie within the view of the group.
        assert own.sum() <= sum(parts) * 1.01 + VIEW
        assert own.sum() >= 0.9 * max(parts)


@pytest.mark.parametrize("height", [6.0, 16.0, 70.0])
def test_ink_keeps_its_area_at_any_scale(height: float) -> None:
    size = int(4 * height)
    pieces = np.full((size, size), -1)
    side = int(0.5 * height)
    low = size // 2 - side // 2
    pieces[low : low + side, low : low + side] = 0
    image = np.where(pieces == 0, 200, 0).astype(np.uint8)
    own, other = segment_surroundings(image, pieces, pieces, np.array([0]), np.array([1]), height)[
        0
    ]
    assert not other.any()
    expected = 200.0 * (side * LINE_HEIGHT / height) ** 2
    assert own.astype(float).sum() == pytest.approx(expected, rel=0.12)
    rows, columns = (own.sum(axis=axis).nonzero()[0].mean() for axis in (1, 0))
    assert rows == pytest.approx(VIEW / 2 - 0.5, abs=1.1)
    assert columns == pytest.approx(VIEW / 2 - 0.5, abs=1.1)
