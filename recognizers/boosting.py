"""Boosting after Drucker, Schapire and Simard: three networks, each taught what the others miss.

The first is trained as usual; the second on patterns of which the first gets half right and half
wrong; the third on patterns on which the first two disagree (paper section III-C). Their
penalties are averaged. If the first is sure, the other two are not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

Stream = Iterable[tuple[Tensor, Tensor]]
"""Batches of patterns [B, ...] and labels [B], without end or long enough."""


def margin(penalties: Tensor) -> Tensor:
    """Return the difference of the two least penalties of each row of [N, C], in nats.

    >>> margin(torch.tensor([[5.0, 1.0, 2.5]]))
    tensor([1.5000])
    """
    if penalties.dim() != 2 or penalties.shape[1] < 2:
        raise ValueError(f"penalties must be [N, 2 classes or more], not {tuple(penalties.shape)}")
    best = penalties.topk(2, dim=1, largest=False).values
    return best[:, 1] - best[:, 0]


class BoostedNetworks(nn.Module):
    """Three networks as one: patterns [N, ...] to penalties [N, C], the mean of the three.

    If the `margin` of the first is above `threshold` (nats), it answers alone. Penalties are the
    mean and not the sum, so that those of all three compare with those of the first alone. With an
    infinite threshold all three always run.

    >>> net = BoostedNetworks(*(nn.Linear(2, 3) for _ in range(3)), threshold=0.5)
    >>> net(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    threshold: Tensor

    def __init__(
        self,
        first: nn.Module,
        second: nn.Module,
        third: nn.Module,
        threshold: float = float("inf"),
    ) -> None:
        super().__init__()
        self.first, self.second, self.third = first, second, third
        self.register_buffer("threshold", torch.tensor(float(threshold)), persistent=False)

    def forward(self, patterns: Tensor) -> Tensor:
        """Return the penalties; the second and third network see only the patterns passed on."""
        penalties = self.first(patterns)
        unsure = (margin(penalties) <= self.threshold).nonzero().squeeze(1)
        if len(unsure) == 0:
            return penalties
        rest = patterns.index_select(0, unsure)
        all_three = penalties.index_select(0, unsure) + self.second(rest) + self.third(rest)
        return penalties.index_copy(0, unsure, all_three / 3.0)

    def cost(self, patterns: Tensor) -> float:
        """Return the mean number of networks run per pattern: 1 to 3 (the paper: about 1.75)."""
        sent_on = margin(self.first(patterns)) <= self.threshold
        return 1.0 + 2.0 * float(sent_on.double().mean())


def threshold_for_cost(penalties: Tensor, cost: float) -> float:
    """Return the threshold that gives a mean cost, from the first network's penalties [N, C].

    `cost` is a mean number of networks between 1 and 3; for 1.75, three of eight patterns are
    sent on. Ties aside, the result is exact on these patterns. Choose it on patterns that the
    first network was not trained on.

    >>> threshold_for_cost(torch.tensor([[0.0, 1.0], [0.0, 2.0], [5.0, 0.0], [0.0, 9.0]]), 2.0)
    2.0
    """
    if not 1.0 <= cost <= 3.0:
        raise ValueError(f"the mean cost of three networks is between 1 and 3, not {cost}")
    margins = margin(penalties).sort().values
    sent_on = round((cost - 1.0) / 2.0 * len(margins))
    return float(margins[sent_on - 1]) if sent_on else -1.0


@torch.no_grad()
def half_wrong(first: nn.Module, stream: Stream, count: int) -> tuple[Tensor, Tensor]:
    """Return patterns and labels of which the first network gets half wrong and half right.

    Takes the first count // 2 of either kind in the stream and keeps their order. Raises
    ValueError if the stream ends before there are enough.
    """
    taken = {False: 0, True: 0}
    each = count // 2

    def keep(patterns: Tensor, labels: Tensor) -> Tensor:
        right = first(patterns).argmin(1) == labels
        kept = torch.zeros_like(right)
        for kind in (False, True):
            places = (right == kind).nonzero().squeeze(1)[: each - taken[kind]]
            kept[places] = True
            taken[kind] += len(places)
        return kept

    return _collect(stream, keep, 2 * each, "that the first network gets half wrong")


@torch.no_grad()
def disagreements(
    first: nn.Module, second: nn.Module, stream: Stream, count: int
) -> tuple[Tensor, Tensor]:
    """Return the first `count` patterns, and their labels, on which two networks disagree.

    Raises ValueError if the stream ends before there are enough.
    """

    def keep(patterns: Tensor, labels: Tensor) -> Tensor:
        return first(patterns).argmin(1) != second(patterns).argmin(1)

    return _collect(stream, keep, count, "on which the networks disagree")


def _collect(
    stream: Stream, keep: Callable[[Tensor, Tensor], Tensor], count: int, what: str
) -> tuple[Tensor, Tensor]:
    if count < 1:
        raise ValueError(f"at least 2 patterns must be asked for, not {count}")
    patterns: list[Tensor] = []
    labels: list[Tensor] = []
    found = drawn = 0
    for x, t in stream:
        kept = keep(x, t).nonzero().squeeze(1)
        patterns.append(x.index_select(0, kept))
        labels.append(t.index_select(0, kept))
        found += len(kept)
        drawn += len(t)
        if found >= count:
            return torch.cat(patterns)[:count], torch.cat(labels)[:count]
    raise ValueError(
        f"the stream ended after {drawn} patterns with {found} {what}; {count} were asked for"
    )
