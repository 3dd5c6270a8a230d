"""What a durable commit costs, through the page cache and past it, by the number of observations in it.

    python -m benchmarks log-writes

Each commit is appended to a log of its own and synced, in segments that were not in memory before.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.support.report import publish
from engram.log.files import mapped_file
from engram.log.files.file_storage import FileStorage
from engram.log.identity import Identity
from engram.log.log import Log
from engram.log.manifest import Manifest
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.observations import ObservationBatch, make_batch

BYTES_MAX = 512 << 20
COMMITS_MAX = 400
# More than any commit has.
NEVER = 1 << 40


def batch_of(rows: int, dim: int) -> ObservationBatch:
    """Observations with short texts."""
    vectors = np.random.default_rng(1).standard_normal((rows, dim), dtype=np.float32)
    ids = [f"id {row}" for row in range(rows)]
    return make_batch(ids, vectors, [f"the text of {id}" for id in ids])


def measure(folder: Path, rows: int, dim: int, direct_bytes_min: int) -> dict[str, float]:
    """Commit the same rows again and again; times in milliseconds, processor time per gigabyte."""
    batch = batch_of(rows, dim)
    commits = min(COMMITS_MAX, BYTES_MAX // (batch.nbytes + 256))
    times_s = []
    with mock.patch.object(mapped_file, "DIRECT_BYTES_MIN", direct_bytes_min):
        storage = FileStorage(folder)
        manifest = Manifest(storage, Identity.new(), {})
        manifest.save()
        log = Log.open(storage, manifest, dim)
        cpu_s = time.process_time()
        for turn in range(commits):
            begin = time.perf_counter()
            log.append([LogEntry(RecordKind.OBSERVE, 1 + turn * rows, batch)])
            log.sync()
            times_s.append(time.perf_counter() - begin)
        cpu_s = time.process_time() - cpu_s
        log.close()
    p50, p99 = np.percentile(times_s, [50, 99]) * 1e3
    return {"P50 ms": p50, "P99 ms": p99, "MB/s": log.nbytes / sum(times_s) / 1e6, "CPU s/GB": cpu_s * 1e9 / log.nbytes}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks log-writes", description=__doc__.split("\n")[0])
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 16, 64, 256, 1024, 2048])
    parser.add_argument("--rounds", type=int, default=2, help="how often everything is repeated (default 2)")
    parser.add_argument("--data", type=Path, help="folder on the disk to measure; default: a temporary one")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for turn in range(arguments.rounds):
        for rows in arguments.rows:
            for way, direct_bytes_min in (("through the cache", NEVER), ("past the cache", 0)):
                scratch = Path(tempfile.mkdtemp(prefix="engram-bench-", dir=arguments.data))
                try:
                    measured = measure(scratch, rows, arguments.dim, direct_bytes_min)
                finally:
                    shutil.rmtree(scratch)
                results.append({"round": turn + 1, "observations": rows, "written": way, **measured})
    publish("durable commits by size", {"dim": arguments.dim, "bytes_max": BYTES_MAX}, results, arguments.json)


if __name__ == "__main__":
    main()
