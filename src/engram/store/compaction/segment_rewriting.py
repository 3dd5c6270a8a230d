"""Rewriting of segments while the space is used: the log gets the new one, and the graph the places in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engram.log.compaction import SegmentCompaction, Survivors
from engram.log.files.os_errors import typed_failures
from engram.log.records.header import RecordKind
from engram.log.records.progress import Horizon
from engram.log.records.record_table import RecordPage
from engram.log.segments.segment import LOG_DIRECTORY, segment_name, segment_of
from engram.store.space_state import SpaceState


class SegmentRewriting:
    """Replaces neighbouring closed segments by one. One thread at a time may use it.

    Parameters
    ----------
    state
        State of the space.
    pace
        Is told of bytes before they are read or written. It may wait, and raise to stop.
    joins
        As for `SegmentCompaction`.
    """

    def __init__(self, state: SpaceState, pace: Callable[[int], None], *, joins: bool = True) -> None:
        self._state = state
        self._storage = state.manifest.storage.directory(LOG_DIRECTORY)
        self._compaction = SegmentCompaction(state.log, self._storage, pace, joins=joins)

    def rewrite(self, run: Sequence[RecordPage], horizon: Horizon, survivors: Survivors) -> int:
        """Replace the segments `run` by one with what survives; return how many bytes that freed.

        The parameters and errors are those of `SegmentCompaction.compact`.
        """
        page = self._compaction.compact(run, horizon, survivors)
        blocks = [
            block
            for one in page.records
            if one.kind is RecordKind.OBSERVE and (block := one.vector_block()) is not None
        ]
        retired = [one.segment.view for one in run]
        self._state.index.relocate(page.first_generation, page.last_generation, blocks, retired)
        self._compaction.remove(run)
        return sum(one.segment.file.size for one in run) - page.segment.file.size

    def remove_leftovers(self) -> None:
        """Remove the files of what was replaced that could not be removed then, or whose replacement was interrupted.

        Raises
        ------
        Unavailable
            If one cannot be removed.
        """
        manifest = self._state.manifest
        with typed_failures("removing replaced segments"):
            found = [number for name in self._storage.names() if (number := segment_of(name)) is not None]
            left = manifest.left_behind(found)
            if left:
                # An attempt that failed may have left a list on the disk that has them.
                manifest.save()
            for number in left:
                self._storage.remove(segment_name(*number))
