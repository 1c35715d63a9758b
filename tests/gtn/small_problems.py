"""Small problems, and sums over them in plain Python, that tests of criteria share."""

import math
from itertools import groupby

import torch

import gtn
from gtn.nn import ASGLoss
from gtn.testing import exact_penalties

NEAR = exact_penalties(-3, 3)
AB = gtn.SymbolTable("ab")
LETTERS_TWICE = gtn.from_arcs(
    [(0, 1, "a", 0.5), (0, 1, "b", 1.0), (1, 2, "a")], final=2, symbols=AB
)


def double(*shape, scale=1.0):
    """Random numbers in float64 that have a gradient."""
    return (torch.randn(*shape, dtype=torch.float64) * scale).requires_grad_()


def log_sum(penalties):
    """The penalty of several paths together."""
    return -torch.logsumexp(-torch.tensor([math.inf, *penalties], dtype=torch.float64), 0).item()


def collapsed(labels):
    """A sequence of labels without repeats."""
    return tuple(label for label, _ in groupby(labels))


def asg(classes, **options):
    """An automatic segmentation criterion with random parameters."""
    loss = ASGLoss(classes, **options).double()
    with torch.no_grad():
        for parameter in loss.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return loss


def held_letters():
    """Each letter for one frame or more; after a comes b or nothing."""
    return gtn.Graph.from_arcs(
        [(0, 1, "a", "a", 0.5), (1, 1, "a", None), (0, 2, "b"), (1, 2, "b"), (2, 2, "b", None)],
        final=[1, 2], symbols=AB, dtype=torch.float64,
    )  # fmt: skip


def edits(a, b):
    """How many items are to be changed, added or left out to make one sequence the other."""
    if not a or not b:
        return len(a) + len(b)
    return min(
        edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0])
    )  # fmt: skip
