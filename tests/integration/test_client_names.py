"""The names of spaces as both clients over every transport know them: dropped, renamed, aliased, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from engram.client import Client
from engram.errors import EngramError, FailedPrecondition, NotFound
from engram.model.cue import Cue
from tests.integration.either_client import Either, client, make, observe_ids, transport
from tests.integration.server_process import DIM, vectors_of

# Pytest finds the fixtures of a module by their names.
__all__ = ["client", "make", "transport"]


def test_spaces_are_dropped_renamed_and_aliased(client: Either, make: Any) -> None:
    name = client.space
    observe_ids(client, ["a"])
    client.set_alias(f"{name}-alias", name)
    assert client.aliases()[f"{name}-alias"] == name
    client.rename_space(name, f"{name}-new")
    by_alias = make(space=f"{name}-alias")
    assert by_alias.get("a").content == "text of a"
    assert by_alias.space_status().name == f"{name}-new"
    with pytest.raises(FailedPrecondition) as refusal:
        client.drop_space(f"{name}-alias")
    assert (refusal.value.code, refusal.value.limit) == ("is_alias", f"{name}-new")
    client.drop_alias(f"{name}-alias")
    assert f"{name}-alias" not in client.aliases()
    dropped = client.drop_space(f"{name}-new")
    assert (dropped.space, dropped.aliases) == (f"{name}-new", ())
    with pytest.raises(NotFound) as missing:
        client.drop_space(f"{name}-new")
    assert missing.value.code == "unknown_space"


def test_pages_of_a_scan_stay_in_the_space_that_an_alias_meant(client: Either, make: Any) -> None:
    name, ids = client.space, ["a", "b", "c", "d"]
    observe_ids(client, ids)
    client.create_space(f"{name}-2", dim=DIM)
    client.set_alias(f"{name}-alias", name)
    by_alias = make(space=f"{name}-alias")
    scan = by_alias.client.scan(page_size=1)
    first = next(scan) if isinstance(by_alias.client, Client) else by_alias.loop.run(anext(scan))
    client.set_alias(f"{name}-alias", f"{name}-2")
    rest = list(scan) if isinstance(by_alias.client, Client) else by_alias.loop.run(drained(scan))
    assert [hit.id for hit in (first, *rest)] == ids
    assert by_alias.get("a") is None


async def drained(scan: Any) -> list[Any]:
    return [hit async for hit in scan]


@pytest.mark.parametrize("ends", ["dropped", "renamed"])
def test_a_session_ends_with_its_space(client: Either, make: Any, transport: str, ends: str) -> None:
    if transport == "http":
        pytest.skip("HTTP has no sessions")
    name, vector = client.space, vectors_of(["b"])[0]
    observe_ids(client, ["a"])
    other = make(space="default")
    if ends == "dropped":
        other.drop_space(name)
    else:
        other.rename_space(name, f"{name}-new")
    other.create_space(name, dim=DIM)
    # Nothing of it is written to the namesake, now or later.
    for id in ("b", "c"):
        with pytest.raises(EngramError) as refusal:
            client.result(client.submit(id, vector))
        assert refusal.value.code == f"space_{ends}"
    assert make(space=name).get("b") is None


def test_a_standing_recall_ends_with_its_space(client: Either, make: Any) -> None:
    vector = vectors_of(["a"])[0]
    observe_ids(client, ["a"])
    follow = client.recall_stream(Cue(vector, score_min=0.5), follow=True)
    assert next(follow)[0].id == "a"
    make(space="default").drop_space(client.space)
    with pytest.raises(FailedPrecondition) as refusal:
        next(follow)
    assert refusal.value.code == "space_dropped"
