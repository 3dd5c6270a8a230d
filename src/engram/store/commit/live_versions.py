"""The live version of each id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engram.log.log import Log
from engram.log.records.header import RecordKind
from engram.log.records.record import Record


class LiveVersions:
    """Maps each id to the generation of its live version.

    Only the committer thread changes it, through `VersionChanges`. Other threads read single entries, which the
    dictionary does atomically.
    """

    def __init__(self) -> None:
        self._live: dict[str, int] = {}
        self._last_deletion = 0

    def __len__(self) -> int:
        return len(self._live)

    def live(self, id: str) -> int | None:
        """Return the generation of the live version of `id`, or None."""
        return self._live.get(id)

    def at(self, id: str, generation: int, log: Log) -> int | None:
        """Return the generation of the version of `id` that was alive at `generation`, or None.

        If the id changed after `generation`, this searches the ids of the log backwards from `generation`.
        """
        live = self._live.get(id)
        if live is not None and live <= generation:
            return live
        if live is None and self._last_deletion <= generation:
            return None
        return _find_backwards(id, generation, log)

    def known_at(self, ids: Iterable[str], generation: int) -> tuple[list[int], set[str]]:
        """Return the versions of `ids` that were alive at `generation`, and the ids of which only the log knows it."""
        found, unknown = [], set()
        for id in set(ids):
            live = self._live.get(id)
            if live is not None and live <= generation:
                found.append(live)
            elif live is not None or self._last_deletion > generation:
                unknown.add(id)
        return found, unknown

    def change(self) -> VersionChanges:
        """Return an empty set of changes."""
        return VersionChanges(self._live)

    def apply(self, changes: VersionChanges) -> None:
        """Make `changes` visible to `live` and `at`."""
        if not changes.deleted:
            self._live.update(changes.pending)  # type: ignore[arg-type]  # Without deletions no value is None.
            return
        self._last_deletion = changes.last_deletion
        for id, generation in changes.pending.items():
            if generation is None:
                self._live.pop(id, None)
            else:
                self._live[id] = generation

    def replay(self, record: Record) -> tuple[list[int], list[int]]:
        """Apply a record of the log; return what it ended, as in `VersionChanges.ended` and `ended_at`."""
        changes = self.change()
        if record.kind is RecordKind.OBSERVE:
            changes.observe(record.ids(), record.generations.tolist())
        else:
            changes.delete(record.ids(), record.generations.tolist())
        self.apply(changes)
        return changes.ended, changes.ended_at


class VersionChanges:
    """The changes that a group of requests makes, in order, before any of them is durable.

    Parameters
    ----------
    live
        The live versions before the changes.
    """

    def __init__(self, live: dict[str, int]) -> None:
        self._live = live
        self.pending: dict[str, int | None] = {}
        self.deleted: int = 0
        self.last_deletion: int = 0
        # The generations of the versions that end, and the generations that end them.
        self.ended: list[int] = []
        self.ended_at: list[int] = []

    def observe(self, ids: Sequence[str], generations: Sequence[int]) -> None:
        """Record that `ids` are observed with `generations`."""
        fresh: dict[str, int | None] = dict(zip(ids, generations, strict=True))
        if len(fresh) < len(ids):
            # An id occurs twice. The later row supersedes the earlier one, so the rows are handled one by one.
            for id, generation in zip(ids, generations, strict=True):
                self._end(self._current(id), generation)
                self.pending[id] = generation
            return
        # Most ids are new. The test for this takes one look-up per id and builds no list.
        if not (self._live.keys().isdisjoint(ids) and self.pending.keys().isdisjoint(ids)):
            for old, generation in zip(self._currents(ids), generations, strict=True):
                self._end(old, generation)
        self.pending.update(fresh)

    def delete(self, ids: Sequence[str], generations: Sequence[int]) -> None:
        """Record that `ids`, which are distinct, end at `generations`."""
        for generation, id in zip(generations, ids, strict=True):
            self._end(self._current(id), generation)
            self.pending[id] = None
        self.deleted += len(ids)
        self.last_deletion = generations[-1]

    def existing(self, ids: Sequence[str]) -> list[str]:
        """Return those of `ids` that exist, each once."""
        distinct = list(dict.fromkeys(ids))
        return [id for id, old in zip(distinct, self._currents(distinct), strict=True) if old is not None]

    def generations(self, ids: Sequence[str]) -> list[int]:
        """Return the generation of the live version of each of `ids`, 0 for an id without one."""
        return [generation or 0 for generation in self._currents(ids)]

    def unchanged(self, ids: Sequence[str], versions: Sequence[int]) -> list[str]:
        """Return those of `ids` whose live version is still the one of `versions`."""
        return [id for id, old, now in zip(ids, versions, self._currents(ids), strict=True) if old == now]

    def ended_arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return `ended` and `ended_at` as arrays: int64, shape ``(n,)`` each."""
        return np.array(self.ended, dtype=np.int64), np.array(self.ended_at, dtype=np.int64)

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
            return record.generation(row) if record.kind is RecordKind.OBSERVE else None
    return None
