"""A saved index opened by a process that knows nothing of it: time to the first answer, and what it then holds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from benchmarks.index.files import K, VectorFile, truths
from benchmarks.support.datasets import recall
from benchmarks.support.steps import in_fresh_process, progress, resident
from engram.index import HnswIndex


def restart(file: VectorFile, checkpoint: Path, count: int, ef: int) -> dict[str, float]:
    """Open the checkpoint twice: with nothing of it and of the vectors in the page cache, then with what is there."""
    for path in (checkpoint, file.path):
        _forget(path)
    cold = in_fresh_process(_serve, file, checkpoint, count, ef)
    warm = in_fresh_process(_serve, file, checkpoint, count, ef)
    progress(f"{checkpoint.name}: first answer after {cold['answer s']:.2f} s cold, {warm['answer s']:.2f} s warm")
    return {
        "first answer s": warm["answer s"],
        "cold first answer s": cold["answer s"],
        "own MB then": warm["own MB"],
        "mapped MB then": warm["mapped MB"],
        "recall then": warm["recall"],
    }


def _serve(file: VectorFile, checkpoint: Path, count: int, ef: int) -> dict[str, Any]:
    queries, raw = file.queries(), file.mapped_base(count)
    begin = time.perf_counter()
    index = HnswIndex.load(checkpoint, vectors=[(1, raw)])
    index.search(queries[0], k=K, ef=ef)
    answered_s = time.perf_counter() - begin
    found = index.search(queries, k=K, ef=ef)[0].astype(int) - 1
    held = resident()
    return {
        "answer s": answered_s,
        "recall": recall(found, truths(file, [count])[count]),
        "own MB": held.own_bytes / 1e6,
        "mapped MB": held.mapped_bytes / 1e6,
    }


def _forget(path: Path) -> None:
    """Drop a file's pages from the page cache, which needs them to be on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
