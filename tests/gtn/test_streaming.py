"""Streams: after any pieces what pruned composition finds in all their frames at once."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch

import gtn
from gtn.beam import pruned
from gtn.errors import GraphError, NegativeCycleError
from gtn.streaming import PrunedStream
from gtn.testing import path_penalties_by_string
from gtn.testing.openfst import random_graphs


def readers(seed, count, acyclic=False):
    """Pairs of transducers with epsilons that read two classes."""
    options = {"count": count, "labels": 2, "acyclic": acyclic, "least": 0, "max_arcs": 12}
    return zip(random_graphs(seed=seed, **options), random_graphs(seed=seed + 1, **options))


def words_and_grammar():
    """A closed list of words over two classes, which writes their numbers, and their bigrams."""
    words = gtn.Graph.from_arcs(
        [
            *((0, 1, 0, 2, 0.5), (1, 0, 1, gtn.EPSILON, 0.25)),
            *((0, 2, 1, 3, 0.75), (2, 0, 0, gtn.EPSILON), (2, 2, 1, gtn.EPSILON, 0.5)),
            *((0, 3, 0, 4, 1.0), (3, 0, gtn.EPSILON, gtn.EPSILON, 0.125)),
        ],
        final=0,
        dtype=torch.float64,
    )
    grammar = gtn.Graph.from_arcs(
        [(i, j - 2, j, abs(i - j) / 4) for i in range(3) for j in (2, 3, 4)],
        final=[0, 1, 2],
        dtype=torch.float64,
    )
    return words, grammar


def pieces(frames, rng):
    """The frames cut anywhere, sometimes into nothing."""
    cuts = np.sort(rng.integers(0, len(frames) + 1, rng.integers(0, 5)))
    return torch.tensor_split(frames, torch.from_numpy(cuts))


@pytest.mark.parametrize(
    ("beam", "max_active"), [(math.inf, None), (6.0, None), (30.0, 2), (0.0, None)]
)
def test_after_any_pieces_it_is_the_pruned_composition(beam, max_active):
    rng, arcs = np.random.default_rng(0), 0
    for a, b in readers(0, 150):
        frames = torch.from_numpy(rng.integers(0, 80, (rng.integers(0, 8), 2)) / 8)
        for chosen in ([a], [a, b]):
            stream = PrunedStream(chosen, beam=beam, max_active=max_active)
            for piece in pieces(frames, rng):
                stream.add(piece)
                so_far = gtn.linear(frames[: stream.length])
                whole = pruned([so_far, *chosen], beam=beam, max_active=max_active)
                found = stream.graph()
                assert gtn.equal(found, whole)
                for one, other in zip(found.sources, whole.sources, strict=True):
                    np.testing.assert_array_equal(one.index, other.index)
                arcs += found.num_arcs
            assert stream.length == len(frames)
    assert arcs > 200


def test_a_stream_grows_from_nothing(monkeypatch):
    words, grammar = words_and_grammar()
    frames = torch.rand(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("gtn.beam.token_passing._ROOM", 1)
    stream = PrunedStream([words, grammar], beam=3.0)
    for frame in frames:
        stream.add(frame[None])
    whole = pruned([gtn.linear(frames), words, grammar], beam=3.0)
    assert whole.num_arcs > 300
    assert gtn.equal(stream.graph(), whole)


def with_all_final(graph):
    return gtn.from_arrays(
        *(graph.src, graph.dst, graph.ilabels, graph.olabels),
        penalties=graph.penalties,
        start=dict(zip(graph.starts.tolist(), graph.start_penalties.tolist())),
        final=range(graph.num_nodes),
    )


def test_an_unfinished_text_may_stop_wherever_it_can_go_on():
    rng, more = np.random.default_rng(1), 0
    for a, b in readers(4, 150, acyclic=True):
        a, b = gtn.connect(a), gtn.connect(b)
        if not (a.num_nodes and b.num_nodes):
            continue
        frames = torch.from_numpy(rng.integers(0, 80, (rng.integers(1, 4), 2)) / 8)
        stream = PrunedStream([a, b])
        stream.add(frames)
        found = stream.graph(finished=False)
        whole = pruned([gtn.linear(frames), with_all_final(a), with_all_final(b)])
        assert path_penalties_by_string(found, 6) == path_penalties_by_string(whole, 6)
        more += found.num_arcs > stream.graph().num_arcs
    assert more > 5


def backing_off():
    """A bigram grammar of two classes that backs off by failure arcs labelled 9."""
    return gtn.Graph.from_arcs(
        [
            *((0, 1, 0, 0.5), (0, 2, 9, 1.0), (1, 1, 1, 0.125), (1, 2, 9, 0.75)),
            *((2, 1, 0, 1.0), (2, 0, 1, 1.5)),
        ],
        final={0: 0.25, 1: 0.5},
        dtype=torch.float64,
    )


def test_failure_arcs():
    frames = torch.rand(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    any_class = gtn.closure(gtn.from_arcs([(0, 1, 0), (0, 1, 1)], final=1)).double()
    stream = PrunedStream([any_class, backing_off()], failure=9, beam=8.0)
    for piece in frames.split(4):
        stream.add(piece)
        so_far = gtn.linear(frames[: stream.length])
        whole = pruned([so_far, any_class, backing_off()], failure=9, beam=8.0)
        assert gtn.equal(stream.graph(), whole)
        # Every node but the one that only failure arcs lead to is final: it backs off no more.
        unfinished = stream.graph(finished=False)
        assert gtn.viterbi_penalty(unfinished) <= gtn.viterbi_penalty(whole)


def test_gradients_reach_frames_and_readers():
    words, grammar = words_and_grammar()
    frames = torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def total(first, second, penalties):
        stream = PrunedStream([words.with_penalties(penalties), grammar], beam=4.0)
        stream.add(first)
        stream.add(second)
        return gtn.forward_penalty(stream.graph())

    values = [part.clone().requires_grad_() for part in (frames[:2], frames[2:], words.penalties)]
    assert torch.isfinite(total(*values))
    assert torch.autograd.gradcheck(total, values)


def test_reading_does_not_disturb_the_stream():
    graphs = words_and_grammar()
    frames = torch.rand(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    looked_at, alone = PrunedStream(graphs, beam=5.0), PrunedStream(graphs, beam=5.0)
    for piece in frames.split(3):
        looked_at.add(piece)
        alone.add(piece)
        for finished in (True, False, True):
            assert looked_at.graph(finished=finished).num_arcs > 0
    assert gtn.equal(looked_at.graph(), alone.graph())


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_reads_on_by_itself(copied):
    graphs = words_and_grammar()
    frames = torch.rand(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    stream = PrunedStream(graphs, beam=5.0, max_active=3)
    for piece in (frames[:9], frames[9:10]):
        stream.add(piece)
    before = stream.graph()
    other = copied(stream)
    assert other.length == 10
    for piece in frames[10:].split(1):
        other.add(piece)
    whole = pruned([gtn.linear(frames), *graphs], beam=5.0, max_active=3)
    assert whole.num_arcs > 0
    assert gtn.equal(other.graph(), whole)
    assert gtn.equal(stream.graph(), before)


def test_a_buffer_of_frames_may_be_filled_again():
    graphs = words_and_grammar()
    frames = torch.rand(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    stream, buffer = PrunedStream(graphs), torch.empty(2, 2, dtype=torch.float64)
    for piece in frames.split(2):
        stream.add(buffer.copy_(piece))
    assert gtn.equal(stream.graph(), pruned([gtn.linear(frames), *graphs]))


def test_wrong_frames_are_named_and_not_read():
    stream = PrunedStream([gtn.closure(gtn.string([0, 1]))])
    stream.add(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    before = stream.graph()
    for frames, message in (
        (torch.tensor([[0.0, 0.0], [1.0, math.nan]]), "class 1 in frame 3 has penalty nan"),
        (torch.tensor([[-math.inf, 0.0]]), "class 0 in frame 2 has penalty -inf"),
        (torch.zeros(1, 3), "3 classes after frames of 2"),
        (torch.zeros(2), r"\[T, C\], not \[2\]"),
        ([[0.0, 0.0]], r"torch.Tensor \[T, C\]"),
        (torch.zeros(1, 2, dtype=torch.int64), "float"),
    ):
        with pytest.raises(GraphError, match=message):
            stream.add(frames)
        assert stream.length == 2
        assert gtn.equal(stream.graph(), before)
    stream.add(torch.tensor([[1.0, math.inf]]))
    assert stream.length == 3
    with pytest.raises(GraphError, match="not in"):
        PrunedStream([gtn.string("ab")]).add(torch.zeros(1, 3))


def test_no_class_is_the_failure_symbol():
    arcs = [(0, 2, 0, 0.25), (0, 1, 2, 0.5), (1, 2, 1, 2.0)]
    symbols = gtn.SymbolTable(["a", "b", gtn.BACK_OFF])
    plain = gtn.Graph.from_arcs(arcs, final=2)
    for reader, failure in ((plain, 2), (plain.with_symbols(symbols), None)):
        stream = PrunedStream([reader], failure=failure)
        with pytest.raises(GraphError, match="arc 2 of the frames writes the failure label"):
            stream.add(torch.zeros(1, 3))
        stream.add(torch.zeros(1, 2))  # nothing of the others was read
        assert stream.length == 1
        assert sorted(path_penalties_by_string(stream.graph())) == [((0,), (0,)), ((1,), (1,))]
    after = PrunedStream([gtn.string([2]), plain.with_penalties(plain.penalties)], failure=1)
    after.add(torch.zeros(1, 3))  # what the first reader reads is no matter of the last one's


def test_wrong_readers_are_told():
    letters = gtn.string("ab")
    with pytest.raises(GraphError, match="at least one graph"):
        PrunedStream([])
    with pytest.raises(GraphError, match="reader 1 is a batch"):
        PrunedStream([letters, gtn.strings(["a", "b"])])
    with pytest.raises(GraphError, match="beam"):
        PrunedStream([letters], beam=-1.0)
    with pytest.raises(GraphError, match="max_active"):
        PrunedStream([letters], max_active=0)
    falling = gtn.Graph.from_arcs([(0, 0, gtn.EPSILON, -1.0), (0, 1, 0)], final=1)
    stream = PrunedStream([falling])
    with pytest.raises(NegativeCycleError, match="no token is best"):
        stream.add(torch.zeros(2, 1))
