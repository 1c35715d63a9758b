"""OpenFst's binary files: read and written as OpenFst does; errors name the file."""

import math
import struct

import numpy as np
import pytest
import torch

import gtn
from gtn.testing import assert_equivalent
from gtn.testing.openfst import assert_same_language, from_openfst, random_graphs


@pytest.mark.parametrize("semiring", ["tropical", "log", "log64"])
def test_openfst_reads_our_binary_and_we_read_its(semiring, tmp_path):
    pynini = pytest.importorskip("pynini", reason="OpenFst is asked through pynini")
    pywrapfst = pytest.importorskip("pywrapfst", reason="OpenFst is asked through pynini")
    dtype = torch.float64 if semiring == "log64" else torch.float32
    tables = gtn.SymbolTable(["a b", "ü"]), gtn.SymbolTable({0: "x", 7: "", 1: "y"})
    for i, g in enumerate(random_graphs(200, seed=2, infinite=True, acyclic=False)):
        named = g if i % 2 else g.with_symbols(*tables)
        content = gtn.to_openfst_binary(named, semiring)
        theirs = pynini.Fst.read_from_string(content)
        assert theirs.verify()
        assert_same_language(from_openfst(theirs), g, max_length=3)
        back = gtn.from_openfst_binary(content)
        assert back.penalties.dtype == dtype
        assert gtn.equal(gtn.from_openfst_binary(theirs.write_to_string()), back)
        assert (back.isymbols, back.osymbols) == (named.isymbols, named.osymbols)
        for kind in ("vector", "const"):
            pywrapfst.convert(theirs, kind).write(str(tmp_path / kind))
            assert gtn.equal(gtn.from_openfst_binary(tmp_path / kind), back)
        table = theirs.output_symbols()
        if table is not None:
            assert {n: table.find(n) for n in (0, 1, 8, 2)} == {0: "<eps>", 1: "x", 8: "", 2: "y"}


def test_several_starts_and_no_start_in_binary():
    g = gtn.from_arcs([(0, 2, 5, 0.5), (1, 2, 6)], start={0: 0.25, 1: math.inf}, final={2: 1.5})
    back = gtn.from_openfst_binary(gtn.to_openfst_binary(g))
    assert (back.num_nodes, back.starts.tolist()) == (4, [3])
    assert_equivalent(back.double(), g.double(), semiring="tropical")
    for empty in (gtn.empty(), gtn.from_arcs([(0, 1, 5)], start={0: math.inf}, final=1)):
        assert gtn.from_openfst_binary(gtn.to_openfst_binary(empty)).num_nodes == 0


def test_an_aligned_machine_and_one_out_of_a_pipe():
    """Const machines may be aligned to 16 bytes; a piped machine does not know its states."""
    content = gtn.to_openfst_binary(g := gtn.from_arcs([(0, 1, 5, 0.5), (1, 0, 6)], final=1))
    at = content.index(struct.pack("<qqq", 0, 2, 2))
    piped = content[: at + 8] + struct.pack("<qq", -1, -1) + content[at + 24 :]
    assert gtn.equal(gtn.from_openfst_binary(piped), g)
    head = struct.pack("<ii5si8s", 2125659606, 5, b"const", 8, b"standard")
    states = [struct.pack("<fIIII", final, i, 1, 0, 0) for i, final in enumerate([math.inf, 0.0])]
    arcs = [struct.pack("<iifi", 6, 6, 0.5, 1), struct.pack("<iifi", 7, 7, 0.0, 0)]
    for version, flags in ((1, 0), (2, 4)):
        parts = [head + struct.pack("<iiQqqq", version, flags, 1, 0, 2, 2)]
        for records in (states, arcs):
            parts += [b"\0" * (-len(b"".join(parts)) % 16), *records]
        assert gtn.equal(gtn.from_openfst_binary(b"".join(parts)), g)


