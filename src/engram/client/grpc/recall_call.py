"""One call of ``RecallStream`` over gRPC."""

from __future__ import annotations

from typing import Any, Final, cast

from grpc import aio

from engram.client.grpc.address import Address
from engram.client.grpc.call_errors import call_error
from engram.model.query import Recalled
from engram.wire.operations.recalls import RECALL_STREAM_CODEC

_EOF: Final[Any] = aio.EOF  # type: ignore[attr-defined]  # Missing in the stubs.


class GrpcRecallCall:
    """A `RecallConnection` over one gRPC call."""

    def __init__(self, call: Any, address: Address) -> None:
        self._call = call
        self._address = address

    async def read(self) -> Recalled | None:
        """Return the next batch, or None after the last one.

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
        batch: Recalled = RECALL_STREAM_CODEC.decode_result(answer)
        return batch

    def cancel(self) -> None:
        """Cancel the call, if it has not ended."""
        self._call.cancel()
