"""The line reader and the spotter: training, resuming, reading, drawing, command lines."""

import csv
import json
import math
import shutil
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import gtn
from demos.checkpoint import CheckpointError
from demos.strings.__main__ import app
from demos.strings.choices import NETWORKS
from demos.strings.drawing import draw_line, heat_map, write_figure
from demos.strings.evaluate import RECIPES, evaluate, evaluate_folder, held_out_strings
from demos.strings.labelled_lines import LabelledLines, lines_to_learn
from demos.strings.lines import ink_of, line_of, load_line
from demos.strings.reader import StringReader, shipped_checkpoint
from demos.strings.report import write_page, write_pictures
from demos.strings.results import write_run, write_spotter
from demos.strings.settings import Settings, SpotSettings
from demos.strings.speed import measure
from demos.strings.spotter import (
    Spotter,
    evaluate_spotter,
    loss_with_positions,
    loss_without_positions,
    shipped_spotter,
    train_spotter,
)
from demos.strings.train import BLOCK, _Run, train
from grammars.strings import fixed_length
from recognizers.classes import DIGITS
from recognizers.datasets.fields import FieldSetError, load_fields
from recognizers.datasets.mnist import load_mnist
from recognizers.datasets.pages import PageRecipe, draw_pages
from recognizers.datasets.strings import draw_lines
from recognizers.images import ImageError, load_field
from recognizers.lines.distortion import LineDistortion
from recognizers.sdnn import LineError
from recognizers.spotting import IGNORED, Detection, hits, targets_of


@pytest.fixture(scope="module")
def digits():
    """Ten different shapes that are not digits."""
    rng = np.random.default_rng(0)
    images = np.zeros((10, 28, 28), np.uint8)
    coarse = rng.random((10, 5, 3)) < 0.6
    images[:, 4:24, 8:20] = np.kron(coarse, np.ones((4, 4))) * 255
    return torch.from_numpy(images), torch.arange(10, dtype=torch.uint8)


TINY = Settings(characters=6, windows=8, transducer=2, strings=4, lines=2, free=0.5)


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return out, train(digits, TINY, out, progress=False)


