"""``observe``, ``update``, ``delete``, ``clear`` and ``erase`` as messages."""

from __future__ import annotations

from typing import Final

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.ack import Ack, Deletion
from engram.model.operations.conditions import as_expected
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.requests import Delete, Erase, Observe
from engram.model.operations.scans import Clear
from engram.model.operations.table import CLEAR, DELETE, ERASE, OBSERVE, UPDATE
from engram.model.operations.updates import Update
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.cues import decode_filter, encode_filter
from engram.wire.observations import (
    decode_batch,
    decode_changes,
    decode_episode,
    decode_priority,
    encode_batch,
    encode_changes,
)
from engram.wire.operations.codec import OperationCodec, named_space


def _decode_observe(message: pb.RememberRequest) -> Observe:
    what = message.WhichOneof("what")
    if what is None:
        raise InvalidInput(
            "there is nothing to remember",
            code="no_operation",
            field="what",
            limit="observation, batch or conditional",
            value="nothing",
        )
    if what == "conditional":
        return _decode_conditional(message)
    batch = decode_batch(message.batch) if what == "batch" else decode_episode(message.observation)
    priority = message.batch.priority if what == "batch" else message.observation.priority
    return Observe(named_space(message), batch, decode_priority(priority), message.idempotency_key)


def _decode_conditional(message: pb.RememberRequest) -> Observe:
    batch = decode_batch(message.conditional.batch)
    priority = decode_priority(message.conditional.batch.priority)
    given = list(message.conditional.expected_generations)
    # One alone is that of all.
    expected = as_expected(given[0] if len(given) == 1 else given, batch.ids)
    return Observe(named_space(message), batch, priority, message.idempotency_key, expected)


def _encode_observe(request: Observe) -> pb.RememberRequest:
    batch = encode_batch(request.batch, request.priority)
    if request.expected_generations is not None:
        conditional = pb.ConditionalBatch(batch=batch, expected_generations=request.expected_generations)
        return pb.RememberRequest(
            memory_space_id=request.space, conditional=conditional, idempotency_key=request.idempotency_key
        )
    return pb.RememberRequest(memory_space_id=request.space, batch=batch, idempotency_key=request.idempotency_key)


def _encode_ack(_: object, ack: Ack) -> list[pb.RememberResponse]:
    return [pb.RememberResponse(first_generation=ack.first_generation, last_generation=ack.last_generation)]


def _decode_ack(message: pb.RememberResponse) -> Ack:
    return Ack(0, 0, message.first_generation, message.last_generation)


def _decode_update(message: pb.UpdateRequest) -> Update:
    changes, priority = decode_changes(message.changes), decode_priority(message.changes.priority)
    return Update(named_space(message), changes, priority, not message.replace_metadata, message.idempotency_key)


def _encode_update(request: Update) -> pb.UpdateRequest:
    return pb.UpdateRequest(
        memory_space_id=request.space,
        changes=encode_changes(request.changes, request.priority),
        replace_metadata=not request.merge,
        idempotency_key=request.idempotency_key,
    )


def _decode_delete(message: pb.ForgetRequest) -> Delete:
    return Delete(
        named_space(message),
        _decode_ids(message),
        message.idempotency_key,
        decode_filter(message.filter) if message.HasField("filter") else None,
        message.max_generation if message.HasField("max_generation") else None,
        message.dry_run,
    )


def _decode_ids(message: pb.ForgetRequest) -> list[str] | None:
    """Return the ids to delete, or to count; None if there is a filter instead."""
    if message.counted_ids and (message.ids or not message.dry_run):
        raise InvalidInput(
            "counted_ids are counted, and not deleted; send them with dry_run, and without ids",
            code="invalid_arguments",
            field="counted_ids",
            limit="dry_run, and no ids",
            value=f"{len(message.counted_ids)} ids",
        )
    # An older client has its ids in one place, whatever it wants with them.
    ids = list(message.counted_ids or message.ids)
    return ids if ids or not message.HasField("filter") else None


