"""What a run leaves so that it can be resumed with the same result."""

import errno
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from demos.checkpoint import CheckpointError, load_checkpoint
from demos.checks.__main__ import app as checks
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.experiments.criteria import compare_criteria
from demos.checks.experiments.crossvalidate import crossvalidate
from demos.checks.experiments.separate import compare_trainings
from demos.checks.experiments.settings import Budget, Effort
from demos.checks.training.settings import Settings
from demos.checks.training.train import train
from demos.mnist.__main__ import app as mnist
from demos.mnist.boost import train_boosted
from demos.mnist.recipes import RECIPES
from demos.mnist.train import Digits
from demos.run_state import RunState, averaged, moments_of, restore_moments
from demos.strings.__main__ import app as strings
from demos.words.__main__ import app as words
from demos.words.experiments.hands import Hand, measure_hands
from recognizers.datasets.fields import load_fields


def stepped(module, optimizer):
    optimizer.zero_grad()
    module(torch.ones(1, 2)).square().sum().backward()
    optimizer.step()


def test_an_optimizer_goes_on_as_if_it_had_not_stopped(tmp_path):
    torch.manual_seed(0)
    module = nn.Linear(2, 3)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    stepped(module, optimizer)
    state = RunState(tmp_path / "run", {"settings": {"maps": (1, 2)}}, "other settings")
    state.save({"network": module.state_dict(), "optimizer": moments_of(optimizer)}, done=1)
    stepped(module, optimizer)

    parts, about = state.load()
    assert about == {"settings": {"maps": [1, 2]}, "done": 1}
    again = nn.Linear(2, 3)
    again.load_state_dict(parts["network"])
    optimizer = torch.optim.Adam(again.parameters(), lr=0.1)
    restore_moments(optimizer, parts["optimizer"])
    stepped(again, optimizer)
    for one, other in zip(module.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"state.safetensors"}
    assert "network.weight" in load_checkpoint(tmp_path / "run" / "state.safetensors")[0]


def test_another_run_is_refused_and_a_new_one_begins_its_log(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"pass": 9}\n')
    state = RunState(tmp_path, {"seed": 1}, "another seed")
    assert state.load() is None
    assert not log.exists()
    state.save({}, done=0)
    with pytest.raises(CheckpointError, match=r"seed \(seed is 1 there, 2 here\); choose another"):
        RunState(tmp_path, {"seed": 2}, "another seed").load()


