"""The two losses of a single recognizer: maximum likelihood (eq. 8) and discriminative (eq. 9).

Both take the penalties of a batch [B, C] (nats, lower is better) and the right classes [B], and
return the mean over the batch, as in the paper.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def _check(penalties: Tensor, targets: Tensor) -> Tensor:
    if penalties.dim() != 2:
        raise ValueError(f"penalties must be [B, C], not {tuple(penalties.shape)}")
    count, classes = penalties.shape
    if targets.shape != (count,):
        raise ValueError(
            f"targets must be [{count}], one class for each sample, not {tuple(targets.shape)}"
        )
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise ValueError(f"targets must be integers, not {targets.dtype}")
    if count == 0:
        raise ValueError("a batch without samples has no mean loss")
    targets = targets.to(device=penalties.device, dtype=torch.int64)
    wrong = ((targets < 0) | (targets >= classes)).nonzero()
    if len(wrong):
        sample = int(wrong[0])
        raise ValueError(
            f"sample {sample} has target {int(targets[sample])}, "
            f"but classes go from 0 to {classes - 1}"
        )
    return targets


def maximum_likelihood_loss(penalties: Tensor, targets: Tensor) -> Tensor:
    """Mean penalty of the right class, E = 1/P Σ_p y_D (eq. 8).

    Penalties [B, C] in nats, targets [B] integer; returns a scalar. It knows no competition
    between classes, and with adaptive RBF centres it can collapse (all centres equal, all
    penalties zero): use it with fixed centres. A target out of range raises ValueError naming
    the sample.

    >>> y = torch.tensor([[1.0, 5.0], [7.0, 2.0]])
    >>> maximum_likelihood_loss(y, torch.tensor([0, 1]))
    tensor(1.5000)
    """
    targets = _check(penalties, targets)
    return penalties.gather(1, targets.unsqueeze(1)).mean()


def discriminative_loss(
    penalties: Tensor, targets: Tensor, rubbish: float | Tensor | None = None
) -> Tensor:
    """E = 1/P Σ_p [ y_D + log(e^-j + Σ_i e^-y_i) ] with j = `rubbish` (eq. 9).

    Penalties [B, C] in nats, targets [B] integer; returns a scalar, never negative. `rubbish` is
    the penalty j of the rubbish class: a number, a tensor that broadcasts to [B] (it may require a
    gradient), or None for no such term; leave it out if the network has a rubbish class among its
    C. Penalties far above j are not pushed up further. A target out of range raises ValueError
    naming the sample.

    >>> y = torch.tensor([[0.0, 0.0]])
    >>> discriminative_loss(y, torch.tensor([0]))  # log 2
    tensor(0.6931)
    >>> discriminative_loss(y, torch.tensor([0]), rubbish=0.0)  # log 3
    tensor(1.0986)
    """
    targets = _check(penalties, targets)
    if rubbish is not None:
        j = torch.as_tensor(rubbish, dtype=penalties.dtype, device=penalties.device)
        column = j.expand(len(penalties)).unsqueeze(1)
        penalties = torch.cat((penalties, column), dim=1)
    # log_softmax subtracts the largest term before it rounds: y_D + log Σ without cancellation.
    return functional.nll_loss(functional.log_softmax(-penalties, dim=1), targets)
