"""All benchmarks by name, as ``python -m benchmarks`` lists and runs them. To read this table loads none of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark.

    Parameters
    ----------
    name, module
        What it is called on the command line, and where its ``main()`` is.
    line
        What it measures.
    results
        Its saved results in `RESULTS`; empty: none is kept.
    short
        Options that make it short, a string for each run; empty: it has no short form.
    """

    name: str
    module: str
    line: str
    results: tuple[str, ...]
    short: tuple[str, ...]

    @property
    def room(self) -> str:
        """The folder that it lies in."""
        return self.module.split(".")[1]


BENCHMARKS: Final = (
    Benchmark(
        "index-peers",
        "benchmarks.index.peers",
        "the graph beside hnswlib, usearch and faiss: rates of inserts, and of queries at the same recall",
        ("index-synthetic768.json", "index-wordnet384.json", "index-wordnet768.json"),
        ("--count 50000 --repeat 1",),
    ),
    Benchmark(
        "index-scale",
        "benchmarks.index.scale",
        "one index growing to a million vectors and more: rates, recall, memory, restart",
        ("index-scale-400.json", "index-scale-4000.json"),
        ("--counts 10000,20000 --dim 128 --peers ''",),
    ),
    Benchmark(
        "index-readers",
        "benchmarks.index.readers",
        "searches beside writers that run flat out, and whether what was published finds itself",
        ("index-readers.json",),
        ("--count 50000 --repeat 1",),
    ),
    Benchmark(
        "index-filters",
        "benchmarks.index.filters",
        "filtered searches: nothing hidden is returned, and recall at each visible share",
        (),
        ("--count 20000 --queries 16000",),
    ),
    Benchmark(
        "index-batches",
        "benchmarks.index.batches",
        "what a vector costs alone and in batches",
        ("index-batches.json",),
        ("--before 10000 --turns 1",),
    ),
    Benchmark(
        "index-degenerate",
        "benchmarks.index.degenerate",
        "equal, repeated, sorted, drifting and other awkward vectors",
        ("index-degenerate.json",),
        ("--count 5000",),
    ),
    Benchmark(
        "index-churn",
        "benchmarks.index.churn",
        "half of the index replaced, again and again",
        ("index-churn.json",),
        ("--count 20000 --rounds 2",),
    ),
    Benchmark(
        "index-costs",
        "benchmarks.index.version_costs",
        "what linking and searching cost the index, beside another version",
        ("index-costs.json",),
        ("--pairs 1 --turns 1",),
    ),
    Benchmark(
        "recall",
        "benchmarks.recall.parts",
        "recalls beside a stream, right after an ack, streamed, filtered, and standing ones",
        (
            "recall-beside.json",
            "recall-beside-paced.json",
            "recall-freshness.json",
            "recall-streamed.json",
            "recall-filters.json",
            "recall-standing.json",
        ),
        (
            "beside --seconds 3",
            "freshness --seconds 3",
            "streamed --count 20000",
            "filters --count 20000",
            "standing --seconds 3",
        ),
    ),
    Benchmark(
        "filter-trees",
        "benchmarks.recall.filters",
        "recalls and counts with filters of depth 3, at shares from a half to a hundred-thousandth, and against exact",
        ("filter-trees.json",),
        ("--count 20000 --dim 64 --queries 20",),
    ),
    Benchmark(
        "recall-many",
        "benchmarks.recall.many",
        "a thousand cues in one call, on one thread and on one for each core, beside as many recalls",
        ("recall-many.json",),
        ("--count 10000 --dim 128 --cues 200 --repeat 1",),
    ),
    Benchmark(
        "recall-cold",
        "benchmarks.recall.cold",
        "the first recalls of what was written past the page cache and never read",
        ("cold-recall.json",),
        ("--count 10000 --queries 50",),
    ),
    Benchmark(
        "streaming",
        "benchmarks.streaming.throughput",
        "how fast clients stream into one server, durable, and what it costs",
        (
            "streaming-768.json",
            "streaming-384.json",
            "streaming-768-paced.json",
            "streaming-768-100x64.json",
            "streaming-768-60s.json",
        ),
        ("--repeat 1",),
    ),
    Benchmark(
        "queue",
        "benchmarks.streaming.queue",
        "what the queue before the committer costs, beside simpler queues",
        ("queue.json",),
        ("--count 8000 --repeat 1",),
    ),
    Benchmark(
        "pressure",
        "benchmarks.streaming.pressure",
        "what thresholds of pressure cost and catch",
        ("pressure.json",),
        ("--seconds 1 --bursts 1 --tail 5000 --dim 64 --distinct 5000",),
    ),
    Benchmark(
        "pressure-recovery",
        "benchmarks.streaming.pressure_recovery",
        "how soon the server is back to NORMAL after an overload",
        ("pressure-recovery.json",),
        # It ends when the default limits were exceeded and things are back to normal, however long that takes.
        (),
    ),
    Benchmark(
        "pressure-news",
        "benchmarks.streaming.pressure_news",
        "how soon the streams of a space hear that its pressure changed",
        ("pressure-news.json",),
        ("--rounds 3",),
    ),
    Benchmark(
        "stealing",
        "benchmarks.store.stealing",
        "from how much pending on index workers help each other, and how much they link at once",
        ("stealing.json", "stealing-batches.json"),
        ("--seconds 1 --count 10000 --repeat 1", "--batches --seconds 1 --count 10000 --repeat 1"),
    ),
    Benchmark(
        "scan",
        "benchmarks.store.scan",
        "scans of a whole space in pages and in each order, with or without reading columns, and facets: rows a second",
        ("scan.json",),
        ("--count 20000 --repeat 1",),
    ),
    Benchmark(
        "expiry",
        "benchmarks.store.expiry",
        "observations that expire beside a stream: if any is recalled late, what the stream loses, what comes back",
        ("expiry.json",),
        ("--count 20000 --dim 64 --rate 2000 --spread 5 --lead 15 --back 60 --pairs 1",),
    ),
    Benchmark(
        "log-writes",
        "benchmarks.store.log_writes",
        "what a durable commit costs, through the page cache and past it",
        ("log-writes.json",),
        ("--rows 1 64 --rounds 1",),
    ),
    Benchmark(
        "growth",
        "benchmarks.store.growth",
        "the same ids again and again: disk and memory by round, ingest beside compactions, and a high counter",
        ("growth-rounds.json", "growth-long.json", "growth-beside.json", "growth-counter.json"),
        (
            "rounds --ids 1000 --dim 32 --rounds 6",
            "beside --ids 2000 --dim 32 --rate 5000 --seconds 2 --pairs 2",
            "counter --ids 2000 --dim 32 --pairs 2",
        ),
    ),
    Benchmark(
        "path-costs",
        "benchmarks.streaming.path_costs",
        "what an observation and a recall cost client and server, beside another version",
        ("path-costs.json",),
        ("--pairs 1 --turns 1",),
    ),
    Benchmark(
        "metrics-costs",
        "benchmarks.streaming.metrics_costs",
        "what counting and telling the metrics costs, for each batch, commit, recall and scrape",
        ("metrics-costs.json",),
        ("--count 2000 --rounds 3 --spaces 1 3",),
    ),
    Benchmark(
        "metrics-baseline",
        "benchmarks.streaming.metrics_baseline",
        "what every metric says while a healthy server is under a steady load",
        ("metrics-baseline.json",),
        ("--seconds 8 --warm-up 2 --rate 1000 --dim 64",),
    ),
    Benchmark(
        "integrity-costs",
        "benchmarks.store.integrity_costs",
        "what the checks of everything stored cost",
        ("integrity-costs.json",),
        ("--pairs 2 --turns 1 --recalled 5000 --many 5000 --small 500",),
    ),
    Benchmark(
        "transports-observe",
        "benchmarks.transports.observe",
        "what an observation costs over gRPC and WebSockets, in messages of 1, 64 and 256",
        ("transports-observe.json",),
        ("--rounds 1 --scale 0.1 --dim 64",),
    ),
    Benchmark(
        "transports-recall",
        "benchmarks.transports.recall",
        "recalls and single durable observations, embedded and over every transport",
        ("transports-recall.json",),
        ("--rounds 1 --count 2000 --dim 64",),
    ),
    Benchmark(
        "transports-connections",
        "benchmarks.transports.connections",
        "many WebSockets that stream at the same time, and whether all that was acked is there",
        ("transports-connections.json",),
        ("--connections 20 --seconds 2",),
    ),
)

# These have a `main()` too, but nobody's hands start them: benchmarks run them as processes of their own.
PROCESSES: Final = (
    "benchmarks.index.version_worker",
    "benchmarks.store.integrity_workloads",
    "benchmarks.streaming.path_worker",
    "benchmarks.support.paced_load",
)
