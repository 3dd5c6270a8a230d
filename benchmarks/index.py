"""The graph against its peers: insert rate, recall and query rate, all in one run.

    python -m benchmarks.index                                     # 100 000 synthetic vectors of 768 dimensions
    python -m benchmarks.index --real FOLDER/wordnet384.npy        # real embeddings: .npy, first 1 000 rows are queries

Peers that are not installed are left out (``pip install 'engram[bench]'`` brings them). Queries run one after the
other on one thread; recall@10 is by id against exact search.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.datasets import Dataset, real, recall, synthetic
from benchmarks.index_peers import Peer, installed
from benchmarks.report import publish

K = 10
RECALL_WANTED = 0.95
ROUNDS = 3


def insert_rate(peer: Peer, data: Dataset, threads: int, repeat: int) -> float:
    """Vectors a second over a whole build, median of `repeat`."""
    rates = []
    for _ in range(repeat):
        begin = time.perf_counter()
        peer.build(data.base, threads)
        rates.append(len(data.base) / (time.perf_counter() - begin))
    return statistics.median(rates)


def curve(peer: Peer, data: Dataset) -> list[tuple[int, float, float]]:
    """(ef, recall, queries a second) for each ef, warm, the median of three rounds."""
    points = []
    for ef in peer.efs:
        found = peer.search(data.queries, K, ef)
        rates = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            peer.search(data.queries, K, ef)
            rates.append(len(data.queries) / (time.perf_counter() - begin))
        points.append((ef, recall(found, data.truth), statistics.median(rates)))
    return points


def measure(data: Dataset, threads: int, repeat: int) -> list[dict[str, Any]]:
    """A row per index: how fast it builds, and how fast it answers at the wanted recall."""
    rows: list[dict[str, Any]] = []
    for peer in installed():
        rate = insert_rate(peer, data, threads, repeat)
        points = curve(peer, data)
        reached = [p for p in points if p[1] >= RECALL_WANTED]
        ef, found, queries = reached[0] if reached else points[-1]
        rows.append(
            {
                "index": peer.name,
                "inserts/s": rate,
                "x hnswlib": 0.0,
                "ef": ef,
                "recall@10": found,
                "queries/s": queries,
                "curve ef:recall@qps": " ".join(f"{e}:{r:.3f}@{q:.0f}" for e, r, q in points),
            }
        )
    reference = next((row["inserts/s"] for row in rows if row["index"].startswith("hnswlib")), None)
    for row in rows:
        row["x hnswlib"] = row["inserts/s"] / reference if reference else float("nan")
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="synthetic vectors (default 100000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension of the synthetic vectors (default 768)")
    parser.add_argument("--clusters", type=int, default=400, help="clusters of the synthetic vectors (default 400)")
    parser.add_argument("--real", type=Path, help=".npy matrix to use instead")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="inserting threads (default: cores)")
    parser.add_argument("--repeat", type=int, default=1, help="builds per index, the median counts (default 1)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    data = real(arguments.real) if arguments.real else synthetic(arguments.count, arguments.dim, arguments.clusters)
    settings = {
        "data": data.name,
        "vectors": len(data.base),
        "dimension": data.base.shape[1],
        "queries": len(data.queries),
        "insert_threads": arguments.threads,
        "search_threads": 1,
        "builds": arguments.repeat,
    }
    name = f"index, {data.name}, {len(data.base):,} vectors, {arguments.threads} threads"
    publish(name, settings, measure(data, arguments.threads, arguments.repeat), arguments.json)


if __name__ == "__main__":
    main()
