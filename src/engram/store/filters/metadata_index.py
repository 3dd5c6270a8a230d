"""The index of what recalls filter by: times, confidences, ends, tags and metadata of every observation, in memory."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.store.filters.columns import Columns
from engram.store.filters.key_index import KeyIndex
from engram.store.filters.postings import Postings
from engram.store.filters.stored_rows import StoredRows

# A key at the top level is its own place: that costs no tuple for each value that is added.
_Place = str | tuple[str, ...]
_Found = dict[_Place, tuple[list[int], list[Any]]]
# Memory of an empty index of a key.
_KEY_BYTES: Final = 200


class MetadataIndex:
    """The properties of all observations of a space by which recalls can filter (docs/decisions/0005).

    The committer thread writes an observation's entries before the observation becomes visible. Any thread reads
    without locks. Everything is ordered by generation, so a reader that looks no further than its snapshot sees what
    was true then. Rows without tags and metadata cost no object and no Python call.
    """

    def __init__(self) -> None:
        self.columns: Columns = Columns()
        self._tags = Postings()
        self._keys: dict[_Place, KeyIndex] = {}
        self.rows: StoredRows | None = None
        """What the index does not have itself; None where nothing asks for it, as in tests."""

    def add(self, record: Record | LogEntry) -> None:
        """Append a record of the log, or an entry that becomes one; it must follow the last one."""
        self.columns.add(record)
        if record.kind is not RecordKind.OBSERVE:
            return
        tags, metadata = record.tags_column(), record.metadata_column()
        if tags is not None:
            self._add_tags(record.first_generation, tags)
        if metadata is not None:
            self._add_metadata(record.first_generation, metadata)

    def end(self, generations: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        """Record the generations at which versions end; the parameters are those of `Columns.end`."""
        self.columns.end(generations, at)

    def tagged(self, tag: str) -> NDArray[np.int64]:
        """Return the generations that have `tag`: int64, shape ``(n,)``, ascending."""
        return self._tags.get(tag)

    def key(self, path: tuple[str, ...]) -> KeyIndex | None:
        """Return the values under a key of the metadata, or under nested ones; None if there never were any."""
        return self._keys.get(path[0] if len(path) == 1 else path)

    @property
    def nbytes(self) -> int:
        """Approximate memory in bytes."""
        keys = sum(_KEY_BYTES + index.nbytes for index in list(self._keys.values()))
        return self.columns.nbytes + self._tags.nbytes + keys

    def _add_tags(self, first_generation: int, column: list[list[str] | None]) -> None:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for generation, tags in enumerate(column, first_generation):
            for tag in dict.fromkeys(tags or ()):
                found[tag].append(generation)
        for tag, generations in found.items():
            self._tags.extend(tag, generations)

    def _add_metadata(self, first_generation: int, column: list[dict[str, Any] | None]) -> None:
        found: _Found = {}
        nested: list[tuple[tuple[str, ...], int, dict[str, Any]]] = []
        for generation, metadata in enumerate(column, first_generation):
            for key, value in (metadata or {}).items():
                _note(found, key, generation, value)
                if type(value) is dict:
                    nested.append(((key,), generation, value))
        while nested:
            inner: list[tuple[tuple[str, ...], int, dict[str, Any]]] = []
            for path, generation, metadata in nested:
                for key, value in metadata.items():
                    _note(found, (*path, key), generation, value)
                    if type(value) is dict:
                        inner.append(((*path, key), generation, value))
            nested = inner
        for place, (generations, values) in found.items():
            index = self._keys.get(place) or KeyIndex()
            index.extend(generations, values)
            self._keys[place] = index


def _note(found: _Found, place: _Place, generation: int, value: Any) -> None:
    known = found.get(place)
    if known is None:
        found[place] = known = ([], [])
    known[0].append(generation)
    known[1].append(value)
