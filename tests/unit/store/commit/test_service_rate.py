"""The measured drain rate against simulated queues: right within a fifth, whatever the steps look like."""

from __future__ import annotations

import random

import pytest

from engram.store.commit.service_rate import RETRY_AFTER_MS_MAX, ServiceRate
from tests.doubles.fake_space import ManualClock

TOLERANCE = 0.2


class Drain:
    """A queue that never runs empty, taken from in steps of random size and duration."""

    def __init__(self, seed: int, step_s: float, jitter: float) -> None:
        self.clock = ManualClock()
        self.rate = ServiceRate(self.clock)
        self.spread = random.Random(seed)
        self.step_s = step_s
        self.jitter = jitter
        self.taken = 0

    def step(self, per_second: float) -> None:
        count = round(per_second * self.step_s * self.spread.uniform(0.2, 1.8))
        self.rate.finish()
        self.rate.start(count)
        self.taken += count
        # What was taken takes its time, with a disk that now and then is slow.
        mean_s = count / per_second
        slow = self.spread.random() < 0.1
        self.clock.advance(mean_s * (1 - self.jitter) + (mean_s * self.jitter * 10 if slow else 0.0))

    def run(self, per_second: float, seconds: float) -> None:
        end_s = self.clock.now_s + seconds
        while self.clock.now_s < end_s:
            self.step(per_second)

    def error_of_prediction(self, per_second: float, count: int) -> float:
        """How far the predicted time for `count` is from the simulated one, relative to that."""
        predicted_ms = self.rate.time_ms(count)
        start_s, start = self.clock.now_s, self.taken
        while self.taken - start < count:
            self.step(per_second)
        return predicted_ms / 1000 / (self.clock.now_s - start_s) - 1


@pytest.mark.parametrize("per_second", [300, 20_000, 150_000])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_predictions_are_right_within_a_fifth(per_second: float, jitter: float) -> None:
    errors = []
    for seed in range(30):
        drain = Drain(seed, step_s=0.02, jitter=jitter)
        drain.run(per_second, 15)
        errors.append(drain.error_of_prediction(per_second, int(per_second * 20)))
    within = sum(abs(error) <= TOLERANCE for error in errors)
    assert within == len(errors), sorted(errors)


@pytest.mark.parametrize(("before", "after"), [(1_000, 10_000), (10_000, 1_000)])
def test_a_change_of_speed_is_noticed_within_seconds(before: float, after: float) -> None:
    drain = Drain(7, step_s=0.02, jitter=0.2)
    drain.run(before, 20)
    drain.run(after, 15)
    assert abs(drain.error_of_prediction(after, int(after * 5))) <= TOLERANCE


def test_waiting_for_work_is_not_slowness() -> None:
    drain = Drain(1, step_s=0.05, jitter=0.0)
    drain.run(1_000, 5)
    drain.rate.finish()
    drain.clock.advance(60)
    assert drain.rate.time_ms(1_000) == pytest.approx(1_000, rel=TOLERANCE)


def test_standing_still_is_slowness() -> None:
    drain = Drain(1, step_s=0.05, jitter=0.0)
    drain.run(1_000, 5)
    before_ms = drain.rate.time_ms(1_000)
    drain.clock.advance(60)
    assert drain.rate.time_ms(1_000) > 10 * before_ms


def test_times_are_bounded_and_a_guess_before_anything_is_known() -> None:
    drain = Drain(1, step_s=0.05, jitter=0.0)
    assert drain.rate.time_ms(10**9) == 1_000
    drain.run(1_000, 5)
    assert drain.rate.time_ms(10**9) == RETRY_AFTER_MS_MAX
    assert drain.rate.time_ms(0) == 1
