"""Recalls of more than one message can hold: told once and for good, and done all the same by the client."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from engram.client import Client
from engram.errors import InvalidInput
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.store import Strength
from engram.wire import engram_pb2 as pb
from engram.wire.grpc_status import decode_status
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, connect, numbered, vector_cue, vectors_of

COUNT = 700
TEXT_SIZE = 65_536
SPACE = "large"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a space whose texts are more than one message has."""
    server = ServerProcess(tmp_path_factory.mktemp("large") / "data")
    with Client(server.address, space=SPACE, timeout_s=TIMEOUT_S) as client:
        client.create_space(SPACE, dim=DIM)
        for first in range(1, COUNT + 1, 100):
            names = numbered(first, 100)
            client.submit(names, vectors_of(names), [name.ljust(TEXT_SIZE, "x") for name in names])
        client.flush(TIMEOUT_S)
    yield server.address
    server.stop(signal.SIGKILL)


async def test_an_answer_that_is_too_large_is_refused_for_good(address: str) -> None:
    async with connect(address) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.Recall(
                pb.RecallRequest(memory_space_id=SPACE, cue=vector_cue("id-1"), max_results=COUNT), timeout=TIMEOUT_S
            )
    status: Any = failure.value
    assert status.code() is grpc.StatusCode.INVALID_ARGUMENT
    error = decode_status(status.code(), status.details(), status.trailing_metadata())
    assert isinstance(error, InvalidInput)
    assert (error.code, error.field, error.limit) == ("results_bytes", "max_results", str(MESSAGE_BYTES_MAX))
    assert int(error.value) > MESSAGE_BYTES_MAX
    assert error.retry_after_ms is None
    fitting = int(error.message.partition("ask for at most ")[2].partition(" ")[0])
    async with connect(address) as stub:
        request = pb.RecallRequest(memory_space_id=SPACE, cue=vector_cue("id-1"), max_results=fitting)
        assert len((await stub.Recall(request, timeout=TIMEOUT_S)).results) == fitting > COUNT // 2


@pytest.mark.parametrize("with_vectors", [False, True])
def test_a_client_gets_all_of_it(address: str, with_vectors: bool) -> None:
    cue = vectors_of(["id-1"])[0]
    with Client(address, space=SPACE, timeout_s=TIMEOUT_S) as client:
        hits = client.recall(cue, k=COUNT, ef=COUNT, include_vectors=with_vectors)
        few = client.recall(cue, k=20, ef=COUNT)
    assert {hit.id for hit in hits} == set(numbered(1, COUNT))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.id for hit in hits[:20]] == [hit.id for hit in few]
    assert all(hit.content == hit.id.ljust(TEXT_SIZE, "x") for hit in hits)
    if with_vectors:
        assert hits[0].vector is not None
        np.testing.assert_allclose(hits[0].vector, cue, rtol=1e-6)


def test_with_strength_it_is_the_callers_choice(address: str) -> None:
    with Client(address, space=SPACE, timeout_s=TIMEOUT_S) as client:
        with pytest.raises(InvalidInput, match="recall_stream") as refused:
            client.recall(vectors_of(["id-1"])[0], k=COUNT, strength=Strength())
        assert refused.value.code == "results_bytes"


def test_a_request_that_is_too_large_is_refused_for_good(address: str) -> None:
    with Client(address, space=SPACE, timeout_s=TIMEOUT_S) as client, pytest.raises(InvalidInput) as refused:
        client.recall("x" * MESSAGE_BYTES_MAX)
    assert refused.value.code == "message_bytes"
    assert refused.value.limit == str(MESSAGE_BYTES_MAX)
