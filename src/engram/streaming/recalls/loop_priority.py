"""Priority of recalls on the event loop: messages of observations give way to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# The event loop needs about four iterations to accept a recall, and twice as many to answer it.
_ITERATIONS: Final = 16
# For this long after a recall another one is expected: it needs iterations of the loop before this module can see it.
_EXPECTED_S: Final = 1.0
_WAIT_S_MAX: Final = 0.02
# A message that comes so long after the one before need not give way: recalls have had their iterations.
_SPACE_S: Final = 0.001


class LoopPriority:
    """Runs iterations of the event loop for recalls between any two messages of observations.

    A recall needs little work in many iterations of the event loop; a message of observations needs much work in one.
    gRPC accepts one call after the other. Under load, recalls would therefore queue to be accepted, each for the time
    of several messages, although the recall threads are idle. So while there are recalls, iterations of the loop pass
    between any two messages, however many streams they come from: until no recall has come for `iterations`, or for so
    long that streams must continue, too. An iteration in which nothing happens costs next to nothing. A message by
    itself, such as one observation after some recalls, has no message before it and does not wait. The method is our
    own, see docs/decisions/0011. Used on the event loop's thread only.

    Parameters
    ----------
    iterations
        Iterations without a new recall that pass between two messages.
    wait_s_max
        After this many seconds, further recalls do not delay the next message any more: it follows as soon as the
        present count of iterations is complete.
    clock_s
        Monotonic clock in seconds.

    Attributes
    ----------
    under_way
        The number of recalls under way.
    """

    def __init__(
        self,
        iterations: int = _ITERATIONS,
        wait_s_max: float = _WAIT_S_MAX,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.under_way: int = 0
        self._begun = 0
        self._iterations = iterations
        self._wait_s_max = wait_s_max
        self._clock_s = clock_s
        self._expected_until_s = clock_s()
        # `asyncio.Lock` is fair: the message that has waited longest is next.
        self._gate = asyncio.Lock()
        # Ends the time in which the last message is the one before the next; None if it has ended.
        self._spacing: asyncio.Handle | None = None

    @contextmanager
    def recall_in_progress(self) -> Iterator[None]:
        """Count one recall as under way for the duration of the context."""
        self.under_way += 1
        self._begun += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._expected_until_s = self._clock_s() + _EXPECTED_S

    async def yield_to_recalls(self) -> None:
        """Let recalls pass before the next message; return at once if none is under way or expected."""
        if not self._is_expected():
            return
        if self._spacing is None and not self.under_way and not self._gate.locked():
            self._space()
            return
        async with self._gate:
            until_s = self._clock_s() + self._wait_s_max
            begun, idle = self._begun, 0
            while idle < self._iterations and self._is_expected():
                await asyncio.sleep(0)
                idle += 1
                if self._begun != begun and self._clock_s() < until_s:
                    begun, idle = self._begun, 0
            self._space()

    def _space(self) -> None:
        """Note that a message passes now. The time behind it begins in the next iteration, when it is done."""
        if self._spacing is not None:
            self._spacing.cancel()
        loop = asyncio.get_running_loop()

        def begin() -> None:
            self._spacing = loop.call_later(_SPACE_S, end)

        def end() -> None:
            self._spacing = None

        self._spacing = loop.call_soon(begin)

    def _is_expected(self) -> bool:
        return self.under_way > 0 or self._clock_s() < self._expected_until_s
