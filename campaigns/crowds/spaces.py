"""Thousands of spaces in one store, under a limit of descriptors: each is written to and recalled."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.disk import disk_bytes
from campaigns.crowds.process import descriptors, limit_descriptors, resident_bytes
from engram import MemoryStore, Space, StoreOptions

DIM: Final = 384
_THREADS: Final = 8
# Spaces that are open at the same time while the memory of one is measured.
_MEASURED: Final = 200


class Crowd:
    """The spaces of the campaign: what is written to each, and what it must answer.

    Parameters
    ----------
    seed, count
        Of the vectors, and the number of spaces.
    """

    def __init__(self, seed: int, count: int) -> None:
        self.names = [f"space-{number:05d}" for number in range(count)]
        self._vectors = np.random.default_rng(seed).standard_normal((count, DIM), dtype=np.float32)

    def vector(self, number: int) -> NDArray[np.float32]:
        """Return the vector of the one observation of a space, shape ``(DIM,)``."""
        vector: NDArray[np.float32] = self._vectors[number]
        return vector

    def write(self, store: MemoryStore, number: int) -> Space:
        """Create a space and write its observation; return the space."""
        space = store.space(self.names[number], dim=DIM)
        space.observe("only", self.vector(number), f"the text of {number}")
        return space

    def is_answered(self, space: Space, number: int) -> bool:
        """Recall the observation of a space; return whether it is found as it was written."""
        hits = space.recall(self.vector(number), k=2)
        return [hit.content for hit in hits] == [f"the text of {number}"]


def run(seed: int, count: int, files_max: int, work: Path) -> dict[str, Any]:
    """Run every part in a process of its own, as its memory and descriptors are to be measured; return the results."""
    parts = {}
    for part in ("written", "recalled", "memory"):
        command = [
            sys.executable,
            "-m",
            "campaigns.crowds.spaces",
            part,
            str(seed),
            str(count),
            str(files_max),
            str(work),
        ]
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        parts[part] = json.loads(finished.stdout)
    return parts


def broken(parts: dict[str, Any], count: int, files_max: int) -> list[str]:
    """Return what must not be, in words; nothing if all is well."""
    faults = []
    written, recalled, memory = parts["written"], parts["recalled"], parts["memory"]
    for name, part in (("written", written), ("recalled", recalled)):
        if part["failed"] or part["right"] != count:
            faults.append(f"{name}: {part['right']} of {count} spaces are right; {part['failed'][:3]}")
        if part["descriptors_max"] >= files_max:
            faults.append(f"{name}: {part['descriptors_max']} descriptors of {files_max}")
    if recalled["listed"] != count:
        faults.append(f"{recalled['listed']} of {count} spaces are listed")
    if written["disk_bytes_each"] >= 64 << 10:
        faults.append(f"a space takes {written['disk_bytes_each']} bytes on the disk")
    if memory["resident_bytes_each"] >= 256 << 10:
        faults.append(f"an open space takes {memory['resident_bytes_each']} bytes of memory")
    return faults


def _write(seed: int, count: int, path: Path) -> dict[str, Any]:
    crowd = Crowd(seed, count)
    before, begin_s = resident_bytes(), time.perf_counter()
    with MemoryStore(path) as store:
        tally = _for_each(count, lambda number: crowd.is_answered(crowd.write(store, number), number))
        taken_s = time.perf_counter() - begin_s
        grown = resident_bytes() - before
        begin_s = time.perf_counter()
    closing_s = time.perf_counter() - begin_s
    on_disk = [disk_bytes(path / "spaces" / name) for name in crowd.names]
    return {
        **tally,
        "seconds": round(taken_s, 2),
        "closing_seconds": round(closing_s, 2),
        "resident_bytes_more": grown,
        "disk_bytes_each": round(sum(on_disk) / count),
    }


def _recall(seed: int, count: int, path: Path) -> dict[str, Any]:
    crowd = Crowd(seed, count)
    before, begin_s = resident_bytes(), time.perf_counter()
    store = MemoryStore(path)
    start_s = time.perf_counter() - begin_s
    listed = [space.name for space in store.spaces()]
    order = list(range(count))
    Random(seed).shuffle(order)
    begin_s = time.perf_counter()
    tally = _for_each(
        count, lambda index: crowd.is_answered(store.space(crowd.names[order[index]], create=False), order[index])
    )
    taken_s = time.perf_counter() - begin_s
    result = {
        **tally,
        "start_seconds": round(start_s, 3),
        "listed": len(set(listed) & set(crowd.names)),
        "unsound": len(store.unsound),
        "seconds": round(taken_s, 2),
        "resident_bytes_more": resident_bytes() - before,
    }
    store.close()
    return result


def _measure_memory(seed: int, path: Path) -> dict[str, Any]:
    """Measure what spaces of one row take while all of them are open."""
    crowd = Crowd(seed, _MEASURED + 1)
    limit_descriptors(4 * _MEASURED * 8)
    options = StoreOptions(open_spaces_max=2 * _MEASURED)
    with MemoryStore(path, options=options) as store:
        # The first one also pays for what all of them share.
        crowd.is_answered(crowd.write(store, _MEASURED), _MEASURED)
        before = resident_bytes()
        right = sum(crowd.is_answered(crowd.write(store, number), number) for number in range(_MEASURED))
        grown = resident_bytes() - before
    return {"spaces": _MEASURED, "right": right, "resident_bytes_each": round(grown / _MEASURED)}


def _for_each(count: int, check: Callable[[int], bool]) -> dict[str, Any]:
    """Check the spaces on several threads, and watch the descriptors."""
    failed: list[str] = []
    most = [0]

    def guarded(number: int) -> bool:
        try:
            right = check(number)
        except Exception as error:
            failed.append(f"{number}: {error!r}")
            return False
        if number % 16 == 0:
            most.append(descriptors())
        return right

    with ThreadPoolExecutor(_THREADS) as pool:
        right = sum(pool.map(guarded, range(count)))
    return {"right": right, "failed": failed, "descriptors_max": max(most)}


def _main() -> None:
    part, seed, count, files_max = sys.argv[1], *map(int, sys.argv[2:5])
    work = Path(sys.argv[5])
    if part == "memory":
        print(json.dumps(_measure_memory(seed, work / "measured")))
        return
    limit_descriptors(files_max)
    print(json.dumps((_write if part == "written" else _recall)(seed, count, work / "crowd")))


if __name__ == "__main__":
    _main()
