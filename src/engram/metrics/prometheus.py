"""The metrics as Prometheus collects them. Needs the package ``prometheus-client``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from engram.errors import MissingExtra
from engram.metrics.family import MetricKind
from engram.metrics.folding import SPACES_MAX, Folding
from engram.metrics.sample import MetricSample
from engram.metrics.table import TABLE

try:
    from prometheus_client import Metric, ProcessCollector, exposition
    from prometheus_client.openmetrics import exposition as openmetrics
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingExtra(
        "metrics for Prometheus need the package prometheus-client; install it with: "
        "pip install 'engram-stream[server]'",
        field="extra",
        limit="server",
        value="prometheus-client",
    ) from error


Read = Callable[[], Iterable[MetricSample]]
_OPENMETRICS: Final = "application/openmetrics-text"
_PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"


class EngramCollector(Collector):
    """Collects the metrics of `engram.metrics.table` when a registry is scraped; between scrapes it costs nothing.

    Parameters
    ----------
    read
        Returns the present samples, such as `MemoryStore.metrics`; called once for each scrape, on its thread. Several
        stores, by name: every metric gets a label ``store`` then, because a registry takes each name from one collector
        only.
    spaces_max
        Number of spaces of a store that have values of their own. The others are folded into one with the name
        ``other``.

    Examples
    --------
    ``prometheus_client.REGISTRY.register(EngramCollector(store.metrics))`` has the metrics of an embedded store beside
    those of the program, and ``EngramCollector({"notes": one.metrics, "sensors": two.metrics})`` those of two.
    """

    def __init__(self, read: Read | Mapping[str, Read], spaces_max: int = SPACES_MAX) -> None:
        stores = read if isinstance(read, Mapping) else {"": read}
        self._stores = [(name, each, Folding(spaces_max)) for name, each in stores.items()]
        self._guard = threading.Lock()

    def describe(self) -> Iterator[Metric]:
        """Yield every metric without values, so that a registry sees names that are taken without a scrape."""
        yield from _empty().values()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that has a value."""
        found: list[MetricSample] = []
        for name, read, folding in self._stores:
            samples = list(read())
            with self._guard:
                folded = folding.fold(samples)
            found += (_of_store(name, sample) for sample in folded) if name else folded
        yield from _filled(found)


class Exposition:
    """Writes what a scrape is answered with: the metrics of Engram, and those of its process.

    Any thread may use it.

    Parameters
    ----------
    spaces_max
        See `EngramCollector`.
    """

    def __init__(self, spaces_max: int = SPACES_MAX) -> None:
        self._folding = Folding(spaces_max)
        self._process = ProcessCollector(registry=None)

    def text(self, samples: Iterable[MetricSample], accepted: str) -> tuple[bytes, str]:
        """Return `samples` as text, and its media type.

        Parameters
        ----------
        samples
            The samples of Engram.
        accepted
            The header ``Accept`` of the scrape: OpenMetrics if it names that, else the older format.
        """
        collected = _Collected([*_filled(self._folding.fold(samples)), *self._process.collect()])
        if _OPENMETRICS in accepted.lower():
            text: bytes = openmetrics.generate_latest(collected)  # type: ignore[no-untyped-call]
            return text, openmetrics.CONTENT_TYPE_LATEST
        return exposition.generate_latest(collected), _PLAIN


class _Collected(Collector):
    """Metrics that have been collected."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _of_store(name: str, sample: MetricSample) -> MetricSample:
    return MetricSample(sample.name, sample.value, {"store": name, **sample.labels})


_FAMILY_OF: Final = {name: family.name for family in TABLE for name in family.sample_names}


def _filled(samples: Iterable[MetricSample]) -> Iterator[Metric]:
    """Yield every metric that has a value."""
    metrics = _empty()
    for sample in samples:
        metrics[_FAMILY_OF[sample.name]].add_sample(sample.name, dict(sample.labels), sample.value)
    yield from (metric for metric in metrics.values() if metric.samples)


def _empty() -> dict[str, Metric]:
    # The name of a counter has no `_total` in the data model; its samples have.
    return {
        family.name: Metric(
            family.name.removesuffix("_total") if family.kind is MetricKind.COUNTER else family.name,
            family.meaning,
            family.kind.value,
        )
        for family in TABLE
    }
