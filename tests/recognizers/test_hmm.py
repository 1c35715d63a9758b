"""Left-to-right character models: what they read, in how many ways, and that they learn."""

from itertools import groupby, product

import pytest
import torch

import gtn
from gtn.errors import GraphError
from gtn.testing import paths
from recognizers.online.hmm import CharacterModels, hidden_markov_models


def writings(models, frames):
    """The texts that a sequence of frames can spell, one for each path."""
    read = gtn.compose(gtn.string(frames, symbols=models.isymbols), models)
    return [
        "".join(
            models.osymbols.symbol(int(read.olabels[a])) for a in p.arcs if read.olabels[a] >= 0
        )
        for p in paths(read, len(frames))
    ]


def by_hand(runs, states, rest):
    """The same by splitting each run of equal frames into characters of enough frames."""
    options = [[""]]
    for symbol, length in runs:
        if symbol == "□":
            options.append([""] if rest else [])
            continue
        # The ways to make n characters of at least S frames each, by stars and bars.
        fitting = []
        for n in range(1, length // states + 1):
            fitting += [symbol * n] * ways(length, n, states)
        options.append(fitting)
    return ["".join(parts) for parts in product(*options)]


def ways(length, n, states):
    """In how many ways a run is n characters, each spending its frames in its states."""
    cells = n * states  # each state takes at least one frame
    count, spare = 1, length - cells
    for k in range(1, cells):
        count = count * (spare + k) // k
    return count if spare >= 0 else 0


@pytest.mark.parametrize("states", [1, 2, 3])
@pytest.mark.parametrize("rest", [0.5, None])
def test_what_frames_can_say(states, rest):
    models = hidden_markov_models("ab", states=states, rest=rest)
    for frames in product("ab□" if rest else "ab", repeat=5):
        runs = [(symbol, len(list(run))) for symbol, run in groupby(frames)]
        assert sorted(writings(models, frames)) == sorted(by_hand(runs, states, rest))


def test_penalties_of_a_path():
    models = hidden_markov_models(
        "ab", states=2, stay=0.1, forward=1.0, between=5.0, rest=0.01
    ).double()
    for frames, expected in (
        ("aa", 5 + 1),
        ("□□aa", 0.02 + 5 + 1),
        ("aaa", 5 + 1 + 0.1),
        ("aabb", 5 + 1 + (1 + 5) + 1),
        ("aa□bb", 5 + 1 + 1 + 5 + 1),
    ):
        read = gtn.compose(gtn.string(frames, symbols=models.isymbols), models)
        assert gtn.viterbi_penalty(read).item() == pytest.approx(expected, abs=1e-6)


def test_states_with_outputs_of_their_own():
    models = hidden_markov_models("ab", states=2, outputs="own")
    assert list(models.isymbols) == ["a0", "a1", "b0", "b1", "□"]
    assert writings(models, ["a0", "a1", "a1", "□", "b0", "b1"]) == ["ab"]
    assert writings(models, ["a0", "a0"]) == []
    assert writings(models, ["a1", "a0"]) == []


def test_skips():
    models = hidden_markov_models("a", states=3, outputs="own", skip=2.0)
    assert writings(models, ["a0", "a2"]) == ["a"]
    assert writings(models, ["a0", "a1", "a2"]) == ["a"]
    assert writings(models, ["a0", "a1"]) == []


def test_they_learn():
    torch.manual_seed(0)
    models = CharacterModels("ab", states=2)
    frames = torch.rand(6, 3)
    loss = gtn.nn.DiscriminativeForwardLoss(models)
    optimizer = torch.optim.SGD(models.parameters(), lr=0.5)
    losses = []
    for _ in range(10):
        value = loss(gtn.linear(frames, symbols=models().isymbols), "ab")
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize(
    ("characters", "options", "message"),
    [
        ("", {}, "0 characters"),
        ("a", {"states": 0}, "of 0 states"),
        ("a", {"outputs": "none"}, "outputs='none'"),
        ("a", {"states": 2, "skip": 1.0}, "none can be skipped"),
        ("aa", {}, "symbol 'a' has labels"),
    ],
)
def test_what_is_wrong_is_said(characters, options, message):
    with pytest.raises(GraphError, match=message):
        hidden_markov_models(characters, **options)
