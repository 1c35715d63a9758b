"""Left-to-right character models: hidden Markov models as transducers (paper, section IX).

The outputs of a network replicated over a word are matched with the states of character models,
which are passed from left to right; a character is written when its first state is entered. The
penalties of the arcs can be learned.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

from gtn.construction import from_arrays
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.nn import Learned
from gtn.symbols import EPSILON, SymbolTable

__all__ = ["CharacterModels", "hidden_markov_models"]

REST = "□"


def hidden_markov_models(
    characters: str,
    *,
    states: int = 2,
    outputs: Literal["shared", "own"] = "shared",
    stay: float = 0.5,
    forward: float = 0.5,
    skip: float | None = None,
    rest: float | None = 0.5,
    between: float = 0.0,
) -> Graph:
    """Return the transducer from the classes of frames to characters.

    Each character is a row of states. A state reads one frame at its entry and one more each time
    it stays; the last leads to the first state of any character, or to rest, a state between
    characters that reads the class after all others and writes nothing.

    Args:
        characters: C characters, in the order of the classes.
        states: S states per character, which then takes at least S frames (without skips).
        outputs: what a state reads: ``"shared"``: its character's class k, in every state;
            ``"own"``: class k S + s, in state s of character k.
        stay: penalty of staying in a state for another frame, in nats.
        forward: penalty of going on to the next state, or out of the last.
        skip: penalty of going on to the next state but one; ``None``: no state is skipped.
        rest: penalty of staying at rest; ``None``: there is no such state, nor its class.
        between: penalty of entering a character.

    Raises:
        GraphError: no character, or no state.
        SymbolError: a character twice.

    >>> hidden_markov_models("a", rest=None)
    Graph: 3 nodes, 5 arcs, start 0, final 2
      0 -> 1  a    0
      1 -> 1  a:ε  0.5
      1 -> 2  a:ε  0.5
      2 -> 1  a    0.5
      2 -> 2  a:ε  0.5
    >>> import gtn
    >>> models = hidden_markov_models("ab", states=2)
    >>> frames = gtn.string("□aab□bb", symbols=models.isymbols)
    >>> gtn.compose(frames, models).num_nodes  # one frame of b is too few
    0
    >>> gtn.path_text(gtn.compose(gtn.string("□aabb□bb", symbols=models.isymbols), models))
    'abb'
    """
    count = len(characters)
    if count < 1 or states < 1:
        raise GraphError(f"{count} characters of {states} states; at least one of each is right")
    own = outputs == "own"
    if not own and outputs != "shared":
        raise GraphError(f"outputs={outputs!r}; they are 'shared' or 'own'")
    if skip is not None and states < 3:
        raise GraphError(f"of {states} states none can be skipped; a model of 3 has one between")
    # Node 0 is the beginning and rest; at 1 + k S + s, state s of character k has read a frame.
    each, step = np.arange(count), np.arange(states)
    state = 1 + each[:, None] * states + step
    reads = each[:, None] * states + step if own else np.repeat(each[:, None], states, axis=1)
    silent = count * states if own else count
    first, last = state[:, 0], state[:, -1]
    writes = np.full((count, states), EPSILON)
    # Columns: source, destination, input label, output label, penalty.
    rows = [
        (np.zeros(count), first, reads[:, 0], each, between),
        (state, state, reads, writes, stay),
        (state[:, :-1], state[:, 1:], reads[:, 1:], writes[:, 1:], forward),
        (
            np.repeat(last, count),
            np.tile(first, count),
            np.tile(reads[:, 0], count),
            np.tile(each, count),
            forward + between,
        ),
    ]
    if skip is not None:
        rows.append((state[:, :-2], state[:, 2:], reads[:, 2:], writes[:, 2:], skip))
    if rest is not None:
        quiet = np.full(count, silent)
        rows.append(([0], [0], [silent], [EPSILON], rest))
        rows.append((last, np.zeros(count), quiet, writes[:, 0], forward))
    columns = [
        np.concatenate([np.ravel(np.asarray(row[c], dtype=np.int64)) for row in rows])
        for c in range(4)
    ]
    penalties = np.concatenate([np.full(np.size(row[0]), row[4]) for row in rows])
    order = np.lexsort((columns[1], columns[0]))
    src, dst, ilabels, olabels = (column[order] for column in columns)
    names = [f"{c}{s}" for c in characters for s in step] if own else list(characters)
    return from_arrays(
        src,
        dst,
        ilabels,
        olabels,
        penalties=torch.from_numpy(penalties[order]).to(torch.get_default_dtype()),
        final=sorted([0, *last.tolist()] if rest is not None else last.tolist()),
        num_nodes=1 + count * states,
        isymbols=SymbolTable([*names, REST] if rest is not None else names),
        osymbols=SymbolTable(characters),
    )


class CharacterModels(Learned):
    """Left-to-right character models whose penalties are parameters.

    Args:
        characters, options: as in :func:`hidden_markov_models`, whose penalties are initial values.

    >>> models = CharacterModels("abc", states=3)
    >>> graph = models()
    >>> graph.penalties.requires_grad, sum(p.numel() for p in models.parameters())
    (True, 36)
    """

    def __init__(self, characters: str, **options: Any) -> None:
        super().__init__(hidden_markov_models(characters, **options))
