"""What was alive in a space at each generation, according to the acknowledgements."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.integration.recall_checker.content import CUES, facts_of
from tests.integration.recall_checker.life import Deleted, Life, Refused, Vector, Written
from tests.integration.server_process import DIM

_FOR_EVER = np.iinfo(np.int64).max


class Version(NamedTuple):
    """What one generation did to an id: a new version, or, without a vector, a deletion."""

    id: str
    vector: Vector | None
    tag: str
    metadata: Mapping[str, int]


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
        By generation, tags and metadata as answers tell them.
    scores
        By generation and cue.
    observed
        By generation, whether it made a version.

    Raises
    ------
    AssertionError
        If what was acknowledged contradicts itself.
    """

    def __init__(self, life: Life) -> None:
        self.versions: list[Version] = []
        self._latest: dict[str, int] = {}
        self._ends: list[int] = []
        self._gone_at: dict[str, int] = {}
        self._replay(life)
        for refused in life.refused:
            self._check_refused(refused)
        count = len(self.versions)
        # Alive from its own generation on, and up to the one before this.
        self._end_of = np.array(self._ends, dtype=np.int64)
        self.observed = np.array([version.vector is not None for version in self.versions], dtype=bool)
        self._tags = np.array([version.tag for version in self.versions], dtype=str)
        self.facts = [facts_of([version.tag] if version.tag else [], version.metadata) for version in self.versions]
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

    def was_empty_since(self, generation: int, tag: str) -> bool:
        """Whether nothing with `tag` was alive at `generation`, or at a later one."""
        has = self._has(tag)
        begun = np.concatenate(([0], np.cumsum(has)))
        ends = self._end_of[has]
        over = np.bincount(ends[ends < _FOR_EVER], minlength=len(begun)).cumsum()
        return bool((begun == over)[generation:].any())

    def _has(self, tag: str) -> NDArray[np.bool_]:
        return self.observed & (self._tags == tag) if tag else self.observed

    def _replay(self, life: Life) -> None:
        written = {change.generation: change for change in life.written}
        assert len(written) == len(life.written), "a generation was given twice"
        deleted = deque(sorted(life.deleted, key=lambda change: change.last))
        while written or deleted:
            following = len(self.versions) + 1
            if following in written:
                self._write(written.pop(following))
            elif deleted and self._is_next(deleted[0]):
                self._delete(deleted.popleft())
            else:
                raise AssertionError(f"generation {following} is lost, or one was given twice")

    def _write(self, change: Written) -> None:
        before = self._latest.get(change.id, 0)
        assert change.expected in (None, before), f"a condition did not hold: {before} where {change}"
        if not change.is_update:
            assert change.tag is not None
            assert change.metadata is not None
            self._add(Version(change.id, change.vector, change.tag, change.metadata))
            return
        assert before, f"an update of what was not there: {change}"
        old = self.versions[before - 1]
        self._add(
            Version(
                change.id,
                old.vector if change.vector is None else change.vector,
                old.tag if change.tag is None else change.tag,
                {**old.metadata, **(change.metadata or {})},
            )
        )

    def _is_next(self, change: Deleted) -> bool:
        """Whether the rows of a deletion have the generations that follow."""
        return change.last == len(self.versions) + len(self._deleted_by(change))

    def _delete(self, change: Deleted) -> None:
        gone = self._deleted_by(change)
        assert len(gone) == change.count, f"{len(gone)} ids are gone, and another number was told: {change}"
        assert change.ids is not None or change.as_of >= change.acked_before, f"deleted as of the past: {change}"
        for id in gone:
            self._add(Version(id, None, "", {}))

    def _deleted_by(self, change: Deleted) -> Sequence[str]:
        """The ids that a deletion deletes if it comes next, in the order of its rows."""
        if change.ids is not None:
            return [id for id in dict.fromkeys(change.ids) if id in self._latest]
        passing = [
            (generation, id)
            for id, generation in self._latest.items()
            # What is alive now was alive then if it had been written by then.
            if generation <= change.as_of and change.tag in ("", self.versions[generation - 1].tag)
        ]
        return [id for _, id in sorted(passing)]

    def _add(self, version: Version) -> None:
        self.versions.append(version)
        self._ends.append(_FOR_EVER)
        generation = len(self.versions)
        if version.id in self._latest:
            self._ends[self._latest.pop(version.id) - 1] = generation
        if version.vector is None:
            self._gone_at[version.id] = generation
        else:
            self._latest[version.id] = generation

    def _check_refused(self, refused: Refused) -> None:
        """Check that the live version that a refusal told of was that after what had been acknowledged."""
        if refused.found:
            version = self.versions[refused.found - 1]
            assert (version.id, version.vector is None) == (refused.id, False), f"no such version: {refused}"
            assert self._ends[refused.found - 1] > refused.acked_before, f"a version of the past: {refused}"
            return
        was_gone = self._gone_at.get(refused.id, 0) > refused.acked_before
        assert was_gone or not self._was_alive(refused.id, refused.acked_before), f"it was there: {refused}"

    def _was_alive(self, id: str, generation: int) -> bool:
        """Whether a version of an id was alive at a generation."""
        before = zip(self.versions[:generation], self._ends[:generation], strict=True)
        return any(version.id == id and version.vector is not None and end > generation for version, end in before)
