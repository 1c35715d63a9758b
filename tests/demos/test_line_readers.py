"""Readers swept over whole lines: reading, training, splicing, both readers together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from typer.testing import CliRunner

import gtn
from demos.checks.__main__ import app
from demos.checks.choices import RESULTS
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.composing.fields import write_fields
from demos.checks.experiments.compare import keep_result, read_results, table
from demos.checks.experiments.crossvalidate import (
    crossvalidate,
    doubtful_names,
    folds_of,
    operating_point,
    without,
)
from demos.checks.measuring.evaluate import read_files
from demos.checks.reading.combination import combined, texts_graph
from demos.checks.reading.lines import LineReading, decoded, edges, likely
from demos.checks.reading.reader import CheckReader, Reading, shipped_checkpoint
from demos.checks.reading.texts import texts_of
from demos.checks.report.fields import write_report
from demos.checks.training.lines import LineTraining
from demos.checks.training.loop import FieldLoop
from demos.checks.training.samples import Sample
from demos.checks.training.settings import Settings
from demos.checks.training.splicing import Splicer, cuts_between
from demos.checks.training.train import train
from demos.tables import write_into
from recognizers.datasets.fields import Field, FieldSetError, load_fields
from recognizers.images import load_field
from recognizers.lines.images import as_batch, normalise_line

run = CliRunner()
ROOT = Path(__file__).parents[2]
SWEEPING = ["crnn", "sdnn"]


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> list[Field]:
    folder = tmp_path_factory.mktemp("composed")
    write_fields(folder, "train", 12, seed=5)
    return list(load_fields(folder).fields)


def untrained(recognizer: str, seed: int = 0) -> CheckReader:
    return CheckReader("car", recognizer, seed=seed).eval()


# -- decoding ----------------------------------------------------------------------------------


def test_posteriors_are_those_of_the_whole_composition() -> None:
    generator = torch.Generator().manual_seed(3)
    reader = untrained("sdnn")
    assert isinstance(reader.recognize, LineReading)
    decoder = reader.recognize.decoder(reader.grammar()).double()
    emissions = 3.0 * torch.randn(2, 9, 11, generator=generator, dtype=torch.float64)
    found = decoded(emissions, decoder)
    for one, texts in zip(emissions, found, strict=True):
        line = gtn.linear(one, symbols=decoder.isymbols)
        whole = texts_of(gtn.GraphBatch.from_graphs([gtn.compose(line, decoder)]))[0]
        best = max(whole, key=whole.__getitem__)
        assert max(texts, key=texts.__getitem__) == best
        for text in texts.keys() & whole.keys():
            assert texts[text] == pytest.approx(whole[text], rel=1e-6)


def test_what_is_likely_holds_the_best_class_of_each_column() -> None:
    reader = untrained("crnn")
    assert isinstance(reader.recognize, LineReading)
    decoder = reader.recognize.decoder(reader.grammar()).double()
    emissions = 40.0 * torch.rand(1, 7, 11, dtype=torch.float64)
    chain = likely(emissions, decoder)[0]
    best = emissions[0].min(dim=1).values.sum()
    assert gtn.viterbi_penalty(chain).item() == pytest.approx(best.item())
    assert chain.num_arcs < 7 * 11


@pytest.mark.parametrize("recognizer", SWEEPING)
def test_a_batch_reads_as_single_fields_do(recognizer: str) -> None:
    reader = untrained(recognizer)
    paths = [one.path for one in load_fields(DEMO_FIELDS).fields[:6]]
    together = dict(read_files(reader, paths))
    for path in paths[::2]:
        ((_, alone),) = read_files(reader, [path])
        assert isinstance(alone, Reading)
        assert alone.text == together[path].text
        assert alone.confidence == pytest.approx(together[path].confidence, rel=1e-3)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_fields_without_ink_say_nothing(value: int) -> None:
    reading = untrained("sdnn").read([np.full((40, 120), value, np.uint8)])[0]
    assert reading == Reading("", 0.0, False)


@pytest.mark.parametrize("shape", [(4, 4), (4, 300), (300, 4), (1000, 30)])
def test_pictures_of_any_shape_are_read(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for recognizer in SWEEPING:
        assert isinstance(untrained(recognizer).read([picture])[0], Reading)


# -- training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("recognizer", SWEEPING)
def test_one_loss_reaches_every_parameter(recognizer: str) -> None:
    fields = load_fields(DEMO_FIELDS).fields[:2]
    reader = CheckReader("car", recognizer)
    assert isinstance(reader.recognize, LineReading)
    lines = as_batch([normalise_line(load_field(one.path)) for one in fields])
    loss = gtn.nn.MMILoss(reader.recognize.decoder(reader.grammar()))
    value = loss(reader.recognize(lines), [one.text for one in fields])
    assert value > 0
    value.backward()
    for name, parameter in reader.named_parameters():
        if "start_" not in name:  # a penalty that every path pays has no gradient
            assert parameter.grad is not None
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("recognizer", "loss"),
    [("crnn", "ctc"), ("sdnn", "discriminative-forward"), ("sdnn", "discriminative-viterbi")],
)
def test_training_resumes_to_the_same_reader(
    composed: list[Field],
    recognizer: str,
    loss: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings.of(recognizer, loss=loss, passes=6, validation=0.2)
    fields, further = composed[:8], composed[8:]
    train(fields, settings, tmp_path / "whole", further=further, progress=False)
    original = FieldLoop.one_pass

    def interrupted(self: FieldLoop, number: int, *rest: object) -> None:
        if number == 5:  # here further fields are replaced
            raise KeyboardInterrupt
        original(self, number, *rest)

    monkeypatch.setattr(FieldLoop, "one_pass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(fields, settings, tmp_path / "cut", further=further, progress=False)
    monkeypatch.undo()
    train(fields, settings, tmp_path / "cut", further=further, progress=False)
    one, two = (
        CheckReader.load(tmp_path / name / "reader.safetensors") for name in ("whole", "cut")
    )
    for key, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[key], rtol=0, atol=0)
    assert sum(p.numel() for p in one.parameters()) <= 250_000


def test_a_loss_that_does_not_suit_is_named(composed: list[Field], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"segments are trained by .*, not by 'ctc'"):
        train(composed[:4], Settings.of("two-stream", loss="ctc"), tmp_path, progress=False)


# -- splicing ----------------------------------------------------------------------------------


def strokes(count: int) -> Sample:
    """A line of ``count`` strokes, all of them ones, 20 columns apart."""
    line = np.zeros((40, 20 * count), np.uint8)
    line[8:32, 10::20] = 255
    return Sample(str(count), "1" * count, [line])


def test_spliced_fields_hold_the_strokes_of_their_text() -> None:
    samples = [strokes(n) for n in (1, 2, 3, 5)]
    cuts = [list(range(0, 20 * n, 20)) for n in (1, 2, 3, 5)]
    splicer = Splicer(samples, cuts)
    generator = torch.Generator().manual_seed(0)
    lengths = set()
    for _ in range(50):
        spliced = splicer(generator)
        assert set(spliced.text) == {"1"}
        assert int((spliced.prepared[0].max(axis=0) > 0).sum()) == len(spliced.text)
        lengths.add(len(spliced.text))
    assert len(lengths) > 3


def test_cuts_lie_between_the_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = untrained("sdnn")
    assert isinstance(reader.recognize, LineReading)
    sample = strokes(3)

    def emissions(self: LineReading, lines: torch.Tensor) -> torch.Tensor:
        """An output every fourth column: a one where there is ink, a blank elsewhere."""
        ink = lines[:, 0].amax(dim=1).unfold(1, 4, 4).amax(dim=2)
        found = torch.full((*ink.shape, 11), 9.0)
        found[..., 1], found[..., 10] = 9.0 - 8.0 * ink, 1.0 + 8.0 * ink
        return found

    monkeypatch.setattr(LineReading, "forward", emissions)
    (cuts,) = cuts_between(reader.recognize, reader.grammar(), [sample])
    assert cuts[0] == 0
    assert 10 < cuts[1] < 30 < cuts[2] < 50


def test_spliced_fields_take_the_place_of_further_ones_towards_the_end() -> None:
    settings = Settings.of("sdnn", passes=10, weaned=0.9)
    training = LineTraining(untrained("sdnn"), settings)
    fields = [strokes(2) for _ in range(100)]
    further = [Sample("further", "1", strokes(1).prepared) for _ in range(100)]
    training.splicer = Splicer(fields, [[0, 20]] * 100)
    kept = {}
    for number in (0, 4, 5, 9):
        training.start_pass(number, fields)
        seen = training.batches([*fields, *further], torch.Generator().manual_seed(0))
        names = [one.name for batch in seen for one in batch]
        assert len(names) == 200
        assert 50 < names.count("2") < 90  # always 0.7 of the fields themselves
        kept[number] = names.count("further")
    assert kept[0] == kept[4] == 100
    assert kept[5] > 60 > 25 > kept[9] > 0


def test_new_fields_say_what_the_grammar_writes() -> None:
    """Parts of 12/34 and 56/78 rarely join to such a text; if not, fields stand as they are."""
    reader = CheckReader("regex:[0-9][0-9]-[0-9][0-9]", "sdnn", seed=0)
    training = LineTraining(reader, Settings.of("sdnn", passes=10, spliced=1.0))
    fields = [Sample(text, text, strokes(5).prepared) for text in ("12-34", "56-78")]
    training.splicer = Splicer(fields, [list(range(0, 100, 20))] * 2)
    batches = training.batches(100 * fields, torch.Generator().manual_seed(0))
    texts = [one.text for batch in batches for one in batch]
    assert len(texts) == 200
    assert all(reader.rules.writes_each(texts))
    assert {"12-78", "56-34"} < set(texts)


@pytest.mark.parametrize("recognizer", SWEEPING)
@pytest.mark.parametrize("wide", [16, 48, 160])
def test_columns_of_outputs_lie_where_the_network_looks(recognizer: str, wide: int) -> None:
    """They lie four pixels apart, around the middle, in lines of any width."""
    reader = untrained(recognizer)
    assert isinstance(reader.recognize, LineReading)
    with torch.no_grad():
        columns = reader.recognize(torch.zeros(1, 1, 40, wide)).shape[1]
    places = edges(columns, wide)
    assert np.diff(places).tolist() == [4.0] * columns
    assert places[0] + places[-1] == wide


# -- both readers together ---------------------------------------------------------------------


def acceptor(**texts: float) -> gtn.Graph:
    table = gtn.SymbolTable("0123456789")
    strings = [gtn.string(t[1:], symbols=table).double() for t in texts]
    each = [
        g.with_penalties(g.penalties, start_penalties=torch.tensor([p]).double())
        for g, p in zip(strings, texts.values(), strict=True)
    ]
    return gtn.union(*each)


def test_intersection_adds_what_both_say_and_union_keeps_either() -> None:
    a, b = acceptor(_12=0.5, _7=1.0), acceptor(_12=2.0, _9=0.1)
    both = combined([a, b], "intersection")
    assert gtn.path_text(gtn.viterbi_path(both)) == "12"
    assert gtn.forward_penalty(both).item() == pytest.approx(2.5)
    either = combined([a, b], "union")
    assert gtn.path_text(gtn.viterbi_path(either)) == "9"
    # Where they agree on nothing, either may be right.
    apart = combined([acceptor(_1=0.3), acceptor(_2=0.2)], "intersection")
    assert gtn.path_text(gtn.viterbi_path(apart)) == "2"
    with pytest.raises(ValueError, match="not a way of combining"):
        combined([a, b], "sum")


def test_the_graph_of_texts_says_what_the_reader_says() -> None:
    reader = CheckReader.load(shipped_checkpoint("two-stream"))
    field = load_field(load_fields(DEMO_FIELDS).fields[1].path)
    view = reader.recognize.prepare(field)
    alone = reader.recognize.texts([view], reader.grammar())[0]
    graph = texts_graph(reader, [view], 1.0)
    found = texts_of(gtn.GraphBatch.from_graphs([graph]))[0]
    best = max(alone, key=alone.__getitem__)
    assert best in found
    assert found[best] == pytest.approx(alone[best], rel=0.2)  # except for what the beam left out
    paths = [gtn.n_best(texts_graph(reader, [view], scale), 2) for scale in (1.0, 0.5)]
    once, half = ([gtn.viterbi_penalty(path).item() for path in every] for every in paths)
    assert half == pytest.approx([0.5 * penalty for penalty in once])


# -- folds, results, tables, pages -------------------------------------------------------------


def test_folds_hold_every_field_once_and_blocks_stay_together() -> None:
    fields = [Field(Path(f"{i:03d}.png"), "1") for i in range(100)]
    folds = folds_of(fields, 5, seed=0, block=10)
    assert sorted(i for fold in folds for i in fold) == list(range(100))
    assert {len(fold) for fold in folds} == {20}
    assert all({i // 10 * 10 + k for i in fold for k in range(10)} == set(fold) for fold in folds)
    with pytest.raises(FieldSetError, match="cannot make 5 folds"):
        folds_of(fields[:40], 5, seed=0, block=10)


def test_cross_validation_goes_on_where_it_was(composed: list[Field], tmp_path: Path) -> None:
    settings = Settings.of("sdnn", passes=1, validation=0.2)
    options = {"folds": 2, "block": 1, "workers": 1, "progress": False}
    first = crossvalidate(composed[:6], settings, tmp_path, **options)
    assert first["n"] == 6
    point = first["operating_point"]
    assert len(point["thresholds"]) == 2
    assert 0.0 <= point["accepted"] <= 1.0
    kept = (tmp_path / "fold-0.json").stat().st_mtime_ns
    (tmp_path / "fold-1.json").unlink()
    again = crossvalidate(composed[:6], settings, tmp_path, **options)
    assert again["exact"] == first["exact"]
    assert (tmp_path / "fold-0.json").stat().st_mtime_ns == kept
    other = Settings.of("sdnn", passes=2, validation=0.2)
    with pytest.raises(FieldSetError, match=r"other settings or other fields \(\w+ is \S+ there"):
        crossvalidate(composed[:6], other, tmp_path, **options)
    changed = [Field(composed[0].path, "1"), *composed[1:6]]
    for fields, further in ((changed, []), (composed[:6], composed[6:7])):
        with pytest.raises(FieldSetError, match="other fields"):
            crossvalidate(fields, settings, tmp_path, further=further, **options)
    left_out = {composed[0].name, composed[3].name}
    less = crossvalidate(composed[:6], settings, tmp_path, doubtful=left_out, **options)
    assert less["exact"] == first["exact"]
    assert less["doubtful"]["n"] == 4
    assert len(first["wrong"]) == round(6 * (1 - first["exact"]))
    assert set(less["doubtful"]["wrong"]) == set(first["wrong"]) - left_out
    folds = [json.loads((tmp_path / f"fold-{k}.json").read_text()) for k in range(2)]
    trusted = operating_point(without(folds, left_out), wrong_labels=0.0)
    assert less["doubtful"]["operating_point"] == trusted
    readings = [
        reading
        for k in range(2)
        for reading in json.loads((tmp_path / f"fold-{k}.json").read_text())["readings"]
    ]
    right = [truth == text for name, truth, text, _ in readings if name not in left_out]
    assert len(right) == 4
    sizes = [sum(n not in left_out for n, *_ in fold) for fold in (readings[:3], readings[3:])]
    assert less["doubtful"]["exact"] == pytest.approx(
        0.5 * sum(right[: sizes[0]]) / sizes[0] + 0.5 * sum(right[sizes[0] :]) / sizes[1]
    )


def test_labels_in_doubt_are_those_that_two_readings_contradict_alike() -> None:
    def rows(name: str) -> list[dict[str, str]]:
        with (ROOT / RESULTS / name).open(newline="") as lines:
            return list(csv.DictReader(lines))

    again = rows("labels-read-again.csv")
    contradicted = [
        {"file": row["file"], "label": row["label"], "picture": row["again"]}
        for row in again
        if row["label"] != row["reader"] == row["again"] and row["sure"] != "0"
    ]
    assert rows("labels-in-doubt.csv") == contradicted
    # What docs/checks.md says about them.
    misread = [row for row in again if row["label"] != row["reader"]]
    as_labelled = [row for row in misread if row["again"] == row["label"]]
    assert (len(again), len(misread), len(as_labelled), len(contradicted)) == (178, 87, 50, 31)
    assert sum(row["again"] == row["reader"] for row in misread) == 34
    assert sum(row["sure"] == "2" for row in as_labelled) == 29
    right = [row for row in again if row["label"] == row["reader"]]
    assert sum(row["again"] == row["label"] for row in right) == len(right) - 1 == 90


def test_what_the_page_says_of_two_readers_on_the_same_folds() -> None:
    ours, theirs = (
        set(json.loads((ROOT / RESULTS / f"folds-{name}.json").read_text())["wrong"])
        for name in ("sdnn", "crnn-ctc")
    )
    assert (len(ours), len(theirs), len(ours & theirs)) == (87, 89, 70)
    alone = len(ours - theirs), len(theirs - ours)
    assert round(binomtest(min(alone), sum(alone)).pvalue, 1) == 0.9  # of ten, as chance has it


def test_labels_in_doubt_are_named_in_a_table(tmp_path: Path) -> None:
    fields = [Field(Path(f"{i}.png"), "1") for i in range(3)]
    path = tmp_path / "doubtful.csv"
    path.write_text("file,label,picture\n2.png,1,7\n")
    assert doubtful_names(path, fields) == {"2.png"}
    path.write_text("file,label,picture\n5.png,1,7\n")
    with pytest.raises(FieldSetError, match=r"no field is called 5\.png"):
        doubtful_names(path, fields)
    path.write_text("name\n2.png\n")
    with pytest.raises(FieldSetError, match="no column 'file'"):
        doubtful_names(path, fields)
    path.write_text("file,label\n2.png,1\n", encoding="utf-8-sig")  # as spreadsheets write it
    assert doubtful_names(path, fields) == {"2.png"}
    path.write_text("label,file\n1\n")
    with pytest.raises(FieldSetError, match=r"no field is called '' \(a row without a name\)"):
        doubtful_names(path, fields)
    path.write_text("file\n\xe9.png\n", encoding="latin-1")
    with pytest.raises(FieldSetError, match=r"doubtful\.csv: not UTF-8"):
        doubtful_names(path, fields)


def test_the_comparison_is_written_from_results(tmp_path: Path) -> None:
    figures = {"exact": 0.5, "digit_error": 0.1, "outcomes": [], "problems": []}
    keep_result(tmp_path / "a.json", "one", "12", figures, parameters=1234)
    keep_result(tmp_path / "b.json", "two", "12", figures | {"exact": 0.75})
    rows = table(read_results(tmp_path)).splitlines()
    assert rows[2].startswith("| two | 12 | 75.0% |")
    assert "1,234" in rows[3]
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- comparison: begin -->\nold\n<!-- comparison: end -->\nafter\n")
    result = run.invoke(app, ["compare", str(tmp_path), "--page", str(page)])
    assert result.exit_code == 0, result.output
    assert page.read_text().startswith("before\n<!-- comparison: begin -->\n| reader |")
    assert page.read_text().endswith("|\n<!-- comparison: end -->\nafter\n")
    page.write_text("no place")
    with pytest.raises(ValueError, match="no place between"):
        write_into(page, "x", "comparison")
    with pytest.raises(ValueError, match="no result"):
        read_results(tmp_path / "none")


def test_the_page_of_a_line_reader_shows_outputs_and_texts(tmp_path: Path) -> None:
    field = load_fields(DEMO_FIELDS).fields[0]
    (tmp_path / "broken.png").write_bytes(b"nothing")
    blank = tmp_path / "blank.png"
    blank.write_bytes(b"")
    page = write_report(untrained("sdnn"), [field.path, blank], tmp_path / "out", [field.text, ""])
    text = page.read_text(encoding="utf-8")
    assert text.count("<h3>Outputs of the network</h3>") == 1
    assert text.count("What the field may say") == 1
    assert "Segmentation graph" not in text
    assert "the file is empty" in text


def test_several_readers_are_measured_together(tmp_path: Path) -> None:
    for number in (0, 1):
        untrained("sdnn", seed=number).save(tmp_path / f"{number}.safetensors")
    command = ["combine", "--data", str(DEMO_FIELDS), "--holdout", "3", "--json", "--workers", "1"]
    for number in (0, 1):
        command += ["--checkpoint", str(tmp_path / f"{number}.safetensors")]
    result = run.invoke(app, [*command, "--keep", str(tmp_path / "kept.json")])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1])["n"] == 3
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept["name"] == "intersection of sdnn and sdnn"
    assert run.invoke(app, command[:-2]).exit_code != 0
