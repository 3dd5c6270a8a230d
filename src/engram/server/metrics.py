"""The metrics of a server: those of its store, and those of what it does itself."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Container, Iterator
from itertools import chain
from typing import Final

from engram import __version__
from engram.metrics import table
from engram.metrics.family import MetricKind
from engram.metrics.folding import OTHER
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.server.clients.open_connections import descriptors_max, descriptors_open, divided
from engram.server.engine import Engine
from engram.store.space_engine import SpaceEngine
from engram.streaming.observation_counts import NO_SPACE

# This takes the event loop a millisecond or two.
_SPACES_AT_ONCE: Final = 50
_SPACE: Final = "memory_space"
_COUNTERS: Final = frozenset(family.name for family in table.TABLE if family.kind is MetricKind.COUNTER)


def server_metrics(engine: Engine) -> MetricSamples:
    """Return all metrics of the server and of its spaces. Belongs to the event loop's thread."""
    return MetricSamples(chain(_own(engine), *_traffic(engine), engine.store.metrics()))


async def traffic_metrics(engine: Engine) -> MetricSamples:
    """Return the metrics that belong to the event loop's thread: all but those of the store, which any may read.

    However many spaces there are, other work of the event loop goes on in between.
    """
    samples = list(_own(engine))
    for number, of_space in enumerate(_traffic(engine), start=1):
        samples.extend(of_space)
        if number % _SPACES_AT_ONCE == 0:
            await asyncio.sleep(0)
    return MetricSamples(samples)


def space_metrics(engine: Engine, space: SpaceEngine) -> MetricSamples:
    """Return the metrics of one space. Belongs to the event loop's thread."""
    return MetricSamples(chain(_traffic_of(engine, space), space.stats().metrics))


def at_rest_together(metrics: MetricSamples, open_names: Container[str]) -> MetricSamples:
    """Return `metrics` with the counters of all spaces but the open ones added up, as if these were one space.

    Whoever asks for the status of a server every second is not sent thousands of spaces that rest.
    """
    kept: list[MetricSample] = []
    together: dict[tuple[str, ...], MetricSample] = {}
    for sample in metrics:
        space = sample.labels.get(_SPACE, "")
        if not space or space in open_names or sample.name not in _COUNTERS:
            kept.append(sample)
            continue
        labels = {**sample.labels, _SPACE: OTHER}
        key = (sample.name, *labels.values())
        before = together[key].value if key in together else 0
        together[key] = MetricSample(sample.name, before + sample.value, labels)
    return MetricSamples([*kept, *together.values()])


def _traffic(engine: Engine) -> Iterator[Iterator[MetricSample]]:
    """Yield the metrics of the traffic of one space after the other.

    What was counted of a space is told as long as the server runs, also while the space rests: no counter goes down.
    """
    spaces = engine.store.spaces()
    for space in spaces:
        yield _traffic_of(engine, space)
    counts = engine.counters.observations
    told = {NO_SPACE, *(space.config.name for space in spaces)}
    for name in counts.names():
        if name not in told:
            yield counts.samples(name)


def _own(engine: Engine) -> Iterator[MetricSample]:
    """Yield what the server counts over all spaces, or for none of them."""
    return chain(
        engine.counters.samples(),
        engine.counters.observations.samples(NO_SPACE),
        engine.sessions.samples(),
        engine.recalls.samples(),
        engine.ingest.latency.samples(),
        engine.admission.samples(),
        *(lane.samples() for lane in engine.lanes.statistics().lanes),
        _process_samples(engine),
    )


def _traffic_of(engine: Engine, space: SpaceEngine) -> Iterator[MetricSample]:
    name = space.config.name
    return chain(engine.counters.observations.samples(name), engine.admission.load(space).samples(name))


def _process_samples(engine: Engine) -> Iterator[MetricSample]:
    yield table.BUILD_INFO.sample(1, __version__, platform.python_version())
    descriptors = descriptors_max()
    yield table.CONNECTIONS_MAX.sample(divided(engine.options, descriptors).all)
    yield table.DESCRIPTORS_MAX.sample(descriptors)
    open_count = descriptors_open()
    if open_count is not None:
        yield table.DESCRIPTORS.sample(open_count)
    disk = engine.disk_reading()
    if disk is not None:
        yield table.DISK_FREE.sample(disk.value)
        yield table.DISK_FREE_MIN.sample(disk.limit)
