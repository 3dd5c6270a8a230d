"""A space behaves the same embedded and over every transport: one suite for all homes."""

from __future__ import annotations

import inspect
import itertools
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram import Ack, AsyncClient, Client, Cue, Deletion, Filter, Hits, RecallQuery, Space
from engram.client.snapshot import AsyncClientSnapshot, ClientSnapshot
from engram.connection.async_space import AsyncSnapshot, AsyncSpace
from engram.errors import InvalidInput
from engram.store import Snapshot
from tests.doubles.batches import vector_of as vector_of_dim
from tests.integration.homes import CLIENTS, HOMES, embedded
from tests.integration.server_process import DIM, TIMEOUT_S
from tests.integration.socket_client import SocketServer

_numbers = itertools.count(1)
SHARED = ("observe", "submit", "delete", "recall", "recall_stream", "answer", "open", "get", "snapshot", "stats")
SNAPSHOT_SHARED = ("get", "recall", "recall_stream")


def vector_of(id: str) -> Any:
    return vector_of_dim(id, dim=DIM)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    running = SocketServer(tmp_path_factory.mktemp("server") / "data")
    yield running
    assert running.stop() == 0, running.log()
    assert "Traceback" not in running.log(), running.log()


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, server: SocketServer) -> Iterator[Any]:
    with HOMES[request.param](server, f"face-{next(_numbers)}") as home:
        yield home


def ids(hits: Hits) -> list[str]:
    return [hit.id for hit in hits]


@pytest.mark.parametrize("name", SHARED)
def test_homes_have_the_same_arguments(name: str) -> None:
    shapes = [
        [(one.name, one.kind, one.default) for one in inspect.signature(getattr(home, name)).parameters.values()]
        for home in (Space, AsyncSpace, Client, AsyncClient)
    ]
    if name == "open":
        # A client once opened its session so, and does for one release.
        shapes = [[(one, kind, inspect.Parameter.empty) for one, kind, _ in shape] for shape in shapes]
    assert shapes == shapes[:1] * 4


@pytest.mark.parametrize("name", SNAPSHOT_SHARED)
def test_snapshots_have_the_same_arguments(name: str) -> None:
    first, *others = [
        [(one.name, one.kind, one.default) for one in inspect.signature(getattr(home, name)).parameters.values()]
        for home in (Snapshot, AsyncSnapshot, ClientSnapshot, AsyncClientSnapshot)
    ]
    assert others == [first] * 3


def test_one_observation(home: Any) -> None:
    ack = home.observe(
        "a", vector_of("a"), "a text", timestamp=12.5, confidence=0.5, importance=0.25, metadata={"n": 1}, tags=["x"]
    )
    assert isinstance(ack, Ack)
    assert (ack, ack.generation, ack.count, str(ack)) == (1, 1, 1, "1")
    hit = home.get("a")
    assert (hit.content, hit.time_us, hit.confidence, hit.importance) == ("a text", 12_500_000, 0.5, 0.25)
    assert (hit.metadata, hit.tags, hit.generation) == ({"n": 1}, ["x"], 1)


def test_one_observation_by_keywords(home: Any) -> None:
    assert home.observe(id="a", vector=vector_of("a"), content="t") == 1
    assert home.observe(ids="b", vector=vector_of("b")) == 2
    assert home.get("a").content == "t"


def test_many_observations(home: Any) -> None:
    names = ["a", "b", "c"]
    ack = home.observe(
        names,
        [vector_of(name) for name in names],
        ["text of " + name for name in names],
        timestamps=[1, 2, 3],
        confidences=[0.1, 0.2, 0.3],
        metadata=[{"n": 1}, None, '{"n": 3}'],
        tags=[["x"], [], ["y", "z"]],
    )
    assert (ack, ack.first_generation, ack.last_generation, ack.count) == (3, 1, 3, 3)
    hit = home.get("c")
    assert (hit.content, hit.time_us, hit.metadata, hit.tags) == ("text of c", 3_000_000, {"n": 3}, ["y", "z"])


