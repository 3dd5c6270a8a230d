"""The changes of a space, read from the log: what each of its rows began, and what it ended."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData, FailedPrecondition
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.following.change import Change, ChangeKind
from engram.model.following.follow_changes import FollowChanges
from engram.model.hit import Hit
from engram.model.limits import BATCH_BYTES_MAX
from engram.model.times import now_us
from engram.store.filters.selection import Unreadable, select, which_pass
from engram.store.scans.runs import Span, reach, spans_between
from engram.store.scans.scanned_hits import readable_spans, scanned_hits
from engram.store.space_state import SpaceState


class ChangeReader:
    """Reads the changes that one feed is told; one thread at a time may use it.

    Parameters
    ----------
    state
        State of the space.
    request
        What the feed asks for.

    Attributes
    ----------
    incomplete
        Whether something was left out so far, because it is damaged.
    """

    def __init__(self, state: SpaceState, request: FollowChanges) -> None:
        self._state = state
        self._filter: Filter | Condition = request.filter
        self._skip = request.skip_damaged
        self._vectors = request.include_vectors
        self.incomplete: bool = False

    def reach(self, first: int, last: int) -> int:
        """Return up to which generation the changes from `first` on are read together, `last` at most.

        Hits that are read together stay in memory as long as one of them does.
        """
        return reach(self._state.log, first, last, BATCH_BYTES_MAX)

    def read(self, first: int, last: int) -> list[Change]:
        """Return what changed from the generation `first` to `last`, both visible, in their order.

        Raises
        ------
        CorruptData
            If something of it is damaged, unless damage is skipped.
        FailedPrecondition
            With code ``snapshot_expired``, if something of it has been dropped or erased.
        """
        spans = self._spans(first, last)
        unclear: list[Unreadable] = []
        passing = select(self._state.attributes, self._filter, first, last, unclear=unclear)
        ended = self._ended(first, last, set(passing.tolist()), unclear)
        if unclear and not self._skip:
            raise copy.copy(min(unclear, key=lambda one: one[0])[1])
        self.incomplete |= bool(unclear)
        indexed = self._state.index.indexed_generation
        changes = [change for span in spans for change in self._changes(span, passing, ended, indexed)]
        # Looked at afterwards: what was read before anything was dropped is whole.
        self._check_retained(first)
        return changes

    def _check_retained(self, first: int) -> None:
        dropped = self._state.dropped_generation
        if first <= dropped:
            raise _expired(f"what was committed from generation {first} on is no longer retained", first, dropped)

    def _spans(self, first: int, last: int) -> list[Span]:
        """Return where the log has the rows of the generations from `first` to `last`, of which none may be missing."""
        spans = list(spans_between(self._state.log, first, last))
        if sum(span.rows for span in spans) == last - first + 1:
            return spans
        # First, because it says from where on there is something again.
        self._check_retained(first)
        present = [_generations(span) for span in spans]
        missing = np.setdiff1d(np.arange(first, last + 1), np.concatenate([*present, np.empty(0, dtype=np.int64)]))
        # Nobody can tell whether it was one of those that the follower knows, and has to forget.
        raise _expired(
            f"something of generation {int(missing[0])} or later was erased or dropped; read what is there, and follow "
            "from the generation of that",
            first,
            int(missing[-1]),
        )

    def _ended(self, first: int, last: int, told: set[int], unclear: list[Unreadable]) -> _Ended:
        """Return which versions ended from `first` to `last`, and which of them passed the filter.

        Parameters
        ----------
        told
            The generations that are told whatever ended, because their own version passes.
        unclear
            Has those of which damage decides whether they pass, and receives the others of which it decides whether
            they are told.
        """
        attributes = self._state.attributes
        versions, at = attributes.columns.ended_within(first, last)
        passed = set(at.tolist())
        if not self._filter.is_open:
            order = np.argsort(versions)
            unknown: list[Unreadable] = []
            passes = which_pass(attributes, self._filter, versions[order], unknown)
            passed = set(at[order][passes].tolist())
            ends = dict(zip(versions.tolist(), at.tolist(), strict=True))
            unclear += [(ends[version], error) for version, error in unknown if ends[version] not in told]
        doubtful = frozenset(generation for generation, _ in unclear)
        return _Ended(dict(zip(at.tolist(), versions.tolist(), strict=True)), passed, doubtful)

    def _changes(self, span: Span, passing: NDArray[np.int64], ended: _Ended, indexed: int) -> Iterator[Change]:
        if span.record.kind is RecordKind.OBSERVE:
            yield from self._observed(span, passing, ended, indexed)
            return
        for row, generation in enumerate(_generations(span).tolist(), span.row):
            version = ended.version_at.get(generation)
            # What ended a version that is lost is told: who does not know the id has nothing to forget.
            if generation in ended.doubtful or not (version is None or generation in ended.passed):
                continue
            id = self._id(span.record, row)
            # A deletion of the empty id, which no observation has, ends a segment.
            if id:
                is_due = version is not None and self._state.attributes.is_due(version, span.record.committed_us)
                yield Change("expired" if is_due else "deleted", id, generation, version)

    def _observed(self, span: Span, passing: NDArray[np.int64], ended: _Ended, indexed: int) -> Iterator[Change]:
        generations = _generations(span)
        passes = np.isin(generations, passing)
        hits = self._hits(span.record, span.row + np.flatnonzero(passes), indexed)
        places = zip(generations.tolist(), passes.tolist(), strict=True)
        for row, (generation, has_passed) in enumerate(places, span.row):
            version = ended.version_at.get(generation)
            if generation in ended.doubtful:
                continue
            if has_passed:
                hit = hits.get(generation)
                if hit is not None:
                    kind: ChangeKind = "observed" if version is None else "updated"
                    yield Change(kind, hit.id, generation, version, hit)
            elif version is not None and generation in ended.passed and (id := self._id(span.record, row)):
                yield Change("left", id, generation, version)

    def _hits(self, record: Record, rows: NDArray[np.int64], indexed: int) -> dict[int, Hit]:
        """Return the hits of rows of a record, by their generations, without those that are left out."""
        runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
        spans = [Span(record, int(run[0]), len(run)) for run in runs if len(run)]
        if self._skip:
            spans, some_are_left_out = readable_spans(spans, vectors=self._vectors)
            self.incomplete |= some_are_left_out
        return {hit.generation: hit for hit in scanned_hits(spans, indexed, now_us())}

    def _id(self, record: Record, row: int) -> str:
        """Return an id; an empty one if it is damaged and left out."""
        try:
            return record.id(row)
        except CorruptData:
            if not self._skip:
                raise
            self.incomplete = True
            return ""


class _Ended(NamedTuple):
    """The versions that ended in some generations.

    Parameters
    ----------
    version_at
        The version that each generation ended, as far as it ended one.
    passed
        The generations that ended a version which passed the filter.
    doubtful
        The generations of which damage decides whether they are told.
    """

    version_at: dict[int, int]
    passed: set[int]
    doubtful: frozenset[int]


def _generations(span: Span) -> NDArray[np.int64]:
    """Return the generations of some rows: int64, shape ``(n,)``."""
    found: NDArray[np.int64] = span.record.generations[span.row : span.row + span.rows]
    return found


def _expired(reason: str, first: int, limit: int) -> FailedPrecondition:
    return FailedPrecondition(reason, code="snapshot_expired", field="after_generation", limit=limit, value=first - 1)
