"""The likeliest texts of a field, each with its posterior."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

import gtn

__all__ = ["CANDIDATES", "Texts", "mean", "posteriors_of", "rest", "scaled", "texts_of"]

Texts = dict[str, float]
"""Texts of one field and their posteriors."""

CANDIDATES = 8
"""Number of texts of least Viterbi penalty among which the most probable is sought."""


def posteriors_of(
    found: Sequence[Sequence[str]],
    spelled: Callable[[list[int], list[str]], torch.Tensor],
    totals: torch.Tensor,
) -> list[Texts]:
    """Return the posteriors exp(-E_dforw) (eq. 17) of texts, of each field.

    Args:
        found: the texts of each field.
        spelled: returns the forward penalties of texts, from the numbers of their fields and the
            texts; called once, for all of them.
        totals: the forward penalties of all that each field may say.

    >>> posteriors_of([["1"], []], lambda fields, texts: torch.tensor([0.7]), torch.zeros(2))
    [{'1': 0.49...}, {}]
    """
    owners = [i for i, texts in enumerate(found) for _ in texts]
    if not owners:
        return [{} for _ in found]
    excess = spelled(owners, [text for texts in found for text in texts]) - totals[owners]
    posterior = iter(torch.exp(-excess).clamp(max=1.0).tolist())
    return [{text: next(posterior) for text in texts} for texts in found]


def texts_of(graphs: gtn.GraphBatch, count: int = CANDIDATES) -> list[Texts]:
    """Return the ``count`` likeliest outputs of interpretation graphs, and their posteriors.

    >>> either = gtn.Graph.from_arcs([(0, 1, "1", 0.0), (0, 1, "7", 0.0)], final=1)
    >>> texts_of(gtn.GraphBatch.from_graphs([either]))
    [{'1': 0.5, '7': 0.5}]
    """
    found = [gtn.path_text(p) for p in gtn.n_best(graphs, count, distinct=True)]
    exact = graphs.double()

    def spelled(owners: list[int], texts: list[str]) -> torch.Tensor:
        strings = gtn.strings(texts, symbols=graphs.osymbols).double()
        owned = gtn.GraphBatch.from_graphs([exact[i] for i in owners])
        return gtn.forward_penalty(gtn.compose(owned, strings))

    return posteriors_of(found, spelled, gtn.forward_penalty(exact))


def mean(views: Sequence[Texts]) -> Texts:
    """Return the mean posterior of each text over the views of a field.

    >>> mean([{"1": 0.5, "7": 0.25}, {"1": 1.0}])
    {'1': 0.75, '7': 0.125}
    """
    total: Texts = {}
    for view in views:
        for text, posterior in view.items():
            total[text] = total.get(text, 0.0) + posterior / len(views)
    return total


def rest(texts: Texts) -> float:
    """Return the posterior of everything but these texts."""
    return max(0.0, 1.0 - sum(texts.values()))


def scaled(texts: Texts, scale: float) -> Texts:
    """Return the posteriors after multiplying all penalties by a scale.

    Everything else counts as one more text. A scale below one lowers the confidence.

    >>> scaled({"1": 0.9, "7": 0.1}, 0.5)
    {'1': 0.75, '7': 0.25}
    """
    if scale == 1.0:
        return dict(texts)
    raised = {text: posterior**scale for text, posterior in texts.items()}
    total = sum(raised.values()) + rest(texts) ** scale
    return {text: mass / total if total else 0.0 for text, mass in raised.items()}
