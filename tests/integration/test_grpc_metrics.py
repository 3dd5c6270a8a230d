"""The metrics of a real server: all of the table is there, and the counters are what was done."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from engram.metrics import table
from engram.metrics.family import MetricKind
from engram.metrics.samples import MetricSamples
from engram.metrics.table import TABLE
from engram.wire import engram_pb2 as pb
from engram.wire.observations import encode_batch
from engram.wire.operations.spaces import STATUS_CODEC
from tests.doubles.metrics import labels_of_samples
from tests.integration.server_process import (
    ACCEPTED,
    TIMEOUT_S,
    ServerProcess,
    batch_of,
    numbered,
    raw_channel,
    recall_ids,
)


async def status_of(stub: Any) -> pb.GetStatusResponse:
    found: pb.GetStatusResponse = await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
    return found


async def metrics_of(stub: Any) -> MetricSamples:
    metrics: MetricSamples = STATUS_CODEC.decode_result(await status_of(stub)).metrics
    return metrics


async def is_refused(call: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await asyncio.wait_for(call, TIMEOUT_S)


async def test_every_entry_of_the_table_has_a_value(stub: Any, space: str) -> None:
    metrics = await metrics_of(stub)
    # Whether a recall has been measured, depends on the tests before; and nothing is wrong.
    families = set(TABLE) - {table.RECALL_AT_K, table.PROBLEM}
    named = {sample.name: set(sample.labels) for sample in metrics if sample.name != table.RECALL_AT_K.name}
    assert named == labels_of_samples(families)
    described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=space), timeout=TIMEOUT_S)
    listed = await stub.ListSpaces(pb.ListSpacesRequest(), timeout=TIMEOUT_S)
    expected = {sample.name for sample in metrics if sample.labels.get("memory_space") == space}
    assert table.RECALL_AT_K.name not in expected
    assert {family.name for family in described.metrics} == expected
    told = [{family.name for family in one.metrics} - {table.RECALL_AT_K.name} for one in listed.spaces]
    assert all(names == expected for names in told)


async def test_the_counters_are_what_was_done(server: ServerProcess, stub: Any, space: str) -> None:
    before = await metrics_of(stub)
    remember = pb.RememberRequest(memory_space_id=space, batch=encode_batch(batch_of(numbered(1, 5))))
    await stub.Remember(remember, timeout=TIMEOUT_S)
    await is_refused(stub.Remember(pb.RememberRequest(memory_space_id=space, batch=encode_batch(batch_of(["a"], 9)))))
    await stub.Forget(pb.ForgetRequest(memory_space_id=space, ids=["id-1", "id-2", "unknown"]), timeout=TIMEOUT_S)
    await recall_ids(stub, space, "id-3")
    async with raw_channel(server.address) as channel:
        await is_refused(channel.unary_unary("/engram.v1.EngramService/Remember", request_serializer=bytes)(b"\xff"))
    call = stub.ObserveStream(timeout=TIMEOUT_S)
    await call.write(pb.ObservationRequest(memory_space_id=space, init=pb.StreamInit()))
    message = pb.ObservationRequest(sequence_number=1, batch=encode_batch(batch_of(numbered(6, 4))))
    for _ in range(2):
        await call.write(message)
        while (await call.read()).ack.status != ACCEPTED:
            pass
    during = await metrics_of(stub)
    call.cancel()
    changes = {
        family: during.value(family) - before.value(family)
        for family in TABLE
        if family.kind is not MetricKind.HISTOGRAM and set(family.labels) <= {"memory_space", "priority", "reason"}
    }
    expected = {
        table.CONNECTIONS: 1,
        table.OBSERVATIONS: 9,
        table.OBSERVATIONS_REJECTED: 1,
        table.MALFORMED: 1,
        table.RECALLS: 1,
        table.ACTIVE_SESSIONS: 1,
        table.LIVE_OBSERVATIONS: 7,
        table.COMMITS: 3,
        table.OBSERVATIONS_STORED: 9,
        table.OBSERVATIONS_DELETED: 2,
        table.OBSERVATIONS_DUPLICATE: 0,  # The session answers what it knows to be stored; nothing reaches the store.
        table.STORED_SESSIONS: 1,
    }
    assert {family.name: changes[family] for family in expected} == {
        family.name: change for family, change in expected.items()
    }
    assert during.value(table.GENERATION, memory_space=space, watermark="durable") == 11
    admitted = during.value(table.QUEUE_ADMITTED, priority="normal") - before.value(
        table.QUEUE_ADMITTED, priority="normal"
    )
    assert admitted >= 2
    while (await metrics_of(stub)).value(table.CONNECTIONS):
        pass


async def test_the_fields_that_are_older_than_the_metrics_say_the_same(stub: Any, space: str) -> None:
    batch = encode_batch(batch_of(numbered(1, 30)))
    await stub.Remember(pb.RememberRequest(memory_space_id=space, batch=batch), timeout=TIMEOUT_S)
    # The fields and the metrics of one answer are not read at the same instant, so nothing may move any more.
    while True:
        message = await status_of(stub)
        metrics = STATUS_CODEC.decode_result(message).metrics
        if not metrics.value(table.INDEX_LAG) and metrics == await metrics_of(stub):
            break
    message.ClearField("metrics")
    of_fields = STATUS_CODEC.decode_result(message).metrics
    assert len(of_fields) > 20
    for sample in of_fields:
        assert metrics.value(sample.name, **sample.labels) == pytest.approx(sample.value), sample
