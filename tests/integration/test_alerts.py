"""Faults that are provoked in a real server make the matching alerts fire in a real Prometheus."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from engram.client import Client
from engram.errors import EngramError
from tests.integration.prometheus_process import needs_prometheus, running_prometheus
from tests.integration.server_process import DIM, TIMEOUT_S, numbered, vectors_of
from tests.integration.test_http_port import HttpServerProcess

SPACE = "notes"
TAIL_COUNT_MAX = 300
# Above the 80 % of Critical, and below the 95 % from which observations are refused.
LAG_COUNT = 270
pytestmark = needs_prometheus


def faulty_server(fault: str, data: Path) -> HttpServerProcess:
    class FaultyServer(HttpServerProcess):
        module = ("tests.integration.faulty_server", fault, "serve")

    return FaultyServer(data, "--tail-count-max", str(TAIL_COUNT_MAX), "--dim", str(DIM), "--workers", "1")


def test_overload_makes_its_alerts_fire(tmp_path: Path) -> None:
    server = faulty_server("lagging-index", tmp_path / "data")
    client = Client(f"127.0.0.1:{server.grpc_port}", space=SPACE)
    try:
        with running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus:
            client.create_space(SPACE, DIM)
            deadline = time.monotonic() + TIMEOUT_S
            # More than the tail takes: the client tries what is refused again and again.
            for first in range(1, 3 * TAIL_COUNT_MAX, 10):
                ids = numbered(first, 10)
                client.submit(ids, vectors_of(ids))
            while left := {"RejectionRate", "HighBackpressure"} - prometheus.firing():
                assert time.monotonic() < deadline, left
            refused = prometheus.query("sum by (reason) (engram_streaming_observations_rejected_total > 0)")
            assert {each["metric"]["reason"] for each in refused} <= {"overloaded", "tail_full", "sequence_gap"}
    finally:
        server.process.kill()
        server.wait()
        with contextlib.suppress(EngramError):
            client.close(timeout_s=0.1)


@pytest.mark.parametrize(
    ("fault", "expected", "count"),
    [
        ("dying-workers", {"WorkerCrash"}, None),
        ("slow-disk", {"CommitSlow", "HighLatency"}, None),
        ("lagging-index", {"IndexLag", "HighBackpressure"}, LAG_COUNT),
    ],
)
def test_a_fault_makes_its_alerts_fire(tmp_path: Path, fault: str, expected: set[str], count: int | None) -> None:
    server = faulty_server(fault, tmp_path / "data")
    try:
        with (
            Client(f"127.0.0.1:{server.grpc_port}", space=SPACE) as client,
            running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus,
        ):
            client.create_space(SPACE, DIM)
            deadline = time.monotonic() + TIMEOUT_S
            sent = 0
            while left := expected - prometheus.firing():
                assert time.monotonic() < deadline, f"{left} of {prometheus.rules()}"
                if count is None or sent < count:
                    ids = numbered(sent + 1, 10)
                    client.observe(ids, vectors_of(ids))
                    sent += len(ids)
            assert not prometheus.firing() & {"ServerDown", "DamageFound", "RejectionRate", "DiskAlmostFull"}
            found = client.recall(vectors_of(["id-1"])[0], k=1)
            assert [hit.id for hit in found] == ["id-1"], "what is acknowledged is there, whatever the fault"
    finally:
        # A worker that waits would keep it from ending in order.
        server.process.kill()
        server.wait()
