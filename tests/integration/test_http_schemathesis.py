"""Whatever a client sends that has read the description of the service, or has not: typed answers, as described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram.server.http.api.openapi import openapi
from tests.integration.server_process import TIMEOUT_S
from tests.integration.socket_client import SocketServer
from tests.integration.test_http_operations import call

schemathesis: Any = pytest.importorskip("schemathesis", reason="schemathesis is not installed: make extras")
requests: Any = pytest.importorskip("requests", reason="schemathesis is not installed: make extras")

DIM = 8
SPACE = "fuzzed"
# What a space is created with is fuzzed, too, but each costs threads and files.
SPACES = (SPACE, "fuzzed-2", "fuzzed-3")
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
PLACES = [(method, path) for path, methods in openapi()["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    server = SocketServer(tmp_path_factory.mktemp("fuzzed") / "data")
    call(server, "PUT", f"/api/v1/spaces/{SPACE}", {"dimension": DIM, "embedder": "lexical"})
    yield server
    server.stop_soundly()
    assert " ERROR " not in server.log(), server.log()


@pytest.fixture(scope="module")
def description(server: SocketServer) -> Any:
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{server.http_port}/openapi.json")


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_what_the_description_says_holds(description: Any, method: str, path: str) -> None:
    operation = description[path][method]
    as_described, otherwise = (
        operation.as_strategy(generation_mode=mode)
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    )

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.one_of(as_described, otherwise))
    def holds(case: Any) -> None:
        check(case)

    holds()


def check(case: Any) -> None:
    """Send one request, mostly to a space that is there, and check its answer."""
    in_path = case.path_parameters or {}
    if "space" in in_path:
        number = len(str(in_path["space"]))
        if case.method == "PUT":
            in_path["space"] = SPACES[number % len(SPACES)]
        elif case.path.endswith("/rename") or (case.method, case.path) == ("DELETE", "/api/v1/spaces/{space}"):
            # The others are sent to a space that stays.
            in_path["space"] = SPACES[1 + number % 2]
        elif number % 4:
            in_path["space"] = SPACE
    # What follows has no end, so only its beginning is looked at.
    with requests.request(**case.as_transport_kwargs(), timeout=TIMEOUT_S, stream=True) as answer:
        if answer.status_code == 200 and case.path.endswith(("/follow", "/changes")):
            return
        assert answer.content is not None
    case.validate_response(answer, checks=schemathesis.checks.CHECKS.get_by_names(CHECKS))
    if answer.status_code >= 400:
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert {"code", "message", "field", "limit", "value", "kind"} <= problem.keys()
        assert problem["kind"] != "internal"
