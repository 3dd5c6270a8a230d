"""Pace, backoff and patience with a clock made of plain numbers."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.client.retry import Backoff, may_reconnect
from engram.client.sending.rate_control import RATE_MIN, RateControl, ServerLoad
from engram.client.sending.watchdog import ProgressWatchdog
from engram.errors import (
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    OverCapacity,
    SequenceError,
    Unavailable,
)


def busy_pace(rate: float = 10_000) -> RateControl:
    """A pace that has seen a second of sending at `rate`."""
    pace = RateControl()
    for step in range(101):
        pace.sent(int(rate / 100), step / 100)
    return pace


def test_without_complaints_there_is_no_limit() -> None:
    pace = busy_pace()
    assert pace.rate is None
    assert pace.delay_s(1.0) == 0


@pytest.mark.parametrize("mood", [ServerLoad.BACKPRESSURE, ServerLoad.OVERLOADED])
def test_each_complaint_halves_the_rate(mood: ServerLoad) -> None:
    pace = busy_pace(10_000)
    pace.status(mood, 0, 1.0)
    assert pace.rate == pytest.approx(5_000, rel=0.05)
    pace.status(mood, 0, 1.1)
    assert pace.rate == pytest.approx(5_000, rel=0.05), "complaints in quick succession count as one"
    pace.status(mood, 0, 1.3)
    assert pace.rate == pytest.approx(2_500, rel=0.05)


def test_a_limited_rate_spaces_the_batches() -> None:
    pace = busy_pace(10_000)
    pace.status(ServerLoad.BACKPRESSURE, 0, 1.0)
    pace.sent(500, 1.0)
    assert pace.delay_s(1.0) == pytest.approx(0.1, rel=0.05)
    assert pace.delay_s(1.2) == 0


def test_the_rate_never_falls_to_a_standstill() -> None:
    pace = busy_pace()
    for step in range(40):
        pace.status(ServerLoad.OVERLOADED, 0, 1.0 + step)
    assert pace.rate == pytest.approx(10_000 / 32, rel=0.05)
    pace = busy_pace(200)
    for step in range(40):
        pace.status(ServerLoad.OVERLOADED, 0, 1.0 + step)
    assert pace.rate == RATE_MIN


def test_the_full_rate_is_back_within_ten_seconds_of_the_worst() -> None:
    pace = busy_pace(100_000)
    for step in range(40):
        pace.status(ServerLoad.OVERLOADED, 300_000, 1.0 + step)
    assert pace.delay_s(41.0) > 200
    pace.status(ServerLoad.ACTIVE, 0, 41.0)
    assert pace.delay_s(41.0) == 0, "better news come before their time"
    pace.delay_s(50.9)
    assert pace.rate is None


def test_a_server_that_recovers_is_not_punished() -> None:
    pace = busy_pace(10_000)
    pace.status(ServerLoad.OVERLOADED, 5_000, 1.0)
    rate = pace.rate
    pace.status(ServerLoad.BACKPRESSURE, 800, 2.0)
    assert pace.rate == rate
    assert pace.delay_s(2.0) == 0


def test_backpressure_slows_down_and_does_not_stop() -> None:
    pace = busy_pace(10_000)
    pace.status(ServerLoad.BACKPRESSURE, 5_000, 1.0)
    assert pace.delay_s(1.0) < 0.1


def test_a_refusal_halves_and_waits() -> None:
    pace = busy_pace(10_000)
    pace.refused(250, 1.0)
    assert pace.rate == pytest.approx(5_000, rel=0.05)
    assert pace.delay_s(1.0) == pytest.approx(0.25, rel=0.05)


def test_retry_after_is_waited_for_even_without_a_rate() -> None:
    pace = RateControl()
    pace.hold(250, 10.0)
    assert pace.delay_s(10.0) == pytest.approx(0.25)
    assert pace.delay_s(10.25) == 0


def test_a_paused_stream_sends_nothing_until_it_is_active() -> None:
    pace = RateControl()
    pace.status(ServerLoad.PAUSED, 0, 0.0)
    assert pace.delay_s(1e9) == math.inf
    pace.status(ServerLoad.ACTIVE, 0, 1.0)
    assert pace.delay_s(1.0) == 0


def test_a_pause_does_not_outlive_its_connection() -> None:
    pace = RateControl()
    pace.status(ServerLoad.PAUSED, 0, 0.0)
    pace.disconnected()
    assert pace.delay_s(0.0) == 0


def test_the_rate_grows_only_while_active_and_the_limit_goes_away_in_the_end() -> None:
    pace = busy_pace(10_000)
    pace.status(ServerLoad.BACKPRESSURE, 0, 1.0)
    limited = pace.rate
    pace.delay_s(60.0)
    assert pace.rate == limited
    pace.status(ServerLoad.ACTIVE, 0, 60.0)
    pace.delay_s(60.5)
    assert pace.rate is not None
    assert limited is not None
    assert limited < pace.rate < 10_000
    pace.delay_s(70.0)
    assert pace.rate is None


@given(st.lists(st.tuples(st.sampled_from([*ServerLoad, None]), st.floats(0, 5), st.integers(0, 10_000)), max_size=40))
def test_once_active_everything_is_sent_in_bounded_time(history: list[tuple[ServerLoad | None, float, int]]) -> None:
    pace, now_s = RateControl(), 0.0
    for mood, step_s, count in history:
        now_s += step_s
        if mood is None:
            pace.sent(count, now_s)
        else:
            pace.status(mood, count, now_s)
        assert pace.delay_s(now_s) >= 0
    pace.status(ServerLoad.ACTIVE, 0, now_s)
    # At most every count at the lowest rate, after the longest hold.
    assert pace.delay_s(now_s) <= 10 + 40 * 10_000 / RATE_MIN


def test_backoff_doubles_up_to_its_bound_and_starts_over() -> None:
    backoff = Backoff(first_s=0.1, delay_s_max=1.0, spread=random.Random(7))
    nominal = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    for expected in nominal:
        assert expected / 2 <= backoff.next_s() <= expected
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_patience_ends_with_the_last_trouble() -> None:
    patience = ProgressWatchdog(patience_s=10, silence_s=5, now_s=100)
    patience.check_progress(110)
    patience.trouble = OverCapacity("the queue is full", retry_after_ms=70)
    with pytest.raises(OverCapacity, match=r"no progress for 10 s.*the queue is full") as caught:
        patience.check_progress(111)
    assert (caught.value.code, caught.value.retry_after_ms) == ("gave_up", 70)
    patience.progress(111)
    patience.check_progress(121)


def test_time_that_the_server_asked_to_wait_needs_no_patience() -> None:
    patience = ProgressWatchdog(patience_s=10, silence_s=5, now_s=100)
    patience.excuse(105, 300)
    patience.excuse(110, 5)
    patience.check_progress(410)
    with pytest.raises(Unavailable):
        patience.check_progress(411)
    patience.excuse(500, 60)
    patience.progress(510)
    patience.check_progress(570)
    with pytest.raises(Unavailable):
        patience.check_progress(571)


def test_silence_is_noticed_only_after_its_time() -> None:
    patience = ProgressWatchdog(patience_s=10, silence_s=5, now_s=100)
    patience.check_silence(105)
    with pytest.raises(Unavailable, match="silent for 5 s"):
        patience.check_silence(106)
    patience.heard(106)
    patience.check_silence(110)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (Unavailable("gone"), True),
        (OverCapacity("full"), True),
        (SequenceError("gap"), True),
        (EngramError("reset", code="cancelled"), True),
        (SequenceError("lost", code="session_mismatch"), False),
        (Unavailable("enough", code="gave_up"), False),
        (NotFound("no space"), False),
        (InvalidInput("NaN"), False),
        (FailedPrecondition("taken over"), False),
        (EngramError("no such method", code="unimplemented"), False),
    ],
)
def test_which_errors_a_reconnect_may_cure(error: EngramError, passing: bool) -> None:
    assert may_reconnect(error) is passing
