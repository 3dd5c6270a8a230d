"""What a server says on an observe stream, free of any transport; and what a transport has to offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from engram.client.ack import Ack
from engram.client.sending.rate_control import ServerLoad
from engram.errors import EngramError


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a client says of itself when it connects.

    Parameters
    ----------
    session_id
        The session to resume; empty for a new one.
    writer
        A number at random, the same on all connections of one stream, so that the server can tell it from another
        client with the same session id.
    known_sequence
        The last number that is known to be durable, on every connection but the first.
    incarnation
        Of the space, as the server told it last.
    """

    session_id: str = ""
    writer: int = 0
    known_sequence: int | None = None
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The session is open: its id, what of it is durable, what the server can take, and which past the space has."""

    session_id: str
    durable_sequence: int
    generation: int
    queue_capacity: int = 0
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Everything up to ``ack.last_sequence`` is durable and recallable."""

    ack: Ack


@dataclass(frozen=True, slots=True)
class Indexed:
    """Everything up to `sequence` is linked into the graph, too."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The message that carried ``first..last`` is not stored."""

    first: int
    last: int
    error: EngramError


@dataclass(frozen=True, slots=True)
class LoadChange:
    """The server's load changed."""

    mood: ServerLoad
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something about the session is wrong that belongs to no particular message."""

    error: EngramError


@dataclass(frozen=True, slots=True)
class Closed:
    """The server has closed the session, as asked."""


Event = Accepted | Indexed | Refused | LoadChange | Trouble | Closed


class StreamConnection(Protocol):
    """One open stream of a session."""

    async def send(self, payload: Any, first_sequence: int) -> None:
        """Send a batch under that number. Raises `EngramError` if the connection is broken."""
        ...

    async def receive(self) -> Event:
        """The next event. Raises `EngramError` when the stream ends, however it ends."""
        ...

    async def close_session(self, last_sequence: int) -> None:
        """Tell the server that nothing more will come."""
        ...

    async def abort(self) -> None:
        """Let go of the stream at once; the session stays resumable."""
        ...


class Transport(Protocol):
    """Opens connections."""

    async def connect(self, greeting: Greeting) -> tuple[StreamConnection, Welcome]:
        """Open a session, or resume the one named. Raises `EngramError`."""
        ...
