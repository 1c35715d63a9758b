"""Stochastic diagonal Levenberg-Marquardt (App. C): gradient steps, each parameter at its own rate.

The rate of parameter k is ε_k = η / (μ + h_kk) (eq. 21), with h_kk estimated on a few hundred
patterns before every pass and held fixed in the pass (`recognizers.curvature`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from recognizers.curvature import Curvatures, gauss_newton_curvature, paper_curvature
from recognizers.layers import EuclideanRBF

PUBLISHED_RATES = (5e-4,) * 2 + (2e-4,) * 3 + (1e-4,) * 3 + (5e-5,) * 4 + (1e-5,) * 8
"""η of each of the 20 passes of the paper (section III-B)."""

DRAWS = 16
"""Samples of the Gauss-Newton diagonal to average; a single one is often near zero."""

Loss = Callable[[Tensor, Tensor], Tensor]


class SDLM(Optimizer):
    """w_k ← w_k - η / (μ + h_kk) ∂E/∂w_k (eqs. 18 and 21).

    - `params`: parameters, or groups of them, as for any torch optimizer.
    - `lr`: the global rate η; a scheduler or the caller changes it from pass to pass.
    - `mu`: bounds the rates where the curvature is small; the largest rate is `lr` / `mu`.
    - `curvature`: "paper" (eqs. 23 to 27) or "gauss-newton" (a sample of the diagonal).

    E is the loss of one pattern. So for a step on a small batch to stand for as many steps of the
    paper, its gradient must be the *sum* over its patterns. Call `estimate` (or `set_curvature`)
    before the first `step`, which raises RuntimeError otherwise.
    Raises ValueError for rates that are not positive and for an unknown `curvature`.

    >>> net = nn.Sequential(nn.Linear(1, 1, bias=False))
    >>> square = lambda y, t: (0.5 * (y[:, 0] - t) ** 2).mean()
    >>> x, t = torch.tensor([[3.0]]), torch.tensor([6.0])
    >>> optimizer = SDLM(net.parameters(), lr=1.0, mu=1e-6)
    >>> optimizer.estimate(net, x, t, square)
    >>> square(net(x), t).backward(); optimizer.step()
    >>> round(net[0].weight.item(), 3)  # one Newton step
    2.0
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = PUBLISHED_RATES[0],
        mu: float = 0.02,
        curvature: str = "paper",
    ) -> None:
        if not lr > 0 or not mu > 0:
            raise ValueError(f"lr and mu must be positive, not {lr} and {mu}")
        if curvature not in ("paper", "gauss-newton"):
            raise ValueError(f'curvature must be "paper" or "gauss-newton", not {curvature!r}')
        self.curvature = curvature
        # Rates of each group and what they were computed from: the curvature is held for a pass.
        self._rates: dict[int, tuple[tuple[float, float], list[Tensor]]] = {}
        super().__init__(params, {"lr": lr, "mu": mu})

    def estimate(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        loss: Loss,
        generator: torch.Generator | None = None,
        features: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Estimate the curvature of all parameters on some patterns (the paper: 500).

        `loss(outputs, targets)` is a mean over patterns. The recursion of the paper takes no
        random numbers; the Gauss-Newton diagonal is the mean of `DRAWS` samples. For the latter,
        network and loss meet at the outputs of the model or, if these are distances to fixed codes
        (the LeNets), at the states below them, since eq. 8 has no curvature above. With
        `features`, a method of the model that runs its first part, the loss is a function of the
        states it returns in both cases.
        """
        if self.curvature == "paper":
            found = paper_curvature(model, inputs, targets, loss, features)
        elif features is None and _has_fixed_codes(model):
            found = gauss_newton_curvature(
                model,
                inputs,
                lambda states: loss(model.penalties(states), targets),
                draws=DRAWS,
                generator=generator,
                call=model.features,
            )
        else:
            found = gauss_newton_curvature(
                model,
                inputs,
                lambda y: loss(y, targets),
                draws=DRAWS,
                generator=generator,
                call=features,
            )
        self.set_curvature(model, found)

    def set_curvature(self, model: nn.Module, curvatures: Curvatures) -> None:
        """Set h_kk from tensors by the names of the parameters in `model`."""
        names = {id(p): name for name, p in model.named_parameters()}
        for group in self.param_groups:
            for p in group["params"]:
                name = names.get(id(p))
                if name not in curvatures:
                    raise ValueError(
                        f"there is no curvature of the parameter {name or '(unknown)'}"
                    )
                if curvatures[name].shape != p.shape:
                    raise ValueError(
                        f"the curvature of {name} is {tuple(curvatures[name].shape)}, the "
                        f"parameter {tuple(p.shape)}"
                    )
                self.state[p]["curvature"] = curvatures[name].detach().clone()
        self._rates.clear()

    def rates(self) -> list[Tensor]:
        """Return ε_k of all parameters, in the order of the groups (eq. 21)."""
        return [r for number in range(len(self.param_groups)) for r in self._rates_of(number)]

    def _rates_of(self, number: int) -> list[Tensor]:
        group = self.param_groups[number]
        key = (group["lr"], group["mu"])
        kept = self._rates.get(number)
        if kept is None or kept[0] != key:
            if not all("curvature" in self.state[p] for p in group["params"]):
                raise RuntimeError("estimate the curvature before the first step")
            rates = [key[0] / (key[1] + self.state[p]["curvature"]) for p in group["params"]]
            kept = self._rates[number] = (key, rates)
        return kept[1]

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for number, group in enumerate(self.param_groups):
            rates = self._rates_of(number)
            moved = [
                (p, p.grad, rate)
                for p, rate in zip(group["params"], rates, strict=True)
                if p.grad is not None
            ]
            if moved:
                params, grads, steps = map(list, zip(*moved, strict=True))
                torch._foreach_addcmul_(params, grads, steps, value=-1.0)
        return loss

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._rates = {}


def _has_fixed_codes(model: nn.Module) -> bool:
    """Return whether nothing above the states of the last layer is trained."""
    out = getattr(model, "out", None)
    rubbish = getattr(model, "rubbish_penalty", None)
    fixed = isinstance(out, EuclideanRBF) and not out.adaptive
    return fixed and not isinstance(rubbish, nn.Parameter) and hasattr(model, "penalties")
