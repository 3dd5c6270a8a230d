"""Hits in JSON, one object each, and as columns of a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from engram.model.columns import COLUMNS, ShareSpec
from engram.model.hit import Hit, StoredRow, age_s
from engram.model.times import iso_time
from engram.model.values.metadata import read_metadata

UNCHANGED_SHARES: Final = tuple(
    spec for spec in COLUMNS if isinstance(spec, ShareSpec) and spec.singular != "confidence"
)
"""The columns of numbers in [0, 1] that a hit has as they were observed. The confidence of a recent one is lowered."""

INDEXED: Final = 1
RECENT: Final = 2
_NO_TAGS: Final = Raw(b"[]")
_NO_METADATA: Final = Raw(b"{}")
_check: Final = msgspec.json.Decoder(Raw).decode


def hit_objects(hits: Iterable[Hit], *, vectors: bool) -> list[dict[str, Any]]:
    """Return what JSON shows of `hits`. Their metadata are passed on as they are stored, without parsing.

    Parameters
    ----------
    hits
        The hits.
    vectors
        Whether the objects have the vectors.
    """
    return [_hit_object(hit, vectors) for hit in hits]


def hit_columns(hits: Sequence[Hit], *, vectors: bool) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the fields and the arrays of a frame that carries `hits`.

    Parameters
    ----------
    hits
        The hits.
    vectors
        Whether the arrays have the vectors.
    """
    rows = [hit.row() for hit in hits]
    fields = {
        "ids": [row.id for row in rows],
        "contents": [row.content for row in rows],
        "metadata": [_embedded(row.metadata_json, None) for row in rows],
        "tags": [_embedded(row.tags_json, _NO_TAGS) for row in rows],
    }
    confidences = [_confidence(hit, row) for hit, row in zip(hits, rows, strict=True)]
    ages_s = [age_s(row.time_us, hit.recalled_us) for row, hit in zip(rows, hits, strict=True)]
    arrays: dict[str, NDArray[Any]] = {
        "scores": np.array([hit.score for hit in hits], np.float32),
        "confidences": np.array(confidences, np.float32),
        "generations": np.array([hit.generation for hit in hits], np.int64),
        "timestamps": np.array([row.time_us for row in rows], np.int64),
        **{
            spec.plural: np.array([getattr(row, spec.singular) for row in rows], np.float32)
            for spec in UNCHANGED_SHARES
        },
        "ages_s": np.array(ages_s, np.float64),
        "flags": np.array([INDEXED * hit.indexed | RECENT * hit.recent for hit in hits], np.uint8),
    }
    if any(hit.strength is not None for hit in hits):
        arrays["strengths"] = np.array([hit.strength or 0.0 for hit in hits], np.float64)
    if vectors and rows:
        found = [hit.vector for hit in hits]
        arrays["vectors"] = np.stack([vector for vector in found if vector is not None])
    return fields, arrays


def _hit_object(hit: Hit, vectors: bool) -> dict[str, Any]:
    row = hit.row()
    made: dict[str, Any] = {
        "id": row.id,
        "score": hit.score,
        "confidence": _confidence(hit, row),
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
    if hit.strength is not None:
        made["strength"] = hit.strength
    if vectors and hit.vector is not None:
        made["vector"] = hit.vector.tolist()
    return made


def _confidence(hit: Hit, row: StoredRow) -> float:
    """Return the confidence of a hit. That of a recent one was lowered; that of the others would be read once more."""
    return hit.confidence if hit.recent else row.confidence


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
