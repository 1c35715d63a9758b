"""Processes that share the work of a command end with it and leave interrupts to it."""

import os
import signal
import subprocess
import sys

import pytest

from demos.processes import processes

WAITING = """
import os, signal, sys, time
from demos.processes import processes
# A shell's jobs in the background ignore it; just before a long sleep it would not be heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
with processes(2) as pool:
    for one in [pool.submit(time.sleep, 0.01) for _ in range(8)]:
        one.result()
    print("ready", flush=True)
    pool.submit(time.sleep, 0.5)
    for _ in range(600):
        time.sleep(0.1)
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


def begun():
    command = subprocess.Popen(
        [sys.executable, "-c", WAITING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert command.stdout.readline() == "ready\n"
    return command


def test_a_command_that_is_killed_leaves_no_process_behind():
    with begun() as command:
        command.kill()
        command.communicate(timeout=30)  # it ends when no process holds the pipe any more


def test_an_interrupt_from_the_keyboard_is_for_the_command_alone():
    with begun() as command:
        os.killpg(command.pid, signal.SIGINT)
        _, said = command.communicate(timeout=30)
    assert said.count("KeyboardInterrupt") == 1  # of this command, not a typer app


def test_a_process_that_ends_by_itself_is_an_error_of_the_system():
    with pytest.raises(ChildProcessError, match="fewer --workers"), processes(1) as pool:
        pool.submit(os._exit, 1).result()
