"""Looks at a server: one in each interval, also while it is away."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from engram.cli.live.looks import looks
from engram.cli.live.reading import LiveReading
from engram.client import ServerStatus
from engram.errors import EngramError, Unavailable
from engram.metrics import table
from tests.unit.cli.live.statuses import status

GONE = Unavailable("gone", code="no_server")


class Server:
    """Answers with what it is given, and has a clock that moves as it is waited for."""

    def __init__(self, *answers: int | EngramError) -> None:
        self._answers = iter(answers)
        self.now = 100.0

    def status(self) -> ServerStatus:
        answer = next(self._answers)
        if isinstance(answer, EngramError):
            raise answer
        return status(table.RECALLS.sample(answer))

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def looks(self) -> Iterator[LiveReading | EngramError]:
        return looks(self.status, 2.0, clock=lambda: self.now, wait=self.wait)


def rates(found: Iterator[LiveReading | EngramError], count: int) -> list[float | EngramError]:
    return [each if isinstance(each, EngramError) else each.recalls_per_s for each in itertools.islice(found, count)]


def test_each_interval_is_compared_with_the_one_before() -> None:
    assert rates(Server(0, 10, 30).looks(), 2) == [5, 10]


def test_a_server_that_is_not_there_at_first_is_an_error() -> None:
    with pytest.raises(Unavailable):
        next(Server(GONE).looks())


def test_what_happened_while_the_server_was_away_is_no_rate() -> None:
    assert rates(Server(0, 10, GONE, GONE, 1000, 1020).looks(), 4) == [5, GONE, GONE, 10]


def test_a_clock_that_stands_still_gives_no_rate() -> None:
    server = Server(0, 10, 20)
    found = looks(server.status, 2.0, clock=lambda: 1.0, wait=lambda _: None)
    with pytest.raises(RuntimeError):  # The answers end before there is one.
        next(found)
