"""UNIPEN: the format's grammar, trees and archives, counts of the real packs, bad files."""

import io
import tarfile
from collections import Counter, defaultdict

import numpy as np
import pytest

from recognizers.online.ink import Ink
from recognizers.online.unipen import UnipenReader
from recognizers.online.unipen_cache import load_unipen
from recognizers.online.unipen_statements import FormatError, Piece, delineation, segment, split
from recognizers.online.unipen_trees import ArchiveTree, FolderTree, TreeError, find_trees

HEAD = ".VERSION 1.0\n.COORD X Y\n.HIERARCHY TEXT WORD CHARACTER\n.WRITER_ID w1\n"
INK = (
    ".PEN_DOWN\n0 0\n1 1\n2 0\n"  # component 0
    ".PEN_UP\n"  # empty: not counted
    ".PEN_DOWN\n5 5\n6 6\n"  # component 1
    ".PEN_UP\n7 7\n8 8\n"  # component 2, in the air
    ".PEN_DOWN\n9 9\n\n10 10\n11 11\n"  # component 3
    ".PEN_UP\n"
)


def tree(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def only(folder, text, **files):
    """The segments of one data file, which must be without problems."""
    reader = UnipenReader(tree(folder, {"data/6/own/a.dat": text, **files}))
    segments = list(reader)
    assert not reader.problems, reader.problems
    return segments


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("12", [(12, 0, 12, None)]),
        ("12-13", [(12, 0, 13, None)]),
        ("3:12-5:4", [(3, 12, 5, 4)]),
        ("7-9:15", [(7, 0, 9, 15)]),
        ("3:12-5", [(3, 12, 5, None)]),
        ("1:40-3:9,6", [(1, 40, 3, 9), (6, 0, 6, None)]),
        ("1:40-3,5,6:0-6:12", [(1, 40, 3, None), (5, 0, 5, None), (6, 0, 6, 12)]),
        ("4:2", [(4, 2, 4, 2)]),
        ("-2", [(0, 0, 2, None)]),
        ("2-", [(2, 0, None, None)]),
    ],
)
def test_delineations(text, pieces):
    assert delineation(text) == [Piece(*p) for p in pieces]


@pytest.mark.parametrize("text", ["", "a", "1-2-3", "5-4", "3:9-3:4", "1,,2", "-", "1:", ":4", "²"])
def test_wrong_delineations(text):
    with pytest.raises(ValueError, match="delineation"):
        delineation(text)


@pytest.mark.parametrize(
    ("argument", "label"),
    [
        (' WORD 1 ? "a b"', "a b"),
        (r' WORD 1 ? "\"If"', '"If'),
        (r' WORD 1 ? "\\"', "\\"),
        (r' WORD 1 ? "a\tb\nc"', "a b c"),
        (' WORD 1 ? "a\nb"\n', "a b"),
        (' WORD 1 OK ""', ""),
        (" WORD 1 OK", ""),
        (" WORD", ""),
        (' WORD 1 "x"', "x"),
    ],
)
def test_labels(argument, label):
    assert segment(argument).label == label


@pytest.mark.parametrize("argument", ["", ' WORD 1 OK "a', ' WORD 1 OK "a" b', " WORD 1 OK a b"])
def test_wrong_segments(argument):
    with pytest.raises(ValueError, match=r"\.SEGMENT"):
        segment(argument)


def test_keywords_count_in_column_one_and_lines_are_counted():
    text = b".COMMENT x\n .PEN_DOWN 1 2\n.PEN_DOWN 1 2\r\n-3 4e1\n\n.UNKNOWN 9\n.PEN_UP"
    found = split(text, "f")
    assert [(s.keyword, s.numbers.tolist(), s.line) for s in found] == [
        ("PEN_DOWN", [1, 2, -3, 40], 3),
        ("PEN_UP", [], 7),
    ]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_end_as_on_any_system_and_the_first_may_be_empty(end):
    text = end.join(["", ".COORD X Y", "", ".PEN_DOWN", "1 2", "3 4", ".PEN_UP", ""])
    found = split(text.encode(), "f")
    assert [(s.keyword, s.numbers.tolist(), s.line) for s in found] == [
        ("COORD", [], 2),
        ("PEN_DOWN", [1, 2, 3, 4], 4),
        ("PEN_UP", [], 7),
    ]


