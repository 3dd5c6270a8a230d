"""``recall_many`` as messages."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.cue import NO_FILTER, Cue
from engram.model.hit import Hits
from engram.model.limits import CUES_MAX
from engram.model.many.cue_list import CueList, as_cue_list, of_cue, too_many_cues
from engram.model.many.many_query import ManyQuery
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.requests import RecallMany
from engram.model.operations.table import RECALL_MANY
from engram.model.query import RESULTS_DEFAULT, RecallQuery
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.cues import decode_cue, decode_filter, decode_strength, encode_cue, encode_filter, encode_strength
from engram.wire.operations.codec import OperationCodec, named_space
from engram.wire.operations.received_hits import decode_hits
from engram.wire.recalls import encode_many
from engram.wire.times import from_timestamp, to_timestamp

_FLOAT_BYTES: Final = 4


def _decode_request(message: pb.RecallManyRequest) -> RecallMany:
    by_time = message.HasField("snapshot_time")
    common = RecallQuery(
        Cue(filter=decode_filter(message.filter) if message.HasField("filter") else NO_FILTER),
        k=message.max_results or RESULTS_DEFAULT,
        max_generation=message.max_generation if message.HasField("max_generation") else None,
        snapshot_us=from_timestamp(message.snapshot_time, "snapshot_time") if by_time else None,
        ef=message.ef or None,
        strength=decode_strength(message.strength) if message.HasField("strength") else None,
        skip_damaged=message.skip_damaged,
        include_vectors=message.include_embeddings,
    )
    return RecallMany(named_space(message), ManyQuery(_decode_cues(message), common, message.due_us))


def _encode_request(request: RecallMany) -> pb.RecallManyRequest:
    cues, common = request.query.cues, request.query.common
    conditions = common.cue.conditions
    return pb.RecallManyRequest(
        memory_space_id=request.space,
        cues=map(encode_cue, cues.listed),
        vectors_f32=b"" if cues.vectors is None else np.asarray(cues.vectors, "<f4").tobytes(),
        vector_count=0 if cues.vectors is None else len(cues.vectors),
        filter=None if conditions.is_open else encode_filter(conditions),
        max_results=common.k,
        max_generation=common.max_generation,
        ef=common.ef or 0,
        include_embeddings=common.include_vectors,
        snapshot_time=None if common.snapshot_us is None else to_timestamp(common.snapshot_us),
        strength=None if common.strength is None else encode_strength(common.strength),
        skip_damaged=common.skip_damaged,
        due_us=request.query.due_us,
    )


def _decode_cues(message: pb.RecallManyRequest) -> CueList:
    if message.cues and message.vector_count:
        raise InvalidInput(
            "cues come as messages, or as vectors",
            code="invalid_recall",
            field="cues",
            limit="cues or vectors_f32",
            value="both",
        )
    if len(message.cues) > CUES_MAX:
        # Refused before each of them is read.
        raise too_many_cues(len(message.cues))
    if message.vectors_f32 or message.vector_count:
        return as_cue_list(_decode_vectors(message.vectors_f32, message.vector_count))
    return CueList(listed=[_decode_one(cue, row) for row, cue in enumerate(message.cues)])


def _decode_one(cue: pb.Cue, row: int) -> Cue:
    try:
        return decode_cue(cue)
    except InvalidInput as error:
        raise of_cue(error, row) from error


def _decode_vectors(packed: bytes, count: int) -> NDArray[np.float32]:
    if not count or not packed or len(packed) % (_FLOAT_BYTES * count):
        raise InvalidInput(
            f"{len(packed)} bytes are no vectors of one length for {count} cues",
            code="vectors_size",
            field="vectors_f32",
            limit=f"a multiple of {_FLOAT_BYTES * count} bytes",
            value=len(packed),
        )
    return np.frombuffer(packed, dtype="<f4").reshape(count, -1)


def _encode_result(message: pb.RecallManyRequest, recalled: ManyRecalled) -> list[pb.RecallManyResponse]:
    return [encode_many(recalled, embeddings=message.include_embeddings)]


def _decode_result(message: pb.RecallManyResponse) -> ManyRecalled:
    generation = message.snapshot_sequence
    results = [Hits(decode_hits(found.results), generation, found.incomplete) for found in message.results]
    return ManyRecalled(results, generation, message.due_us)


RECALL_MANY_CODEC: Final = OperationCodec(
    RECALL_MANY,
    methods.RECALL_MANY,
    named_space,
    _decode_request,
    _encode_request,
    _encode_result,
    _decode_result,
)
