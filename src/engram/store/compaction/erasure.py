"""Erasure: what was written under some ids leaves every file of the space, whatever is retained.

The ids are deleted before, by a commit. Then the manifest notes the erasure, so that it goes on after a crash; every
segment that has a row of the ids is rewritten without it, the oldest first, so that no older version comes back; and a
checkpoint is written that has nothing of their vectors. Segments with the remains of a write that a crash interrupted
are rewritten, too, since these may be of anything. Segments of the first format cannot be rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from weakref import WeakMethod

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError, FailedPrecondition, OverCapacity, Unavailable
from engram.log.files.os_errors import typed_failures
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.log.records.record_table import RecordPage
from engram.store.compaction.segment_rewriting import SegmentRewriting
from engram.store.compaction.wanted_rows import WantedRows, digests_of
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.space_state import SpaceState

# What is noted is written with every change of the manifest.
_NOTED_MAX: Final = 100_000
_NOT_NOTED: Final = "; what is to be erased is deleted, and no more than that: erase it again"
_RETRY_AFTER_MS: Final = 10_000

Pace = Callable[[int], None]


class Erasure:
    """Erases ids from the files of one space. Any thread may note ids; one thread at a time may do the rest.

    Parameters
    ----------
    state
        State of the space.
    indexing
        Writes the checkpoint.
    end_segment
        Refers to what commits something to a new segment, and returns when all that came before is published.
    """

    def __init__(
        self, state: SpaceState, indexing: IndexMaintenance, end_segment: WeakMethod[Callable[[], None]]
    ) -> None:
        self._state = state
        self._indexing = indexing
        self._end_segment = end_segment
        # By the digests of those who wait, how many observations were erased.
        self._counts: dict[str, int] = {}

    @property
    def is_under_way(self) -> bool:
        """Whether an erasure was begun and is not finished."""
        return bool(self._state.manifest.erasing)

    def check(self) -> None:
        """Check that everything in the log can be rewritten.

        Raises
        ------
        FailedPrecondition
            If Engram 0.1 wrote a part of it.
        """
        for page in self._state.log.pages:
            if page.segment.format == 1:
                raise FailedPrecondition(
                    f"{page.segment.name} was written by Engram 0.1, and nothing can be erased from it; `engram "
                    "repair` makes a directory of the present format",
                    code="old_format",
                    field="erase",
                )

    def note(self, ids: Sequence[str], generation: int) -> tuple[str, ...]:
        """Note durably that `ids` are to be erased as far as `generation`; return their digests.

        What is erased under these is counted from now on, until it is `taken`.

        Raises
        ------
        OverCapacity
            If too many ids are being erased. Nothing is noted then, and the error says to erase them again.
        Unavailable
            If it cannot be noted; as above.
        """
        manifest = self._state.manifest
        digests = tuple(digests_of(manifest.identity, ids))
        counted = [digest for digest in digests if digest not in self._counts]
        self._counts.update(dict.fromkeys(counted, 0))
        try:
            with typed_failures("noting what is to be erased"):
                manifest.change_erasing(lambda erasing: _add(erasing, digests, generation))
        except BaseException as error:
            self.taken(counted)
            if isinstance(error, EngramError):
                # Else it would be taken for one that goes on by itself.
                error.message = (
                    f"{error.message}; what is to be erased is deleted, and no more than that: erase it again"
                )
                error.args = (error.message,)
            raise
        return digests

    def taken(self, digests: Iterable[str]) -> int:
        """Return how many observations were erased under `digests` since they were noted, and count them no more."""
        return sum(self._counts.pop(digest, 0) for digest in digests)

    def finish(self, pace: Pace) -> None:
        """Do what is noted.

        Raises
        ------
        CorruptData
            If something cannot be read that might have to be erased.
        FailedPrecondition
            As `check`.
        Unavailable
            If the disk is full or fails. The erasure goes on at the next call.
        """
        state, erasing = self._state, self._state.manifest.erasing
        if not erasing:
            return
        pace(0)
        self.check()
        wanted = WantedRows(state.manifest.identity, erasing, pace)
        self._end_what_is_open(wanted)
        rewriting = SegmentRewriting(state, pace, joins=False)
        for page in state.log.pages:
            self._erase_from(page, wanted, rewriting)
        rewriting.remove_leftovers()
        self._indexing.renew_checkpoint()
        with typed_failures("noting what was erased"):
            state.manifest.change_erasing(lambda now: _subtract(now, erasing))

    def end_open_segment(self) -> None:
        """Have the next record begin a new segment; return when what is in the present one is published.

        Raises
        ------
        Unavailable
            If the space is no longer open.
        """
        end_segment = self._end_segment()
        if end_segment is None:
            raise Unavailable("the space is no longer open", code="closed", field="space")
        end_segment()

    def _end_what_is_open(self, wanted: WantedRows) -> None:
        """Have all that is to be rewritten be in segments to which nothing is added, and published.

        A commit may write to several segments before any of it is published. The graph knows only what is published,
        and would not learn where the rest has moved. The next commit is answered when this one is published.
        """
        # Read in this order: what is published in between is only waited for in vain.
        visible = self._state.index.visible_generation
        pages = self._state.log.pages
        is_open = [page for page in pages if page is pages[-1] or page.last_generation > visible]
        if any(self._has_remains(page) or wanted.of(page) for page in is_open):
            self.end_open_segment()

    def _has_remains(self, page: RecordPage) -> bool:
        # Behind the last record of the segment in use, the next one may just be written.
        return page.segment is not self._state.log.present and page.segment.has_remains

    def _erase_from(self, page: RecordPage, wanted: WantedRows, rewriting: SegmentRewriting) -> None:
        """Rewrite a segment without the rows that are to be erased, and without remains, if it has any of these."""
        erased = wanted.of(page)
        if not erased and not self._has_remains(page):
            return
        observed = [one for record, one in erased.items() if record.kind is RecordKind.OBSERVE]
        if observed:
            versions = np.concatenate([one.generations for one in observed])
            # No recall finds them any more before they leave the log.
            self._state.attributes.erase(versions)
            self._state.index.erase(versions)

        def survivors(record: Record) -> NDArray[np.int64]:
            one = erased.get(record)
            return np.arange(record.count) if one is None else np.flatnonzero(~one.rows)

        rewriting.rewrite([page], self._state.log.horizon, survivors)
        for digest in (digest for one in observed for digest in one.digests):
            if digest in self._counts:
                self._counts[digest] += 1


def _add(erasing: dict[str, int], digests: Sequence[str], generation: int) -> None:
    """Add what is to be erased up to `generation`, unless it is to be erased up to a later one.

    Raises
    ------
    OverCapacity
        If that is too much.
    """
    for digest in digests:
        erasing[digest] = max(generation, erasing.get(digest, 0))
    if len(erasing) > _NOTED_MAX:
        raise OverCapacity(
            f"{len(erasing)} ids would be erased at the same time, of {_NOTED_MAX} at most; erase these when others "
            "are done",
            code="too_many_erasures",
            field="ids",
            limit=_NOTED_MAX,
            value=len(erasing),
            retry_after_ms=_RETRY_AFTER_MS,
        )


def _subtract(erasing: dict[str, int], done: Mapping[str, int]) -> None:
    """Remove what is done, unless it was asked for once more meanwhile."""
    for digest, generation in done.items():
        if erasing.get(digest) == generation:
            del erasing[digest]
