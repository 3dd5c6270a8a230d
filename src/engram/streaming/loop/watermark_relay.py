"""Carries the movements of a space's indexed watermark from the index workers to the event loop."""

from __future__ import annotations

from collections.abc import Callable

from engram.store.space import Space
from engram.streaming.loop.mailbox import Mailbox


class WatermarkRelay:
    """Has the event loop look at the watermark after it moved; moves made meanwhile share one look.

    Parameters
    ----------
    space
        Whose watermark is followed, from now on.
    mailbox
        Brings the news to the event loop.
    receive
        Called there with the name of the space and its indexed generation.
    """

    def __init__(self, space: Space, mailbox: Mailbox, receive: Callable[[str, int], None]) -> None:
        self._space = space
        self._mailbox = mailbox
        self._receive = receive
        self._pending = False
        space.add_indexed_listener(self._moved)

    def _moved(self, *_: object) -> None:
        if not self._pending:
            self._pending = True
            self._mailbox.post(self._look, None)

    def _look(self, _: None) -> None:
        # Cleared first: a move during the look below asks for another one.
        self._pending = False
        self._receive(self._space.config.name, self._space.indexed_generation)
