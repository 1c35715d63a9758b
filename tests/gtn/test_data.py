"""Arc data: columns compose indexes as lists of lists would."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gtn
from gtn import ArcData, Column, DataError, Sources


def ragged(lists):
    """Sources made from a list of lists."""
    offsets = np.cumsum([0, *(len(part) for part in lists)]).astype(np.int32)
    return Sources(np.array([x for part in lists for x in part], dtype=np.int32), offsets)


def plain(sources):
    """The list of lists that sources stand for."""
    return [sources.of(arc).tolist() for arc in range(len(sources))]


@st.composite
def sources(draw, count):
    """Sources among ``count`` arcs: at most one per arc, or several."""
    last = count - 1
    if draw(st.booleans()):
        ints = st.lists(st.integers(-1, last), max_size=5)
        return Sources(np.array(draw(ints), dtype=np.int32))
    inner = st.lists(st.integers(0, last), max_size=3) if count else st.just([])
    return ragged(draw(st.lists(inner, max_size=5)))


CHAINS = sources(4).flatmap(lambda s: st.tuples(st.just(s), sources(len(s))))


@given(CHAINS)
def test_sources_compose(chain):
    first, later = chain
    expected = [[x for middle in group for x in plain(first)[middle]] for group in plain(later)]
    composed = first.then(later)
    assert len(composed) == len(later)
    assert plain(composed) == expected
    assert composed.index.dtype == np.int32


@pytest.mark.parametrize("later", [Sources(np.array([0, 2], np.int32)), ragged([[0], [1, 2]])])
def test_sources_in_the_wrong_order_are_told(later):
    first = Sources(np.array([5, 7], np.int32))
    for one in (first, ragged([[5], [7, 8]])):
        with pytest.raises(DataError, match=r"arc 2 is named .* of 2 arcs; the earlier"):
            one.then(later)


def test_sources_are_shown():
    assert repr(Sources(np.array([4, -1], dtype=np.int32))) == "Sources(2 arcs: 4, None)"
    assert repr(ragged([[1, 2], [], [3]])) == "Sources(3 arcs: [1, 2], None, 3)"
    assert repr(Sources(np.arange(9, dtype=np.int32))).endswith("6, 7, …)")


@given(CHAINS, st.sampled_from(["first", "sum", "mean", "min", "max"]), st.booleans())
def test_columns_read_what_lists_read(chain, reduce, as_tensor):
    base = np.array([[1.0, 2.0], [10.0, -20.0], [0.5, 0.25], [7.0, 7.0]])
    column = Column(torch.from_numpy(base) if as_tensor else base, fill=-3.0)
    for step in chain:
        column = column.take(step)
    functions = {"first": lambda rows: rows[0], "sum": np.sum, "mean": np.mean}
    functions |= {"min": np.min, "max": np.max}
    expected = []
    for group in plain(column.sources):
        rows = [base[i] for i in group]
        if not rows:
            expected.append([-3.0, -3.0])
        elif reduce == "first":
            expected.append(rows[0])
        else:
            expected.append(functions[reduce](rows, axis=0))
    values = column.values(reduce)
    assert isinstance(values, torch.Tensor) == as_tensor
    np.testing.assert_allclose(np.asarray(values), np.reshape(expected, (-1, 2)))


def test_a_mean_of_integers_is_no_integer():
    for base in (np.array([1, 2, 4]), torch.tensor([1, 2, 4])):
        column = Column(base, ragged([[0, 1], [], [2]]), fill=9)
        assert column.values("mean").tolist() == [1.5, 9.0, 4.0]
        assert column.values("sum").dtype == base.dtype
    assert Column(np.array([True, False]), ragged([[0, 1]])).values("mean").tolist() == [0.5]


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64", "int8", "float16", "float64"])
def test_merged_rows_of_any_numbers_are_reduced_in_their_type(dtype):
    column = Column(np.array([7, 1, 4], dtype=dtype), ragged([[0, 1], [], [2]]), fill=9)
    for reduce, expected in {"sum": [8, 9, 4], "min": [1, 9, 4], "max": [7, 9, 4]}.items():
        values = column.values(reduce)
        assert values.dtype == dtype
        assert values.tolist() == expected
    assert column.values("mean").tolist() == [4, 9, 4]


def test_merged_rows_of_text_have_no_sum():
    column = Column(np.array(["b", "a", "c"]), ragged([[0, 1], [2]]), fill="")
    assert column.values("first").tolist() == ["b", "c"]
    with pytest.raises(DataError, match="rows of <U1 have no min"):
        column.values("min")


def test_merged_arcs_need_a_reduce():
    column = Column(np.array([1.0, 2.0, 4.0]), ragged([[0, 1], [], [2]]), fill=9.0)
    with pytest.raises(DataError, match=r"merged from several sources.*reduce="):
        column.values()
    assert column.values("sum").tolist() == [3.0, 9.0, 4.0]
    assert column.rows([2, 0], "max").tolist() == [4.0, 2.0]
    with pytest.raises(DataError, match="reduce='median'"):
        column.values("median")
    given_rows = column.values(lambda rows, offsets: (rows.tolist(), offsets.tolist()))
    assert given_rows == ([1.0, 2.0, 4.0], [0, 2, 2, 3])


@pytest.mark.parametrize("base", [np.zeros((0, 2)), torch.zeros(0, 2)])
def test_a_table_without_rows(base):
    column = Column(base, Sources(np.array([-1, -1], np.int32)), fill=5.0)
    assert np.asarray(column.values()).tolist() == [[5.0, 5.0]] * 2
    assert column.take(Sources(np.array([1], np.int32))).values().shape == (1, 2)


def test_fill_and_types():
    images = torch.arange(6, dtype=torch.uint8).reshape(3, 2)
    column = Column(images, Sources(np.array([2, -1], np.int32)), fill=255)
    assert column.values().tolist() == [[4, 5], [255, 255]]
    assert column.values().dtype == torch.uint8
    texts = Column(np.array(["a", "b"], dtype=object)).rows([1])
    assert texts.tolist() == ["b"]


@pytest.mark.parametrize("base", [[1, 2], np.float64(3.0), torch.tensor(1.0), "text"])
def test_what_is_no_table(base):
    with pytest.raises(DataError, match="one row per arc"):
        Column(base)


def test_gradients_reach_the_base():
    base = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    column = Column(base).take(Sources(np.array([2, -1, 2, 0], np.int32)))
    (column.values() * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert base.grad.tolist() == [1000.0, 0.0, 101.0]
    base.grad = None
    Column(base).take(ragged([[0, 1], [1, 2]])).values("sum").sum().backward()
    assert base.grad.tolist() == [1.0, 2.0, 1.0]


def test_taking_copies_no_row():
    base = torch.zeros(3, 100)
    column = Column(base)
    for _ in range(5):
        column = column.take(Sources(np.array([0, 1, 1, 2], np.int32)[: len(column)]))
    assert column.base is base


# -- concatenation --------------------------------------------------------------------------------


@given(sources(2), sources(3), st.booleans())
def test_concatenated_columns_read_as_both(first, second, missing):
    left = Column(np.array([1.0, 2.0]), first, fill=-1.0)
    right = Column(np.array([3.0, 4.0, 5.0]), second, fill=-1.0)
    columns = [left, None, right] if missing else [left, right]
    lengths = [len(first), 2, len(second)] if missing else [len(first), len(second)]
    joined = Column.concatenate(columns, lengths)
    between = [-1.0, -1.0] if missing else []
    expected = [*left.values("sum"), *between, *right.values("sum")]
    assert joined.values("sum").tolist() == expected


def test_columns_of_one_base_share_it():
    base = np.array([1.0, 2.0])
    one, two = (Column(base, Sources(np.array(i, np.int32))) for i in ([1, 0], [0]))
    joined = Column.concatenate([one, two], [2, 1])
    assert joined.base is base
    assert joined.values().tolist() == [2.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "other", [torch.zeros(1, 3), np.zeros((1, 2)), torch.zeros(1)], ids=["shape", "array", "flat"]
)
def test_columns_that_do_not_go_together(other):
    with pytest.raises(DataError, match=r"must agree: Tensor rows of shape \(2,\) meet"):
        Column.concatenate([Column(torch.zeros(1, 2)), Column(other)], [1, 1])


# -- data by key ----------------------------------------------------------------------------------


def test_data_by_key():
    data = ArcData({"time": np.array([3.0, 4.0]), "image": torch.zeros(2, 5, 5)})
    assert list(data) == ["time", "image"]
    assert len(data) == 2
    assert "time" in data
    assert "ink" not in data
    assert data["image"].shape == (2, 5, 5)
    assert repr(data) == "ArcData(time: 2 x (), image: 2 x (5, 5))"
    with pytest.raises(DataError, match=r"no arc data 'ink'; there is \['image', 'time'\]"):
        data["ink"]
    turned = data.take(Sources(np.array([1, 0, -1], np.int32)))
    assert turned["time"].tolist() == [4.0, 3.0, 0.0]


def test_two_operands_with_one_key():
    left = ArcData({"time": np.array([1.0]), "ink": np.array([2.0])})
    right = ArcData({"time": np.array([3.0])})
    with pytest.raises(DataError, match=r"carry arc data \['time'\]; give one suffix for each"):
        left.merged(right, None)
    merged = left.merged(right, ("_l", "_r"))
    assert {key: merged[key].item() for key in merged} == {"time_l": 1.0, "ink": 2.0, "time_r": 3.0}
    assert list(left.merged(ArcData({"pen": np.array([1])}), None)) == ["time", "ink", "pen"]


@pytest.mark.parametrize("suffixes", [("", ""), ("_x", "_x"), ("", "_r")])
def test_suffixes_that_lose_a_column(suffixes):
    left = ArcData({"time": np.array([1.0]), "time_r": np.array([2.0])})
    right = ArcData({"time": np.array([3.0])})
    with pytest.raises(DataError, match="suffixes"):
        left.merged(right, suffixes)


def test_a_key_missing_in_one_part_reads_as_fill():
    parts = [ArcData({"a": np.array([1.0])}), ArcData({"b": np.array([2.0, 3.0])})]
    joined = ArcData.concatenate(parts, [1, 2])
    assert joined["a"].tolist() == [1.0, 0.0, 0.0]
    assert joined["b"].tolist() == [0.0, 2.0, 3.0]


def test_what_stands_for_missing_rows_must_agree():
    first = gtn.from_arcs([(0, 1, 0)], final=1, data={"t": Column(np.ones(1), fill=np.nan)})
    same = gtn.from_arcs(
        [(0, 1, 0)], final=1, data={"t": Column(np.ones(1), fill=np.float32(np.nan))}
    )
    other = gtn.from_arcs([(0, 1, 0)], final=1, data={"t": Column(np.ones(1), fill=-1.0)})
    assert (first | same).data["t"].tolist() == [1.0, 1.0]
    for join in (gtn.union, gtn.concat, lambda a, b: gtn.GraphBatch.from_graphs([a, b])):
        with pytest.raises(DataError, match=r"the fills are nan and -1\.0"):
            join(first, other)
        with pytest.raises(DataError, match=r"the fills are -1\.0 and nan"):
            join(other, first)


def test_a_fill_may_be_a_number_of_numpy_or_torch(tmp_path):
    for fill in (np.float32(2), np.int64(2), torch.tensor(2.0)):
        graph = gtn.from_arcs([(0, 1, 0)], final=1, data={"t": Column(np.ones(1), fill=fill)})
        gtn.save(graph, tmp_path / "g.npz")
        assert gtn.load(tmp_path / "g.npz").data.column("t").fill == 2


def test_parameters_and_tensors_are_data_of_one_kind():
    rows = [torch.nn.Parameter(torch.ones(1, 3)), torch.zeros(1, 3)]
    first, second = (gtn.from_arcs([(0, 1, 0)], final=1, data={"x": row}) for row in rows)
    assert (first | second).data["x"].tolist() == [[1.0] * 3, [0.0] * 3]


def test_data_is_a_mapping_with_defaults():
    graph = gtn.from_arcs([(0, 1, 0)], final=1, data={"t": np.ones(1)})
    assert graph.data.get("image") is None
    assert graph.data.get("image", 5) == 5
    assert graph.data.get("t").tolist() == [1.0]


def test_arcs_are_numbers_and_no_mask():
    column = Column(np.array([1.0, 2.0]))
    assert column.rows([]).tolist() == []
    assert column.rows(np.array([1], np.uint8)).tolist() == [2.0]
    for arcs in (np.array([True, False]), [0.5]):
        with pytest.raises(DataError, match="arcs are integers, not"):
            column.rows(arcs)


@pytest.mark.parametrize("wrong", [2**31, 2**32, -(2**32)])
def test_sources_beyond_32_bits_are_no_others(wrong):
    told = rf"\[1\] is {wrong}, which does not fit 32 bits"
    with pytest.raises(DataError, match="sources" + told):
        Sources(np.array([0, wrong]))
    with pytest.raises(DataError, match="offsets of sources" + told):
        Sources(np.array([0]), np.array([0, wrong]))
    with pytest.raises(DataError, match="sources" + told):
        Column(np.arange(3)).rows([0, wrong])
    with pytest.raises(DataError, match="sources are whole numbers, not float64"):
        Sources(np.array([0.5]))
