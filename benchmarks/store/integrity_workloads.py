"""The work that `benchmarks.store.integrity_costs` measures in pairs, as a process that does one piece after the other.

It runs under this version of Engram and under the one before the checks, so it uses only what both of them have. Each
line of its input names a piece of work; each line of its output is what that took.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.indexed import IndexedWatch
from engram import _core
from engram.store import Hit, MemoryStore, Space, StoreOptions

DIM = 768
REOPENED_DIM = 384
INGESTED = 8_192
SINGLE = 300
LOOKUPS = 2_000
RECALLS = 300
NATIVE_READS = "native reads"
# Threads that no acknowledgement waits for: they go on beside what is measured, or come and go.
_BESIDE = ("engram-worker", "engram-checkpointer", "engram-housekeeping", "engram-segment")


def options() -> StoreOptions:
    """Without the background pass over everything stored, which has a share of its own."""
    wanted: dict[str, Any] = {"drain_s": 0.001, "scrub_bytes_per_s": 0}
    known = {item.name for item in fields(StoreOptions)}
    return StoreOptions(**{name: value for name, value in wanted.items() if name in known})


def notes(start: int, count: int) -> dict[str, Any]:
    """Ids, texts, metadata and tags of so many observations."""
    numbers = range(start, start + count)
    return {
        "ids": [f"note-{number}" for number in numbers],
        "contents": [
            f"The text of note {number}, which is about as long as a sentence in a conversation is."
            for number in numbers
        ],
        "metadata": [{"speaker": f"person {number % 20}", "turn": number} for number in numbers],
        "tags": [["note", f"topic-{number % 50}"] for number in numbers],
    }


def observe(space: Space, vectors: NDArray[np.float32], batch: int) -> None:
    """Store `vectors` with ids, texts, metadata and tags."""
    for start in range(0, len(vectors), batch):
        piece = vectors[start : start + batch]
        space.observe(vectors=piece, **notes(start, len(piece)))


def rows_file(stores: Path, dim: int) -> Path:
    """Where the vectors to work with are."""
    return stores / f"rows-{dim}.npy"


def build(stores: Path, recalled: int, many: int, small: int) -> None:
    """Make the stores, of so many rows each: two that are linked, with checkpoints, and one with a row in a record."""
    for name, count, dim, batch in (("recalled", recalled, DIM, 256), ("many", many, REOPENED_DIM, 256)):
        rows = synthetic_rows(count, dim)
        np.save(rows_file(stores, dim), rows[:INGESTED])
        with MemoryStore(stores / name, options=options()) as store:
            space = store.space("bench", dim=dim)
            observe(space, rows, batch)
            IndexedWatch(space).wait()
    with MemoryStore(stores / "small", options=options()) as store:
        observe(store.space("bench", dim=8), synthetic_rows(small, 8), 1)


def cpu_before_acks_s() -> float:
    """Processor time of the threads that an acknowledgement waits for."""
    idents = [one.ident for one in threading.enumerate() if one.ident and not one.name.startswith(_BESIDE)]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(ident)) for ident in idents)


class Workloads:
    """What a process has at hand to work on.

    Parameters
    ----------
    stores
        The folder of the stores that were built for the version at work.
    """

    def __init__(self, stores: Path) -> None:
        self._stores = stores
        self._rows = {dim: np.load(rows_file(stores, dim)) for dim in (DIM, REOPENED_DIM)}
        self._recalled: MemoryStore | None = None

    def run(self, name: str) -> dict[str, float]:
        """Do a piece of work: one of these names, with a batch and a dimension, or with a store to open."""
        kind, *arguments = [name] if name == NATIVE_READS else name.split()
        work: dict[str, Callable[..., dict[str, float]]] = {
            "ingest": self._ingest,
            "linked": self._linked,
            "single": self._single,
            "recall": self._recall,
            "read": self._read,
            NATIVE_READS: self._native_reads,
            "get": self._get,
            "open": self._open,
        }
        return work[kind](*arguments)

    def _ingest(self, batch: str, dim: str) -> dict[str, float]:
        vectors = self._rows[int(dim)]
        with self._blank(int(dim)) as space:
            begin_s = cpu_before_acks_s()
            observe(space, vectors, int(batch))
            return {"us": (cpu_before_acks_s() - begin_s) * 1e6 / len(vectors)}

    def _linked(self, batch: str, dim: str) -> dict[str, float]:
        vectors = self._rows[int(dim)]
        with self._blank(int(dim)) as space:
            watch = IndexedWatch(space)
            begin_s = time.process_time()
            observe(space, vectors, int(batch))
            watch.wait()
            return {"us": (time.process_time() - begin_s) * 1e6 / len(vectors)}

    def _single(self) -> dict[str, float]:
        with self._blank(DIM) as space:
            before_s = cpu_before_acks_s()
            observe(space, self._rows[DIM][:SINGLE], 1)
            return {"us": (cpu_before_acks_s() - before_s) * 1e6 / SINGLE}

    def _recall(self) -> dict[str, float]:
        space = self._space()
        recalled, decoded = [], []
        for cue in self._rows[DIM][:RECALLS]:
            begin_s = time.thread_time()
            hits = space.recall(cue, k=10)
            between_s = time.thread_time()
            read(hits)
            recalled.append(between_s - begin_s)
            decoded.append(time.thread_time() - between_s)
        whole = np.median(np.add(recalled, decoded))
        return {"us": 1e6 * float(whole), "us of reading": 1e6 * float(np.median(decoded))}

    def _read(self) -> dict[str, float]:
        """Of ten hits anywhere, as those of a recall are: their ids, then all that lies beside their vectors."""
        space = self._space()
        taken = []
        for numbers in np.random.default_rng(2).integers(space.generation, size=(LOOKUPS, 10)).tolist():
            hits = [hit for number in numbers if (hit := space.get(f"note-{number}")) is not None]
            begin_s = time.thread_time()
            for hit in hits:
                _ = (hit.id, hit.content)
            taken.append(time.thread_time() - begin_s)
        return {"us": 1e6 * float(np.median(taken))}

    def _native_reads(self) -> dict[str, float]:
        """Of the same: only what is done in native code, where the checks are. Decoding is left out."""
        space = self._space()
        calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

        def recorded(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                calls.append((function, arguments))
                return function(*arguments)

            return call

        taken = []
        for numbers in np.random.default_rng(2).integers(space.generation, size=(LOOKUPS, 10)).tolist():
            hits = [hit for number in numbers if (hit := space.get(f"note-{number}")) is not None]
            calls.clear()
            with (
                patch.object(_core, "read_row", recorded(_core.read_row)),
                patch.object(_core, "read_text", recorded(_core.read_text)),
            ):
                read(hits)
            begin_s = time.thread_time()
            for function, arguments in calls:
                function(*arguments)
            taken.append(time.thread_time() - begin_s)
        return {"us": 1e6 * float(np.median(taken))}

    def _get(self) -> dict[str, float]:
        space = self._space()
        taken = []
        for number in np.random.default_rng(1).integers(space.generation, size=LOOKUPS):
            id = f"note-{number}"
            begin_s = time.thread_time()
            hit = space.get(id)
            assert hit is not None
            read([hit])
            taken.append(time.thread_time() - begin_s)
        return {"us": 1e6 * float(np.median(taken))}

    def _open(self, name: str) -> dict[str, float]:
        begin_s = time.process_time()
        store = MemoryStore(self._stores / name, options=options())
        taken_s = time.process_time() - begin_s
        store.close()
        return {"us": taken_s * 1e6}

    def _space(self) -> Space:
        if self._recalled is None:
            self._recalled = MemoryStore(self._stores / "recalled", options=options())
            self._recalled.space("bench").recall(self._rows[DIM][0])
        return self._recalled.space("bench")

    @contextmanager
    def _blank(self, dim: int) -> Iterator[Space]:
        folder = Path(tempfile.mkdtemp(prefix="ingest-", dir=self._stores))
        try:
            with MemoryStore(folder / "store", options=options()) as store:
                space = store.space("bench", dim=dim)
                # The first commit makes the segment and starts threads.
                space.observe(["first"], self._rows[dim][:1], ["text"])
                yield space
        finally:
            shutil.rmtree(folder)


def read(hits: Sequence[Hit]) -> None:
    """Decode all columns of `hits`."""
    for hit in hits:
        _ = (hit.id, hit.content, hit.metadata, hit.tags, hit.confidence, hit.importance, hit.time_us)


@contextmanager
def unchecked() -> Iterator[None]:
    """Neither make checksums nor compare them, but for those of headers and the description, and in native code.

    Not for the version before.
    """
    from engram.log.segments.segment import Segment  # noqa: PLC0415  (the version before has it in another place)

    with (
        patch.object(_core, "crc32c_rows", lambda matrix: np.zeros(len(matrix), np.uint32)),
        patch.object(_core, "sector_sums", lambda parts: bytes(sum(map(len, parts)) // 128)),
        patch.object(_core, "salted_sums", lambda sums, *_: sums),
        patch.object(Segment, "first_damage", lambda *_: -1),
        patch.object(Segment, "damage_in", lambda *_: -1),
    ):
        yield


def main() -> None:
    """Work off what the input asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.store.integrity_workloads", description=__doc__.split("\n")[0]
    )
    parser.add_argument("stores", type=Path, help="the folder of stores")
    parser.add_argument(
        "--build", type=int, nargs=3, metavar=("RECALLED", "MANY", "SMALL"), help="make the stores, of so many rows"
    )
    parser.add_argument("--unchecked", action="store_true", help="leave out the checks")
    arguments = parser.parse_args()
    if arguments.build:
        build(arguments.stores, *arguments.build)
        return
    with unchecked() if arguments.unchecked else nullcontext():
        workloads = Workloads(arguments.stores)
        for line in sys.stdin:
            print(json.dumps(workloads.run(line.strip())), flush=True)


if __name__ == "__main__":
    main()
