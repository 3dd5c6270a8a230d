"""The unary calls, health, reflection, and how a server starts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from engram.errors import AlreadyExists, EngramError, InvalidInput, NotFound
from engram.wire import engram_pb2 as pb
from engram.wire.grpc_status import decode_status
from engram.wire.observations import encode_batch
from tests.integration.server_process import (
    DIM,
    TIMEOUT_S,
    ServerProcess,
    batch_of,
    numbered,
    raw_channel,
    recall_ids,
    vectors_of,
)


async def failure(call: Any) -> EngramError:
    """The error that a call ends with, decoded."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, TIMEOUT_S)
    error = caught.value
    trailers: Any = error.trailing_metadata()
    decoded = decode_status(error.code(), error.details(), trailers)
    assert decoded.message == error.details()
    return decoded


async def test_remember_recall_forget(stub: Any, space: str) -> None:
    stored = await stub.Remember(
        pb.RememberRequest(memory_space_id=space, batch=encode_batch(batch_of(numbered(1, 5)))), timeout=TIMEOUT_S
    )
    assert (stored.first_generation, stored.last_generation) == (1, 5)
    assert await recall_ids(stub, space, "id-3", 1) == ["id-3"]
    episode = pb.Episode(id="single", what="one", embedding=vectors_of(["single"])[0].tolist(), who=["Ada"])
    stored = await stub.Remember(pb.RememberRequest(memory_space_id=space, observation=episode), timeout=TIMEOUT_S)
    assert stored.last_generation == 6
    forgotten = await stub.Forget(
        pb.ForgetRequest(memory_space_id=space, ids=["id-3", "id-4", "never was"]), timeout=TIMEOUT_S
    )
    assert (forgotten.forgotten, forgotten.generation) == (2, 8)
    assert sorted(await recall_ids(stub, space, "id-3")) == ["id-1", "id-2", "id-5", "single"]
    before = await recall_ids(stub, space, "id-3", max_results=1, max_generation=6)
    assert before == ["id-3"]
    nothing = await stub.Forget(pb.ForgetRequest(memory_space_id=space, ids=["never was"]), timeout=TIMEOUT_S)
    assert (nothing.forgotten, nothing.generation) == (0, 8)


async def test_refusals_name_field_limit_and_value(stub: Any, space: str) -> None:
    request = pb.RememberRequest(memory_space_id=space, batch=encode_batch(batch_of(["a"], 9)))
    error = await failure(stub.Remember(request))
    assert isinstance(error, InvalidInput)
    assert (error.code, error.field, error.limit, error.value) == ("dimension_mismatch", "embedding", str(DIM), "9")
    assert (await failure(stub.Remember(pb.RememberRequest(memory_space_id=space)))).code == "no_operation"
    forget = pb.ForgetRequest(memory_space_id=space, ids=["a"] * 10_001)
    assert (await failure(stub.Forget(forget))).code == "batch_count"


async def test_malformed_bytes_of_a_unary_call_are_an_invalid_argument(server: ServerProcess) -> None:
    async with raw_channel(server.address) as channel:
        raw = channel.unary_unary("/engram.v1.EngramService/Remember", request_serializer=bytes)
        error = await failure(raw(b"\xff\xff"))
    assert error.code == "malformed_message"


