"""Relays the movements of a space's indexed watermark from the index workers to the event loop."""

from __future__ import annotations

from collections.abc import Callable

from engram.store.space_engine import SpaceEngine
from engram.streaming.loop.mailbox import Mailbox


class WatermarkRelay:
    """Calls `receive` on the event loop after the watermark moved. Moves made before that call share it.

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
        # Cleared before the watermark is read, so that a move during the read leads to another call.
        self._pending = False
        self._receive(self._space.config.name, self._space.indexed_generation)
