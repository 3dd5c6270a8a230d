"""The index of what recalls filter by: times, confidences, ends, tags and metadata of every observation, in memory."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.model.cue import Scalar
from engram.model.limits import FILTER_TEXT_BYTES_MAX
from engram.store.compaction.ended_counts import EndedCounts
from engram.store.filters.columns import Columns
from engram.store.filters.postings import Numbers, Postings

# Lists that are shortened while a commit may have to wait.
_KEYS_AT_ONCE: Final = 256


class MetadataIndex:
    """The properties of all observations of a space by which recalls can filter (docs/decisions/0005).

    The committer thread writes an observation's entries before the observation becomes visible. Any thread reads
    without locks. Everything is ordered by generation, so a reader that looks no further than its snapshot sees what
    was true then. Rows without tags and metadata cost no object and no Python call.
    """

    def __init__(self) -> None:
        self.columns: Columns = Columns()
        self._tags = Postings()
        self._values = Postings()
        self._numbers: dict[str, Numbers] = {}
        self.ended: EndedCounts = EndedCounts()
        # What ended at or before it may have been freed.
        self.dropped_generation: int = 0
        # Held to append to lists, and to replace them by shorter ones.
        self._changing = threading.Lock()

    def add(self, record: Record | LogEntry) -> None:
        """Append a record of the log, or an entry that becomes one; it must follow the last one."""
        self.columns.add(record)
        if record.kind is not RecordKind.OBSERVE:
            return
        tags, metadata = record.tags_column(), record.metadata_column()
        with self._changing:
            if tags is not None:
                self._add_tags(generations_of(record), tags)
            if metadata is not None:
                self._add_metadata(generations_of(record), metadata)

    def end(self, generations: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        """Record the generations at which versions end; the parameters are those of `Columns.end`."""
        self.columns.end(generations, at)
        self.ended.add(at)

    def drop(self, horizon: int) -> None:
        """Free what ended at or before `horizon`, a little at a time. One thread at a time may call it."""

        def is_kept(generations: NDArray[np.int64]) -> NDArray[np.bool_]:
            kept: NDArray[np.bool_] = (generations > horizon) | self.columns.alive(generations, horizon)
            return kept

        self.dropped_generation = max(self.dropped_generation, horizon)
        self.ended.forget(horizon)
        for postings in (self._tags, self._values):
            keys = postings.keys()
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                with self._changing:
                    postings.drop(keys[start : start + _KEYS_AT_ONCE], is_kept)
        for key in list(self._numbers):
            with self._changing:
                fewer = self._numbers[key].kept(is_kept)
                if fewer is None:
                    del self._numbers[key]
                else:
                    self._numbers[key] = fewer
        # Last, because the lists are compared with it.
        self.columns.drop(horizon)

    def tagged(self, tag: str) -> NDArray[np.int64]:
        """Return the generations that have `tag`: int64, shape ``(n,)``, ascending."""
        return self._tags.get(tag)

    def equal(self, key: str, value: Scalar) -> NDArray[np.int64]:
        """Return the generations whose metadata have `value` under `key`: int64, shape ``(n,)``, ascending."""
        return self._values.get(_value_key(key, value))

    def between(self, key: str, low: float | None, high: float | None) -> NDArray[np.int64]:
        """Return the generations whose metadata have a number from `low` to `high` under `key`.

        Parameters
        ----------
        low, high
            Bounds, both included; None leaves a side open.

        Returns
        -------
        NDArray[np.int64]
            Shape ``(n,)``, ascending.
        """
        numbers = self._numbers.get(key)
        return np.empty(0, dtype=np.int64) if numbers is None else numbers.between(low, high)

    @property
    def nbytes(self) -> int:
        """Approximate memory in bytes."""
        numbers = sum(column.nbytes for column in list(self._numbers.values()))
        return self.columns.nbytes + self._tags.nbytes + self._values.nbytes + numbers

    def _add_tags(self, generations: Sequence[int], column: list[list[str] | None]) -> None:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for generation, tags in zip(generations, column, strict=True):
            for tag in dict.fromkeys(tags or ()):
                found[tag].append(generation)
        for tag, tagged in found.items():
            self._tags.extend(tag, tagged)

    def _add_metadata(self, generations: Sequence[int], column: list[dict[str, Any] | None]) -> None:
        equal: defaultdict[Hashable, list[int]] = defaultdict(list)
        numbers: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for generation, metadata in zip(generations, column, strict=True):
            for key, value in (metadata or {}).items():
                if _is_searchable(key, value):
                    equal[_value_key(key, value)].append(generation)
                if isinstance(value, int | float) and not isinstance(value, bool):
                    numbers[key].append((generation, _as_float(value)))
        for place, found in equal.items():
            self._values.extend(place, found)
        for key, pairs in numbers.items():
            if key not in self._numbers:
                self._numbers[key] = Numbers()
            self._numbers[key].extend(*zip(*pairs, strict=True))


def generations_of(record: Record | LogEntry) -> Sequence[int]:
    """Return the generation of each row."""
    if record.last_generation - record.first_generation + 1 == record.count:
        return range(record.first_generation, record.last_generation + 1)
    assert record.generations is not None  # noqa: S101  (for the type checker: what has gaps lists its generations)
    generations: list[int] = record.generations.tolist()
    return generations


def _value_key(key: str, value: Scalar) -> Hashable:
    # JSON distinguishes true from 1; Python's dictionaries do not. 1 and 1.0 are the same number in both.
    return key, isinstance(value, bool), value


def _is_searchable(key: str, value: Any) -> bool:
    if isinstance(value, str):
        # A text of n characters has n to 4 n bytes in UTF-8, so most texts need not be encoded to be measured.
        limit = FILTER_TEXT_BYTES_MAX
        if len(value) > limit or (4 * len(value) > limit and len(value.encode("utf-8", "replace")) > limit):
            return False
    elif not isinstance(value, int | float | None):
        return False
    return len(key) <= FILTER_TEXT_BYTES_MAX


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
