"""The behaviours of CreateSpace, GetSpace, ListSpaces and GetStatus."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import chain, islice, zip_longest
from typing import Final, cast

from engram import __version__
from engram.metrics import table
from engram.metrics.family import MetricFamily
from engram.model.damage import Damage
from engram.model.limits import DIMENSION_DEFAULT
from engram.model.spaces import DEFAULT_SPACE, METRIC_DEFAULT, Metric, SpaceConfig
from engram.server.authorization import Action
from engram.server.calls import Call
from engram.server.engine import Engine
from engram.server.messages.events import encode_level
from engram.server.metrics import server_metrics, space_metrics
from engram.store.indexing.workers import WorkerStatistics
from engram.store.space_engine import SpaceEngine
from engram.streaming.lanes.lane import LaneStatistics
from engram.wire import engram_pb2 as pb
from engram.wire.damages import encode_damage, encode_unsound
from engram.wire.metrics import encode_metrics
from engram.wire.observations import encode_priority

_NAMED_DAMAGES_MAX: Final = 100


async def create_space(engine: Engine, request: pb.CreateSpaceRequest, call: Call) -> pb.Space:
    """Create a space. An existing space with the same settings is no error."""
    name = request.memory_space_id or DEFAULT_SPACE
    engine.authorize(call.caller, Action.CREATE, name)
    config = SpaceConfig(
        name, request.dimension or DIMENSION_DEFAULT, cast("Metric", request.metric or METRIC_DEFAULT), request.embedder
    )
    space = await engine.in_thread(
        lambda: engine.store.space(config.name, dim=config.dim, metric=config.metric, embedder=config.embedder)
    )
    return _describe(engine, space)


async def get_space(engine: Engine, request: pb.GetSpaceRequest, call: Call) -> pb.Space:
    """Describe one space."""
    return _describe(engine, engine.space(call.caller, Action.DESCRIBE, request.memory_space_id))


async def list_spaces(engine: Engine, request: pb.ListSpacesRequest, call: Call) -> pb.ListSpacesResponse:
    """Describe every space."""
    engine.authorize(call.caller, Action.DESCRIBE)
    return pb.ListSpacesResponse(
        spaces=[_describe(engine, space) for space in engine.store.spaces()],
        unsound_spaces=_encode_unsound(engine),
    )


async def get_status(engine: Engine, request: pb.GetStatusRequest, call: Call) -> pb.GetStatusResponse:
    """Describe the server."""
    engine.authorize(call.caller, Action.DESCRIBE)
    metrics = server_metrics(engine)

    def whole(family: MetricFamily) -> int:
        return int(metrics.value(family))

    return pb.GetStatusResponse(
        version=__version__,
        uptime_s=time.monotonic() - engine.started_s,
        spaces=[_encode_space(engine, space) for space in engine.store.spaces()],
        sessions=whole(table.ACTIVE_SESSIONS),
        connections=whole(table.CONNECTIONS),
        observations_accepted=whole(table.OBSERVATIONS),
        observations_rejected=whole(table.OBSERVATIONS_REJECTED),
        recalls=whole(table.RECALLS),
        lanes=map(_encode_lane, engine.lanes.statistics().lanes),
        commits=engine.store.commits,
        workers=map(_encode_worker, engine.store.worker_statistics()),
        damaged_count=whole(table.DAMAGED_PLACES),
        damages=map(encode_damage, named_damages(engine.store.damages())),
        unsound_spaces=_encode_unsound(engine),
        metrics=encode_metrics(metrics),
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


def _encode_unsound(engine: Engine) -> list[pb.UnsoundSpace]:
    return [encode_unsound(name, error) for name, error in sorted(engine.store.unsound.items())]


def _describe(engine: Engine, space: SpaceEngine) -> pb.Space:
    message = _encode_space(engine, space)
    message.metrics.extend(encode_metrics(space_metrics(engine, space)))
    return message


def _encode_space(engine: Engine, space: SpaceEngine) -> pb.Space:
    config = space.config
    load = engine.admission.load(space)
    stats = space.stats()
    return pb.Space(
        memory_space_id=config.name,
        dimension=config.dim,
        metric=config.metric,
        embedder=config.embedder,
        durable_generation=stats.durable_generation,
        visible_generation=stats.visible_generation,
        indexed_generation=stats.indexed_generation,
        live_count=stats.live_count,
        log_bytes=stats.log_bytes,
        index_bytes=stats.index_bytes,
        pressure_level=encode_level(load.level),
        pressure=load.pressure,
        tail_count_max=space.tail.limit,
        damaged_count=stats.damaged_count,
    )


def _encode_lane(lane: LaneStatistics) -> pb.LaneStatus:
    return pb.LaneStatus(
        priority=encode_priority(lane.priority),
        depth=lane.depth,
        capacity=lane.capacity,
        bytes=lane.nbytes,
        bytes_max=lane.bytes_max,
    )


def _encode_worker(worker: WorkerStatistics) -> pb.WorkerStatus:
    return pb.WorkerStatus(
        number=worker.number,
        batches=worker.batches,
        observations=worker.observations,
        stolen=worker.stolen,
        restarts=worker.restarts,
        busy_s=worker.busy_s,
    )
