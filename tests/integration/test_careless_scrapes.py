"""``/metrics`` of a real server as those ask for it who do not know better, or come at the wrong moment."""

from __future__ import annotations

import http.client
import json
import resource
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.server_process import TIMEOUT_S
from tests.integration.socket_client import SocketServer
from tests.integration.test_http_metrics import samples_of, scraped

ONE = "engram_streaming_active_sessions"
REQUEST = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    server = SocketServer(tmp_path_factory.mktemp("scrapes") / "data")
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log(), server.log()


def asked(
    server: SocketServer, method: str, path: str = "/metrics", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = server.connect()
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


def test_whoever_asks_for_the_head_gets_no_body(server: SocketServer) -> None:
    connection = server.connect()
    connection.request("HEAD", "/metrics")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    assert answer.getheader("content-type", "").startswith("text/plain")
    # The connection is in order.
    connection.request("GET", "/metrics")
    assert ONE in connection.getresponse().read().decode()
    connection.close()


@pytest.mark.parametrize("encoding", ["gzip", "gzip, deflate, br", "identity;q=0, gzip", "*"])
def test_whatever_encoding_is_accepted_the_text_can_be_read(server: SocketServer, encoding: str) -> None:
    status, headers, body = asked(server, "GET", accept_encoding=encoding)
    assert (status, headers.get("content-encoding")) == (200, None)
    assert samples_of(body.decode()).value(ONE) == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_reading_is_possible(server: SocketServer, method: str) -> None:
    status, headers, body = asked(server, method, content_type="application/json")
    assert (status, headers["content-type"]) == (405, "application/problem+json")
    assert json.loads(body)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/metrics?name[]=up&debug=1", 200),
        ("/metrics/", 404),
        ("/Metrics", 404),
        ("/metrics/x", 404),
        ("//metrics", 404),
    ],
)
def test_there_is_one_path(server: SocketServer, path: str, status: int) -> None:
    assert asked(server, "GET", path)[0] == status


def test_a_body_that_nobody_wants_is_no_harm(server: SocketServer) -> None:
    assert asked(server, "GET", body=b"x" * 1000)[0] == 400
    assert asked(server, "GET")[0] == 200


@pytest.mark.parametrize("host", ["evil.example.org", "evil.example.org:7432", "localhost@evil.example.org", ""])
def test_names_that_are_not_the_servers_are_refused(server: SocketServer, host: str) -> None:
    assert asked(server, "GET", host=host)[0] in (400, 403)


def test_fifty_at_once_are_all_answered(server: SocketServer) -> None:
    with ThreadPoolExecutor(50) as threads:
        texts = list(threads.map(lambda _: scraped(server), range(50)))
    names = [{sample.name for sample in samples_of(text)} for text in texts]
    assert all(found == names[0] for found in names)
    assert ONE in names[0]


def test_scrapers_that_do_not_wait_for_the_answer_are_no_harm(server: SocketServer) -> None:
    for length in (len(REQUEST) - 2, *[len(REQUEST)] * 50):
        server.open(REQUEST[:length]).close()
    assert ONE in scraped(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_scrapes_while_a_server_stops_are_answered_or_refused(tmp_path: Path, number: signal.Signals) -> None:
    server = SocketServer(tmp_path / "data")
    begun = threading.Semaphore(0)

    def scrape_until_it_is_gone() -> set[int]:
        found: set[int] = set()
        while True:
            try:
                status, _, body = asked(server, "GET")
            except (OSError, http.client.HTTPException):
                return found
            assert status == 503 or body.endswith(b"\n"), body[-100:]
            found.add(status)
            begun.release()

    with ThreadPoolExecutor(8) as threads:
        scrapers = [threads.submit(scrape_until_it_is_gone) for _ in range(8)]
        for _ in range(16):
            assert begun.acquire(timeout=TIMEOUT_S)
        assert server.stop(number) == 0
        statuses = set().union(*(scraper.result(TIMEOUT_S) for scraper in scrapers))
    assert 200 in statuses
    assert statuses <= {200, 503}
    assert "Traceback" not in server.log(), server.log()


def test_a_server_that_may_open_few_files_answers_again_when_connections_end(tmp_path: Path) -> None:
    server = SocketServer(tmp_path / "data")
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (64, 64))
    # The system takes more connections in than the server can.
    opened = [server.open(REQUEST) for _ in range(100)]
    for each in opened:
        each.close()
    assert ONE in scraped(server)
    assert server.stop() == 0
