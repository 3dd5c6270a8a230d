"""``create_space``, ``space``, ``spaces`` and ``status`` as messages."""

from __future__ import annotations

from typing import Any, Final, cast

from engram.errors import EngramError, InvalidInput
from engram.metrics.samples import NO_METRICS, MetricSamples
from engram.model.operations.requests import CreateSpace, DescribeServer, DescribeSpace, ListSpaces
from engram.model.operations.results import SpaceList
from engram.model.operations.status import LaneStatus, ServerStatus, SpaceStatus, UnsoundSpace, WorkerStatus
from engram.model.operations.table import CREATE_SPACE, SPACE, SPACES, STATUS
from engram.model.priority import priority_named
from engram.model.spaces import METRIC_DEFAULT, VECTORS, Metric, SpaceConfig, Vectors, dimension_of
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.counter_fields import lane_name, server_fields, space_fields
from engram.wire.damages import decode_damage, decode_unsound, encode_damage, encode_unsound
from engram.wire.metrics import decode_metrics, encode_metrics
from engram.wire.observations import encode_priority
from engram.wire.operations.codec import OperationCodec, named_space, whole_server
from engram.wire.problems import LEVELS as HEALTH_LEVELS
from engram.wire.problems import decode_problem, encode_problem

_LEVELS: Final[dict[str, pb.PressureLevel.ValueType]] = {
    "": pb.PRESSURE_LEVEL_UNSPECIFIED,
    "normal": pb.PRESSURE_LEVEL_NORMAL,
    "warning": pb.PRESSURE_LEVEL_WARNING,
    "critical": pb.PRESSURE_LEVEL_CRITICAL,
    "overloaded": pb.PRESSURE_LEVEL_OVERLOADED,
}
_RULE_NUMBERS: Final[dict[Vectors, pb.VectorRule.ValueType]] = {
    "required": pb.VECTOR_RULE_REQUIRED,
    "optional": pb.VECTOR_RULE_OPTIONAL,
    "none": pb.VECTOR_RULE_NONE,
}
_RULES: Final[dict[int, Vectors]] = {number: name for name, number in _RULE_NUMBERS.items()}
_LEVEL_NAMES: Final[dict[int, str]] = {number: name for name, number in _LEVELS.items()}


def _decode_create(message: pb.CreateSpaceRequest) -> CreateSpace:
    metric = cast("Metric", message.metric or METRIC_DEFAULT)
    vectors = _rule_of(message.vectors)
    dim = dimension_of(message.dimension or None, vectors)
    return CreateSpace(SpaceConfig(named_space(message), dim, metric, message.embedder, vectors, _ttl_s_of(message)))


def _ttl_s_of(message: pb.CreateSpaceRequest | pb.Space) -> float | None:
    return message.ttl_s if message.HasField("ttl_s") else None


def _rule_of(number: int) -> Vectors:
    rule = _RULES.get(number)
    if rule is None:
        raise InvalidInput(
            f"there is no vector rule {number}",
            code="invalid_vectors_setting",
            field="vectors",
            limit=", ".join(VECTORS),
            value=number,
        )
    return rule


def _encode_create(request: CreateSpace) -> pb.CreateSpaceRequest:
    config = request.config
    return pb.CreateSpaceRequest(
        memory_space_id=config.name,
        dimension=config.dim,
        metric=config.metric,
        embedder=config.embedder,
        vectors=_RULE_NUMBERS[config.vectors],
        ttl_s=config.ttl_s,
    )


def _decode_describe(message: pb.GetSpaceRequest) -> DescribeSpace:
    return DescribeSpace(named_space(message))


def _encode_describe(request: DescribeSpace) -> pb.GetSpaceRequest:
    return pb.GetSpaceRequest(memory_space_id=request.space)


def _encode_described(_: object, space: SpaceStatus) -> list[pb.Space]:
    return [_encode_space(space)]


def _encode_space(space: SpaceStatus, *, metrics: bool = True) -> pb.Space:
    config = space.config
    return pb.Space(
        memory_space_id=config.name,
        dimension=config.dim,
        metric=config.metric,
        embedder=config.embedder,
        vectors=_RULE_NUMBERS[config.vectors],
        ttl_s=config.ttl_s,
        durable_generation=space.durable_generation,
        visible_generation=space.visible_generation,
        indexed_generation=space.indexed_generation,
        live_count=space.live_count,
        log_bytes=space.log_bytes,
        index_bytes=space.index_bytes,
        pressure_level=_LEVELS[space.pressure_level],
        pressure=space.pressure,
        tail_count_max=space.tail_count_max,
        damaged_count=space.damaged_count,
        metrics=encode_metrics(space.metrics) if metrics else (),
        health=HEALTH_LEVELS[space.health],
        problems=map(encode_problem, space.problems),
    )


def _decode_described(message: pb.Space) -> SpaceStatus:
    # An older server sends no metrics, but fields from which they follow.
    return _decode_space(message, decode_metrics(message.metrics) or MetricSamples(space_fields(message)))