def test_what_is_no_number_is_shown_in_part_where_it_is_long():
    with pytest.raises(FormatError, match=f"'{'x' * 40}…' is not a coordinate"):
        split(b".PEN_DOWN\n1 " + b"x" * 41, "f")
    with pytest.raises(FormatError, match=f"'{'x' * 40}' is not a coordinate"):
        split(b".PEN_DOWN\n1 " + b"x" * 40, "f")


@pytest.mark.parametrize("number", ["x", "1_0", "nan", "inf", "1e999", "1,5", "0x1", "1e20", "-"])
def test_wrong_numbers_are_named_with_their_line(number):
    with pytest.raises(FormatError, match="line 4") as error:
        split(f".COORD X Y\n.PEN_DOWN\n1 2\n3 {number}\n5 6\n".encode(), "f")
    assert error.value.line == 4
    assert number in error.value.message


def test_components_are_counted_where_they_have_points(tmp_path):
    text = (
        HEAD
        + INK
        + (
            '.SEGMENT WORD 0-1 OK "a"\n.SEGMENT WORD 1-3 ? "b"\n.SEGMENT WORD 0:1-1:0 ? "c"\n'
            '.SEGMENT WORD 3:1-3:1,0 BAD "d"\n.SEGMENT WORD 2 ? "air"\n'
        )
    )
    a, b, c, d, air = only(tmp_path, text)
    assert a.ink == Ink([[(0, 0), (1, 1), (2, 0)], [(5, 5), (6, 6)]])
    assert b.ink == Ink([[(5, 5), (6, 6)], [(9, 9), (10, 10), (11, 11)]])
    assert c.ink == Ink([[(1, 1), (2, 0)], [(5, 5)]])
    assert d.ink == Ink([[(10, 10)], [(0, 0), (1, 1), (2, 0)]])
    assert air.ink.is_empty
    assert (d.quality, d.writer, d.category, d.contributor, d.line) == ("BAD", "w1", "6", "own", 25)


def test_includes_sets_writers_and_coordinates(tmp_path):
    data = (
        '.INCLUDE own/one.dat\n.SEGMENT WORD 0 ? "one"\n'
        '.START_SET two\n.INCLUDE own/two.dat\n.SEGMENT WORD 0 ? "two"\n'
    )
    files = {
        "include/own/own.doc": ".COORD T Y X P\n.COMMENT nothing\n",
        "include/own/one.dat": ".INCLUDE own/own.doc\n.WRITER_ID  a b \n.PEN_DOWN\n7 1 2 0 8 3 4 0",
        "include/own/two.dat": ".WRITER_ID c\n.COORD Y X\n.PEN_DOWN\n1 2\n",
    }
    one, two = only(tmp_path, data, **files)
    assert one.ink == Ink([[(2, 1), (4, 3)]])
    assert two.ink == Ink([[(2, 1)]])
    assert (one.writer, two.writer) == ("a b", "c")


def test_points_of_x_and_y_that_are_not_as_close(tmp_path):
    ink = '.PEN_DOWN\n1 2\n.SEGMENT WORD 0 OK "x"\n'
    for per, y in (
        (".X_POINTS_PER_INCH 508\n.Y_POINTS_PER_INCH 254\n", 4),
        (".X_POINTS_PER_MM 10\n.Y_POINTS_PER_INCH 508\n", 1),
        (".X_POINTS_PER_MM 10\n.Y_POINTS_PER_INCH 254\n", 2),
        (".X_POINTS_PER_MM 10\n", 2),
    ):
        (one,) = only(tmp_path, "\ufeff.COORD X Y\n" + per + ink)
        assert one.ink == Ink([[(1, y)]])


def test_includes_that_grow_without_bound_and_files_outside_the_tree(tmp_path):
    files = {"include/0.dat": ".COORD X Y\n", "a.dat": ".COORD X Y\n"}
    for i in range(1, 60):
        files[f"include/{i}.dat"] = f".INCLUDE {i - 1}.dat\n" * 2
    for name, words in (
        ("20.dat", "more than 1,000 includes"),
        ("59.dat", "or 50 in each other"),
        ("../../../a.dat", "there is no include/../../../a.dat"),
        (f"{tmp_path}/a.dat", "there is no include/"),
    ):
        reader = UnipenReader(
            tree(tmp_path / "tree", {**files, "data/6/b.dat": f".INCLUDE {name}"})
        )
        (tmp_path / "a.dat").write_text(".COORD X Y\n")
        assert list(reader) == []
        (problem,) = reader.problems
        assert words in problem.message
    only(tmp_path, ".INCLUDE ../../../a.dat\n", **files)  # inside


