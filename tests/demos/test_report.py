import base64
import io
import json
import os
import re
import shutil

import numpy as np
import pytest
import torch
from html_pages import Page
from PIL import Image
from typer.testing import CliRunner

import gtn
from demos.checks.__main__ import app
from demos.checks.choices import SHIPPED_READERS
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.reading.reader import CheckReader, shipped_checkpoint
from demos.checks.report.fields import write_report
from demos.checks.report.pictures import likely_part
from demos.checks.report.segments import segment_steps


def two_strokes(path, shade=230):
    field = np.full((44, 90), shade, np.uint8)
    field[8:36, 18:22] = field[8:36, 52:56] = 25
    Image.fromarray(field).save(path)
    return path


@pytest.fixture(scope="module")
def reader():
    return CheckReader("car", "two-stream").eval()


@pytest.fixture(scope="module")
def written(reader, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    blank = folder / "blank.png"
    Image.new("L", (120, 50), 235).save(blank)
    broken = folder / "broken.png"
    broken.write_bytes(b"no picture at all")
    odd = two_strokes(folder / "a<b>&'c.png")
    paths = [two_strokes(folder / "plain.png"), odd, blank, broken]
    truths = ["<11>", "7", "", "5"]
    target = write_report(reader, paths, folder / "out" / "deep", truths)
    return target, target.read_text(encoding="utf-8"), paths


def test_the_page_is_one_whole_html_file(written):
    target, text, _ = written
    assert target.name == "report.html"
    assert [p.name for p in target.parent.iterdir()] == ["report.html"]
    assert text.startswith("<!DOCTYPE html>")
    assert Page(text).tags.count("html") == 1


def test_nothing_is_loaded_from_elsewhere(written):
    page = Page(written[1])
    assert page.links
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in written[1]
    assert "url(" not in written[1]


def test_links_within_the_page_have_their_targets(written):
    page = Page(written[1])
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_every_file_has_its_section_and_its_line(written):
    _, text, paths = written
    page = Page(text)
    assert [i for i in page.ids if i.startswith("field-")] == [f"field-{n}" for n in (1, 2, 3, 4)]
    for path in paths:
        assert page.text.count(path.name) >= 2


def test_names_and_truths_are_escaped(written):
    _, text, _ = written
    assert "a<b>" not in text
    assert "<11>" not in text
    assert "a&lt;b&gt;&amp;" in text
    assert "&lt;11&gt;" in text


def test_a_file_that_is_no_image_is_an_error_and_the_others_are_shown(written):
    page = Page(written[1])
    assert "broken.png: not an image in a known format" in page.text
    assert "1 could not be opened" in page.text
    assert page.text.count("Segmentation graph, after") == 2


def test_a_blank_image_says_that_there_is_no_ink(written):
    _, text, _ = written
    section = text[text.index('id="field-3"') : text.index('id="field-4"')]
    assert "No ink was found" in section
    assert "(nothing)" in section
    assert "Interpretation graph" not in section
    assert "nan" not in section


def test_a_field_shows_its_cut_its_ink_and_its_readings(reader, written):
    _, text, paths = written
    section = text[text.index('id="field-1"') : text.index('id="field-2"')]
    steps = segment_steps(reader, np.asarray(Image.open(paths[0])))
    assert section.count("<polyline") == len(steps.segmentation.cuts) == 1
    assert section.count("<dt>") == len(steps.reading.alternatives) == 5
    for alternative, posterior in steps.reading.alternatives:
        assert f"<dt>{alternative}</dt>" in section
        assert f"width: {100 * posterior:.2f}%" in section
    assert f"confidence {steps.reading.confidence:.3f}" in section
    boxes = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', section)
    assert len(boxes) >= steps.best.num_arcs


def test_the_pictures_of_a_field_are_its_pixels(written):
    _, text, paths = written
    first = re.search(r'<img src="data:image/png;base64,([^"]+)" alt="field 1">', text)
    assert first
    shown = Image.open(io.BytesIO(base64.b64decode(first[1])))
    assert np.array_equal(np.asarray(shown), np.asarray(Image.open(paths[0])))


def test_the_page_says_how_many_arcs_it_leaves_out(reader, tmp_path):
    field = np.full((44, 200), 230, np.uint8)
    for x in range(12, 190, 30):
        field[8:36, x : x + 4] = 25
    path = tmp_path / "many.png"
    Image.fromarray(field).save(path)
    page = Page(write_report(reader, [path], tmp_path).read_text(encoding="utf-8"))
    total = segment_steps(reader, field).interpretation.num_arcs
    left_out = re.search(r"(\d+) of (\d+) arcs are not shown", page.text)
    assert left_out
    assert int(left_out[2]) == total
    assert 0 < int(left_out[1]) < total


def test_without_truths_nothing_is_called_right_or_wrong(reader, tmp_path):
    text = write_report(reader, [two_strokes(tmp_path / "one.png")], tmp_path).read_text("utf-8")
    assert "How 1 amount was read" in text
    assert "✓" not in text
    assert "✗" not in text
    assert "Written" not in text


def test_truths_must_be_as_many_as_files(reader, tmp_path):
    with pytest.raises(ValueError, match="1 truths for 2 files"):
        write_report(reader, [tmp_path / "a.png", tmp_path / "b.png"], tmp_path, ["1"])


def test_no_files_make_an_empty_page(reader, tmp_path):
    text = write_report(reader, [], tmp_path).read_text(encoding="utf-8")
    assert "How 0 amounts were read" in Page(text).text


def test_the_likely_part_keeps_the_path_and_the_penalties():
    generator = torch.Generator().manual_seed(0)
    for seed in range(5):
        penalties = 12 * torch.rand(6, 5, generator=generator)
        graph = gtn.linear(penalties)
        path = gtn.viterbi_path(graph).sources[0].index
        worst = int(penalties.flatten().argmax()) if seed else int(path[0])
        part, arcs = likely_part(graph, gtn.arc_posteriors(graph), np.array([*path, worst]))
        assert {*path.tolist(), worst} <= set(arcs.tolist())
        assert torch.equal(part.penalties, graph.penalties[torch.from_numpy(arcs)])
        assert np.array_equal(np.asarray(part.ilabels), np.asarray(graph.ilabels)[arcs])
        kept = gtn.arc_posteriors(graph)[torch.from_numpy(arcs)]
        assert ((kept >= 0.001) | torch.from_numpy(np.isin(arcs, [*path, worst]))).all()
        # No more is left out than the arcs below the bound can hold.
        lost = (gtn.forward_penalty(part) - gtn.forward_penalty(graph)).item()
        assert 0 <= lost + 1e-5 < 0.05


def test_a_field_that_is_read_in_other_views_only_costs_no_page(tmp_path, monkeypatch):
    monkeypatch.setattr("demos.checks.report.lines.decoded", lambda *_: [{"9": 1.0}])
    reader = CheckReader.load(shipped_checkpoint())
    path = two_strokes(tmp_path / "a.png")
    page = Page(write_report(reader, [path], tmp_path / "report").read_text(encoding="utf-8"))
    assert "What the field may say" in page.text  # though the reading is not among them
    monkeypatch.setattr("demos.checks.report.lines.decoded", lambda *_: [{}])
    page = Page(write_report(reader, [path], tmp_path / "report").read_text(encoding="utf-8"))
    assert "What the field says, as it is, is nothing that the grammar writes" in page.text
    assert "comes from other views" in page.text


def test_a_file_whose_name_is_no_utf_8_is_on_the_page(tmp_path):
    path = tmp_path / os.fsdecode(b"b\xe9.png")
    two_strokes(path)
    reader = CheckReader.load(shipped_checkpoint())
    page = Page(write_report(reader, [path], tmp_path / "report").read_text(encoding="utf-8"))
    assert "b?.png" in page.text


def test_the_page_of_the_errors_says_what_is_written(tmp_path):
    two_strokes(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("file,text\na.png,987\n")
    options = ["--data", str(tmp_path), "--views", "1", "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(app, ["evaluate", *options])
    assert done.exit_code == 0, done.output
    text = Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8")).text
    assert "written: 987" in text
    assert "Read wrong: 1 of 1." in " ".join(text.split())
    assert "exactly right" not in text  # that would be true of the errors alone


def test_the_demo_shows_every_step_of_the_paper(tmp_path, monkeypatch):
    fields = tmp_path / "fields"
    fields.mkdir()
    for name in ("test_001.png", "test_009.png"):
        shutil.copy(DEMO_FIELDS / name, fields)
    (fields / "labels.csv").write_text("file,text\ntest_001.png,641\ntest_009.png,127\n")
    monkeypatch.setattr("demos.checks.commands.read.DEMO_FIELDS", fields)
    drawn = {"two-stream": "Segmentation graph", "sdnn": "Outputs of the network"}
    for number, (name, step) in enumerate(drawn.items()):
        given = ["--recognizer", name] if number else []  # the first is shown by default
        done = CliRunner().invoke(app, ["demo", "--report", str(tmp_path / name), *given])
        assert done.exit_code == 0, done.output
        assert "2 of 2 exactly right" in done.output
        page = Page((tmp_path / name / "report.html").read_text(encoding="utf-8"))
        for shown in (step, "Best readings", "641", "127"):
            assert shown in page.text
        assert ("cuts between" in page.text) == (name == "two-stream")
        assert page.tags.count("svg") >= 6


def test_shipped_readers_are_chosen_by_name(tmp_path):
    two_strokes(tmp_path / "a.png")
    call, field = CliRunner().invoke, str(tmp_path / "a.png")
    lines = {}
    for name in SHIPPED_READERS:
        done = call(app, ["read", field, "--views", "1", "--json", "--recognizer", name])
        lines[name] = json.loads(done.stdout)["reader"]
        path = str(shipped_checkpoint(name))
        done = call(app, ["read", field, "--views", "1", "--json", "--checkpoint", path])
        assert json.loads(done.stdout)["reader"] == lines[name]
    assert len({*lines.values()}) == len(SHIPPED_READERS)
    for wrong in (["lenet5"], ["sdnn", "--checkpoint", path], ["sdnn", "--whole"]):
        assert call(app, ["read", field, "--recognizer", *wrong]).exit_code == 2
    assert call(app, ["evaluate", "--recognizer", "sdnn", "--whole"]).exit_code == 2
