"""The results of recalls and look-ups."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.model.values.metadata import JsonValue, read_metadata
from engram.showing import TABLE_ROWS_MAX, html_table, in_short, list_line, rows_of_so_many

HIT_TITLES: Final = ("id", "score", "time", "content", "tags", "metadata")
"""The titles of a table of hits, whose rows are made by `hit_cells`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ID_CHARACTERS_MAX: Final = 40


# What was written by this package has nothing around it; `json.loads` looks for that, which takes twice as long.
_decode: Final = json.JSONDecoder().raw_decode


class StoredRow(NamedTuple):
    """One observation as stored, without its vector: the numbers, then the texts, then when it expires.

    What a `Hit` has unchanged has the same name in both.
    """

    time_us: int
    confidence: float
    importance: float
    id: str
    content: str
    metadata_json: str
    tags_json: str
    has_content: bool = True
    expires_us: int | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata of the observation; empty if there is none or it cannot be read."""
        return read_metadata(self.metadata_json) or {}

    @property
    def tags(self) -> list[str]:
        """Tags of the observation."""
        return list(_decode(self.tags_json)[0]) if self.tags_json else []


class HitSource(Protocol):
    """A source from which hits read their attributes.

    Apart from `id`, a source has one method for each attribute of `Hit` that is not set when the hit is made. The
    method is named like the attribute, takes the row number and returns the value.
    """

    def id(self, row: int) -> str:
        """Return the id of one row."""


class RowSource(HitSource, Protocol):
    """A source that reads a whole row at little more than the cost of one column."""

    def row(self, row: int) -> StoredRow:
        """Return one row without its vector."""
        ...

    def vector(self, row: int) -> NDArray[np.float32] | None:
        """Return the vector of one row: float32, shape ``(dim,)``, read-only; None if it has none."""
        ...


class LazyHit:
    """The source of a hit: not one of its fields, so that `dataclasses.asdict` and comparisons leave it out."""

    __slots__ = ("_source",)
    _source: tuple[HitSource, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit(LazyHit):
    """One observation that a recall or a look-up found.

    A hit decodes its attributes on first access: a hit of an embedded store reads the log, a hit of a client reads the
    response. A hit stays valid, with the content it was found with, as long as it is referenced.

    Parameters
    ----------
    id
        Id of the observation.
    score
        Score of the ranking; larger is better. For a cue by similarity this is the similarity in the space's metric.
        For a look-up by id, and for a cue without vector and text, it is 1.0.
    confidence
        Confidence as observed, in [0, 1]; lowered if the hit is `recent`.
    generation
        Generation of this version of the observation.
    content
        Text of the observation; empty, too, if it has none, which `has_content` tells apart.
    metadata
        Metadata of the observation, the decoded JSON object.
    tags
        Tags of the observation.
    time_us
        Time of the observation, in microseconds since 1970 UTC.
    importance
        Importance as observed, in [0, 1].
    indexed
        Whether the observation was linked into the graph at the time of the recall; False if it was in the tail.
    vector
        Vector of the observation: float32, shape ``(dim,)``, read-only; None if it was not requested, or there is none.
    recent
        Whether the observation was committed after the snapshot of the recall.
    strength
        Memory strength that the results were ranked by; None if they were ranked by score.
    recalled_us
        Time of the recall, in microseconds since 1970 UTC.
    has_content
        Whether the observation has a text, be it empty.
    expires_us
        When the observation expires, in microseconds since 1970 UTC; None: never.
    """

    id: str
    score: float
    confidence: float
    generation: int
    content: str
    metadata: dict[str, JsonValue]
    tags: list[str]
    time_us: int
    importance: float
    indexed: bool
    vector: NDArray[np.float32] | None = field(default=None, compare=False)
    recent: bool = False
    strength: float | None = None
    recalled_us: int = field(default=0, compare=False)
    has_content: bool = True
    expires_us: int | None = None

    def __post_init__(self) -> None:
        _set_source(self, None)

    def __repr__(self) -> str:
        try:
            content = in_short(self.content)
        except EngramError as error:
            # A hit whose text is damaged can be shown nevertheless.
            content = f"<{error.code}>"
        return f"Hit({in_short(self.id, _ID_CHARACTERS_MAX)}, score={self.score:.6g}, content={content})"

    @property
    def time(self) -> datetime:
        """Time of the observation, in UTC."""
        return _EPOCH + timedelta(microseconds=self.time_us)

    @property
    def expires_at(self) -> datetime | None:
        """When the observation expires, in UTC; None: never."""
        return None if self.expires_us is None else _EPOCH + timedelta(microseconds=self.expires_us)

    @property
    def age_s(self) -> float:
        """Seconds between the observation and the recall; 0 if the time of the observation is in the future."""
        return age_s(self.time_us, self.recalled_us)

    def row(self) -> StoredRow:
        """Return the observation without its vector; a hit of an embedded store returns it as stored in the log.

        Use this to pass on the whole observation; it does not decode the attributes one by one.
        """
        source, row = self._source or (None, 0)
        if hasattr(source, "row"):
            return cast(RowSource, source).row(row)
        metadata, tags = (json.dumps(value) if value else "" for value in (self.metadata, self.tags))
        return StoredRow(**{name: getattr(self, name) for name in _STORED}, metadata_json=metadata, tags_json=tags)

    if not TYPE_CHECKING:  # With `__getattr__`, a type checker would accept every misspelt attribute.

        def __getattr__(self, name: str) -> Any:
            # Called only while the slot is empty; `stored_hit` and `received_hit` leave slots empty.
            if name not in _FIELDS or self._source is None:
                raise AttributeError(f"a hit has no attribute {name!r}")
            source, row = self._source
            if name not in _READ_ALONE and hasattr(source, "row") and not getattr(source, "is_read", False):
                self._take(cast(RowSource, source), row)
                return getattr(self, name)
            value = getattr(source, name)(row)
            object.__setattr__(self, name, value)
            return value

    def _take(self, source: RowSource, row: int) -> None:
        """Read everything except the vector in one read, because every read of the log checks checksums."""
        values = source.row(row)
        put = object.__setattr__
        # The confidence of a recent hit was lowered, so the stored one does not apply.
        lowered = self.confidence if self.recent else None
        for name in _STORED:
            put(self, name, getattr(values, name))
        if lowered is not None:
            put(self, "confidence", lowered)
        put(self, "_source", (_ReadRow(source, values), row))

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_values, tuple(getattr(self, name) for name in _FIELDS)


class Hits(list[Hit]):
    """The hits of a recall, best first.

    Attributes
    ----------
    generation
        Generation of the snapshot that the hits are from; of what a standing recall returns later, the generation up to
        which everything that matches has been returned.
    incomplete
        Whether observations were left out because their stored bytes are damaged.
    """

    def __init__(self, hits: Iterable[Hit] = (), generation: int = 0, incomplete: bool = False) -> None:
        super().__init__(hits)
        self.generation = generation
        self.incomplete = incomplete

    def __repr__(self) -> str:
        incomplete = ", incomplete=True" if self.incomplete else ""
        return list_line(type(self).__name__, self, f"generation={self.generation}{incomplete}")

    def _repr_html_(self) -> str:
        """Return the first hits as a table, which notebooks show."""
        below = rows_of_so_many(len(self), "hit", self.generation)
        return html_table(HIT_TITLES, map(hit_cells, self[:TABLE_ROWS_MAX]), below)


def hit_cells(hit: Hit) -> tuple[str, ...]:
    """Return a hit as the row of a table, below `HIT_TITLES`."""
    begin = hit.id, f"{hit.score:.4g}"
    try:
        tags, metadata = ", ".join(hit.tags), json.dumps(hit.metadata, ensure_ascii=False) if hit.metadata else ""
        return *begin, f"{hit.time:%Y-%m-%d %H:%M:%S}", hit.content, tags, metadata
    except EngramError as error:
        # A hit whose columns are damaged can be shown nevertheless.
        return *begin, "", f"<{error.code}>", "", ""


def age_s(time_us: int, recalled_us: int) -> float:
    """Return the seconds from an observation to its recall; 0 if the time of the observation is in the future."""
    return max(0.0, (recalled_us - time_us) / 1e6)


def received_hit(source: HitSource, row: int) -> Hit:
    """Return the hit for one row of `source`, which supplies all attributes."""
    hit = object.__new__(Hit)
    _set_source(hit, (source, row))
    return hit


# A hit is frozen; this sets its slot at less than the cost of `object.__setattr__`.
_set_source: Final = vars(LazyHit)["_source"].__set__


def _from_values(*values: Any) -> Hit:
    return Hit(**dict(zip(_FIELDS, values, strict=True)))


class _ReadRow:
    """A row that was read from the log; metadata and tags are not decoded yet, and the vector is not read yet."""

    __slots__ = ("_source", "_values")
    # Reading one attribute alone costs no more than reading all.
    is_read: Final = True

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

    def has_content(self, _: int) -> bool:
        return self._values.has_content

    def vector(self, row: int) -> NDArray[np.float32] | None:
        return self._source.vector(row)


# Access to these does not read the other attributes, which are stored elsewhere and may be long.
_READ_ALONE: Final = frozenset({"id", "vector"})
_FIELDS: Final = tuple(item.name for item in fields(Hit) if item.init)
_STORED: Final = tuple(name for name in StoredRow._fields if name in _FIELDS)
