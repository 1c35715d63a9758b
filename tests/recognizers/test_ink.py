"""Ink as a value, and ink from JSON and InkML."""

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recognizers.online.ink import Ink, InkError
from recognizers.online.ink_files import from_inkml, from_json, load_ink, to_json

coordinates = st.floats(-1e12, 1e12)
inks = st.lists(
    st.integers(0, 5).flatmap(lambda n: arrays(float, (n, 2), elements=coordinates)), max_size=4
).map(Ink)


def test_empty_strokes_are_left_out_and_points_are_kept():
    ink = Ink([[], np.empty((0, 2)), [(1, 2)], [(1, 2), (1, 2)]])
    assert [len(s) for s in ink.strokes] == [1, 2]
    assert Ink().is_empty
    assert Ink().bounds == (0, 0, 0, 0)
    assert Ink.of(np.zeros((2, 2)), np.array([0, 0, 1, 1, 2, 2])) == Ink([[(0, 0)], [(0, 0)]])


def test_ink_is_its_points_and_where_strokes_end():
    ink = Ink([[(1, 2), (3, 5)], [(4, 4)]])
    assert ink.bounds == (1, 2, 4, 5)
    assert ink == Ink([[(1, 2), (3, 5)], [(4, 4)]])
    assert ink != Ink([[(1, 2), (3, 6)], [(4, 4)]])
    assert ink != Ink([[(1, 2)], [(3, 5), (4, 4)]])
    assert ink != "ink"


@pytest.mark.parametrize(
    ("strokes", "words"),
    [
        ([[(0, 0)], [(0, 0), (1, float("nan"))]], "point 1 of stroke 1"),
        ([[(0, 1e13)]], "point 0 of stroke 0"),
        ([[(0, float("-inf"))]], "point 0 of stroke 0"),
        ([[0, 1]], r"stroke 0 must be \[points, 2\]"),
        ([[(0, 1, 2)]], "stroke 0"),
        ([[(0, 1), (2,)]], "stroke 0"),
        ([["ab"]], "stroke 0"),
    ],
)
def test_wrong_strokes(strokes, words):
    with pytest.raises(InkError, match=words):
        Ink(strokes)


@pytest.mark.parametrize("offsets", [[], [0], [1, 3], [0, 4], [0, 2, 1, 3]])
def test_wrong_offsets(offsets):
    with pytest.raises(InkError, match="offsets"):
        Ink.of(np.zeros((3, 2)), np.array(offsets, int))


def test_ink_does_not_change():
    points = np.zeros((2, 2))
    ink = Ink([points])
    points += 1
    assert not ink.points.any()
    with pytest.raises(ValueError, match="read-only"):
        ink.points[0] = 1
    with pytest.raises(AttributeError, match="immutable"):
        ink.points = points


