"""Run a peer in another interpreter: inputs in a file of arrays, questions and answers as JSON.

An adapter is a script in this folder, named after the peer (``facebook_gtn.py``) and run by the
peer's interpreter. It answers each line of JSON with another:

===========================================  ================================================
question                                     answer
===========================================  ================================================
(none; first line)                           ``{"name": …}``, for the table
``{"operation": …, "inputs": "file.npz"}``   ``{"ready": true}``, or ``{"ready": false}`` if it
                                             has no such operation
``{"run": true, "answered": true}``          ``{"seconds": …, "answer": {…}}``
===========================================  ================================================

It times itself, so that the time for passing lines does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

import gtn
from benchmarks.case import Answer, Question

__all__ = ["Peer", "as_arrays"]

FOLDER = Path(__file__).parent


def as_arrays(name: str, graph: gtn.Graph) -> dict[str, Any]:
    """Return the arrays of a graph with names for adapters: ``name.src`` and so on.

    >>> sorted(as_arrays("a", gtn.string([1])))
    ['a.dst', 'a.final_penalties', ..., 'a.src', 'a.start_penalties', 'a.starts']
    """
    topology = ("src", "dst", "ilabels", "olabels", "starts", "finals")
    tensors = ("penalties", "start_penalties", "final_penalties")
    return {
        f"{name}.nodes": np.array(graph.num_nodes),
        **{f"{name}.{part}": getattr(graph, part) for part in topology},
        **{f"{name}.{part}": getattr(graph, part).detach().numpy() for part in tensors},
    }


class Peer:
    """A running adapter.

    Args:
        adapter: its name in this folder, or its path.
        python: the interpreter that has the peer installed.
    """

    def __init__(self, adapter: str, python: str) -> None:
        script = FOLDER / f"{adapter}.py" if "/" not in adapter else Path(adapter)
        if not script.is_file():
            raise FileNotFoundError(f"there is no adapter {script} for the peer {adapter}")
        # Our checkout must not be on the peer's path: its import name may be ours.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        self._folder = tempfile.TemporaryDirectory()
        try:
            self._process = subprocess.Popen(
                [python, str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=self._folder.name,
                env=environment | {"OMP_NUM_THREADS": "1"},
            )
        except OSError:  # no such interpreter
            self._folder.cleanup()
            raise
        self.name: str = self._read()["name"]

    def asked(self, question: Question) -> bool:
        """Hand over the inputs of a question; return whether the peer takes part."""
        path = Path(self._folder.name) / "inputs.npz"
        np.savez(path, **question.arrays)
        return bool(self._ask(operation=question.operation, inputs=str(path))["ready"])

    def once(self, answered: bool) -> tuple[float, Answer]:
        """Return the seconds of one repetition, and its answer if ``answered``."""
        said = self._ask(run=True, answered=answered)
        return said["seconds"], said.get("answer", {})

    def _ask(self, **question: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # reading then reports what became of the process
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self.close()
            raise ChildProcessError(f"{self._process.args} ended with {code}")
        said: dict[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        """End the adapter, which stops at the end of its input."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait(timeout=60)
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
