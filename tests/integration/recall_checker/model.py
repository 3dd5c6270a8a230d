"""What was alive in a space at each generation, according to the acknowledgements."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.integration.recall_checker.content import CUES, NEVER_US, facts_of
from tests.integration.recall_checker.life import Deleted, Life, Refused, Vector, Within, Written
from tests.integration.server_process import DIM

_FOR_EVER = np.iinfo(np.int64).max


class Version(NamedTuple):
    """What one generation did to an id: a new version, or, without a vector, a deletion."""

    id: str
    vector: Vector | None
    tag: str
    metadata: Mapping[str, int]
    expires_us: int = NEVER_US


class Model:
    """Replays what was acknowledged of a space.

    Parameters
    ----------
    life
        The space.

    Attributes
    ----------
    versions
        What each generation did, from the first on.
    facts
        By generation, tags, metadata and expiry as answers tell them.
    scores
        By generation and cue.
    observed
        By generation, whether it made a version.
    expires_us
        By generation, when it expires.

    Raises
    ------
    AssertionError
        If what was acknowledged contradicts itself.
    """

    def __init__(self, life: Life) -> None:
        self.versions: list[Version] = []
        self._latest: dict[str, int] = {}
        self._ends: list[int] = []
        self._begun_us: list[int] = []
        self._of_id: defaultdict[str, list[int]] = defaultdict(list)
        # When the last of what has been removed was due.
        self._removed_us = 0
        self._replay(life)
        for refused in life.refused:
            self._check_refused(refused)
        count = len(self.versions)
        # Alive from its own generation on, and up to the one before this.
        self._end_of = np.array(self._ends, dtype=np.int64)
        self._begun_until_us = np.maximum.accumulate(np.array(self._begun_us, dtype=np.int64))
        self.observed = np.array([version.vector is not None for version in self.versions], dtype=bool)
        self.expires_us = np.array([version.expires_us for version in self.versions], dtype=np.int64)
        self._tags = np.array([version.tag for version in self.versions], dtype=str)
        self.facts = [
            facts_of([version.tag] if version.tag else [], version.metadata, version.expires_us)
            for version in self.versions
        ]
        vectors = np.zeros((count, DIM))
        for row, version in enumerate(self.versions):
            if version.vector is not None:
                vectors[row] = version.vector
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
        self.scores = unit @ (CUES / np.linalg.norm(CUES, axis=1, keepdims=True)).T

    def alive(self, generation: int, tag: str) -> NDArray[np.int64]:
        """The generations alive at `generation` that have `tag`, or any if that is empty: ascending."""
        alive = self._has(tag)[:generation] & (self._end_of[:generation] > generation)
        return np.flatnonzero(alive) + 1

    def was_empty_since(self, generation: int, tag: str, due_us: int = 0) -> bool:
        """Whether nothing with `tag` was alive at `generation`, or at a later one, but for what was due at a time."""
        has = self._has(tag) & (self.expires_us > due_us)
        begun = np.concatenate(([0], np.cumsum(has)))
        ends = self._end_of[has]
        over = np.bincount(ends[ends < _FOR_EVER], minlength=len(begun)).cumsum()
        return bool((begun == over)[generation:].any())

    def newest_at(self, time_us: int) -> int:
        """The newest generation that there may have been at a time: what made later ones had not begun by then."""
        return int(np.searchsorted(self._begun_until_us, time_us, side="right"))

    def ended_count(self, first: int, last: int) -> int:
        """How many versions ended at the generations from `first` to `last`."""
        return int(np.count_nonzero((first <= self._end_of) & (self._end_of <= last)))

    def _has(self, tag: str) -> NDArray[np.bool_]:
        return self.observed & (self._tags == tag) if tag else self.observed

    def _replay(self, life: Life) -> None:
        written = {change.generation: change for change in life.written}
        assert len(written) == len(life.written), "a generation was given twice"
        deleted = deque(sorted(life.deleted, key=lambda change: change.last))
        while written or deleted or len(self.versions) < life.settled:
            following = len(self.versions) + 1
            if following in written:
                self._write(written.pop(following))
                continue
            # What lies before a write is not of a deletion behind it.
            may_be_deleted = deleted and written.keys().isdisjoint(range(following, deleted[0].last + 1))
            gone = self._deleted_by(deleted[0], life) if may_be_deleted else []
            if gone:
                self._delete(deleted.popleft(), gone)
            else:
                self._remove(following, life)

    def _write(self, change: Written) -> None:
        self._check_removed(change.within)
        before, found = self._latest.get(change.id, 0), self._may_be_found(change.id, change.within)
        assert change.expected is None or change.expected in found, f"a condition did not hold: {found} where {change}"
        expires_us = change.expires_us
        if not change.is_update:
            assert change.tag is not None
            assert change.metadata is not None
            expires_us = NEVER_US if expires_us is None else expires_us
            new = Version(change.id, change.vector, change.tag, change.metadata, expires_us)
            self._add(new, change.within.asked_us)
            return
        assert found != {0}, f"an update of what was not there: {change}"
        old = self.versions[before - 1]
        self._add(
            Version(
                change.id,
                old.vector if change.vector is None else change.vector,
                old.tag if change.tag is None else change.tag,
                {**old.metadata, **(change.metadata or {})},
                old.expires_us if expires_us is None else expires_us,
            ),
            change.within.asked_us,
        )

    def _may_be_found(self, id: str, within: Within) -> set[int]:
        """The live versions of an id that a write may find, 0 for none, as what is due is not there for it."""
        version = self._latest.get(id, 0)
        if not version:
            return {0}
        expires_us = self.versions[version - 1].expires_us
        may_be = {version: expires_us > within.asked_us, 0: expires_us <= within.answered_us}
        return {found for found, is_possible in may_be.items() if is_possible}

    def _delete(self, change: Deleted, gone: Sequence[str]) -> None:
        self._check_removed(change.within)
        counts = [sum(expires_us > time_us for expires_us in self._expiries(gone)) for time_us in change.within]
        assert counts[1] <= change.gone_count <= counts[0], (
            f"{counts} ids are gone, and another number was told: {change}"
        )
        assert change.ids is not None or change.as_of >= change.acked_before, f"deleted as of the past: {change}"
        for id in gone:
            self._add(Version(id, None, "", {}), change.within.asked_us)

    def _deleted_by(self, change: Deleted, life: Life) -> Sequence[str]:
        """The ids that a deletion deletes if it comes next, in the order of its rows; none if it does not."""
        for ids in self._may_be_deleted(change):
            if change.last == len(self.versions) + len(ids) and self._is_told(ids, life):
                return ids
        return []

    def _may_be_deleted(self, change: Deleted) -> list[Sequence[str]]:
        if change.ids is not None:
            return [[id for id in dict.fromkeys(change.ids) if id in self._latest]]
        passing = [
            (generation, id)
            for id, generation in self._latest.items()
            # What is alive now was alive then if it had been written by then.
            if generation <= change.as_of and change.tag in ("", self.versions[generation - 1].tag)
        ]
        ids = [id for _, id in sorted(passing)]
        # What was due when it was looked for goes by itself.
        expiries, (asked_us, answered_us) = self._expiries(ids), change.within
        times = [asked_us, *sorted(each for each in expiries if asked_us < each <= answered_us)]
        return [[id for id, each in zip(ids, expiries, strict=True) if each > time_us] for time_us in times]

    def _is_told(self, gone: Sequence[str], life: Life) -> bool:
        """Whether what the server tells of the generations that follow is what it is if these ids go, one by one."""
        alive = dict(self._latest)
        for generation, id in enumerate(gone, len(self.versions) + 1):
            del alive[id]
            if life.alive_at.get(generation, alive) != alive:
                return False
        return True

    def _remove(self, generation: int, life: Life) -> None:
        """Add the removal of something that has expired."""
        assert generation in life.alive_at, f"generation {generation} is lost, or one was given twice"
        alive = life.alive_at[generation]
        gone = [id for id in self._latest if id not in alive]
        assert len(gone) == 1, f"generation {generation} removed {gone}"
        assert alive.items() <= self._latest.items(), f"generation {generation} did more than to remove {gone}"
        (expires_us,) = self._expiries(gone)
        self._removed_us = max(self._removed_us, expires_us)
        self._add(Version(gone[0], None, "", {}), expires_us)

    def _check_removed(self, within: Within) -> None:
        """Check that what has been removed was due when a call was answered that was stored later."""
        assert self._removed_us <= within.answered_us, "something was removed before it was due"

    def _expiries(self, ids: Sequence[str]) -> list[int]:
        """When the live versions of ids expire."""
        return [self.versions[self._latest[id] - 1].expires_us for id in ids]

    def _add(self, version: Version, begun_us: int) -> None:
        """Add what a generation did, and the time before which that cannot have begun."""
        self.versions.append(version)
        self._ends.append(_FOR_EVER)
        self._begun_us.append(begun_us)
        generation = len(self.versions)
        self._of_id[version.id].append(generation)
        if version.id in self._latest:
            self._ends[self._latest.pop(version.id) - 1] = generation
        if version.vector is not None:
            self._latest[version.id] = generation

    def _check_refused(self, refused: Refused) -> None:
        """Check that the live version that a refusal told of was that after what had been acknowledged."""
        acked, (asked_us, answered_us) = refused.acked_before, refused.within
        if refused.found:
            version = self.versions[refused.found - 1]
            assert (version.id, version.vector is None) == (refused.id, False), f"no such version: {refused}"
            assert self._ends[refused.found - 1] > acked, f"a version of the past: {refused}"
            assert version.expires_us > asked_us, f"a version that was due: {refused}"
            return
        versions = [
            (generation, self.versions[generation - 1])
            for generation in self._of_id[refused.id]
            if self._ends[generation - 1] > acked
        ]
        was_there = any(generation <= acked and version.vector is not None for generation, version in versions)
        was_gone = any(generation > acked and version.vector is None for generation, version in versions)
        was_due = any(version.expires_us <= answered_us for _, version in versions)
        assert was_gone or was_due or not was_there, f"it was there: {refused}"