@given(inks)
def test_laws(ink):
    assert ink.reversed().reversed() == ink
    assert ink.select(range(len(ink))) == ink == Ink(ink.strokes) == Ink().joined(ink)
    assert hash(copy.deepcopy(ink)) == hash(ink)
    assert pickle.loads(pickle.dumps(ink)) == ink
    assert ink.transformed(np.eye(2)) == ink
    assert from_json(to_json(ink, "a")) == (ink, "a")
    assert json.loads(to_json(ink))["y"] == "up"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{}", '"strokes"'),
        ("3", "list of lists"),
        ("[3]", "stroke 0"),
        ("[[3]]", "point 0 of stroke 0"),
        ('[[[1, 2], ["a", 3]]]', "point 1 of stroke 0"),
        ("[[[1, true]]]", "point 0"),
        ("[[[1, NaN]]]", "point 0"),
        ('[[{"x": 1}]]', "point 0"),
        ("[[[1, 1e400]]]", "point 0"),
        (f"[[[1, {'9' * 400}]]]", "too large"),
        (f"[[[1, {'9' * 5000}]]]", "not JSON"),
        (f"[[{[1] * 17}, {[2] * 17}]]", "stroke 0 has 17 numbers; .* not a list of all x"),
        ('{"strokes": [], "y": "left"}', '"y"'),
        ('{"strokes": [], "label": 3}', '"label"'),
        (r'{"strokes": [], "label": "a\ud800"}', "half a character"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_wrong_json(text, words):
    with pytest.raises(InkError, match=words):
        from_json(text)


def test_y_downwards_and_upwards():
    assert from_json('{"strokes": [[[1, 2]]], "y": "up"}').ink == Ink([[(1, 2)]])
    assert from_json('{"strokes": [[[1, 2]]]}').ink == Ink([[(1, -2)]])


INKML = """<?xml version="1.0"?>
<ink xmlns="http://www.w3.org/2003/InkML">
  <annotation type="truth"> word </annotation>
  <traceFormat><channel name="T"/><channel name="X"/><channel name="Y" orientation="-ve"/>
  </traceFormat>
  <traceGroup><trace>1 10 20, 2 '1 "2, 3 '1 "-1, 4 -2 0, 5 !7 !8</trace></traceGroup>
  <trace type="penUp">1 2 3</trace>
  <trace/>
  <trace>1 5 6, 2 * 7</trace>
</ink>"""


def test_inkml():
    ink, label = from_inkml(INKML)
    # y: 20, then +2, then +1 (the step changed by -1), +1 (by 0), then 8
    expected = [[(10, 20), (11, 22), (12, 23), (10, 24), (7, 8)], [(5, 6), (5, 7)]]
    assert ink == Ink(expected)
    assert label == "word"
    assert from_inkml("<ink><trace>1-2,3 4</trace></ink>").ink == Ink([[(1, 2), (3, -4)]])
    assert from_inkml("<ink/>").ink.is_empty


def test_inkml_of_steps_that_stay_and_axes_the_other_way():
    assert from_inkml("<ink><trace>10 5,'2'1,* *,3 *</trace></ink>").ink == Ink(
        [[(10, -5), (12, -6), (14, -7), (17, -8)]]
    )
    channels = '<channel name="X" orientation="-ve"/><channel name="Y"/>'
    text = f"<ink><traceFormat>{channels}</traceFormat><trace>1 2,3 5</trace></ink>"
    assert from_inkml(text).ink == Ink([[(-1, -2), (-3, -5)]])


DIFFERENT = "<context><traceFormat>{}</traceFormat></context>" * 2
RESOLUTIONS = """<inkSource><channelProperties>
<channelProperty channel="X" name="resolution" value="1000" units="1/cm"/>
<channelProperty channel="Y" name="resolution" value="{}" units="1/{}"/>
</channelProperties></inkSource>"""
XY = '<channel name="X"/><channel name="Y"/>'
LEFT = XY.replace("/>", ' orientation="-ve"/>', 1)


def test_inkml_of_parts_of_strokes_numbers_and_resolutions():
    def points(text):
        return [stroke.tolist() for stroke in from_inkml(f"<ink>{text}</ink>").ink]

    parts = """<trace xml:id="a" continuation="begin">1 2</trace><trace xml:id="b">9 9</trace>
    <trace xml:id="c" continuation="middle" priorRef="#a">3 4</trace>
    <trace continuation="end" priorRef="#c">5 6,'1'1</trace>"""
    assert points(parts) == [[[1, -2], [3, -4], [5, -6], [6, -7]], [[9, -9]]]
    assert points("<trace>#1F -#A, - 5 + 3</trace>") == [[[31, 10], [-5, -3]]]
    assert points("<traceFormat/><trace>1 2</trace>") == [[[1, -2]]]
    trace = "<trace>7 1 2, 8 3 4</trace>"
    # Repeated names of other channels do not shift X and Y, and formats may be given twice.
    other = '<channel name="F"/>'
    intermittent = f"<intermittentChannels>{other}</intermittentChannels>"
    forms = DIFFERENT.format(other + XY, other + XY + intermittent)
    assert points(forms + trace) == [[[1, -2], [3, -4]]]
    assert points(f"<traceFormat>{other * 2}{XY}</traceFormat><trace>1 2 3 4</trace>") == [
        [[3, -4]]
    ]
    assert points(RESOLUTIONS.format(500, "cm") * 2 + "<trace>1 2</trace>") == [[[1, -4]]]


def test_inkml_says_what_all_of_its_ink_says():
    def label(text):
        return from_inkml(f"<ink>{text}</ink>").label

    truth, trace = '<annotation type="truth">{}</annotation>', "<trace>1 2</trace>"
    group = "<traceGroup>" + truth + trace + "</traceGroup>"
    assert label(group.format("a")) == "a"
    assert label(group.format("a") + group.format("b")) is None
    assert label(group.format("a") + truth.format("ab") + group.format("b")) == "ab"
    views = '<traceGroup>{}<traceView traceDataRef="#a"/></traceGroup>'
    assert label(views.format(truth.format("a")) + trace) is None


def test_reversed_ink_has_its_strokes_from_the_last():
    assert Ink([[(0, 0), (1, 1), (2, 2)], [(5, 5)]]).reversed() == Ink(
        [[(5, 5)], [(2, 2), (1, 1), (0, 0)]]
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<ink>", "not XML"),
        ("<svg/>", "<svg>"),
        ("<ink><trace>1</trace></ink>", "point 0 of trace 0"),
        ("<ink><trace>1 2, a 4</trace></ink>", "point 1 of trace 0"),
        ("<ink><trace>'1 2</trace></ink>", "point 0 of trace 0"),
        ("<ink><trace>1 1e999</trace></ink>", "too large"),
        ('<ink><traceFormat><channel name="X"/></traceFormat></ink>', "X and Y are needed"),
        (
            f"<ink>{DIFFERENT.format(XY, LEFT)}</ink>",
            "X Y; X Y, X",
        ),
        (
            '<ink><traceFormat><channel name="X" units="cm"/><channel name="Y" units="mm"/>'
            "</traceFormat></ink>",
            "X is in cm and Y in mm",
        ),
        (f"<ink>{RESOLUTIONS.format(10, 'mm')}</ink>", "1000 1/cm and 10 1/mm"),
        (f"<ink>{RESOLUTIONS.format(0, 'cm')}</ink>", "1000 1/cm and 0 1/cm"),
        (f"<ink>{RESOLUTIONS.format('1e999', 'cm')}</ink>", "1000 1/cm and 1e999 1/cm"),
        (f"<ink>{RESOLUTIONS.replace('1000', '0').format(5, 'cm')}</ink>", "0 1/cm and 5 1/cm"),
        (f"<ink>{RESOLUTIONS.replace('1000', 'inf').format(5, 'cm')}</ink>", "inf 1/cm and 5"),
        (f"<ink>{RESOLUTIONS.format(1, 'cm')}{RESOLUTIONS.format(2, 'cm')}</ink>", "traces differ"),
        ("<ink><definitions><trace>1 2</trace></definitions></ink>", "trace 0 is in <definitions>"),
        (
            '<ink><trace continuation="end" priorRef="#a">1 2</trace></ink>',
            "trace 0 continues '#a'",
        ),
        (f"<ink><trace>#{'F' * 400} 1</trace></ink>", "point 0 of trace 0"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><ink/>', "document type"),
        ("<!DOCTYPE ink><ink/>", "document type"),
    ],
)
def test_wrong_inkml(text, words):
    with pytest.raises(InkError, match=words):
        from_inkml(text)


def test_files(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("\ufeff" + INKML.partition("?>")[2])
    assert load_ink(file).label == "word"
    file.write_text("[[[0, 0]]]")
    assert len(load_ink(file).ink) == 1
    for content, words in ((b"\xff", "UTF-8"), (b"", "not JSON"), (b"<", "not XML")):
        file.write_bytes(content)
        with pytest.raises(InkError, match=words) as error:
            load_ink(file)
        assert str(error.value).startswith(f"{file}: ")
    with pytest.raises(InkError, match="cannot be read"):
        load_ink(tmp_path / "missing")
