"""The stream of a session, whatever its messages look like: it reads for a connection and writes its events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from engram.errors import EngramError, InvalidInput
from engram.logs.fields import remember_fields
from engram.metrics import table
from engram.model.operations.action import Action
from engram.model.spaces import DEFAULT_SPACE
from engram.server.authorization import Caller
from engram.server.clients.client_left import ClientLeft
from engram.server.engine import Engine, stopping_error
from engram.server.malformed import Malformed
from engram.streaming.pressure.load_shedding import SpaceLoad
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.connection import Connection
from engram.streaming.sessions.outbox import Event

T = TypeVar("T")
EncodeEvent = Callable[[Event, str, Callable[[], SpaceLoad]], T]
"""Makes what is sent of an event, from the event, the id of the session (empty before it is open), and what returns the
load on its space."""

_logger = logging.getLogger(__name__)


async def run_stream(
    engine: Engine,
    connection: Connection,
    read: Coroutine[Any, Any, None],
    encode: EncodeEvent[T],
    write: Callable[[T], Awaitable[object]],
) -> None:
    """Run `read` and write the events of `connection`, until it is finished or cancelled, or the server stops.

    Raises
    ------
    EngramError
        If the call ends with an error.
    """
    reader = asyncio.create_task(_reading(connection, read))
    stopper = asyncio.create_task(_stopping(engine, connection, reader))

    async def write_all(events: list[Event]) -> None:
        session_id = connection.session.id if connection.session is not None else ""
        for event in events:
            await write(encode(event, session_id, lambda: engine.admission.load(connection.space)))

    try:
        await connection.outbox.hand_to(write_all)
    finally:
        connection.detach()
        stopper.cancel()
        reader.cancel()
        await asyncio.gather(reader, stopper, return_exceptions=True)
        _log_end(connection)
    if connection.outbox.error is not None:
        raise connection.outbox.error


async def complain(engine: Engine, connection: Connection, message: Malformed) -> None:
    """Tell the client that one of its messages cannot be read; the stream goes on."""
    engine.counters.add(table.MALFORMED)
    connection.complain(message.error)
    await connection.outbox.room()


async def open_session(
    engine: Engine, caller: Caller, connection: Connection, space: str, session_id: str, claim: Claim
) -> None:
    """Open the session of a stream in the space called `space` (empty: the default space), if the caller may observe.

    Raises
    ------
    EngramError
        If the caller may not, or the session cannot be opened.
    """
    if connection.session is not None:
        connection.complain(
            InvalidInput("the stream has its session already", code="already_open", field="init", value="a second init")
        )
        return
    name = engine.meant(space or DEFAULT_SPACE)
    engine.authorize(caller, name, Action.OBSERVE)
    async with engine.held(name) as served:
        await connection.open(served, session_id, claim)
        connection.asked_for = space
        if connection.session is not None:
            remember_fields(space=name, session=connection.session.id)
            _logger.info("a session is open", extra={"generation": served.generation})


def check_address(connection: Connection, space: str, session_id: str) -> None:
    """Check that a message names the stream's own space, also as it was opened, and its session, or none.

    Raises
    ------
    EngramError
        If it names others, or the session is not open.
    """
    session, _ = connection.opened()
    for field, given, own in (
        ("memory_space_id", space, session.space),
        ("session_id", session_id, session.id),
    ):
        # The alias that the stream was opened by may mean another space by now, and the stream stays where it is.
        if given and given != own and not (field == "memory_space_id" and given == connection.asked_for):
            raise InvalidInput(
                f"this stream belongs to {field} {own!r}, not to {given[:64]!r}",
                code="wrong_address",
                field=field,
                limit=own,
                value=given[:64],
            )


def undecodable(failure: Exception) -> EngramError:
    """Return the typed error for observations whose decoding raised `failure`.

    No content of a message may end the stream, because valid messages may come behind it.
    """
    if isinstance(failure, EngramError):
        return failure
    _logger.error("a message cannot be decoded", exc_info=failure)
    return InvalidInput(f"the message cannot be decoded: {failure!r}", code="not_storable", field="batch")


def _log_end(connection: Connection) -> None:
    session, error = connection.session, connection.outbox.error
    if session is not None:
        reason = "" if error is None else f": {error.code}"
        _logger.info("the stream of a session ended%s", reason, extra={"space": session.space, "session": session.id})


async def _reading(connection: Connection, read: Coroutine[Any, Any, None]) -> None:
    try:
        await read
        await connection.end_of_input()
    except EngramError as error:
        connection.outbox.finish(error)
    except ClientLeft:
        # Some answers are written while reading, such as that a recall was cancelled.
        connection.outbox.finish()
    except Exception:
        _logger.exception("a stream failed")
        connection.outbox.finish(EngramError("internal error; the server's log has the details"))


async def _stopping(engine: Engine, connection: Connection, reader: asyncio.Task[None]) -> None:
    await engine.stopping.wait()
    reader.cancel()
    await connection.shut_down(stopping_error())
