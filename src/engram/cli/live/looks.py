"""Looks at a server, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engram.cli.live.reading import LiveReading, live_reading
from engram.client import ServerStatus
from engram.errors import EngramError


def looks(
    status: Callable[[], ServerStatus], interval_s: float, *, clock: Callable[[], float], wait: Callable[[float], None]
) -> Iterator[LiveReading | EngramError]:
    """Yield what the server does, once in each interval and without an end; the error while it does not answer.

    Parameters
    ----------
    status
        Asks the server.
    interval_s
        Seconds between the looks.
    clock
        Returns the time in seconds.
    wait
        Waits for so many seconds.

    Raises
    ------
    EngramError
        If the server does not answer the first time.
    """
    before: ServerStatus | None = status()
    asked_at = clock()
    while True:
        wait(interval_s)
        try:
            after = status()
        except EngramError as error:
            before = None
            yield error
            continue
        now = clock()
        if before is not None and now > asked_at:
            yield live_reading(before, after, now - asked_at)
        before, asked_at = after, now
