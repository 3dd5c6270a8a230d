"""The seam between the client and what carries its calls: the protocol of a transport, and what crosses it.

Requests and results cross it as the nouns of `engram.model.operations`, batches in the transport's own encoding, and
failures as typed errors. The client decides what is asked, what is tried again and when; a transport only carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from engram.client.sending.rate_control import ServerLoad
from engram.errors import EngramError
from engram.model.ack import Ack
from engram.model.observations import ObservationBatch
from engram.model.operations.operation import Request
from engram.model.priority import Priority

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Greeting:
    """The data that a client sends when it connects.

    Parameters
    ----------
    space
        Name of the memory space.
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

    space: str
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
    load
        The new load.
    retry_after_ms
        Milliseconds that the client should wait; 0 if the server names no time.
    """

    load: ServerLoad
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class SessionError:
    """The event of an error that concerns the session and no particular batch."""

    error: EngramError


@dataclass(frozen=True, slots=True)
class Closed:
    """The event that the server has closed the session."""


Event = Accepted | Indexed | Refused | LoadChange | SessionError | Closed


class StreamConnection(Protocol):
    """One open stream of a session."""

    async def send(self, payload: Any, first_sequence: int, traceparent: str = "") -> None:
        """Send a batch that the transport has encoded; its first observation has the number `first_sequence`.

        `traceparent` is the span of the batch (W3C Trace Context), which the server's spans are to be within; empty if
        there is none. It is left out where the server would not understand it.

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


class AnswerStream(Protocol[Result_co]):
    """One call under way that is answered with a stream of results."""

    async def read(self) -> Result_co | None:
        """Return the next result, or None after the last one.

        Raises
        ------
        EngramError
            If the call fails, for whatever reason.
        """
        ...

    def cancel(self) -> None:
        """End the call, if it has not ended; nothing is read any more."""
        ...


class ObserveTransport(Protocol):
    """The part of a transport that an observe stream needs."""

    async def observe(self, greeting: Greeting) -> tuple[StreamConnection, Welcome]:
        """Open a new session, or resume the one that `greeting` names.

        Raises
        ------
        EngramError
            If the server refuses the session or does not answer.
        """
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class Transport(ObserveTransport, Protocol):
    """What carries the calls of one client to one server. It connects at the first call, on the running event loop."""

    @property
    def address(self) -> str:
        """The address of the server, as messages to the user name it."""
        ...

    def check(self) -> None:
        """Check that calls can be made in this process.

        Raises
        ------
        FailedPrecondition
            In a forked child that cannot use the transport (code ``forked``).
        """
        ...

    def encode(self, batch: ObservationBatch, priority: Priority) -> Any:
        """Return a batch as `StreamConnection.send` sends it. Any thread may call this.

        The result may hold the arrays of `batch` themselves, because the client has copied them from its caller's. They
        must not change until the batch is answered.

        Raises
        ------
        InvalidInput
            If the batch is too large to be sent.
        """
        ...

    async def call(self, request: Request[Result], timeout_s: float) -> Result:
        """Make one attempt of an operation that has one result.

        Raises
        ------
        TimeoutError
            If no answer comes within `timeout_s` seconds.
        EngramError
            The error of the server, or the reason why the server cannot be reached.
        """
        ...

    def stream(self, request: Request[Result]) -> AnswerStream[Result]:
        """Begin an operation that streams; errors come with its results."""
        ...

    def no_answer(self) -> EngramError:
        """Return the error for a caller who has waited in vain for a server that has never answered."""
        ...
