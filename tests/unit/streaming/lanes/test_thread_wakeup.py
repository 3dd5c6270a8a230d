"""Waking a sleeping thread: the caller never waits, and the sleeper misses no call."""

from __future__ import annotations

import threading

from engram.streaming.lanes.thread_wakeup import ThreadWakeup
from tests.doubles.waiting import TIMEOUT_S


def test_what_is_ready_needs_no_sleep() -> None:
    ThreadWakeup().sleep_until(lambda: True)


def test_a_sleep_ends_after_its_timeout() -> None:
    ThreadWakeup().sleep_until(lambda: False, 0.0)


def test_ringing_while_nobody_sleeps_wakes_nobody_later() -> None:
    wakeup = ThreadWakeup()
    wakeup.wake()
    looks: list[bool] = []

    def ready() -> bool:
        looks.append(False)
        return False

    wakeup.sleep_until(ready, 0.01)
    # Before falling asleep, and once more after saying so; when the time was over nobody looked again.
    assert len(looks) == 2


def test_a_ring_before_its_reason_does_not_end_a_sleep() -> None:
    wakeup = ThreadWakeup()
    reasons: list[int] = []
    asleep = threading.Event()

    def ready() -> bool:
        asleep.set()
        return bool(reasons)

    sleeper = threading.Thread(target=wakeup.sleep_until, args=(ready, TIMEOUT_S))
    sleeper.start()
    assert asleep.wait(TIMEOUT_S)
    for _ in range(100):
        wakeup.wake()
    assert sleeper.is_alive()
    reasons.append(1)
    wakeup.wake()
    sleeper.join(TIMEOUT_S)
    assert not sleeper.is_alive()


def test_no_wake_up_is_lost_between_two_threads() -> None:
    """Each waits for the other's last step, thousands of times; one lost wake-up and both would sleep."""
    steps, rounds = [0], 5_000
    wakeups = [ThreadWakeup(), ThreadWakeup()]

    def play(player: int) -> None:
        for step in range(player, 2 * rounds, 2):
            wakeups[player].sleep_until(lambda step=step: steps[0] == step, TIMEOUT_S)  # type: ignore[misc]
            steps[0] = step + 1
            wakeups[1 - player].wake()

    players = [threading.Thread(target=play, args=(player,)) for player in (0, 1)]
    for thread in players:
        thread.start()
    for thread in players:
        thread.join(TIMEOUT_S)
    assert steps[0] == 2 * rounds
