"""What a WebSocket received, between the network and the parser of frames."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

from engram import _core
from engram.server.websocket.short_way import Raw


class FrameReader(StreamReader):
    """Takes messages that came together all at once, and leaves every other frame to the parser.

    A parser asks for the end of what was received before each frame, so that is where messages are taken.

    Parameters
    ----------
    size_max
        Bytes of the largest message.
    may_take
        Returns whether messages may be taken at the beginning of the next frame.
    take
        Takes them.
    """

    def __init__(self, size_max: int, may_take: Callable[[], bool], take: Callable[[list[Raw]], None]) -> None:
        super().__init__()
        self._size_max: Final = size_max
        self._may_take = may_take
        self._take = take

    def at_eof(self) -> Generator[None, None, bool]:
        """Return whether nothing more will come; wait as long as that is not known, or a message is not whole."""
        while True:
            is_begun = False
            if self.buffer and self._may_take():
                messages, nbytes, is_begun = _core.take_frames(self.buffer, self._size_max)
                if messages:
                    del self.buffer[:nbytes]
                    self._take(messages)
            if self.buffer and (self.eof or not is_begun):
                return False
            if self.eof:
                return True
            yield


@dataclass(frozen=True, slots=True)
class Together:
    """An event of a `MessageProtocol`: messages that came together."""

    messages: list[Raw]


class MessageProtocol(ServerProtocol):
    """The protocol of websockets, with one event for messages that came together.

    Parameters
    ----------
    max_size
        Bytes of the largest message.
    logger
        Where it logs.

    Attributes
    ----------
    takes_together
        Whether there are such events.
    """

    def __init__(self, *, max_size: int, logger: logging.Logger) -> None:
        super().__init__(max_size=max_size, logger=logger)
        self.takes_together: bool = False
        self.reader = FrameReader(max_size, self._may_take, self._take)
        self.parser = self.parse()
        next(self.parser)

    def _may_take(self) -> bool:
        return self.takes_together and self.state is State.OPEN and self.current_size is None

    def _take(self, messages: list[Raw]) -> None:
        self.events.append(Together(messages))  # type: ignore[arg-type]  # An event of our own.
