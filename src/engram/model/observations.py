"""Batches of observations as columns.

The write path has no object per observation: it checks, logs and indexes columns. `engram.model.batches.checks` has the
checks that every batch passes once, at the door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Final, Unpack

import numpy as np
from numpy.typing import NDArray

from engram.model.columns import COLUMNS, EMBED, IDS, MANY_KEYWORDS, ColumnSpec, ObservationColumns, check_keywords
from engram.model.spaces import SpaceConfig
from engram.model.values.expiry import check_one_expiry, taken_expiries, ttl_column
from engram.model.values.keywords import accepts_old
from engram.model.values.metadata import JsonValue, read_metadata_column
from engram.model.values.presence import Presence, given_rows, has_none, join_presence
from engram.model.values.scalars import as_flag
from engram.model.values.sequences import as_whole_list
from engram.model.values.vector_rows import VectorsLike, as_rows, join_rows


@dataclass(frozen=True, slots=True)
class ObservationBatch:
    """A batch of observations as columns; row i of each column belongs to observation i.

    Parameters
    ----------
    ids
        Id of each observation, not empty. An id that is observed again supersedes the earlier observation.
    vectors
        float32, shape ``(n, dim)``, C-contiguous; of shape ``(n, 0)`` if no observation has one.
    contents
        Text of each observation, which may be empty, and is where there is no text.
    times_us
        Observation times: int64, shape ``(n,)``, microseconds since 1970 UTC.
    confidences, importances
        float32, shape ``(n,)``, each in [0, 1].
    metadata
        Metadata of each observation as a JSON object text, ``""`` for none; None if no observation has metadata.
    tags
        Tags of each observation; None if no observation has tags.
    expires_us
        When each observation expires: int64, shape ``(n,)``, microseconds since 1970 UTC, or a number of
        `engram.model.values.expiry`; None if nothing is said of any.
    vector_presence
        Which observations have a vector; the rows of `vectors` of the others are zeros. None: all have one, or none
        has one yet.
    text_presence
        Which observations have a text, be it empty; None: all.
    embeds
        Whether the space's embedder makes the vectors that are missing.
    """

    ids: Sequence[str]
    vectors: NDArray[np.float32]
    contents: Sequence[str]
    times_us: NDArray[np.int64]
    confidences: NDArray[np.float32]
    importances: NDArray[np.float32]
    metadata: Sequence[str] | None = None
    tags: Sequence[Sequence[str]] | None = None
    expires_us: NDArray[np.int64] | None = None
    vector_presence: Presence | None = None
    text_presence: Presence | None = None
    embeds: bool = True
    _nbytes: int = field(default=0, init=False, repr=False, compare=False)
    _has_times: bool = field(default=True, init=False, repr=False, compare=False)
    _objects: list[dict[str, Any] | None] | None = field(default=None, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, start: int, stop: int | None = None) -> ObservationBatch:
        """Return the rows from `start` up to, but not including, `stop`; without `stop`, up to the last."""
        columns = (getattr(self, name) for name in _NAMES)
        taken: list[Any] = [None if column is None else column[start:stop] for column in columns]
        part = ObservationBatch(*[*taken, self.embeds])
        return part if self._objects is None else keep_objects(part, self._objects[start:stop])

    def without_vectors(self) -> ObservationBatch:
        """Return the batch with vectors of shape ``(n, 0)``, for a message that carries the vectors by themselves."""
        return with_vectors(self, np.empty((len(self), 0), np.float32), self.vector_presence)

    def metadata_objects(self) -> list[dict[str, JsonValue] | None] | None:
        """Return the metadata of all rows as objects, None for a row without; None if no row has any.

        They are those that the check of the batch has parsed, as long as they are kept, and otherwise are parsed once.
        """
        if self._objects is None and self.metadata is not None:
            keep_objects(self, read_metadata_column(list(self.metadata)))
        return self._objects

    @property
    def has_times(self) -> bool:
        """Whether times were given to `fill_batch`; otherwise they are of that moment. Copies do not know it."""
        return self._has_times

    @property
    def nbytes(self) -> int:
        """Approximate size in memory and in the log, in bytes: vectors, characters of all texts, 32 bytes per row."""
        # Cached, because every stage of the write path reads it.
        if self._nbytes == 0:
            text = IDS.character_count(self.ids)
            text += sum([spec.character_count(getattr(self, spec.name)) for spec in _TEXTS])
            object.__setattr__(self, "_nbytes", self.vectors.nbytes + text + 32 * len(self.ids))
        return self._nbytes


PRESENCES: Final = ("vector_presence", "text_presence")
"""The columns that say of which observations there is a vector, and a text."""

_TEXTS: Final = tuple(spec for spec in COLUMNS if spec.dtype is None)
_NAMES: Final = ("ids", "vectors", *(spec.name for spec in COLUMNS), *PRESENCES)
_TIMES: Final = "times_us"
_CONTENTS: Final = "contents"


@accepts_old("timestamps", "confidences", "importances", "metadata", "tags")
def make_batch(
    ids: Sequence[str],
    vectors: VectorsLike,
    contents: Sequence[str | None] | None = None,
    **columns: Unpack[ObservationColumns],
) -> ObservationBatch:
    """Convert Python values to a batch and fill in the optional columns.

    The batch shares no memory with the values: what is checked is what is stored, whatever the caller does meanwhile.

    Parameters
    ----------
    ids, vectors, contents
        As in `ObservationBatch`. `vectors` may be anything that NumPy converts to a 2-d array of real numbers, or a
        list in which None stands for no vector; the others may be any iterable except a text. None among the contents
        stands for no text.
    columns
        See `ObservationColumns`.

    Raises
    ------
    InvalidInput
        If a keyword is not known, a column cannot be converted, or a column of times or numbers has the wrong length.
        `engram.model.batches.checks.check_batch` makes all other checks.
    """
    check_keywords(columns, MANY_KEYWORDS)
    names, (matrix, vector_presence) = as_whole_list(IDS.plural, ids, '["note-1"]'), as_rows(vectors)
    given: Mapping[str, Any] = {"contents": contents, **columns}
    taken = {
        spec.name: spec.column(values, len(names)) for spec in COLUMNS if (values := given.get(spec.plural)) is not None
    }
    if given.get("ttl") is not None:
        check_one_expiry(given.get("expires_at"), given["ttl"])
        taken["expires_us"] = ttl_column(given["ttl"], len(names))
    if vector_presence is not None:
        taken["vector_presence"] = vector_presence
    texts = taken.get(_CONTENTS)
    if texts and has_none(texts):
        taken["text_presence"] = given_rows(texts)
        taken[_CONTENTS] = ["" if text is None else text for text in texts]
    embeds = given.get(EMBED) is None or as_flag(EMBED, given[EMBED])
    return fill_batch(names, matrix, taken, embeds=embeds)


def fill_batch(
    ids: Sequence[str], vectors: NDArray[np.float32], columns: Mapping[str, Any], *, embeds: bool = True
) -> ObservationBatch:
    """Return a batch of `columns`, by their names in `ObservationBatch`; those that are missing are filled in."""
    count = len(ids)
    given: list[Any] = [columns[spec.name] if spec.name in columns else spec.blanks(count) for spec in COLUMNS]
    batch = ObservationBatch(ids, vectors, *[*given, *map(columns.get, PRESENCES), embeds])
    if _TIMES not in columns:
        object.__setattr__(batch, "_has_times", False)
    return batch


def concatenate(batches: Sequence[ObservationBatch]) -> ObservationBatch:
    """Join batches of one space into one, in order."""
    if len(batches) == 1:
        return batches[0]
    ids: list[str] = [name for batch in batches for name in batch.ids]
    vectors = join_rows([batch.vectors for batch in batches])
    presence = join_presence([batch.vector_presence for batch in batches], list(map(len, batches)))
    texts = join_presence([batch.text_presence for batch in batches], list(map(len, batches)))
    columns: list[Any] = [_joined(spec, batches) for spec in COLUMNS]
    joined = ObservationBatch(ids, vectors, *[*columns, presence, texts, all(batch.embeds for batch in batches)])
    if joined.metadata is None or any(batch._objects is None and batch.metadata is not None for batch in batches):
        return joined
    objects = [batch._objects or [None] * len(batch) for batch in batches]
    return keep_objects(joined, list(chain.from_iterable(objects)))


def with_vectors(
    batch: ObservationBatch, vectors: NDArray[np.float32], presence: Presence | None = None
) -> ObservationBatch:
    """Return a copy of the batch with `vectors`, such as those of an embedder: float32, shape ``(n, dim)``.

    `presence` says which rows have one; None: all.
    """
    return keep_objects(replace(batch, vectors=vectors, vector_presence=presence), batch._objects)


def with_expiry(batch: ObservationBatch, default_us: int | None, now_us: int) -> ObservationBatch:
    """Return the batch as the engine takes it: what expires does so at a time.

    Times to live count from `now_us`. That of observations of which nothing is said is `default_us`, in microseconds;
    None: they never expire.
    """
    if batch.expires_us is None and default_us is None:
        return batch
    expires_us = taken_expiries(batch.expires_us, len(batch), default_us, now_us)
    return keep_objects(replace(batch, expires_us=expires_us), batch._objects)


def has_vectors(batch: ObservationBatch) -> bool:
    """Return whether the batch has vectors of its own; vectors of shape ``(n, 0)`` stand for none."""
    return batch.vectors.shape[1:] != (0,)


def lacks_vectors(batch: ObservationBatch) -> bool:
    """Return whether some observation of the batch has no vector, or has none yet."""
    return batch.vector_presence is not None or not has_vectors(batch)


def rows_to_embed(batch: ObservationBatch, config: SpaceConfig) -> NDArray[np.int64]:
    """Return the rows that have no vector and whose texts the embedder of the space makes one of; ascending.

    Where vectors are optional, that is not asked of a text without a visible character, which no embedder takes.
    """
    if not (config.embedder and batch.embeds):
        return np.empty(0, np.int64)
    lacking = np.ones(len(batch), np.bool_) if batch.vector_presence is None else ~batch.vector_presence
    if config.vectors == "optional":
        lacking &= np.fromiter((bool(text) and not text.isspace() for text in batch.contents), np.bool_, len(batch))
    return np.flatnonzero(lacking)


def keep_objects(batch: ObservationBatch, objects: list[dict[str, Any] | None] | None) -> ObservationBatch:
    """Set the parsed metadata of `batch`, and return it."""
    object.__setattr__(batch, "_objects", objects)
    return batch


def _joined(spec: ColumnSpec, batches: Sequence[ObservationBatch]) -> Any:
    """Return one column of all batches, in order; None if no batch has it."""
    columns = [getattr(batch, spec.name) for batch in batches]
    if all(column is None for column in columns):
        return None
    if spec.dtype is not None:
        pairs = zip(columns, batches, strict=True)
        return np.concatenate(
            [np.full(len(batch), spec.blank(), spec.dtype) if column is None else column for column, batch in pairs]
        )
    blank = spec.blank()
    return [
        value
        for column, batch in zip(columns, batches, strict=True)
        for value in ([blank] * len(batch) if column is None else column)
    ]
