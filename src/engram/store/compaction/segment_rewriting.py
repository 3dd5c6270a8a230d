"""Rewriting of segments while the space is used: the log gets the new one, and the graph the places in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from engram.log.compaction import SegmentCompaction, Survivors
from engram.log.records.header import RecordKind
from engram.log.records.progress import Horizon
from engram.log.records.record_table import RecordPage
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

    DIRECTORY: ClassVar[str] = "log"

    def __init__(self, state: SpaceState, pace: Callable[[int], None], *, joins: bool = True) -> None:
        self._state = state
        storage = state.manifest.storage.directory(self.DIRECTORY)
        self._compaction = SegmentCompaction(state.log, storage, pace, joins=joins)

    def rewrite(self, run: Sequence[RecordPage], horizon: Horizon, survivors: Survivors) -> int:
        """Replace the segments `run` by one with what survives; return how many bytes that freed.

        The parameters and errors are those of `SegmentCompaction.compact`.
        """
        page = self._compaction.compact(run, horizon, survivors)
        blocks = [
            (one.first_generation, one.raw_vectors, one.vector_sums(), one.generations if one.has_gaps else None)
            for one in page.records
            if one.kind is RecordKind.OBSERVE
        ]
        retired = [one.segment.view for one in run]
        self._state.index.relocate(page.first_generation, page.last_generation, blocks, retired)
        self._compaction.remove(run)
        return sum(one.segment.file.size for one in run) - page.segment.file.size