TRAINING = """
import sys, time
from pathlib import Path
from demos.run_state import RunState
state = RunState(Path(sys.argv[1]), {"seed": 1}, "another seed")
print(state.load() is None, flush=True)
state.save({}, done=1)
state.log({"pass": 1})
print("saved", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_a_folder_that_another_process_trains_into_is_refused_until_it_is_killed(tmp_path):
    out = tmp_path / "runs" / "one"
    with subprocess.Popen(
        [sys.executable, "-c", TRAINING, out], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            assert [other.stdout.readline().strip() for _ in range(2)] == ["True", "saved"]
            for seed in (1, 2):
                with pytest.raises(CheckpointError, match=r"one: another process trains into it"):
                    RunState(out, {"seed": seed}, "another seed").load()
            assert (out / "log.jsonl").read_text() == '{"pass": 1}\n'
        finally:
            other.kill()
    assert other.returncode == -signal.SIGKILL
    state = RunState(out, {"seed": 1}, "another seed")
    found = state.load()
    assert found is not None
    assert found[1]["done"] == 1
    assert {path.name for path in out.iterdir()} == {"log.jsonl", "state.safetensors"}
    RunState(out, {"seed": 1}, "another seed").load()  # the same process may


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
@pytest.mark.parametrize(
    ("app", "command"),
    [
        (checks, "train --data {own}"),
        (checks, "train-fields --data {data}"),
        (checks, "crossvalidate --data {own}"),
        (checks, "criteria --data {own}"),
        (checks, "separate --data {own}"),
        (strings, "train --digits {data}"),
        (strings, "train --digits {data} --data {own}"),
        (strings, "train-spotter --digits {data}"),
        (mnist, "train --data {data}"),
        (mnist, "train --data {data} --validate"),
        (mnist, "train --data {own}"),
        (mnist, "train-sizes --data {data}"),
        (words, "train --data {data}"),
        (words, "train --task words --data {data}"),
        (words, "train --task words --data {own} --unipen {data}"),
        (words, "adapt --data {data}"),
    ],
)
def test_a_folder_that_is_trained_into_is_refused_before_data_are_read(app, command, tmp_path):
    import fcntl

    out, data, own = (tmp_path / name for name in ("run", "nothing", "own"))
    for folder in (out, own):
        folder.mkdir()
    (own / "labels.csv").touch()  # no rows, not even names of columns
    given = [*command.format(data=data, own=own).split(), "--out", str(out)]
    handle = os.open(out, os.O_RDONLY)  # as that of another process
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        refused = CliRunner().invoke(app, given).exception
        assert isinstance(refused, CheckpointError), refused
        assert "run: another process trains into it" in str(refused)
    finally:
        os.close(handle)
    failed = CliRunner().invoke(app, given).exception
    assert isinstance(failed, OSError | ValueError)
    assert not isinstance(failed, CheckpointError)
    assert not any(out.iterdir())


FIELDS = load_fields(DEMO_FIELDS).fields
BOXES = {one.name: np.zeros((len(one.text), 4)) for one in FIELDS}


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
@pytest.mark.parametrize(
    ("work", "run"),
    [
        ("checks.training.train.prepared", lambda out: train(FIELDS, Settings(), out)),
        (
            "checks.experiments.crossvalidate.train",
            lambda out: crossvalidate(FIELDS, Settings(), out, folds=2, block=3),
        ),
        (
            "checks.experiments.criteria.prepared",
            lambda out: compare_criteria(FIELDS, Budget(fields=4, validation=2), out),
        ),
        (
            "checks.experiments.separate.prepared",
            lambda out: compare_trainings(FIELDS, BOXES, Effort(folds=2, block=3), out),
        ),
        (
            "mnist.boost.train_network",
            lambda out: train_boosted(
                RECIPES["boosted-lenet-4"], 0, Digits(torch.empty(0), torch.empty(0)), out
            ),
        ),
        ("words.experiments.hands.adapt", lambda out: measure_hands(out, out, out, out)),
    ],
)
def test_a_new_folder_is_locked_before_the_first_work(work, run, tmp_path, monkeypatch):
    """Before fields are prepared; and the folder of several runs, not that of each alone."""
    import fcntl

    out = tmp_path / "runs" / "new"

    def stop(*_, **__):
        handle = os.open(out, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        raise KeyboardInterrupt

    monkeypatch.setattr("demos.words.experiments.hands.hands_of", lambda *_: {"a": Hand([], [])})
    monkeypatch.setattr(f"demos.{work}", stop)
    with pytest.raises(KeyboardInterrupt):
        run(out)


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_a_folder_is_free_when_its_run_has_ended(tmp_path):
    code = (
        "import sys; from pathlib import Path; from demos.locks import FolderLock; "
        "FolderLock.of(Path(sys.argv[1]))"
    )

    def refused():
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
        )
        assert done.returncode == int("BlockingIOError" in done.stderr)
        return done.returncode == 1

    states = [RunState(tmp_path, {}, "other settings") for _ in range(2)]
    for state in states:
        state.load()
    assert refused()
    del state, states[0]
    assert refused()
    states.clear()
    assert not refused()


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EBADF])
def test_a_disk_without_locks_is_trained_onto_as_ever(tmp_path, monkeypatch, error):
    def refuse(*given):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr("fcntl.flock", refuse)
    assert RunState(tmp_path, {}, "another seed").load() is None


def test_what_differs_is_named_with_both_values(tmp_path):
    fields = [[str(i), "12", ""] for i in range(20)]
    settings = {"rate": 0.1, "maps": [1, 2], "kept": None, "deep": {"noise": 0.5}}
    run = {"settings": settings, "fields": fields, "start": None}
    RunState(tmp_path, run, "other settings").save({})
    changed = {"maps": (1, 3), "deep": {"noise": 0.25}, "new": True, "unset": None}
    other = {
        "settings": settings | changed,
        "fields": [*fields[:18], ["x", "7", ""]],
        "start": "0123",
    }
    with pytest.raises(CheckpointError) as caught:
        RunState(tmp_path, other, "other settings").load()
    said_first = "of other settings (maps is [1, 2] there, [1, 3] here; "
    assert said_first in str(caught.value)
    for said in (
        "deep.noise is 0.5 there, 0.25 here",
        "new is missing there, true here",
        "unset is missing there, null here",
        "fields: 20 there, 19 here, 18 in both",
        'start is null there, "0123" here',
    ):
        assert said in str(caught.value)
    assert "rate" not in str(caught.value)
    many = {str(i): 1 for i in range(9)}
    RunState(tmp_path / "b", many, "others").save({})
    with pytest.raises(CheckpointError, match=r"5 is 1 there, 2 here; and 3 more\)"):
        RunState(tmp_path / "b", dict.fromkeys(many, 2), "others").load()


def test_lines_that_the_state_knows_nothing_of_leave_the_log(tmp_path):
    state = RunState(tmp_path, {}, "other settings")
    for number in (1, 2, 3):
        state.log({"pass": number})
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"pa')
    state.cut_log(lambda line: line["pass"] <= 2)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["pass"] for line in lines] == [1, 2]


def test_the_mean_is_of_the_parameters_and_the_rest_as_it_is():
    module, like = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    module(torch.tensor([[1.0], [3.0]]))
    kept = averaged(module, like, [torch.tensor([5.0]), torch.tensor([6.0])])
    assert (kept.weight.item(), kept.bias.item(), kept.training) == (5.0, 6.0, False)
    assert torch.equal(kept.running_mean, module.running_mean)
