"""Hits in JSON, one object each, and as columns of a frame."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.columns import COLUMNS, ShareSpec
from engram.model.hit import Hit, StoredRow, age_s
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.operations.results import RESULTS_BYTES
from engram.model.times import iso_time
from engram.model.values.expiry import NEVER_US
from engram.model.values.metadata import read_metadata
from engram.model.values.presence import spread
from engram.wire.frames import ALIGNMENT, encode_frame, encode_packed_frame, type_name

UNCHANGED_SHARES: Final = tuple(
    spec for spec in COLUMNS if isinstance(spec, ShareSpec) and spec.singular != "confidence"
)
"""The columns of numbers in [0, 1] that a hit has as they were observed. The confidence of a recent one is lowered."""

INDEXED: Final = 1
RECENT: Final = 2
NO_CONTENT: Final = 4
NO_VECTOR: Final = 8
# The arrays that every frame of hits has, in their order.
_NUMBERS: Final[tuple[tuple[str, type[np.generic]], ...]] = (
    ("scores", np.float32),
    ("confidences", np.float32),
    ("generations", np.int64),
    ("timestamps", np.int64),
    *((spec.plural, np.float32) for spec in UNCHANGED_SHARES),
    ("ages_s", np.float64),
    ("flags", np.uint8),
)
_PACKED_AS: Final[dict[type[np.generic], str]] = {np.float32: "f", np.float64: "d", np.int64: "q", np.uint8: "B"}
# The numbers of so few hits are packed at once, which costs less than an array for each column.
_PACKED_MAX: Final = 256
_NO_TAGS: Final = Raw(b"[]")
_NO_METADATA: Final = Raw(b"{}")
_check: Final = msgspec.json.Decoder(Raw).decode


def results_too_large(nbytes: int, added: int, count: int) -> InvalidInput:
    """Return the error that `added` of `count` results are too large for an answer. Retrying does not help."""
    which = f"the {count} results" if added == count else f"the first {added} of {count} results"
    return InvalidInput(
        f"{which} are {nbytes} bytes, and an answer has at most {MESSAGE_BYTES_MAX}: "
        f"ask for at most {max(1, added * MESSAGE_BYTES_MAX // nbytes)} of these, or for a stream",
        code=RESULTS_BYTES,
        field="k",
        limit=MESSAGE_BYTES_MAX,
        value=nbytes,
    )


def hit_objects(hits: Sequence[Hit], *, vectors: bool) -> list[dict[str, Any]]:
    """Return what JSON shows of `hits`. Their metadata are passed on as they are stored, without parsing.

    Parameters
    ----------
    hits
        The hits.
    vectors
        Whether the objects have the vectors.

    Raises
    ------
    InvalidInput
        As `hit_columns`.
    """
    return [_hit_object(hit, row, vectors) for hit, row in zip(hits, _rows(hits), strict=True)]


def hit_frame(
    beside: Mapping[str, object],
    hits: Sequence[Hit],
    behind: Mapping[str, object],
    encode: Callable[[Mapping[str, object]], bytes],
    *,
    vectors: bool,
    more: Mapping[str, NDArray[Any]] | None = None,
) -> bytes:
    """Return the frame that carries `hits` as columns.

    Parameters
    ----------
    beside, behind
        Further fields, which stand in front of those of the hits, and behind them.
    hits
        The hits.
    encode
        Makes JSON of the header.
    vectors
        Whether the arrays have the vectors.
    more
        Further arrays, by name.

    Raises
    ------
    InvalidInput
        With code ``results_bytes``, if the texts alone are larger than a message may be; no more of them is read then.
    """
    rows = _columns(hits)
    header = {
        **beside,
        "ids": rows["id"],
        "contents": rows["content"],
        "metadata": [_embedded(text, None) for text in rows["metadata_json"]],
        "tags": [_embedded(text, _NO_TAGS) for text in rows["tags_json"]],
        **behind,
    }
    columns = _numbers(hits, rows)
    has_strengths = any(hit.strength is not None for hit in hits)
    has_expiries = rows["expires_us"].count(None) < len(hits)
    if len(hits) <= _PACKED_MAX and not (vectors or has_strengths or has_expiries or more):
        described, packer = _packing(len(hits))
        return encode_packed_frame(header, described, packer.pack(*chain.from_iterable(columns)), encode)
    arrays: dict[str, NDArray[Any]] = {
        name: np.array(column, dtype) for (name, dtype), column in zip(_NUMBERS, columns, strict=True)
    }
    if has_strengths:
        arrays["strengths"] = np.array([hit.strength or 0.0 for hit in hits], np.float64)
    if has_expiries:
        expiries = [NEVER_US if expires_us is None else expires_us for expires_us in rows["expires_us"]]
        arrays["expires_at"] = np.array(expiries, np.int64)
    if vectors and hits:
        _add_vectors(arrays, [hit.vector for hit in hits])
    return encode_frame(header, {**arrays, **(more or {})}, encode)


def _add_vectors(arrays: dict[str, NDArray[Any]], found: Sequence[NDArray[np.float32] | None]) -> None:
    """Add vectors, with zeros in the place of those that are missing, which the flags tell; nothing if none is there.

    A client that does not know that flag finds each vector at its place.
    """
    given = [vector for vector in found if vector is not None]
    if len(given) < len(found):
        presence = np.array([vector is not None for vector in found], np.bool_)
        arrays["flags"][~presence] |= NO_VECTOR
        if given:
            arrays["vectors"] = spread(np.stack(given), presence)
    elif given:
        arrays["vectors"] = np.stack(given)


def _columns(hits: Sequence[Hit]) -> dict[str, tuple[Any, ...]]:
    """Return what is stored of `hits` as columns, by the names of the fields of `StoredRow`."""
    columns = zip(*_rows(hits), strict=True) if hits else ((),) * len(StoredRow._fields)
    return dict(zip(StoredRow._fields, columns, strict=True))


def _numbers(hits: Sequence[Hit], rows: Mapping[str, Sequence[Any]]) -> list[Sequence[Any]]:
    """Return the columns of `_NUMBERS`."""
    recent = [hit.recent for hit in hits]
    confidences: Sequence[float] = rows["confidence"]
    if any(recent):
        # That of a recent hit was lowered; that of the others would be read once more.
        confidences = [hit.confidence if hit.recent else stored for hit, stored in zip(hits, confidences, strict=True)]
    ages_s = [age_s(time_us, hit.recalled_us) for time_us, hit in zip(rows["time_us"], hits, strict=True)]
    flags = [
        INDEXED * hit.indexed | RECENT * is_recent | NO_CONTENT * (not has_content)
        for hit, is_recent, has_content in zip(hits, recent, rows["has_content"], strict=True)
    ]
    return [
        *([hit.score for hit in hits], confidences, [hit.generation for hit in hits], rows["time_us"]),
        *(rows[spec.singular] for spec in UNCHANGED_SHARES),
        *(ages_s, flags),
    ]


@lru_cache(32)
def _packing(count: int) -> tuple[list[tuple[str, str, list[int]]], struct.Struct]:
    """Return how a frame describes the numbers of `count` hits, and what packs them, each column at its place."""
    described = []
    form, end = "<", 0
    for name, dtype in _NUMBERS:
        padding = -end % ALIGNMENT
        form += f"{padding}x{count}{_PACKED_AS[dtype]}"
        end += padding + count * np.dtype(dtype).itemsize
        described.append((name, type_name(np.dtype(dtype)) or "", [count]))
    return described, struct.Struct(form)


def _rows(hits: Sequence[Hit]) -> Iterator[StoredRow]:
    """Yield what is stored of `hits`, until it is too much for any answer."""
    characters = 0
    for number, hit in enumerate(hits, start=1):
        row = hit.row()
        # There are at least as many bytes.
        characters += len(row.content) + len(row.metadata_json)
        if characters > MESSAGE_BYTES_MAX:
            raise results_too_large(characters, number, len(hits))
        yield row


def _hit_object(hit: Hit, row: StoredRow, vectors: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": row.id,
        "score": hit.score,
        "confidence": hit.confidence if hit.recent else row.confidence,
        "generation": hit.generation,
        "content": row.content,
        "metadata": _embedded(row.metadata_json, _NO_METADATA),
        "tags": _embedded(row.tags_json, _NO_TAGS),
        "timestamp": iso_time(row.time_us),
        **{spec.singular: getattr(row, spec.singular) for spec in UNCHANGED_SHARES},
        "indexed": hit.indexed,
        "recent": hit.recent,
        "age_s": age_s(row.time_us, hit.recalled_us),
    }
    if not row.has_content:
        made["has_content"] = False
    if row.expires_us is not None:
        made["expires_at"] = iso_time(row.expires_us)
    if hit.strength is not None:
        made["strength"] = hit.strength
    if vectors and hit.vector is not None:
        made["vector"] = hit.vector.tolist()
    return made


def _embedded(text: str, blank: Raw | None) -> Raw | None:
    """Return a stored JSON text so that it can stand inside another one, on one line; `blank` if it is empty.

    An older version may have stored what other readers of JSON refuse. Of that, what can be read is encoded anew.
    """
    if not text:
        return blank
    if "\n" in text or "\r" in text:
        # Inside of texts of JSON there are none, so these only lay it out; but a line of NDJSON ends at one.
        text = text.replace("\n", " ").replace("\r", " ")
    try:
        return Raw(_check(text))
    except (ValueError, RecursionError):
        pass
    try:
        return Raw(msgspec.json.encode(read_metadata(text) or {}))
    except (ValueError, RecursionError):
        return _NO_METADATA
