"""Symbol tables: what they take, find, refuse and share."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gtn
from gtn import EPSILON, SymbolError, SymbolTable
from gtn.symbols import BACK_OFF, count_classes, merged_labels

TABLES = (
    st.dictionaries(st.integers(0, 12), st.sampled_from("abcdefgh"), max_size=6)
    .filter(lambda d: len(set(d.values())) == len(d))
    .map(SymbolTable)
)


def test_forms_of_construction():
    assert SymbolTable("ab") == SymbolTable(["a", "b"]) == SymbolTable({0: "a", 1: "b"})
    assert SymbolTable({5: "a"}).label("a") == 5
    assert len(SymbolTable([])) == 0


@pytest.mark.parametrize("key", ["a", 0, slice(1)])
def test_a_table_is_not_subscripted(key):
    table = SymbolTable("ab")
    with pytest.raises(TypeError, match=r"table\.label\('a'\) is .* table\.symbol\(3\) the"):
        table[key]
    assert (list(table), "a" in table, 0 in table) == (["a", "b"], True, False)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ("aba", "'a' has labels 0 and 2"),
        (["a", "ε"], "label 1: 'ε' is kept for EPSILON"),
        ({-1: "a"}, "label -1 of symbol 'a' is negative"),
        ({2**31: "a"}, "label 2147483648 of symbol 'a' is too large; labels are 0 to 2147483647"),
        ({1.5: "a"}, "label 1.5 of symbol 'a' is not an integer"),
        ({True: "a"}, "label True of symbol 'a' is not an integer"),
        ({"a": 0}, "symbol of label 'a' is 0; .*, and a mapping leads from label to symbol"),
        ([None], "symbol of label 0 is None; symbols are strings$"),
        ([1, 2], "symbol of label 0 is 1"),
    ],
)
def test_wrong_tables(symbols, message):
    with pytest.raises(SymbolError, match=message):
        SymbolTable(symbols)


def test_epsilon_is_in_every_table():
    table = SymbolTable("ab")
    assert table.symbol(EPSILON) == "ε"
    assert table.label("ε") == EPSILON
    assert "ε" not in table
    assert len(table) == 2


def test_what_a_table_lacks():
    table = SymbolTable("ab")
    with pytest.raises(SymbolError, match="symbol 'c' is not in SymbolTable"):
        table.label("c")
    with pytest.raises(SymbolError, match=r"label 1\.5 is not an integer"):
        table.decode([0, 1.5])
    with pytest.raises(SymbolError, match="label 2 is not in SymbolTable"):
        table.symbol(2)
    with pytest.raises(SymbolError, match="'c'"):
        table.encode("abc")
    with pytest.raises(SymbolError, match="-2"):
        table.decode([-2])


@given(TABLES)
def test_encode_and_decode_undo_each_other(table):
    symbols = list(table)
    labels = table.encode(symbols)
    assert labels.dtype == np.int32
    assert table.decode(labels) == symbols
    assert labels.tolist() == list(table.labels)
    assert all(symbol in table for symbol in symbols)


@given(TABLES, TABLES)
def test_merge_keeps_the_own_labels_and_all_symbols(one, other):
    merged, relabel = one.merge(other)
    assert set(merged) == set(one) | set(other)
    assert [merged.label(s) for s in one] == [one.label(s) for s in one]
    for symbol in other:
        assert merged.symbol(relabel[other.label(symbol) + 1]) == symbol
    assert relabel[0] == EPSILON
    assert len(relabel) == max(other.labels, default=-1) + 2
    if one != other:
        unknown = set(range(max(other.labels, default=-1) + 1)) - set(other.labels)
        assert all(relabel[label + 1] == -2 for label in unknown)


@given(TABLES, TABLES)
def test_labels_change_as_the_tables_merge(one, other):
    merged, relabel = one.merge(other)
    labels = np.array([EPSILON, *other.labels, *other.labels], dtype=np.int32)
    found = one.relabelled(other, labels)
    assert found.dtype == np.int32
    assert found.tolist() == relabel[labels + 1].tolist()
    assert one.merged(other) == merged


def test_large_labels_need_no_large_arrays():
    top = 2**31 - 1
    large, small = SymbolTable({top: "b", 5: "c"}), SymbolTable("ab")
    a, b = gtn.string("cb", symbols=large), gtn.string("b", symbols=small)

    def results():
        assert gtn.isomorphic(a, gtn.string("cb"))
        pruned = gtn.compose(a, gtn.string("cb"), max_active=1)
        return [gtn.union(b, a), gtn.intersect(b, a), a @ b, gtn.difference(a, b), pruned]

    results()  # compiled kernels are loaded first
    tracemalloc.start()
    made = results()
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 1_000_000
    assert [g.num_arcs for g in made] == [3, 0, 0, 2, 2]
    assert made[0].isymbols == SymbolTable("abc")
    assert gtn.equal(gtn.intersect(gtn.string("cb"), a), gtn.string("cb"))
    assert gtn.union(a, b).isymbols == SymbolTable({top: "b", 5: "c", 0: "a"})


def test_merge_with_itself_is_itself():
    table = SymbolTable("abc")
    merged, relabel = table.merge(SymbolTable("abc"))
    assert merged is table
    assert relabel.tolist() == [-1, 0, 1, 2]


@given(TABLES)
def test_equal_tables_have_equal_hashes_and_copies(table):
    for same in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        assert same == table
        assert hash(same) == hash(table)
    assert table != SymbolTable("xyz")
    assert table != "abc"


def test_what_leaves_no_mark_is_seen():
    table = SymbolTable([" ", "\n", "\u00a0", "", "two words", "a"])
    assert repr(table) == r'SymbolTable(6: ␣ \n \xa0 "" two␣words a)'
    date = gtn.string("3 MAY")
    assert repr(date).splitlines()[2] == "  1 -> 2  ␣  0"
    assert gtn.path_text(date) == "3 MAY"


def test_repr_is_short():
    assert repr(SymbolTable("ab")) == "SymbolTable(2: a b)"
    assert repr(SymbolTable(map(chr, range(65, 90)))).endswith("L …)")


@given(st.sets(st.integers(0, 40)), st.lists(st.integers(-3, 45)))
def test_known_are_epsilon_and_the_labels_of_the_table(labels, asked):
    table = SymbolTable({label: f"s{label}" for label in labels})
    known = table.known(np.array(asked, dtype=np.int32))
    assert known.tolist() == [x == EPSILON or x in labels for x in asked]
    assert table.largest == max(labels, default=-1)


def test_many_tables_are_merged_as_one_after_the_other():
    rng = np.random.default_rng(0)
    for _ in range(50):
        tables = [
            SymbolTable(
                dict(zip(rng.choice(12, 3, replace=False), rng.choice(list("abcdefgh"), 3, False)))
            )
            for _ in range(5)
        ]
        tables += [SymbolTable(dict(tables[1]._symbol_of)), SymbolTable([]), tables[2]]
        tables.insert(3, SymbolTable({2**31 - 1: "last"})) if rng.random() < 0.3 else None
        rows = [np.array([-1, *table.labels], dtype=np.int32) for table in tables]
        merged, expected = tables[0], []
        for table, row in zip(tables, rows, strict=True):
            expected.append(merged.relabelled(table, row))
            merged = merged.merged(table)
        one, found = merged_labels(tables, rows)
        assert one == merged
        assert one.labels == merged.labels
        assert [row.tolist() for row in found] == [row.tolist() for row in expected]
        for table, row in zip(tables, found, strict=True):
            assert one.decode(row) == ["ε", *table]


def test_a_table_is_made_once_for_many_operands(monkeypatch):
    words = [f"w{i}" for i in range(200)]
    graphs = [gtn.string([word], symbols=SymbolTable([word])) for word in words]
    made = []
    whole = SymbolTable.__init__

    def counted(table, symbols):
        whole(table, symbols)
        made.append(len(table))

    monkeypatch.setattr(SymbolTable, "__init__", counted)
    for join in (gtn.union, gtn.concat):
        made.clear()
        assert list(join(*graphs).isymbols) == words
        assert made == [200]


def test_labels_that_are_no_classes_are_left_out_however_many_are_last():
    table = SymbolTable(["a", "b", BACK_OFF, "#", "|"])
    assert count_classes(table) == 5  # the last one is a class
    assert count_classes(table, (BACK_OFF, "#", 4)) == 2
    assert count_classes(table, (0, "b", 2, 3, 4)) == 0
    assert count_classes(SymbolTable(""), ("#",)) == 0
