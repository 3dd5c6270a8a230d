"""A real server in a process of its own, and a plain gRPC client that sees every message."""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from engram.model.observations import ObservationBatch, make_batch
from engram.model.priority import Priority
from engram.wire import engram_pb2 as pb
from engram.wire.engram_pb2_grpc import EngramServiceStub
from engram.wire.observations import encode_batch

# Only a failing test waits so long.
TIMEOUT_S = 120.0
EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # Missing in the stubs.
DIM = 16
ACCEPTED = pb.ObservationAck.STATUS_ACCEPTED
INDEXED = pb.ObservationAck.STATUS_INDEXED
REJECTED = pb.ObservationAck.STATUS_REJECTED
CLOSED = pb.StreamStatus.STATE_CLOSED
PRESSURE = (
    pb.StreamStatus.STATE_ACTIVE,
    pb.StreamStatus.STATE_BACKPRESSURE,
    pb.StreamStatus.STATE_OVERLOADED,
)
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    # Whatever the environment says, the server under test is on this machine.
    ("grpc.enable_http_proxy", 0),
)


class ServerProcess:
    """Starts ``python -m engram.server`` on a free port and waits until it says that it is ready.

    It answers HTTP only if the arguments name a port for it, so that no two servers want the same one.
    """

    module: tuple[str, ...] = ("engram.server",)

    def __init__(self, data: Path, *arguments: str) -> None:
        self.data = data
        self._log = data.with_suffix(".log")
        http = [] if "--http-port" in arguments else ["--no-http"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.module, "--data", str(data), "--port", "0", *http, *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.address = self._wait_until_ready()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        try:
            return self.process.wait(TIMEOUT_S)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def log(self) -> str:
        """What the server has logged."""
        return self._log.read_text()

    def _wait_until_ready(self) -> str:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            ready = selector.select(TIMEOUT_S)
        line = self.process.stdout.readline().decode() if ready else ""
        if " ready at " not in line:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not start: {line}\n{self.log()}")
        return line.rpartition(" ")[2].strip()


def steady_port() -> str:
    """A free port for a server that goes away and comes back, of those that the system gives to nobody by itself.

    The port of a server that ended, if it had taken a free one, may be given to any other program before it is back.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return str(port)
    raise AssertionError("no port is free")


@asynccontextmanager
async def raw_channel(address: str) -> AsyncIterator[Any]:
    """A channel, untyped because the stubs do not know how it is called without optional arguments."""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield channel


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Any]:
    """A stub on a channel of its own; untyped, since the generated types know the synchronous one best."""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield EngramServiceStub(channel)


class ObserveCall:
    """One ObserveStream, message by message."""

    def __init__(self, stub: Any) -> None:
        self.call = stub.ObserveStream()
        self.session_id = ""

    async def open(self, space: str = "default", resume: str = "") -> pb.StreamInitAck:
        await self.send(
            pb.ObservationRequest(memory_space_id=space, init=pb.StreamInit(resume_session_id=resume)),
        )
        response = await self.read()
        assert response.WhichOneof("result") == "init_ack", response
        self.session_id = response.session_id
        return response.init_ack

    async def send(self, request: pb.ObservationRequest) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await self.call.write(request)

    async def send_batch(
        self, first_sequence: int, batch: ObservationBatch, priority: Priority = Priority.NORMAL
    ) -> None:
        await self.send(pb.ObservationRequest(sequence_number=first_sequence, batch=encode_batch(batch, priority)))

    async def flow(self, action: int) -> None:
        await self.send(pb.ObservationRequest(flow=pb.FlowControl(action=action)))  # type: ignore[arg-type]  # An enum.

    async def close(self, *, drain: bool, last_sequence: int = 0) -> None:
        await self.send(
            pb.ObservationRequest(close=pb.StreamClose(drain_queue=drain, last_sequence=last_sequence)),
        )

    async def read(self) -> pb.ObservationResponse:
        """The next response; fails if the call ends instead."""
        response = await self.read_or_end()
        assert response is not None, await self.end()
        return response

    async def read_or_end(self) -> pb.ObservationResponse | None:
        async with asyncio.timeout(TIMEOUT_S):
            response = await self.call.read()
        return None if response is EOF else response

    async def read_ack(self, status: int) -> pb.ObservationResponse:
        """The next response that is an ack with `status`.

        INDEXED acks are passed over when another is wanted, and so is what is told about pressure.
        """
        while True:
            response = await self.read()
            if response.status.state in PRESSURE:
                continue
            if response.WhichOneof("result") == "ack" and response.ack.status == status:
                return response
            passed_over = response.WhichOneof("result") == "ack" and response.ack.status == INDEXED
            assert passed_over or status == INDEXED, response

    async def accepted_up_to(self, sequence: int) -> list[pb.ObservationResponse]:
        """Read ACCEPTED acks until `sequence` is covered."""
        acks: list[pb.ObservationResponse] = []
        while not acks or acks[-1].sequence_number < sequence:
            acks.append(await self.read_ack(ACCEPTED))
        return acks

    async def read_status(self, state: int) -> pb.ObservationResponse:
        """The next status, which must be `state`; acks are passed over."""
        while True:
            response = await self.read()
            if response.WhichOneof("result") == "status":
                assert response.status.state == state, response
                return response

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """The status the call ends with, which comes after everything there is to read."""
        async with asyncio.timeout(TIMEOUT_S):
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await self.call.read() is not EOF:
                    pass
            return await self.call.code(), await self.call.details()


def vectors_of(ids: Sequence[str], dim: int = DIM) -> NDArray[np.float32]:
    """A random but reproducible vector for each id."""
    rows = [np.random.default_rng(list(name.encode())).standard_normal(dim) for name in ids]
    return np.array(rows, dtype=np.float32).reshape(len(ids), dim)


def batch_of(ids: Sequence[str], dim: int = DIM) -> ObservationBatch:
    """A batch in which text and vector follow from the id."""
    return make_batch(ids=ids, vectors=vectors_of(ids, dim), contents=[f"text of {name}" for name in ids])


def numbered(first: int, count: int, prefix: str = "id") -> list[str]:
    """Ids that go with sequence numbers."""
    return [f"{prefix}-{number}" for number in range(first, first + count)]


def vector_cue(name: str, dim: int = DIM) -> pb.Cue:
    """A cue that is exactly the vector of an id."""
    return pb.Cue(embedding=pb.EmbeddingCue(vector_f32=vectors_of([name], dim)[0].astype("<f4").tobytes()))


async def recall_ids(stub: Any, space: str, name: str, max_results: int = 10, max_generation: int = 0) -> list[str]:
    """Ids recalled with the vector of `name` as cue."""
    answer = await stub.Recall(
        pb.RecallRequest(
            memory_space_id=space, cue=vector_cue(name), max_results=max_results, max_generation=max_generation or None
        ),
        timeout=TIMEOUT_S,
    )
    return [memory.id for memory in answer.results]