async def test_spaces_are_created_described_and_listed(stub: Any, space: str) -> None:
    request = pb.CreateSpaceRequest(memory_space_id=f"{space}-new", dimension=32, metric="l2", embedder="lexical")
    created = await stub.CreateSpace(request, timeout=TIMEOUT_S)
    assert (created.dimension, created.metric, created.embedder) == (32, "l2", "lexical")
    again = await stub.CreateSpace(request, timeout=TIMEOUT_S)
    assert again.memory_space_id == created.memory_space_id
    request.dimension = 64
    assert isinstance(await failure(stub.CreateSpace(request)), AlreadyExists)
    listed = await stub.ListSpaces(pb.ListSpacesRequest(), timeout=TIMEOUT_S)
    names = {described.memory_space_id for described in listed.spaces}
    assert {"default", space, f"{space}-new"} <= names
    default = await stub.GetSpace(pb.GetSpaceRequest(), timeout=TIMEOUT_S)
    assert (default.memory_space_id, default.dimension, default.metric) == ("default", 768, "cosine")
    assert isinstance(await failure(stub.GetSpace(pb.GetSpaceRequest(memory_space_id="nowhere"))), NotFound)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.CreateSpaceRequest(memory_space_id="Bad Name"), "invalid_space_name"),
        (pb.CreateSpaceRequest(memory_space_id="../escape"), "invalid_space_name"),
        (pb.CreateSpaceRequest(memory_space_id="large", dimension=4097), "invalid_dimension"),
        (pb.CreateSpaceRequest(memory_space_id="odd", metric="manhattan"), "invalid_metric"),
    ],
)
async def test_impossible_spaces_are_refused(stub: Any, request_: pb.CreateSpaceRequest, code: str) -> None:
    assert (await failure(stub.CreateSpace(request_))).code == code


async def test_the_status_counts(stub: Any, space: str) -> None:
    before = await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
    await stub.Remember(
        pb.RememberRequest(memory_space_id=space, batch=encode_batch(batch_of(numbered(1, 5)))), timeout=TIMEOUT_S
    )
    await recall_ids(stub, space, "id-1")
    await failure(stub.Remember(pb.RememberRequest(memory_space_id=space, batch=encode_batch(batch_of(["a"], 9)))))
    after = await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
    assert after.observations_accepted - before.observations_accepted == 5
    assert after.observations_rejected - before.observations_rejected == 1
    assert after.recalls - before.recalls == 1
    assert after.commits > before.commits
    assert after.uptime_s > 0
    assert after.version
    assert {lane.priority: lane.capacity for lane in after.lanes} == {
        pb.PRIORITY_HIGH: 10_000,
        pb.PRIORITY_NORMAL: 100_000,
        pb.PRIORITY_LOW: 50_000,
    }


async def test_health_says_serving(server: ServerProcess) -> None:
    async with raw_channel(server.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", "engram.v1.EngramService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT_S)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_describes_the_service(server: ServerProcess) -> None:
    async with raw_channel(server.address) as channel:
        call: Any = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        listed = await asyncio.wait_for(call.read(), TIMEOUT_S)
        names = {service.name for service in listed.list_services_response.service}
        assert {"engram.v1.EngramService", "grpc.health.v1.Health"} <= names
        await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="engram.v1.EngramService"))
        described = await asyncio.wait_for(call.read(), TIMEOUT_S)
        (data, *_) = described.file_descriptor_response.file_descriptor_proto
        methods = {method.name for method in FileDescriptorProto.FromString(data).service[0].method}
        assert {"ObserveStream", "RecallStream", "MemoryStream", "Remember"} <= methods
        call.cancel()


def run_server(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engram.server", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_hosts_that_others_can_reach_are_refused(tmp_path: Path) -> None:
    ended = run_server("--data", str(tmp_path / "data"), "--host", "0.0.0.0", "--port", "0")  # noqa: S104  # Refused.
    assert ended.returncode == 2
    assert "allow-remote" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_an_error(server: ServerProcess, tmp_path: Path) -> None:
    port = server.address.rpartition(":")[2]
    ended = run_server("--data", str(tmp_path / "data"), "--port", port)
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_store_in_use_is_an_error(server: ServerProcess) -> None:
    ended = run_server("--data", str(server.data), "--port", "0")
    assert ended.returncode == 1
    assert str(server.process.pid) in ended.stderr


def test_the_port_file_names_the_port(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    server = ServerProcess(tmp_path / "data", "--port-file", str(port_file))
    assert port_file.read_text().strip() == server.address.rpartition(":")[2]
    assert server.stop() == 0
