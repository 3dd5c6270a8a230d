"""A space behaves the same embedded and over every transport: one suite for all homes."""

from __future__ import annotations

import inspect
import itertools
import time
import warnings
from collections.abc import Iterator
from typing import Any, get_overloads

import numpy as np
import pytest

from engram import Ack, AsyncClient, Client, Cue, Deletion, Filter, Hits, RecallQuery, Space
from engram.client.snapshot import AsyncClientSnapshot, ClientSnapshot
from engram.connection.async_space import AsyncSnapshot, AsyncSpace
from engram.errors import FailedPrecondition, InvalidInput
from engram.model.columns import COLUMNS, MANY_KEYWORDS, ONE_KEYWORDS
from engram.store import Snapshot
from tests.doubles.batches import vector_of as vector_of_dim
from tests.integration.homes import CLIENTS, HOMES, embedded
from tests.integration.server_process import DIM, TIMEOUT_S
from tests.integration.socket_client import SocketServer

_numbers = itertools.count(1)
SHARED = ("delete", "recall", "recall_stream", "answer", "open", "get", "snapshot", "stats")
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


@pytest.mark.parametrize("name", ["observe", "submit"])
def test_homes_say_the_same_of_one_and_of_many(name: str) -> None:
    """What editors and type checkers are told; what the bodies take is what the tests below pass."""
    first, *others = [
        [list(inspect.signature(one).parameters.values()) for one in get_overloads(getattr(home, name))]
        for home in (Space, Client, AsyncClient, AsyncSpace)
    ]
    assert others == [first] * 3
    assert [[one.name for one in overload] for overload in first] == [
        ["self", *ONE_KEYWORDS[:3], "fields"],
        ["self", *MANY_KEYWORDS[:3], "columns"],
    ]


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


ONE = {"content": "t", "timestamp": 12.5, "confidence": 0.5, "importance": 0.25, "metadata": {"n": 1}, "tags": ["x"]}
"""Something else than the default for each column."""


def what_is(hit: Any) -> list[Any]:
    return [getattr(hit, spec.attribute) for spec in COLUMNS]


