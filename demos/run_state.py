"""The state of a training run, from which an interrupted run resumes with the same result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from demos.checkpoint import (
    FORMAT,
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
    write_whole,
)
from demos.locks import FolderLock

__all__ = [
    "RunState",
    "averaged",
    "differences",
    "in_order",
    "moments_of",
    "move_average",
    "numbered",
    "restore_moments",
    "training_into",
]

_NAMED = 6
"""Most differences between two runs that are named."""

_MISSING = object()
"""Stands for a setting that a run does not have, as opposed to one that is null."""

Part = Mapping[str, Tensor]
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class RunState:
    """The folder of a run: ``state.safetensors``, and ``log.jsonl``, a line of JSON for each step.

    Args:
        out: the folder.
        run: what the run depends on (settings, data), as JSON. Another run is not resumed.
        others: what differs in another run, for the message that refuses it.
        kind: format of the state file.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> state = RunState(Path(folder.name), {"rate": 0.1}, "another rate")
    >>> state.load() is None
    True
    >>> state.save({"network": {"weight": torch.ones(1)}}, done=3)
    >>> parts, about = state.load()
    >>> parts, about["done"]
    ({'network': {'weight': tensor([1.])}}, 3)
    >>> RunState(Path(folder.name), {"rate": 0.2}, "another rate").load()
    Traceback (most recent call last):
    demos.checkpoint.CheckpointError: ...: belongs to a run of another rate (rate is 0.1 there, 0.2
    here); choose another --out, or remove it
    >>> folder.cleanup()
    """

    out: Path
    run: Mapping[str, Any]
    others: str
    kind: str = FORMAT
    _locks: list[FolderLock | None] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def save(self, parts: Mapping[str, Part], **about: Any) -> None:
        """Write the tensors of all parts, ``PART.NAME``, and what else the next step depends on."""
        tensors = {f"{part}.{name}": t for part, of in parts.items() for name, t in of.items()}
        save_checkpoint(self._file, tensors, {**self.run, **about}, kind=self.kind)

    def load(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
        """Return the tensors of each part and what was saved beside them.

        Return ``None`` if no state was saved: the run begins, and an existing log, which belongs to
        another run, is deleted. From now on, other processes are locked out of the folder as long
        as this state lives.

        Raises:
            CheckpointError: the file belongs to another run (the message names what differs, with
                both values) or is not a state; or another process runs in the folder.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        self._locks.append(_locked(self.out))
        if not self._file.exists():
            self._log.unlink(missing_ok=True)
            return None
        tensors, about = load_checkpoint(self._file, kind=self.kind)
        run = json.loads(json.dumps(dict(self.run)))  # turns tuples into lists
        there = {key: about.get(key) for key in run}
        if there != run:
            raise CheckpointError(
                f"{self._file}: belongs to a run of {self.others} ({differences(there, run)}); "
                "choose another --out, or remove it"
            )
        parts: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = value
        return parts, about

    def log(self, line: Mapping[str, Any]) -> None:
        """Append a line to the log."""
        with self._log.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def cut_log(self, is_known: Callable[[dict[str, Any]], bool]) -> None:
        """Keep only the log lines that the state knows of.

        A run killed between writing a line and saving its state would write that line twice.
        """
        lines = self._log.read_text().splitlines(keepends=True) if self._log.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        write_whole(self._log, "".join(line for line in whole if is_known(json.loads(line))))

    def write_log(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Rewrite the log of a run whose state holds all lines."""
        write_whole(self._log, "".join(json.dumps(line) + "\n" for line in lines))

    @property
    def _file(self) -> Path:
        return self.out / "state.safetensors"

    @property
    def _log(self) -> Path:
        return self.out / "log.jsonl"


@contextmanager
def training_into(out: Path, *, make: bool = False) -> Iterator[None]:
    """Lock other processes out of the folder of a run, also while its data are read.

    :meth:`RunState.load` locks it only after that, which may take minutes.

    Args:
        out: the folder.
        make: create it if it is missing, as :meth:`RunState.load` does; for data that have been
            read. Before that a missing folder is neither created nor locked, since the data may
            prove unusable.

    Raises:
        CheckpointError: another process runs in the folder.
    """
    if make:
        out.mkdir(parents=True, exist_ok=True)
    lock = _locked(out) if out.is_dir() else None
    yield
    del lock  # held until here


def _locked(out: Path) -> FolderLock | None:
    try:
        return FolderLock.of(out)
    except BlockingIOError:
        raise CheckpointError(
            f"{out}: another process trains into it now; choose another --out, or wait until it "
            "ends"
        ) from None


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return what differs between two runs, given as JSON: by name, with both values.

    >>> differences({"settings": {"seed": 0, "kept": 1}}, {"settings": {"seed": 1, "kept": 1}})
    'seed is 0 there, 1 here'
    >>> differences({"fields": [["a", "12"], ["b", "7"]]}, {"fields": [["a", "12"]]})
    'fields: 2 there, 1 here, 1 in both'
    """
    found = list(_differences(there, here))
    more = [f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
    return "; ".join([*found[:_NAMED], *more])


def _differences(there: Any, here: Any, name: str = "") -> Iterator[str]:
    if there == here:
        return
    if isinstance(there, dict) and isinstance(here, dict):
        for key in there | here:
            inside = key if name in ("", "run", "settings") else f"{name}.{key}"
            yield from _differences(there.get(key, _MISSING), here.get(key, _MISSING), inside)
    elif isinstance(there, list) and isinstance(here, list) and _is_long(there + here):
        rows = [Counter(map(json.dumps, one)) for one in (there, here)]
        both = (rows[0] & rows[1]).total()
        yield f"{name}: {len(there)} there, {len(here)} here, {both} in both"
    else:
        yield f"{name} is {_shown(there)} there, {_shown(here)} here"


def _shown(value: Any) -> str:
    if value is _MISSING:
        return "missing"
    return shorten(json.dumps(value), 60, placeholder=" …")


def _is_long(values: list[Any]) -> bool:
    """Return whether these are rows of a data set rather than the few numbers of a setting."""
    return len(values) > 16 or any(isinstance(one, list) for one in values)


def moments_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return what an optimizer remembers of each parameter, as a part of a state.

    >>> weight = nn.Parameter(torch.ones(1))
    >>> optimizer = torch.optim.SGD([weight], momentum=0.9)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> moments_of(optimizer)
    {'0.momentum_buffer': tensor([1.])}
    """
    states = optimizer.state_dict()["state"]
    return {f"{i}.{key}": value for i, state in states.items() for key, value in state.items()}


def restore_moments(optimizer: torch.optim.Optimizer, part: Part) -> None:
    """Restore an optimizer's memory from :func:`moments_of`; it keeps its own rates and groups."""
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in part.items():
        i, _, key = name.partition(".")
        states.setdefault(int(i), {})[key] = value
    if states:
        optimizer.load_state_dict(optimizer.state_dict() | {"state": states})


def numbered(tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    """Return a sequence of tensors as a part of a state: ``0``, ``1`` …"""
    return {str(i): tensor for i, tensor in enumerate(tensors)}


def in_order(part: Part) -> list[Tensor]:
    """Return the tensors that :func:`numbered` numbered.

    >>> in_order(numbered([torch.zeros(1), torch.ones(1)]))
    [tensor([0.]), tensor([1.])]
    """
    return [part[str(i)] for i in range(len(part))]


def move_average(average: Part, newest: Part, share: float) -> None:
    """Move a running mean of a module's state a share of the way to the newest; copy counts.

    >>> mean = {"weight": torch.zeros(1), "batches": torch.tensor(4)}
    >>> move_average(mean, {"weight": torch.ones(1), "batches": torch.tensor(5)}, 0.25)
    >>> mean
    {'weight': tensor([0.2500]), 'batches': tensor(5)}
    """
    for key, value in newest.items():
        if value.is_floating_point():
            average[key].lerp_(value, share)
        else:  # the number of batches behind the statistics
            average[key].copy_(value)


def averaged(module: M, like: M, average: Sequence[Tensor]) -> M:
    """Return ``like``, a module built as ``module`` is, with the running mean of its parameters."""
    like.load_state_dict(module.state_dict())
    with torch.no_grad():
        for parameter, mean in zip(like.parameters(), average, strict=True):
            parameter.copy_(mean)
    return like.eval()
