"""Conversion of recall requests to queries, and of hits to memories: the half of a server."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Final

from engram.errors import InvalidInput
from engram.model.hit import Hit, Hits, StoredRow, age_s
from engram.model.limits import (
    CONTENT_BYTES_MAX,
    DIMENSION_MAX,
    MESSAGE_BYTES_MAX,
    METADATA_BYTES_MAX,
    RESULTS_MAX,
    TAG_BYTES_MAX,
    TAGS_MAX,
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

STREAMED_BYTES_MAX: Final = 3 * 1024 * 1024
"""Bytes of one answer of a stream at most, as far as it can be split: clients refuse more than 4 MiB by default."""
# The largest size of one hit: its text, metadata (which is sent both as a whole and by key), tags and vector.
_HIT_BYTES_MAX: Final = CONTENT_BYTES_MAX + 4 * METADATA_BYTES_MAX + TAGS_MAX * TAG_BYTES_MAX + 4 * DIMENSION_MAX + 4096
_FITTING_HITS: Final = MESSAGE_BYTES_MAX // _HIT_BYTES_MAX
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
    return RecallQuery(**_common(message))


def decode_streaming_recall(message: pb.StreamingRecallRequest) -> RecallQuery:
    """Return the query of a streaming recall.

    Raises
    ------
    InvalidInput
        If a number is out of bounds, or the cue is missing or invalid.
    """
    return RecallQuery(
        **_common(message),
        batch_size=message.batch_size or BATCH_DEFAULT,
        include_recent=message.include_recent,
        follow=message.follow,
        timeout_ms=message.timeout_ms or None,
    )


def encode_batch(
    batch: Recalled, *, embeddings: bool = False, metadata_map: bool = True
) -> list[pb.StreamingRecallResponse]:
    """Return the messages for one batch of a streamed recall; for `metadata_map` see `add_hits`.

    There is one message, or more if a single one would exceed what clients accept by default. The last message says
    whether more batches may follow; all others say that more messages do.
    """
    answer = pb.StreamingRecallResponse(
        metadata=encode_metadata(batch), snapshot_sequence=batch.generation, more_results=batch.more
    )
    add_hits(answer.results, batch.hits, embeddings=embeddings, metadata_map=metadata_map)
    if answer.ByteSize() <= STREAMED_BYTES_MAX or len(batch.hits) == 1:
        return [answer]
    first, rest = batch.halves()
    return [
        *encode_batch(first, embeddings=embeddings, metadata_map=metadata_map),
        *encode_batch(rest, embeddings=embeddings, metadata_map=metadata_map),
    ]


def encode_recalled(recalled: Recalled, *, embeddings: bool = False, metadata_map: bool = True) -> pb.RecallResponse:
    """Return the answer to a unary recall; for `metadata_map` see `add_hits`.

    Raises
    ------
    InvalidInput
        If the answer is larger than a message may be. Retrying does not help.
    """
    answer = pb.RecallResponse(snapshot_sequence=recalled.generation, metadata=encode_metadata(recalled))
    add_hits(answer.results, recalled.hits, embeddings=embeddings, metadata_map=metadata_map, texts_max=_TEXTS_MAX)
    _check_size(answer, len(recalled.hits), "ask for at most {} of these, or for a stream (recall_stream)")
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
    add_hits(answer.results, hits, embeddings=embeddings, metadata_map=False, texts_max=_TEXTS_MAX)
    _check_size(answer, len(hits), "ask for at most {} of these ids at once")
    return answer


def encode_page(page: ScanPage, *, embeddings: bool = False) -> pb.ScanResponse:
    """Return one page of a scan.

    Raises
    ------
    InvalidInput
        If the answer is larger than a message may be. A page of fewer observations may not be.
    """
    answer = pb.ScanResponse(snapshot_sequence=page.generation, cursor=page.cursor, incomplete=page.incomplete)
    add_hits(answer.results, page, embeddings=embeddings, metadata_map=False)
    _check_size(answer, len(page), "ask for pages of at most {} of these")
    return answer


def _check_size(answer: pb.RecallResponse | pb.GetResponse | pb.ScanResponse, count: int, advice: str) -> None:
    # Measuring an answer costs about as much as sending it, and most answers have too few hits to be too large.
    if count > _FITTING_HITS and (nbytes := answer.ByteSize()) > MESSAGE_BYTES_MAX:
        added = len(answer.results)
        which = f"the {count} results" if added == count else f"the first {added} of {count} results"
        raise InvalidInput(
            f"{which} are {nbytes} bytes, and an answer has at most {MESSAGE_BYTES_MAX}: "
            + advice.format(added * MESSAGE_BYTES_MAX // nbytes),
            code=RESULTS_BYTES,
            field="max_results",
            limit=MESSAGE_BYTES_MAX,
            value=nbytes,
        )


def add_hits(
    memories: Any,
    hits: Iterable[Hit],
    *,
    embeddings: bool,
    metadata_map: bool = True,
    texts_max: int | None = None,
) -> None:
    """Add `hits` to `memories`, a repeated field.

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
    characters = 0
    for hit in hits:
        row = hit.row()
        # Created in place, because protobuf copies a message that is created elsewhere.
        memory = memories.add(
            activation=hit.score,
            score=hit.score,
            generation=hit.generation,
            recent=hit.recent,
            indexed=hit.indexed,
            age_s=age_s(row.time_us, hit.recalled_us),
            strength=hit.strength,
            no_content=not row.has_content,
            **dict(zip(_STORED, _stored_of(row), strict=True)),
        )
        if hit.recent:
            # It was lowered, so the stored one does not apply.
            memory.confidence = hit.confidence
        set_timestamp(memory.created_at, row.time_us)
        if row.tags_json:
            memory.tags.extend(row.tags)
        if metadata_map and row.metadata_json:
            _add_metadata(memory, row.metadata_json)
        if embeddings and hit.vector is not None:
            memory.embedding.extend(hit.vector.tolist())
        characters += len(row.content) + len(row.metadata_json)
        if texts_max is not None and characters > texts_max:
            return


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


def _count(message: pb.RecallRequest | pb.StreamingRecallRequest) -> int:
    count = message.max_results or message.cue.max_results or RESULTS_DEFAULT
    return as_whole("max_results", count, 1, RESULTS_MAX, code="invalid_max_results")


def _common(message: pb.RecallRequest | pb.StreamingRecallRequest) -> dict[str, Any]:
    by_time = message.HasField("snapshot_time")
    return {
        "cue": decode_cue(message.cue),
        "k": _count(message),
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
