"""One call of ``ObserveStream`` over gRPC."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import grpc
from grpc import aio

from engram.client.grpc.address import Address
from engram.client.grpc.batch_encoding import RequestParts, divide_request, join_request
from engram.client.grpc.call_errors import call_error
from engram.client.grpc.observe_events import decode_response, decode_welcome, encode_close, encode_greeting
from engram.client.transport import Closed, Event, Greeting, Welcome
from engram.errors import EngramError, Unavailable
from engram.wire import engram_pb2 as pb

_CONNECT_S: Final = 10.0
_END_S: Final = 1.0


class GrpcObserveCall:
    """A `StreamConnection` over one gRPC call."""

    def __init__(self, call: aio.StreamStreamCall[bytes, pb.ObservationResponse], address: Address) -> None:
        self._call = call
        self._address = address
        self._part_bytes_max = 0

    async def open(self, greeting: Greeting) -> Welcome:
        """Open the session that `greeting` asks for; cancel the call if that fails.

        Raises
        ------
        EngramError
            The error that the server refuses the session with; `Unavailable` if the server does not answer within 10 s.
        """
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._write(encode_greeting(greeting).SerializeToString())
                response = await self._read()
                # Without a welcome, it is 0.
                self._part_bytes_max = response.init_ack.capabilities.part_bytes_max
                return decode_welcome(response)
        except TimeoutError:
            await self.abort()
            raise Unavailable(
                f"the server at {self._address.target} did not answer within {_CONNECT_S:g} s", code="connect_timeout"
            ) from None
        except BaseException:
            await self.abort()
            raise

    async def send(self, payload: RequestParts, first_sequence: int, traceparent: str = "") -> None:
        """Send a batch that `encode_parts` encoded.

        Raises
        ------
        EngramError
            The reason why the call has ended.
        """
        for request in divide_request(join_request(payload, first_sequence, traceparent), self._part_bytes_max):
            await self._write(request)

    async def receive(self) -> Event:
        """Return the next event.

        Raises
        ------
        EngramError
            The reason why the call has ended.
        """
        event = decode_response(await self._read())
        if isinstance(event, Closed):
            # The call ends right after this. Wait for its end now, because gRPC must not report it to a closed loop.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await self._call.code()
        return event

    async def close_session(self, last_sequence: int) -> None:
        """Tell the server that no more observations will follow."""
        await self._write(encode_close(last_sequence).SerializeToString())

    async def abort(self) -> None:
        """Cancel the call; the session can be resumed."""
        # Raised if the event loop is closed; then the call has ended, too.
        with contextlib.suppress(RuntimeError):
            self._call.cancel()

    async def _write(self, request: bytes) -> None:
        try:
            await self._call.write(request)
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await self._reason() from error

    async def _read(self) -> pb.ObservationResponse:
        try:
            response: Any = await self._call.read()
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await self._reason() from error
        if isinstance(response, pb.ObservationResponse):
            return response
        raise await self._reason()

    async def _reason(self) -> EngramError:
        """Return why the call has ended."""
        code = await self._call.code()
        if code is grpc.StatusCode.OK:
            return Unavailable("the server ended the stream", code="stream_ended")
        return call_error(self._address, code, await self._call.details(), await self._call.trailing_metadata())