def test_a_thousand_includes_and_fifty_in_each_other_are_read(tmp_path):
    """The file with the data includes the first of 50, which includes the second, and so on."""
    files = {f"include/{i}.dat": f".INCLUDE {i - 1}.dat\n" for i in range(1, 60)}
    files["include/0.dat"] = ".COORD X Y\n"
    assert only(tmp_path / "deep", ".INCLUDE 49.dat\n", **files) == []
    assert only(tmp_path / "long", ".INCLUDE 0.dat\n" * 1000, **files) == []
    for name, text, file, line in (
        ("deep", ".INCLUDE 50.dat\n", "include/1.dat", 1),
        ("long", ".INCLUDE 0.dat\n" * 1001, "data/6/own/a.dat", 1001),
    ):
        reader = UnipenReader(tree(tmp_path / name, {"data/6/own/a.dat": text}))
        assert list(reader) == []
        (problem,) = reader.problems
        assert (problem.file, problem.line) == (f"{tmp_path / name}/{file}", line)
        assert problem.message == "more than 1,000 includes, or 50 in each other"


@pytest.mark.parametrize(("others", "times"), [(31, 1), (32, 2)])
def test_the_latest_32_files_are_kept(tmp_path, monkeypatch, others, times):
    """A file is included before and after others, with another between them, again and again."""
    files = dict.fromkeys(["include/first.dat", "include/shared.dat"], HEAD)
    text = ".INCLUDE shared.dat\n.INCLUDE first.dat\n"
    for i in range(others - 1):
        files[f"include/{i}.dat"] = HEAD
        text += f".INCLUDE {i}.dat\n.INCLUDE shared.dat\n"
    files["data/6/own/a.dat"] = text + ".INCLUDE first.dat\n"
    reads, read = Counter(), FolderTree.read

    def count(tree, name):
        reads[name] += 1
        return read(tree, name)

    monkeypatch.setattr(FolderTree, "read", count)
    reader = UnipenReader(tree(tmp_path, files))
    assert (reader.files, list(reader), reader.problems, reader.files) == (0, [], [], 1)
    assert reads.pop("include/first.dat") == times
    assert set(reads.values()) == {1}


def test_files_that_vanish_or_cannot_be_read_are_reported(tmp_path, monkeypatch):
    folder = tree(tmp_path, {f"data/6/own/{name}.dat": GOOD for name in "abc"})
    reader = UnipenReader(folder)
    segments = iter(reader)
    assert next(segments).file == "data/6/own/a.dat"
    (folder / "data/6/own/b.dat").unlink()
    assert [s.file for s in segments] == ["data/6/own/c.dat"]
    assert reader.problems == [
        (f"{folder}/data/6/own/b.dat", 0, "there is no such file any more", 0)
    ]
    assert reader.files == 2

    def refuse(tree, name):
        raise PermissionError("not for you")

    monkeypatch.setattr(FolderTree, "read", refuse)
    assert list(reader) == []
    place = f"{folder}/data/6/own/a.dat"
    assert reader.problems[0] == (place, 0, "cannot be read (not for you)", 0)
    assert str(reader.problems[0]) == f"{place}: cannot be read (not for you) (0 segments left out)"


def test_a_segment_without_quality_has_a_question_mark(tmp_path):
    (one,) = only(tmp_path, HEAD + INK + ".SEGMENT WORD 0\n")
    assert (one.quality, one.label) == ("?", "")
    assert "Ink" not in repr(one)


def test_a_segment_is_of_the_writer_of_its_first_stroke(tmp_path):
    """Even if all segments stand at the end of the file, after the last writer."""
    text = (
        ".COORD X Y\n.WRITER_ID one\n.PEN_DOWN\n1 1\n.WRITER_ID two\n.PEN_DOWN\n2 2\n"
        '.SEGMENT CHARACTER 0 ? "a"\n.SEGMENT CHARACTER 1 ? "b"\n'
    )
    assert [one.writer for one in only(tmp_path, text)] == ["one", "two"]


