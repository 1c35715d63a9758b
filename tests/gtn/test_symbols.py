"""Symbol tables."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gtn import EPSILON, SymbolError, SymbolTable

TABLES = (
    st.dictionaries(st.integers(0, 12), st.sampled_from("abcdefgh"), max_size=6)
    .filter(lambda d: len(set(d.values())) == len(d))
    .map(SymbolTable)
)


def test_forms_of_construction():
    assert SymbolTable("ab") == SymbolTable(["a", "b"]) == SymbolTable({0: "a", 1: "b"})
    assert SymbolTable({5: "a"}).label("a") == 5
    assert len(SymbolTable([])) == 0


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ("aba", "'a' has labels 0 and 2"),
        (["a", "ε"], "label 1: 'ε' is kept for EPSILON"),
        ({-1: "a"}, "label -1 of symbol 'a' is negative"),
        ({2**31: "a"}, "label 2147483648 of symbol 'a' is too large; labels are 0 to 2147483647"),
        ({1.5: "a"}, "label 1.5 of symbol 'a' is no integer"),
        ({True: "a"}, "label True of symbol 'a' is no integer"),
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


def test_repr_is_short():
    assert repr(SymbolTable("ab")) == "SymbolTable(2: a b)"
    assert repr(SymbolTable(map(chr, range(65, 90)))).endswith("L …)")
