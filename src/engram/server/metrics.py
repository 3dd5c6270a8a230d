"""The metrics of a server: those of its store, and those of what it does itself."""

from __future__ import annotations

from itertools import chain

from engram.metrics.samples import MetricSamples
from engram.server.engine import Engine
from engram.store.space_engine import SpaceEngine


def server_metrics(engine: Engine) -> MetricSamples:
    """Return all metrics of the server and of its spaces. Belongs to the event loop's thread."""
    spaces = engine.store.spaces()
    return MetricSamples(
        chain(
            engine.counters.samples(),
            engine.sessions.samples(),
            engine.recalls.samples(),
            *(lane.samples() for lane in engine.lanes.statistics().lanes),
            engine.store.metrics(),
            *(engine.admission.load(space).samples(space.config.name) for space in spaces),
        )
    )


def space_metrics(engine: Engine, space: SpaceEngine) -> MetricSamples:
    """Return the metrics of one space. Belongs to the event loop's thread."""
    return MetricSamples(chain(space.stats().metrics, engine.admission.load(space).samples(space.config.name)))
