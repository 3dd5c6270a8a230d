"""The native core is refused if it was built from other sources than those that call it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engram
from engram import _core

PACKAGE = Path(engram.__file__).parent
# A copy of the package finds the core beside itself, as in an installation.
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import engram
assert engram.__file__.startswith(sys.argv[1]), engram.__file__
for attempt in range(2):
    try:
        engram.MemoryStore
    except ImportError as error:
        print(error)
    else:
        print("works")
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    copy = tmp_path / "engram"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("page", "__pycache__", "data"))
    assert _core.__file__ is not None
    shutil.copy(_core.__file__, copy)
    return copy


def lines_of(copied: Path) -> list[str]:
    # Without site packages of its own, an editable installation cannot step in; NumPy and crc32c are added by path.
    paths = ":".join(path for path in sys.path if path.endswith("site-packages"))
    program = f"import sys; sys.path += {paths!r}.split(':')\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, str(copied.parent)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_core_that_belongs_to_the_sources_works(copied: Path) -> None:
    assert lines_of(copied) == ["works", "works"]


def test_a_core_of_other_sources_is_refused_each_time(copied: Path) -> None:
    stubs = copied / "_core.pyi"
    stubs.write_text(stubs.read_text(encoding="utf-8") + "\ndef new() -> None: ...\n", encoding="utf-8")
    for line in (lines := lines_of(copied)):
        assert "was built from other sources than those in" in line
        assert "pip install ." in line
    assert len(lines) == 2


def test_a_core_that_is_not_there_is_named(copied: Path) -> None:
    next(copied.glob("_core*.so")).unlink()
    assert [line.partition(";")[0] for line in lines_of(copied)] == ["the native core of Engram is not there"] * 2


def test_without_stubs_nothing_is_compared(copied: Path) -> None:
    (copied / "_core.pyi").unlink()
    assert lines_of(copied) == ["works", "works"]
