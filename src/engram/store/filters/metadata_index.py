"""The index of what recalls filter by: times, confidences, ends, tags and metadata of every observation, in memory."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.model.values.expiry import expires
from engram.store.compaction.ended_counts import EndedCounts
from engram.store.expiry.expiring_rows import NOTHING, ExpiringRows
from engram.store.filters.columns import Columns
from engram.store.filters.key_index import KeyIndex
from engram.store.filters.postings import GrowingArray, Keeps, Postings
from engram.store.filters.stored_rows import StoredRows
from engram.store.filters.texts import text_key

# A key at the top level is its own place: that costs no tuple for each value that is added.
_Place = str | tuple[str, ...]
_Found = dict[_Place, tuple[list[int], list[Any]]]
# Memory of an empty index of a key.
_KEY_BYTES: Final = 200
# The index of a key is copied to be shortened, so that is done only if more than this share of it goes.
_DROPPED_SHARE: Final = 0.25
# Lists of tags that are shortened while a commit may have to wait, and the generations that they have together.
_TAGS_AT_ONCE: Final = 256
_TAGGED_AT_ONCE: Final = 1 << 16


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
        self.expiring: ExpiringRows | None = None
        """What expires; None if nothing does, which then costs nothing."""
        self.ended: EndedCounts = EndedCounts()
        self.dropped_generation: int = 0
        """What ended at or before it may have been freed."""
        self.erasures: int = 0
        """How often something was erased: what was found before may have it."""
        self._last_generation = 0
        # Held to append to lists, and to replace them by shorter ones.
        self._changing = threading.Lock()

    def add(self, record: Record | LogEntry) -> None:
        """Append a record of the log, or an entry that becomes one; it must follow the last one."""
        self.columns.add(record)
        if record.kind is not RecordKind.OBSERVE:
            return
        tags, metadata, expiries_us = record.tags_column(), record.metadata_column(), record.expiries_us
        if tags is None and metadata is None and expiries_us is None:
            return
        generations = generations_of(record)
        with self._changing:
            if expiries_us is not None:
                self._add_expiries(generations, expiries_us)
            if tags is not None:
                self._add_tags(generations, tags)
            if metadata is not None:
                self._add_metadata(generations, metadata)
            self._last_generation = record.last_generation

    def end(self, generations: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        """Record the generations at which versions end; the parameters are those of `Columns.end`."""
        self.columns.end(generations, at)
        self.ended.add(at)

    def due(self, now_us: int, last: int, alive_at: int | None, first: int = 1) -> NDArray[np.int64]:
        """Return the observations from `first` to `last` that are due at `now_us`: int64, ascending.

        Parameters
        ----------
        now_us
            The time, microseconds since 1970 UTC; 0: nothing is due.
        first, last
            Generations, both included.
        alive_at
            Only what is alive at this generation; None: all.
        """
        expiring = self.expiring
        if expiring is None or not now_us:
            return NOTHING
        if alive_at is None:
            return expiring.expired(now_us, first, last)
        found = expiring.waiting(now_us)
        # Looked at afterwards: what was settled meanwhile may be missing, unless it was over by then.
        if alive_at < expiring.settled_generation:
            found = expiring.expired(now_us, first, last)
        elif len(found):
            start, end = np.searchsorted(found, [first, last + 1]).tolist()
            found = found[start:end]
        return found[self.columns.alive(found, alive_at)] if len(found) else NOTHING

    def is_due(self, generation: int, now_us: int) -> bool:
        """Return whether an observation is due at `now_us`; 0 stands for a time at which nothing is."""
        expiring = self.expiring
        return expiring is not None and now_us != 0 and expiring.is_due(generation, now_us)

    def without_due(self, generations: Sequence[int], now_us: int) -> list[int]:
        """Return `generations` with 0 in the place of those that are due at `now_us`, as `is_due` tells."""
        expiring = self.expiring
        if expiring is None or not now_us:
            return list(generations)
        known = np.array(generations, dtype=np.int64)
        known[expiring.are_due(known, now_us)] = 0
        left: list[int] = known.tolist()
        return left

    def settle(self, now_us: int, generation: int) -> None:
        """Forget what is due at `now_us` and was removed at the visible `generation` or before."""
        with self._changing:
            if self.expiring is not None:
                self.expiring.settle(now_us, generation, lambda found: self.columns.alive(found, generation))

    def erase(self, generations: NDArray[np.int64]) -> None:
        """Hide versions from all snapshots: int64, shape ``(n,)``."""
        # As if they had never been observations: filters also ask for those of all times.
        self.columns.end(generations, np.zeros_like(generations))
        self.erasures += 1

    def drop(self, horizon: int) -> None:
        """Free what ended at or before `horizon`, a little at a time. One thread at a time may call it."""

        def keeps(generations: NDArray[np.int64]) -> NDArray[np.bool_]:
            kept: NDArray[np.bool_] = (generations > horizon) | self.columns.alive(generations, horizon)
            return kept

        self.dropped_generation = max(self.dropped_generation, horizon)
        self.ended.forget(horizon)
        for shorter in self._tags.shortened(keeps, _TAGS_AT_ONCE, _TAGGED_AT_ONCE):
            # What stays was found out before, so that commits wait for little.
            with self._changing:
                self._tags.shorten(shorter)
        for place in list(self._keys):
            self._shorten(place, keeps)
        self._shorten_expiring(keeps)
        # Last, because the lists are compared with it.
        self.columns.drop(horizon)

    def _shorten_expiring(self, keeps: Keeps) -> None:
        """Replace what expires by what stays of it, if that is a good part less."""
        expiring = self.expiring
        if expiring is None:
            return
        stays = keeps(expiring.generations)
        if np.count_nonzero(~stays) <= _DROPPED_SHARE * len(stays):
            return
        with self._changing:
            fewer = expiring.kept(keeps)
            self.expiring = fewer if len(fewer) else None

    def _shorten(self, place: _Place, keeps: Keeps) -> None:
        """Replace the index of a key by one without what does not stay, if that is a good part of it."""
        index = self._keys[place]
        count = dropped = 0
        for listed in index.present():
            generations = listed.view
            count += len(generations)
            dropped += len(generations) - int(np.count_nonzero(keeps(generations)))
        if dropped <= _DROPPED_SHARE * count:
            return
        with self._changing:
            known = self._last_generation
        # Most of it is copied while commits go on, and what they add then is copied while they wait.
        fewer = KeyIndex()
        fewer.take(index, 0, known, keeps)
        with self._changing:
            fewer.take(index, known, self._last_generation, keeps)
            if fewer.is_empty:
                del self._keys[place]
            else:
                self._keys[place] = fewer

    def tagged(self, tag: str) -> GrowingArray:
        """Return the generations that have `tag`: int64, ascending."""
        return self._tags.listed(text_key(tag))

    def key(self, path: tuple[str, ...]) -> KeyIndex | None:
        """Return the values under a key of the metadata, or under nested ones; None if there are none that are left."""
        return self._keys.get(path[0] if len(path) == 1 else path)

    @property
    def nbytes(self) -> int:
        """Approximate memory in bytes."""
        keys = sum(_KEY_BYTES + index.nbytes for index in list(self._keys.values()))
        expiring = self.expiring
        return self.columns.nbytes + self._tags.nbytes + keys + (0 if expiring is None else expiring.nbytes)

    def _add_expiries(self, generations: Sequence[int], expiries_us: NDArray[np.int64]) -> None:
        rows = np.flatnonzero(expires(expiries_us))
        if not len(rows):
            return
        expiring = self.expiring or ExpiringRows()
        expiring.extend(np.asarray(generations, dtype=np.int64)[rows], expiries_us[rows])
        # Behind, so that whoever sees it finds all of it.
        self.expiring = expiring

    def _add_tags(self, generations: Sequence[int], column: list[list[str] | None]) -> None:
        found: defaultdict[str | bytes, list[int]] = defaultdict(list)
        for generation, tags in zip(generations, column, strict=True):
            for tag in dict.fromkeys(tags or ()):
                found[text_key(tag)].append(generation)
        for key, tagged in found.items():
            self._tags.extend(key, tagged)

    def _add_metadata(self, generations: Sequence[int], column: list[dict[str, Any] | None]) -> None:
        found: _Found = {}
        nested: list[tuple[tuple[str, ...], int, dict[str, Any]]] = []
        for generation, metadata in zip(generations, column, strict=True):
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
        for place, (found_at, values) in found.items():
            index = self._keys.get(place) or KeyIndex()
            index.extend(found_at, values)
            self._keys[place] = index


def generations_of(record: Record | LogEntry) -> Sequence[int]:
    """Return the generation of each row."""
    if record.last_generation - record.first_generation + 1 == record.count:
        return range(record.first_generation, record.last_generation + 1)
    assert record.generations is not None  # noqa: S101  (for the type checker: what has gaps lists its generations)
    generations: list[int] = record.generations.tolist()
    return generations


def _note(found: _Found, place: _Place, generation: int, value: Any) -> None:
    known = found.get(place)
    if known is None:
        found[place] = known = ([], [])
    known[0].append(generation)
    known[1].append(value)
