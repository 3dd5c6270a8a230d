"""The results of operations in JSON, and those with hits also as frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from engram.errors import InvalidInput
from engram.metrics.health import Problem
from engram.metrics.samples import MetricSamples
from engram.model.ack import Ack, Deletion
from engram.model.damage import Damage
from engram.model.following.change import Changes
from engram.model.hit import Hit, Hits
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.results import (
    Counted,
    SnapshotTaken,
    SpaceList,
    answer_too_large,
    result_too_large,
)
from engram.model.operations.status import ServerStatus, SpaceStatus, UnsoundSpace
from engram.model.query import Recalled
from engram.model.scans.facets import Facet, Facets
from engram.model.scans.page import ScanPage
from engram.model.spaces import VECTORS_DEFAULT
from engram.wire.forms.following.changes import beside_hits_of_changes, changes_object
from engram.wire.forms.hits import hit_frame, hit_objects, results_too_large
from engram.wire.forms.many import COUNTS, all_hits, beside_all_hits, counts_of, many_object

# What several hits of a stream have together. Others are held ahead of them while they are sent.
_SEVERAL_BYTES_MAX: Final = 4 * 1024 * 1024
# NaN cannot be in JSON, and null says the same.
encode_json: Final = msgspec.json.Encoder().encode
"""Return an object as the bytes of its JSON."""


def result_object(result: object, *, vectors: bool = False) -> dict[str, Any]:
    """Return what JSON shows of the result of any operation.

    Parameters
    ----------
    result
        The result.
    vectors
        Whether hits have their vectors.
    """
    if isinstance(result, ManyRecalled):
        return many_object(result, vectors=vectors)
    if isinstance(result, Changes):
        return changes_object(result, vectors=vectors)
    hits = _hits_of(result)
    if hits is not None:
        return {"hits": hit_objects(hits, vectors=vectors), **_beside_hits(result)}
    shape = _SHAPES.get(type(result))
    if shape is not None:
        made: dict[str, Any] = shape(result)
        return made
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return {field.name: _plain(getattr(result, field.name)) for field in dataclasses.fields(result)}
    raise TypeError(f"no JSON is known for {type(result).__name__}")


def encode_result(
    result: object, beside: Mapping[str, object] | None = None, *, vectors: bool = False, binary: bool = False
) -> bytes:
    """Return the result of any operation as JSON, or one with hits as a frame.

    Parameters
    ----------
    result
        The result.
    beside
        Further fields, which stand in front.
    vectors
        Whether hits have their vectors.
    binary
        Whether hits are to come as columns of a frame.

    Raises
    ------
    InvalidInput
        With code ``results_bytes``, if the answer is larger than a message may be.
    """
    if binary and isinstance(result, ManyRecalled):
        made = _many_frame(beside or {}, result, vectors=vectors)
    elif binary and (hits := _hits_of(result)) is not None:
        made = hit_frame(beside or {}, hits, _beside_hits(result), encode_json, vectors=vectors)
    else:
        made = encode_json({**(beside or {}), **result_object(result, vectors=vectors)})
    if len(made) > MESSAGE_BYTES_MAX:
        raise _too_large(result, len(made))
    return made


def encode_streamed(
    batch: Recalled | Changes,
    beside: Mapping[str, object] | None = None,
    *,
    vectors: bool = False,
    binary: bool = False,
) -> bytes:
    """Return one batch of a stream as a message, as `encode_result` makes it; that of a recall has a field ``more``.

    Parameters
    ----------
    batch
        The batch.
    beside
        Further fields, which stand in front.
    vectors, binary
        As for `encode_result`.

    Raises
    ------
    InvalidInput
        With code ``results_bytes``, if it has several hits and takes long to send, or one hit and is larger than a
        message may be. A batch of fewer hits may not be.
    """
    fields = {**(beside or {}), "more": batch.more} if isinstance(batch, Recalled) else beside
    made = encode_result(batch, fields, vectors=vectors, binary=binary)
    if len(made) > _SEVERAL_BYTES_MAX and len(batch.hits) > 1:
        raise _too_large(batch, len(made))
    return made


def _many_frame(beside: Mapping[str, object], recalled: ManyRecalled, *, vectors: bool) -> bytes:
    """Return the frame with the hits of many cues, one cue after the other."""
    hits, counts = all_hits(recalled, vectors=vectors), {COUNTS: counts_of(recalled)}
    return hit_frame(beside, hits, beside_all_hits(recalled), encode_json, vectors=vectors, more=counts)


def _too_large(result: object, nbytes: int) -> InvalidInput:
    if isinstance(result, ManyRecalled):
        return answer_too_large(nbytes, len(result.results))
    hits = _hits_of(result)
    return result_too_large(result, nbytes) if hits is None else results_too_large(nbytes, len(hits), len(hits))


def _hits_of(result: object) -> Sequence[Hit] | None:
    if isinstance(result, Recalled | Changes):
        return result.hits
    return result if isinstance(result, Hits) else None


def _beside_hits(result: Any) -> dict[str, Any]:
    """Return what a result with hits has beside them."""
    if isinstance(result, ScanPage):
        return {"generation": result.generation, "incomplete": result.incomplete, "cursor": result.cursor}
    if isinstance(result, Hits):
        return {"generation": result.generation}
    if isinstance(result, Changes):
        return beside_hits_of_changes(result)
    partial = getattr(result, "partial", False)
    return {"generation": result.generation, "incomplete": result.incomplete, "partial": partial}


def _ack(ack: Ack) -> dict[str, Any]:
    return {
        "first_generation": ack.first_generation,
        "last_generation": ack.last_generation,
        "count": ack.count,
    }


def _deletion(deletion: Deletion) -> dict[str, Any]:
    made = {"deleted": int(deletion), "generation": deletion.generation}
    return {**made, "as_of": deletion.as_of, "more": deletion.more} if deletion.as_of else made


def _facets(facets: Facets) -> dict[str, Any]:
    return {
        "facets": {name: _facet(facet) for name, facet in facets.items()},
        "count": facets.count,
        "generation": facets.generation,
    }


def _facet(facet: Facet) -> dict[str, Any]:
    return {
        "values": [{"value": each.value, "count": each.count} for each in facet.values],
        "count": facet.count,
        "distinct": facet.distinct,
        "least": facet.least,
        "greatest": facet.greatest,
    }


def _space(status: SpaceStatus) -> dict[str, Any]:
    config = status.config
    return {
        "name": config.name,
        "dimension": config.dim,
        "metric": config.metric,
        "embedder": config.embedder,
        # Only what a server of before could not say.
        **({} if config.vectors == VECTORS_DEFAULT else {"vectors": config.vectors}),
        **({} if config.ttl_s is None else {"ttl_s": config.ttl_s}),
        "durable_generation": status.durable_generation,
        "visible_generation": status.visible_generation,
        "indexed_generation": status.indexed_generation,
        "live_count": status.live_count,
        "log_bytes": status.log_bytes,
        "index_bytes": status.index_bytes,
        "damaged_count": status.damaged_count,
        "pressure": status.pressure,
        "pressure_level": status.pressure_level,
        "tail_count_max": status.tail_count_max,
        "health": status.health,
        "problems": [_problem(problem) for problem in status.problems],
        "metrics": _metrics(status.metrics),
    }


def _unsound(space: UnsoundSpace) -> dict[str, Any]:
    return {"name": space.name, "code": space.code, "message": space.message}


def _spaces(found: SpaceList) -> dict[str, Any]:
    return {"spaces": [_space(space) for space in found.spaces], "unsound_spaces": list(map(_unsound, found.unsound))}


def _status(status: ServerStatus) -> dict[str, Any]:
    given = {field.name: _plain(getattr(status, field.name)) for field in dataclasses.fields(status)}
    return {**given, "health": status.health}


def _problem(problem: Problem) -> dict[str, Any]:
    return problem._asdict()


def _metrics(samples: MetricSamples) -> list[dict[str, Any]]:
    return [{"name": each.name, "labels": dict(each.labels), "value": each.value} for each in samples]


def _damage(damage: Damage) -> dict[str, Any]:
    return damage._asdict()


_SHAPES: Final[dict[type[Any], Callable[[Any], Any]]] = {
    Ack: _ack,
    Deletion: _deletion,
    Counted: lambda counted: {"count": int(counted), "generation": counted.generation},
    Facets: _facets,
    SnapshotTaken: lambda taken: {"generation": taken.generation},
    SpaceStatus: _space,
    UnsoundSpace: _unsound,
    SpaceList: _spaces,
    ServerStatus: _status,
    MetricSamples: _metrics,
    Damage: _damage,
    Problem: _problem,
}


def _plain(value: Any) -> Any:
    """Return a part of a result as what JSON has."""
    shape = _SHAPES.get(type(value))
    if shape is not None:
        return shape(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return result_object(value)
    return value
