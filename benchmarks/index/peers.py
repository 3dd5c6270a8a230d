"""The graph against its peers: insert rate, recall and query rate, all in one run.

    python -m benchmarks index-peers                                # 100 000 synthetic vectors of 768 dimensions
    python -m benchmarks index-peers --real FOLDER/wordnet384.npy   # embeddings; the first 1 000 rows are queries
    python -m benchmarks index-peers --peers engram-fast,hnswlib --repeat 1

Peers that are not installed are left out (``pip install 'engram-stream[bench]'`` brings them). Queries run one after
the other on one thread; recall@10 is by id against exact search. The builds of all indexes take turns, so that a slow
minute of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.index.adapters import PEERS, Peer, chosen_peers, installed
from benchmarks.index.curve import EFS, as_json, best_of, from_json, measure_curve, queries_s_at
from benchmarks.support.datasets import Dataset, real, synthetic
from benchmarks.support.report import publish
from benchmarks.support.steps import progress

Row = dict[str, Any]


def insert_rate(peer: Peer, data: Dataset, threads: int) -> float:
    """Vectors a second over a whole build."""
    begin = time.perf_counter()
    peer.create(data.base.shape[1], len(data.base))
    peer.add(data.base, threads)
    rate = len(data.base) / (time.perf_counter() - begin)
    progress(f"{peer.name}: {rate:,.0f} inserts/s")
    return rate


def measure(peers: Mapping[str, Peer], data: Dataset, threads: int, repeat: int, efs: Sequence[int]) -> dict[str, Row]:
    """For each peer how fast it builds, the median of `repeat` builds, and its curve."""
    rates: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(repeat):
        for name, peer in peers.items():
            rates[name].append(insert_rate(peer, data, threads))
    return {
        name: {
            "index": peer.name,
            "inserts/s": statistics.median(rates[name]),
            "all inserts/s": sorted(rates[name]),
            "curve": as_json(measure_curve(peer, data.queries, data.truth, efs)),
        }
        for name, peer in peers.items()
    }


def compared(measured: Mapping[str, Row]) -> list[Row]:
    """A row per index: both rates, and what they are as multiples of the peers'."""
    references = [name for name in ("hnswlib", "usearch", "faiss") if name in measured]
    rows = []
    for row in measured.values():
        curve = from_json(row["curve"])
        best = best_of(curve)
        head: Row = {"index": row["index"], "inserts/s": row["inserts/s"]}
        for name in references:
            head[f"x {name} inserts"] = row["inserts/s"] / measured[name]["inserts/s"]
        head |= {"ef": best.ef, "recall@10": best.recall, "queries/s": best.queries_s}
        if "hnswlib" in measured:
            same_recall = queries_s_at(from_json(measured["hnswlib"]["curve"]), best.recall)
            head |= {"hnswlib there": same_recall, "x hnswlib queries": best.queries_s / same_recall}
        rows.append(head | row)
    return rows


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks index-peers", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="synthetic vectors (default 100000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension of the synthetic vectors (default 768)")
    parser.add_argument("--clusters", type=int, default=400, help="clusters of the synthetic vectors (default 400)")
    parser.add_argument("--real", type=Path, help=".npy matrix to use instead")
    parser.add_argument("--peers", help=f"which to measure, of {','.join(PEERS)} (default: all that are installed)")
    parser.add_argument("--efs", default=",".join(map(str, EFS)), help="points of the curves")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="inserting threads (default: cores)")
    parser.add_argument("--repeat", type=int, default=3, help="builds per index, the median counts (default 3)")
    parser.add_argument("--json", type=Path, help="save the result there")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    arguments = parse()
    names = chosen_peers(arguments.peers) if arguments.peers else [name for name in PEERS if installed(name)]
    efs = sorted(int(ef) for ef in arguments.efs.split(","))
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
    measured = measure({name: PEERS[name]() for name in names}, data, arguments.threads, arguments.repeat, efs)
    publish(name, settings, compared(measured), arguments.json)


if __name__ == "__main__":
    main()