def test_segments_without_delineation_reach_to_the_next_of_their_rank(tmp_path):
    text = (
        HEAD + '.SEGMENT TEXT\n.SEGMENT WORD ? ? "ab"\n.SEGMENT CHARACTER\n.PEN_DOWN\n1 1\n'
        ".SEGMENT CHARACTER\n.PEN_DOWN\n2 2\n.SEGMENT WORD\n.PEN_DOWN\n3 3\n.SEGMENT TEXT\n"
    )
    found = only(tmp_path, text)
    assert [(s.kind, s.ink.points[:, 0].tolist()) for s in found] == [
        ("TEXT", [1, 2, 3]),
        ("WORD", [1, 2]),
        ("CHARACTER", [1]),
        ("CHARACTER", [2]),
        ("WORD", [3]),
        ("TEXT", []),
    ]


GOOD = HEAD + INK + '.SEGMENT WORD 0 OK "good"\n'


@pytest.mark.parametrize(
    ("bad", "line", "words"),
    [
        (HEAD + INK + '.SEGMENT WORD 9 OK "x"\n', 22, "component 9, but there are 4"),
        (HEAD + INK + '.SEGMENT WORD 1:0-1:2 OK "x"\n', 22, "point 2 of component 1, which has 2"),
        (HEAD + INK + '.SEGMENT WORD 1:2-2 OK "x"\n', 22, "point 2 of component 1, which has 2"),
        (HEAD + INK + '.SEGMENT WORD 3-1 OK "x"\n', 22, "ends before it begins"),
        (HEAD + INK + '.SEGMENT WORD 1 OK "x\n', 22, "is not of the form"),
        (HEAD + '.PEN_DOWN\n1 2 3\n.SEGMENT WORD 0 OK "x"\n', 5, "3 numbers"),
        (HEAD + '.PEN_DOWN\n1 2\n3 y\n.SEGMENT WORD 0 OK "x"\n', 7, "'y' is not a coordinate"),
        ('.PEN_DOWN\n1 2\n.SEGMENT WORD 0 OK "x"\n', 1, "before any .COORD"),
        ('.COORD X P\n.SEGMENT WORD 0 OK "x"\n', 1, ".COORD X P needs one X and one Y"),
        ('.COORD y P\n.SEGMENT WORD 0 OK "x"\n', 1, ".COORD Y P needs one X and one Y"),
        ('.COORD X Y X\n.SEGMENT WORD 0 OK "x"\n', 1, ".COORD X Y X needs one X and one Y"),
        (
            '.X_POINTS_PER_MM ?\n.SEGMENT WORD 0 OK "x"\n',
            1,
            ".X_POINTS_PER_MM '?' is not a number above zero",
        ),
        ('.Y_POINTS_PER_INCH 0\n.SEGMENT WORD 0 OK "x"\n', 1, "not a number above zero"),
        ('.Y_POINTS_PER_INCH inf\n.SEGMENT WORD 0 OK "x"\n', 1, "not a number above zero"),
        ('.INCLUDE\n.SEGMENT WORD 0 OK "x"\n', 1, "without the name"),
        ('.INCLUDE own/none.dat\n.SEGMENT WORD 0 OK "x"\n', 1, "there is no include/own/none.dat"),
        ('.INCLUDE own/loop.dat\n.SEGMENT WORD 0 OK "x"\n', 2, "included by itself"),
        ('.INCLUDE own/one.dat\n.SEGMENT WORD 0 OK "x"\n', 3, "own/one.dat is included by itself"),
        (HEAD + '.PEN_DOWN\n1e13 2\n.SEGMENT WORD 0 OK "x"\n', 7, "coordinates are finite"),
        (b"\x00\xff\n.SEGMENT", 1, "no keyword"),
    ],
)
def test_a_bad_file_is_reported_with_its_line_and_the_others_are_read(tmp_path, bad, line, words):
    files = {
        "include/own/loop.dat": ".COMMENT\n.INCLUDE own/loop.dat\n",
        "include/own/one.dat": ".INCLUDE own/two.dat\n",
        "include/own/two.dat": ".COMMENT\n.COMMENT\n.INCLUDE own/one.dat\n",
        "data/6/own/a.dat": GOOD,
        "data/6/own/b.dat": bad,
        "data/6/own/c.dat": GOOD,
    }
    if bad[:1] == b"\x00":
        bad = files["data/6/own/b.dat"] = b"\x00\xff\n garbage"
    reader = UnipenReader(tree(tmp_path, files))
    assert [s.label for s in reader] == ["good", "good"]
    (problem,) = reader.problems
    assert problem.line == line
    assert words in problem.message
    assert str(tmp_path) in problem.file
    assert reader.files == 2
    assert problem.segments == (0 if isinstance(bad, bytes) else 1)
    place = f"{problem.file}, line {line}: {problem.message}"
    assert str(problem) == f"{place} ({problem.segments} segments left out)"
    assert len(list(reader)) == 2  # again, from the beginning
    assert len(reader.problems) == 1