def _decode_space(message: pb.Space, metrics: MetricSamples) -> SpaceStatus:
    metric = cast("Metric", message.metric)
    rule, ttl_s = _rule_of(message.vectors), _ttl_s_of(message)
    return SpaceStatus(
        SpaceConfig(message.memory_space_id, message.dimension, metric, message.embedder, rule, ttl_s),
        message.durable_generation,
        message.visible_generation,
        message.indexed_generation,
        message.live_count,
        message.log_bytes,
        message.index_bytes,
        message.damaged_count,
        metrics,
        message.pressure,
        _LEVEL_NAMES.get(message.pressure_level, ""),
        message.tail_count_max,
        tuple(map(decode_problem, message.problems)),
    )


def _encode_unsound(space: UnsoundSpace) -> pb.UnsoundSpace:
    return encode_unsound(space.name, space.error or EngramError(space.message, code=space.code))


def _decode_unsound(message: pb.UnsoundSpace) -> UnsoundSpace:
    name, error = decode_unsound(message)
    return UnsoundSpace(name, error.code, error.message, error)


def _decode_list(_: pb.ListSpacesRequest) -> ListSpaces:
    return ListSpaces()


def _encode_list(_: ListSpaces) -> pb.ListSpacesRequest:
    return pb.ListSpacesRequest()


def _encode_listed(_: object, found: SpaceList) -> list[pb.ListSpacesResponse]:
    return [
        pb.ListSpacesResponse(
            spaces=map(_encode_space, found.spaces), unsound_spaces=map(_encode_unsound, found.unsound)
        )
    ]


def _decode_listed(message: pb.ListSpacesResponse) -> SpaceList:
    return SpaceList(tuple(map(_decode_described, message.spaces)), tuple(map(_decode_unsound, message.unsound_spaces)))


def _decode_status(_: pb.GetStatusRequest) -> DescribeServer:
    return DescribeServer()


def _encode_status(_: DescribeServer) -> pb.GetStatusRequest:
    return pb.GetStatusRequest()


def _encode_server(_: object, status: ServerStatus) -> list[pb.GetStatusResponse]:
    return [
        pb.GetStatusResponse(
            version=status.version,
            uptime_s=status.uptime_s,
            # Their metrics are among those of the server.
            spaces=[_encode_space(space, metrics=False) for space in status.spaces],
            sessions=status.sessions,
            connections=status.connections,
            observations_accepted=status.observations_accepted,
            observations_rejected=status.observations_rejected,
            recalls=status.recalls,
            lanes=map(_encode_lane, status.lanes),
            commits=status.commits,
            workers=map(_encode_worker, status.workers),
            damaged_count=status.damaged_count,
            damages=map(encode_damage, status.damages),
            unsound_spaces=map(_encode_unsound, status.unsound_spaces),
            metrics=encode_metrics(status.metrics),
            health=HEALTH_LEVELS[status.health],
            problems=map(encode_problem, status.problems),
        )
    ]


def _decode_server(message: pb.GetStatusResponse) -> ServerStatus:
    metrics = decode_metrics(message.metrics) or MetricSamples(server_fields(message))
    by_space = metrics.split("memory_space")
    return ServerStatus(
        version=message.version,
        uptime_s=message.uptime_s,
        sessions=message.sessions,
        connections=message.connections,
        observations_accepted=message.observations_accepted,
        observations_rejected=message.observations_rejected,
        recalls=message.recalls,
        commits=message.commits,
        lanes=tuple(map(_decode_lane, message.lanes)),
        workers=tuple(map(_decode_worker, message.workers)),
        spaces=tuple(_decode_space(space, by_space.get(space.memory_space_id, NO_METRICS)) for space in message.spaces),
        damaged_count=message.damaged_count,
        damages=tuple(map(decode_damage, message.damages)),
        unsound_spaces=tuple(map(_decode_unsound, message.unsound_spaces)),
        metrics=metrics,
        problems=tuple(map(decode_problem, message.problems)),
    )


def _encode_lane(lane: LaneStatus) -> pb.LaneStatus:
    return pb.LaneStatus(
        priority=encode_priority(priority_named(lane.priority)),
        depth=lane.depth,
        capacity=lane.capacity,
        bytes=lane.nbytes,
        bytes_max=lane.bytes_max,
    )


def _decode_lane(message: Any) -> LaneStatus:
    name = lane_name(message.priority)
    return LaneStatus(name, message.depth, message.capacity, message.bytes, message.bytes_max)


def _encode_worker(worker: WorkerStatus) -> pb.WorkerStatus:
    return pb.WorkerStatus(**{name: getattr(worker, name) for name in _WORKER_FIELDS})


def _decode_worker(message: pb.WorkerStatus) -> WorkerStatus:
    return WorkerStatus(**{name: getattr(message, name) for name in _WORKER_FIELDS})


_WORKER_FIELDS: Final = tuple(pb.WorkerStatus.DESCRIPTOR.fields_by_name)

CREATE_SPACE_CODEC: Final = OperationCodec(
    CREATE_SPACE,
    methods.CREATE_SPACE,
    named_space,
    _decode_create,
    _encode_create,
    _encode_described,
    _decode_described,
)
SPACE_CODEC: Final = OperationCodec(
    SPACE, methods.GET_SPACE, named_space, _decode_describe, _encode_describe, _encode_described, _decode_described
)
SPACES_CODEC: Final = OperationCodec(
    SPACES, methods.LIST_SPACES, whole_server, _decode_list, _encode_list, _encode_listed, _decode_listed
)
STATUS_CODEC: Final = OperationCodec(
    STATUS, methods.GET_STATUS, whole_server, _decode_status, _encode_status, _encode_server, _decode_server
)
