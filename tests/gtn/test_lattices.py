"""Lattices in Kaldi's text: compact or not, one after the other, and what is wrong with one."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
import torch

import gtn
from gtn.errors import GraphError, SymbolError
from gtn.testing.openfst import assert_same_language, random_graphs

COMPACT = """\
utt-1\x20
0\t1\t4\t2.5,100.25,7_7_8
0\t1\t5\t1.5,101,7_9_8
1\t2\t0\t0.25,-3,
1\t3\t4
2\t0.5,0.125,6_6
3

"""
PLAIN = """\
utt-2\x20
2 7 11 0 0,4.5
2 0 12 3 0.5,5
7 0 11 3
0 0.25,0

"""
WORDS = "<eps> 0\na 3\nb 4\nc 5\n"


def read(text, **options):
    return dict(gtn.from_kaldi_lattices(text, **options))


def test_a_compact_lattice_has_all_costs_and_transitions_on_arcs():
    (lattice,) = read(COMPACT, dtype=torch.float64).values()
    assert lattice.src.tolist() == [0, 0, 1, 1, 2, 3]
    assert lattice.dst.tolist() == [1, 1, 2, 3, 4, 4]
    assert lattice.ilabels.tolist() == [3, 4, -1, 3, -1, -1]
    assert lattice.topology.is_acceptor
    assert (lattice.starts.tolist(), lattice.finals.tolist()) == ([0], [4])
    assert lattice.data["graph"].tolist() == [2.5, 1.5, 0.25, 0, 0.5, 0]
    assert lattice.data["acoustic"].tolist() == [100.25, 101, -3, 0, 0.125, 0]
    assert lattice.penalties.tolist() == [102.75, 102.5, -2.75, 0, 0.625, 0]
    assert lattice.final_penalties.tolist() == [0]

    def transitions(graph):
        column = graph.data.column("transitions")
        return column.values(lambda ids, begins: [i.tolist() for i in np.split(ids, begins[1:-1])])

    assert transitions(lattice) == [[7, 7, 8], [7, 9, 8], [], [], [6, 6], []]
    scaled = lattice.with_penalties(lattice.data["graph"] + 0.1 * lattice.data["acoustic"])
    best = gtn.viterbi_path(gtn.prune(scaled @ gtn.string([4]), beam=5.0))
    assert best.penalties.sum().item() == pytest.approx(2.25 + 0.1 * 98.125)
    assert transitions(best) == [[7, 9, 8], [], [6, 6]]
    assert np.diff(best.data.column("transitions").sources.offsets).tolist() == [3, 0, 2]


def test_any_other_lattice_reads_transitions_and_writes_words():
    (lattice,) = read(PLAIN).values()
    assert lattice.starts.tolist() == [1]  # the first state of the text, with number 2
    assert (lattice.src.tolist(), lattice.dst.tolist()) == ([1, 1, 2, 0], [2, 0, 0, 3])
    assert lattice.ilabels.tolist() == [10, 11, 10, -1]
    assert lattice.olabels.tolist() == [-1, 2, 2, -1]
    assert lattice.penalties.tolist() == [4.5, 5.5, 0, 0.25]
    assert list(lattice.data) == ["graph", "acoustic"]
    (free,) = read("free-of-costs\n0 1 11 3\n1\n\n").values()
    assert (free.ilabels.tolist(), free.olabels.tolist()) == ([10, -1], [2, -1])


def test_words_are_numbers_or_symbols(tmp_path):
    table = gtn.from_openfst_symbols(WORDS)
    (numbers,) = read(PLAIN).values()
    (symbols,) = read(PLAIN.replace(" 3", " a").replace("11 0", "11 <eps>"), symbols=WORDS).values()
    assert gtn.equal(numbers.with_symbols(None, table), symbols)
    (compact,) = read("k\n0 1 c 0.5,1,3\n1\n\n", symbols=table).values()
    assert (compact.isymbols, compact.osymbols) == (table, table)
    assert gtn.path_text(gtn.viterbi_path(compact)) == "c"


def test_lattices_come_one_by_one(tmp_path):
    text = COMPACT + "\n" + PLAIN + "empty \n\n" + "last\r\n0 1 4\r\n1\r\n\r\n"
    whole = read(text)
    assert list(whole) == ["utt-1", "utt-2", "empty", "last"]
    assert (whole["empty"].num_nodes, whole["last"].num_arcs) == (0, 2)
    path = tmp_path / "lattices.txt"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    with gzip.open(tmp_path / "lattices.gz", "wt") as file:
        file.write(text)
    with gzip.open(tmp_path / "lattices.gz", "rt") as file:
        for again in (read(path), read(file), read(iter(text.splitlines()))):
            assert list(again) == list(whole)
            assert all(gtn.equal(again[name], whole[name]) for name in whole)
    lines = iter([*COMPACT.splitlines(), "utt-2", "what is wrong here"])
    lattices = gtn.from_kaldi_lattices(lines)
    assert next(lattices)[0] == "utt-1"
    assert next(lines) == "utt-2"  # nothing was read ahead
    assert read("") == {}


def test_a_text_that_ends_within_a_lattice_is_refused(tmp_path):
    path = tmp_path / "lattices.txt"
    whole = COMPACT + PLAIN
    wanted = [g.num_arcs for g in read(whole).values()]
    ends = (len(COMPACT), len(whole))
    for length in range(len(whole)):
        path.write_text(whole[:length])
        for source in (whole[:length], path):
            if length and "\n" not in whole[:length] and source is not path:
                continue  # no text, but said to be the name of a file
            found = []
            if length in (0, *ends):
                found = [g.num_arcs for _, g in gtn.from_kaldi_lattices(source)]
            else:
                with pytest.raises(GraphError, match=r"(text|lattices\.txt):\d+: "):
                    found.extend(g.num_arcs for _, g in gtn.from_kaldi_lattices(source))
            assert found == wanted[: sum(length >= end for end in ends)]
    with pytest.raises(GraphError, match="text:2: the text ends within the lattice 'k', which an"):
        read("k\n0 1 4 0.5,1,\n")


def test_kept_in_a_file_and_in_a_batch(tmp_path):
    first, second = read(COMPACT + COMPACT.replace("utt-1", "utt-3").replace("7_9_8", "5")).values()
    gtn.save(first, tmp_path / "lattice.npz")
    kept = gtn.load(tmp_path / "lattice.npz").data
    assert (kept["graph"] == first.data["graph"]).all()
    assert kept.column("transitions").values("sum").tolist() == [22, 24, 0, 0, 12, 0]
    batch = gtn.GraphBatch.from_graphs([first, second])
    sums = batch[1].data.column("transitions").values("sum")
    assert sums.tolist() == [22, 5, 0, 0, 12, 0]


def test_the_same_as_the_text_of_openfst():
    for i, g in enumerate(random_graphs(200, seed=3, infinite=True, labels=3, max_starts=1)):
        text = gtn.to_openfst_text(g)
        lines = [line.split("\t") for line in text.splitlines()]
        rows = [
            "\t".join([*line[: 4 if len(line) > 3 else 1], f"{line[-1]},0.5"])
            if len(line) in (2, 5)
            else "\t".join([*line, "0,0.5"])
            for line in lines
        ]
        (lattice,) = read("\n".join(["name", *rows, "", ""]), dtype=torch.float64).values()
        plain = lattice.with_penalties(lattice.data["graph"])
        assert_same_language(plain, g, note=f"graph {i}")
        assert torch.equal(lattice.penalties, plain.penalties + 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 4 0.5,1,\n", r"1: '0 1 4 0.5,1,' is not the name of a lattice"),
        ("k\n0 1 4 0.5,1,\n1\nnext\n0", r"4: 'next' is not a state"),
        ("k\n0 1 4 0.5,1,\n1\n1 2,3,", r"4: state 1 is made final twice"),
        ("k\n0 x 4 0.5,1,", r"2: 'x' is not a state; states are 0, 1, 2"),
        (
            "k\n0 1 a 0.5,1,",
            r"2: 'a' is not the number of a word; symbols need their table, symbols=",
        ),
        ("k\n0 1 -1 0.5,1,", r"2: '-1' is not the number of a word"),
        ("k\n0 1 2147483648 0.5,1,", r"2: '2147483648' is not the number of a word"),
        ("k\n0 1 a 4 0.5,1", r"2: 'a' is not the number of a transition-id"),
        ("k\n0 1 4 4 0.5,1,3_4", r"2: '0.5,1,3_4' are not costs, 'graph,acoustic'"),
        ("k\n0 1 4 0.5,1,\n0 1 4 0.5", r"3: '0.5' are not costs, 'graph,acoustic,transitions'"),
        ("k\n0 1 4 0.5,nan,", r"2: '0.5,nan,' are not costs"),
        ("k\n0 1 4 -inf,1,", r"2: '-inf,1,' are not costs"),
        ("k\n0 1 4 1_0,1,", r"2: '1_0,1,' are not costs"),
        ("k\n0 1 4 1,1,3_x", r"2: '1,1,3_x' are not costs"),
        ("k\n0 1 4 1,1,3__4", r"2: '1,1,3__4' are not costs"),
        ("k\n0 1 4 1,1,3_-4", r"2: '1,1,3_-4' are not costs"),
        ("k\n0 1 4 1,1,3,4", r"2: '1,1,3,4' are not costs"),
        ("k\n0 1 4 1,1,99999999999", r"2: .* are not costs"),
        ("k\n0 1,2,3\n0 1 4 4 0,0", r"2: '1,2,3' are not costs, 'graph,acoustic'"),
        ("k\n0 1 4 4 0,0 7", r"2: .* has 6 fields; an arc is 'state nextstate transition word \["),
        ("k\n0 1 4\n0 1 4 4 0,0", r"2: '0 1 4' has 3 fields"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(tmp_path, text, message):
    with pytest.raises(GraphError, match=f"^text:{message}"):
        read(text)
    path = tmp_path / "lattices.txt"
    path.write_text(text)
    with pytest.raises(GraphError, match=rf"lattices\.txt:{message}"):
        read(path)


def test_what_is_no_text_of_lattices_is_told(tmp_path):
    with pytest.raises(
        GraphError, match=r"'lat\.txt' is not a text .* a file is a Path\('lat\.txt'\)"
    ):
        read("lat.txt")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing.txt")
    with pytest.raises(SymbolError, match=r"text:2: the symbol 'z' is not in SymbolTable"):
        read("k\n0 1 z\n", symbols=WORDS)
    path = tmp_path / "lat.1.gz"
    path.write_bytes(gzip.compress(COMPACT.encode()))
    with pytest.raises(GraphError, match=r"lat\.1\.gz: no text in UTF-8 .*lattice-copy"):
        read(path)
    with gzip.open(path) as file, pytest.raises(GraphError, match="line:1 is of type bytes; open"):
        read(file)
    infinite = read("k\n0 1 4 Infinity,Infinity,\n1\n\n")["k"]
    assert gtn.viterbi_penalty(infinite).item() == math.inf
