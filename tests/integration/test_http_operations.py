"""Operations over HTTP against a real server: streams that follow, clients that go away, and its end."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server_process import TIMEOUT_S
from tests.integration.socket_client import SocketServer, everything

DIM = 8
ONE = [1.0] * DIM
SPACE = "/api/v1/spaces/notes"
CUE = json.dumps({"vector": ONE, "score_min": 0.9})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SocketServer]:
    server = SocketServer(tmp_path / "data")
    assert call(server, "PUT", SPACE, {"dimension": DIM})["name"] == "notes"
    yield server
    if server.process.poll() is None:
        assert server.stop() == 0
    assert "Traceback" not in server.log(), server.log()


def call(server: SocketServer, method: str, path: str, body: Any = None) -> Any:
    connection = server.connect()
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    made = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, made
    return made


def observe(server: SocketServer, id: str, vector: Any = None) -> int:
    made = call(server, "POST", f"{SPACE}/observations", {"id": id, "vector": vector or ONE})
    return int(made["last_generation"])


class EventSource:
    """What a browser has: the events of a stream, and the id of the last one."""

    def __init__(self, server: SocketServer, last_id: str = "", changes: str | None = None) -> None:
        self.connection = server.connect()
        headers = {"Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": last_id} if last_id else {}
        if changes is None:
            self.connection.request("POST", f"{SPACE}/follow", CUE, {**headers, "Content-Type": "application/json"})
        else:
            self.connection.request("GET", f"{SPACE}/changes{changes}", headers=headers)
        self.answer = self.connection.getresponse()
        self.last_id = last_id
        self.kind = ""

    def read(self) -> Any:
        """The data of the next event; None at the end."""
        self.kind = "message"
        data = b""
        while line := self.answer.readline():
            if line.startswith(b"id: "):
                self.last_id = line[4:].decode().strip()
            elif line.startswith(b"event: "):
                self.kind = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                data = line[6:]
            elif line == b"\n" and data:
                return json.loads(data)
        return None

    def ids(self) -> list[str]:
        return [hit["id"] for hit in self.read()["hits"]]

    def changes(self, count: int) -> list[tuple[str, str, int]]:
        """Of so many changes the kind, the id and the generation."""
        told: list[tuple[str, str, int]] = []
        while len(told) < count:
            told += [(each["kind"], each["id"], each["generation"]) for each in self.read()["changes"]]
        return told

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def test_a_standing_recall_goes_on_where_it_was_left_without_a_gap(server: SocketServer) -> None:
    observe(server, "a")
    source = EventSource(server)
    assert (source.answer.getheader("content-type") or "").startswith("text/event-stream")
    assert source.ids() == ["a"]
    generation = observe(server, "b")
    observe(server, "unlike", [1.0, *[-1.0] * (DIM - 1)])
    assert source.ids() == ["b"]
    # What came right behind may have been looked at together with it.
    assert int(source.last_id.partition("-")[0]) in (generation, generation + 1)
    source.close()
    observe(server, "c")
    observe(server, "a")
    again = EventSource(server, source.last_id)
    found: list[str] = []
    while len(found) < 2:
        found += again.ids()
    observe(server, "d")
    assert (found, again.ids()) == (["c", "a"], ["d"])
    again.close()


def test_a_feed_of_changes_goes_on_where_it_was_left_without_a_gap(server: SocketServer) -> None:
    observe(server, "a")
    observe(server, "b")
    source = EventSource(server, changes="?after_generation=0")
    assert (source.answer.getheader("content-type") or "").startswith("text/event-stream")
    assert source.changes(2) == [("observed", "a", 1), ("observed", "b", 2)]
    call(server, "DELETE", f"{SPACE}/observations/a")
    assert source.changes(1) == [("deleted", "a", 3)]
    assert source.last_id.startswith("3-")
    source.close()
    observe(server, "b")
    again = EventSource(server, source.last_id, changes="")
    assert again.changes(1) == [("updated", "b", 4)]
    again.close()
    for last_id, code in (("4-00000000", "other_incarnation"), ("x", "invalid_last_event_id")):
        refused = EventSource(server, last_id, changes="")
        assert json.loads(refused.answer.read())["code"] == code
        refused.close()


def test_a_feed_of_changes_says_at_once_where_it_begins(server: SocketServer) -> None:
    observe(server, "a")
    connection = server.connect()
    headers = {"Accept": "application/x-ndjson", "Content-Type": "application/json"}
    connection.request("POST", f"{SPACE}/changes", json.dumps({"filter": {"tags": ["x"]}}), headers)
    answer = connection.getresponse()
    assert json.loads(answer.readline()) == {"changes": [], "generation": 1, "incomplete": False}
    body = {"id": "b", "vector": ONE, "tags": ["x"]}
    call(server, "POST", f"{SPACE}/observations", body)
    (change,) = json.loads(answer.readline())["changes"]
    assert (change["kind"], change["id"], change["hit"]["tags"]) == ("observed", "b", ["x"])
    answer.close()
    connection.close()


def test_a_follower_may_ask_by_get_and_for_lines(server: SocketServer) -> None:
    observe(server, "a")
    connection = server.connect()
    headers = {"Accept": "application/x-ndjson", "Content-Type": "application/json"}
    connection.request("POST", f"{SPACE}/recall", json.dumps({**json.loads(CUE), "follow": True}), headers)
    answer = connection.getresponse()
    assert json.loads(answer.readline())["hits"][0]["id"] == "a"
    observe(server, "b")
    assert json.loads(answer.readline())["hits"][0]["id"] == "b"
    answer.close()
    connection.close()
    connection = server.connect()
    connection.request("GET", f"{SPACE}/follow?text=pump&score_min=0.5")
    refused = connection.getresponse()
    assert (refused.status, json.loads(refused.read())["code"]) == (409, "no_embedder")
    connection.close()


def test_the_end_tells_followers_and_waits_for_no_body(server: SocketServer) -> None:
    observe(server, "a")
    source = EventSource(server)
    assert source.ids() == ["a"]
    head = f"POST {SPACE}/observations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    half = server.open(f"{head}content-length: 100\r\n\r\n{{".encode())
    endless = server.open(f"{head.replace('json', 'x-ndjson')}transfer-encoding: chunked\r\n\r\n1\r\n\n\r\n".encode())
    assert server.stop() == 0, server.log()
    assert (source.read()["code"], source.kind) == ("shutting_down", "failure")
    assert source.read() is None
    source.close()
    for opened in (half, endless):
        # What the server has not read of a body that it cuts off makes the end a reset.
        with opened, contextlib.suppress(ConnectionResetError):
            everything(opened)


def test_what_was_acknowledged_is_there_after_kill_and_a_cut_off_body_is_not(
    server: SocketServer, tmp_path: Path
) -> None:
    observe(server, "whole")
    body = json.dumps({"id": "half", "vector": ONE}).encode()
    head = f"POST {SPACE}/observations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    with server.open(f"{head}content-length: {len(body) + 1}\r\n\r\n".encode() + body) as opened:
        opened.shutdown(socket.SHUT_WR)
        assert opened.recv(1) == b""
    server.process.kill()
    server.wait()
    again = SocketServer(tmp_path / "data")
    assert [hit["id"] for hit in call(again, "POST", f"{SPACE}/get", {"ids": ["whole", "half"]})["hits"]] == ["whole"]
    assert again.stop() == 0


def test_lines_of_any_number_are_stored_while_they_arrive(server: SocketServer) -> None:
    count = 3000
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=TIMEOUT_S)

    def body() -> Iterator[bytes]:
        for number in range(count):
            yield json.dumps({"id": f"n{number}", "vector": ONE}).encode() + b"\n"

    connection.request(
        "POST", f"{SPACE}/observations", body(), {"Content-Type": "application/x-ndjson"}, encode_chunked=True
    )
    answer = connection.getresponse()
    assert json.loads(answer.read())["count"] == count
    connection.close()
    assert call(server, "GET", SPACE)["live_count"] == count
