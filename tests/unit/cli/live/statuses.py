"""States of a server as tests of the live view need them."""

from __future__ import annotations

from typing import Any

from engram.client import ServerStatus, SpaceStatus
from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.model.spaces import SpaceConfig

LATENCY = "engram_streaming_observation_latency_seconds_bucket"


def histogram(name: str, counts: dict[str, float], **labels: str) -> list[MetricSample]:
    """Samples of a histogram's buckets."""
    return [MetricSample(name, count, {**labels, "le": bound}) for bound, count in counts.items()]


def space_samples(name: str, *, stored: float = 0, tail: float = 0, level: float = 0, pressure: float = 0) -> list[Any]:
    """Samples of one space."""
    return [
        table.OBSERVATIONS_STORED.sample(stored, name),
        table.INDEX_LAG.sample(tail, name),
        table.INDEX_LAG_LIMIT.sample(1000, name),
        table.BACKPRESSURE_STATE.sample(level, name),
        table.PRESSURE.sample(pressure, name),
        table.LIVE_OBSERVATIONS.sample(stored, name),
        table.LOG_BYTES.sample(4096, name),
        table.INDEX_BYTES.sample(2048, name),
    ]


def status(*samples: MetricSample, spaces: tuple[str, ...] = (), **fields: Any) -> ServerStatus:
    """The status of a server with these metrics."""
    given: dict[str, Any] = {
        "version": "1.2",
        "uptime_s": 61.0,
        "sessions": 0,
        "connections": 0,
        "observations_accepted": 0,
        "observations_rejected": 0,
        "recalls": 0,
        "commits": 0,
        "lanes": (),
        "workers": (),
        "spaces": tuple(SpaceStatus(SpaceConfig(name, 8), 0, 0, 0, 0, 0, 0) for name in spaces),
        "metrics": MetricSamples(samples),
    }
    return ServerStatus(**{**given, **fields})
