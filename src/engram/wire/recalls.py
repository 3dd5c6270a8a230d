"""Conversion of recall requests to queries, and of hits to memories: the half of a server."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from engram.errors import InvalidInput
from engram.model.hit import Hit, Hits, StoredRow, age_s
from engram.model.limits import (
    DIMENSION_MAX,
    ID_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    RESULTS_MAX,
    STREAM_RESULTS_MAX,
)
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.results import RESULTS_BYTES, answer_too_large
from engram.model.query import BATCH_DEFAULT, RESULTS_DEFAULT, Recalled, RecallQuery
from engram.model.scans.page import ScanPage
from engram.model.values.metadata import read_metadata
from engram.model.values.scalars import as_whole
from engram.wire import engram_pb2 as pb
from engram.wire.cues import decode_cue, decode_strength
from engram.wire.times import from_timestamp, set_timestamp

# Several hits of a stream have no more together: gRPC clients refuse messages of more than 4 MiB by default.
_SEVERAL_BYTES_MAX: Final = 3 * 1024 * 1024
# What a character of a text, of metadata, which are sent both as a whole and by key with escapes, or of tags takes at
# most, and what a hit takes beside these.
_CHARACTER_BYTES_MAX: Final = 16
_HIT_BYTES_MAX: Final = 4 * DIMENSION_MAX + ID_BYTES_MAX + 1024
# An answer with more characters than that is refused whatever else is in it, so no more of it is made. A recall of ten
# thousand large texts would otherwise be held three times over only to be refused.
_TEXTS_MAX: Final = MESSAGE_BYTES_MAX
# More than what stands around the bytes of an inner message, or beside the results of an answer.
_ENVELOPE_BYTES: Final = 16
# What a row and a memory have under one name.
_STORED: Final = tuple(name for name in StoredRow._fields if name in pb.Memory.DESCRIPTOR.fields_by_name)
_stored_of: Final = attrgetter(*_STORED)


def decode_recall(message: pb.RecallRequest) -> RecallQuery:
    """Return the query of a unary recall.

    Raises
    ------
    InvalidInput
        If a number is out of bounds, or the cue is missing or invalid.
    """
    return RecallQuery(**_common(message, RESULTS_MAX))


def decode_streaming_recall(message: pb.StreamingRecallRequest) -> RecallQuery:
    """Return the query of a streaming recall.

    Raises
    ------
    InvalidInput
        If a number is out of bounds, or the cue is missing or invalid.
    """
    return RecallQuery(
        **_common(message, STREAM_RESULTS_MAX),
        batch_size=message.batch_size or BATCH_DEFAULT,
        include_recent=message.include_recent,
        follow=message.follow,
        timeout_ms=message.timeout_ms or None,
    )


def encode_batch(batch: Recalled, *, embeddings: bool = False, metadata_map: bool = True) -> pb.StreamingRecallResponse:
    """Return the message for one batch of a streamed recall; for `metadata_map` see `add_hits`.

    Raises
    ------
    InvalidInput
        As `add_streamed`.
    """
    answer = pb.StreamingRecallResponse(
        metadata=encode_metadata(batch), snapshot_sequence=batch.generation, more_results=batch.more
    )
    add_streamed(answer, batch.hits, embeddings=embeddings, metadata_map=metadata_map)
    return answer


def add_streamed(
    answer: pb.StreamingRecallResponse | pb.ChangesResponse,
    hits: Sequence[Hit],
    *,
    embeddings: bool,
    metadata_map: bool,
) -> None:
    """Add hits to one answer of a stream; for `metadata_map` see `add_hits`.

    Raises
    ------
    InvalidInput
        If there are several hits and the answer is larger than what clients accept by default, or one hit and it is
        larger than a message may be. An answer with fewer hits may not be.
    """
    bytes_max = _SEVERAL_BYTES_MAX if len(hits) > 1 else MESSAGE_BYTES_MAX
    characters = add_hits(answer.results, hits, embeddings=embeddings, metadata_map=metadata_map, texts_max=bytes_max)
    _check_size(answer, characters, len(hits), "ask for batches of at most {} of these", bytes_max)


def encode_recalled(recalled: Recalled, *, embeddings: bool = False, metadata_map: bool = True) -> pb.RecallResponse:
    """Return the answer to a unary recall; for `metadata_map` see `add_hits`.

    Raises
    ------
    InvalidInput
        If the answer is larger than a message may be. Retrying does not help.
    """
    answer = pb.RecallResponse(snapshot_sequence=recalled.generation, metadata=encode_metadata(recalled))
    characters = add_hits(
        answer.results, recalled.hits, embeddings=embeddings, metadata_map=metadata_map, texts_max=_TEXTS_MAX
    )
    _check_size(answer, characters, len(recalled.hits), "ask for at most {} of these, or for a stream (recall_stream)")
    return answer


def encode_many(recalled: ManyRecalled, *, embeddings: bool = False) -> pb.RecallManyResponse:
    """Return the answer to a recall of many cues.

    Raises
    ------
    InvalidInput
        If the answer is larger than a message may be. Retrying does not help.
    """
    answer = pb.RecallManyResponse(snapshot_sequence=recalled.generation, due_us=recalled.due_us)
    nbytes = _ENVELOPE_BYTES
    for count, hits in enumerate(recalled.results, start=1):
        found = answer.results.add(incomplete=hits.incomplete)
        add_hits(found.results, hits, embeddings=embeddings, metadata_map=False, texts_max=_TEXTS_MAX)
        # Measured while it grows, because all of it may be many times as large as a message.
        nbytes += found.ByteSize() + _ENVELOPE_BYTES
        if nbytes > MESSAGE_BYTES_MAX:
            raise answer_too_large(nbytes, count)
    return answer


def encode_found(hits: Hits, *, embeddings: bool = False) -> pb.GetResponse:
    """Return the answer to a look-up by ids.

    Raises
    ------
    InvalidInput
        If the answer is larger than a message may be. Retrying does not help.
    """
    answer = pb.GetResponse(snapshot_sequence=hits.generation)
    characters = add_hits(answer.results, hits, embeddings=embeddings, metadata_map=False, texts_max=_TEXTS_MAX)
    _check_size(answer, characters, len(hits), "ask for at most {} of these ids at once")
    return answer


def encode_page(page: ScanPage, *, embeddings: bool = False) -> pb.ScanResponse:
    """Return one page of a scan.

    Raises
    ------
    InvalidInput
        If the answer is larger than a message may be. A page of fewer observations may not be.
    """
    answer = pb.ScanResponse(snapshot_sequence=page.generation, cursor=page.cursor, incomplete=page.incomplete)
    characters = add_hits(answer.results, page, embeddings=embeddings, metadata_map=False, texts_max=_TEXTS_MAX)
    _check_size(answer, characters, len(page), "ask for pages of at most {} of these")
    return answer


def _check_size(
    answer: pb.RecallResponse | pb.GetResponse | pb.ScanResponse | pb.StreamingRecallResponse | pb.ChangesResponse,
    characters: int,
    count: int,
    advice: str,
    bytes_max: int = MESSAGE_BYTES_MAX,
) -> None:
    """Check an answer to which `add_hits` added `characters` of `count` hits."""
    # Measuring an answer costs about as much as sending it, and most answers are far too short to be too large.
    if _CHARACTER_BYTES_MAX * characters + _HIT_BYTES_MAX * count <= bytes_max:
        return
    nbytes, added = answer.ByteSize(), len(answer.results)
    if nbytes > bytes_max or added < count:
        which = f"the {count} results" if added == count else f"the first {added} of {count} results"
        raise InvalidInput(
            f"{which} are {nbytes} bytes, and an answer has at most {bytes_max}: "
            + advice.format(max(1, added * bytes_max // nbytes)),
            code=RESULTS_BYTES,
            field="max_results",
            limit=bytes_max,
            value=nbytes,
        )


def add_hits(
    memories: Any,
    hits: Iterable[Hit],
    *,
    embeddings: bool,
    metadata_map: bool = True,
    texts_max: int | None = None,
) -> int:
    """Add `hits` to `memories`, a repeated field; return how many characters their texts, metadata and tags have.

    Parameters
    ----------
    memories, hits
        Where to add, and what.
    embeddings
        Whether to add the vectors.
    metadata_map
        Whether to add the metadata also as the map of texts that clients of the original protocol read; for this they
        have to be parsed.
    texts_max
        Characters of texts and metadata after which no further hit is added, since together they are too large; None:
        all are added.
    """
    characters = tag_characters = 0
    for hit in hits:
        row = hit.row()
        # Created in place, because protobuf copies a message that is created elsewhere. Filling it field by field
        # costs less than passing all fields.
        memory = memories.add()
        memory.activation = memory.score = hit.score
        memory.generation = hit.generation
        memory.age_s = age_s(row.time_us, hit.recalled_us)
        memory.indexed = hit.indexed
        for name, value in zip(_STORED, _stored_of(row), strict=True):
            if value is not None:
                setattr(memory, name, value)
        if hit.strength is not None:
            memory.strength = hit.strength
        if not row.has_content:
            memory.no_content = True
        if hit.recent:
            memory.recent = True
            # It was lowered, so the stored one does not apply.
            memory.confidence = hit.confidence
        set_timestamp(memory.created_at, row.time_us)
        if row.tags_json:
            memory.tags.extend(row.tags)
        if metadata_map and row.metadata_json:
            _add_metadata(memory, row.metadata_json)
        if embeddings and hit.vector is not None:
            memory.embedding.extend(hit.vector.tolist())
        tag_characters += len(row.tags_json)
        characters += len(row.content) + len(row.metadata_json)
        if texts_max is not None and characters > texts_max:
            break
    return characters + tag_characters


def encode_metadata(recalled: Recalled) -> pb.RecallMetadata:
    """Return the statistics that come with the results. The activation of a hit is its score."""
    count = len(recalled.hits)
    return pb.RecallMetadata(
        total_activated=recalled.found,
        above_threshold=count,
        avg_activation=math.fsum(hit.score for hit in recalled.hits) / count if count else 0.0,
        recall_time_ms=recalled.elapsed_ms,
        incomplete=recalled.incomplete,
    )


def _count(message: pb.RecallRequest | pb.StreamingRecallRequest, count_max: int) -> int:
    count = message.max_results or message.cue.max_results or RESULTS_DEFAULT
    return as_whole("max_results", count, 1, count_max, code="invalid_max_results")


def _common(message: pb.RecallRequest | pb.StreamingRecallRequest, count_max: int) -> dict[str, Any]:
    by_time = message.HasField("snapshot_time")
    return {
        "cue": decode_cue(message.cue),
        "k": _count(message, count_max),
        "max_generation": message.max_generation if message.HasField("max_generation") else None,
        "snapshot_us": from_timestamp(message.snapshot_time, "snapshot_time") if by_time else None,
        "ef": message.ef or None,
        "strength": decode_strength(message.strength) if message.HasField("strength") else None,
        "skip_damaged": message.skip_damaged,
        "include_vectors": message.include_embeddings,
    }


def _add_metadata(memory: pb.Memory, metadata_json: str) -> None:
    # Metadata that an older version stored and that cannot be parsed is sent as `metadata_json` only, unchanged.
    for key, value in (read_metadata(metadata_json) or {}).items():
        with contextlib.suppress(RecursionError):
            memory.metadata[_as_utf8(key)] = _as_text(value)


def _as_text(value: Any) -> str:
    return _as_utf8(value) if isinstance(value, str) else json.dumps(value)


def _as_utf8(text: str) -> str:
    # A JSON escape can stand for half a surrogate pair, which UTF-8, and so a protobuf string, cannot represent.
    return text.encode("utf-8", "replace").decode()
