"""A mailbox from other threads to the event loop, in which many posts share one wake-up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

# One delivery handles at most this many posts, so that the event loop polls its sockets in between.
_DELIVERY_MAX: Final = 4096
_logger = logging.getLogger(__name__)


class Mailbox:
    """Delivers results of the committer and of the index workers to the event loop.

    Waking the event loop costs far more than a post, so posts made while a wake-up is pending share it. Therefore the
    results of one group commit arrive together, and the acks made from them merge.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._posts: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._waking = False
        # What is called when the present delivery ends, each once; None while there is no delivery.
        self._after: dict[Callable[[], None], None] | None = None

    def post(self, receive: Callable[[Any], None], item: Any) -> None:
        """Have the event loop call ``receive(item)`` soon, in the order of posts. Any thread may call this."""
        self._posts.append((receive, item))
        # Two threads that both see no pending wake-up wake the loop twice, which is harmless. A thread that sees one
        # has already appended its post, and `_deliver` clears the flag before it reads the posts, so none is left
        # behind.
        if not self._waking:
            self._waking = True
            self._wake()

    def afterwards(self, call: Callable[[], None]) -> bool:
        """Have `call` called once, when the present delivery ends; return whether there is one.

        So receivers do once for all that is delivered together what each of them would do. Only what runs on the event
        loop's thread may call this.
        """
        if self._after is None:
            return False
        self._after[call] = None
        return True

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            # The event loop is closed: the server has ended, and no receiver is left.

    def _deliver(self) -> None:
        self._waking = False
        after: dict[Callable[[], None], None] = {}
        self._after = after
        for _ in range(min(len(self._posts), _DELIVERY_MAX)):
            receive, item = self._posts.popleft()
            try:
                receive(item)
            except Exception:
                # A receiver that fails must not keep the others from their results.
                _logger.exception("a receiver failed")
        self._after = None
        for call in after:
            try:
                call()
            except Exception:
                _logger.exception("what follows a delivery failed")
        if self._posts and not self._waking:
            self._waking = True
            self._loop.call_soon(self._deliver)
