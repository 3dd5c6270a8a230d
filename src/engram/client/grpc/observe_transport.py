"""Observe streams over gRPC: conversion between protobuf messages and the types of `engram.client.transport`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import grpc
from grpc import aio

from engram.client.address import Address
from engram.client.grpc.batch_encoding import RequestParts, join_request
from engram.client.grpc.call_errors import call_error
from engram.client.sending.rate_control import ServerLoad
from engram.client.transport import Accepted, Closed, Event, Greeting, Indexed, LoadChange, Refused, Trouble, Welcome
from engram.errors import EngramError, Unavailable
from engram.model.ack import Ack
from engram.model.limits import BATCH_COUNT_MAX
from engram.wire import engram_pb2 as pb
from engram.wire.errors import decode_error

_METHOD: Final = f"/{pb.DESCRIPTOR.services_by_name['EngramService'].full_name}/ObserveStream"
_CONNECT_S: Final = 10.0
_END_S: Final = 1.0
_MOODS: Final = {
    pb.StreamStatus.STATE_ACTIVE: ServerLoad.ACTIVE,
    pb.StreamStatus.STATE_PAUSED: ServerLoad.PAUSED,
    pb.StreamStatus.STATE_BACKPRESSURE: ServerLoad.BACKPRESSURE,
    pb.StreamStatus.STATE_OVERLOADED: ServerLoad.OVERLOADED,
}


class GrpcTransport:
    """The transport that opens observe streams of one space on a gRPC channel.

    Parameters
    ----------
    channel
        Channel to the server.
    address
        Address of the server, for messages.
    space
        Name of the memory space.
    """

    def __init__(self, channel: aio.Channel, address: Address, space: str) -> None:
        # There is no serializer, because requests are already encoded.
        self._observe = channel.stream_stream(_METHOD, None, pb.ObservationResponse.FromString)
        self._address = address
        self._space = space

    async def connect(self, greeting: Greeting) -> tuple[GrpcConnection, Welcome]:
        """Open a new session, or resume the one that `greeting` names.

        Raises
        ------
        EngramError
            The error that the server refuses the session with; `Unavailable` if the server does not answer within 10 s.
        """
        call = self._observe(None)
        init = pb.StreamInit(
            enable_backpressure=True,
            max_batch_size=BATCH_COUNT_MAX,
            resume_session_id=greeting.session_id,
            incarnation=greeting.incarnation,
            writer=greeting.writer,
            known_sequence=greeting.known_sequence,
        )
        request = pb.ObservationRequest(memory_space_id=self._space, init=init)
        connection = GrpcConnection(call, self._address)
        try:
            async with asyncio.timeout(_CONNECT_S):
                await connection.write(request.SerializeToString())
                response = await connection.read()
        except TimeoutError:
            _cancel(call)
            raise Unavailable(
                f"the server at {self._address.target} did not answer within {_CONNECT_S:g} s", code="connect_timeout"
            ) from None
        except BaseException:
            _cancel(call)
            raise
        if response.WhichOneof("result") != "init_ack":
            _cancel(call)
            raise _unexpected(response)
        ack = response.init_ack
        return connection, Welcome(
            ack.session_id, ack.initial_sequence, ack.generation, ack.capabilities.queue_capacity, ack.incarnation
        )


class GrpcConnection:
    """One open call of ``ObserveStream``."""

    def __init__(self, call: aio.StreamStreamCall[bytes, pb.ObservationResponse], address: Address) -> None:
        self._call = call
        self._address = address

    async def send(self, payload: RequestParts, first_sequence: int) -> None:
        """Send a batch that `encode_parts` encoded.

        Raises
        ------
        EngramError
            The reason why the call has ended.
        """
        await self.write(join_request(payload, first_sequence))

    async def receive(self) -> Event:
        """Return the next event.

        Raises
        ------
        EngramError
            The reason why the call has ended.
        """
        event = decode_response(await self.read())
        if isinstance(event, Closed):
            # The call ends right after this. Wait for its end now, because gRPC must not report it to a closed loop.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._call.code(), _END_S)
        return event

    async def close_session(self, last_sequence: int) -> None:
        """Tell the server that no more observations will follow."""
        request = pb.ObservationRequest(close=pb.StreamClose(last_sequence=last_sequence))
        await self.write(request.SerializeToString())

    async def abort(self) -> None:
        """Cancel the call; the session can be resumed."""
        _cancel(self._call)

    async def write(self, request: bytes) -> None:
        """Write one message.

        Raises
        ------
        EngramError
            The reason why the call has ended.
        """
        try:
            await self._call.write(request)
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await self._reason() from error

    async def read(self) -> pb.ObservationResponse:
        """Read one message.

        Raises
        ------
        EngramError
            The reason why the call has ended.
        """
        try:
            response: Any = await self._call.read()
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await self._reason() from error
        if isinstance(response, pb.ObservationResponse):
            return response
        raise await self._reason()

    async def _reason(self) -> EngramError:
        code = await self._call.code()
        if code is grpc.StatusCode.OK:
            return Unavailable("the server ended the stream", code="stream_ended")
        return call_error(self._address, code, await self._call.details(), await self._call.trailing_metadata())


def _cancel(call: aio.StreamStreamCall[bytes, pb.ObservationResponse]) -> None:
    # Raised if the event loop is closed; then the call has ended, too.
    with contextlib.suppress(RuntimeError):
        call.cancel()


def decode_response(response: pb.ObservationResponse) -> Event:
    """Return the event that a response represents."""
    result = response.WhichOneof("result")
    if result == "ack":
        return _decode_ack(response.ack, response.sequence_number)
    if result == "status":
        return _decode_status(response.status)
    return Trouble(_unexpected(response))


def _decode_ack(ack: pb.ObservationAck, sequence: int) -> Event:
    first, last = ack.first_sequence or sequence, ack.last_sequence or sequence
    match ack.status:
        case pb.ObservationAck.STATUS_ACCEPTED:
            return Accepted(Ack(first, last, ack.first_generation, ack.last_generation))
        case pb.ObservationAck.STATUS_INDEXED:
            return Indexed(last)
        case pb.ObservationAck.STATUS_REJECTED:
            return Refused(first, last, decode_error(ack.error))
        case unknown:
            return Trouble(Unavailable(f"the server sent an ack of unknown status {unknown}", code="unknown_ack"))


def _decode_status(status: pb.StreamStatus) -> Event:
    if status.state == pb.StreamStatus.STATE_CLOSED:
        return Closed()
    if status.state == pb.StreamStatus.STATE_ERROR:
        return Trouble(decode_error(status.error))
    # A state that only a later server knows says nothing about load.
    return LoadChange(_MOODS.get(status.state, ServerLoad.ACTIVE), status.error.retry_after_ms)


def _unexpected(response: pb.ObservationResponse) -> EngramError:
    if response.WhichOneof("result") == "status" and response.status.HasField("error"):
        return decode_error(response.status.error)
    return Unavailable(f"the server answered {response.WhichOneof('result')!r} out of turn", code="unexpected_response")
