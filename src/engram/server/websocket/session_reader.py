"""The reading side of a WebSocket: it hands each message to the session, or to the calls beside it."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from engram.errors import EngramError, InvalidInput
from engram.server.authorization import Caller
from engram.server.engine import Engine
from engram.server.handlers.session_stream import complain, open_session, undecodable
from engram.server.malformed import Malformed
from engram.server.websocket.inbox import Inbox
from engram.server.websocket.joining import joined
from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.received import (
    CANCEL,
    CLOSE,
    FLOW,
    HEARTBEAT,
    INIT,
    OBSERVATION_BATCH,
    OBSERVATION_TYPES,
    SESSION_TYPES,
    Received,
    read_message,
    unreadable,
)
from engram.server.websocket.short_way import Raw
from engram.server.websocket.socket_calls import SocketCalls
from engram.streaming.sessions.connection import Connection
from engram.streaming.sessions.paused_backlog import Message
from engram.wire.forms.observations import batch_of_columns, priority_of


class SessionReader:
    """Handles the messages of one WebSocket, in order.

    Parameters
    ----------
    engine
        What serves.
    caller
        Whoever opened the WebSocket.
    connection
        The connection of its session.
    calls
        The calls beside the session.
    """

    def __init__(self, engine: Engine, caller: Caller, connection: Connection, calls: SocketCalls) -> None:
        self.calls = calls
        self._engine = engine
        self._caller = caller
        self._connection = connection

    async def read(self, inbox: Inbox, limits: SocketLimits) -> None:
        """Handle messages until the client is gone or the session has ended.

        Raises
        ------
        EngramError
            If the stream must end.
        """

        async def handle(messages: list[Raw]) -> None:
            await self._take_all(messages, limits)
            if self._connection.outbox.finished:
                inbox.stop()

        await inbox.hand_to(handle)

    async def _take_all(self, messages: list[Raw], limits: SocketLimits) -> None:
        singles: list[Received] = []
        for data, is_frame in messages:
            try:
                message = read_message(data, is_frame)
            except InvalidInput as error:
                await self._observe_singles(singles, limits)
                singles = []
                await self._refuse(unreadable(data, is_frame), error)
                continue
            if message.type == "observation":
                singles.append(message)
                continue
            await self._observe_singles(singles, limits)
            singles = []
            await self._take(message)
            if self._connection.outbox.finished:
                return
        await self._observe_singles(singles, limits)

    async def _refuse(self, message: Received, error: InvalidInput) -> None:
        """Answer what cannot be read, by its sequence number or as its call if that can be told of it."""
        if message.type in OBSERVATION_TYPES and self._connection.session is not None:
            await self._reject(message, error)
        elif not await self.calls.refuse(message, error):
            await complain(self._engine, self._connection, Malformed(error))

    async def _take(self, message: Received) -> None:
        if message.type == "observation_batch":
            await self._observe_batch(message)
            return
        try:
            if message.arrays is not None and message.type in SESSION_TYPES:
                raise InvalidInput(
                    f"a message of type {message.type} comes as text",
                    code="malformed_message",
                    field="type",
                    limit="a text message",
                    value="a binary message",
                )
            act = self._action(message)
        except InvalidInput as error:
            await complain(self._engine, self._connection, Malformed(error))
            return
        await act
        await self._connection.outbox.room()

    def _action(self, message: Received) -> Any:
        """Return what the message asks for, to be awaited."""
        text, connection = message.text, self._connection
        match message.type:
            case "init":
                init = INIT.read(text)
                return open_session(
                    self._engine, self._caller, connection, init.space or "", init.session_id or "", init.claim()
                )
            case "flow_control":
                return connection.flow(FLOW.read(text).flow())
            case "close":
                form = CLOSE.read(text)
                return self._close(bool(form.drain), form.last_sequence or 0)
            case "heartbeat":
                HEARTBEAT.read(text)
                return self._touch()
            case "cancel":
                return self.calls.cancel(CANCEL.read(text).id)
            case _:
                return self._call(message)

    async def _close(self, drain: bool, last_sequence: int) -> None:
        await self.calls.finish()
        await self._connection.close(drain=drain, last_sequence=last_sequence)

    async def _touch(self) -> None:
        if self._connection.session is not None:
            self._connection.session.touch()

    async def _call(self, message: Received) -> None:
        await self._touch()
        try:
            await self.calls.start(message)
        except InvalidInput as error:
            await complain(self._engine, self._connection, Malformed(error))

    async def _observe_singles(self, messages: list[Received], limits: SocketLimits) -> None:
        for each in joined(messages, limits):
            if isinstance(each, Message):
                await self._observe(each)
            else:
                await self._reject(*each)

    async def _observe_batch(self, message: Received) -> None:
        try:
            form: Any = OBSERVATION_BATCH.read(message.text, is_header=message.arrays is not None)
            arrays = message.arrays or {}
            twice = next((name for name in arrays if name in form.__struct_fields__ and _is_given(form, name)), None)
            if twice is not None or (message.arrays is None and _is_given(form, "arrays")):
                raise InvalidInput(
                    f"{twice or 'arrays'} is no field of this message",
                    code="malformed_message",
                    field=twice or "arrays",
                    limit="a field, or an array of a frame",
                    value="both" if twice else "a text message",
                )
            batch, priority = batch_of_columns(form, arrays), priority_of(form)
            observations = Message(form.sequence_number, batch, priority, traceparent=form.traceparent or "")
        except Exception as error:
            await self._reject(message, error)
            return
        await self._observe(observations)

    async def _observe(self, observations: Message) -> None:
        self._connection.opened()
        await self._engine.recalls.loop_priority.yield_to_recalls()
        await self._connection.observe(observations)

    async def _reject(self, message: Received, failure: Exception) -> None:
        """Refuse observations that cannot be read; without a sequence number, only say so."""
        self._connection.opened()
        error: EngramError = undecodable(failure)
        rejected = message.rejected_range()
        if rejected is None:
            await complain(self._engine, self._connection, Malformed(_as_input(error)))
            return
        self._connection.reject(*rejected, error)
        await self._connection.outbox.room()


def _is_given(form: Any, name: str) -> bool:
    return getattr(form, name) not in (None, UNSET)


def _as_input(error: EngramError) -> InvalidInput:
    return error if isinstance(error, InvalidInput) else InvalidInput(error.message, code=error.code)
