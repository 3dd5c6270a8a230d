"""Faults that are provoked in a real server make the matching alerts fire in a real Prometheus."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from engram.client import Client, StreamOptions
from engram.errors import EngramError
from tests.doubles.monitoring import alerts
from tests.integration.faulty_process import TAIL_COUNT_MAX, faulty_server
from tests.integration.faulty_server import HELD_DISK, LANE_COUNT_MAX, REFUSED_CHECKPOINTS, REFUSED_SYNCS
from tests.integration.prometheus_process import needs_prometheus, running_prometheus
from tests.integration.server_process import DIM, TIMEOUT_S, numbered, vectors_of

SPACE = "notes"
# Above the 80 % of Critical, and below the 95 % from which observations are refused.
FULL = 0.9
# These fire in tests that are not parametrized, here and in test_prometheus.py.
ELSEWHERE = {"ServerDown", "RejectionRate", "HighQueueDepth", "DamageFound", "HealthDegraded", "HealthFailed"}
pytestmark = needs_prometheus


class Case(NamedTuple):
    """A fault, the alerts that tell of it, options of the server, and how much is sent; None: all the time."""

    fault: str
    expected: set[str]
    options: tuple[str, ...] = ()
    sent: int | None = None


# One of two workers may not help the other, which does not get on.
ONE_SIDED = ("--workers", "2", "--steal-threshold", "1000000", "--tail-count-max", "4000")
CASES = [
    Case("dying-workers", {"WorkerCrash"}),
    Case("slow-disk", {"CommitSlow", "HighLatency"}),
    Case("lagging-index", {"IndexLag", "HighBackpressure"}, sent=round(FULL * TAIL_COUNT_MAX)),
    Case("lagging-index", {"LoadImbalance"}, ONE_SIDED, sent=1200),
    Case("forgetful-search", {"LowRecall"}, ("--recall-meter-share", "1"), sent=100),
    Case("none", {"DiskAlmostFull"}, ("--disk-free-bytes-min", "half of what is free"), sent=10),
]


def test_overload_makes_its_alerts_fire(tmp_path: Path) -> None:
    with (
        faulty_server("lagging-index", tmp_path / "data") as server,
        running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus,
    ):
        client = Client(f"127.0.0.1:{server.grpc_port}", space=SPACE)
        client.create_space(SPACE, DIM)
        # More than the tail takes: the client tries what is refused again and again.
        for first in range(1, 3 * TAIL_COUNT_MAX, 10):
            ids = numbered(first, 10)
            client.submit(ids, vectors_of(ids))
        prometheus.wait_until_firing({"RejectionRate", "HighBackpressure"})
        refused = prometheus.query("sum by (reason) (engram_streaming_observations_rejected_total > 0)")
        assert {each["metric"]["reason"] for each in refused} <= {"overloaded", "tail_full", "sequence_gap"}
        with contextlib.suppress(EngramError):
            client.close(timeout_s=0.1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(sorted(case.expected)))
def test_a_fault_makes_its_alerts_fire(tmp_path: Path, case: Case) -> None:
    half = str(shutil.disk_usage(tmp_path).free // 2)
    options = [half if option == "half of what is free" else option for option in case.options]
    with (
        faulty_server(case.fault, tmp_path / "data", *options) as server,
        Client(f"127.0.0.1:{server.grpc_port}", space=SPACE) as client,
        running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus,
    ):
        client.create_space(SPACE, DIM)
        deadline = time.monotonic() + TIMEOUT_S
        sent = 0
        while left := case.expected - prometheus.firing():
            assert time.monotonic() < deadline, f"{left} of {prometheus.rules()}"
            if case.sent is None or sent < case.sent:
                ids = numbered(sent + 1, 10)
                client.observe(ids, vectors_of(ids))
                sent += len(ids)
            client.recall(vectors_of(["id-1"])[0])
        others = {"ServerDown", "DamageFound", "RejectionRate", "DiskAlmostFull", "LowRecall"} - case.expected
        assert not prometheus.firing() & others
        found = client.recall(vectors_of(["id-1"])[0], k=1)
        assert [hit.id for hit in found] == ["id-1"], "what is acknowledged is there, whatever the fault"


def test_a_queue_that_fills_makes_its_alert_fire_until_it_drains(tmp_path: Path) -> None:
    switch = tmp_path / f"data{HELD_DISK}"
    # While the disk is held, the server is silent. Who connects anew takes what was sent before out of the lane.
    patient = StreamOptions(silence_s=2 * TIMEOUT_S, patience_s=2 * TIMEOUT_S)
    with (
        faulty_server("held", tmp_path / "data") as server,
        Client(f"127.0.0.1:{server.grpc_port}", space=SPACE, options=patient) as client,
        Client(f"127.0.0.1:{server.grpc_port}", space=SPACE, options=patient) as other,
        running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus,
    ):
        client.create_space(SPACE, DIM)
        switch.touch()
        # More than the lane takes: what is refused is sent again. One client alone does not fill it.
        batches = [numbered(first, 7) for first in range(1, 3 * LANE_COUNT_MAX, 7)]
        acks = [each.submit(ids, vectors_of(ids)) for each in (client, other) for ids in batches]
        prometheus.wait_until_firing({"HighQueueDepth"})
        switch.unlink()
        for ack in acks:
            assert ack.result(TIMEOUT_S)
        prometheus.wait_until_silent("HighQueueDepth")


def test_what_degrades_a_space_and_what_makes_it_fail_make_their_alerts_fire(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with (
        faulty_server("refusing", data) as server,
        Client(f"127.0.0.1:{server.grpc_port}", space=SPACE) as client,
        running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus,
    ):
        client.create_space(SPACE, DIM)
        data.with_suffix(REFUSED_CHECKPOINTS).touch()
        client.observe("id-1", vectors_of(["id-1"])[0])
        prometheus.wait_until_firing({"HealthDegraded"})
        assert "HealthFailed" not in prometheus.firing()
        data.with_suffix(REFUSED_CHECKPOINTS).unlink()
        prometheus.wait_until_silent("HealthDegraded")
        data.with_suffix(REFUSED_SYNCS).touch()
        with pytest.raises(EngramError):
            client.delete(["id-1"])
        prometheus.wait_until_firing({"HealthFailed"})


def test_damage_that_a_start_finds_makes_its_alert_fire(tmp_path: Path) -> None:
    with (
        faulty_server("none", tmp_path / "data") as server,
        Client(f"127.0.0.1:{server.grpc_port}", space=SPACE) as client,
    ):
        client.create_space(SPACE, DIM)
    described = tmp_path / "data" / "spaces" / SPACE / "space.json"
    described.write_bytes(described.read_bytes()[:-20])
    with (
        faulty_server("none", tmp_path / "data") as server,
        running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus,
    ):
        prometheus.wait_until_firing({"DamageFound"})


def test_every_alert_fires_in_some_test() -> None:
    assert set(alerts()) == ELSEWHERE.union(*(case.expected for case in CASES))
