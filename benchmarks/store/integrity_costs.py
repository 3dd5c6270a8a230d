"""What the checks of everything stored cost: each by itself, whole runs without them, and the version before them.

    python -m benchmarks integrity-costs --unchecked FOLDER/bin/python --before FOLDER/bin/python

Times are processor time, in microseconds per observation, recall, look-up or start. Two processes take turns at the
same work; they are a pair, and each pair has new processes. The ratio is that of the medians of a pair. The checks of
a recall are native, so leaving them out takes an environment with a core that was built without:

    pip install ".[server]" -C cmake.define.ENGRAM_UNCHECKED=ON
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.store import integrity_shares as shares
from benchmarks.store.integrity_workloads import DIM, NATIVE_READS, REOPENED_DIM
from benchmarks.support.paired import Worker, ratio_of, take_turns
from benchmarks.support.report import publish

MODULE = "benchmarks.store.integrity_workloads"
INGESTS = [f"ingest {batch} {dim}" for dim in (DIM, REOPENED_DIM) for batch in (64, 1000)]
WITHOUT_CHECKS = [*INGESTS, f"linked 64 {DIM}"]
WITH_BEFORE = [
    *(f"ingest {batch} {DIM}" for batch in (64, 256, 1000)),
    "single",
    "recall",
    "get",
    "open many",
    "open small",
]
COLUMNS = ["compared", "work", "us", "of us", "ratio", "low", "high", "pairs"]
Rows = list[dict[str, Any]]


def compare(
    name: str, command: Sequence[str], base: Sequence[str], works: Sequence[str], pairs: int, turns: int
) -> Rows:
    """The ratio of what `command` takes to what `base` does, for each work."""
    medians: dict[str, list[tuple[float, float]]] = {work: [] for work in works}
    for pair in range(pairs):
        with Worker(command) as one, Worker(base) as other:
            for work in works:
                taken, of = take_turns(one, other, work, turns, pair=pair)
                medians[work].append((taken["us"], of["us"]))
        print(f"{name}: pair {pair + 1} of {pairs}", file=sys.stderr, flush=True)
    rows: Rows = []
    for work, found in medians.items():
        costs, bases = ([pair[side] for pair in found] for side in (0, 1))
        ratio = ratio_of(costs, bases)
        rows.append({"compared": name, "work": work, "us": median(costs), "of us": median(bases), **ratio._asdict()})
    return rows


def ingest_shares(work: str, us: float) -> Rows:
    """What each part is of an ingest that takes `us` an observation."""
    _, batch, dim = work.split()
    parts = {part: ns / 1e3 for part, ns in shares.ingest_parts(int(dim), int(batch)).items()}
    for segments in (16, 1600):
        # One each second, in which a core that does nothing else takes in 1e6 / us observations.
        parts[f"marks, {segments} segments"] = shares.mark_us(segments) * us / 1e6
    return [_share(part, work, taken, us) for part, taken in parts.items()]


def recall_shares(paired: Rows) -> Rows:
    """What the checks of raw vectors and of hits are of a recall whose hits are read."""
    of = {row["work"]: row for row in paired}
    us, ranked, read = of["recall"]["us"], shares.ranked_of(k=10), of[NATIVE_READS]
    return [
        _share(f"{ranked} raw vectors", "recall", ranked * shares.raw_vector_us(), us),
        _share("10 hits", "recall", read["us"] * (1 - 1 / read["ratio"]), us),
    ]


def _share(part: str, work: str, taken: float, of: float) -> dict[str, Any]:
    return {"compared": part, "work": work, "us": taken, "of us": of, "ratio": taken / of}


def run(arguments: argparse.Namespace, scratch: Path) -> Rows:
    """Everything, in stores under `scratch`."""
    sizes = [str(size) for size in (arguments.recalled, arguments.many, arguments.small)]
    now, before = scratch / "now", scratch / "before"
    versions = [(sys.executable, now), *([(arguments.before, before)] if arguments.before else [])]
    for python, stores in versions:
        stores.mkdir()
        subprocess.run([python, "-m", MODULE, stores, "--build", *sizes], check=True)
    checked = [sys.executable, "-m", MODULE, str(now)]
    # Only one process may have a store open.
    shutil.copytree(now, scratch / "copy")
    unchecked = [arguments.unchecked or sys.executable, "-m", MODULE, str(scratch / "copy"), "--unchecked"]
    works = [*WITHOUT_CHECKS, *(["read", NATIVE_READS, "recall", "get"] if arguments.unchecked else [])]
    paired = compare("checks: with / without", checked, unchecked, works, arguments.pairs, arguments.turns)
    us = {row["work"]: row["us"] for row in paired}
    rows = [row for work in INGESTS for row in ingest_shares(work, us[work])]
    if arguments.unchecked:
        rows += recall_shares(paired)
    rows.append({"compared": "scrub, of a core", "work": "32 MiB/s", "ratio": shares.scrub_s_per_gib(now) / 32})
    rows += paired
    if arguments.before:
        old = [arguments.before, "-m", MODULE, str(before)]
        rows += compare("version: now / before", checked, old, WITH_BEFORE, arguments.pairs, arguments.turns)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks integrity-costs", description=__doc__.split("\n")[0])
    parser.add_argument("--before", help="Python of an environment with the version to compare with")
    parser.add_argument("--unchecked", help="Python of an environment whose native core does not check what it reads")
    parser.add_argument("--pairs", type=int, default=15, help="pairs of processes (default 15)")
    parser.add_argument("--turns", type=int, default=3, help="how often a process does the same work (default 3)")
    parser.add_argument("--recalled", type=int, default=50_000, help="observations that are recalled (default 50000)")
    parser.add_argument("--many", type=int, default=100_000, help="observations of the store that is opened")
    parser.add_argument("--small", type=int, default=5_000, help="records of one observation each, to be opened")
    parser.add_argument("--data", type=Path, help="folder on the disk to measure; default: a temporary one")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-bench-", dir=arguments.data) as scratch:
        rows = run(arguments, Path(scratch))
    settings = {name: getattr(arguments, name) for name in ("pairs", "turns", "recalled", "many", "small")}
    publish("costs of the checks", settings, rows, arguments.json, COLUMNS)


if __name__ == "__main__":
    main()