def test_training_writes_a_reader_for_each_stage(run):
    out, metrics = run
    assert metrics["parameters"] == 142_043
    stages = [json.loads(line)["stage"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert stages == ["characters", "transducer", "strings"]
    first, tuned, last = (StringReader.load(out / f"{s}.safetensors") for s in stages)
    assert last.report["stage"] == "strings"
    key = "sdnn.network.layers.0.weight"
    assert torch.equal(first.state_dict()[key], tuned.state_dict()[key])
    assert not torch.equal(first.state_dict()[key], last.state_dict()[key])
    assert not torch.equal(first.models.penalties, tuned.models.penalties)
    assert torch.equal(first.models.penalties, torch.zeros(31))


def test_a_run_of_other_settings_is_left_as_it_is(run, digits):
    out, _ = run
    before = (out / "settings.json").read_text()
    with pytest.raises(CheckpointError, match="other settings"):
        train(digits, replace(TINY, seed=9), out, progress=False)
    assert (out / "settings.json").read_text() == before


def test_an_interrupted_run_ends_as_one_that_was_not(run, digits, tmp_path, monkeypatch):
    out, _ = run
    monkeypatch.setattr("demos.strings.train.SAVE_EVERY", 3)
    whole = _Run._loss
    for stop in (4, 8):  # in the first stage, then in the last one
        numbers = iter(range(stop))

        def interrupted(self, number, numbers=numbers):
            if next(numbers, None) is None:
                raise KeyboardInterrupt
            return whole(self, number)

        with monkeypatch.context() as patch:
            patch.setattr(_Run, "_loss", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train(digits, TINY, tmp_path, progress=False)
    train(digits, TINY, tmp_path, progress=False)
    expected = StringReader.load(out / "strings.safetensors").state_dict()
    found = StringReader.load(tmp_path / "strings.safetensors").state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    steps = [json.loads(x)["step"] for x in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert steps == [3, 6, 2, 3, 4]
    with pytest.raises(CheckpointError, match="other settings"):
        train(digits, replace(TINY, seed=5), tmp_path, progress=False)


def test_labelled_lines_are_drawn_in_turn():
    # Line k is as dark as its text, a number, says.
    images = [np.full((32, 20 + 3 * k), 20 * k + 60, np.uint8) for k in range(8)]
    lines = LabelledLines(images, [str(k) for k in range(8)], seed=2)
    turn = [lines.batch(number, 6) for number in range(4)]
    assert sorted(text for batch in turn for text in batch.texts) == sorted(3 * "01234567")
    again = lines.batch(2, 6)
    assert again.texts == turn[2].texts
    assert np.array_equal(again.images, turn[2].images)
    assert not np.array_equal(LabelledLines(images, lines.texts).batch(2, 6).images, again.images)
    for batch in turn:
        assert batch.images.shape == (6, 32, batch.widths.max())
    lines.distort = LineDistortion(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    for batch in (lines.batch(number, 6) for number in range(4)):
        middles = [im[16, w // 2] for im, w in zip(batch.images, batch.widths, strict=True)]
        expected = [20 * int(text) + 60 for text in batch.texts]
        np.testing.assert_allclose(np.array(middles, float), expected, atol=2)


def test_own_lines_are_a_part_of_what_is_learned(digits, tmp_path, monkeypatch):
    own = LabelledLines([np.full((32, 90), 255, np.uint8)] * 3, ["77", "7", "777"], [("a", "77")])
    settings = replace(TINY, own=0.25)
    run = _Run(digits, own, settings, tmp_path)
    asked = []
    for kind, data in (("paper", run.data[0]), ("free", run.data[1]), ("own", own)):
        whole = data.batch
        monkeypatch.setattr(
            data, "batch", lambda n, size, k=kind, f=whole: asked.append((k, n)) or f(n, size)
        )
    for number in range(12):
        run._lines(BLOCK * number)
    # A quarter are our own lines and half of the others free ones; each kind is used in turn.
    assert [number for kind, number in asked if kind == "own"] == [0, 1, 2]
    assert [number for kind, number in asked if kind != "own"] == list(range(9))
    assert sum(kind == "free" for kind, _ in asked) == 4
    train(digits, settings, tmp_path / "whole", own=own, progress=False)
    whole_loss = _Run._loss

    numbers = iter(range(10))

    def interrupted(self, number):
        if next(numbers, None) is None:
            raise KeyboardInterrupt
        return whole_loss(self, number)

    with monkeypatch.context() as patch:
        patch.setattr("demos.strings.train.SAVE_EVERY", 1)
        patch.setattr(_Run, "_loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(digits, settings, tmp_path, own=own, progress=False)
    train(digits, settings, tmp_path, own=own, progress=False)
    expected, found = (
        StringReader.load(place / "strings.safetensors").state_dict()
        for place in (tmp_path / "whole", tmp_path)
    )
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    for other in (None, LabelledLines(own.images, own.texts, [("b", "77")])):
        with pytest.raises(CheckpointError, match="other lines"):
            train(digits, settings, tmp_path, own=other, progress=False)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_reads_lines_of_any_width(network, digits):
    reader = StringReader(network).eval()
    lines = [np.zeros((32, width), np.uint8) for width in (1, 40, 97)]
    readings = reader.read(lines)
    assert [len(r.outputs) for r in readings] == reader.sdnn.columns([1, 40, 97]).tolist()
    for r in readings:
        assert len(r.text) == len(r.spans)
        assert 0 <= r.confidence <= 1
    with pytest.raises(LineError, match=r"line 1 is \(20, 40\); 32 rows"):
        reader.read([lines[0], np.zeros((20, 40), np.uint8)])
    with pytest.raises(ValueError, match="there is no network 'x'"):
        StringReader("x")


def test_readings_are_the_best_paths_of_the_whole_composition():
    reader = StringReader(seed=3).eval()
    image = np.random.default_rng(1).integers(0, 255, (32, 50)).astype(np.uint8)
    grammar = fixed_length(reader.models().osymbols, 3)
    with torch.no_grad():
        emissions = reader.output([image]).emissions[0]
        linear = gtn.linear(emissions, symbols=reader.models().isymbols)
        whole = gtn.compose(linear, reader.transducer(grammar))
    reading = reader.read([image], grammar)[0]
    assert reading.text == gtn.path_text(gtn.viterbi_path(whole), "output")
    assert len(reading.text) == 3
    loss = gtn.nn.DiscriminativeForwardLoss()(whole, reading.text)
    assert reading.confidence == pytest.approx(math.exp(-loss.item()), rel=1e-3)
    middles = reader.sdnn.centres(len(reading.outputs))
    for character, (first, last) in zip(reading.text, reading.spans, strict=True):
        inside = (first <= middles) & (middles <= last)
        assert set(reading.outputs[inside]) == {DIGITS.index(character)}


def test_figures_count_strings_and_edits(digits):
    class Says:
        def __init__(self, texts):
            self.texts = texts

        def read(self, images, grammar=None):
            return [type("R", (), {"text": text}) for text in self.texts]

    line = np.zeros((32, 9), np.uint8)
    truths = [(line, "12"), (line, "345"), (line, "6")]
    figures, texts = evaluate(Says(["12", "35", "77"]), truths)
    assert texts == ["12", "35", "77"]
    assert figures["n"] == 3
    assert figures["string_error"] == pytest.approx(2 / 3)
    assert figures["char_error"] == pytest.approx(3 / 6)
    assert figures["ms_per_line"] > 0


def test_the_test_strings_are_fixed(digits):
    first, more = held_out_strings(digits, 3), held_out_strings(digits, 7)
    assert [t for _, t in first] == [t for _, t in more[:3]]
    noisy = held_out_strings(digits, 3, noise=0.1)
    assert [t for _, t in noisy] == [t for _, t in first]
    assert all(1 <= len(t) <= 10 for _, t in more)
    assert not np.array_equal(noisy[0][0], first[0][0])


def test_lines_from_files(tmp_path):
    grey = np.full((120, 300), 250, np.uint8)
    grey[40:100, 60:90] = 20
    for image in (grey, 255 - grey):
        line = line_of(image)
        assert line.shape == (32, 22)
        rows = np.flatnonzero((line > 127).any(axis=1))
        assert (rows[0], rows[-1]) == (6, 25)
    assert line_of(np.full((50, 70), 200, np.uint8)).max() == 0
    assert line_of(grey[40:72, :100]).shape == (32, 100)
    with pytest.raises(ValueError, match="not a line of characters"):
        line_of(np.pad(np.zeros((2, 3000), np.uint8), 30, constant_values=255))
    assert ink_of(grey).max() == 255
    with pytest.raises(ImageError, match=r"none\.png: no such file"):
        load_line(tmp_path / "none.png")


@pytest.fixture
def folder(tmp_path, digits):
    lines = held_out_strings(digits, 3)
    rows = ["file,text"]
    for i, (image, text) in enumerate(lines):
        Image.fromarray(255 - image).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{text}")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "labels.csv").write_text("\n".join([*rows, "bad.png,1", "gone.png,2"]))
    return tmp_path


def test_a_folder_of_lines(folder, run):
    reader = StringReader.load(run[0] / "strings.safetensors")
    figures, wrong, problems = evaluate_folder(reader, folder)
    assert figures["n"] == 3
    assert len(wrong) == round(3 * figures["string_error"])
    assert len(problems) == 2
    assert any("bad.png" in p for p in problems)
    assert any("gone.png does not exist" in p for p in problems)
    assert figures["left_out"] == 2
    labels = folder / "labels.csv"
    labels.write_text(labels.read_text().replace("0.png,", "0.png,1-"))
    figures, wrong, _ = evaluate_folder(reader, folder)
    assert (figures["n"], figures["left_out"], figures["not_written"]) == (3, 2, 1)
    assert "0.png" in {name for name, _, _ in wrong}
    labels.write_text("file,text\n0.png,1-2\n")
    figures, _, problems = evaluate_folder(reader, folder)
    assert (figures["string_error"], figures["not_written"], problems) == (1.0, 1, [])
    done = CliRunner().invoke(app, ["evaluate", "--data", str(folder), "--json"])
    assert "0.png: '1-2' has '-'; texts are of the digits 0123456789; it counts as" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["not_written"] == 1


def test_lines_that_cannot_be_learned_are_named(folder):
    with (folder / "labels.csv").open("a") as rows:
        for name, text, split in (
            ("letters", "12-50", ""), ("long", "1" * 99, ""), ("kept", "12", "train"),
            ("test", "12", "test"), ("validation", "12", "validation"),
        ):  # fmt: skip
            Image.fromarray(np.eye(32, 60, dtype=np.uint8) * 255).save(folder / f"{name}.png")
            rows.write(f"\n{name}.png,{text},{split}")
    labels = folder / "labels.csv"
    labels.write_text(labels.read_text().replace("file,text", "file,text,split"))
    found = load_fields(folder)
    lines, problems = lines_to_learn(found.fields, StringReader())
    assert len(lines.texts) == 4
    assert lines.texts.count("12") == 1
    assert len(problems) == 3
    for name, why in (
        ("bad.png", "image"), ("letters.png", "has '-'"), ("long.png", "60 pixels wide"),
    ):  # fmt: skip
        assert any(name in problem and why in problem for problem in problems)
    rest = [one for one in found.fields if one.path.stem in ("test", "bad")]
    with pytest.raises(FieldSetError, match=r"bad\.png"):
        lines_to_learn(rest, StringReader())
    with pytest.raises(FieldSetError, match="1 rows are of the splits"):
        lines_to_learn(rest[1:], StringReader())


def test_the_command_that_learns_from_own_lines(folder, digits, monkeypatch):
    given = []

    def learn(digits, settings, out, *, own):
        given.append(own)
        return {}

    monkeypatch.setattr("demos.strings.commands.train_reader", learn)
    monkeypatch.setattr("demos.strings.commands.load_mnist", lambda *_: digits)
    call = CliRunner().invoke
    command = ["train", "--out", str(folder / "run"), "--digits", str(folder)]
    done = call(app, [*command, "--data", str(folder), "--holdout", "1"])
    assert done.exit_code == 0, done.output
    assert "left out" in done.output
    assert "gone.png does not exist" in done.output
    (own,) = given
    assert own.texts == [one.text for one in load_fields(folder).fields[:3]]
    assert call(app, [*command, "--holdout", "1"]).exit_code == 2
    assert call(app, ["evaluate", "--holdout", "1"]).exit_code == 2
    figures = call(app, ["evaluate", "--data", str(folder), "--holdout", "3", "--json"])
    assert json.loads(figures.stdout.splitlines()[-1])["n"] == 2


def test_commands(folder, run, tmp_path):
    out, _ = run
    call = CliRunner().invoke
    given = ["--checkpoint", str(out / "strings.safetensors")]
    done = call(app, ["evaluate", "--data", str(folder), "--json", *given])
    assert done.exit_code == 0
    last = json.loads(done.stdout.splitlines()[-1])
    assert {"n", "string_error", "char_error", "ms_per_line"} <= set(last)
    paths = [str(folder / name) for name in ("0.png", "bad.png", "1.png")]
    done = call(app, ["read", *paths, *given, "--json", "--pictures", str(tmp_path / "p")])
    assert done.exit_code == 1  # one file could not be read; the others were
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in line for line in lines] == [False, True, False]
    assert len(list((tmp_path / "p").glob("*.svg"))) == 2
    done = call(app, ["read", str(folder), *given, "--json"])
    assert [json.loads(line)["file"][-5:] for line in done.stdout.splitlines()] == [
        "0.png", "1.png", "2.png", "d.png",
    ]  # fmt: skip
    done = call(app, ["read", paths[0], *given, "--grammar", "[0-9][0-9]"])
    assert len(done.stdout.split()[1]) == 2
    done = call(app, ["read", paths[0], *given, "--grammar", "regex:[0-9][0-9]"])
    assert len(done.stdout.split()[1]) == 2
    letters = ["read", paths[0], "--grammar", "[a-z]+"]
    assert "no string of digits" in str(call(app, [*letters, *given]).exception)
    recipe = ["evaluate", "--recipe", "foo"]
    assert call(app, [*recipe, *given]).exit_code == 2
    assert call(app, ["train", "--out", "x", "--network", "y"]).exit_code == 2
    assert isinstance(
        call(app, ["read", paths[0], "--checkpoint", str(folder / "0.png")]).exception,
        CheckpointError,
    )


def test_pictures(run, tmp_path):
    reader = StringReader.load(run[0] / "strings.safetensors")
    line = np.zeros((32, 60), np.uint8)
    reading = reader.read([line])[0]
    for name in ("a.svg", "b.svg", "c.png"):  # saving one twice lays it out anew
        write_figure(draw_line(reader, line, reading), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.size[0] > 100
    with pytest.raises(ValueError, match=r"\.png or a \.svg"):
        write_figure(draw_line(reader, line, reading), tmp_path / "a.pdf")
    assert mpl.rcParams["svg.fonttype"] == "path"  # the settings are restored


def test_the_page_is_made_of_the_figures_of_runs(run, digits, folder, tmp_path, monkeypatch):
    results = tmp_path / "results"
    with pytest.raises(FileNotFoundError, match="no run of a reader"):
        write_page(results, tmp_path / "page.md")
    path = write_run(run[0], digits, results, count=4)
    assert path.name == "line-seed0.json"
    figures = json.loads(path.read_text())["figures"]
    for stage, test, value in (("characters", "clean", 0.5), ("strings", "clean", 0.125)):
        figures[stage][test]["string_error"] = value
    for stage, test, value in (("characters", "noise", 0.5), ("strings", "noise", 0.25)):
        figures[stage][test]["string_error"] = value
    figures["transducer"]["noise"]["string_error"] = 0.4
    figures["transducer"]["clean"]["string_error"] = 0.25
    path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": figures}))
    train_spotter(digits, TINY_SPOT, tmp_path / "spotter", progress=False)
    write_spotter(tmp_path / "spotter", digits, results, count=2)
    monkeypatch.setattr("demos.strings.speed.WIDTHS", (40, 80))
    monkeypatch.setattr("demos.strings.speed.REPEATS", 2)
    monkeypatch.setattr("demos.strings.speed.ONE_BY_ONE", 1)
    (results / "speed.json").write_text(json.dumps(measure(StringReader())))
    page = write_page(results, tmp_path / "page.md").read_text()
    assert "by\n75% on clean strings" in page
    assert "with positions | 0." in page
    assert "without" not in page.split("| trained |")[1]
    assert "32 x 80" in page
    assert "of your own" not in page
    own = tmp_path / "own"
    lines, _ = lines_to_learn(load_fields(folder).held_out(2)[0], StringReader())
    train(digits, TINY, own, own=lines, progress=False)
    path = write_run(own, digits, results, count=4, data=folder, holdout=2)
    assert path.name == f"own-{folder.name}-line-seed0.json"
    page = write_page(results, tmp_path / "page.md").read_text()
    assert "1 seed)" in page  # the run with our own lines is in a table of its own
    assert f"Here 2 lines of the folder `{folder.name}`," in page
    assert "measured on the\n1 that were held out" in page
    spotter = Spotter.load(tmp_path / "spotter" / "spotter.safetensors")
    reader = StringReader.load(run[0] / "strings.safetensors")
    pictures = write_pictures(reader, spotter, digits, tmp_path / "pictures")
    assert [p.name for p in pictures] == ["clean.svg", "noise.svg", "page.svg"]


TINY_SPOT = SpotSettings(steps=4, pages=1, small=0.5)


@pytest.mark.parametrize("positions", [True, False])
def test_spotters_learn_and_go_on(positions, digits, tmp_path, monkeypatch):
    settings = replace(TINY_SPOT, positions=positions)
    metrics = train_spotter(digits, settings, tmp_path / "whole", progress=False)
    assert metrics["settings"]["positions"] is positions
    monkeypatch.setattr("demos.strings.spotter.SAVE_EVERY", 1)
    drawn = []

    def failing(*arguments):
        drawn.append(1)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return draw_pages(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("demos.strings.spotter.draw_pages", failing)
        with pytest.raises(KeyboardInterrupt):
            train_spotter(digits, settings, tmp_path / "parts", progress=False)
    train_spotter(digits, settings, tmp_path / "parts", progress=False)
    one, other = (Spotter.load(tmp_path / n / "spotter.safetensors") for n in ("whole", "parts"))
    for key, value in one.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)
    with pytest.raises(CheckpointError, match="other settings"):
        train_spotter(digits, replace(settings, seed=2), tmp_path / "parts", progress=False)
    assert json.loads((tmp_path / "parts" / "settings.json").read_text())["seed"] == settings.seed
    figures = evaluate_spotter(one, digits, 3)
    assert 0 <= figures["average_precision"] <= 1


def test_the_loss_without_positions_is_that_of_all_places(digits):
    pages = draw_pages(*digits, PageRecipe(side=64, digits=(1, 1)), 2, np.random.default_rng(0))
    spotter = Spotter().eval()
    penalties = spotter.penalties(pages.images).detach().double()
    sums = torch.logsumexp(penalties[..., 10:] - penalties[..., :10], dim=1)  # [B, 10]
    expected = torch.nn.functional.softplus(sums).sum()
    for page, label in zip(pages.owner, pages.labels, strict=True):
        expected -= sums[page, label]
    torch.testing.assert_close(loss_without_positions(penalties, pages), expected / 2)


def test_the_loss_with_positions_is_that_of_all_windows_over_the_digits(digits):
    pages = draw_pages(*digits, PageRecipe(side=64, digits=(2, 2)), 2, np.random.default_rng(0))
    places = Spotter().pyramid.places(64, 64)
    alike = torch.zeros(2, len(places.x), 11)
    target = targets_of(places, pages.owner, pages.labels, pages.boxes, 2, 10)
    expected = (target != IGNORED).sum() * math.log(11) / len(pages.labels)
    assert loss_with_positions(alike, places, pages).item() == pytest.approx(expected)
    own = alike.scatter(2, torch.from_numpy(target).clamp(min=0)[..., None], -1.0)
    found = loss_with_positions(own, places, pages).item()
    assert found == pytest.approx(expected * math.log1p(10 * math.exp(-1)) / math.log(11))


def test_the_learning_rate_rises_to_its_top_and_falls_to_zero(digits, tmp_path):
    run = _Run(digits, None, TINY, tmp_path)
    rates = []
    for share in (0.0, 0.025, 0.05, 0.05 + 0.95 / 2, 1.0):
        run._rate(share)
        rates.append([group["lr"] / group["top"] for group in run.optimizer.param_groups])
    np.testing.assert_allclose(np.array(rates)[:, 0], [0.0, 0.5, 1.0, 0.5, 0.0], atol=1e-12)


def test_a_heat_map_has_the_best_window_around_each_pixel():
    spotter = Spotter()
    places = spotter.pyramid.places(64, 80)
    scores = np.full(len(places.x), -50.0)
    scores[30] = -0.1
    heat = heat_map(scores, places, 64, 80)
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert heat.max() == pytest.approx(math.exp(-0.1))
    assert abs(x + 0.5 - places.x[30]) <= 2
    assert abs(y + 0.5 - places.y[30]) <= 2
    assert (heat > 0.5).sum() <= 16


def test_the_command_that_spots(digits, tmp_path, monkeypatch):
    Spotter().save(tmp_path / "s.safetensors")
    Image.fromarray(np.full((90, 110), 255, np.uint8)).save(tmp_path / "page.png")
    call = CliRunner().invoke
    given = ["--checkpoint", str(tmp_path / "s.safetensors"), "--what", "7"]
    done = call(app, ["spot", str(tmp_path / "page.png"), *given])
    assert done.exit_code == 0
    assert "no 7" in done.stdout
    seven = Detection(7, -0.2, 30.0, 40.0, 28.0)
    monkeypatch.setattr(Spotter, "spot", lambda *a, label, **k: [seven._replace(label=label)])
    more = ["--picture", str(tmp_path / "found.svg"), "--json"]
    done = call(app, ["spot", str(tmp_path / "page.png"), *given, *more])
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["x"] == 30.0
    assert (tmp_path / "found.svg").read_text().count("0.82") == 1
    assert call(app, ["spot", str(tmp_path / "page.png"), "--what", "x"]).exit_code == 2


def test_every_digit_of_a_page_is_found_however_many_there_are(tmp_path):
    spotter = Spotter()
    with torch.no_grad():  # certain of a 7 everywhere, and more certain of a 3
        spotter.network.layers[-1].weight.zero_()
        spotter.network.layers[-1].bias[:] = torch.tensor(
            [9.0] * 3 + [0.0] + [9.0] * 3 + [1.0, 9, 9, 9]
        )
    spotter.save(tmp_path / "s.safetensors")
    Image.fromarray(np.full((240, 240), 255, np.uint8)).save(tmp_path / "page.png")
    given = ["--checkpoint", str(tmp_path / "s.safetensors"), "--tallest", "20", "--least", "0.2"]
    for what in "37":
        done = CliRunner().invoke(app, ["spot", str(tmp_path / "page.png"), "--what", what, *given])
        assert len(done.stdout.splitlines()) > 200
    places = spotter.eval().pyramid.places(240, 240)
    assert len(spotter.spot(np.zeros((240, 240), np.uint8))) == 200 < len(places.x)


@pytest.mark.skipif(not shipped_checkpoint().exists(), reason="no reader comes with the package")
def test_the_shipped_reader_and_spotter_can_be_loaded():
    reader = StringReader.load(shipped_checkpoint())
    assert reader.read([np.zeros((32, 60), np.uint8)])[0].text == ""
    spotter = Spotter.load(shipped_spotter())
    blank = np.zeros((64, 64), np.uint8)
    assert [one for one in spotter.spot(blank) if math.exp(one.score) > 0.5] == []


def test_the_shipped_spotter_finds_digits_of_the_size_they_come_in(data_dir):
    images, labels = load_mnist(data_dir / "mnist", "test")
    recipe = PageRecipe(size=(1.0, 1.0))  # the least height that is promised is 20 pixels
    pages = draw_pages(images, labels, recipe, 60, np.random.default_rng(3))
    spotter = Spotter.load(shipped_spotter())
    found = 0
    for i, page in enumerate(pages.images):
        here = pages.owner == i
        sure = spotter.spot(page, least=math.log(0.5))
        found += hits(sure, pages.labels[here], pages.boxes[here]).sum()
    assert found > 0.8 * len(pages.labels)  # 0.7 if trained on none smaller


def test_pictures_are_of_one_line_each_and_never_what_was_read(folder, run, tmp_path):
    lines = tmp_path / "lines"
    for place in ("", "x", "y"):
        (lines / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "0.png", lines / place / "a.png")
    before = (lines / "a.png").read_bytes()
    given = ["--checkpoint", str(run[0] / "strings.safetensors"), "--form", "png"]
    for place in (lines, lines / "x" / "new"):  # there they would be read, too
        done = CliRunner().invoke(app, ["read", str(lines), "--pictures", str(place), *given])
        assert done.exit_code == 2
    out = tmp_path / "out"
    for _ in range(2):
        done = CliRunner().invoke(app, ["read", str(lines), "--pictures", str(out), *given])
        assert done.exit_code == 0, done.output
        names = ["a.png-2.png", "a.png-3.png", "a.png.png"]
        assert sorted(path.name for path in out.iterdir()) == names
    # a picture that is given by name is left alone, too
    read = ["read", str(lines / "a.png"), str(out / "a.png.png"), "--pictures", str(out)]
    picture = (out / "a.png.png").read_bytes()
    assert CliRunner().invoke(app, [*read, *given]).exit_code == 0
    assert (out / "a.png.png").read_bytes() == picture
    page = str(lines / "a.png")
    done = CliRunner().invoke(app, ["spot", page, "--what", "7", "--picture", page])
    assert done.exit_code == 2
    assert (lines / "a.png").read_bytes() == before


def test_lines_and_pages_are_composed_as_files(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("demos.strings.commands.load_mnist", lambda folder, part: digits)
    monkeypatch.setattr("demos.strings.commands.find_data", lambda given, *_, **__: given)
    call = CliRunner().invoke
    lines = tmp_path / "lines"
    done = call(app, ["compose", "lines", str(lines), "--count", "3", "--seed", "4"])
    assert done.exit_code == 0, done.output
    found = load_fields(lines)
    assert [one.name for one in found.fields] == ["line_000.png", "line_001.png", "line_002.png"]
    drawn = draw_lines(*digits, RECIPES["paper"], 3, np.random.default_rng(4))
    assert [one.text for one in found.fields] == drawn.texts
    for one, image, width in zip(found.fields, drawn.images, drawn.widths, strict=True):
        assert np.array_equal(255 - load_field(one.path), image[:, :width])
    assert call(app, ["evaluate", "--data", str(lines), "--json"]).exit_code == 0
    pages = tmp_path / "pages"
    assert call(app, ["compose", "pages", str(pages), "--count", "2"]).exit_code == 0
    rows = list(csv.DictReader((pages / "boxes.csv").read_text().splitlines()))
    for one in load_fields(pages).fields:
        here = [row for row in rows if row["file"] == one.name]
        assert one.text == "".join(row["digit"] for row in here)
        page = load_field(one.path)
        for row in here:
            x, y, w, h = (int(row[key]) for key in ("x", "y", "width", "height"))
            assert (page[y : y + h, x : x + w] < 128).any()
    for wrong in (["words"], ["lines", "--part", "dev"], ["lines", "--recipe", "x"]):
        assert call(app, ["compose", wrong[0], str(tmp_path / "no"), *wrong[1:]]).exit_code == 2
