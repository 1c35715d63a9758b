"""Character models: from one class per position to characters (paper, section VII; Fig. 24).

A network swept over a line names each character several times, and nothing between characters.
The transducer here turns such sequences into strings: a run of outputs of one class is one
character, written once; blanks stand between. Composed with a grammar of strings, it reads a line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from grammars.fill import RUBBISH
from gtn.construction import from_arrays
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.symbols import EPSILON, SymbolTable

__all__ = ["Penalty", "character_models"]

Penalty = float | Sequence[float] | torch.Tensor
"""Nats: one number for all characters, or one for each."""


def character_models(
    characters: str | int,
    blank: int | None = None,
    *,
    at_least: int = 1,
    begin: Penalty = 0.0,
    repeat: Penalty = 0.0,
    rest: float | torch.Tensor = 0.0,
    touch: Penalty | None = None,
    blank_symbol: str = RUBBISH,
) -> Graph:
    """Return the transducer from a network's classes, one per output, to characters (section VII).

    Neighbouring outputs of one class are one character; blanks write nothing; between two equal
    characters there must be a blank, and between two different ones too, unless ``touch`` allows
    them on contiguous outputs. Each input sequence has at most one path, so the forward penalty
    of a string counts each way to place it once. All penalties may be tensors with gradients; to
    learn one for each arc, use :class:`gtn.nn.Learned`.

    With ``touch=0`` and nothing else this is connectionist temporal classification: the graph is
    that of :func:`gtn.nn.ctc_topology`, and the discriminative forward loss (eq. 17) of a string
    is ``torch.nn.functional.ctc_loss`` of the normalised outputs.

    Args:
        characters: the characters of the classes in order, without the blank, as one string; or
            their number (no symbol tables).
        blank: the class of the blank; by default the one after all characters
            (:class:`gtn.nn.CTCLoss` defaults to 0: give both the same). Characters take the other
            labels, in order.
        at_least: fewest outputs of a character; shorter detections are dropped.
        begin: penalty of the first output of a character.
        repeat: penalty of each further output of the same character.
        rest: penalty of each blank.
        touch: penalty, on top of ``begin``, of beginning right after another character; a
            ``[C, C]`` tensor gives each pair (before, after) its own. ``None`` forbids it, as the
            paper does.
        blank_symbol: the symbol of the blank in the input table.

    Raises:
        GraphError: no character, or the blank among them; a blank that is not a class,
            ``at_least`` below 1, penalties of the wrong shape.
        SymbolError: a character named twice.

    >>> import gtn
    >>> models = character_models("0123456789")
    >>> models.num_nodes, models.num_arcs
    (11, 31)
    >>> outputs = gtn.string("□667□7□7888", symbols=models.isymbols)
    >>> gtn.compose(outputs, models).num_arcs  # 6 and 7 on contiguous outputs
    0
    >>> touching = character_models("0123456789", touch=0.0)
    >>> gtn.path_text(gtn.compose(outputs, touching), "output")
    '67778'
    >>> character_models("a", begin=0.5, repeat=0.1)
    Graph: 2 nodes, 4 arcs, start 0, final 0, 1
      0 -> 0  □:ε  0
      0 -> 1  a    0.5
      1 -> 1  a:ε  0.1
      1 -> 0  □:ε  0
    """
    if not isinstance(characters, str | int | np.integer):
        raise GraphError(
            f"the characters are one string, or their number, not {type(characters).__name__}"
        )
    count = len(characters) if isinstance(characters, str) else int(characters)
    if isinstance(characters, str) and blank_symbol in characters:
        raise GraphError(
            f"the blank {blank_symbol!r} is among the characters; blank= says which class it is"
        )
    if count < 1:
        raise GraphError("character models need at least one character")
    if at_least < 1:
        raise GraphError(f"a character takes at least 1 output, not {at_least}")
    blank = count if blank is None else blank
    if not 0 <= blank <= count:
        raise GraphError(f"blank {blank} is not one of {count + 1} classes, 0 to {count}")
    label = np.delete(np.arange(count + 1), blank)
    each = np.arange(count)
    # At node 0 a blank, or nothing, was read; at 1 + c * at_least + i, i + 1 outputs of c.
    first, last = 1 + each * at_least, (1 + each) * at_least
    within = np.setdiff1d(np.arange(1, count * at_least + 1), last)
    silent = np.full(count, EPSILON)
    inside = label[(within - 1) // at_least]
    blanks, nothing = np.full(count, blank), np.zeros(count, dtype=np.int64)
    begins, repeats, rests = _row(begin, count), _row(repeat, count), _row(rest, 1)
    # Columns: source, destination, input label, output label, penalty.
    rows = [
        (np.zeros(1), np.zeros(1), [blank], silent[:1], rests),
        (nothing, first, label, label, begins),
        (within, within + 1, inside, np.full(len(within), EPSILON),
         repeats[torch.from_numpy((within - 1) // at_least)]),
        (last, last, label, silent, repeats),
        (last, nothing, blanks, silent, rests.expand(count)),
    ]  # fmt: skip
    if touch is not None:
        before, after = np.nonzero(~np.eye(count, dtype=np.bool_))
        pairs = _pairs(touch, count)[torch.from_numpy(before), torch.from_numpy(after)]
        penalties = pairs + begins[torch.from_numpy(after)]
        rows.append((last[before], first[after], label[after], label[after], penalties))
    src, dst, inputs, outputs = (
        np.concatenate([np.asarray(row[i], dtype=np.int64) for row in rows]) for i in range(4)
    )
    order = np.argsort(src, kind="stable")
    isymbols = osymbols = None
    if isinstance(characters, str):
        names = dict(zip(label.tolist(), characters))
        isymbols = SymbolTable({**names, blank: blank_symbol})
        osymbols = SymbolTable(names)
    return from_arrays(
        src[order],
        dst[order],
        inputs[order],
        outputs[order],
        penalties=torch.cat([row[4] for row in rows])[torch.from_numpy(order)],
        final=[0, *last.tolist()],
        num_nodes=1 + count * at_least,
        isymbols=isymbols,
        osymbols=osymbols,
    )


def _row(penalty: Penalty, count: int) -> torch.Tensor:
    """Return a penalty for each of ``count`` characters."""
    given = penalty if isinstance(penalty, torch.Tensor) else torch.tensor(penalty).float()
    if given.shape not in ((), (count,)):
        raise GraphError(f"penalties of shape {list(given.shape)}; one, or {count} would be right")
    return given.expand(count)


def _pairs(touch: Penalty, count: int) -> torch.Tensor:
    """Return the penalties ``[C, C]`` of a character (column) right after another (row)."""
    given = touch if isinstance(touch, torch.Tensor) else torch.tensor(touch).float()
    if given.shape not in ((), (count,), (count, count)):
        raise GraphError(
            f"touch has shape {list(given.shape)}; [], [{count}] or [{count}, {count}] is right"
        )
    return given.expand(count, count)
