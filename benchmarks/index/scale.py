"""One index growing to a million vectors and more: rate, recall, memory and restart at each size.

    python -m benchmarks index-scale                                        # 50 000 to 1 000 000, against hnswlib
    python -m benchmarks index-scale --clusters 4000                        # data that is hard to navigate
    python -m benchmarks index-scale --counts 10000000 --dtype float16 --peers ""

Vectors are written to the scratch folder once and stay there; each index grows in a process of its own. Engram ranks
by the vectors in the file, peers keep copies. Rates count from a piece being in memory to its being linked.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from benchmarks.index.adapters import PEERS, Engram, Peer, chosen_peers
from benchmarks.index.curve import EFS, as_json, best_of, from_json, measure_curve, queries_s_at
from benchmarks.index.files import VectorFile, synthetic_file, truths
from benchmarks.index.restart import restart
from benchmarks.support.report import publish, show
from benchmarks.support.steps import in_fresh_process, progress, resident
from engram.index import Quality

# Rows read ahead of the clock, so that neither the disk nor the conversion of float16 is measured.
_PIECE = 20_000
_SAY_EVERY_S = 5.0
_COUNTS = "50000,100000,200000,500000,1000000"
_RATES = ("index", "vectors", "inserts/s", "last stretch", "x hnswlib inserts")
_ANSWERS = ("ef", "recall@10", "queries/s", "x hnswlib queries")
_MEMORY = ("index", "vectors", "own MB", "mapped MB", "own B/vector", "index B/vector", "links/node")
_DAMAGE = ("unreachable", "invalid links")
_RESTART = (
    "vectors",
    "save s",
    "first answer s",
    "cold first answer s",
    "own MB then",
    "mapped MB then",
    "recall then",
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process measures."""

    peer: str
    file: VectorFile
    counts: Sequence[int]
    efs: Sequence[int]
    threads: int

    def checkpoint(self, count: int) -> Path:
        """Where the index is saved at a size."""
        return self.file.path.with_suffix(f".{self.file.dtype}.{self.peer}-{count}")


def grow(plan: Plan) -> list[Row]:
    """Insert up to each count in turn and measure there; a row per count."""
    peer = PEERS[plan.peer]()
    truth = truths(plan.file, plan.counts)
    queries = plan.file.queries()
    before_bytes = resident().own_bytes
    peer.create(plan.file.dim, plan.counts[-1])
    rows: list[Row] = []
    done, total_s = 0, 0.0
    for count in plan.counts:
        stretch_s = insert_until(peer, plan, done, count)
        total_s += stretch_s
        row: Row = {"index": peer.name, "vectors": count}
        row["inserts/s"], row["last stretch"] = count / total_s, (count - done) / stretch_s
        progress(f"{peer.name}: {count:,} rows at {row['inserts/s']:,.0f}/s, lately {row['last stretch']:,.0f}/s")
        row["curve"] = as_json(measure_curve(peer, queries, truth[count], plan.efs))
        held = resident()
        row["own MB"], row["mapped MB"] = held.own_bytes / 1e6, held.mapped_bytes / 1e6
        row["own B/vector"] = (held.own_bytes - before_bytes) / count
        if isinstance(peer, Engram):
            row |= inspect_and_save(peer, plan, count)
        rows.append(row)
        done = count
    return rows


def insert_until(peer: Peer, plan: Plan, first: int, last: int) -> float:
    """Insert base rows `first` to `last` and return the seconds that took, without reading them."""
    raw = plan.file.mapped_base(last)
    total_s, said_at = 0.0, time.monotonic()
    for start in range(first, last, _PIECE):
        end = min(start + _PIECE, last)
        rows = plan.file.base(start, end)
        begin = time.perf_counter()
        peer.add(rows, plan.threads, raw[start:end])
        took_s = time.perf_counter() - begin
        total_s += took_s
        if time.monotonic() - said_at > _SAY_EVERY_S:
            said_at = time.monotonic()
            progress(f"{peer.name}: {end:,} of {plan.counts[-1]:,} rows, now {len(rows) / took_s:,.0f}/s")
    return total_s


