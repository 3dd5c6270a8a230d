"""The pace of background work."""

from __future__ import annotations

import pytest

from engram.store.compaction.pace import Pace, Stopped


class Time:
    """A monotonic clock that sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.slept_s = 0.0
        monkeypatch.setattr("engram.store.compaction.pace.time.monotonic", lambda: self.now_s)
        monkeypatch.setattr("engram.store.compaction.pace.time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s += seconds


def test_bytes_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    pace = Pace(1_000, lambda: True)
    for _ in range(10):
        pace(500)
    assert time.slept_s == pytest.approx(5.0, abs=0.01)


def test_time_that_passed_without_work_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    pace = Pace(1_000, lambda: True)
    time.now_s += 60
    pace(2_000)
    assert time.slept_s == pytest.approx(2.0, abs=0.01)


def test_no_limit_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    Pace(0, lambda: True)(1 << 40)
    assert time.slept_s == 0


def test_it_ends_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    with pytest.raises(Stopped):
        Pace(1, lambda: time.slept_s < 3)(1_000)
    assert time.slept_s < 4
