"""A package of this repository that is written in TypeScript, and the Node of the environment to run its scripts."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doubles.places import ROOT

BIN = Path(sys.executable).parent
TIMEOUT_S = 550


@contextmanager
def building_alone(package: str) -> Iterator[None]:
    """Keep tests in other processes from building a package: each build begins by removing what the last one made."""
    # Where nothing is installed, nothing is built.
    folder = ROOT / package / "node_modules"
    if not folder.is_dir():
        yield
        return
    with (folder / ".build-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_script(package: str, script: str, *arguments: str, **environment: str) -> str:
    """Run a script of a package and return what it printed; skip the test where `make extras` was not run."""
    folder = ROOT / package
    if not (folder / "node_modules").is_dir() or not (BIN / "npm").exists():
        pytest.skip(f"what {package} is tested with is not installed: make extras")
    done = subprocess.run(
        [BIN / "npm", "run", "--silent", script, "--", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "ENGRAM_PYTHON": sys.executable,
            "CI": "1",
            "NO_COLOR": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{script} of {package} failed:\n{done.stdout[-6000:]}\n{done.stderr[-4000:]}"
    return done.stdout
