"""``create_space``, ``space``, ``spaces`` and ``status``: the spaces and the server described."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import chain, islice, zip_longest
from typing import Final, TypeVar

from engram import __version__
from engram.metrics import table
from engram.metrics.family import MetricFamily
from engram.metrics.samples import NO_METRICS, MetricSamples
from engram.model.damage import Damage
from engram.model.operations.requests import CreateSpace, DescribeServer, DescribeSpace, ListSpaces
from engram.model.operations.results import SpaceList
from engram.model.operations.status import LaneStatus, ServerStatus, SpaceStatus, UnsoundSpace, WorkerStatus
from engram.server.engine import Engine
from engram.server.metrics import at_rest_together, space_metrics, traffic_metrics
from engram.store.indexing.workers import WorkerStatistics
from engram.store.resting.status_at_rest import status_at_rest
from engram.store.space_engine import SpaceEngine
from engram.streaming.lanes.lane import LaneStatistics

T = TypeVar("T")

_NAMED_DAMAGES_MAX: Final = 100


async def create_space(engine: Engine, request: CreateSpace, encode: Callable[[SpaceStatus], T]) -> T:
    """Create a space. An existing space with the same settings is no error."""
    async with engine.held(request.config.name, request.config) as space:
        return encode(_described(engine, space))


async def describe_space(engine: Engine, request: DescribeSpace, encode: Callable[[SpaceStatus], T]) -> T:
    """Describe one space."""
    return encode(_described(engine, engine.space(request.space)))


async def list_spaces(engine: Engine, request: ListSpaces, encode: Callable[[SpaceList], T]) -> T:
    """Describe every space."""
    spaces = [_described(engine, space) for space in engine.store.spaces()]
    return encode(SpaceList(await _with_resting(engine, spaces), _unsound(engine)))


async def describe_server(engine: Engine, request: DescribeServer, encode: Callable[[ServerStatus], T]) -> T:
    """Describe the server."""
    resting = await _with_resting(engine, [])
    traffic = await traffic_metrics(engine)
    # There may be thousands of spaces.
    of_store = await engine.in_thread(engine.store.metrics)
    metrics = MetricSamples(chain(traffic, of_store))
    by_space = metrics.split("memory_space")
    opened = engine.store.spaces()

    def whole(family: MetricFamily) -> int:
        # Without any space, there are no values about spaces.
        return int(sum(sample.value for sample in metrics.select(family)))

    return encode(
        ServerStatus(
            version=__version__,
            uptime_s=time.monotonic() - engine.started_s,
            spaces=_joined(
                [_status(engine, space, by_space.get(space.config.name, NO_METRICS)) for space in opened], resting
            ),
            sessions=whole(table.ACTIVE_SESSIONS),
            connections=whole(table.CONNECTIONS),
            observations_accepted=whole(table.OBSERVATIONS),
            observations_rejected=whole(table.OBSERVATIONS_REJECTED),
            recalls=whole(table.RECALLS),
            lanes=tuple(map(_lane, engine.lanes.statistics().lanes)),
            commits=engine.store.commits,
            workers=tuple(map(_worker, engine.store.worker_statistics())),
            damaged_count=whole(table.DAMAGED_PLACES),
            damages=tuple(named_damages(engine.store.damages())),
            unsound_spaces=_unsound(engine),
            metrics=at_rest_together(metrics, {space.config.name for space in opened}),
            problems=engine.store.problems(),
        )
    )


def named_damages(damages: Iterable[Damage], count_max: int = _NAMED_DAMAGES_MAX) -> list[Damage]:
    """Return up to `count_max` of `damages`, sorted by space.

    The first of each space are taken, then the second of each space, and so on, so that no space hides the others.
    """
    spaces: dict[str, list[Damage]] = {}
    for damage in damages:
        spaces.setdefault(damage.space, []).append(damage)
    in_turn = chain.from_iterable(zip_longest(*spaces.values()))
    named = list(islice((damage for damage in in_turn if damage is not None), count_max))
    return sorted(named, key=lambda damage: damage.space)


def _unsound(engine: Engine) -> tuple[UnsoundSpace, ...]:
    found = sorted(engine.store.unsound.items())
    return tuple(UnsoundSpace(name, error.code, error.message, error) for name, error in found)


async def _with_resting(engine: Engine, opened: list[SpaceStatus]) -> tuple[SpaceStatus, ...]:
    """Return the spaces in `opened` and all others, which are not opened for that, in the order of their names."""
    resting = await engine.in_thread(engine.store.table.resting)
    return _joined(opened, [status_at_rest(summary, engine.store.table.left) for summary in resting])


def _joined(*groups: Iterable[SpaceStatus]) -> tuple[SpaceStatus, ...]:
    """Return the spaces of all groups in the order of their names; of those that are in two, the first."""
    found: dict[str, SpaceStatus] = {}
    for status in chain.from_iterable(groups):
        found.setdefault(status.name, status)
    return tuple(found[name] for name in sorted(found))


def _described(engine: Engine, space: SpaceEngine) -> SpaceStatus:
    return _status(engine, space, space_metrics(engine, space))


def _status(engine: Engine, space: SpaceEngine, metrics: MetricSamples) -> SpaceStatus:
    load = engine.admission.load(space)
    stats = space.stats()
    return SpaceStatus(
        space.config,
        stats.durable_generation,
        stats.visible_generation,
        stats.indexed_generation,
        stats.live_count,
        stats.log_bytes,
        stats.index_bytes,
        stats.damaged_count,
        metrics,
        load.pressure,
        load.level.name.lower(),
        space.tail.limit,
        stats.problems,
    )


def _lane(lane: LaneStatistics) -> LaneStatus:
    return LaneStatus(lane.priority.name.lower(), lane.depth, lane.capacity, lane.nbytes, lane.bytes_max)


def _worker(worker: WorkerStatistics) -> WorkerStatus:
    return WorkerStatus(
        worker.number, worker.batches, worker.observations, worker.stolen, worker.restarts, worker.busy_s
    )
