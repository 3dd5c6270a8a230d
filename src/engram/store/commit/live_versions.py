"""Which version of each id is alive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.log.log import Log
from engram.log.records.header import RecordKind
from engram.log.records.record import Record


class LiveVersions:
    """Maps each id to the generation of its live version.

    Changed by the committer's thread only, through `VersionChanges`; other threads read single entries, which the
    dictionary does atomically.
    """

    def __init__(self) -> None:
        self._live: dict[str, int] = {}
        self._last_deletion = 0

    def __len__(self) -> int:
        return len(self._live)

    def live(self, id: str) -> int | None:
        """The generation of the live version."""
        return self._live.get(id)

    def at(self, id: str, generation: int, log: Log) -> int | None:
        """The generation of the version that was alive at `generation`.

        Costs a search through the ids of the log, backwards from `generation`, if the id changed since.
        """
        live = self._live.get(id)
        if live is not None and live <= generation:
            return live
        if live is None and self._last_deletion <= generation:
            return None
        return _find_backwards(id, generation, log)

    def change(self) -> VersionChanges:
        """Begin a set of changes."""
        return VersionChanges(self._live)

    def apply(self, changes: VersionChanges) -> None:
        """Make `changes` visible to `live` and `at`."""
        if not changes.deleted:
            self._live.update(changes.pending)  # type: ignore[arg-type]  # Without deletions there are no Nones.
            return
        self._last_deletion = changes.last_deletion
        for id, generation in changes.pending.items():
            if generation is None:
                self._live.pop(id, None)
            else:
                self._live[id] = generation

    def replay(self, record: Record) -> tuple[list[int], list[int]]:
        """Apply a record of the log; return what it ended, as `VersionChanges.ended` and `ended_at`."""
        changes = self.change()
        if record.kind is RecordKind.OBSERVE:
            changes.observe(record.ids(), record.first_generation)
        else:
            changes.delete(record.ids(), record.first_generation)
        self.apply(changes)
        return changes.ended, changes.ended_at


class VersionChanges:
    """What a group of requests changes, in order, before any of it is durable.

    Parameters
    ----------
    live
        The versions that are alive before.
    """

    def __init__(self, live: dict[str, int]) -> None:
        self._live = live
        self.pending: dict[str, int | None] = {}
        self.deleted = 0
        self.last_deletion = 0
        # Generations whose life ends, and the generations that end it.
        self.ended: list[int] = []
        self.ended_at: list[int] = []

    def observe(self, ids: Sequence[str], first_generation: int) -> None:
        """Give `ids` the generations from `first_generation` on."""
        born = range(first_generation, first_generation + len(ids))
        fresh: dict[str, int | None] = dict(zip(ids, born, strict=True))
        if len(fresh) < len(ids):
            # An id occurs twice: the later row supersedes the earlier one, so they go one by one.
            for id, generation in zip(ids, born, strict=True):
                self._end(self._current(id), generation)
                self.pending[id] = generation
            return
        # Most ids are new, and finding that out takes one look-up each and no list.
        if not (self._live.keys().isdisjoint(ids) and self.pending.keys().isdisjoint(ids)):
            for old, generation in zip(self._currents(ids), born, strict=True):
                self._end(old, generation)
        self.pending.update(fresh)

    def delete(self, ids: Sequence[str], first_generation: int) -> None:
        """End `ids`, which exist and differ, at the generations from `first_generation` on."""
        for generation, id in enumerate(ids, first_generation):
            self._end(self._current(id), generation)
            self.pending[id] = None
        self.deleted += len(ids)
        self.last_deletion = first_generation + len(ids) - 1

    def existing(self, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that exist, each once."""
        distinct = list(dict.fromkeys(ids))
        return [id for id, old in zip(distinct, self._currents(distinct), strict=True) if old is not None]

    def ended_arrays(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """`ended` and `ended_at` as arrays."""
        return np.array(self.ended, dtype=np.uint64), np.array(self.ended_at, dtype=np.uint64)

    def _current(self, id: str) -> int | None:
        return self.pending.get(id, self._live.get(id))

    def _currents(self, ids: Sequence[str]) -> list[int | None]:
        live = map(self._live.get, ids)
        return list(map(self.pending.get, ids, live)) if self.pending else list(live)

    def _end(self, old: int | None, at: int) -> None:
        if old is not None:
            self.ended.append(old)
            self.ended_at.append(at)


def _find_backwards(id: str, generation: int, log: Log) -> int | None:
    for record, rows in log.backwards(generation):
        row = record.rfind(id, rows)
        if row >= 0:
            return record.first_generation + row if record.kind is RecordKind.OBSERVE else None
    return None
