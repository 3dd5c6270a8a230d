"""The events of an observe stream, and the protocol of a transport; both are independent of gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from engram.client.sending.rate_control import ServerLoad
from engram.errors import EngramError
from engram.model.ack import Ack


@dataclass(frozen=True, slots=True)
class Greeting:
    """The data that a client sends when it connects.

    Parameters
    ----------
    session_id
        Id of the session to resume; empty for a new session.
    writer
        Random number that is the same on all connections of one stream. By this number the server distinguishes the
        client from another one with the same session id, see docs/decisions/0012.
    known_sequence
        Last sequence number that the client knows to be durable; None on the first connection.
    incarnation
        Incarnation of the space that the server last reported; empty if it is not known.
    """

    session_id: str = ""
    writer: int = 0
    known_sequence: int | None = None
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The reply of the server that the session is open.

    Parameters
    ----------
    session_id
        Id of the session.
    durable_sequence
        Last durable sequence number of the session.
    generation
        Generation of the space at this moment.
    queue_capacity
        Number of observations that fit into the server's queue; 0 if it is not known.
    incarnation
        Incarnation of the space.
    """

    session_id: str
    durable_sequence: int
    generation: int
    queue_capacity: int = 0
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event that everything up to ``ack.last_sequence`` is durable and recallable."""

    ack: Ack


@dataclass(frozen=True, slots=True)
class Indexed:
    """The event that everything up to `sequence` is linked into the graph."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The event that the batch with the sequence numbers ``first..last`` is refused and not stored."""

    first: int
    last: int
    error: EngramError


@dataclass(frozen=True, slots=True)
class LoadChange:
    """The event that the load of the server has changed.

    Parameters
    ----------
    mood
        The new load.
    retry_after_ms
        Milliseconds that the client should wait; 0 if the server names no time.
    """

    mood: ServerLoad
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """The event of an error that concerns the session and no particular batch."""

    error: EngramError


@dataclass(frozen=True, slots=True)
class Closed:
    """The event that the server has closed the session."""


Event = Accepted | Indexed | Refused | LoadChange | Trouble | Closed


class StreamConnection(Protocol):
    """One open stream of a session."""

    async def send(self, payload: Any, first_sequence: int) -> None:
        """Send a batch whose first observation has the number `first_sequence`.

        Raises
        ------
        EngramError
            If the connection is broken.
        """
        ...

    async def receive(self) -> Event:
        """Return the next event.

        Raises
        ------
        EngramError
            When the stream ends, for whatever reason.
        """
        ...

    async def close_session(self, last_sequence: int) -> None:
        """Tell the server that no more observations will follow."""
        ...

    async def abort(self) -> None:
        """End the stream at once; the session can be resumed."""
        ...


class Transport(Protocol):
    """A transport, which opens connections to a server."""

    async def connect(self, greeting: Greeting) -> tuple[StreamConnection, Welcome]:
        """Open a new session, or resume the one that `greeting` names.

        Raises
        ------
        EngramError
            If the server refuses the session or does not answer.
        """
        ...
