"""What is open is closed in reverse order, whatever one of them does; and what goes wrong becomes one line."""

from __future__ import annotations

import gc
import logging
import os
import threading
from pathlib import Path

import pytest

from engram.errors import FailedPrecondition
from engram.lifecycle import interpreter_exit
from engram.lifecycle.forking import check_process
from engram.lifecycle.stop_signals import EndSignals


class Thing:
    def __init__(self, log: list[str], name: str, failure: BaseException | None = None) -> None:
        self.log, self.name, self.failure = log, name, failure

    def end(self, timeout_s: float) -> None:
        self.log.append(self.name)
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def duties(monkeypatch: pytest.MonkeyPatch) -> interpreter_exit._Registry:
    """Duties of their own, which the end of the tests does not meet."""
    own = interpreter_exit._Registry()
    monkeypatch.setattr(interpreter_exit, "_registry", own)
    monkeypatch.setattr("atexit.register", lambda _: None)
    return own


def test_the_latest_is_closed_first(duties: interpreter_exit._Registry, capsys: pytest.CaptureFixture[str]) -> None:
    log: list[str] = []
    things = [Thing(log, name) for name in ("a", "b", "c")]
    for thing in things:
        interpreter_exit.opened(thing, thing.name)
    duties.run()
    duties.run()
    assert log == ["c", "b", "a"]
    assert capsys.readouterr().err == ""


def test_what_is_closed_or_gone_is_left_alone(duties: interpreter_exit._Registry) -> None:
    log: list[str] = []
    kept, closed = Thing(log, "kept"), Thing(log, "closed")
    interpreter_exit.opened(Thing(log, "gone"), "gone")
    interpreter_exit.opened(Thing(log, "held"), "held", keep=True)
    interpreter_exit.opened(kept, "kept")
    interpreter_exit.closed(interpreter_exit.opened(closed, "closed"))
    gc.collect()
    duties.run()
    assert log == ["kept", "held"]


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_failures_keep_nothing_open_and_are_one_line(
    duties: interpreter_exit._Registry, capsys: pytest.CaptureFixture[str], failures: int
) -> None:
    log: list[str] = []
    things = [Thing(log, f"{n}", OSError(f"broken\n{n}") if n < failures else None) for n in range(4)]
    for thing in things:
        interpreter_exit.opened(thing, f"thing {thing.name}")
    interpreter_exit.report("3 rows are lost")
    duties.run()
    assert len(log) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("engram: 3 rows are lost; thing ")
    assert line.count("could not be closed: broken") == failures


def test_warnings_meanwhile_are_in_the_line(
    duties: interpreter_exit._Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    class Warning(Thing):
        def end(self, timeout_s: float) -> None:
            logging.getLogger("engram.somewhere").warning("%d rows", 5)

    thing = Warning([], "a")
    interpreter_exit.opened(thing, "a")
    duties.run()
    assert capsys.readouterr().err == "engram: 5 rows\n"


def test_what_is_abandoned_is_closed_by_another_thread(duties: interpreter_exit._Registry) -> None:
    ended = threading.Event()

    class Last(Thing):
        def end(self, timeout_s: float) -> None:
            assert threading.current_thread().name == "engram-ending"
            ended.set()

    interpreter_exit.opened(Thing([], "first"), "first")
    interpreter_exit.abandon(Last([], "last"), "last")
    assert ended.wait(30)


def test_a_process_uses_what_is_its_own() -> None:
    check_process(os.getpid(), "store")
    with pytest.raises(FailedPrecondition, match="open a store of its own") as caught:
        check_process(1, "store")
    assert (caught.value.code, caught.value.limit, caught.value.value) == ("forked", "1", str(os.getpid()))


def test_the_second_signal_is_answered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stops: list[int] = []
    signals = EndSignals()
    signals.hand_to(lambda: stops.append(1))
    signals.handle(15)
    signals.handle(15)
    assert stops == [1]
    assert capfd.readouterr().err.startswith("engram: SIGTERM: the server is ending already")
