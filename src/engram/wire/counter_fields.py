"""The metrics of a server that is older than the field `metrics`: it sends some of them in fields of their own."""

from __future__ import annotations

from collections.abc import Iterator

from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.wire import engram_pb2 as pb


def lane_name(priority: int) -> str:
    """Return the name of the lane with this wire number, such as ``"high"``."""
    return pb.Priority.Name(pb.Priority.ValueType(priority)).removeprefix("PRIORITY_").lower()


def server_fields(message: pb.GetStatusResponse) -> Iterator[MetricSample]:
    """Yield the metrics of a server and of its spaces."""
    yield table.CONNECTIONS.sample(message.connections)
    # It did not divide them by space.
    yield MetricSample(table.OBSERVATIONS.name, message.observations_accepted)
    yield MetricSample(table.OBSERVATIONS_REJECTED.name, message.observations_rejected)
    yield table.RECALLS.sample(message.recalls)
    yield table.ACTIVE_SESSIONS.sample(message.sessions)
    yield table.UNSOUND_SPACES.sample(len(message.unsound_spaces))
    for lane in message.lanes:
        yield from _lane_fields(lane)
    for worker in message.workers:
        yield from _worker_fields(worker)
    for space in message.spaces:
        yield from space_fields(space)
    # The total of the server also counts the list of spaces, which has no name.
    of_spaces = sum(space.damaged_count for space in message.spaces)
    yield table.DAMAGED_PLACES.sample(message.damaged_count - of_spaces, "")


def space_fields(message: pb.Space) -> Iterator[MetricSample]:
    """Yield the metrics of a space."""
    name = message.memory_space_id
    yield table.GENERATION.sample(message.durable_generation, name, "durable")
    yield table.GENERATION.sample(message.visible_generation, name, "visible")
    yield table.GENERATION.sample(message.indexed_generation, name, "indexed")
    yield table.INDEX_LAG.sample(message.visible_generation - message.indexed_generation, name)
    yield table.INDEX_LAG_LIMIT.sample(message.tail_count_max, name)
    yield table.LIVE_OBSERVATIONS.sample(message.live_count, name)
    yield table.LOG_BYTES.sample(message.log_bytes, name)
    yield table.INDEX_BYTES.sample(message.index_bytes, name)
    yield table.PRESSURE.sample(message.pressure, name)
    yield table.DAMAGED_PLACES.sample(message.damaged_count, name)


def _lane_fields(message: pb.LaneStatus) -> Iterator[MetricSample]:
    name = lane_name(message.priority)
    yield table.QUEUE_DEPTH.sample(message.depth, name)
    yield table.QUEUE_CAPACITY.sample(message.capacity, name)
    yield table.QUEUE_BYTES.sample(message.bytes, name)
    yield table.QUEUE_CAPACITY_BYTES.sample(message.bytes_max, name)


def _worker_fields(message: pb.WorkerStatus) -> Iterator[MetricSample]:
    number = str(message.number)
    yield table.OBSERVATIONS_INDEXED.sample(message.observations, number)
    yield table.BATCHES_PROCESSED.sample(message.batches, number)
    yield table.WORK_STOLEN.sample(message.stolen, number)
    yield table.WORKER_RESTARTS.sample(message.restarts, number)
    yield table.WORKER_BUSY.sample(message.busy_s, number)
