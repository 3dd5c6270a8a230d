"""The status of a server that does not send metrics yet."""

from __future__ import annotations

from engram.metrics import table
from engram.wire import engram_pb2 as pb
from engram.wire.operations.spaces import SPACE_CODEC, STATUS_CODEC

SPACE = pb.Space(
    memory_space_id="notes",
    dimension=16,
    metric="cosine",
    durable_generation=30,
    visible_generation=29,
    indexed_generation=25,
    live_count=20,
    log_bytes=4096,
    index_bytes=2048,
    damaged_count=2,
)


def test_its_counters_are_metrics_all_the_same() -> None:
    status = STATUS_CODEC.decode_result(
        pb.GetStatusResponse(
            observations_accepted=12,
            observations_rejected=3,
            recalls=5,
            sessions=2,
            connections=1,
            damaged_count=6,
            spaces=[SPACE],
            lanes=[pb.LaneStatus(priority=pb.PRIORITY_HIGH, depth=7, capacity=10, bytes=70, bytes_max=100)],
            workers=[pb.WorkerStatus(number=1, batches=8, observations=80, stolen=4, restarts=9, busy_s=0.5)],
        )
    )
    metrics = status.metrics
    assert metrics.value(table.OBSERVATIONS) == 12
    assert metrics.value(table.OBSERVATIONS_REJECTED) == 3
    assert metrics.value(table.RECALLS) == 5
    assert metrics.value(table.ACTIVE_SESSIONS) == 2
    assert metrics.value(table.CONNECTIONS) == 1
    assert metrics.value(table.DAMAGED_PLACES) == 6
    assert metrics.value(table.DAMAGED_PLACES, memory_space="notes") == 2
    assert metrics.value(table.QUEUE_DEPTH, priority="high") == 7
    assert metrics.value(table.WORKER_BUSY, worker="1") == 0.5
    assert status.spaces[0].metrics.value(table.LOG_BYTES) == 4096


def test_a_space_has_its_metrics_too() -> None:
    metrics = SPACE_CODEC.decode_result(SPACE).metrics
    assert metrics.value(table.GENERATION, watermark="indexed") == 25
    assert metrics.value(table.INDEX_LAG) == 4
    assert metrics.value(table.LIVE_OBSERVATIONS) == 20
