"""The suites other libraries test what joins them to Engram with, unmodified, each in an environment of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.doubles.places import ROOT

ENVIRONMENTS = ROOT / ".venv" / "suites"
# How many tests a suite has at least, so that a suite that loses tests is noticed.
COUNTS = {"langchain": 113 + 44 + 30 + 7 + 74, "haystack": 2 * (82 + 43) + 115 + 5, "chroma": 20 + 6}
TIMEOUT_S = 500


def test_every_suite_is_run() -> None:
    assert {path.parent.name for path in (ROOT / "tests" / "suites").glob("*/requirements.txt")} == set(COUNTS)


@pytest.mark.parametrize("suite", COUNTS)
def test_a_suite_passes_without_an_exception(suite: str, record_property: Callable[[str, object], None]) -> None:
    python = ENVIRONMENTS / suite / "bin" / "python"
    if not (ENVIRONMENTS / suite / ".stamp").exists():
        pytest.skip(f"the suites of {suite} are not installed; make extras installs them")
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/suites/{suite}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
    told = re.search(r"^(\d+) passed in ", done.stdout, re.MULTILINE)
    # Anything beside "passed", such as a skipped test, stands in the line and does not match.
    assert told is not None, done.stdout[-1_000:]
    assert int(told[1]) >= COUNTS[suite]
    record_property(f"suites of {suite}", f"{told[1]} passed")