def stored(home: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
    """Store the observation ``a`` by `name`, and return what is stored then."""
    answer = getattr(home, name)(*arguments, **keywords)
    assert (answer.result(TIMEOUT_S) if name == "submit" else answer) == 1
    hit = home.get("a", include_vectors=True)
    np.testing.assert_array_equal(hit.vector, vector_of("a"))
    return hit


@pytest.mark.parametrize("name", ["observe", "submit"])
@pytest.mark.parametrize("spec", COLUMNS, ids=lambda spec: spec.name)
def test_each_column_is_taken_by_its_keywords(home: Any, name: str, spec: Any) -> None:
    assert set(ONE) == {one.singular for one in COLUMNS}
    value = ONE[spec.singular]
    one = stored(home, name, id="a", vector=vector_of("a"), **{spec.singular: value})
    assert getattr(one, spec.attribute) == (12_500_000 if spec.attribute == "time_us" else value)
    getattr(home, name)(ids=["b"], vectors=[vector_of("b")], **{spec.plural: [value]})
    while (many := home.get("b")) is None:
        home.observe("after", vector_of("after"))
    assert getattr(many, spec.attribute) == getattr(one, spec.attribute)


@pytest.mark.parametrize("name", ["observe", "submit"])
def test_one_may_be_given_by_place(home: Any, name: str) -> None:
    assert stored(home, name, "a", vector_of("a"), "t").content == "t"


@pytest.mark.parametrize("name", ["observe", "submit"])
def test_many_may_be_given_by_place(home: Any, name: str) -> None:
    assert stored(home, name, ["a"], [vector_of("a")], ["t"]).content == "t"


@pytest.mark.parametrize("name", ["observe", "submit"])
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_none_is_not_given(home: Any, name: str, many: bool) -> None:
    before = time.time()
    if many:
        hit = stored(home, name, ["a"], [vector_of("a")], **{spec.plural: None for spec in COLUMNS})
    else:
        hit = stored(home, name, "a", vector_of("a"), **{spec.singular: None for spec in COLUMNS})
    assert before - 1 <= hit.time_us / 1e6 <= time.time() + 1
    assert (hit.content, hit.confidence, hit.importance, hit.metadata, hit.tags) == ("", 1.0, 0.5, {}, [])


def test_no_ids_delete_nothing(home: Any) -> None:
    home.observe("a", vector_of("a"))
    nothing: list[Any] = [[], (), set(), np.array([])]
    for none in nothing:
        assert (home.delete(none), home.delete(none).generation) == (0, 1)
    assert home.get("a") is not None


def test_flags_of_numpy_are_flags(home: Any) -> None:
    home.observe("a", vector_of("a"))
    yes = np.bool_(True)
    assert home.recall(vector_of("a"), include_vectors=yes, skip_damaged=yes)[0].vector is not None
    assert home.get("a", include_vectors=yes).vector is not None


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


ONES = np.ones(DIM)
REFUSED: list[tuple[Any, str, str]] = [
    (lambda home: home.observe(), "invalid_arguments", "ids"),
    (lambda home: home.observe(None), "invalid_arguments", "ids"),
    (lambda home: home.observe("a", ONES, "t", content="t"), "invalid_arguments", "id"),
    (lambda home: home.observe("a", ONES, "t", ids=["x"]), "invalid_arguments", "id"),
    (lambda home: home.observe(id="b", ids="c", vector=ONES), "invalid_arguments", "id"),
    (lambda home: home.observe(["a"], [ONES], ["t"], 1, 2, 3, 4, 5, 6), "invalid_arguments", "ids"),
    (lambda home: home.observe(["a"], [ONES], contens=["t"]), "unknown_argument", "contens"),
    (lambda home: home.observe("a", ONES, texts="t"), "unknown_argument", "texts"),
    (lambda home: home.observe("a", ONES, confidences=0.5), "unknown_argument", "confidences"),
    (lambda home: home.observe(["a"], [ONES], confidence=0.5), "unknown_argument", "confidence"),
    (lambda home: home.observe("a", ONES, tags="urgent"), "not_a_list", "tags"),
    (lambda home: home.observe("a", ONES, tags=["x", 1]), "invalid_text", "tags"),
    (lambda home: home.observe("a", ONES, tags=["x"] * 100), "tags_count", "tags[0]"),
    (lambda home: home.observe("a", ONES, confidence="1"), "confidence_range", "confidence"),
    (lambda home: home.observe("a", ONES, confidence=2), "confidence_range", "confidence[0]"),
    (lambda home: home.observe("a", ONES, metadata=[1]), "invalid_metadata", "metadata"),
    (lambda home: home.observe("a", ONES, timestamp="x"), "invalid_time", "timestamp"),
    (lambda home: home.observe("a", ONES, 5), "invalid_text", "content"),
    (lambda home: home.observe("a", ONES, b"x"), "invalid_text", "content"),
    (lambda home: home.observe("", ONES), "id_size", "id[0]"),
    (lambda home: home.observe("\ud800", ONES), "invalid_text", "id"),
    (lambda home: home.observe(b"a", ONES), "not_a_list", "ids"),
    (lambda home: home.observe({"a"}, [ONES]), "not_a_list", "ids"),
    (lambda home: home.observe(["a", 5], [ONES, ONES]), "invalid_text", "id[1]"),
    (lambda home: home.observe([], np.empty((0, DIM))), "batch_count", "batch"),
    (lambda home: home.observe([]), "batch_count", "batch"),
    (lambda home: home.observe(["x"] * 10_001, np.ones((10_001, DIM))), "batch_count", "batch"),
    (lambda home: home.observe("a", np.ones((1, DIM))), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", ONES[:4]), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", 5), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", [], "t"), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", np.empty(0), "t"), "dimension_mismatch", "vector"),
    (lambda home: home.observe("a", "x"), "invalid_vector", "vector"),
    (lambda home: home.observe("a", ONES * 0), "zero_vector", "embedding[0]"),
    (lambda home: home.observe("a", ONES * np.nan), "not_finite", "embedding[0][0]"),
    (lambda home: home.observe(["a"], ONES), "dimension_mismatch", "vectors"),
    (lambda home: home.observe(["a"], [ONES[:4]]), "dimension_mismatch", "embedding"),
    (lambda home: home.observe(["a"], [[]], ["t"]), "dimension_mismatch", "embedding"),
    (lambda home: home.observe(["a"], np.empty((1, 0)), ["t"]), "dimension_mismatch", "embedding"),
    (lambda home: home.observe(["a"], np.empty((5, 0)), ["t"]), "column_length", "vectors"),
    (lambda home: home.observe(["a", "b"], np.empty((0, DIM)), ["t", "u"]), "column_length", "vectors"),
    (lambda home: home.observe(["a"], [ONES], ["t", "u"]), "column_length", "contents"),
    (lambda home: home.observe(["a"], [ONES], "t"), "not_a_list", "contents"),
    (lambda home: home.observe(["a"], [ONES], confidences=1.0), "not_a_list", "confidences"),
    (lambda home: home.observe(["a"], [ONES], confidences=[1, 2]), "column_length", "confidences"),
    (lambda home: home.observe(["a"], [ONES], tags=["x"]), "not_a_list", "tags[0]"),
    (lambda home: home.recall(ONES, 0), "invalid_k", "k"),
    (lambda home: home.recall(ONES, k=3.0), "invalid_k", "k"),
    (lambda home: home.recall(ONES, None), "invalid_k", "k"),
    (lambda home: home.recall(ONES, count=3), "unknown_argument", "count"),
    (lambda home: home.recall(ONES, follow=True), "unknown_argument", "follow"),
    (lambda home: home.recall(ONES, ef=0), "invalid_ef", "ef"),
    (lambda home: home.recall(ONES, strength=1), "invalid_recall", "strength"),
    (lambda home: home.recall(ONES, max_generation=-1), "invalid_max_generation", "max_generation"),
    (lambda home: home.recall(ONES, max_generation=99), "invalid_max_generation", "max_generation"),
    (lambda home: home.recall(ONES, max_generation=1, snapshot_time=1), "invalid_recall", "snapshot_time"),
    (lambda home: home.recall(ONES, include_vectors="yes"), "invalid_flag", "include_vectors"),
    (lambda home: home.recall(ONES, include_vectors=None), "invalid_flag", "include_vectors"),
    (lambda home: home.recall(ONES, skip_damaged="no"), "invalid_flag", "skip_damaged"),
    (lambda home: home.recall(None), "cue_missing", "cue"),
    (lambda home: home.recall(ONES[:4]), "dimension_mismatch", "embedding"),
    (lambda home: home.recall([ONES]), "dimension_mismatch", "vector"),
    (lambda home: list(home.recall_stream(ONES, 10, 101)), "invalid_batch_size", "batch_size"),
    (lambda home: list(home.recall_stream(ONES, k=10_001)), "invalid_k", "k"),
    (lambda home: list(home.recall_stream(ONES, follow=True)), "invalid_recall", "score_min"),
    (lambda home: home.recall_stream(ONES, follow="no"), "invalid_flag", "follow"),
    (lambda home: home.recall_stream(ONES, include_recent="no"), "invalid_flag", "include_recent"),
    (lambda home: home.recall_stream(ONES, timeout_ms=-1), "invalid_recall", "timeout_ms"),
    (lambda home: home.answer({"k": 3}), "invalid_recall", "query"),
    (lambda home: home.open("a text"), "invalid_recall", "query"),
    (lambda home: home.get(3), "invalid_text", "id"),
    (lambda home: home.get("a", 99), "invalid_max_generation", "max_generation"),
    (lambda home: home.get("a", "x"), "invalid_max_generation", "max_generation"),
    (lambda home: home.get("a", include_vectors="no"), "invalid_flag", "include_vectors"),
    (lambda home: home.snapshot().get("a", include_vectors="no"), "invalid_flag", "include_vectors"),
    (lambda home: home.snapshot(99), "invalid_max_generation", "max_generation"),
    (lambda home: home.snapshot(1, snapshot_time=1.0), "invalid_recall", "snapshot_time"),
    (lambda home: home.snapshot(snapshot_time="yesterday"), "invalid_time", "snapshot_time"),
    (lambda home: home.delete("note-1"), "not_a_list", "ids"),
    (lambda home: home.delete({"a": 1}), "not_a_list", "ids"),
    (lambda home: home.delete([3]), "invalid_text", "ids[0]"),
    (lambda home: home.delete(["x"] * 10_001), "batch_count", "ids"),
]
"""Careless calls, and how every home refuses them."""


@pytest.mark.parametrize("name", HOMES)
def test_bad_arguments_are_named_alike(name: str, server: SocketServer) -> None:
    with HOMES[name](server, f"refused-{next(_numbers)}") as home:
        home.observe("there", vector_of("there"))
        told = []
        for call, *_ in REFUSED:
            with pytest.raises(InvalidInput) as refusal:
                call(home)
            told.append([type(refusal.value), refusal.value.code, refusal.value.field])
        assert told == [[InvalidInput, code, field] for _, code, field in REFUSED]
        assert len(home.recall(vector_of("there"), 100)) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda home: home.observe("a", None, "words"),
        lambda home: home.observe("a"),
        lambda home: home.observe(["a"], None, ["words"]),
        lambda home: home.observe(["a"]),
        lambda home: home.recall("words"),
    ],
)
def test_text_without_an_embedder_is_refused_alike(home: Any, call: Any) -> None:
    with pytest.raises(FailedPrecondition) as refusal:
        call(home)
    assert (refusal.value.code, refusal.value.field) == ("no_embedder", "embedder")


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
