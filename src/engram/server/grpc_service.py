"""The service as gRPC sees it: handlers that serve the methods of the contract, and turn errors into a gRPC status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from engram.errors import EngramError
from engram.server.authorization import Caller
from engram.server.calls import ServerCalls
from engram.server.clients.client_left import ClientLeft, until_client_leaves
from engram.server.protobuf.service import METHODS, ServedMethod
from engram.wire.grpc_status import status_code, status_trailers
from engram.wire.methods import SERVICE_NAME

_Context = grpc.aio.ServicerContext[Any, Any]

# The kinds of handlers, by whether the client and the server send streams.
_KINDS: Final[dict[tuple[bool, bool], Callable[..., Any]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def service_handler(calls: ServerCalls) -> grpc.GenericRpcHandler[Any, Any]:
    """Return the gRPC handler of the whole service.

    The generated registration is not used, because it fixes the deserializers, and those used here must not raise.
    """
    handlers = {name: _method_handler(calls, served) for name, served in METHODS.items()}
    return grpc.method_handlers_generic_handler(SERVICE_NAME, handlers)


class _Requests:
    """The requests of a stream. The iterator of gRPC would keep the last one until the next one comes."""

    def __init__(self, context: _Context) -> None:
        self._context = context

    def __aiter__(self) -> _Requests:
        return self

    async def __anext__(self) -> Any:
        request = await self._context.read()
        # The stubs lack the asynchronous half of the module.
        if request is grpc.aio.EOF:  # type: ignore[attr-defined]
            raise StopAsyncIteration
        return request


def _method_handler(calls: ServerCalls, served: ServedMethod) -> Any:
    method = served.method
    return _KINDS[method.takes_stream, method.answers_stream](
        _handle(calls, served),
        request_deserializer=served.parse,
        response_serializer=method.response.SerializeToString,
    )


def _handle(calls: ServerCalls, served: ServedMethod) -> Callable[[Any, _Context], Awaitable[Any]]:
    takes_stream = served.method.takes_stream

    async def handle(request: Any, context: _Context) -> Any:
        if takes_stream:
            request = _Requests(context)
        try:
            return await served.serve(calls, request, _caller(context), until_client_leaves(context.write))
        except ClientLeft:
            return None
        except EngramError as error:
            failure = error
        await context.abort(status_code(failure), failure.message[:400], status_trailers(failure))

    return handle


def _caller(context: _Context) -> Caller:
    metadata: dict[str, str] = {}
    for key, value in context.invocation_metadata() or ():
        # The values of keys that end with "-bin" are bytes.
        if isinstance(value, str):
            metadata[key] = f"{metadata[key]}, {value}" if key in metadata else value
    return Caller(str(context.peer()), metadata)