def _encode_delete(request: Delete) -> pb.ForgetRequest:
    ids = request.ids or ()
    return pb.ForgetRequest(
        memory_space_id=request.space,
        # A server of before passes over the wish to count, and would delete what it finds here.
        ids=() if request.dry_run else ids,
        counted_ids=ids if request.dry_run else (),
        idempotency_key=request.idempotency_key,
        filter=None if request.filter is None else encode_filter(request.filter),
        max_generation=request.max_generation,
        dry_run=request.dry_run,
    )


def _encode_deleted(message: pb.ForgetRequest, deletion: Deletion) -> list[pb.ForgetResponse]:
    (answer,) = _encode_deletion(message, deletion)
    answer.counted = message.dry_run
    return [answer]


def _check_deleted(message: pb.ForgetRequest, answer: pb.ForgetResponse) -> None:
    """Check that what was to be counted is counted. A server of before was given nothing to delete, and says so."""
    if message.dry_run and not answer.counted:
        raise FailedPrecondition(
            "the server is of an older version, which cannot count what a deletion would delete; nothing is deleted",
            code="older_server",
            field="dry_run",
            limit="a server that knows dry runs",
            value="an older one",
        )


def _decode_clear(message: pb.ClearRequest) -> Clear:
    generation = message.max_generation if message.HasField("max_generation") else None
    return Clear(named_space(message), generation, message.idempotency_key)


def _encode_clear(request: Clear) -> pb.ClearRequest:
    return pb.ClearRequest(
        memory_space_id=request.space,
        max_generation=request.max_generation,
        idempotency_key=request.idempotency_key,
    )


def _encode_deletion(_: object, deletion: Deletion) -> list[pb.ForgetResponse]:
    return [
        pb.ForgetResponse(
            forgotten=int(deletion), generation=deletion.generation, as_of=deletion.as_of, more=deletion.more
        )
    ]


def _decode_deletion(message: pb.ForgetResponse) -> Deletion:
    return Deletion(message.forgotten, message.generation, message.as_of, message.more)


def _decode_erase(message: pb.EraseRequest) -> Erase:
    return Erase(named_space(message), list(message.ids), message.idempotency_key)


def _encode_erase(request: Erase) -> pb.EraseRequest:
    return pb.EraseRequest(memory_space_id=request.space, ids=request.ids, idempotency_key=request.idempotency_key)


def _encode_receipt(_: object, receipt: ErasureReceipt) -> list[pb.EraseResponse]:
    return [
        pb.EraseResponse(
            space=receipt.space,
            space_id=receipt.space_id,
            digests=receipt.digests,
            generation=receipt.generation,
            count=receipt.count,
            erased_us=receipt.erased_us,
        )
    ]


def _decode_receipt(message: pb.EraseResponse) -> ErasureReceipt:
    return ErasureReceipt(
        message.space,
        message.space_id,
        tuple(message.digests),
        message.generation,
        message.count,
        message.erased_us,
    )


OBSERVE_CODEC: Final = OperationCodec(
    OBSERVE, methods.REMEMBER, named_space, _decode_observe, _encode_observe, _encode_ack, _decode_ack
)
UPDATE_CODEC: Final = OperationCodec(
    UPDATE, methods.UPDATE, named_space, _decode_update, _encode_update, _encode_ack, _decode_ack
)
CLEAR_CODEC: Final = OperationCodec(
    CLEAR, methods.CLEAR, named_space, _decode_clear, _encode_clear, _encode_deletion, _decode_deletion
)
ERASE_CODEC: Final = OperationCodec(
    ERASE, methods.ERASE, named_space, _decode_erase, _encode_erase, _encode_receipt, _decode_receipt
)
DELETE_CODEC: Final = OperationCodec(
    DELETE,
    methods.FORGET,
    named_space,
    _decode_delete,
    _encode_delete,
    _encode_deleted,
    _decode_deletion,
    _check_deleted,
)
