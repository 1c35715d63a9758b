"""Worker processes of a command: Ctrl-C reaches only the command, and they end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, context, parent_process
from typing import Any

__all__ = ["processes"]


@contextmanager
def processes(
    count: int, begin: Callable[..., None] | None = None, *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of ``count`` processes, each of which first calls ``begin(*given)``.

    Leaving the block cancels work that has not begun. An interrupt from the keyboard, which the
    system sends to all processes of a command, reaches only the command; a command that is killed
    leaves no process behind.

    Raises:
        ChildProcessError: one of them died, perhaps for lack of memory.
    """
    pool = ProcessPoolExecutor(count, _Spawning(), _begin, (begin, given))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "a process that shares the work ended by itself, perhaps for want of memory; fewer "
            "--workers may do"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


class _Process(context.SpawnProcess):
    """A process that ignores interrupts from the keyboard, from its first import on."""

    def start(self) -> None:
        """Start it with SIGINT blocked, which it inherits; here an interrupt waits meanwhile."""
        if not hasattr(signal, "pthread_sigmask"):  # POSIX only
            super().start()
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Spawning(context.SpawnContext):
    Process = _Process


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    if begin is not None:
        begin(*given)


def _end_with_the_command() -> None:
    command = parent_process()
    assert command is not None
    connection.wait([command.sentinel])
    os._exit(1)  # the pool's queue would wait for ever for the next task
