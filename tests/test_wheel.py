"""The built wheel, installed in an empty environment, reads a field outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.mark.first
def test_the_wheel_reads_a_field_outside_the_checkout(tmp_path: Path) -> None:
    def run(*command: str | Path, **environment: str) -> str:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=tmp_path,
            env={k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "NUMBA_CACHE_DIR")}
            | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        if (CHECKOUT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((CHECKOUT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")

    # An empty environment. A path file lends it what the wheel depends on, because installing
    # torch once more takes minutes. The checkout is not on that path.
    venv.create(tmp_path / "empty")
    python = tmp_path / "empty" / "bin" / "python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--quiet", "--no-deps", wheel)
    (Path(site) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    packages = ("gtn", "recognizers", "grammars", "demos")
    program = "\n".join(f"import {name}; print({name}.__file__)" for name in packages)
    for package, where in zip(packages, run(python, "-c", program).splitlines(), strict=True):
        assert where.startswith(site), f"{package} came from {where}"
        assert (Path(site) / package / "py.typed").exists()
    field = Path(site) / "demos" / "checks" / "fields" / "test_000.png"
    # Installed kernels are compiled anew. Those of a best path show that this works; those of a
    # composition would take seven times as long; compiling all that read a field, even without
    # optimization, takes ten times as long as running them as Python.
    program = "import gtn; print(gtn.path_text(gtn.viterbi_path(gtn.string('ab'))))"
    assert run(python, "-c", program, NUMBA_OPT="0") == "ab\n"
    assert list(Path(site).glob("gtn/kernels/__pycache__/*.nbc"))
    out = run(
        *(python, "-m", "demos.checks", "read", field, "--json", "--report", tmp_path / "page"),
        NUMBA_DISABLE_JIT="1",
    )
    reading = json.loads(out.splitlines()[0])
    assert reading["text"]
    assert 0 < reading["confidence"] <= 1
    assert (tmp_path / "page" / "report.html").stat().st_size > 10_000
