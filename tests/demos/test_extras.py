"""The demos, started without what they need, say what is missing."""

import subprocess
import sys

import pytest

from demos import require

# Modules are made to look missing, as in an installation without extras.
BLOCKED = """
import importlib.util, runpy, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == {!r} else find_spec(name, *rest)
runpy.run_module({!r}, run_name="__main__", alter_sys=True)
"""


def test_missing_modules_name_the_extras():
    require("readers", "torch", "numpy")
    with pytest.raises(ImportError, match=r"no_such_module missing: .*\[readers,words\]"):
        require("readers,words", "torch", "no_such_module")


@pytest.mark.parametrize(
    ("module", "demo", "extras"),
    [("typer", "demos.checks", "[readers]"), ("wordfreq", "demos.words", "[readers,words]")],
)
def test_demos_without_their_extras_say_so(module, demo, extras):
    code = BLOCKED.format(module, demo)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert f"{module} missing" in last
    assert extras in last
