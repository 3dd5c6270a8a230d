"""Clients that ask for too much, ping as they like, or leave in the middle: others and the log notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from engram.client.grpc.address import parse_address
from engram.client.grpc.call_errors import call_error as client_error
from engram.errors import EngramError
from engram.wire import engram_pb2 as pb
from engram.wire.engram_pb2_grpc import EngramServiceStub
from tests.integration.server_process import (
    CHANNEL_OPTIONS,
    DIM,
    TIMEOUT_S,
    ObserveCall,
    ServerProcess,
    batch_of,
    connect,
    numbered,
    recall_ids,
    vector_cue,
)
from tests.integration.socket_client import SocketServer

SPACE = "crowd"
COUNT = 3000
# grpc begins to cancel calls at random when a thousand of them wait for a server.
STREAMS = 2500
CONNECTIONS = 2
PER_CLIENT = 256

# A client that has much under way on a combined stream, and is gone after some answers.
LEAVING = """
import asyncio, os, sys
from engram.model.priority import Priority
from tests.integration.server_process import batch_of, connect, encode_batch, numbered, pb, vector_cue

async def main(address, prefix, answers, way):
    async with connect(address) as stub:
        call = stub.MemoryStream()
        init = pb.ObservationRequest(memory_space_id="crowd", init=pb.StreamInit())
        await call.write(pb.MemoryStreamRequest(observe=init))
        for number in range(1, 31):
            recall = pb.StreamingRecallRequest(
                memory_space_id="crowd", cue=vector_cue("id-1"), max_results=3000, batch_size=100
            )
            await call.write(pb.MemoryStreamRequest(recall_id=number, recall=recall))
        for number in range(1, 31, 3):
            await call.write(pb.MemoryStreamRequest(recall_id=number, cancel_recall=pb.CancelRecall()))
        for first in range(1, 1000, 100):
            batch = encode_batch(batch_of(numbered(first, 100, prefix)), Priority.NORMAL)
            observe = pb.ObservationRequest(sequence_number=first, batch=batch)
            await call.write(pb.MemoryStreamRequest(observe=observe))
        for _ in range(answers):
            await call.read()
        if way == "killed":
            os._exit(0)
        call.cancel()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("server") / "data")
    asyncio.run(fill(running.address))
    yield running
    running.stop_soundly()


def call_error(failure: grpc.aio.AioRpcError | None) -> EngramError:
    """What a client of Engram makes of a failed call."""
    assert failure is not None
    trailers: Any = failure.trailing_metadata()
    return client_error(parse_address("localhost:1"), failure.code(), failure.details(), trailers)


async def fill(address: str) -> None:
    async with connect(address) as stub:
        await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id=SPACE, dimension=DIM), timeout=TIMEOUT_S)
        call = ObserveCall(stub)
        await call.open(SPACE)
        await call.send_batch(1, batch_of(numbered(1, COUNT)))
        await call.accepted_up_to(COUNT)
        await call.close(drain=True, last_sequence=COUNT)
        await call.end()


@contextlib.asynccontextmanager
async def greedy(address: str, count: int) -> AsyncIterator[list[asyncio.Task[grpc.aio.AioRpcError | None]]]:
    """Standing recalls over few connections, all at once; each future is None once the first batch came."""
    options = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    cue = vector_cue("nobody")
    cue.score_min = 0.99
    request = pb.StreamingRecallRequest(memory_space_id=SPACE, cue=cue, follow=True)
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(CONNECTIONS)]
    stubs: list[Any] = [EngramServiceStub(channel) for channel in channels]
    calls = [stubs[number % CONNECTIONS].RecallStream(request) for number in range(count)]

    async def begun(call: Any) -> grpc.aio.AioRpcError | None:
        try:
            await call.read()
        except grpc.aio.AioRpcError as error:
            return error
        return None

    begins = [asyncio.create_task(begun(call)) for call in calls]
    try:
        yield begins
    finally:
        for begin in begins:
            begin.cancel()
        await asyncio.gather(*begins, return_exceptions=True)
        for channel in channels:
            await channel.close(None)


