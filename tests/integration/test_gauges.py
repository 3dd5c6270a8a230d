"""The gauges of what is under way rise while a server is held up, and are at zero when all is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engram.client import Client, StreamOptions
from engram.metrics import table
from engram.metrics.family import MetricFamily
from engram.metrics.samples import MetricSamples
from engram.model.cue import Cue
from engram.model.priority import Priority
from tests.integration.faulty_process import faulty_server
from tests.integration.faulty_server import HELD_DISK, HELD_INDEX, LANE_COUNT_MAX
from tests.integration.server_process import DIM, TIMEOUT_S, numbered, vectors_of
from tests.integration.socket_client import SocketServer
from tests.integration.test_http_metrics import AT_REST, count_of, samples_of, scraped

SPACE = "notes"
# More than half of a lane, from which the pressure is felt, and with the first one less than a client has in flight.
BATCH = 60
# A recall that waits, and a snapshot that is overtaken, last too short to be seen from here.
MOMENTARY = {table.RECALLS_WAITING, table.SNAPSHOT_AGE}
OF_PRIORITY = {table.QUEUE_DEPTH, table.QUEUE_BYTES}


def values(metrics: MetricSamples, gauges: set[MetricFamily], priority: Priority) -> dict[str, float]:
    """The values of gauges, of those of lanes that of one lane."""
    return {
        gauge.name: metrics.value(gauge, **({"priority": priority.name.lower()} if gauge in OF_PRIORITY else {}))
        for gauge in gauges
    }


def wait_for(server: SocketServer, is_so: Callable[[MetricSamples], bool]) -> None:
    """Wait until the metrics of the server are so."""
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so(metrics := samples_of(scraped(server))):
        assert time.monotonic() < deadline, metrics


def rise(server: SocketServer, gauges: set[MetricFamily], priority: Priority) -> None:
    """Wait until all of these gauges have been above zero."""
    left = {gauge.name for gauge in gauges}

    def have_risen(metrics: MetricSamples) -> bool:
        left.difference_update(name for name, value in values(metrics, gauges, priority).items() if value > 0)
        return not left

    wait_for(server, have_risen)


@pytest.mark.parametrize("priority", Priority)
def test_every_gauge_rises_and_comes_back_to_zero(tmp_path: Path, priority: Priority) -> None:
    data = tmp_path / "data"
    disk, index = data.with_suffix(HELD_DISK), data.with_suffix(HELD_INDEX)
    with faulty_server("held", data) as server:
        address = f"127.0.0.1:{server.grpc_port}"
        # While the disk is held, the server is silent. Who connects anew takes what was sent before out of the lane.
        patient = StreamOptions(silence_s=2 * TIMEOUT_S, patience_s=2 * TIMEOUT_S)
        with (
            Client(address, space=SPACE, priority=priority.name.lower(), options=patient) as client,
            Client(address, space=SPACE) as follower,
        ):
            client.create_space(SPACE, DIM)
            index.touch()
            ids = numbered(1, 10)
            client.observe(ids, vectors_of(ids))
            following = follower.recall_stream(Cue(vectors_of(["id-1"])[0], score_min=0.9), follow=True)
            next(following)
            disk.touch()
            # A client has a quarter of all lanes in flight. If a commit took much of that, the lane would not fill.
            taken = count_of(samples_of(scraped(server)), table.QUEUE_WAIT)
            acks = [client.submit(numbered(11, 1), vectors_of(numbered(11, 1)))]
            wait_for(server, lambda metrics: count_of(metrics, table.QUEUE_WAIT) > taken)
            # More than the lane takes: what is refused is sent again.
            firsts = range(12, 2 * LANE_COUNT_MAX, BATCH)
            acks += [client.submit(numbered(first, BATCH), vectors_of(numbered(first, BATCH))) for first in firsts]
            rise(server, set(AT_REST) - MOMENTARY, priority)
            disk.unlink()
            index.unlink()
            for ack in acks:
                assert ack.result(TIMEOUT_S)
        wait_for(server, lambda metrics: not any(values(metrics, set(AT_REST), priority).values()))
