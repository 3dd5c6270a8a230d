"""The pace a client asks for, with a clock made of plain numbers."""

from __future__ import annotations

import pytest

from engram.streaming.sessions.send_rate import RATE_FIRST, RATE_MAX, RATE_MIN, SendRate


def test_without_a_word_there_is_no_limit() -> None:
    pace = SendRate()
    pace.sent(0.0)
    assert pace.delay_s(0.0) == 0


def test_a_rate_spaces_messages() -> None:
    pace = SendRate()
    pace.prefer(4.0)
    assert pace.delay_s(10.0) == 0
    pace.sent(10.0)
    assert pace.delay_s(10.0) == pytest.approx(0.25)
    assert pace.delay_s(10.25) == 0


def test_slower_halves_and_faster_doubles_until_there_is_no_limit() -> None:
    pace = SendRate()
    pace.slow_down()
    assert pace.rate == RATE_FIRST
    pace.slow_down()
    assert pace.rate == RATE_FIRST / 2
    for _ in range(60):
        pace.slow_down()
    assert pace.rate == RATE_MIN
    for _ in range(60):
        pace.speed_up()
    assert pace.rate is None
    pace.speed_up()
    assert pace.rate is None


def test_a_faster_pace_counts_at_once() -> None:
    pace = SendRate()
    pace.prefer(1.0)
    pace.sent(0.0)
    pace.prefer(RATE_MAX + 1)
    assert pace.delay_s(0.0) == 0
