"""Relays the movements of a space's indexed watermark from the index workers to the event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import ref

from engram.store.space_engine import SpaceEngine
from engram.streaming.loop.mailbox import Mailbox


class WatermarkRelay:
    """Calls `receive` on the event loop after the watermark moved, and after all that was posted before it moved.

    Moves made before that call share it. The results of commits are posted before the watermark passes their
    generations, so a receiver knows of a result when it is told that its generations are indexed.

    Parameters
    ----------
    space
        The space whose indexed watermark is followed from now on.
    mailbox
        Delivers the notifications to the event loop.
    receive
        Called on the event loop with the name of the space and its indexed generation.
    """

    def __init__(self, space: SpaceEngine, mailbox: Mailbox, receive: Callable[[str, int], None]) -> None:
        # A space that came to rest is not kept in memory by this.
        self._space = ref(space)
        self._mailbox = mailbox
        self._receive = receive
        self._guard = threading.Lock()
        self._is_posted = False
        self._moved_since = False
        space.add_indexed_listener(self._moved)

    def follows(self, space: SpaceEngine) -> bool:
        """Return whether it is the watermark of `space` that is followed, and not that of an engine before it."""
        return self._space() is space

    def _moved(self, *_: object) -> None:
        with self._guard:
            if self._is_posted:
                # What is posted may stand before results that were posted since, so another one must follow it.
                self._moved_since = True
                return
            self._is_posted = True
        self._mailbox.post(self._look, None)

    def _look(self, _: None) -> None:
        # Noted before the watermark is read, so that a move during the read leads to another call.
        with self._guard:
            self._is_posted, self._moved_since = self._moved_since, False
            again = self._is_posted
        space = self._space()
        try:
            if space is not None:
                self._receive(space.config.name, space.indexed_generation)
        finally:
            if again:
                self._mailbox.post(self._look, None)
