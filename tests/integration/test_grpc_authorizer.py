"""An authorizer of a server: asked once for each call, with what is to be done and in which space."""

from __future__ import annotations

from typing import Any

from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.options import ServerOptions
from engram.wire import engram_pb2 as pb
from tests.integration.server_process import DIM, TIMEOUT_S, ObserveCall, batch_of, connect, numbered, vector_cue


async def test_an_authorizer_sees_every_call_once() -> None:
    seen: list[tuple[str, str]] = []

    class Recording:
        def authorize(self, context: Any, action: Any, space: str) -> None:
            seen.append((action.value, space))

    engine = Engine(ServerOptions(None, default_space=SpaceConfig("default", DIM)), Recording())
    server = GrpcServer(engine)
    port = await server.start("127.0.0.1", 0)
    try:
        async with connect(f"127.0.0.1:{port}") as stub:
            call = ObserveCall(stub)
            await call.open()
            await call.send_batch(1, batch_of(numbered(1, 3)))
            await call.send_batch(4, batch_of(numbered(4, 3)))
            await call.accepted_up_to(6)
            await stub.Recall(pb.RecallRequest(cue=vector_cue("id-1")), timeout=TIMEOUT_S)
            await stub.Forget(pb.ForgetRequest(ids=["id-1"]), timeout=TIMEOUT_S)
            await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id="other"), timeout=TIMEOUT_S)
            await stub.GetSpace(pb.GetSpaceRequest(memory_space_id="other"), timeout=TIMEOUT_S)
            await stub.ListSpaces(pb.ListSpacesRequest(), timeout=TIMEOUT_S)
            await stub.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S)
            await server.stop(TIMEOUT_S)
    finally:
        await engine.close()
    assert seen == [
        ("observe", "default"),
        ("recall", "default"),
        ("forget", "default"),
        ("create", "other"),
        ("describe", "other"),
        ("describe", ""),
        ("describe", ""),
    ]
