"""The retry policy of the client: what is tried again, and after which delay.

Three things can be tried again. A call that changes nothing is made again if its error `is_transient`. A batch that was
refused is sent again on the same stream if `may_resend` says so. A stream that ended is opened again if `may_reconnect`
says so; whatever was not acknowledged is then sent again under the same numbers, so nothing is stored twice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from engram.errors import EngramError, OverCapacity, SequenceError, Unavailable

GAVE_UP: Final = "gave_up"
# Codes of the errors that nothing answers at an address, or something else than a server.
NO_SERVER: Final = "no_server"
NOT_ENGRAM: Final = "not_engram"
# Codes that a transport reports when a connection or a server goes away during a call.
_CONNECTION_CODES: Final = frozenset({"cancelled", "unknown", "internal", "deadline_exceeded", "aborted"})
FIRST_S: Final = 0.05
DELAY_S_MAX: Final = 2.0

T = TypeVar("T")


def may_resend(error: EngramError) -> bool:
    """Return whether a batch that was refused with `error` may be accepted later on the same stream."""
    return isinstance(error, OverCapacity | Unavailable | SequenceError)


def may_reconnect(error: EngramError) -> bool:
    """Return whether a new stream may go on where one ended with `error`."""
    if error.code in (GAVE_UP, "session_mismatch"):
        return False
    return may_resend(error) or error.code in _CONNECTION_CODES


class Backoff:
    """The delays between attempts: exponential up to a bound, with jitter so that clients do not return all at once.

    Parameters
    ----------
    first_s, delay_s_max
        First delay, and upper bound of all delays, in seconds.
    spread
        Source of the jitter. Each delay is between half of its nominal length and all of it.
    """

    def __init__(
        self, first_s: float = FIRST_S, delay_s_max: float = DELAY_S_MAX, spread: random.Random | None = None
    ) -> None:
        self._first_s = first_s
        self._delay_s_max = delay_s_max
        self._spread = spread or random.Random()  # noqa: S311 - jitter, not a secret
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the seconds to wait now; the following delay is twice as long, up to the bound."""
        nominal = self._next_s
        self._next_s = min(nominal * 2, self._delay_s_max)
        return nominal * self._spread.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again with the first delay, after a success."""
        self._next_s = self._first_s


async def retried(attempt: Callable[[], Awaitable[T]], until_s: float) -> T:
    """Await `attempt` again and again until it succeeds, and return its result.

    Parameters
    ----------
    attempt
        Makes a call that may be made twice.
    until_s
        Time of the event loop after which no further attempt begins.

    Raises
    ------
    EngramError
        The error of the last attempt: one that is not transient, or the one after which there is no time left.
    """
    # Most calls succeed at once, and to seed the jitter takes longer than to make a request.
    backoff: Backoff | None = None
    loop = asyncio.get_running_loop()
    while True:
        try:
            return await attempt()
        except EngramError as error:
            backoff = backoff or Backoff()
            delay_s = max(backoff.next_s(), (error.retry_after_ms or 0) / 1000)
            if not error.is_transient or loop.time() + delay_s >= until_s:
                raise
        await asyncio.sleep(delay_s)
