"""The check reader: reading, training, checkpoints, and what bad input does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from demos.checkpoint import CheckpointError, save_checkpoint, write_whole
from demos.checks.__main__ import DEMO_FIELDS, app
from demos.checks.compose_fields import write_fields
from demos.checks.evaluate import (
    Outcome,
    accepted_share,
    edit_distance,
    evaluate,
    read_files,
    threshold_for,
)
from demos.checks.ink import Views
from demos.checks.reader import CheckReader, Reading, shipped_checkpoint
from demos.checks.samples import Mixture, Sample
from demos.checks.train import LOSSES, Settings, train, with_wrong_labels
from recognizers.datasets.fields import (
    Field,
    FieldSetError,
    file_hash,
    load_fields,
    split_in_blocks,
)
from recognizers.images import ImageError, load_field
from recognizers.lenet import LeNet5

run = CliRunner()
QUICK = Settings(passes=2, digit_passes=0.5, digits="small", validation=0.2, variants=1)


@pytest.fixture(scope="module")
def reader() -> CheckReader:
    return CheckReader.load(shipped_checkpoint())


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> list[Field]:
    folder = tmp_path_factory.mktemp("composed")
    write_fields(folder, "train", 24, seed=5)
    return list(load_fields(folder).fields)


# -- reading -----------------------------------------------------------------------------------


def test_the_shipped_reader_reads_the_demo_fields(reader: CheckReader) -> None:
    fields = load_fields(DEMO_FIELDS).fields
    figures = evaluate(reader, fields)
    assert figures["n"] == len(fields) == 12
    assert figures["exact"] >= 0.75
    assert figures["n_seen_in_training"] == 0


def test_posteriors_of_the_readings(reader: CheckReader) -> None:
    paths = [one.path for one in load_fields(DEMO_FIELDS).fields[:4]]
    for _, reading in read_files(reader, paths):
        assert isinstance(reading, Reading)
        posteriors = [p for _, p in reading.alternatives]
        assert posteriors == sorted(posteriors, reverse=True)
        assert 0 < sum(posteriors) <= 1 + 1e-9
        assert reading.accepted == (reading.confidence >= reader.threshold)


def test_a_batch_reads_as_single_fields_do(reader: CheckReader) -> None:
    paths = [one.path for one in load_fields(DEMO_FIELDS).fields]
    together = dict(read_files(reader, paths))
    for path in paths[::4]:
        ((_, alone),) = read_files(reader, [path])
        assert alone.text == together[path].text
        assert alone.confidence == pytest.approx(together[path].confidence, abs=1e-4)


@pytest.mark.parametrize("value", [0, 255])
def test_fields_without_ink_say_nothing(reader: CheckReader, value: int) -> None:
    reading = reader.read([np.full((40, 120), value, np.uint8)])[0]
    assert reading == Reading("", 0.0, False)


def test_one_bad_file_does_not_end_a_batch(reader: CheckReader, tmp_path: Path) -> None:
    good = load_fields(DEMO_FIELDS).fields[0].path
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "half.png").write_bytes(good.read_bytes()[:300])
    files = [tmp_path / "empty.png", good, tmp_path / "half.png", tmp_path / "gone.png", good]
    results = [result for _, result in read_files(reader, files)]
    assert [isinstance(r, ImageError) for r in results] == [True, False, True, True, False]
    assert results[1].text == results[4].text
    for path, result in zip(files, results, strict=True):
        if isinstance(result, ImageError):
            assert str(path) in str(result)


def test_read_prints_json_lines_and_fails_for_bad_files(tmp_path: Path) -> None:
    good = load_fields(DEMO_FIELDS).fields[0].path
    (tmp_path / "a.png").write_bytes(good.read_bytes())
    (tmp_path / "b.png").write_bytes(b"nonsense")
    result = run.invoke(app, ["read", str(tmp_path), "--json"])
    assert result.exit_code == 1
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["text"]
    assert first["file"].endswith("a.png")
    assert "b.png" in second["error"]


# -- evaluation --------------------------------------------------------------------------------


def outcomes(*rows: tuple[float, bool]) -> list[Outcome]:
    return [
        Outcome(str(i), "1", Reading("1" if exact else "2", confidence, True))
        for i, (confidence, exact) in enumerate(rows)
    ]


def test_the_threshold_keeps_the_errors_below_the_limit() -> None:
    some = outcomes((0.9, True), (0.8, True), (0.7, False), (0.6, True), (0.5, False))
    assert accepted_share(some, most_errors=0.01) == pytest.approx(0.4)
    assert threshold_for(some, most_errors=0.01) == pytest.approx(0.8)
    assert accepted_share(some, most_errors=0.25) == pytest.approx(0.8)
    assert threshold_for(outcomes((0.9, False)), most_errors=0.01) == 1.0
    assert accepted_share([], most_errors=0.01) == 0.0
    # A certain reading that differs from its label says more of the label than of the reading.
    some = outcomes((0.9999, False), (0.99, True), (0.9, True), (0.5, False), (0.4, True))
    assert threshold_for(some, most_errors=0.01) == 1.0
    assert threshold_for(some, most_errors=0.01, wrong_labels=0.02) == pytest.approx(0.9)
    assert accepted_share(some, most_errors=0.01) == 0.0
    # Two of equal confidence are accepted together or not at all.
    assert accepted_share(outcomes((0.9, True), (0.9, False)), most_errors=0.01) == 0.0


def test_edit_distance() -> None:
    assert [edit_distance(a, b) for a, b in [("", ""), ("12", "12"), ("12", "21"), ("1", "")]] == [
        0,
        0,
        2,
        1,
    ]


def test_evaluate_ends_with_one_line_of_json() -> None:
    result = run.invoke(app, ["evaluate", "--data", str(DEMO_FIELDS), "--holdout", "4", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout.splitlines()[-1])
    assert set(figures) == {
        "n",
        "exact",
        "digit_error",
        "accepted",
        "accepted_error",
        "accepted_at_1pct_error",
        "fields_per_second",
        "n_seen_in_training",
    }
    assert figures["n"] == 4


# -- training ----------------------------------------------------------------------------------


def test_training_lowers_the_loss_and_resumes_to_the_same_reader(
    composed: list[Field], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(composed, QUICK, tmp_path / "whole", progress=False)
    log = [json.loads(x) for x in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in log if "pass" in line]
    assert losses[1] < losses[0]
    assert whole["training_fields"] + whole["validation_fields"] == len(composed)

    # The same run, interrupted in its second pass.
    import demos.checks.train as training

    original = training._Loop.one_pass

    def interrupted(self: training._Loop, number: int, *rest: object) -> None:
        if number == 1:
            raise KeyboardInterrupt
        original(self, number, *rest)

    monkeypatch.setattr(training._Loop, "one_pass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(composed, QUICK, tmp_path / "cut", progress=False)
    monkeypatch.undo()
    # A line that the state knows nothing of, and half a line, as a killed run leaves them.
    assert json.loads((tmp_path / "cut" / "log.jsonl").read_text().splitlines()[-1])["pass"] == 1
    with (tmp_path / "cut" / "log.jsonl").open("a") as log_of_cut:
        log_of_cut.write('{"pass": 2}\n{"pa')
    train(composed, QUICK, tmp_path / "cut", progress=False)
    passes = [
        json.loads(x).get("pass") for x in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()
    ]
    assert [n for n in passes if n] == [1, 2]
    one = CheckReader.load(tmp_path / "whole" / "reader.safetensors")
    two = CheckReader.load(tmp_path / "cut" / "reader.safetensors")
    for key, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[key], rtol=0, atol=0)
    seen = {file_hash(field.path) for field in composed}
    assert set(one.training_facts.seen) == seen
    assert evaluate(one, composed)["n_seen_in_training"] == len(composed)


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"ctc"}))
def test_every_criterion_takes_a_step(composed: list[Field], loss: str, tmp_path: Path) -> None:
    settings = Settings(
        loss=loss, passes=1, digit_passes=0.0, digits="small", validation=0.2, variants=0
    )
    metrics = train(composed[:8], settings, tmp_path, progress=False)
    assert metrics["passes"] == 1
    state = CheckReader.load(tmp_path / "reader.safetensors").state_dict()
    assert all(v.isfinite().all() for v in state.values())


@pytest.mark.parametrize(
    "options",
    [
        {"grammar": "regex:-?[0-9]*[.,]?[0-9]*"},
        {"recognizer": "lenet5"},
        {"recognizer": "lenet5-rbf"},
    ],
    ids=["regex", "lenet5", "rbf"],
)
def test_another_grammar_and_other_recognizers_train_without_a_change_of_code(
    composed: list[Field], options: dict[str, str], tmp_path: Path
) -> None:
    settings = Settings(**options, passes=1, digit_passes=0.1, digits="small", variants=0)
    train(composed[:8], settings, tmp_path, progress=False)
    reader = CheckReader.load(tmp_path / "reader.safetensors")
    classes = "".join(reader.recognize.network.classes[:-1])
    assert set(classes) == set("0123456789" + ("-.," if "grammar" in options else ""))
    assert reader.recognizer == options.get("recognizer", "two-stream")
    assert isinstance(reader.recognize.network, LeNet5) == ("recognizer" in options)
    _, result = next(read_files(reader, [composed[0].path]))
    assert isinstance(result, Reading)
    assert reader.rules.writes(result.text)


def test_a_run_of_other_settings_is_not_continued(composed: list[Field], tmp_path: Path) -> None:
    settings = Settings(passes=1, digit_passes=0.0, replay=0, variants=0)
    train(composed[:6], settings, tmp_path, progress=False)
    with pytest.raises(CheckpointError, match="other settings"):
        train(
            composed[:6],
            Settings(passes=1, digit_passes=0.0, replay=0, variants=0, seed=1),
            tmp_path,
            progress=False,
        )


def test_a_text_outside_the_grammar_is_named(composed: list[Field], tmp_path: Path) -> None:
    wrong = [composed[0], Field(composed[1].path, "12,50")]
    with pytest.raises(FieldSetError, match=rf"{composed[1].name}: '12,50'"):
        train(wrong, QUICK, tmp_path, progress=False)


def test_a_regular_expression_is_a_grammar() -> None:
    reader = CheckReader("regex:-?[0-9]+,[0-9][0-9]")
    assert (
        reader.recognize.network.classes[:-1] == tuple("-,0123456789")
        or len(reader.recognize.network.classes) == 13
    )
    assert reader.rules.writes("-12,50")
    assert not reader.rules.writes("12.50")


# -- checkpoints -------------------------------------------------------------------------------


def test_checkpoints_round_trip(reader: CheckReader, tmp_path: Path) -> None:
    reader.save(tmp_path / "copy.safetensors")
    copy = CheckReader.load(tmp_path / "copy.safetensors")
    for key, value in reader.state_dict().items():
        assert torch.equal(value, copy.state_dict()[key])
    assert copy.threshold == reader.threshold


def test_bad_checkpoints(reader: CheckReader, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        CheckReader.load(tmp_path / "none.safetensors")
    whole = shipped_checkpoint().read_bytes()
    for length in (0, 5, 200, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut\.safetensors"):
            CheckReader.load(tmp_path / "cut.safetensors")
    about = {"grammar": "car", "recognizer": reader.recognizer, "threshold": 0.5, "views": 1}
    save_checkpoint(tmp_path / "other.safetensors", {"layer": torch.zeros(3)}, about)
    with pytest.raises(CheckpointError, match="another architecture"):
        CheckReader.load(tmp_path / "other.safetensors")
    tensors = dict(reader.state_dict())
    tensors["recognize.network.out.1.weight"] = torch.zeros(2, 2)
    save_checkpoint(tmp_path / "shape.safetensors", tensors, about)
    with pytest.raises(CheckpointError, match="another architecture"):
        CheckReader.load(tmp_path / "shape.safetensors")
    save_checkpoint(tmp_path / "none.safetensors", {}, {"grammar": "car"})
    with pytest.raises(CheckpointError, match="missing"):
        CheckReader.load(tmp_path / "none.safetensors")


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "old")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a.txt", 5)  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


# -- folders of fields -------------------------------------------------------------------------


def test_validation_fields_are_blocks_of_successive_names() -> None:
    fields = [Field(Path(f"{i:03d}.png"), "1") for i in range(240)]
    training, validation = split_in_blocks(fields[::-1], 0.1, seed=3)
    assert sorted(training + validation) == list(range(240))
    names = sorted(int(fields[::-1][i].path.stem) for i in validation)
    assert len(names) == 24
    assert names == list(range(names[0], names[0] + 24))
    assert split_in_blocks(fields[:9], 0.2, seed=0)[1]


def test_further_fields_are_drawn_anew_in_each_pass(composed: list[Field], tmp_path: Path) -> None:
    settings = Settings(passes=2, variants=0, further=3, validation=0.25)
    metrics = train(composed[:8], settings, tmp_path, further=composed[8:], progress=False)
    assert metrics["further_fields"] == len(composed) - 8
    assert metrics["training_fields"] + metrics["validation_fields"] == 8
    reader = CheckReader.load(tmp_path / "reader.safetensors")
    assert len(reader.training_facts.seen) == len(composed)
    samples = [Sample(str(i), "1", []) for i in range(12)]
    mixture = Mixture(samples[:4], samples[4:], 3)
    generator = torch.Generator().manual_seed(0)
    passes = [{one.name for one in mixture.draw(generator)} for _ in range(9)]
    assert all(len(one) == len(mixture) == 7 and set("0123") <= one for one in passes)
    assert len(set.union(*passes)) == 12


def picture(path: Path) -> None:
    Image.new("L", (40, 20), 255).save(path)


def test_problems_of_single_rows_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    picture(folder / "images" / "a.png")
    picture(folder / "b.png")
    picture(tmp_path / "outside.png")
    rows = "file,text,split\na.png,1,train\nb.png,2,validation\ngone.png,3,\n,4,\na.png,5,\n"
    (folder / "labels.csv").write_text(rows + "../outside.png,6,\n")
    found = load_fields(folder)
    assert [f.text for f in found.fields] == ["1", "2"]
    assert len(found.problems) == 4
    assert "labels.csv:4: gone.png does not exist" in found.problems[0]
    assert split_in_blocks(found.fields, 0.5, 0) == ([0], [1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,text\na.png,1\n", "no column file"),
        (b"file\na.png\n", "no column text"),
        (b"", "no column"),
        (b"file,text\n", "no field"),
        (b"file,text\n\xff\xfe,1\n", "UTF-8"),
    ],
)
def test_unusable_labels(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(FieldSetError, match=message):
        load_fields(tmp_path)


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FieldSetError, match="no such folder"):
        load_fields(tmp_path / "none")
    with pytest.raises(FieldSetError, match=r"labels\.csv"):
        load_fields(tmp_path)


def test_held_out_fields_are_the_last_names() -> None:
    found = load_fields(DEMO_FIELDS)
    first, last = found.held_out(3)
    assert [f.name for f in first + last] == sorted(f.name for f in found.fields)
    assert len(last) == 3
    with pytest.raises(FieldSetError, match="hold out"):
        found.held_out(12)


# -- views -------------------------------------------------------------------------------------


def test_the_posterior_of_a_text_is_its_mean_over_the_views(
    reader: CheckReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demos.checks.reader.CERTAIN", 1.1)  # so that all views are looked at
    seen = Views(load_field(load_fields(DEMO_FIELDS).fields[2].path), reader.recognize.prepare, 3)
    together = reader.texts([seen])[0]
    alone = [reader.texts([[one]])[0] for one in seen]
    best = max(alone[0], key=alone[0].__getitem__)
    mean = sum(found.get(best, 0.0) for found in alone) / 3
    assert together[best] == pytest.approx(mean, abs=1e-6)
    assert reader.read_prepared([]) == []


def test_other_views_are_looked_at_only_where_the_first_leaves_doubt(
    reader: CheckReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [load_field(one.path) for one in load_fields(DEMO_FIELDS).fields[:3]]
    looked: list[int] = []

    class Counted(Views):
        def __getitem__(self, which: Any) -> Any:
            looked.append(len(range(self.count)[which]) if isinstance(which, slice) else 1)
            return super().__getitem__(which)

    seen = [Counted(field, reader.recognize.prepare, 3) for field in fields]
    for certain, most in ((0.0, 3), (1.1, 15)):
        looked.clear()
        monkeypatch.setattr("demos.checks.reader.CERTAIN", certain)
        assert len(reader.texts(seen)) == 3
        # A slice counts as many as it has, and each of those once more when it is made.
        assert sum(looked) == most


def test_views_are_the_same_each_time_and_the_first_is_the_field() -> None:
    field = load_field(load_fields(DEMO_FIELDS).fields[0].path)
    first, second = (list(Views(field, np.asarray, 4)) for _ in range(2))
    assert len(first) == 4
    assert np.array_equal(first[0], field)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(np.array_equal(field, other) for other in first[1:])


def test_how_many_views_are_read_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demos.checks.reader.CERTAIN", 1.1)
    good = str(load_fields(DEMO_FIELDS).fields[0].path)
    one, five = (
        json.loads(run.invoke(app, ["read", good, "--json", "--views", count]).stdout)
        for count in ("1", "5")
    )
    assert one["text"] == five["text"]
    assert one["confidence"] != five["confidence"]


# -- wrong labels ------------------------------------------------------------------------------


def test_a_label_that_cannot_be_right_pulls_no_longer() -> None:
    losses = torch.tensor([0.1, 3.0, 40.0], dtype=torch.float64, requires_grad=True)
    mixed = with_wrong_labels(losses, 0.02)
    mixed.sum().backward()
    assert losses.grad is not None
    assert losses.grad[0] > 0.95
    assert losses.grad[2] < 1e-12
    assert mixed[2].item() == pytest.approx(-np.log(0.02))
    assert torch.equal(with_wrong_labels(losses, 0.0), losses)
    assert torch.autograd.gradcheck(
        lambda x: with_wrong_labels(x, 0.05), (losses.detach().requires_grad_(),)
    )