def test_submit_returns_a_future_of_the_same(home: Any) -> None:
    futures = [home.submit(f"id-{number}", vector_of(f"id-{number}")) for number in range(20)]
    many = home.submit(["x", "y"], [vector_of("x"), vector_of("y")])
    assert [future.result(TIMEOUT_S).generation for future in futures] == list(range(1, 21))
    assert many.result(TIMEOUT_S) == 22


def test_a_recall_says_as_of_when_it_is(home: Any) -> None:
    for name in ("a", "b", "c"):
        home.observe(name, vector_of(name), name)
    hits = home.recall(vector_of("b"), k=2, include_vectors=True)
    assert (type(hits), hits[0].id, len(hits), hits.generation, hits.incomplete) == (Hits, "b", 2, 3, False)
    assert np.allclose(hits[0].vector, vector_of("b"))
    assert ids(home.recall(vector_of("c"), max_generation=2, k=1)) != ["c"]
    assert home.recall(vector_of("c"), max_generation=2).generation == 2
    assert len(home.recall(vector_of("c"), max_generation=0)) == 0


def test_a_query_is_answered_as_it_is(home: Any) -> None:
    home.observe(["a", "b"], [vector_of("a"), vector_of("b")], tags=[["x"], ["y"]])
    query = RecallQuery(Cue(vector=vector_of("a"), filter=Filter(tags={"y"})), k=5)
    assert ids(home.answer(query)) == ["b"]
    batches = list(home.open(RecallQuery(Cue(vector=vector_of("a")), k=2, batch_size=1)))
    assert ([hit.id for hits in batches for hit in hits], {hits.generation for hits in batches}) == (["a", "b"], {2})


def test_a_stream_of_batches(home: Any) -> None:
    names = [f"id-{number}" for number in range(25)]
    home.observe(names, [vector_of(name) for name in names])
    batches = list(home.recall_stream(vector_of("id-3"), 23, 10))
    assert [len(hits) for hits in batches] == [10, 10, 3]
    assert batches[0][0].id == "id-3"
    assert {hits.generation for hits in batches} == {25}


def test_a_look_up(home: Any) -> None:
    assert home.get("a") is None
    home.observe("a", vector_of("a"), "first")
    home.observe("a", vector_of("a"), "second")
    assert home.get("a").content == "second"
    assert home.get("a", 1).content == "first"
    assert home.get("a", max_generation=0) is None
    assert np.allclose(home.get("a", include_vectors=True).vector, vector_of("a"))


def test_a_snapshot_does_not_move(home: Any) -> None:
    empty = home.snapshot()
    home.observe("a", vector_of("a"), "first")
    held = home.snapshot()
    home.observe("a", vector_of("a"), "second")
    home.observe("b", vector_of("b"))
    assert (empty.generation, held.generation) == (0, 1)
    assert (empty.get("a"), held.get("a").content, held.get("b")) == (None, "first", None)
    assert (ids(empty.recall(vector_of("a"))), ids(held.recall(vector_of("b")))) == ([], ["a"])
    assert [hit.content for hits in held.recall_stream(vector_of("a"), 5) for hit in hits] == ["first"]
    assert home.snapshot(2).generation == 2
    assert home.snapshot(snapshot_time=time.time() + 3600).generation == 3
    assert home.snapshot(snapshot_time=0).generation == 0
    assert repr(held).endswith("Snapshot(generation=1)")


def test_a_deletion(home: Any) -> None:
    home.observe(["a", "b"], [vector_of("a"), vector_of("b")])
    gone = home.delete(["a", "never"])
    assert isinstance(gone, Deletion)
    assert (gone, gone.generation, home.get("a")) == (1, 3, None)
    assert home.delete(["a"]) == 0


