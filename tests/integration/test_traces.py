"""Traces of real servers: one trace leads from the client's submit through admission and commit to the index."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from engram import Client
from engram.client import OutboxLimits
from engram.tracing.switch import present_recorder
from tests.doubles.spans import attributes_of, id_of, recorded_spans, trace_of
from tests.integration.serve_command import ServeCommand
from tests.integration.server_process import TIMEOUT_S

exports = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
    reason="the package opentelemetry-exporter-otlp-proto-http is not installed",
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRETS = ("id-a", "id-b", "pump", "noon", "site", "tagged")


@contextmanager
def serving(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[ServeCommand]:
    server = ServeCommand(folder, *arguments, environ=environ)
    try:
        yield server
    finally:
        server.kill()


def address_of(server: ServeCommand, transport: str) -> str:
    return server.grpc if transport == "grpc" else f"ws://{server.http}"


def observe(client: Client) -> None:
    """Some observations that hold secrets in all their parts."""
    client.submit(
        ["id-a", "id-b"], None, ["the pump leaks", "noon"], metadata=[{"site": 4}, None], tags=[["tagged"], []]
    ).result(TIMEOUT_S)


def spans_in(lines: list[str]) -> dict[str, dict[str, Any]]:
    """The spans that a server wrote to the console, by name."""
    return {span["name"]: span for span in map(json.loads, lines)}


def hexadecimal(number: int, digits: int) -> str:
    return f"0x{number:0{digits}x}"


@pytest.mark.parametrize("transport", ["grpc", "websocket"])
def test_one_trace_leads_from_submit_to_the_index(tmp_path: Path, transport: str) -> None:
    with serving(tmp_path, "--traces", "console") as server, recorded_spans() as spans:
        with Client(address_of(server, transport)) as client:
            observe(client)
            session = client.session_id
        (submit,) = spans.named("engram.submit")
        said, _ = server.stop()
    found = spans_in(said)
    admit, commit, index = (found[name] for name in ("engram.admit", "engram.commit", "engram.index"))
    assert {span["context"]["trace_id"] for span in (admit, commit, index)} == {hexadecimal(trace_of(submit), 32)}
    assert admit["parent_id"] == hexadecimal(id_of(submit), 16)
    assert commit["parent_id"] == admit["context"]["span_id"]
    assert index["parent_id"] == commit["context"]["span_id"]
    assert admit["attributes"] == {
        "engram.space": "default",
        "engram.session": session,
        "engram.priority": "normal",
        "engram.count": 2,
    }
    assert (commit["attributes"]["engram.first_generation"], index["attributes"]["engram.last_generation"]) == (1, 2)
    assert attributes_of(submit)["engram.last_generation"] == 2
    assert admit["resource"]["attributes"]["service.name"] == "engram"
    for secret in SECRETS:
        assert secret not in submit.to_json() + "".join(said)


@pytest.mark.parametrize("transport", ["grpc", "websocket"])
def test_single_observations_that_are_sent_together_are_one_span(tmp_path: Path, transport: str) -> None:
    with serving(tmp_path, "--traces", "console") as server, recorded_spans() as spans:
        with Client(address_of(server, transport), limits=OutboxLimits(linger_ms=10_000.0)) as client:
            client.observe("first", None, "so that the session is open")
            futures = [client.submit(f"id-{number}", None, f"text {number}") for number in range(50)]
            client.flush()
            assert all(future.done() for future in futures)
        said, _ = server.stop()
    counts = [attributes_of(span)["engram.count"] for span in spans.all if span.name == "engram.submit"]
    assert sum(counts) == 51
    assert len(counts) < 51
    assert sum(line.count('"engram.admit"') for line in said) == len(counts)


@pytest.mark.parametrize("transport", ["grpc", "websocket"])
def test_calls_are_within_the_span_of_their_caller(tmp_path: Path, transport: str) -> None:
    with serving(tmp_path, "--traces", "console") as server, recorded_spans() as spans:
        with Client(address_of(server, transport)) as client:
            observe(client)
            recorder = present_recorder()
            assert recorder is not None
            with recorder.here("the program").current():
                client.recall("pumps", 1)
        (program,) = spans.named("the program")
        said, _ = server.stop()
    recall = spans_in(said)["engram.recall"]
    assert recall["context"]["trace_id"] == hexadecimal(trace_of(program), 32)
    assert recall["parent_id"] == hexadecimal(id_of(program), 16)
    assert recall["attributes"] == {"engram.space": "default"}


@pytest.mark.parametrize("transport", ["grpc", "websocket"])
@pytest.mark.parametrize("traced", ["client", "server"])
def test_one_side_alone_may_trace(tmp_path: Path, transport: str, traced: str) -> None:
    destination = "console" if traced == "server" else "off"
    with serving(tmp_path, "--traces", destination) as server:
        if traced == "client":
            with recorded_spans() as spans, Client(address_of(server, transport)) as client:
                observe(client)
                spans.named("engram.submit")
        else:
            with Client(address_of(server, transport)) as client:
                observe(client)
        said, _ = server.stop()
    assert ("engram.admit" in spans_in(said)) is (traced == "server")


def test_what_the_client_does_not_sample_the_server_does_not_record(tmp_path: Path) -> None:
    with serving(tmp_path, "--traces", "console") as server, recorded_spans(are_sampled=False) as spans:
        with Client(server.grpc) as client:
            observe(client)
        said, _ = server.stop()
    assert spans.all == []
    assert "engram.admit" not in spans_in(said)


def test_a_request_over_http_is_within_the_span_in_its_header(tmp_path: Path) -> None:
    with serving(tmp_path, "--traces", "console") as server:
        connection = http.client.HTTPConnection(server.http, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "traceparent": f"00-{TRACE}-{SPAN}-01"}
        body = json.dumps({"id": "id-a", "content": "the pump leaks"})
        connection.request("POST", "/api/v1/spaces/default/observations", body, headers)
        assert connection.getresponse().status in (200, 201)
        connection.close()
        said, _ = server.stop()
    found = spans_in(said)
    call, admit, index = (found[name] for name in ("engram.observe", "engram.admit", "engram.index"))
    assert (call["context"]["trace_id"], call["parent_id"]) == (f"0x{TRACE}", f"0x{SPAN}")
    assert admit["parent_id"] == call["context"]["span_id"]
    assert index["context"]["trace_id"] == f"0x{TRACE}"


class Collector(HTTPServer):
    """A collector of OTLP over HTTP that keeps the names of the spans, and the services that they are of."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.services: dict[str, str] = {}
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        request = exports.ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in request.resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.server.services |= {span.name: named["service.name"] for span in scope.spans}
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_a_collector_gets_the_spans_by_the_time_the_server_has_ended(tmp_path: Path) -> None:
    collector = Collector()
    try:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_SERVICE_NAME": "memories",
        }
        with serving(tmp_path, "--traces", "otlp", environ=environ) as server:
            with Client(server.grpc) as client:
                observe(client)
            server.stop()
    finally:
        collector.end()
    assert {"engram.admit", "engram.commit", "engram.index"} <= set(collector.services)
    assert set(collector.services.values()) == {"memories"}


def test_a_collector_that_is_away_keeps_no_server_from_serving_or_ending(tmp_path: Path) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with serving(tmp_path, "--traces", "otlp", environ=environ) as server:
        with Client(server.grpc) as client:
            observe(client)
        server.stop()
