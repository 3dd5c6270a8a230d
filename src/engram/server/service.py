"""The methods of `engram.v1.EngramService` and the behaviours that answer them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from engram.server.calls import Behaviour, ServerCalls
from engram.server.handlers.look_up import get, get_snapshot
from engram.server.handlers.memory_stream import memory_stream
from engram.server.handlers.observe_stream import observe_stream
from engram.server.handlers.recall import recall, recall_stream
from engram.server.handlers.remember import forget, remember
from engram.server.handlers.spaces import create_space, get_space, get_status, list_spaces
from engram.server.malformed import lenient
from engram.server.messages.observe_message import ObserveMessage
from engram.wire import engram_pb2 as pb

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["EngramService"].full_name

_METHODS: Final[dict[str, tuple[Callable[..., Any], Behaviour, type[Message], type[Message]]]] = {
    "ObserveStream": (
        grpc.stream_stream_rpc_method_handler,
        observe_stream,
        pb.ObservationRequest,
        pb.ObservationResponse,
    ),
    "RecallStream": (
        grpc.unary_stream_rpc_method_handler,
        recall_stream,
        pb.StreamingRecallRequest,
        pb.StreamingRecallResponse,
    ),
    "MemoryStream": (
        grpc.stream_stream_rpc_method_handler,
        memory_stream,
        pb.MemoryStreamRequest,
        pb.MemoryStreamResponse,
    ),
    "Remember": (grpc.unary_unary_rpc_method_handler, remember, pb.RememberRequest, pb.RememberResponse),
    "Recall": (grpc.unary_unary_rpc_method_handler, recall, pb.RecallRequest, pb.RecallResponse),
    "Forget": (grpc.unary_unary_rpc_method_handler, forget, pb.ForgetRequest, pb.ForgetResponse),
    "Get": (grpc.unary_unary_rpc_method_handler, get, pb.GetRequest, pb.GetResponse),
    "GetSnapshot": (
        grpc.unary_unary_rpc_method_handler,
        get_snapshot,
        pb.GetSnapshotRequest,
        pb.GetSnapshotResponse,
    ),
    "CreateSpace": (grpc.unary_unary_rpc_method_handler, create_space, pb.CreateSpaceRequest, pb.Space),
    "GetSpace": (grpc.unary_unary_rpc_method_handler, get_space, pb.GetSpaceRequest, pb.Space),
    "ListSpaces": (grpc.unary_unary_rpc_method_handler, list_spaces, pb.ListSpacesRequest, pb.ListSpacesResponse),
    "GetStatus": (grpc.unary_unary_rpc_method_handler, get_status, pb.GetStatusRequest, pb.GetStatusResponse),
}

# Parsers that replace protobuf's own.
_PARSERS: Final[dict[str, Callable[[bytes], Any]]] = {"ObserveStream": ObserveMessage.parse}


def service_handler(calls: ServerCalls) -> grpc.GenericRpcHandler[Any, Any]:
    """Return the gRPC handler of the whole service.

    The generated registration is not used, because it fixes the deserializers, and those used here must not raise.
    """
    return grpc.method_handlers_generic_handler(
        SERVICE_NAME,
        {
            name: make(
                calls.wrap(behaviour),
                request_deserializer=lenient(request.DESCRIPTOR.name, _PARSERS.get(name, request.FromString)),
                response_serializer=response.SerializeToString,
            )
            for name, (make, behaviour, request, response) in _METHODS.items()
        },
    )