async def test_the_recall_streams_of_one_client_keep_no_other_from_recalling(server: ServerProcess) -> None:
    async with connect(server.address) as other, greedy(server.address, STREAMS) as begins:
        served = 0
        while not all(begin.done() for begin in begins):
            async with asyncio.timeout(TIMEOUT_S):
                assert await recall_ids(other, SPACE, "id-7", max_results=1) == ["id-7"]
                stream = other.RecallStream(
                    pb.StreamingRecallRequest(memory_space_id=SPACE, cue=vector_cue("id-8"), max_results=1)
                )
                assert (await stream.read()).results[0].id == "id-8"
            served += 1
        assert served
        refused = [call_error(begin.result()) for begin in begins if begin.result() is not None]
        assert len(refused) == STREAMS - CONNECTIONS * PER_CLIENT
        assert {error.code for error in refused} <= {"recall_streams_of_client", "calls_of_connection"}
        assert "recall_streams_of_client" in {error.code for error in refused}


async def test_a_client_that_has_all_its_streams_can_recall_on_the_same_connection(server: ServerProcess) -> None:
    cue = vector_cue("nobody")
    cue.score_min = 0.99
    async with connect(server.address) as stub:
        calls = [
            stub.RecallStream(pb.StreamingRecallRequest(memory_space_id=SPACE, cue=cue, follow=True))
            for _ in range(PER_CLIENT)
        ]
        async with asyncio.timeout(TIMEOUT_S):
            for call in calls:
                await call.read()
            assert await recall_ids(stub, SPACE, "id-7", max_results=1) == ["id-7"]
        for call in calls:
            call.cancel()


async def test_more_streams_than_a_client_may_have_are_refused_in_words(tmp_path: Path) -> None:
    small = SocketServer(
        tmp_path / "data",
        program=("engram", "serve"),
        environ={"ENGRAM_SERVER_RECALL_STREAMS_PER_CLIENT_MAX": "5"},
    )
    address = f"127.0.0.1:{small.grpc_port}"
    try:
        await fill(address)
        async with connect(address) as other, greedy(address, 100) as begins:
            async with asyncio.timeout(TIMEOUT_S):
                results = await asyncio.gather(*begins)
            refused = [error for error in results if error is not None]
            assert len(refused) == 100 - 5 * CONNECTIONS
            error = call_error(refused[0])
            assert (error.code, error.limit, error.is_transient) == ("recall_streams_of_client", "5", True)
            assert error.retry_after_ms
            assert await recall_ids(other, SPACE, "id-7", max_results=1) == ["id-7"]
    finally:
        small.stop_soundly()


def test_a_client_may_ping_as_it_likes(server: ServerProcess) -> None:
    """As clients of other makes do to see whether an idle connection is alive."""
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as opened, opened.makefile("rb") as received:
        opened.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
        for number in range(40):
            ping = number.to_bytes(8, "big")
            opened.sendall(bytes((0, 0, 8, 6, 0, 0, 0, 0, 0)) + ping)
            kind, content = 0, b""
            while (kind, content) != (6, ping):
                head = received.read(9)
                assert len(head) == 9, "the server has ended the connection"
                kind, content = head[3], received.read(int.from_bytes(head[:3], "big"))
                assert kind != 7, content


@pytest.mark.parametrize("way", ["killed", "cancelled"])
def test_clients_that_leave_a_combined_stream_leave_nothing_in_the_log(server: ServerProcess, way: str) -> None:
    before = len(server.log().splitlines())
    for answers in (0, 1, 5, 30):
        command = [sys.executable, "-c", LEAVING, server.address, f"{way}-{answers}", str(answers), way]
        subprocess.run(command, check=True, timeout=TIMEOUT_S)
    asyncio.run(served_still(server.address))
    added = server.log().splitlines()[before:]
    # A session that begins and one that ends are one line each.
    assert all(" INFO " in line for line in added), "\n".join(added)


async def served_still(address: str) -> None:
    async with connect(address) as stub:
        assert await recall_ids(stub, SPACE, "id-3", max_results=1) == ["id-3"]
