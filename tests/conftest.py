"""What every test run shares: signals as a terminal has them, and a closing word on what was measured and left out."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

DESELECTED = "deselected"
DESELECTED_KEY = pytest.StashKey[int]()
# No test judges time: what takes 10 ms may take a second on a machine that does much else.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Have child processes hear signals that a run in the background of a shell, or under nohup, would ignore."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Have a process that runs a share of the tests tell how many were deselected: each has seen all of them."""
    told: dict[str, int] | None = getattr(items[0].config, "workeroutput", None) if items else None
    if told is not None:
        told[DESELECTED] = told.get(DESELECTED, 0) + len(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Note what a process told that ends."""
    node.config.stash[DESELECTED_KEY] = getattr(node, "workeroutput", {}).get(DESELECTED, 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> Generator[None, None, None]:
    """Say at the end what tests recorded, and which parts did not run and why: a green run is no more than it was."""
    yield
    if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        place, _, reason = report.longrepr if isinstance(report.longrepr, tuple) else (report.nodeid, 0, "unknown")
        file = str(place).rpartition("tests/")[2]
        reasons[f"{file}: {reason.removeprefix('Skipped: ')}"] += 1
    told = [entry for report in terminalreporter.stats.get("passed", []) for entry in report.user_properties]
    if told:
        terminalreporter.section("measured", sep="-")
        for name, value in told:
            terminalreporter.line(f"{name}: {value}")
    terminalreporter.section("left out", sep="-")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{reason}{f' ({count} tests)' if count > 1 else ''}")
    deselected = len(terminalreporter.stats.get("deselected", []))
    deselected += terminalreporter.config.stash.get(DESELECTED_KEY, 0)
    if deselected:
        terminalreporter.line(f"{deselected} tests were deselected on the command line")
    if not reasons and not deselected:
        terminalreporter.line("nothing: every selected test ran")
