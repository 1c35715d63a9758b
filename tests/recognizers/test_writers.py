"""The list of writers follows its rule: nobody, and no packs that share people, on two sides."""

from collections import defaultdict

import pytest

from recognizers.online.unipen import UnipenReader
from recognizers.online.writers import (
    LEFT_OUT,
    SIDES,
    TOGETHER,
    assign,
    digest,
    read_list,
    side,
    write_list,
)

ROWS = read_list()


def test_nobody_is_listed_twice_and_sides_are_known():
    keys = [(r["contributor"], r["writer"]) for r in ROWS]
    assert len(set(keys)) == len(keys)
    assert {r["side"] for r in ROWS} == set(SIDES)
    assert len({r["contributor"] for r in ROWS}) == 23


@pytest.mark.parametrize("packs", [{"apb", "apd", "ape"}, {"cea", "cec"}, {"ced", "cee"}])
def test_packs_that_share_people_are_on_one_side(packs):
    assert any(packs <= together for together in TOGETHER)
    assert len({r["side"] for r in ROWS if r["contributor"] in packs}) == 1


def test_the_left_out_institution():
    assert {r["side"] for r in ROWS if r["contributor"] == LEFT_OUT} == {"left-out"}
    assert {r["contributor"] for r in ROWS if r["side"] == "left-out"} == {LEFT_OUT}


def test_every_kind_of_segment_is_on_every_side():
    counts = defaultdict(int)
    for row in ROWS:
        for category in ("1a", "1b", "1c", "6"):
            counts[row["side"], category] += int(row[category])
    totals = {c: sum(counts[s, c] for s in SIDES) for c in ("1a", "1b", "1c", "6")}
    assert totals == {"1a": 11269, "1b": 15941, "1c": 46133, "6": 46034}
    assert min(counts[s, c] for s in ("train", "validation", "test") for c in totals) > 600


def test_the_list_is_what_the_rule_says():
    listed = {(r["contributor"], r["writer"]): r["side"] for r in ROWS}
    assert assign(listed) == listed


def test_writers_of_other_data_are_unlisted():
    assert side("imp", "nobody of this name") == "unlisted"


def test_the_data_are_as_listed(data_dir, tmp_path):
    found = []
    for pack in ("gmd", "pri"):
        path = data_dir / "unipen" / f"{pack}.tar.xz"
        if not path.is_file():
            pytest.skip(f"no {path}")
        found += [(s.contributor, s.writer, s.category) for s in UnipenReader(path)]
    assert {side(c, w) for c, w, _ in found if c == "gmd"} == {"train"}
    assert {side(c, w) for c, w, _ in found if c == "pri"} == {"train", "test"}
    write_list(found, tmp_path / "list.csv")
    lines = (tmp_path / "list.csv").read_text().splitlines()
    kept = {r["writer"]: r for r in ROWS if r["contributor"] in ("gmd", "pri")}
    assert len(lines) == 1 + len(kept)
    for line in lines[1:]:
        assert line.split(",") == list(kept[line.split(",")[1]].values())
    assert digest("a", "b") != digest("b", "a")