def archive(path, files, mode="w:xz"):
    with tarfile.open(path, mode) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def test_archives_and_folders_of_archives(tmp_path):
    files = {
        "data/1a/own/a.dat": '.INCLUDE own/i.dat\n.SEGMENT CHARACTER 0 OK "1"\n',
        "data/1b/own/a.dat": '.INCLUDE own/i.dat\n.SEGMENT CHARACTER 1 OK "A"\n',
        "include/own/i.dat": HEAD + INK,
    }
    one = archive(tmp_path / "one.tar.xz", files)
    archive(tmp_path / "two.tar.gz", {f"./top/{n}": t for n, t in files.items()}, "w:gz")
    tree(tmp_path / "three", files)
    (tmp_path / "README.md").write_text("not ink")
    assert [s.label for s in UnipenReader(one)] == ["1", "A"]
    assert [s.label for s in UnipenReader(tmp_path)] == ["1", "A"] * 3
    assert [s.label for s in UnipenReader(tmp_path, ["1b"])] == ["A"] * 3
    whole = one.read_bytes()
    one.write_bytes(whole[: len(whole) // 2])
    reader = UnipenReader(tmp_path)
    assert [s.label for s in reader] == ["1", "A"] * 2
    (problem,) = reader.problems
    assert (problem.file, problem.line, problem.segments) == (str(one), 0, 0)
    assert str(problem).startswith(f"{one}: damaged, or not an archive ")
    assert str(problem).endswith(") (0 segments left out)")


def test_data_files_stand_in_the_order_of_their_names_below_the_category(tmp_path):
    """In folders and in archives alike; what is no file ending in .dat is none."""
    names = ["data/1a/x.dat", "data/1b/x.dat", "data/1a/y.dat", "data/1b/y.dat", "data/6/z/a.dat"]
    files = dict.fromkeys([*names, "data/1a/readme.txt", "include/x.dat", "x.dat"], "1")
    folder, packed = tree(tmp_path / "tree", files), archive(tmp_path / "a.tar", files, "w")
    (folder / "data" / "6" / "no.dat").mkdir()
    with tarfile.open(packed, "a") as tar:
        tar.add(folder / "data" / "6" / "no.dat", "data/6/no.dat")
        link = tarfile.TarInfo("data/6/link.dat")
        link.type, link.linkname = tarfile.SYMTYPE, "z/a.dat"
        tar.addfile(link)
    for found in (FolderTree(folder), ArchiveTree(packed)):
        assert found.data_files == names
        assert found.read("x.dat") == b"1"
        assert found.read("data/6/no.dat") is found.read("data/6/link.dat") is None
    about = FolderTree(folder).stamp()
    assert [(name, size) for name, size, _ in about] == [(name, 1) for name in sorted(files)]
    assert all((folder / name).stat().st_mtime_ns == time for name, _, time in about)


def test_the_names_in_an_archive_may_begin_with_a_point(tmp_path):
    packed = archive(tmp_path / "a.tar", {"./data/6/own/a.dat": GOOD, "./b.dat": HEAD})
    assert ArchiveTree(packed).data_files == ["data/6/own/a.dat"]
    assert ArchiveTree(packed).read("b.dat") == HEAD.encode()


def test_trees_are_folders_with_data_and_files_that_end_as_archives(tmp_path):
    tree(tmp_path, {"one.tar/data/6/own/a.dat": GOOD, "two/include/a.dat": HEAD, "three.txt": ""})
    archive(tmp_path / "Four.TAR", {})
    found = [make() for make in find_trees(tmp_path)]
    assert found == [ArchiveTree(tmp_path / "Four.TAR"), FolderTree(tmp_path / "one.tar")]


def test_archives_that_are_too_large(tmp_path, monkeypatch):
    path = archive(tmp_path / "a.tar.xz", {"data/6/a.dat": "1" * 600, "data/6/b.dat": "2" * 600})
    monkeypatch.setattr("recognizers.online.unipen_trees.MAX_BYTES", 1200)
    assert len(ArchiveTree(path).data_files) == 2
    monkeypatch.setattr("recognizers.online.unipen_trees.MAX_BYTES", 1199)
    with pytest.raises(TreeError, match=r"a\.tar\.xz: more than 1,199 bytes unpacked$"):
        ArchiveTree(path).data_files  # noqa: B018


def test_archives_that_are_damaged_or_cut_off_anywhere(tmp_path):
    """A block of 512 bytes, then 600 bytes in two blocks, twice; a block of zeros is the end."""
    files = {"data/6/a.dat": "1" * 600, "data/6/b.dat": "2" * 600}
    path = archive(tmp_path / "a.tar", files, "w")
    whole, block = path.read_bytes(), 512
    wrong = []
    for length in range(0, 6 * block, 128):
        names = [name for i, name in enumerate(files) if length >= 3 * block * i + block + 600]
        wrong.append((whole[:length], names))
    for i in (1, 2):
        at = 3 * block * i  # where the next file or the end begins
        wrong.append((whole[:at] + b"x" + whole[at + 1 :], list(files)[:i]))
    for content, names in wrong:
        path.write_bytes(content)
        last = f" after {names[-1]}" if names else ""
        with pytest.raises(TreeError, match=rf"a\.tar: damaged, or not an archive{last} \("):
            ArchiveTree(path).data_files  # noqa: B018
    path.write_bytes(whole[: 7 * block])
    assert ArchiveTree(path).data_files == list(files)


def test_nothing_to_read(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(TreeError, match=str(path)):
            list(UnipenReader(path))


@pytest.mark.parametrize(
    ("pack", "counts", "words"),
    [
        ("gmd", {"1a": (1063, 2), "1c": (2682, 2)}, 0),
        ("art", {"1a": (170, 3), "1b": (1042, 3), "1c": (2301, 3), "6": (687, 3)}, 267),
        ("imp", {"1a": (257, 34), "1b": (645, 34), "1c": (656, 34), "6": (1119, 11)}, 100),
        ("pri", {"1a": (78, 3), "1b": (212, 3), "1c": (191, 3), "6": (106, 3)}, 106),
    ],
)
def test_counts_of_the_packs(data_dir, pack, counts, words):
    path = data_dir / "unipen" / f"{pack}.tar.xz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    reader = UnipenReader(path)
    segments = list(reader)
    assert not reader.problems
    writers = defaultdict(set)
    for s in segments:
        writers[s.category].add(s.writer)
        assert s.contributor == pack
        assert len(s.ink.points)
        assert np.isfinite(s.ink.points).all()
    found = Counter(s.category for s in segments)
    assert {c: (n, len(writers[c])) for c, n in found.items()} == counts
    assert len({s.label for s in segments if s.category == "6"}) == words
    assert all(len(s.label) == 1 for s in segments if s.category != "6")


def test_parsed_data_are_kept_until_a_file_changes(tmp_path):
    bad = ".PEN_DOWN\n1 1\n"
    halves = GOOD.replace("1 1\n", "1.5 1\n").replace("good", "half")
    files = {"data/6/own/a.dat": GOOD, "data/1a/own/b.dat": halves, "data/6/own/c.dat": bad}
    folder = tree(tmp_path / "tree", files)
    kept = tmp_path / "kept"
    first = load_unipen(folder, cache=kept)
    assert [s.label for s in first.segments] == ["good", "half"]
    assert first == load_unipen(folder, cache=kept) == load_unipen(folder)
    assert [s.label for s in load_unipen(folder, ["1a"], kept).segments] == ["half"]
    (file,) = kept.iterdir()
    file.write_bytes(file.read_bytes()[:200])
    assert load_unipen(folder, cache=kept) == first
    assert load_unipen(folder, cache=kept) == first
    (folder / "data/6/own/c.dat").write_text(GOOD)
    assert len(load_unipen(folder, cache=kept).segments) == 3
    empty = tree(tmp_path / "empty", {"data/6/own/a.dat": ""})
    for _ in range(2):
        assert load_unipen(empty, cache=kept) == ([], [])
