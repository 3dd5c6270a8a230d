"""What every metric of a healthy server says under a steady load: the baselines of the guide to monitoring.

    python -m benchmarks metrics-baseline --json benchmarks/results/metrics-baseline.json
    python scripts/make_baselines.py

A client streams at a fixed rate, another one recalls beside it, every second time as a stream. `/metrics` is read once
a second. The second command writes the result into docs/operations/streaming-monitoring.md.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.support import paced_load
from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import publish
from benchmarks.support.server import SPACE, server_with_http
from engram.cli.live.changes import MetricChanges
from engram.client import Client
from engram.metrics.family import MetricFamily, MetricGroup, MetricKind
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.metrics.table import BUILD_INFO, TABLE

SHARES: Final = (0.5, 0.95, 0.99)
_INTERVAL_S: Final = 1.0
_DISTINCT: Final = 1000
_SPACE_LABEL: Final = "memory_space"
# Whatever the environment says, the server is on this machine.
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Of the metrics that the process itself has.
_PROCESS: Final = (
    MetricFamily("process_cpu_seconds_total", MetricKind.COUNTER, MetricGroup.BUILD, "seconds", "", ""),
    MetricFamily("process_resident_memory_bytes", MetricKind.GAUGE, MetricGroup.BUILD, "bytes", "", ""),
    MetricFamily("process_open_fds", MetricKind.GAUGE, MetricGroup.BUILD, "files", "", ""),
)


class Reading(NamedTuple):
    """The metrics at one moment, in seconds of `time.perf_counter`."""

    at_s: float
    samples: MetricSamples


def read(address: str) -> Reading:
    """Scrape a server once. Of the spaces, only that of the load counts."""
    with _OPENER.open(f"http://{address}/metrics") as answer:
        text = answer.read().decode()
    samples = (
        MetricSample(sample.name, sample.value, sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )
    return Reading(
        time.perf_counter(),
        MetricSamples(sample for sample in samples if sample.labels.get(_SPACE_LABEL, SPACE) == SPACE),
    )


def recall_until(stop: threading.Event, address: str, dim: int, rate: float) -> None:
    """Recall at a fixed rate, each second time as a stream."""
    cues = itertools.cycle(synthetic_rows(_DISTINCT, dim, seed=2))
    with Client(address, space=SPACE) as client:
        while not stop.wait(1 / rate):
            client.recall(next(cues))
            if not stop.wait(1 / rate):
                list(client.recall_stream(next(cues), 20))


def readings_under_load(address: str, load: subprocess.Popen[str], warm_up_s: float) -> list[Reading]:
    """Scrape until the load ends, once a second after the first `warm_up_s` seconds."""
    begin_s = time.perf_counter() + warm_up_s
    readings: list[Reading] = []
    while load.poll() is None:
        time.sleep(max(0.0, begin_s + len(readings) * _INTERVAL_S - time.perf_counter()))
        readings.append(read(address))
    # The last one saw the load end. What was told when it had ended is not that of a server under load.
    return readings[:-1]


def baselines(readings: Sequence[Reading]) -> Iterator[dict[str, Any]]:
    """One row for each metric and set of labels: of gauges the middle and both ends, of the others the changes."""
    first, last = readings[0], readings[-1]
    changes = MetricChanges(first.samples, last.samples, last.at_s - first.at_s)
    for family in (*(family for family in TABLE if family is not BUILD_INFO), *_PROCESS):
        for labels in labels_of(family, last.samples):
            shown = ", ".join(f"{name}={value}" for name, value in labels.items() if name != _SPACE_LABEL)
            row = {"metric": family.name, "labels": shown, "kind": family.kind.value, "unit": family.unit}
            yield row | _values(family, labels, readings, changes)


def labels_of(family: MetricFamily, samples: MetricSamples) -> Iterator[dict[str, str]]:
    """The sets of labels that a metric has, without the bounds of buckets."""
    seen = []
    for sample in samples.select(family.sample_names[0]):
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        if labels not in seen:
            seen.append(labels)
            yield labels


def _values(
    family: MetricFamily, labels: dict[str, str], readings: Sequence[Reading], changes: MetricChanges
) -> dict[str, float | None]:
    match family.kind:
        case MetricKind.COUNTER:
            return {"per s": changes.rate(family, **labels)}
        case MetricKind.HISTOGRAM:
            count = changes.rate(f"{family.name}_count", **labels)
            return {"per s": count} | {
                f"P{share:.0%}"[:-1]: changes.quantile(share, family, **labels) for share in SHARES
            }
        case MetricKind.GAUGE:
            # It may not have had a value at first.
            found = [reading.samples.select(family, **labels) for reading in readings]
            values = [each[0].value for each in found if each]
            return {"low": min(values), "median": median(values), "high": max(values)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks metrics-baseline", description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, default=5000, help="observations a second (default 5000)")
    parser.add_argument("--recalls", type=float, default=20, help="recalls a second (default 20)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--warm-up", type=float, default=5, help="seconds before the first look (default 5)")
    parser.add_argument("--dim", type=int, default=384, help="dimension (default 384)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    stop = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        server_with_http(Path(folder) / "data") as (_, grpc, http),
        ThreadPoolExecutor(1) as threads,
    ):
        with Client(grpc) as client:
            client.create_space(SPACE, arguments.dim)
        load = paced_load.start(grpc, arguments.rate, arguments.seconds, arguments.dim)
        recalls = threads.submit(recall_until, stop, f"http://{http}", arguments.dim, arguments.recalls)
        try:
            readings = readings_under_load(http, load, arguments.warm_up)
        finally:
            stop.set()
        recalls.result()
        sent = paced_load.result_of(load)
    settings = {name: getattr(arguments, name) for name in ("rate", "recalls", "seconds", "warm_up", "dim")}
    columns = ["metric", "labels", "per s", "P50", "P95", "P99", "low", "median", "high"]
    publish("baselines of metrics", {**settings, **sent}, list(baselines(readings)), arguments.json, columns)


if __name__ == "__main__":
    main()
