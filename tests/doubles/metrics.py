"""What the samples of metrics have to look like, and what is read in them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from engram.metrics import table
from engram.metrics.family import MetricFamily
from engram.server.engine import Engine


def labels_of_samples(families: Iterable[MetricFamily]) -> dict[str, set[str]]:
    """The labels of all samples that `families` have, by the names of the samples."""
    return {
        name: {*family.labels, *(["le"] if name.endswith("_bucket") else [])}
        for family in families
        for name in family.sample_names
    }


def parse_openmetrics(text: str) -> list[Metric]:
    """What the strict parser of OpenMetrics reads in `text`."""
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def connection_count(engine: Engine) -> int:
    """How many connections have a session."""
    return int(next(sample.value for sample in engine.sessions.samples() if sample.name == table.CONNECTIONS.name))
