"""A deletion by filter that cannot go on says as of which generation it began, so that it never begins anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from engram.errors import EngramError, OverCapacity, Unavailable
from engram.model.ack import Deletion
from engram.model.filters.filter import Filter
from engram.model.operations.requests import Delete, Erase, Observe
from engram.model.operations.scans import Clear
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.handlers import writes
from engram.server.options import ServerOptions
from engram.store.scans import deleting
from engram.streaming.ingest import Ingest
from tests.doubles.batches import DIM, batch_of

SPACE = "default"
IDS = ["a", "b", "c", "d", "e"]
FULL = OverCapacity("a lane is full", code="lane_full")


@pytest.fixture
async def engine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    """A server with five observations, of which a part of a deletion has two."""
    monkeypatch.setattr(deleting, "BATCH_COUNT_MAX", 2)
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig(SPACE, DIM)))
    await store(engine, *IDS)
    yield engine
    await engine.close()


async def store(engine: Engine, *ids: str) -> None:
    await writes.observe(engine, Observe(SPACE, batch_of(ids)), lambda ack: ack)


async def deleted(engine: Engine, request: Clear | Delete) -> Deletion:
    if isinstance(request, Clear):
        return await writes.clear(engine, request, lambda deletion: deletion)
    return await writes.delete(engine, request, lambda deletion: deletion)


def alive(engine: Engine) -> list[str]:
    space = engine.space(SPACE)
    return [id for id in (*IDS, "x") if space.get(id) is not None]


def fail_at(part: int, error: EngramError, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse the deletion of one part, counted from 0."""
    delete, parts = Ingest.delete, list[object]()

    async def failing(ingest: Ingest, *arguments: Any) -> Any:
        parts.append(arguments)
        if len(parts) == part + 1:
            raise error
        return await delete(ingest, *arguments)

    monkeypatch.setattr(Ingest, "delete", failing)


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize(
    "asked", [Clear(SPACE), Delete(SPACE, filter=Filter(confidence_min=0.1))], ids=["of everything", "by a filter"]
)
async def test_what_was_written_since_a_deletion_began_outlives_it(
    asked: Clear | Delete, part: int, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(part, FULL, monkeypatch)
    first = await deleted(engine, asked)
    assert (int(first), first.as_of, first.more) == (2 * part, 5, True)
    await store(engine, "x", "a")
    rest = await deleted(engine, replace(asked, max_generation=first.as_of))
    # "a" was deleted, or else superseded, before the rest was.
    assert (int(first) + int(rest), rest.as_of, rest.more) == (5 if part else 4, 5, False)
    assert alive(engine) == ["a", "x"]


async def test_whoever_knows_the_generation_is_told_why_nothing_is_deleted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(0, FULL, monkeypatch)
    with pytest.raises(OverCapacity):
        await deleted(engine, Clear(SPACE, 5))
    assert alive(engine) == IDS
    assert await deleted(engine, Clear(SPACE, 5)) == 5


async def test_an_error_that_stays_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at(1, Unavailable("the store is read-only", code="read_only"), monkeypatch)
    with pytest.raises(Unavailable):
        await deleted(engine, Clear(SPACE))
    assert alive(engine) == IDS[2:]


async def test_what_is_written_while_an_erasure_begins_stays(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    delete = Ingest.delete

    async def delete_and_store(ingest: Ingest, *arguments: Any) -> Any:
        done = await delete(ingest, *arguments)
        await store(engine, "x")
        return done

    monkeypatch.setattr(Ingest, "delete", delete_and_store)
    receipt = await writes.erase(engine, Erase(SPACE, ["x"]), lambda receipt: receipt)
    assert (receipt.count, receipt.generation) == (0, 5)
    assert alive(engine) == [*IDS, "x"]


async def test_a_deletion_that_takes_long_is_answered_in_parts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "DELETE_S_MAX", -1.0)
    answers, generation = list[Deletion](), None
    while not answers or answers[-1].more:
        answers.append(await deleted(engine, Clear(SPACE, generation)))
        generation = answers[-1].as_of
        await store(engine, "x")
    assert [(int(each), each.as_of, each.more) for each in answers] == [(2, 5, True), (2, 5, True), (1, 5, False)]
    assert alive(engine) == ["x"]
