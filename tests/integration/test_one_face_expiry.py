"""Observations that expire: the same embedded and over every transport."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engram.errors import AlreadyExists, EngramError, InvalidInput, NotFound
from engram.model.cue import Cue
from engram.model.filters.fields import Own
from tests.integration.homes import CLIENTS, HOMES, vector_of
from tests.integration.server_process import DIM
from tests.integration.socket_client import SocketServer

FAR = 4_000_000_000
SOON_S = 0.2
TIMEOUT_S = 30.0


def vectors(*names: str) -> list[Any]:
    return [vector_of(name) for name in names]


def wait_until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_an_observation_tells_when_it_expires(home: Any) -> None:
    home.observe("a", vector_of("a"), expires_at=FAR)
    home.observe(["b", "c"], vectors("b", "c"), expires_at=[datetime(2100, 1, 1, tzinfo=UTC), None])
    home.observe(["d", "e"], vectors("d", "e"), expires_at="2100-01-01")
    hits = {id: home.get(id) for id in "abcde"}
    assert (hits["a"].expires_us, hits["a"].expires_at) == (FAR * 1_000_000, datetime.fromtimestamp(FAR, UTC))
    assert [hits[id].expires_at for id in "bcde"] == [hits["b"].expires_at, None, *[hits["b"].expires_at] * 2]
    found = {hit.id: hit.expires_us for hit in home.recall(vector_of("a"), k=5)}
    assert found == {hit.id: hit.expires_us for hit in home.scan()} == {id: hits[id].expires_us for id in hits}


def test_a_time_to_live_counts_from_the_call(home: Any) -> None:
    before_us = time.time_ns() // 1000
    home.observe(["a", "b", "c"], vectors("a", "b", "c"), ttl=[3600, timedelta(hours=1), math.inf])
    after_us = time.time_ns() // 1000
    a, b, c = (home.get(id).expires_us for id in "abc")
    assert a == b
    assert before_us <= a - 3_600_000_000 <= after_us
    assert c is None


def test_what_is_due_is_gone_and_the_past_has_it(home: Any) -> None:
    home.observe(["a", "b"], vectors("a", "b"), ["the pump", "the pump"], expires_at=[FAR, None])
    assert {hit.id for hit in home.recall(vector_of("a"))} == {"a", "b"}
    before = home.update("a", ttl=SOON_S)
    held = home.snapshot(before)
    wait_until(lambda: home.get("a") is None)
    assert [hit.id for hit in home.recall(vector_of("a"))] == ["b"]
    assert [hit.id for hit in home.recall(Cue(text="pump", by="words"))] == ["b"]
    assert [[hit.id for hit in hits] for hits in home.recall_many(vectors("a", "b"))] == [["b"], ["b"]]
    assert [hit.id for hit in home.scan()] == ["b"]
    assert (home.count(), home.facets(fields="confidence").count) == (1, 1)
    assert {hit.id for hit in home.recall(vector_of("a"), max_generation=before)} == {"a", "b"}
    assert home.count(max_generation=before) == 2
    assert held.get("a") is not None
    # It is removed soon afterwards.
    wait_until(lambda: home.stats().durable_generation == before + 1)
    assert home.count(max_generation=before) == 2


def test_a_time_that_has_passed_is_due_at_once(home: Any) -> None:
    home.observe("a", vector_of("a"))
    home.observe("a", vector_of("a"), expires_at=1)
    home.observe("b", vector_of("b"), ttl=0)
    assert (home.get("a"), home.get("b"), home.count()) == (None, None, 0)
    assert home.observe("a", vector_of("a"), if_absent=True)
    with pytest.raises(NotFound):
        home.update("b", confidence=0.5)


def test_an_update_keeps_sets_and_removes_it(home: Any) -> None:
    home.observe(["a", "b"], vectors("a", "b"), expires_at=FAR)
    home.update("a", confidence=0.5)
    assert home.get("a").expires_us == FAR * 1_000_000
    home.update("a", expires_at=None)
    assert home.get("a").expires_us is None
    home.update(["a", "b"], expires_at=[FAR + 1, None])
    assert [home.get(id).expires_us for id in "ab"] == [(FAR + 1) * 1_000_000, None]
    home.update(["a", "b"], ttl=math.inf)
    assert [home.get(id).expires_us for id in "ab"] == [None, None]
    home.update("b", ttl=3600)
    assert home.get("b").expires_us is not None


def test_what_is_submitted_expires_too(home: Any) -> None:
    futures = [home.submit("a", vector_of("a"), expires_at=FAR), home.submit("b", vector_of("b"), ttl=3600)]
    futures.append(home.submit(["c", "d"], vectors("c", "d"), expires_at=[FAR, None]))
    futures.append(home.submit("e", vector_of("e")))
    for future in futures:
        future.result()
    found = {id: home.get(id).expires_us for id in "abcde"}
    assert (found["a"], found["c"], found["d"], found["e"]) == (FAR * 1_000_000, FAR * 1_000_000, None, None)
    assert found["b"] is not None


def test_filters_know_it(home: Any) -> None:
    home.observe(["a", "b", "c"], vectors("a", "b", "c"), expires_at=[FAR, FAR + 10, None])
    assert {hit.id for hit in home.scan(Own.expires_at < FAR + 5)} == {"a"}
    assert {hit.id for hit in home.scan(Own.expires_at.exists())} == {"a", "b"}
    assert home.count(~Own.expires_at.exists()) == 1


@pytest.mark.parametrize(
    ("columns", "code", "field"),
    [
        ({"ttl": -1}, "invalid_ttl", "ttl"),
        ({"ttl": math.nan}, "invalid_ttl", "ttl"),
        ({"ttl": timedelta(seconds=-1)}, "invalid_ttl", "ttl"),
        ({"ttl": 1e11}, "invalid_ttl", "ttl"),
        ({"ttl": 5, "expires_at": FAR}, "invalid_ttl", "ttl"),
        ({"expires_at": "soon"}, "invalid_time", "expires_at"),
        ({"expires_at": math.nan}, "invalid_time", "expires_at"),
        ({"expires_at": 1e15}, "invalid_time", "expires_at"),
    ],
    ids=str,
)
def test_what_is_refused(home: Any, columns: dict[str, Any], code: str, field: str) -> None:
    home.observe("kept", vector_of("kept"))
    calls: list[Callable[[], object]] = [
        lambda: home.observe("a", vector_of("a"), **columns),
        lambda: home.observe(["a", "b"], vectors("a", "b"), **columns),
        lambda: home.update("kept", **columns),
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as refused:
            call()
        error: EngramError = refused.value
        assert (error.code, error.field) == (code, field)
        assert error.value
    assert (home.count(), home.get("kept").expires_us) == (1, None)


@pytest.mark.parametrize("name", HOMES)
def test_a_space_may_have_a_default(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server, vectors="optional", ttl=timedelta(hours=1)) as home:
        before_us = time.time_ns() // 1000
        home.observe("a", vector_of("a"))
        home.observe(["b", "c"], None, ["one", "two"], ttl=[None, math.inf])
        home.observe("d", vector_of("d"), expires_at=FAR, if_absent=True)
        home.observe("e", None, None, if_absent=True)
        home.submit("f", vector_of("f")).result()
        after_us = time.time_ns() // 1000
        expiries = {id: home.get(id).expires_us for id in "abcdef"}
        assert (expiries["c"], expiries["d"]) == (None, FAR * 1_000_000)
        assert all(before_us <= expiries[id] - 3_600_000_000 <= after_us for id in "abef")
        # What is not named in an update stays, whatever the default is.
        home.update(["a", "c"], tags=[["x"], ["x"]])
        assert [home.get(id).expires_us for id in "ac"] == [expiries["a"], None]
        home.update("a", expires_at=None)
        assert home.get("a").expires_us is None


@pytest.mark.parametrize("name", CLIENTS)
def test_a_default_is_set_when_a_space_is_made(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server) as client:
        own = client.space_status().name
        space = f"{own}-short"
        assert client.create_space(space, DIM, ttl=timedelta(hours=1)).config.ttl_s == 3600
        assert client.create_space(space, DIM).config.ttl_s == 3600
        with pytest.raises(AlreadyExists) as other:
            client.create_space(space, DIM, ttl=60)
        assert (other.value.code, other.value.field) == ("space_exists", "ttl_s")
        with pytest.raises(InvalidInput) as refused:
            client.create_space(f"{own}-wrong", DIM, ttl=-1)
        assert refused.value.code == "invalid_ttl"
        shown = {status.name: status.config.ttl_s for status in client.spaces()}
        assert (shown[space], shown[own]) == (3600, None)
    with HOMES[name].found(server, space) as short:
        before_us = time.time_ns() // 1000
        short.observe(["a", "b"], vectors("a", "b"), ttl=[None, math.inf])
        short.submit("c", vector_of("c")).result()
        after_us = time.time_ns() // 1000
        expiries = [hit.expires_us for hit in short.get(["a", "b", "c"])]
        assert expiries[1] is None
        assert all(before_us <= expiries[row] - 3_600_000_000 <= after_us for row in (0, 2))