def inspect_and_save(peer: Engram, plan: Plan, count: int) -> Row:
    """The graph's size and soundness, and the time to save it."""
    graph = peer.index.statistics()
    begin = time.perf_counter()
    peer.index.save(plan.checkpoint(count), with_vectors=False)
    return {
        "save s": time.perf_counter() - begin,
        "index B/vector": peer.index.nbytes / count,
        "links/node": graph.links / graph.linked,
        "unreachable": graph.unreachable,
        "invalid links": graph.invalid_links,
    }


def measure(plan: Plan) -> list[Row]:
    """Grow the index in a process of its own, then open what it saved in others."""
    rows = in_fresh_process(grow, plan)
    for row in rows:
        checkpoint = plan.checkpoint(row["vectors"])
        if checkpoint.exists():
            ef = best_of(from_json(row["curve"])).ef
            row.update(restart(plan.file, checkpoint, row["vectors"], ef))
            checkpoint.unlink()
    return rows


def compared(results: Mapping[str, list[Row]]) -> list[Row]:
    """All rows, each with the point that reaches the wanted recall and both rates as multiples of hnswlib's."""
    references = {row["vectors"]: row for row in results.get("hnswlib", [])}
    rows = []
    for row in (row for rows in results.values() for row in rows):
        best = best_of(from_json(row["curve"]))
        answers = {"ef": best.ef, "recall@10": best.recall, "queries/s": best.queries_s}
        if reference := references.get(row["vectors"]):
            same_recall = queries_s_at(from_json(reference["curve"]), best.recall)
            answers["x hnswlib inserts"] = row["inserts/s"] / reference["inserts/s"]
            answers["x hnswlib queries"] = best.queries_s / same_recall
        rows.append(row | answers)
    return rows


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks index-scale", description=__doc__.split("\n")[0])
    parser.add_argument("--counts", default=_COUNTS, help=f"sizes to measure at (default {_COUNTS})")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--clusters", type=int, default=400, help="clusters; 4000 are hard (default 400)")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="of the file")
    parser.add_argument("--quality", choices=get_args(Quality), default="fast", help="of Engram's graph (default fast)")
    parser.add_argument("--peers", default="hnswlib", help=f'of {", ".join(PEERS)}; "" for none (default hnswlib)')
    parser.add_argument("--efs", default=",".join(map(str, EFS)), help="points of the curves")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="inserting threads (default: cores)")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "engram-bench", help="folder")
    parser.add_argument("--json", type=Path, help="save the result there")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    arguments = parse()
    counts = sorted(int(count) for count in arguments.counts.split(","))
    efs = sorted(int(ef) for ef in arguments.efs.split(","))
    names = [f"engram-{arguments.quality}", *chosen_peers(arguments.peers)]
    file = in_fresh_process(
        synthetic_file, arguments.scratch, counts[-1], arguments.dim, arguments.clusters, arguments.dtype
    )
    in_fresh_process(truths, file, counts)
    results = {name: measure(Plan(name, file, counts, efs, arguments.threads)) for name in names}
    settings = {
        "data": f"synthetic, {arguments.clusters} clusters, {arguments.dtype} on disk",
        "dimension": arguments.dim,
        "queries": len(file.queries()),
        "insert_threads": arguments.threads,
        "search_threads": 1,
    }
    name = f"index growth, {settings['data']}, {arguments.dim}-d, {arguments.threads} threads"
    rows = compared(results)
    publish(name, settings, rows, arguments.json, [*_RATES, *_ANSWERS])
    show("memory", rows, [*_MEMORY, *_DAMAGE])
    show("saved, and opened by another process", [row for row in rows if "save s" in row], _RESTART)


if __name__ == "__main__":
    main()
