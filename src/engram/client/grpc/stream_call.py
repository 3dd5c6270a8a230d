"""One call over gRPC that is answered with a stream."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar, cast

from grpc import aio

from engram.client.grpc.address import Address
from engram.client.grpc.call_errors import call_error
from engram.wire.operations.codec import OperationCodec

_EOF: Final[Any] = aio.EOF  # type: ignore[attr-defined]  # Missing in the stubs.

Result = TypeVar("Result")


class GrpcStreamCall(Generic[Result]):
    """An `AnswerStream` over one gRPC call.

    Parameters
    ----------
    call
        The call.
    codec
        Decodes the answers.
    address
        Address of the server.
    """

    def __init__(self, call: Any, codec: OperationCodec[Any, Any], address: Address) -> None:
        self._call = call
        self._codec = codec
        self._address = address

    async def read(self) -> Result | None:
        """Return the next result, or None after the last one.

        Raises
        ------
        EngramError
            The reason why the call has failed.
        """
        try:
            answer = await self._call.read()
        except aio.AioRpcError as failure:
            trailers = cast("Any", failure.trailing_metadata())
            raise call_error(self._address, failure.code(), failure.details(), trailers) from None
        if answer is _EOF:
            return None
        result: Result = self._codec.decode_result(answer)
        return result

    def cancel(self) -> None:
        """Cancel the call, if it has not ended."""
        self._call.cancel()
