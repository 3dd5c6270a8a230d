"""``/metrics`` of a real server under too much load: the counters are what clients saw, and all gauges come to rest."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engram.metrics import table
from engram.metrics.family import MetricFamily
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.model.priority import Priority
from engram.wire import engram_pb2 as pb
from engram.wire.observations import encode_batch
from engram.wire.operations.spaces import STATUS_CODEC
from tests.integration.server_process import (
    ACCEPTED,
    DIM,
    REJECTED,
    TIMEOUT_S,
    ObserveCall,
    batch_of,
    connect,
    numbered,
    recall_ids,
)
from tests.integration.socket_client import SocketServer

TAIL_COUNT_MAX = 300
BATCHES = 60
BATCH_COUNT = 25
AT_REST = (
    table.QUEUE_DEPTH,
    table.QUEUE_BYTES,
    table.INDEX_LAG,
    table.RECALLS_WAITING,
    table.RECALL_STREAMS,
    table.CONNECTIONS,
    table.ACTIVE_SESSIONS,
    table.STANDING_CUES,
    table.SNAPSHOT_AGE,
    table.BACKPRESSURE_STATE,
)
# These move while nothing happens.
# Each of those who ask has a connection, which is a descriptor.
_MOVING = {
    family.name
    for family in (table.DESCRIPTORS, table.DISK_FREE, table.PRESSURE, table.WORKER_UTILIZATION, table.WORKER_BUSY)
}


class LimitedServer(SocketServer):
    """A server whose index may be behind by little, so that it is soon under pressure."""

    def __init__(self, data: Path) -> None:
        limits = ("--tail-count-max", str(TAIL_COUNT_MAX), "--dim", str(DIM))
        super().__init__(data, *limits, program=("engram", "serve"))
        self.address = f"127.0.0.1:{self.grpc_port}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SocketServer]:
    server = LimitedServer(tmp_path / "data")
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log(), server.log()


def scraped(server: SocketServer) -> str:
    connection = server.connect()
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    return text


def samples_of(text: str) -> MetricSamples:
    """The metrics of Engram in a scrape, and not those of the process."""
    return MetricSamples(
        MetricSample(sample.name, sample.value, sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("engram_")
    )


class Flood:
    """One session that sends without waiting for answers, and what it was answered."""

    def __init__(self, stub: Any, space: str, priority: Priority) -> None:
        self.space, self.priority = space, priority
        self.sent = self.accepted = 0
        self.refused: Counter[str] = Counter()
        self._call = ObserveCall(stub)

    async def run(self) -> None:
        await self._call.open(self.space)
        reading = asyncio.create_task(self._read())
        for number in range(BATCHES):
            # More than the tail takes: this one is refused in any case, and what follows it is behind a gap.
            count = TAIL_COUNT_MAX + 1 if number == BATCHES // 2 else BATCH_COUNT
            ids = numbered(1, count, f"{self.priority.name}-{number}")
            await self._call.send_batch(self.sent + 1, batch_of(ids), self.priority)
            self.sent += count
        await self._call.close(drain=True)
        await asyncio.wait_for(reading, TIMEOUT_S)

    async def _read(self) -> None:
        while (response := await self._call.read()).status.state != pb.StreamStatus.STATE_CLOSED:
            ack = response.ack
            if ack.status == ACCEPTED:
                self.accepted = max(self.accepted, ack.last_sequence)
            elif ack.status == REJECTED:
                self.refused[ack.error.code] += ack.last_sequence - ack.first_sequence + 1


async def refused_calls(server: SocketServer, stub: Any) -> None:
    """Three observations that do not fit their space, over HTTP, and two for a space that there is not."""
    connection = server.connect()
    body = json.dumps({"ids": ["a", "b", "c"], "vectors": [[1.0] * (DIM + 1)] * 3})
    for path in ("default", "no-such-space"):
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/api/v1/spaces/{path}/observations", body, headers)
        assert connection.getresponse().read()
    connection.close()


async def test_what_was_sent_is_what_was_accepted_and_rejected(server: SocketServer) -> None:
    async with connect(server.address) as stub:
        await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id="second", dimension=DIM), timeout=TIMEOUT_S)
        before = samples_of(scraped(server))
        floods = [Flood(stub, space, priority) for space in ("default", "second") for priority in Priority]
        await asyncio.gather(*(flood.run() for flood in floods))
        await refused_calls(server, stub)
        await recall_ids(stub, "second", "any")
    metrics = samples_of(scraped(server))
    for flood in floods:
        assert flood.sent == (BATCHES - 1) * BATCH_COUNT + TAIL_COUNT_MAX + 1
        assert flood.refused.total() + flood.accepted == flood.sent
        counted = metrics.value(table.OBSERVATIONS, memory_space=flood.space, priority=flood.priority.name.lower())
        assert counted == flood.accepted
    refused: Counter[tuple[str, str]] = Counter({("default", "dimension_mismatch"): 3, ("", "unknown_space"): 3})
    for flood in floods:
        refused.update({(flood.space, reason): count for reason, count in flood.refused.items()})
    assert {
        (sample.labels["memory_space"], sample.labels["reason"]): sample.value
        for sample in metrics.select(table.OBSERVATIONS_REJECTED)
        if sample.value
    } == refused
    sent = sum(flood.sent for flood in floods) + 6
    assert metrics.value(table.OBSERVATIONS) + metrics.value(table.OBSERVATIONS_REJECTED) == sent
    assert before.value(table.OBSERVATIONS) == before.value(table.OBSERVATIONS_REJECTED) == 0
    await comes_to_rest(server)
    assert_counted_once(samples_of(scraped(server)))
    promtool_is_content(scraped(server))


async def comes_to_rest(server: SocketServer) -> None:
    """Wait until every gauge of what is under way is zero; the counters must not move meanwhile."""
    counters = (table.OBSERVATIONS, table.OBSERVATIONS_REJECTED)
    first = samples_of(scraped(server))
    metrics = first
    async with asyncio.timeout(TIMEOUT_S):
        while any(metrics.value(gauge) for gauge in AT_REST):
            metrics = samples_of(await asyncio.to_thread(scraped, server))
    assert [metrics.value(counter) for counter in counters] == [first.value(counter) for counter in counters]


def assert_counted_once(metrics: MetricSamples) -> None:
    """Every observation is in each histogram once, and nowhere twice."""
    accepted = metrics.value(table.OBSERVATIONS)
    assert metrics.value(table.OBSERVATIONS_STORED) == metrics.value(table.OBSERVATIONS_INDEXED) == accepted
    for stage in ("durable", "indexed"):
        assert metrics.value(f"{table.OBSERVATION_LATENCY.name}_count", stage=stage) == accepted
    assert metrics.value(f"{table.BATCH_SIZE.name}_sum") == accepted
    assert count_of(metrics, table.BATCH_SIZE) == count_of(metrics, table.COMMIT_TIME)
    assert count_of(metrics, table.QUEUE_WAIT) == metrics.value(table.QUEUE_ADMITTED)
    assert count_of(metrics, table.RECALL_LATENCY) == metrics.value(table.RECALLS) == 1
    assert metrics.value(table.BACKPRESSURE_ACTIVATIONS) > 0


def count_of(metrics: MetricSamples, family: MetricFamily) -> float:
    return metrics.value(f"{family.name}_count")


def promtool_is_content(text: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is not None:
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_the_status_the_command_and_a_scrape_agree(server: SocketServer) -> None:
    async with connect(server.address) as stub:
        await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id="notes", dimension=DIM), timeout=TIMEOUT_S)
        remember = pb.RememberRequest(memory_space_id="notes", batch=encode_batch(batch_of(numbered(1, 20))))
        await stub.Remember(remember, timeout=TIMEOUT_S)
        await recall_ids(stub, "notes", "id-3")
        await comes_to_rest(server)
        async with asyncio.timeout(TIMEOUT_S):
            while not samples_of(await asyncio.to_thread(scraped, server)).value(table.RECALLS_MEASURED):
                pass
        status = STATUS_CODEC.decode_result(await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S))
    command = [sys.executable, "-m", "engram", "status", "--address", server.address, "--json"]
    printed = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    told = json.loads(printed.stdout)["metrics"]
    expected = at_rest(samples_of(scraped(server)))
    assert at_rest(status.metrics) == expected
    assert at_rest(MetricSamples(MetricSample(**sample) for sample in told)) == expected
    assert expected[table.RECALL_AT_K.name, (("bound", "estimate"), ("memory_space", "notes"))] == 1
    assert expected[table.OBSERVATIONS.name, (("memory_space", "notes"), ("priority", "normal"))] == 20


def at_rest(metrics: MetricSamples) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The values that stay while nothing happens, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for sample in metrics
        if sample.name not in _MOVING
    }
