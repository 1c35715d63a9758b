"""Whole checks: folders, reading over all candidates, training, pages, commands."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import gtn
from demos.checkpoint import CheckpointError, load_checkpoint
from demos.checks.__main__ import app
from demos.checks.reading.reader import CheckReader
from demos.checks.reading.texts import mean
from demos.checks.reading.views import variant
from demos.checks.report.whole import write_whole_report
from demos.checks.whole.data import KnownCheck, known_checks, write_checks
from demos.checks.whole.evaluate import evaluate_checks, read_checks
from demos.checks.whole.loop import field_batches, places_of
from demos.checks.whole.reader import SHIPPED_WHOLE, Prepared, WholeReader, prepare_check
from demos.checks.whole.samples import composed_lines, lines_of, locate_all
from demos.checks.whole.settings import WholeSettings
from demos.checks.whole.train import train_whole
from recognizers.datasets.check_printing import draw_text
from recognizers.datasets.fields import FieldSetError
from recognizers.fields import LocatedFields, locate_fields
from recognizers.images import ImageError

DATA = Path(os.environ.get("GTN_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
MNIST = DATA / "mnist"


def check_of(*texts, shape=(300, 600)):
    """A check with black texts (text, x, y)."""
    ink = np.zeros(shape, np.uint8)
    for text, x, y in texts:
        draw_text(ink, text, "sans", 22, x, y, 1.0)
    return (220 - 0.8 * ink.astype(float)).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not MNIST.is_dir():
        pytest.skip(f"no MNIST in {DATA}")
    where = tmp_path_factory.mktemp("checks")
    write_checks(where, "train", 6, seed=4, digits=MNIST)
    return where


@pytest.fixture(scope="module")
def digits():
    """A reader of digits alone, with the shipped network."""
    shipped = Path(SHIPPED_WHOLE).parent / "checks-two-stream.safetensors"
    return WholeReader(CheckReader.load(shipped), paths=4).eval()


def alone(check, k):
    """Return a check with its k-th candidate only."""
    fields = check.fields
    return Prepared(
        LocatedFields(
            fields.boxes[[k]],
            fields.roles[[k]],
            fields.features[[k]],
            np.empty((0, 2), np.int64),
            (fields.images[k],),
            fields.shape,
        ),
        (check.pictures[k],),
    )


@torch.no_grad()
def test_the_mass_of_a_check_is_that_of_its_candidates(digits):
    image = check_of(("47", 60, 80), ("120", 400, 150))
    check = digits.chosen(locate_fields(image))
    check = replace(check, fields=replace(check.fields, pairs=np.empty((0, 2), np.int64)))
    together = gtn.forward_penalty(digits.interpretation_graph(check).double())
    singles = [
        gtn.forward_penalty(digits.interpretation_graph(alone(check, k)).double())
        for k in np.flatnonzero(check.fields.roles == 0)
    ]
    assert len(singles) > 1
    summed = -torch.logsumexp(-torch.stack(singles), 0)
    assert float(together) == pytest.approx(float(summed), abs=1e-2)


@torch.no_grad()
def test_a_field_penalty_moves_the_answer_to_another_field(digits):
    image = check_of(("47", 60, 80), ("120", 400, 150))
    check = digits.chosen(locate_fields(image))
    answers = set()
    for left in (True, False):
        features = np.zeros_like(check.fields.features)
        features[:, 0] = np.where((check.fields.boxes[:, 0] < 200) == left, -40.0, 40.0)
        moved = replace(check, fields=replace(check.fields, features=features))
        digits.field_penalty.coefficients.fill_(0.0)
        digits.field_penalty.coefficients[:, 0] = 1.0
        reading = digits.read_prepared([moved])[0]
        answers.add(reading.text)
        assert sum(p for _, p in reading.alternatives) < 1.0 + 1e-6
        assert len(reading.text) <= 3 if left else reading.text
    assert len(answers) == 2


@torch.no_grad()
def test_posteriors_are_means_over_the_views_of_the_fields(tmp_path):
    reader = WholeReader.load(SHIPPED_WHOLE)
    assert reader.views > 2
    reader.views = 3
    reader.save(tmp_path / "reader.safetensors")
    reader = WholeReader.load(tmp_path / "reader.safetensors")
    assert reader.views == 3
    check = reader.chosen(locate_fields(check_of(("1,250.60", 380, 60), ("347", 40, 200))))
    seen = [check.fields.images]
    for k in range(2):
        seen.append(tuple(variant(one, np.random.default_rng(k)) for one in seen[0]))
    checks = [prepare_check(replace(check.fields, images=one), reader.reader) for one in seen]
    each = reader.texts(checks)
    assert len({tuple(texts.values()) for texts in each}) == 3
    reading = reader.read_prepared([check])[0]
    assert reading.confidence == pytest.approx(mean(each)[reading.text], abs=1e-6)
    reader.views = 1
    assert reader.read_prepared([check])[0].confidence == pytest.approx(max(each[0].values()))
    assert reader.read_prepared([]) == []


@torch.no_grad()
def test_the_point_stands_between_two_fields():
    torch.manual_seed(0)
    reader = WholeReader(paths=2).eval()
    line = np.full((20, 60), 255, np.uint8)
    line[4:16, 20:24] = 0
    fields = LocatedFields(
        np.array([[0, 0, 60, 20], [70, 0, 60, 10]], np.float32),
        np.array([1, 2]),
        np.zeros((2, reader.field_penalty.coefficients.shape[1]), np.float32),
        np.array([[0, 1]]),
        (line, line),
        (100, 200),
    )
    pictures = tuple(reader.reader.recognize.prepare(image) for image in fields.images)
    graph = reader.recognition_graph(Prepared(fields, pictures), reader.decoder)
    table = graph.isymbols
    point = table.label(".")
    src, dst = np.asarray(graph.src), np.asarray(graph.dst)
    lonely = [
        a
        for a in np.flatnonzero(np.asarray(graph.ilabels) == point)
        if ((src == src[a]) & (dst == dst[a])).sum() == 1 and float(graph.penalties[a]) == 0.0
    ]
    assert len(lonely) == 1


def test_empty_checks_and_bad_files_cost_one_error_each(digits, tmp_path):
    Image.fromarray(np.full((300, 600), 230, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    Image.fromarray(np.full((8, 8), 230, np.uint8)).save(tmp_path / "c.png")
    results = dict(read_checks(digits, sorted(tmp_path.glob("*.png"))))
    kinds = [type(results[tmp_path / f"{k}.png"]) for k in "bc"]
    assert kinds == [ImageError, ImageError]
    assert results[tmp_path / "a.png"].text == ""
    assert results[tmp_path / "a.png"].confidence == 0.0


def test_folders_are_written_and_read(folder):
    checks, problems = known_checks(folder)
    assert not problems
    assert len(checks) == 6
    assert all(check.parts and check.layout and check.kind for check in checks)
    again = folder.parent / "again"
    write_checks(again, "train", 2, seed=4, digits=MNIST)
    for name in ("train_000.png", "train_001.png"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    (again / "truth.jsonl").write_text('{"file": "train_000.png"}\n')
    with pytest.raises(FieldSetError, match=r"truth\.jsonl:1: not the truth of a check"):
        known_checks(again)


def test_checks_of_another_seed_are_all_of_that_seed(folder, tmp_path):
    write_checks(tmp_path, "train", 2, seed=5, digits=MNIST)
    write_checks(tmp_path, "train", 2, seed=4, digits=MNIST)
    for check, other in zip(known_checks(tmp_path)[0], known_checks(folder)[0], strict=False):
        assert (check.name, check.text) == (other.name, other.text)
        assert check.path.read_bytes() == other.path.read_bytes()


def test_texts_are_not_lost_where_no_check_can_be_composed(tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("file,text\ntrain_000.png,1.00\n")
    with pytest.raises((OSError, ValueError), match="nowhere"):
        write_checks(tmp_path, "train", 1, digits=tmp_path / "nowhere")
    assert labels.read_text() == "file,text\ntrain_000.png,1.00\n"


def test_checks_without_the_truth_of_their_fields_cannot_be_trained_on(tmp_path):
    some = [KnownCheck(tmp_path / f"{k}.png", "1.00", layout=f"f{k % 3} 0") for k in range(6)]
    with pytest.raises(FieldSetError, match=r"truth\.jsonl says where"):
        train_whole(some, WholeSettings(), tmp_path / "out", digits=MNIST, progress=False)


def test_right_paths_hold_the_amount(folder):
    located, problems = locate_all(known_checks(folder)[0], progress=False)
    assert not problems
    assert sum(bool(one.right) for one in located) >= 4
    lines = lines_of(located)
    assert all(line.image.shape[0] == 40 and line.written for line in lines)
    some = [one for one in located if one.right]
    whole, right = field_batches(some)
    masses = [gtn.forward_penalty(g.double()) for g in (right, whole)]
    # With penalties of 0 the forward penalty counts paths.
    counts = [torch.exp(-m).round().long().tolist() for m in masses]
    assert counts[0] == [len(one.right) for one in some]
    assert counts[1] == [int((one.found.roles == 0).sum()) + len(one.found.pairs) for one in some]


def test_lines_are_composed_with_what_they_say():
    if not MNIST.is_dir():
        pytest.skip(f"no MNIST in {DATA}")
    lines = composed_lines(12, 0, MNIST)
    known = set(CheckReader("amounts", "sdnn").rules.characters)
    assert len(lines) == 12
    for line in lines:
        assert set(line.written) <= known
        assert line.image.max() == 255


def test_readers_begin_with_what_others_have_learned():
    old, new = CheckReader("car", "sdnn"), CheckReader("amounts", "sdnn", seed=3)
    new.begin_with(old)
    ours, theirs = new.recognize.state_dict(), old.recognize.state_dict()
    last = 0
    for name in ours:
        if name.startswith("network.") and ours[name].shape != theirs[name].shape:
            assert torch.equal(ours[name][:10], theirs[name][:10])
            last += 1
        elif name.startswith("network."):
            assert torch.equal(ours[name], theirs[name])
    assert last
    # As many classes, but different ones: each goes with its character.
    us, fr = (
        CheckReader("amounts:us", "two-stream"),
        CheckReader("amounts:fr", "two-stream", seed=2),
    )
    assert len(us.recognize.symbols) == len(fr.recognize.symbols)
    before = {name: value.clone() for name, value in fr.recognize.state_dict().items()}
    fr.begin_with(us)
    theirs, table = us.recognize.state_dict(), [*us.recognize.symbols]
    moved = 0
    for name, value in fr.recognize.state_dict().items():
        if not name.startswith("network.out.") or len(value.reshape(-1)) < 2:
            continue
        if len(value) == len(table):
            moved += 1
            for i, character in enumerate(fr.recognize.symbols):
                known = theirs[name][table.index(character)] if character in table else None
                assert torch.equal(value[i], before[name][i] if known is None else known)
    assert moved
    with torch.no_grad():
        old.grammar.graph.penalties.add_(1.0)
    same = CheckReader("car", "sdnn", seed=5)
    same.begin_with(old)
    for name, value in same.state_dict().items():
        assert torch.equal(value, old.state_dict()[name])
    with pytest.raises(ValueError, match="recognizer crnn cannot begin with one with sdnn"):
        CheckReader("car", "crnn").begin_with(old)


def test_training_resumes_to_the_same_reader(folder, tmp_path):
    checks = known_checks(folder)[0]
    settings = WholeSettings(
        composed=6, drawn=6, line_passes=2, field_steps=5, global_passes=1, paths=3
    )

    # Training begins with a network that reads, so that graphs are small.
    start = WholeReader.load(SHIPPED_WHOLE).reader

    def run(out):
        return train_whole(checks, settings, out, digits=MNIST, start=start, progress=False)

    run(tmp_path / "whole")
    part = tmp_path / "part"
    with pytest.MonkeyPatch.context() as patch:
        # Killed while the field penalties are trained.
        patch.setattr("demos.checks.whole.loop.WholeLoop.train_fields", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(part)
    assert len((part / "log.jsonl").read_text().splitlines()) == 2
    run(part)
    ours, theirs = (
        load_checkpoint(where / "state.safetensors")[0] for where in (tmp_path / "whole", part)
    )
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    lines = [json.loads(x) for x in (part / "log.jsonl").read_text().splitlines()]
    assert [line["pass"] for line in lines] == [1, 2, 3, 4]
    assert lines[2]["loss"] < math.log(60)
    left = (part / "settings.json").read_bytes()
    relabelled = [replace(checks[0], text="0.01"), *checks[1:]]
    for given, other, begun in (
        (checks, replace(settings, seed=1), start),
        (relabelled, settings, start),
        (checks, settings, None),
    ):
        with pytest.raises(CheckpointError, match="other settings, other checks or another"):
            train_whole(given, other, part, digits=MNIST, start=begun, progress=False)
        assert (part / "settings.json").read_bytes() == left
    loaded = WholeReader.load(part / "reader.safetensors")
    assert loaded.reader.rules.name == "amounts"
    # What the grammar learns is the same for all digits at a place.
    moved = (loaded.reader.grammar.penalties - start.grammar.penalties).detach()
    places = places_of(start.grammar.graph)
    first = torch.stack([moved[places == place][0] for place in range(int(places.max()) + 1)])
    torch.testing.assert_close(moved, first[places], rtol=0.0, atol=1e-5)
    assert first.abs().max() > 0.01
    figures = evaluate_checks(loaded, checks[:2])
    assert figures["n"] == 2
    assert figures["correct"] + figures["error"] + figures["reject"] == pytest.approx(1.0)


def test_checks_that_cannot_be_located_are_named(folder, tmp_path):
    Image.fromarray(np.full((3, 3), 255, np.uint8)).save(tmp_path / "tiny.png")
    (tmp_path / "broken.png").write_bytes(b"x")
    checks = [KnownCheck(tmp_path / name, "1.00") for name in ("tiny.png", "broken.png")]
    located, problems = locate_all([*checks, known_checks(folder)[0][0]], progress=False)
    assert [one.check.name for one in located] == ["train_000.png"]
    assert [problem.partition(":")[0] for problem in problems] == [str(c.path) for c in checks]


def test_a_page_shows_candidates_and_graphs(digits, tmp_path):
    Image.fromarray(check_of(("47", 60, 80), ("120", 400, 150))).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    page = write_whole_report(
        digits, [tmp_path / "a.png", tmp_path / "b.png"], tmp_path, ["120", "1"]
    )
    content = page.read_text()
    assert content.count("<rect") > 3
    assert "Interpretation graph" in content
    assert "b.png: the file is empty" in content
    with pytest.raises(ValueError, match="1 truths for 2 files"):
        write_whole_report(digits, [tmp_path / "a.png"] * 2, tmp_path, ["1"])


def test_the_commands_read_and_measure(folder, tmp_path):
    given = ["--whole", "--workers", "1"]
    (tmp_path / "bad.png").write_bytes(b"x")
    files = [str(folder / "train_000.png"), str(tmp_path / "bad.png")]
    result = CliRunner().invoke(app, ["read", *files, *given, "--json"])
    assert result.exit_code == 1, result.output
    lines = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    assert sum("error" in line for line in lines) == 1
    with (folder / "labels.csv").open("a") as labels:
        labels.write("nowhere.png,1.00\n")
    for option in (["--holdout", "1"], ["--page", str(tmp_path / "page.html")]):
        result = CliRunner().invoke(app, ["evaluate", "--data", str(folder), *given, *option])
        assert result.exit_code == 2
    kept = tmp_path / "kept.json"
    result = CliRunner().invoke(
        app, ["evaluate", "--data", str(folder), *given, "--json", "--keep", str(kept)]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(kept.read_text())["on"].endswith(f"checks of the folder {folder.name}")
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures["n"] == 6
    assert {"correct", "error", "reject", "groups", "threshold"} <= figures.keys()
    result = CliRunner().invoke(app, ["evaluate", *given])
    assert result.exit_code == 2
