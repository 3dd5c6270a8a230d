"""``observe`` and ``delete`` as messages."""

from __future__ import annotations

from typing import Final

from engram.errors import InvalidInput
from engram.model.ack import Ack, Deletion
from engram.model.operations.requests import Delete, Observe
from engram.model.operations.table import DELETE, OBSERVE
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.observations import decode_batch, decode_episode, decode_priority, encode_batch
from engram.wire.operations.codec import OperationCodec, named_space


def _decode_observe(message: pb.RememberRequest) -> Observe:
    what = message.WhichOneof("what")
    if what is None:
        raise InvalidInput(
            "there is nothing to remember",
            code="no_operation",
            field="what",
            limit="observation or batch",
            value="nothing",
        )
    batch = decode_batch(message.batch) if what == "batch" else decode_episode(message.observation)
    priority = message.batch.priority if what == "batch" else message.observation.priority
    return Observe(named_space(message), batch, decode_priority(priority), message.idempotency_key)


def _encode_observe(request: Observe) -> pb.RememberRequest:
    batch = encode_batch(request.batch, request.priority)
    return pb.RememberRequest(memory_space_id=request.space, batch=batch, idempotency_key=request.idempotency_key)


def _encode_ack(_: pb.RememberRequest, ack: Ack) -> list[pb.RememberResponse]:
    return [pb.RememberResponse(first_generation=ack.first_generation, last_generation=ack.last_generation)]


def _decode_ack(message: pb.RememberResponse) -> Ack:
    return Ack(0, 0, message.first_generation, message.last_generation)


def _decode_delete(message: pb.ForgetRequest) -> Delete:
    return Delete(named_space(message), list(message.ids), message.idempotency_key)


def _encode_delete(request: Delete) -> pb.ForgetRequest:
    return pb.ForgetRequest(memory_space_id=request.space, ids=request.ids, idempotency_key=request.idempotency_key)


def _encode_deletion(_: pb.ForgetRequest, deletion: Deletion) -> list[pb.ForgetResponse]:
    return [pb.ForgetResponse(forgotten=int(deletion), generation=deletion.generation)]


def _decode_deletion(message: pb.ForgetResponse) -> Deletion:
    return Deletion(message.forgotten, message.generation)


OBSERVE_CODEC: Final = OperationCodec(
    OBSERVE, methods.REMEMBER, named_space, _decode_observe, _encode_observe, _encode_ack, _decode_ack
)
DELETE_CODEC: Final = OperationCodec(
    DELETE, methods.FORGET, named_space, _decode_delete, _encode_delete, _encode_deletion, _decode_deletion
)
