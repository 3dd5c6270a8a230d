"""Erasure: what was written under some ids leaves every file of the space, whatever is retained.

The ids are deleted before, by a commit. Then the manifest notes the erasure, so that it goes on after a crash; every
segment that has a row of the ids is rewritten without it, the oldest first, so that no older version comes back; and a
checkpoint is written that has nothing of their vectors. Segments of the first format cannot be rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final
from weakref import WeakMethod

import numpy as np
from numpy.typing import NDArray

from engram.errors import FailedPrecondition, Unavailable
from engram.log.files.os_errors import typed_failures
from engram.log.identity import Identity
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.log.records.record_table import RecordPage
from engram.log.segments.segment import segment_of
from engram.store.compaction.segment_rewriting import SegmentRewriting
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.space_state import SpaceState

_DIGEST_BYTES: Final = 16

Pace = Callable[[int], None]


class Erasure:
    """Erases ids from the files of one space. One thread at a time may use it.

    Parameters
    ----------
    state
        State of the space.
    indexing
        Writes the checkpoint.
    end_segment
        Refers to what commits something to a new segment, so that all that came before can be rewritten.
    """

    def __init__(
        self, state: SpaceState, indexing: IndexMaintenance, end_segment: WeakMethod[Callable[[], None]]
    ) -> None:
        self._state = state
        self._indexing = indexing
        self._end_segment = end_segment

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

        Raises
        ------
        Unavailable
            If it cannot be noted.
        """
        manifest = self._state.manifest
        digests = tuple(digest_of(manifest.identity, id) for id in ids)
        with typed_failures("noting what is to be erased"):
            manifest.change_erasing(lambda erasing: erasing.update(dict.fromkeys(digests, generation)))
        return digests

    def finish(self, pace: Pace) -> int:
        """Do what is noted; return how many observations were erased.

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
            return 0
        pace(0)
        self.check()
        last = max(erasing.values())
        pages = state.log.pages
        if pages and pages[-1].first_generation <= last:
            end_segment = self._end_segment()
            if end_segment is None:
                raise Unavailable("the space is no longer open", code="closed", field="space")
            end_segment()
        rewriting, count = SegmentRewriting(state, pace, joins=False), 0
        for page in [one for one in state.log.pages if one.first_generation <= last]:
            count += self._erase_from(page, erasing, rewriting)
        self._remove_leftovers()
        self._indexing.renew_checkpoint()
        with typed_failures("noting what was erased"):
            state.manifest.change_erasing(lambda now: _subtract(now, erasing))
        return count

    def _erase_from(self, page: RecordPage, erasing: Mapping[str, int], rewriting: SegmentRewriting) -> int:
        """Rewrite a segment without the rows of the ids, if it has any; return how many observations these are."""
        identity = self._state.manifest.identity
        erased: dict[Record, NDArray[np.bool_]] = {}
        for record in page.records:
            until = [erasing.get(digest_of(identity, id), 0) for id in record.ids()]
            rows = record.generations <= np.array(until, dtype=np.int64)
            if rows.any():
                erased[record] = rows
        if not erased:
            return 0
        observed = [record.generations[rows] for record, rows in erased.items() if record.kind is RecordKind.OBSERVE]
        versions = np.concatenate([np.empty(0, dtype=np.int64), *observed])
        # No recall finds them any more before they leave the log.
        self._state.attributes.erase(versions)
        self._state.index.erase(versions)

        def survivors(record: Record) -> NDArray[np.int64]:
            rows = erased.get(record)
            return np.arange(record.count) if rows is None else np.flatnonzero(~rows)

        rewriting.rewrite([page], self._state.log.horizon, survivors)
        return len(versions)

    def _remove_leftovers(self) -> None:
        """Remove the files that a rewriting has left which was interrupted."""
        manifest = self._state.manifest
        storage = manifest.storage.directory(SegmentRewriting.DIRECTORY)
        with typed_failures("removing replaced segments"):
            for name in storage.names():
                number = segment_of(name)
                if number is not None and any(entry.replaces(*number) for entry in manifest.segments):
                    storage.remove(name)


def _subtract(erasing: dict[str, int], done: Mapping[str, int]) -> None:
    """Remove what is done, unless it was asked for once more meanwhile."""
    for digest, generation in done.items():
        if erasing.get(digest) == generation:
            del erasing[digest]


def digest_of(identity: Identity, id: str) -> str:
    """Return what stands for an id in a receipt: a keyed digest, by which nobody can look for the id elsewhere."""
    key = bytes.fromhex(identity.space)
    return blake2b(id.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES, key=key).hexdigest()