def test_symbols_in_openfsts_binary_format(tmp_path):
    pywrapfst = pytest.importorskip("pywrapfst", reason="OpenFst is asked through pynini")
    theirs = pywrapfst.SymbolTable("words")
    for symbol, number in (("-", 0), ("a b", 4), ("<eps>", 2)):
        theirs.add_symbol(symbol, number)
    path = tmp_path / "words.syms"
    theirs.write(str(path))
    assert gtn.from_openfst_symbols(path) == gtn.SymbolTable({3: "a b", 1: "<eps>"})
    assert gtn.from_openfst_text("0 1 - <eps>\n1", symbols=path).ilabels.tolist() == [-1]
    path.write_bytes(path.read_bytes().replace(b"a b", b"\xce\xb5!"))
    assert "ε!" in gtn.from_openfst_symbols(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(gtn.GraphError, match=r"words\.syms is damaged: it ends at byte \d+, too"):
        gtn.from_openfst_symbols(path)


def test_damaged_binaries_are_named(tmp_path):
    g = gtn.from_arcs([(0, 1, "a", "b", 0.5), (1, 2, "b", None)], final=2)
    whole, path = gtn.to_openfst_binary(g), tmp_path / "G.fst"
    for end in range(4, len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(gtn.GraphError, match=r"G\.fst is damaged: .* early|a text of \d+"):
            gtn.from_openfst_binary(path)
    random = np.random.default_rng(0)
    for _ in range(3000):  # whatever it holds, it is read or the error names it
        content = bytearray(whole)
        content[random.integers(len(whole))] = random.integers(256)
        try:
            gtn.from_openfst_binary(bytes(content))
        except gtn.GraphError:
            continue


def test_what_is_no_such_binary_is_told(tmp_path):
    path = tmp_path / "G.fst"
    path.write_text("0 1 1 1\n1\n")
    with pytest.raises(gtn.GraphError, match=r"G\.fst is not a machine .*from_openfst_text reads"):
        gtn.from_openfst_binary(path)
    path.write_bytes(gtn.to_openfst_binary(gtn.string([3])).replace(b"vector", b"sector"))
    with pytest.raises(gtn.GraphError, match=r"a sector machine with standard arcs; only vector"):
        gtn.from_openfst_binary(path)
    with pytest.raises(
        gtn.GraphError, match=r"binary format, which gtn\.from_openfst_binary reads"
    ):
        gtn.from_openfst_text(path)
    with pytest.raises(gtn.GraphError, match=r"G\.fst: graphs are .*gtn\.from_openfst_binary"):
        gtn.load(path)
    end = struct.pack("<f", 0.5)
    content = gtn.to_openfst_binary(gtn.from_arcs([(0, 1, 3)], final={1: 0.5}))
    assert content.count(end) == 1
    with pytest.raises(gtn.GraphError, match="final 0 has penalty nan"):
        gtn.from_openfst_binary(content.replace(end, struct.pack("<f", math.nan)))
    with pytest.raises(gtn.GraphError, match="one by one"):
        gtn.to_openfst_binary(gtn.strings(["a", "b"]))
    with pytest.raises(gtn.GraphError, match="known are 'tropical'"):
        gtn.to_openfst_binary(gtn.string([3]), "max")
    with pytest.raises(gtn.GraphError, match="2147483647 cannot be written"):
        gtn.to_openfst_binary(gtn.string([2**31 - 1]))


def vector_machine(arcs, *, start=0, num_states=2, tables=(), weight="f", kind=b"standard"):
    """The bytes of a machine of two states, with arcs from the first to the second, which ends."""
    states = [(math.inf, arcs), (0.0, [])]
    head = struct.pack(f"<ii6si{len(kind)}s", 2125659606, 6, b"vector", len(kind), kind)
    head += struct.pack("<iiQqqq", 2, (1 << len(tables)) - 1, 3, start, num_states, len(arcs))
    body = [
        struct.pack(f"<{weight}q", final, len(own))
        + b"".join(struct.pack(f"<ii{weight}i", *arc) for arc in own)
        for final, own in states
    ]
    return b"".join([head, *tables, *body])


def binary_table(*symbols):
    pairs = [struct.pack("<i", len(s)) + s + struct.pack("<q", n) for s, n in symbols]
    return b"".join([struct.pack("<iiqq", 2125658996, 0, len(pairs), len(pairs)), *pairs])


ONE_ARC = [(1, 1, 0.5, 1)]


@pytest.mark.parametrize(
    ("arcs", "options", "message"),
    [
        ([*ONE_ARC, (-1, 1, 0.5, 1)], {}, ": arc 1 has input label -1; labels are >= 0"),
        ([(-(2**31), -(2**31), 0.5, 1)], {}, ": arc 0 has input label -2147483648; labels"),
        ([(1, -(2**31), 0.5, 1)], {}, ": arc 0 has output label -2147483648; labels"),
        ([(1, 1, math.nan, 1)], {}, ": arc 0 has penalty nan"),
        ([(1, 1, -math.inf, 1)], {}, ": arc 0 has penalty -inf"),
        ([(1, 1, 0.5, 2)], {}, ": arc 0 has destination node 2, which does not exist"),
        (ONE_ARC, {"start": 2}, ": start node 2 does not exist"),
        (ONE_ARC, {"start": -2}, r" is damaged: its header has start -2 and 2 states"),
        (ONE_ARC, {"num_states": -2}, r" is damaged: its header has start 0 and -2 states"),
        (ONE_ARC, {"num_states": 2**62}, r" is damaged: it ends in state 1, too early"),
        (ONE_ARC, {"kind": b"lattice4"}, r" is a vector machine with lattice4 arcs; only"),
        (
            ONE_ARC,
            {"tables": [binary_table((b"-", 0))]},
            r": arc 0 has input label 0, which is not in SymbolTable",
        ),
        (
            ONE_ARC,
            {"tables": [binary_table((b"a", 1), (b"b", 1))]},
            ": symbol 'b' has number 1; that symbol or number is there twice",
        ),
        (
            ONE_ARC,
            {"tables": [binary_table((b"a", 0), (b"a", 1))]},
            ": symbol 'a' has number 1; that symbol or number is there twice",
        ),
        (ONE_ARC, {"tables": [binary_table((b"a", -1))]}, ": symbol 'a' has number -1; numbers"),
        (
            ONE_ARC,
            {"tables": [binary_table((b"a", 2**31))]},
            ": symbol 'a' has number 2147483648; numbers",
        ),
        (
            ONE_ARC,
            {"tables": [binary_table((b"\xce\xb5", 2))]},
            ": symbol 'ε' has number 2; that symbol is kept for epsilon",
        ),
    ],
)
def test_what_a_graph_cannot_have_is_told_in_the_numbers_of_the_file(
    tmp_path, arcs, options, message
):
    path = tmp_path / "G.fst"
    path.write_bytes(vector_machine(ONE_ARC, weight="d", kind=b"log64"))
    assert gtn.from_openfst_binary(path).penalties.tolist() == [0.5]
    path.write_bytes(vector_machine(arcs, **options))
    with pytest.raises(gtn.GraphError, match=rf"G\.fst{message}"):
        gtn.from_openfst_binary(path)


def test_arcs_of_const_machines_follow_each_other():
    head = struct.pack("<ii5si8s", 2125659606, 5, b"const", 8, b"standard")
    head += struct.pack("<iiQqqq", 2, 0, 1, 0, 2, 2)
    arcs = b"".join(struct.pack("<iifi", n, n, 0.5, 1) for n in (6, 7))

    def read(*places):
        states = [struct.pack("<fIIII", 0.0, place, 1, 0, 0) for place in places]
        return gtn.from_openfst_binary(b"".join([head, *states, arcs]))

    assert read(0, 1).src.tolist() == [0, 1]
    with pytest.raises(gtn.GraphError, match="the arcs of state 0 are not behind those before it"):
        read(1, 0)


def test_penalties_beyond_float32_need_float64():
    arcs, double = [(0, 1, 3, 0.5), (0, 1, 4, -1e39)], {"dtype": torch.float64}
    wide = gtn.from_arcs(arcs, final=1, **double)
    for g, what in (
        (wide, "arc 1 has penalty -1e[+]39"),
        (gtn.from_arcs(arcs[:1], start={0: 1e39}, final=1, **double), "start 0 has penalty 1e"),
        (gtn.from_arcs(arcs[:1], final={1: 3.5e38}, **double), "final 0 has penalty 3.5e"),
    ):
        for semiring in ("tropical", "log"):
            with pytest.raises(gtn.GraphError, match=f"{what}.* semiring='log64'"):
                gtn.to_openfst_binary(g, semiring)
    assert gtn.equal(gtn.from_openfst_binary(gtn.to_openfst_binary(wide, "log64")), wide)
