"""A real Prometheus scrapes a server under load: every expression of the dashboard and the alerts returns data."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from engram.client import Client
from tests.doubles.monitoring import alerts, dashboard_expressions, recorded
from tests.integration.prometheus_process import Prometheus, needs_prometheus, running_prometheus
from tests.integration.server_process import DIM, TIMEOUT_S, numbered, vectors_of
from tests.integration.socket_client import SocketServer

SPACE = "notes"
pytestmark = needs_prometheus


class Load:
    """Everything that the metrics count, a little of it in each round; half of the observations are refused."""

    def __init__(self, server: SocketServer, client: Client) -> None:
        self._client = client
        self._http = server.connect()
        self._rounds = 0

    def round(self) -> None:
        """Observe, recall in both ways, and send what is refused."""
        self._rounds += 1
        ids = numbered(1, 8, f"round-{self._rounds}")
        vectors = vectors_of(ids)
        self._client.observe(ids, vectors)
        self._client.recall(vectors[0])
        list(self._client.recall_stream(vectors[1]))
        body = json.dumps({"ids": ids, "vectors": [[1.0] * (DIM + 1)] * len(ids)})
        self._http.request("POST", f"/api/v1/spaces/{SPACE}/observations", body, {"Content-Type": "application/json"})
        assert b"dimension_mismatch" in self._http.getresponse().read()

    def until(self, missing: Callable[[], list[str]]) -> None:
        """Go on until nothing is missing any more."""
        deadline = time.monotonic() + TIMEOUT_S
        while left := missing():
            assert time.monotonic() < deadline, left
            self.round()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def operands(expression: str) -> list[str]:
    """What an alert compares: its expression without thresholds, which has data also while the alert is silent."""
    return [re.split(r" (?:>|<|==) ", part)[0] for part in re.split(r"\s+(?:and|or)\s+", expression)]


def asked_of(prometheus: Prometheus) -> list[str]:
    """Every expression of the panels, the recording rules and the alerts."""
    rules = [rule for rule in prometheus.rules() if rule["type"] == "alerting"]
    assert [rule["name"] for rule in rules] == alerts()
    found = [*dashboard_expressions(), *sorted(recorded())]
    return found + [operand for rule in rules for operand in operands(rule["query"])]


def test_every_expression_has_data_under_load_and_the_matching_alert_fires(tmp_path: Path) -> None:
    server = SocketServer(tmp_path / "data")
    try:
        with (
            Client(server.address, space=SPACE) as client,
            running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus,
            ExitStack() as stack,
        ):
            client.create_space(SPACE, DIM)
            load = stack.enter_context(closing(Load(server, client)))
            expressions = asked_of(prometheus)
            assert len(expressions) > 40
            load.until(lambda: [expression for expression in expressions if not prometheus.query(expression)])
            load.until(lambda: sorted({"RejectionRate"} - prometheus.firing()))
            assert [rule for rule in prometheus.rules() if rule["health"] != "ok"] == []
            assert (
                prometheus.firing() & {"ServerDown", "WorkerCrash", "DamageFound", "LoadImbalance", "IndexLag"} == set()
            )
    finally:
        assert server.stop() == 0
    assert "Traceback" not in server.log(), server.log()


def test_a_server_that_is_gone_is_noticed(tmp_path: Path) -> None:
    server = SocketServer(tmp_path / "data")
    with running_prometheus(tmp_path / "prometheus", server.http_port) as prometheus:
        prometheus.wait_until('up{job="engram"} == 1')
        assert server.stop() == 0
        prometheus.wait_until_firing({"ServerDown"})
