"""Placement of records: where in the segments of a log each one goes."""

from __future__ import annotations

from collections.abc import Sequence

from engram.log.files.prepared_write import Run
from engram.log.records.encoding import EncodedRecord
from engram.log.segments.segment import Segment
from engram.log.segments.segment_pool import SegmentPool


def place(
    records: Sequence[EncodedRecord],
    *,
    segment: Segment | None,
    pool: SegmentPool,
    next_bytes: int,
    previous_generation: int,
    synced_generation: int,
    now_us: int,
) -> list[Run]:
    """Assign a position to every record. All segments are created and opened here, before any write.

    Parameters
    ----------
    records
        The records.
    segment
        The segment that was written to last; None if there is none that may be continued.
    pool, next_bytes
        Where further segments come from, and how large they should be.
    previous_generation, synced_generation
        The last generation of the log, and the last one that is known to be durable.
    now_us
        The time of the commit, in microseconds since 1970 UTC. Records that were committed before have their own.

    Raises
    ------
    OSError
        If a segment cannot be created or opened. Nothing has changed then.
    """
    plan: list[Run] = []
    position = 0 if segment is None else segment.end
    taken: list[Segment] = []
    try:
        for record in records:
            if segment is None or position + record.nbytes > len(segment.view):
                segment = pool.take(record.nbytes, next_bytes)
                position = segment.begin
                taken.append(segment)
            if not plan or plan[-1].segment is not segment:
                plan.append(Run(segment, []))
            placed = record.place(
                epoch=segment.epoch,
                position=position,
                salt=segment.salt,
                previous_generation=previous_generation,
                synced_generation=synced_generation,
                committed_us=record.header.committed_us or now_us,
            )
            plan[-1].records.append(placed)
            previous_generation = placed.header.last_generation
            position += record.nbytes
        for run in plan:
            run.segment.file.open_for_writing()
    except BaseException:
        pool.give_back(taken)
        raise
    return plan
