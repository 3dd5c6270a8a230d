"""The way from other threads to the event loop: many posts, one wake-up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

# One delivery handles at most this many posts before the loop gets to look at its sockets again.
_DELIVERY_MAX: Final = 4096
_logger = logging.getLogger(__name__)


class Mailbox:
    """Carries results of the committer and of the index workers to the event loop.

    Waking the loop costs far more than a post, so posts made while a wake-up is under way share it: the results of one
    group commit arrive together, and the acks made from them merge.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._posts: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._waking = False

    def post(self, receive: Callable[[Any], None], item: Any) -> None:
        """Have the loop call ``receive(item)`` soon, in the order of posts. Any thread may call this."""
        self._posts.append((receive, item))
        # Two threads that both see no wake-up under way wake the loop twice, which is harmless. A thread that sees one
        # has already appended, and delivery clears the flag before it looks, so no post is left lying.
        if not self._waking:
            self._waking = True
            self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            # The server is gone, and with it everyone who could be told.

    def _deliver(self) -> None:
        self._waking = False
        for _ in range(min(len(self._posts), _DELIVERY_MAX)):
            receive, item = self._posts.popleft()
            try:
                receive(item)
            except Exception:
                # One receiver's fault must not keep the others from their results.
                _logger.exception("a receiver failed")
        if self._posts and not self._waking:
            self._waking = True
            self._loop.call_soon(self._deliver)
