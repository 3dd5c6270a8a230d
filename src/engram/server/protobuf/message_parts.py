"""Requests that arrive in parts, so that there is room for a large one before it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from engram.errors import EngramError, InvalidInput, Unavailable
from engram.model.limits import MESSAGE_BYTES_MAX, PART_BYTES_MAX
from engram.server.malformed import Malformed
from engram.server.protobuf.observe_message import ObserveMessage, parse_request
from engram.streaming.pressure.receiving import Arriving, ReceiveBudget
from engram.wire import engram_pb2 as pb

# Longer than a client that works takes between two parts.
_SILENCE_MAX_S: Final = 20.0


class MessageParts:
    """Puts the requests of one stream together that arrive in parts. Used on the event loop's thread only.

    Parameters
    ----------
    budget
        The budget of all that is arriving.
    give_up
        Ends the stream with an error. It is called if the rest of a request does not come, for which room is kept.

    Attributes
    ----------
    has_room
        Whether room is kept, for a request that is arriving or complete.
    """

    def __init__(self, budget: ReceiveBudget, give_up: Callable[[EngramError], None]) -> None:
        self._arriving = Arriving(budget)
        self._give_up = give_up
        self._parts: list[bytes] = []
        self._missing_bytes = 0
        self._silence: asyncio.TimerHandle | None = None
        self.has_room = False

    async def take(self, message: ObserveMessage | Malformed) -> ObserveMessage | Malformed | None:
        """Return `message`, or the request that it completes; None if it is a part that completes none.

        With the first part of a request, this waits until there is room for all of it, which is kept until `release`.

        Raises
        ------
        InvalidInput
            With code ``message_parts``, if the message cannot follow those before.
        OverCapacity
            If there is no room in time.
        """
        self._stop_timer()
        if isinstance(message, Malformed) or message.request.WhichOneof("operation") != "part":
            if self._missing_bytes:
                raise _refused("something else before the last part", f"{self._missing_bytes} missing bytes first")
            return message
        part = message.request.part
        self._check(part)
        if not self._missing_bytes:
            await self._arriving.reserve(part.message_bytes)
            self.has_room = True
            self._missing_bytes = part.message_bytes
        self._parts.append(part.data)
        self._missing_bytes -= len(part.data)
        if self._missing_bytes:
            self._silence = asyncio.get_running_loop().call_later(_SILENCE_MAX_S, self._give_up, _silent())
            return None
        whole = b"".join(self._parts)
        self._parts.clear()
        return parse_request(whole)

    def release(self) -> None:
        """Keep no room any more: the request that was complete is counted elsewhere, or the stream has ended."""
        self._stop_timer()
        self._parts.clear()
        self._missing_bytes = 0
        self.has_room = False
        self._arriving.release()

    def _stop_timer(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _check(self, part: pb.MessagePart) -> None:
        nbytes = len(part.data)
        if not 1 <= nbytes <= PART_BYTES_MAX:
            raise _refused(f"a part of {nbytes} bytes", f"1 to {PART_BYTES_MAX} bytes")
        if self._missing_bytes:
            if part.message_bytes:
                raise _refused("a first part in the middle of a request", f"{self._missing_bytes} missing bytes first")
            if nbytes > self._missing_bytes:
                raise _refused(f"a part of {nbytes} bytes", f"the {self._missing_bytes} missing bytes")
        elif not nbytes <= part.message_bytes <= MESSAGE_BYTES_MAX:
            raise _refused(f"message_bytes of {part.message_bytes}", f"{nbytes} to {MESSAGE_BYTES_MAX}")


def _refused(came: str, wanted: str) -> InvalidInput:
    return InvalidInput(
        f"the stream has {came} where there may be {wanted}",
        code="message_parts",
        field="part",
        limit=wanted,
        value=came,
    )


def _silent() -> Unavailable:
    return Unavailable(
        f"the rest of a request in parts did not come within {_SILENCE_MAX_S:g} s",
        code="message_parts_timeout",
        field="part",
        limit=f"{_SILENCE_MAX_S:g} s",
    )
