"""Streams: after any pieces, they hold what pruned composition finds in all frames at once.

What they settle and what is left are together what they would have held without settling.
"""

import copy
import math
import pickle
import sys
from collections import Counter
from functools import partial

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
    """Pairs of transducers with epsilons, over two classes."""
    options = {"count": count, "labels": 2, "acyclic": acyclic, "least": 0, "max_arcs": 12}
    return zip(random_graphs(seed=seed, **options), random_graphs(seed=seed + 1, **options))


def words_and_grammar():
    """The closure of words over two classes, which writes their numbers, and bigrams of these."""
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
    """The frames, cut anywhere; some pieces are empty."""
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
    """A bigram grammar of two classes that backs off by failure arcs of label 9."""
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
        # Every node is final but the one that only failure arcs lead to: the end does not back off.
        unfinished = stream.graph(finished=False)
        assert gtn.viterbi_penalty(unfinished) <= gtn.viterbi_penalty(whole)


def test_settling_beside_failure_arcs_loses_nothing():
    """Even the end may back off, but nothing is added where a settled part ends."""
    reader = gtn.from_arcs(
        [(0, 1, 0, 0.5), (0, 2, 9, 1.0), (1, 2, 9, 0.75), (2, 1, 0, 1.0), (2, 0, 1, 1.5)],
        final={0: 0.25, 2: 0.5},
        dtype=torch.float64,
    )
    frames = torch.rand(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    stream, done, ends = PrunedStream([reader], failure=9), [], 0
    for count in range(1, 9):
        stream.add(frames[count - 1 : count])
        done.append(stream.settle(beam=0.0))
        whole = gtn.compose(gtn.linear(frames[:count]), reader, failure=9)
        found = gtn.concat(*done, stream.graph())
        assert gtn.viterbi_penalty(found) == pytest.approx(float(gtn.viterbi_penalty(whole)))
        best = gtn.viterbi_path(whole)
        ends += int(best.topology.num_arcs > 0 and best.olabels[-1] == 0)
    assert stream.settled > 3
    assert ends > 1  # by backing off from node 1


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


def interrupted(work, when):
    """Whether an interrupt at the ``when``-th call in the library, or its end, ends the work."""
    seen = 0

    def interrupt(frame, *_):
        nonlocal seen
        seen += frame.f_globals.get("__name__", "").startswith("gtn.")  # not within kernels
        if seen == when:
            sys.setprofile(None)
            raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_wherever_adding_is_interrupted_all_frames_are_added_or_none(monkeypatch):
    monkeypatch.setattr("gtn.beam.token_passing._ROOM", 1)
    frames = torch.rand(16, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    begun = PrunedStream(words_and_grammar(), beam=3.0)
    begun.add(frames[:3])
    whole = copy.deepcopy(begun)
    whole.add(frames[3:12])

    def told(stream, first):
        """What the stream tells, and how it goes on."""
        graphs = []
        if first == "settle":
            graphs.append(stream.settle(beam=0.5))
        elif first == "copy":
            stream = pickle.loads(pickle.dumps(stream))
        graphs += [stream.graph(), stream.graph(finished=False)]
        stream.add(frames[12:])
        return [*graphs, stream.graph()], (stream.length, stream.settled)

    firsts = ("read", "settle", "copy")
    expected = {
        (stream.length, first): told(copy.deepcopy(stream), first)
        for stream in (begun, whole)
        for first in firsts
    }
    lengths = []
    add = partial(PrunedStream.add, penalties=frames[3:12])
    while interrupted(partial(add, stream := copy.deepcopy(begun)), len(lengths) + 1):
        lengths.append(stream.length)
        first = firsts[len(lengths) % 3]
        graphs, counts = told(stream, first)
        others, count = expected[lengths[-1], first]
        assert counts == count
        assert all(map(gtn.equal, graphs, others))
    assert lengths == sorted(lengths)
    assert set(lengths) == {3, 12}


def test_a_pickle_of_frames_alone_is_read():
    graphs = words_and_grammar()
    frames = torch.rand(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    stream = PrunedStream(graphs, beam=5.0)
    stream.add(frames)
    again, (*made_with, pieces_of_frames, _, _) = stream.__reduce__()
    assert gtn.equal(again(*made_with, pieces_of_frames).graph(), stream.graph())


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
        stream.add(torch.zeros(1, 2))  # the others have read nothing yet
        assert stream.length == 1
        assert sorted(path_penalties_by_string(stream.graph())) == [((0,), (0,)), ((1,), (1,))]
    after = PrunedStream([gtn.string([2]), plain.with_penalties(plain.penalties)], failure=1)
    after.add(torch.zeros(1, 3))  # what the first reader reads does not concern the last one


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


CLASSES = 2
BEAMS = [(math.inf, None), (6.0, None), (30.0, 2), (3.0, 1), (0.0, None)]


def random_frames(rng, length, sharp):
    """Penalties in multiples of 1/8, so that sums are exact; one class per frame stands out."""
    frames = rng.integers(0, 80, (length, CLASSES)) / 8
    frames[np.arange(length), rng.integers(0, CLASSES, length)] += sharp
    return torch.from_numpy(frames)


def arc_rows(graph, first_frame=0):
    """The sources of all arcs, with frames counted from the beginning of the stream."""
    frames, *others = (source.index for source in graph.sources)
    frames = np.where(frames < 0, -1, frames + CLASSES * first_frame)
    return list(zip(frames.tolist(), *(row.tolist() for row in others)))


def both(settled, rest):
    for part in reversed(settled):
        rest = gtn.concat(part, rest)
    return rest


@pytest.mark.parametrize(("beam", "max_active"), BEAMS)
def test_nothing_is_lost(beam, max_active):
    rng, moved, arcs = np.random.default_rng(0), 0, 0
    for a, b in readers(0, 60):
        frames = random_frames(rng, rng.integers(0, 9), rng.choice([0.0, 20.0]))
        for chosen in ([a], [a, b]):
            alone, stream = (PrunedStream(chosen, beam=beam, max_active=max_active) for _ in "ab")
            rows, penalty = [], 0.0
            for piece in pieces(frames, rng):
                alone.add(piece)
                stream.add(piece)
                begin = stream.settled
                settled = stream.settle()
                rows += arc_rows(settled, begin)
                penalty += gtn.viterbi_penalty(settled)
                moved += settled.num_arcs > 0
                assert stream.length == alone.length
                for finished in (True, False):
                    rest, whole = (s.graph(finished=finished) for s in (stream, alone))
                    assert (rest.num_nodes == 0) == (whole.num_nodes == 0)
                    if not whole.num_nodes:
                        continue
                    found = rows + arc_rows(rest, stream.settled)
                    assert Counter(found) == Counter(arc_rows(whole))
                    assert gtn.viterbi_penalty(rest) + penalty == gtn.viterbi_penalty(whole)
                    arcs += whole.num_arcs
    assert moved > 40
    assert arcs > 500


@pytest.mark.parametrize(("beam", "max_active"), BEAMS[1:])
def test_settled_and_rest_have_the_paths_of_the_whole(beam, max_active):
    rng, moved, read = np.random.default_rng(1), 0, 0
    words, grammar = words_and_grammar()
    for _ in range(40):
        frames = random_frames(rng, rng.integers(1, 8), rng.choice([0.0, 2.0]))
        alone, stream = (
            PrunedStream([words, grammar], beam=beam, max_active=max_active) for _ in "ab"
        )
        parts = []
        for piece in pieces(frames, rng):
            alone.add(piece)
            stream.add(piece)
            parts.append(stream.settle())
            moved += parts[-1].num_arcs > 0
            for finished in (True, False):
                rest, whole = (s.graph(finished=finished) for s in (stream, alone))
                found = path_penalties_by_string(both(parts, rest))
                assert found == path_penalties_by_string(whole)
                total = sum(map(gtn.forward_penalty, [*parts, rest]))
                assert torch.allclose(total, gtn.forward_penalty(whole), rtol=0, atol=1e-10)
                read += len(found) > 1
        assert gtn.equal(alone.graph(), pruned(
            [gtn.linear(frames), words, grammar], beam=beam, max_active=max_active))  # fmt: skip
    assert moved > 10
    assert read > 50 or beam < 6


@pytest.mark.parametrize("back", [0.0, 1.5])
@pytest.mark.parametrize(("beam", "max_active"), [(math.inf, None), (6.0, None), (30.0, 3)])
def test_with_a_beam_the_best_paths_are_kept(back, beam, max_active):
    rng, moved, lost = np.random.default_rng(2), 0, 0
    words, grammar = words_and_grammar()
    for _ in range(40):
        frames = random_frames(rng, rng.integers(1, 8), rng.choice([0.0, 2.0]))
        alone, stream = (
            PrunedStream([words, grammar], beam=beam, max_active=max_active) for _ in "ab"
        )
        parts = []
        for piece in pieces(frames, rng):
            alone.add(piece)
            stream.add(piece)
            parts.append(stream.settle(beam=back))
            moved += parts[-1].num_arcs > 0
            for finished in (True, False):
                rest, whole = (s.graph(finished=finished) for s in (stream, alone))
                assert (rest.num_nodes == 0) == (whole.num_nodes == 0)
                if not whole.num_nodes:
                    continue
                found = path_penalties_by_string(both(parts, rest))
                wanted = path_penalties_by_string(whole)
                for strings, penalties in found.items():
                    assert not Counter(penalties) - Counter(wanted[strings])
                near = path_penalties_by_string(gtn.prune(whole, beam=back))
                least = min(min(penalties) for penalties in near.values())
                for strings, penalties in near.items():
                    kept = [p for p in penalties if p <= least + back]
                    assert not Counter(kept) - Counter(found.get(strings, ()))
                lost += found != wanted
    assert moved > 8
    assert lost > 20


def sharp(texts, odd=9.0):
    """Frames that say 0 or 1; all other classes are ``odd`` nats worse."""
    classes = torch.tensor([int(c) for c in texts])
    return odd * (1 - torch.nn.functional.one_hot(classes, CLASSES)).double()


@pytest.mark.parametrize("beam", [math.inf, 0.0])
def test_an_endless_stream_takes_no_more_room(beam):
    words, grammar = words_and_grammar()
    rng = np.random.default_rng(4)
    stream = PrunedStream([words, grammar], beam=1.5)
    frames, tokens, arcs, buffers, starts, text = [], [], [], [], [], []
    for _ in range(400):
        stream.add(random_frames(rng, 10, 2.0))
        settled = stream.settle(beam=beam)
        text.extend(gtn.path_labels(gtn.viterbi_path(settled)))
        rest = stream.graph(finished=False)
        frames.append(stream.length - stream.settled)
        tokens.append(stream._search.count)
        arcs.append(rest.num_arcs)
        buffers.append(len(pickle.dumps(stream)))
        starts.append(abs(gtn.viterbi_penalty(rest).item()))
    assert stream.length == 4000
    assert len(text) > 1500
    for sizes in (frames, tokens, arcs, buffers, starts):
        assert max(sizes[200:]) <= 1.5 * max(sizes[:200])
    assert max(frames) < 200
    assert stream._room.frames < 400
    assert len(stream._search._x.there) < 400


def test_penalties_lose_no_digits_in_a_long_stream():
    # After some frames, the difference between the two words is below the last digit of a sum.
    words = gtn.Graph.from_arcs(
        [(0, 1, 0, -1), (1, 0, 1, 5), (0, 2, 1, -1), (2, 0, 0, 6)], final=0, dtype=torch.float64
    )
    rng, high = np.random.default_rng(5), 2.0**40
    frames = torch.from_numpy(rng.integers(0, 80, (400, CLASSES)) / 2**9)
    settling, high_settling, high_alone = (PrunedStream([words]) for _ in "abc")
    texts = [], []
    for piece in frames.split(5):
        high_alone.add(piece + high)
        for stream, text, shift in zip((settling, high_settling), texts, (0.0, high)):
            stream.add(piece + shift)
            text.extend(gtn.path_labels(gtn.viterbi_path(stream.settle(beam=0.0))))
    assert len(texts[0]) == 200
    assert texts[0] == texts[1]
    assert texts[1] != gtn.path_labels(gtn.viterbi_path(high_alone.graph())).tolist()


def test_where_paths_differ_from_the_start_nothing_is_settled():
    first, second = gtn.closure(gtn.string([0, 1])), gtn.closure(gtn.string([1, 0]))
    stream = PrunedStream([first | second])
    stream.add(torch.zeros(6, CLASSES))
    before = stream.graph()
    tokens = stream._search.count
    settled = stream.settle()
    assert (settled.num_nodes, settled.num_arcs, stream.settled) == (1, 0, 0)
    assert gtn.viterbi_penalty(settled) == 0
    assert gtn.equal(stream.graph(), before)
    together = path_penalties_by_string(gtn.concat(settled, before))
    assert together == path_penalties_by_string(before) != {}
    assert stream._search.count <= tokens
    stream.add(sharp("01"))
    assert stream.settle().num_arcs == 0
    assert stream.length == 8


def test_what_leads_to_no_token_is_forgotten():
    wrong = gtn.union(*(gtn.string([*map(int, f"{k:04b}"), 2]) for k in range(16)))
    either = gtn.string([3] * 5) | gtn.string([4] * 5)
    stream = PrunedStream([wrong | either], beam=9.0)
    stream.add(torch.zeros(4, 5, dtype=torch.float64))
    stream.add(torch.tensor([[math.inf, math.inf, math.inf, 0.0, 0.0]], dtype=torch.float64))
    before, tokens = stream.graph(), stream._search.count
    assert stream.settle().num_arcs == 0
    assert stream._search.count < tokens / 2
    assert gtn.equal(stream.graph(), before)
    assert before.num_arcs > 0


def test_what_is_found_to_settle_is_there_until_it_is_forgotten():
    stream = PrunedStream([gtn.closure(gtn.string("ab"))])
    stream.add(torch.zeros(3, 2))
    before = stream.graph(finished=False)
    settled, forget = stream.settling()
    again, _ = stream.settling()
    assert gtn.equal(settled, again)
    assert (gtn.path_text(gtn.viterbi_path(settled)), stream.settled) == ("aba", 0)
    assert gtn.equal(stream.graph(finished=False), before)
    stream.add(torch.zeros(1, 2))
    with pytest.raises(GraphError, match="frames were added or settled since"):
        forget()
    assert (stream.settled, gtn.path_text(gtn.viterbi_path(stream.graph()))) == (0, "abab")
    _, forget = stream.settling()
    forget()
    assert (stream.settled, stream.length) == (4, 4)
    with pytest.raises(GraphError, match="frames were added or settled since"):
        forget()


def test_no_frames_and_no_tokens():
    closed = gtn.closure(gtn.string("ab"))
    stream = PrunedStream([closed])
    for _ in range(2):
        nothing = stream.settle()
        assert (nothing.num_nodes, nothing.num_arcs, stream.settled) == (1, 0, 0)
        assert nothing.isymbols == nothing.osymbols == closed.isymbols
        stream.add(torch.zeros(0, 2))
    lost = PrunedStream([gtn.string([0])], beam=2.0)
    lost.add(torch.zeros(5, 1))
    assert lost.settle().num_nodes == 0
    assert (lost.length, lost.settled) == (5, 5)
    lost.add(torch.zeros(3, 1))
    assert lost.graph().num_nodes == lost.graph(finished=False).num_nodes == 0
    assert lost.settle(beam=0.0).num_nodes == 0
    assert (lost.length, lost.settled, len(lost._frames)) == (8, 8, 1)


def test_paths_that_are_forbidden():
    rng = np.random.default_rng(6)
    moved = 0
    for a, b in zip(*(random_graphs(60, seed=seed, infinite=True, least=0) for seed in (7, 8))):
        chosen = [gtn.closure(a), gtn.closure(b)]
        for back in (math.inf, 2.0):
            alone, stream = PrunedStream(chosen, beam=20.0), PrunedStream(chosen, beam=20.0)
            frames = random_frames(rng, 6, 5.0)
            frames[rng.random((6, CLASSES)) < 0.2] = math.inf
            parts = []
            for piece in frames.split(2):
                alone.add(piece)
                stream.add(piece)
                parts.append(stream.settle(beam=back))
                moved += parts[-1].num_arcs > 0
                best = sum(map(gtn.viterbi_penalty, [*parts, stream.graph()]))
                assert best == gtn.viterbi_penalty(alone.graph())
    assert moved > 5


def test_what_was_backed_off_to_is_settled():
    rng = np.random.default_rng(7)
    any_class = gtn.closure(gtn.from_arcs([(0, 1, 0), (0, 1, 1)], final=1)).double()
    for chosen in ([any_class, backing_off()], [backing_off()]):
        moved = 0
        for sharpness in (0.0, 6.0):
            stream, alone = (PrunedStream(chosen, failure=9, beam=4.0) for _ in "ab")
            parts = []
            for piece in random_frames(rng, 8, sharpness).split(2):
                alone.add(piece)
                stream.add(piece)
                parts.append(stream.settle())
                moved += parts[-1].num_arcs > 0
                for finished in (True, False):
                    found = both(parts, stream.graph(finished=finished))
                    wanted = alone.graph(finished=finished)
                    assert path_penalties_by_string(found) == path_penalties_by_string(wanted)
    assert moved > 2


def test_gradients_of_both_together_are_those_of_the_whole():
    words, grammar = words_and_grammar()
    rng = np.random.default_rng(8)
    frames = random_frames(rng, 12, 3.0).requires_grad_()
    learned = words.penalties.clone().requires_grad_()
    stream, alone = (PrunedStream([words.with_penalties(learned), grammar], beam=4.0) for _ in "ab")
    total, moved = 0.0, 0
    for piece in frames.split(4):
        stream.add(piece)
        alone.add(piece)
        settled = stream.settle()
        total, moved = total + gtn.forward_penalty(settled), moved + settled.num_arcs
    assert moved > 4
    total = total + gtn.forward_penalty(stream.graph(finished=False))
    whole = gtn.forward_penalty(alone.graph(finished=False))
    for found, wanted in zip(*(torch.autograd.grad(t, [frames, learned]) for t in (total, whole))):
        torch.testing.assert_close(found, wanted)
    rest = gtn.forward_penalty(stream.graph(finished=False))
    (gradient,) = torch.autograd.grad(rest, frames)
    assert not gradient[: stream.settled].any()
    assert gradient[stream.settled :].any()


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))],
    ids=["copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("back", [math.inf, 0.0])
def test_a_copy_of_what_is_settled_reads_on_by_itself(copied, back):
    graphs = words_and_grammar()
    frames = random_frames(np.random.default_rng(9), 40, 2.0)
    stream = PrunedStream(graphs, beam=3.0, max_active=4)
    stream.add(frames[:20])
    assert stream.settle(beam=back).num_arcs > 0
    before = stream.graph()
    other = copied(stream)
    assert (other.length, other.settled) == (20, stream.settled)
    for piece in frames[20:].split(5):
        other.add(piece)
    mine = other.settle(beam=back)
    assert (stream.length, other.length) == (20, 40)
    assert gtn.equal(stream.graph(), before)
    for piece in frames[20:].split(7):
        stream.add(piece)
    assert gtn.equal(stream.settle(beam=back), mine)
    for finished in (True, False):
        assert gtn.equal(stream.graph(finished=finished), other.graph(finished=finished))


def test_epsilons_ahead_of_the_frames_are_settled_by_themselves():
    ahead = gtn.Graph.from_arcs([(0, 1, None, 7, 0.5), (0, 1, None, 8, 1.0)], final=1).double()
    reader = ahead + gtn.closure(gtn.string([0] * 9) | gtn.string([1] * 9))
    for beam in (math.inf, 0.0):
        stream = PrunedStream([reader])
        for length in (8, 1):  # there is now room for more frames than have been added
            stream.add(torch.zeros(length, CLASSES, dtype=torch.float64))
        settled = stream.settle(beam=beam)
        assert sorted(settled.olabels[settled.olabels >= 0]) == [7, 8]
        assert stream.settled == 0
        assert len(stream._search._x.there) == stream._room.frames + 1
        stream.add(torch.zeros(9, CLASSES, dtype=torch.float64))
        whole = pruned([gtn.linear(torch.zeros(18, CLASSES).double()), reader])
        both = gtn.forward_penalty(settled) + gtn.forward_penalty(stream.graph())
        torch.testing.assert_close(both, gtn.forward_penalty(whole))


def test_settling_in_no_room(monkeypatch):
    monkeypatch.setattr("gtn.beam.token_passing._ROOM", 1)
    words, grammar = words_and_grammar()
    frames = random_frames(np.random.default_rng(10), 60, 1.0)
    stream, alone = (PrunedStream([words, grammar], beam=4.0) for _ in "ab")
    penalty = 0.0
    for frame in frames:
        stream.add(frame[None])
        alone.add(frame[None])
        penalty += gtn.viterbi_penalty(stream.settle())
    assert stream.settled > 10
    rest, whole = stream.graph(finished=False), alone.graph(finished=False)
    assert penalty + gtn.viterbi_penalty(rest) == gtn.viterbi_penalty(whole)


def test_what_is_wrong_is_told():
    stream = PrunedStream([gtn.closure(gtn.string([0, 1]))])
    stream.add(sharp("010"))
    with pytest.raises(GraphError, match="beam=-1"):
        stream.settle(beam=-1.0)
    stream.settle()
    assert stream.settled == 3
    with pytest.raises(GraphError, match="3 classes after frames of 2"):
        stream.add(torch.zeros(1, 3))
    with pytest.raises(GraphError, match="class 1 in frame 4 has penalty nan"):
        stream.add(torch.tensor([[0.0, 1.0], [0.0, math.nan]]))
    assert stream.length == 3


def test_what_is_settled_within_a_beam_begins_where_its_paths_begin():
    """Two starts have separate ways to the same two nodes, and one start is five nats worse."""
    ways = [(0, 1, "a"), (1, 4, "a"), (1, 5, "a"), (2, 3, "a"), (3, 4, "a"), (3, 5, "a")]
    for better, worse in ((0, 2), (2, 0)):
        reader = gtn.from_arcs(ways, start={better: 0.0, worse: 5.0}, final=[4, 5])
        stream = PrunedStream([reader])
        stream.add(torch.zeros(2, 1))
        assert not stream.settle().num_arcs  # the two have nothing in common
        settled = stream.settle(beam=2.0)
        assert settled.sources[1].index.tolist() == [0 if better == 0 else 3]
        assert settled.start_penalties.tolist() == [0.0]
        assert stream.settled == 1
        assert gtn.forward_penalty(stream.graph()) == pytest.approx(-math.log(2))
