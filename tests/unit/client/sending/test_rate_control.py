"""Rate control, backoff and the progress watchdog with a clock made of plain numbers."""

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
    """A rate control that has seen a second of sending at `rate`."""
    rates = RateControl()
    for step in range(101):
        rates.sent(int(rate / 100), step / 100)
    return rates


def test_without_complaints_there_is_no_limit() -> None:
    rates = busy_pace()
    assert rates.rate is None
    assert rates.delay_s(1.0) == 0


@pytest.mark.parametrize("load", [ServerLoad.BACKPRESSURE, ServerLoad.OVERLOADED])
def test_each_complaint_halves_the_rate(load: ServerLoad) -> None:
    rates = busy_pace(10_000)
    rates.status(load, 0, 1.0)
    assert rates.rate == pytest.approx(5_000, rel=0.05)
    rates.status(load, 0, 1.1)
    assert rates.rate == pytest.approx(5_000, rel=0.05), "complaints in quick succession count as one"
    rates.status(load, 0, 1.3)
    assert rates.rate == pytest.approx(2_500, rel=0.05)


def test_a_limited_rate_spaces_the_batches() -> None:
    rates = busy_pace(10_000)
    rates.status(ServerLoad.BACKPRESSURE, 0, 1.0)
    rates.sent(500, 1.0)
    assert rates.delay_s(1.0) == pytest.approx(0.1, rel=0.05)
    assert rates.delay_s(1.2) == 0


def test_the_rate_never_falls_to_a_standstill() -> None:
    rates = busy_pace()
    for step in range(40):
        rates.status(ServerLoad.OVERLOADED, 0, 1.0 + step)
    assert rates.rate == pytest.approx(10_000 / 32, rel=0.05)
    rates = busy_pace(200)
    for step in range(40):
        rates.status(ServerLoad.OVERLOADED, 0, 1.0 + step)
    assert rates.rate == RATE_MIN


def test_the_full_rate_is_back_within_ten_seconds_of_the_worst() -> None:
    rates = busy_pace(100_000)
    for step in range(40):
        rates.status(ServerLoad.OVERLOADED, 300_000, 1.0 + step)
    assert rates.delay_s(41.0) > 200
    rates.status(ServerLoad.ACTIVE, 0, 41.0)
    assert rates.delay_s(41.0) == 0, "better news come before their time"
    rates.delay_s(50.9)
    assert rates.rate is None


def test_a_server_that_recovers_is_not_punished() -> None:
    rates = busy_pace(10_000)
    rates.status(ServerLoad.OVERLOADED, 5_000, 1.0)
    rate = rates.rate
    rates.status(ServerLoad.BACKPRESSURE, 800, 2.0)
    assert rates.rate == rate
    assert rates.delay_s(2.0) == 0


def test_backpressure_slows_down_and_does_not_stop() -> None:
    rates = busy_pace(10_000)
    rates.status(ServerLoad.BACKPRESSURE, 5_000, 1.0)
    assert rates.delay_s(1.0) < 0.1


def test_a_refusal_halves_and_waits() -> None:
    rates = busy_pace(10_000)
    rates.refused(250, 1.0)
    assert rates.rate == pytest.approx(5_000, rel=0.05)
    assert rates.delay_s(1.0) == pytest.approx(0.25, rel=0.05)


def test_retry_after_is_waited_for_even_without_a_rate() -> None:
    rates = RateControl()
    rates.hold(250, 10.0)
    assert rates.delay_s(10.0) == pytest.approx(0.25)
    assert rates.delay_s(10.25) == 0


def test_a_paused_stream_sends_nothing_until_it_is_active() -> None:
    rates = RateControl()
    rates.status(ServerLoad.PAUSED, 0, 0.0)
    assert rates.delay_s(1e9) == math.inf
    rates.status(ServerLoad.ACTIVE, 0, 1.0)
    assert rates.delay_s(1.0) == 0


def test_a_pause_does_not_outlive_its_connection() -> None:
    rates = RateControl()
    rates.status(ServerLoad.PAUSED, 0, 0.0)
    rates.disconnected()
    assert rates.delay_s(0.0) == 0


def test_the_rate_grows_only_while_active_and_the_limit_goes_away_in_the_end() -> None:
    rates = busy_pace(10_000)
    rates.status(ServerLoad.BACKPRESSURE, 0, 1.0)
    limited = rates.rate
    rates.delay_s(60.0)
    assert rates.rate == limited
    rates.status(ServerLoad.ACTIVE, 0, 60.0)
    rates.delay_s(60.5)
    assert rates.rate is not None
    assert limited is not None
    assert limited < rates.rate < 10_000
    rates.delay_s(70.0)
    assert rates.rate is None


@given(st.lists(st.tuples(st.sampled_from([*ServerLoad, None]), st.floats(0, 5), st.integers(0, 10_000)), max_size=40))
def test_once_active_everything_is_sent_in_bounded_time(history: list[tuple[ServerLoad | None, float, int]]) -> None:
    rates, now_s = RateControl(), 0.0
    for load, step_s, count in history:
        now_s += step_s
        if load is None:
            rates.sent(count, now_s)
        else:
            rates.status(load, count, now_s)
        assert rates.delay_s(now_s) >= 0
    rates.status(ServerLoad.ACTIVE, 0, now_s)
    # At most every count at the lowest rate, after the longest hold.
    assert rates.delay_s(now_s) <= 10 + 40 * 10_000 / RATE_MIN


def test_backoff_doubles_up_to_its_bound_and_starts_over() -> None:
    backoff = Backoff(first_s=0.1, delay_s_max=1.0, spread=random.Random(7))
    nominal = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    for expected in nominal:
        assert expected / 2 <= backoff.next_s() <= expected
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_patience_ends_with_the_last_trouble() -> None:
    watchdog = ProgressWatchdog(patience_s=10, silence_s=5, now_s=100)
    watchdog.check_progress(110)
    watchdog.last_error = OverCapacity("the queue is full", retry_after_ms=70)
    with pytest.raises(OverCapacity, match=r"no progress for 10 s.*the queue is full") as caught:
        watchdog.check_progress(111)
    assert (caught.value.code, caught.value.retry_after_ms) == ("gave_up", 70)
    watchdog.note_progress(111)
    watchdog.check_progress(121)


def test_time_that_the_server_asked_to_wait_needs_no_patience() -> None:
    watchdog = ProgressWatchdog(patience_s=10, silence_s=5, now_s=100)
    watchdog.extend(105, 300)
    watchdog.extend(110, 5)
    watchdog.check_progress(410)
    with pytest.raises(Unavailable):
        watchdog.check_progress(411)
    watchdog.extend(500, 60)
    watchdog.note_progress(510)
    watchdog.check_progress(570)
    with pytest.raises(Unavailable):
        watchdog.check_progress(571)


def test_silence_is_noticed_only_after_its_time() -> None:
    watchdog = ProgressWatchdog(patience_s=10, silence_s=5, now_s=100)
    watchdog.check_silence(105)
    with pytest.raises(Unavailable, match="silent for 5 s"):
        watchdog.check_silence(106)
    watchdog.note_traffic(106)
    watchdog.check_silence(110)


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