def test_statistics(home: Any) -> None:
    home.observe(["a", "b", "c"], [vector_of(name) for name in "abc"])
    home.delete(["a"])
    stats = home.stats()
    assert (stats.durable_generation, stats.visible_generation, stats.live_count) == (4, 4, 2)
    assert (stats.observed, stats.deleted, stats.commits, stats.damaged_count) == (3, 1, 2, 0)
    assert stats.log_bytes > 0
    assert stats.metrics


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda home: home.observe(), "ids"),
        (lambda home: home.observe(["a"], np.ones((1, DIM)), contens=["t"]), "contens"),
        (lambda home: home.observe("a", np.ones(DIM), texts="t"), "texts"),
        (lambda home: home.observe("a", np.ones(DIM), tags="urgent"), "tags"),
        (lambda home: home.observe("a", np.ones(DIM), confidences=0.5), "confidences"),
        (lambda home: home.observe("a", np.ones((1, DIM))), "vector"),
        (lambda home: home.observe("a", np.ones(DIM), "t", content="t"), "id"),
        (lambda home: home.recall(np.ones(DIM), 0), "k"),
        (lambda home: home.recall(np.ones(DIM), k=3.0), "k"),
        (lambda home: home.recall(np.ones(DIM), count=3), "count"),
        (lambda home: home.recall(np.ones(DIM), max_generation=-1), "max_generation"),
        (lambda home: home.recall(np.ones(DIM), max_generation=99), "max_generation"),
        (lambda home: home.recall(None), "cue"),
        (lambda home: list(home.recall_stream(np.ones(DIM), 10, 101)), "batch_size"),
        (lambda home: list(home.recall_stream(np.ones(DIM), k=10_001)), "k"),
        (lambda home: home.answer({"k": 3}), "query"),
        (lambda home: home.open("a text"), "query"),
        (lambda home: home.get(3), "id"),
        (lambda home: home.get("a", 99), "max_generation"),
        (lambda home: home.get("a", "x"), "max_generation"),
        (lambda home: home.snapshot(99), "max_generation"),
        (lambda home: home.snapshot(1, snapshot_time=1.0), "snapshot_time"),
        (lambda home: home.snapshot(snapshot_time="yesterday"), "snapshot_time"),
        (lambda home: home.delete("note-1"), "ids"),
        (lambda home: home.delete([3]), "ids[0]"),
    ],
)
def test_bad_arguments_are_named_alike(home: Any, call: Any, field: str) -> None:
    home.observe("there", vector_of("there"))
    with pytest.raises(InvalidInput) as refusal:
        call(home)
    assert refusal.value.field == field
    assert len(home.recall(vector_of("there"), 100)) == 1


def test_old_forms_work_and_warn(home: Any) -> None:
    home.observe("a", vector_of("a"))
    with pytest.warns(DeprecationWarning, match="max_results is deprecated; pass k"):
        assert len(list(home.recall_stream(vector_of("a"), max_results=5))) == 1
    with pytest.warns(DeprecationWarning, match="time is deprecated; pass snapshot_time"):
        assert home.snapshot(time=time.time() + 60).generation == 1
    with pytest.warns(DeprecationWarning, match="timestamps by place is deprecated"):
        assert home.observe(["b"], [vector_of("b")], ["t"], [7]) == 2
    with pytest.warns(DeprecationWarning, match="submit"):
        assert home.observe("c", vector_of("c")).result() == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        home.observe("d", vector_of("d"), "t", confidence=0.5)
        home.recall(vector_of("d"), 3, ef=50)


def test_old_forms_of_a_space_work_and_warn() -> None:
    with embedded("", "old-forms") as space:
        space.observe("a", vector_of("a"))
        with pytest.warns(DeprecationWarning, match="max_generation, ef by place"):
            assert len(space.recall(vector_of("a"), 10, 0, 50)) == 0
        with pytest.warns(DeprecationWarning, match="Space.generation"):
            assert space.visible_generation == 1


@pytest.mark.parametrize("name", CLIENTS)
def test_old_forms_of_a_client_work_and_warn(name: str, server: SocketServer) -> None:
    with HOMES[name](server, f"old-{next(_numbers)}") as client:
        with pytest.warns(DeprecationWarning, match="connect"):
            client.open()
        with pytest.warns(DeprecationWarning, match="submit"):
            assert client.observe_batch(["a"], [vector_of("a")], tags=[["x"]]).result(TIMEOUT_S).generation == 1
        with pytest.warns(DeprecationWarning, match="delete"):
            assert client.forget(["a"]) == 1
