"""The send rate that a client asks for, with a clock made of plain numbers."""

from __future__ import annotations

import pytest

from engram.streaming.sessions.send_rate import RATE_FIRST, RATE_MAX, RATE_MIN, SendRate


def test_without_a_word_there_is_no_limit() -> None:
    rate = SendRate()
    rate.sent(0.0)
    assert rate.delay_s(0.0) == 0


def test_a_rate_spaces_messages() -> None:
    rate = SendRate()
    rate.prefer(4.0)
    assert rate.delay_s(10.0) == 0
    rate.sent(10.0)
    assert rate.delay_s(10.0) == pytest.approx(0.25)
    assert rate.delay_s(10.25) == 0


def test_slower_halves_and_faster_doubles_until_there_is_no_limit() -> None:
    rate = SendRate()
    rate.slow_down()
    assert rate.rate == RATE_FIRST
    rate.slow_down()
    assert rate.rate == RATE_FIRST / 2
    for _ in range(60):
        rate.slow_down()
    assert rate.rate == RATE_MIN
    for _ in range(60):
        rate.speed_up()
    assert rate.rate is None
    rate.speed_up()
    assert rate.rate is None


def test_a_faster_pace_counts_at_once() -> None:
    rate = SendRate()
    rate.prefer(1.0)
    rate.sent(0.0)
    rate.prefer(RATE_MAX + 1)
    assert rate.delay_s(0.0) == 0
