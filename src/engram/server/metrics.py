"""The metrics of a server: those of its store, and those of what it does itself."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator
from itertools import chain
from typing import Final

from engram import __version__
from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.server.clients.open_connections import descriptors_max, descriptors_open, divided
from engram.server.engine import Engine
from engram.store.space_engine import SpaceEngine
from engram.streaming.observation_counts import NO_SPACE

# This takes the event loop a millisecond or two.
_SPACES_AT_ONCE: Final = 50


def server_metrics(engine: Engine) -> MetricSamples:
    """Return all metrics of the server and of its spaces. Belongs to the event loop's thread."""
    spaces = (_traffic_of(engine, space) for space in engine.store.spaces())
    return MetricSamples(chain(_own(engine), *spaces, engine.store.metrics()))


async def traffic_metrics(engine: Engine) -> MetricSamples:
    """Return the metrics that belong to the event loop's thread: all but those of the store, which any may read.

    However many spaces there are, other work of the event loop goes on in between.
    """
    samples = list(_own(engine))
    for number, space in enumerate(engine.store.spaces(), start=1):
        samples.extend(_traffic_of(engine, space))
        if number % _SPACES_AT_ONCE == 0:
            await asyncio.sleep(0)
    return MetricSamples(samples)


def space_metrics(engine: Engine, space: SpaceEngine) -> MetricSamples:
    """Return the metrics of one space. Belongs to the event loop's thread."""
    return MetricSamples(chain(_traffic_of(engine, space), space.stats().metrics))


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
