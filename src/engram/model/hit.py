"""What a recall or a look-up returns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from engram.model.metadata import read_metadata


class StoredRow(NamedTuple):
    """One observation as it is stored, without its vector."""

    id: str
    time_us: int
    confidence: float
    importance: float
    content: str
    metadata_json: str
    tags_json: str

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata; empty also if what is stored cannot be read."""
        return read_metadata(self.metadata_json) or {}

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        return list(json.loads(self.tags_json)) if self.tags_json else []


class HitSource(Protocol):
    """What hits take their columns from: it has a method for each that is not set, which takes the row."""

    def id(self, row: int) -> str:
        """The id of one row."""


class RowSource(HitSource, Protocol):
    """A source that reads a whole row for little more than one column of it."""

    def row(self, row: int) -> StoredRow:
        """All of one row but its vector."""
        ...

    def vector(self, row: int) -> NDArray[np.float32]:
        """The vector of one row; float32, shape ``(dim,)``, read-only."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One observation, with its score if it was found by similarity.

    Hits decode their columns when they are first asked for, those of an embedded store from the log, those of a client
    from the answer; they stay valid, with the content they were found with, as long as they are referenced.

    Parameters
    ----------
    id
        The observation's id.
    score
        Similarity in the space's metric, larger is nearer; 1.0 for a look-up by id.
    confidence
        As observed, in [0, 1]; lowered if the hit is `recent`.
    generation
        The version's generation.
    content
        Its text.
    metadata
        Its JSON object.
    tags
        Its tags.
    time_us
        When it was observed, microseconds since 1970 UTC.
    importance
        As observed, in [0, 1].
    indexed
        Whether it was linked into the graph by then, and not found in the tail of the newest.
    vector
        float32, shape ``(dim,)``, read-only; None where it was not asked for.
    recent
        Whether it was observed after the snapshot of the recall, by one that includes such.
    strength
        What it was ranked by; None if that is the score.
    recalled_us
        When it was recalled, microseconds since 1970 UTC.
    """

    id: str
    score: float
    confidence: float
    generation: int
    content: str
    metadata: dict[str, Any]
    tags: list[str]
    time_us: int
    importance: float
    indexed: bool
    vector: NDArray[np.float32] | None = field(default=None, compare=False)
    recent: bool = False
    strength: float | None = None
    recalled_us: int = field(default=0, compare=False)
    _source: tuple[HitSource, int] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def age_s(self) -> float:
        """Seconds from when it was observed to when it was recalled; 0 for what is observed in the future."""
        return age_s(self.time_us, self.recalled_us)

    def row(self) -> StoredRow:
        """All of the observation but its vector, as it is in the log.

        For whoever passes it all on; what is asked for one by one is decoded one by one.
        """
        source, row = self._source or (None, 0)
        if hasattr(source, "row"):
            return cast(RowSource, source).row(row)
        metadata, tags = (json.dumps(value) if value else "" for value in (self.metadata, self.tags))
        return StoredRow(self.id, self.time_us, self.confidence, self.importance, self.content, metadata, tags)

    if not TYPE_CHECKING:  # A type checker that saw it would let every misspelt name pass.

        def __getattr__(self, name: str) -> Any:
            # Only reached while the slot is empty, as `stored_hit` and `received_hit` leave it.
            if name not in _FIELDS or self._source is None:
                raise AttributeError(f"a hit has no attribute {name!r}")
            source, row = self._source
            if name not in _READ_ALONE and hasattr(source, "row") and not isinstance(source, _ReadRow):
                self._take(cast(RowSource, source), row)
                return getattr(self, name)
            value = getattr(source, name)(row)
            object.__setattr__(self, name, value)
            return value

    def _take(self, source: RowSource, row: int) -> None:
        """Read all columns but the vector with one look at the log, as each look is checked."""
        values = source.row(row)
        put = object.__setattr__
        put(self, "id", values.id)
        put(self, "content", values.content)
        put(self, "time_us", values.time_us)
        put(self, "importance", values.importance)
        if not self.recent:
            put(self, "confidence", values.confidence)
        put(self, "_source", (_ReadRow(source, values), row))

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_values, tuple(getattr(self, name) for name in _FIELDS)


class Hits(list[Hit]):
    """The answer to a recall: its hits, best first.

    Attributes
    ----------
    generation
        The snapshot they are from.
    incomplete
        Whether observations were left out because what is stored of them is damaged.
    """

    def __init__(self, hits: Iterable[Hit] = (), generation: int = 0, incomplete: bool = False) -> None:
        super().__init__(hits)
        self.generation = generation
        self.incomplete = incomplete


def age_s(time_us: int, recalled_us: int) -> float:
    """Seconds from when something was observed to when it was recalled; 0 for what is observed in the future."""
    return max(0.0, (recalled_us - time_us) / 1e6)


def received_hit(source: HitSource, row: int) -> Hit:
    """The hit for one row of `source`, which has all columns."""
    hit = object.__new__(Hit)
    object.__setattr__(hit, "_source", (source, row))
    return hit


def _from_values(*values: Any) -> Hit:
    return Hit(**dict(zip(_FIELDS, values, strict=True)))


class _ReadRow:
    """What is left to decode of a row that was read from the log."""

    __slots__ = ("_source", "_values")

    def __init__(self, source: RowSource, values: StoredRow) -> None:
        self._source = source
        self._values = values

    def row(self, _: int) -> StoredRow:
        return self._values

    def id(self, _: int) -> str:
        return self._values.id

    def metadata(self, _: int) -> dict[str, Any]:
        return self._values.metadata

    def tags(self, _: int) -> list[str]:
        return self._values.tags

    def vector(self, row: int) -> NDArray[np.float32]:
        return self._source.vector(row)


# Whoever wants only these does not have the rest read, which lies elsewhere and may be long.
_READ_ALONE: Final = frozenset({"id", "vector"})
_FIELDS: Final = tuple(item.name for item in fields(Hit) if item.init)
