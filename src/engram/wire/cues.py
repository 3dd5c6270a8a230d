"""Conversion of messages to and from `Cue`, `Filter` and `Strength`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import numpy as np

from engram.errors import InvalidInput
from engram.model.cue import NO_FILTER, Between, By, Cue, Filter, Scalar
from engram.model.filters.conditions import Condition
from engram.model.filters.filter_like import as_condition
from engram.model.limits import FILTER_TERMS_MAX
from engram.model.strength import Strength
from engram.model.values.metadata import parse_json
from engram.wire import engram_pb2 as pb
from engram.wire.conditions import decode_condition, encode_condition
from engram.wire.observations import decode_vector
from engram.wire.times import from_timestamp, to_timestamp

_BYS: Final[dict[int, By]] = {
    pb.CUE_BY_UNSPECIFIED: "similarity",
    pb.CUE_BY_SIMILARITY: "similarity",
    pb.CUE_BY_WORDS: "words",
    pb.CUE_BY_BOTH: "both",
}
_BY_NUMBERS: Final[dict[str, pb.CueBy.ValueType]] = {
    "similarity": pb.CUE_BY_SIMILARITY,
    "words": pb.CUE_BY_WORDS,
    "both": pb.CUE_BY_BOTH,
}
_TERMS_GIVEN_MAX: Final = 16 * FILTER_TERMS_MAX
# What a server refuses that knows no trees of conditions: a condition on the empty key that says nothing.
_GUARD: Final = pb.MetadataCondition()


def decode_cue(cue: pb.Cue) -> Cue:
    """Return the cue in a message.

    Raises
    ------
    InvalidInput
        If the message has nothing to recall by, or its content is invalid.
    """
    kind = cue.WhichOneof("cue_type")
    if kind is None and not cue.HasField("filter") and not cue.text:
        raise InvalidInput(
            "there is nothing to recall by",
            code="cue_missing",
            field="cue",
            limit="embedding, semantic, temporal, text or filter",
            value="nothing",
        )
    vector: Any = None
    thresholds = [cue.threshold]
    if kind == "embedding":
        vector = decode_vector(cue.embedding.vector_f32, cue.embedding.vector, "cue.embedding.vector_f32")
        thresholds.append(cue.embedding.similarity_threshold)
    # In the original protocol, a threshold of 0 means that no threshold is given.
    given = [threshold for threshold in thresholds if threshold]
    if cue.HasField("score_min"):
        given.append(cue.score_min)
    return Cue(
        vector=vector,
        text=cue.semantic.query if kind == "semantic" else cue.text,
        by=_decode_by(cue.by),
        filter=_decode_cue_filter(cue),
        score_min=max(given) if given else None,
    )


def encode_cue(cue: Cue) -> pb.Cue:
    """Return the message for `cue`."""
    message = pb.Cue(by=_BY_NUMBERS[cue.by], text=cue.text)
    if cue.vector is not None:
        message.embedding.vector_f32 = np.asarray(cue.vector, "<f4").tobytes()
    if cue.score_min is not None:
        message.score_min = cue.score_min
    # A cue without vector and text recalls by its filter alone, so the filter is sent even if it lets everything pass.
    if not (cue.ranks and cue.conditions.is_open):
        message.filter.CopyFrom(encode_filter(cue.conditions))
    return message


def decode_strength(message: pb.MemoryStrength) -> Strength:
    """Return the memory strength settings in `message`.

    Raises
    ------
    InvalidInput
        If a number is out of range.
    """
    power = message.forgetting == pb.MemoryStrength.FORGETTING_POWER
    return Strength(
        message.half_life_s or None, "power" if power else "exponential", reinforce=not message.without_reinforcement
    )


def encode_strength(strength: Strength) -> pb.MemoryStrength:
    """Return the message for `strength`."""
    power = strength.forgetting == "power"
    return pb.MemoryStrength(
        half_life_s=strength.half_life_s or 0,
        forgetting=pb.MemoryStrength.FORGETTING_POWER if power else pb.MemoryStrength.FORGETTING_EXPONENTIAL,
        without_reinforcement=not strength.reinforce,
    )


def _decode_by(by: int) -> By:
    if by not in _BYS:
        raise InvalidInput(f"cues are not by {by}", code="invalid_cue", field="cue.by", limit="a CueBy", value=by)
    return _BYS[by]


def decode_filter(message: pb.CueFilter) -> Filter | Condition:
    """Return the filter in a message.

    Raises
    ------
    InvalidInput
        If its content is invalid.
    """
    return _narrowed(message, _old_filter(message, pb.TemporalCue(), pb.SemanticCue()))


def encode_filter(filter: Filter | Condition) -> pb.CueFilter:
    """Return the message for a filter."""
    if isinstance(filter, Filter):
        return _encode_fields(filter)
    # A server that does not know `where` would answer as if there was no filter; this it refuses.
    return pb.CueFilter(where=encode_condition(filter), metadata=[_GUARD])


def _decode_cue_filter(cue: pb.Cue) -> Filter | Condition:
    if not (cue.HasField("filter") or cue.HasField("semantic") or cue.HasField("temporal")):
        return NO_FILTER
    return _narrowed(cue.filter, _old_filter(cue.filter, cue.temporal, cue.semantic))


def _narrowed(message: pb.CueFilter, others: Filter) -> Filter | Condition:
    if not message.HasField("where"):
        return others
    where = decode_condition(message.where)
    return where if others.is_open else as_condition(others) & where


def _old_filter(message: pb.CueFilter, temporal: pb.TemporalCue, semantic: pb.SemanticCue) -> Filter:
    since = [*_seconds(message, "since"), *_seconds(temporal, "start")]
    until = [*_seconds(message, "until"), *_seconds(temporal, "end")]
    conditions = message.metadata
    tags = message.required_tags, message.excluded_tags, semantic.required_tags, semantic.excluded_tags
    count = sum(map(len, (conditions, *tags)))
    # Some may stand here twice, but a message that has very many is refused before all of them are read.
    if count > _TERMS_GIVEN_MAX:
        raise InvalidInput(
            f"{count} conditions are too many",
            code="invalid_cue",
            field="filter",
            limit=FILTER_TERMS_MAX,
            value=count,
        )
    if message.HasField("where"):
        conditions = [item for item in conditions if item != _GUARD]  # type: ignore[assignment]
    return Filter(
        since=max(since, default=None),
        until=min(until, default=None),
        tags=frozenset((*message.required_tags, *semantic.required_tags)),
        without_tags=frozenset((*message.excluded_tags, *semantic.excluded_tags)),
        metadata={item.key: _decode_condition(item) for item in conditions},
        confidence_min=message.confidence_min,
    )


def _seconds(message: pb.CueFilter | pb.TemporalCue, field: str) -> Iterable[Decimal]:
    if message.HasField(field):  # type: ignore[arg-type]  # The stubs accept only literals.
        # A float does not hold the microseconds of all years.
        yield Decimal(from_timestamp(getattr(message, field), f"cue.{field}")).scaleb(-6)


def _decode_condition(message: pb.MetadataCondition) -> Scalar | Between:
    if message.WhichOneof("condition") == "range":
        ends = message.range
        return Between(ends.low if ends.HasField("low") else None, ends.high if ends.HasField("high") else None)
    try:
        value: Scalar = parse_json(message.equals_json, f"the condition on metadata {message.key[:64]!r}")
    except InvalidInput as error:
        raise InvalidInput(
            error.message, code="invalid_cue", field="cue.filter.metadata", limit=error.limit, value=error.value
        ) from error
    return value


def _encode_fields(filter: Filter) -> pb.CueFilter:
    message = pb.CueFilter(
        required_tags=sorted(filter.tags),
        excluded_tags=sorted(filter.without_tags),
        confidence_min=filter.confidence_min,
    )
    if filter.since_us is not None:
        message.since.CopyFrom(to_timestamp(filter.since_us))
    if filter.until_us is not None:
        message.until.CopyFrom(to_timestamp(filter.until_us))
    for key, wanted in filter.metadata.items():
        condition = message.metadata.add(key=key)
        if isinstance(wanted, Between):
            condition.range.CopyFrom(pb.NumberRange(low=wanted.low, high=wanted.high))
        else:
            condition.equals_json = json.dumps(wanted)
    return message
