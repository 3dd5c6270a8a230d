"""A server that has one space open at a time serves several, over every transport that has sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.client import AsyncClient
from engram.metrics import table
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.store.resting import open_spaces
from tests.doubles.openings import ONE, Openings
from tests.integration.server_process import DIM, TIMEOUT_S, vectors_of
from tests.integration.side_by_side import served

SPACES = ("red", "blue")
ROUNDS = 3


def client_of(address: str, space: str) -> AsyncClient:
    """A client whose session goes on with each client of the space."""
    return AsyncClient(address, space=space, session_id=f"session of {space}", timeout_s=TIMEOUT_S)


async def recalled(address: str, space: str) -> list[str]:
    async with client_of(address, space) as client:
        found = await client.recall(vectors_of(["any"])[0], k=100)
        streamed = [hit.id async for hits in client.recall_stream(vectors_of(["any"])[0]) for hit in hits]
        assert sorted(streamed) == sorted(hit.id for hit in found)
        return sorted(hit.id for hit in found)


async def check_status(address: str, opened: str, observed: int) -> None:
    """Look at the server and at a space that rests, or does not."""
    async with client_of(address, opened) as client:
        status = await client.status()
        assert {space.name: space.config.dim for space in status.spaces} == dict.fromkeys(("default", *SPACES), DIM)
        assert (status.observations_accepted, status.problems) == (observed, ())
        metrics = status.metrics
        assert (metrics.value(table.OPEN_SPACES), metrics.value(table.RESTING_SPACES)) == (1, 2)
        # No counter goes down, whichever spaces rest.
        assert metrics.value(table.OBSERVATIONS) == metrics.value(table.OBSERVATIONS_STORED) == observed
        for name in SPACES:
            async with client_of(address, name) as other:
                assert (await other.space_status()).name == name


@pytest.mark.parametrize("transport", ["grpc", "websocket"])
async def test_two_spaces_are_used_in_turn_where_one_is_open(
    transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However busy the machine is.
    monkeypatch.setattr(open_spaces, "_ROOM_TIMEOUT_S", TIMEOUT_S)
    engine = Engine.open(ServerOptions(tmp_path / "data", default_space=SpaceConfig("default", DIM), store=ONE))
    async with served(engine) as addresses:
        address, observed = addresses[transport], 0
        for name in SPACES:
            async with client_of(address, name) as client:
                await client.create_space(name, dim=DIM)
        openings = Openings(monkeypatch)
        for number in range(ROUNDS):
            for name in SPACES:
                ids = [f"{name}-{number}-{row}" for row in range(4)]
                async with client_of(address, name) as client:
                    # Over the session, which keeps its space open.
                    assert await client.observe(ids, vectors_of(ids)) == 4 * (number + 1)
                    assert [space.config.name for space in engine.store.spaces()] == [name]
                observed += len(ids)
                await check_status(address, name, observed)
                engine.tick()
            for name in SPACES:
                assert len(await recalled(address, name)) == 4 * (number + 1)
        assert set(openings.names) == set(SPACES)
        assert openings.are_in_place
