"""What each check of `benchmarks.integrity_costs` takes by itself."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import synthetic_rows
from benchmarks.integrity_workloads import DIM, RECALLS, options, read
from engram import _core
from engram.log.encoding import EncodedRecord, encode_record
from engram.log.entry import LogEntry
from engram.log.file_storage import FileStorage
from engram.log.header import RecordKind
from engram.log.identity import Identity
from engram.log.manifest import Manifest, Mark, SegmentEntry
from engram.log.sectors import INLINE_SUMS, SECTOR_BYTES, pack_table
from engram.log.text_column import read_text
from engram.observations import make_batch
from engram.store import MemoryStore, Space

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
    sums = [_core.sector_sums(record.payload, SALT, 1) for record in records]

    def pack() -> None:
        for record, of in zip(records, sums, strict=True):
            record.header.pack(of, SALT)
            if len(of) > 4 * INLINE_SUMS:
                pack_table(of[4 * INLINE_SUMS :], SALT, SECTOR_BYTES)

    parts: dict[str, Callable[[], object]] = {
        "checksums of vectors": lambda: [_core.crc32c_rows(piece) for piece in pieces],
        "checksums of sectors": lambda: [_core.sector_sums(record.payload, SALT, 1) for record in records],
        "headers and tables": pack,
    }
    return {name: cpu_s(work) * 1e9 / (batch * len(records)) for name, work in parts.items()}


def _encoded(vectors: NDArray[np.float32], start: int) -> EncodedRecord:
    numbers = range(start, start + len(vectors))
    batch = make_batch(
        [f"note-{number}" for number in numbers],
        vectors,
        [
            f"The text of note {number}, which is about as long as a sentence in a conversation is."
            for number in numbers
        ],
        metadata=[{"speaker": f"person {number % 20}", "turn": number} for number in numbers],
        tags=[["note", f"topic-{number % 50}"] for number in numbers],
    )
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


def recall_parts(stores: Path, k: int = 10) -> dict[str, float]:
    """Microseconds per recall of checking the raw vectors it ranks and the hits it decodes; counts of both."""
    with MemoryStore(stores / "recalled", options=options()) as store:
        space = store.space("bench")
        vectors = synthetic_rows(RECALLS, DIM)
        checks = [_checks_of(space, vector, k) for vector in vectors]
    reading_s = []
    for of_recall in checks:
        begin_s = time.thread_time()
        for arguments in of_recall:
            _core.check_sectors(*arguments)
        reading_s.append(time.thread_time() - begin_s)
    return {
        "raw vectors": ranked_of(k),
        "us of raw vectors": ranked_of(k) * _raw_vector_us(),
        "looks at hits": median(map(len, checks)),
        "us of hits": 1e6 * median(reading_s),
    }


def _checks_of(space: Space, cue: NDArray[np.float32], k: int) -> list[tuple[Any, ...]]:
    """The checks of a recall whose hits are read, as arguments of `_core.check_sectors`."""
    checks: list[tuple[Any, ...]] = []
    check, read_row = _core.check_sectors, _core.read_row

    def noting_check(*arguments: Any) -> int:
        checks.append(arguments)
        return check(*arguments)

    def noting_row(memory: Any, position: int, payload: int, numbers: Any, texts: Any, row: int, salt: int) -> Any:
        ranges = [edge for start, size in zip(numbers, (8, 4, 4), strict=True) for edge in _span(start, size, row)]
        for place in filter(None, texts):
            ranges += read_text(memory.data, payload, place, row)[1]
        checks.append((memory, position, ranges, salt))
        return read_row(memory, position, payload, numbers, texts, row, salt)

    with mock.patch.multiple(_core, check_sectors=noting_check, read_row=noting_row):
        read(space.recall(cue, k=k))
    return checks


def _span(start: int, size: int, row: int) -> tuple[int, int]:
    return start + size * row, start + size * (row + 1)


def _raw_vector_us(count: int = 100_000, looks: int = 2_000) -> float:
    """Of one raw vector, in groups at random places of memory that no cache holds: where recalls find them."""
    rows = np.ones((count, DIM), dtype=np.float32)
    starts = np.random.default_rng(1).integers(0, count - RANKED_GROUP, looks).tolist()
    groups = [rows[start : start + RANKED_GROUP] for start in starts]
    return cpu_s(lambda: [_core.crc32c_rows(group) for group in groups]) * 1e6 / (looks * RANKED_GROUP)


def scrub_s_per_gib(stores: Path) -> float:
    """Processor seconds of reading and checking a gibibyte of records."""
    with MemoryStore(stores / "recalled", options=options()) as store:
        space = store.space("bench")
        nbytes = 0

        def work() -> None:
            nonlocal nbytes
            nbytes = sum(space.scrub())

        return cpu_s(work) * 2**30 / nbytes
