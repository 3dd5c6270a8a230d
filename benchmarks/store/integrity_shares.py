"""What each check of `benchmarks.store.integrity_costs` takes by itself."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.store.integrity_workloads import DIM, notes, options
from benchmarks.support.datasets import synthetic_rows
from engram import _core
from engram.log.files.file_storage import FileStorage
from engram.log.identity import Identity
from engram.log.manifest import Manifest, Mark, SegmentEntry
from engram.log.records.encoding import EncodedRecord, encode_record, vector_sums
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.sectors import INLINE_SUMS, SECTOR_BYTES, pack_table
from engram.model.observations import make_batch
from engram.store import MemoryStore

REPEAT = 7
MARKS = 50
SALT = 12345
# native/probe.cpp: a recall of k hits ranks so many by their raw vectors, and native/raw_check.hpp: so many at a time.
RANKED_MIN = 16
RANKED_GROUP = 6


def ranked_of(k: int) -> int:
    """How many raw vectors a recall of `k` hits ranks, and checks before."""
    return max(RANKED_MIN, k + k // 2)


def cpu_s(work: Callable[[], object]) -> float:
    """Processor time of `work` on this thread, the median of a few runs."""
    taken = []
    for _ in range(REPEAT):
        begin_s = time.thread_time()
        work()
        taken.append(time.thread_time() - begin_s)
    return median(taken)


def ingest_parts(dim: int, batch: int, count: int = 16_384) -> dict[str, float]:
    """Nanoseconds per observation of what a commit does for the checks."""
    rows = synthetic_rows(count, dim)
    starts = range(0, count - batch + 1, batch)
    records = [_encoded(rows[start : start + batch], start) for start in starts]
    pieces = [rows[start : start + batch] for start in starts]
    sums = [_core.salted_sums(record.sums, SALT, 1) for record in records]
    # Without the vectors, if their checksums are made from those of their sectors.
    not_yet_summed = [record.payload[1 if vector_sums(rows[:1])[1] else 0 :] for record in records]

    def pack() -> None:
        for record, of in zip(records, sums, strict=True):
            record.header.pack(of, SALT)
            if len(of) > 4 * INLINE_SUMS:
                pack_table(of[4 * INLINE_SUMS :], SALT, SECTOR_BYTES)

    parts: dict[str, Callable[[], object]] = {
        "checksums of vectors": lambda: [vector_sums(piece) for piece in pieces],
        "checksums of sectors": lambda: [
            _core.salted_sums(_core.sector_sums(payload), SALT, 1) for payload in not_yet_summed
        ],
        "headers and tables": pack,
    }
    return {name: cpu_s(work) * 1e9 / (batch * len(records)) for name, work in parts.items()}


def _encoded(vectors: NDArray[np.float32], start: int) -> EncodedRecord:
    batch = make_batch(vectors=vectors, **notes(start, len(vectors)))
    return encode_record(LogEntry(RecordKind.OBSERVE, start + 1, batch), vectors.shape[1])


def mark_us(segments: int) -> float:
    """Microseconds of leaving one mark in a manifest that lists so many segments."""
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as folder:
        entries = [SegmentEntry(number, 64 << 20, 2, 3_000_000_000 + number) for number in range(1, segments + 1)]
        manifest = Manifest(FileStorage(Path(folder)), Identity.new(), {"dim": DIM}, entries)
        marks = iter(range(1, 1 + REPEAT * MARKS))

        def leave() -> None:
            for _ in range(MARKS):
                manifest.set_mark(Mark(next(marks), segments, 512))

        return cpu_s(leave) * 1e6 / MARKS


def raw_vector_us(count: int = 100_000, looks: int = 2_000) -> float:
    """Microseconds of checking one raw vector, in groups at random places of memory that no cache holds, as in recalls.

    A recall ranks by what it has checked, so this is what both take, less the ranking alone.
    """
    rows = np.ones((count, DIM), dtype=np.float32)
    cue = np.ones(DIM, dtype=np.float32)
    starts = np.random.default_rng(1).integers(0, count - RANKED_GROUP, looks).tolist()
    groups = [rows[start : start + RANKED_GROUP] for start in starts]
    both_s = cpu_s(lambda: [(_core.crc32c_rows(group), group @ cue) for group in groups])
    ranking_s = cpu_s(lambda: [group @ cue for group in groups])
    return (both_s - ranking_s) * 1e6 / (looks * RANKED_GROUP)


def scrub_s_per_gib(stores: Path) -> float:
    """Processor seconds of reading and checking a gibibyte of records."""
    with MemoryStore(stores / "recalled", options=options()) as store:
        space = store.space("bench")
        nbytes = 0

        def work() -> None:
            nonlocal nbytes
            nbytes = sum(space._engine.scrub())

        return cpu_s(work) * 2**30 / nbytes
