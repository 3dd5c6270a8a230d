"""A space: observing, superseding, deleting, recalling, snapshots."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.errors import FailedPrecondition, InvalidInput, SequenceError
from engram.metrics import table
from engram.model import observations
from engram.model.cue import Cue, Filter
from engram.store import MemoryStore, Space
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.text import registry
from tests.doubles.batches import DIM, batch_of, content_of, vector_of
from tests.doubles.waiting import TIMEOUT_S, Outcomes, wait_until_indexed


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path / "data" if request.param == "file" else None) as store:
        yield store


@pytest.fixture
def space(store: MemoryStore) -> Space:
    return store.space(dim=DIM)


def observe(space: Space, *ids: str, version: int = 0) -> int:
    batch = batch_of(ids, version)
    return space.observe(
        ids,
        batch.vectors,
        batch.contents,
        timestamps=batch.times_us / 1e6,
        confidences=batch.confidences,
        importances=batch.importances,
        metadata=batch.metadata,
        tags=batch.tags,
    )


def recalled(space: Space, id: str, version: int = 0, **options: Any) -> list[str]:
    return [hit.id for hit in space.recall(vector_of(id, version), **options)]


def test_an_observation_is_recallable_on_return(space: Space) -> None:
    assert observe(space, "a", "b") == 2
    assert (space.generation, space.durable_generation) == (2, 2)
    best, other = space.recall(vector_of("b"))
    assert (best.id, best.generation, best.content) == ("b", 2, content_of("b"))
    assert best.score == pytest.approx(1.0, abs=1e-5)
    assert best.metadata == {"id": "b", "version": 0}
    assert best.tags == ["tag b", "ß"]
    assert (best.time_us, best.confidence, best.importance) == (1_001_500_000, 0.25 + 1 / 1024, 0.5 + 1 / 1024)
    assert other.id == "a"
    assert other.score < best.score
    np.testing.assert_array_equal(best.vector, vector_of("b"))


def test_an_empty_space(space: Space) -> None:
    assert space.recall(vector_of("a")) == []
    assert list(space.recall_stream(vector_of("a"))) == []
    assert space.get("a") is None
    assert space.delete(["a"]) == 0
    assert space.generation == 0


def test_the_later_observation_supersedes(space: Space) -> None:
    observe(space, "a", "b")
    observe(space, "a", version=1)
    hit = space.get("a")
    assert hit is not None
    assert (hit.generation, hit.content) == (3, content_of("a", 1))
    assert sorted(recalled(space, "a")) == ["a", "b"]
    assert space.recall(vector_of("a", 1), k=1)[0].generation == 3
    assert space.stats().live_count == 2


def test_within_a_batch_too(space: Space) -> None:
    vectors = np.stack([vector_of("a", version) for version in range(3)])
    space.observe(["a", "a", "a"], vectors, ["first", "second", "third"])
    hits = space.recall(vectors[0])
    assert [(hit.id, hit.generation, hit.content) for hit in hits] == [("a", 3, "third")]


def test_deleting(space: Space) -> None:
    observe(space, "a", "b", "c")
    assert space.delete(["b", "nothing", "b", "c"]) == 2
    assert space.generation == 5
    assert recalled(space, "b") == ["a"]
    assert space.get("b") is None
    assert space.delete(["b"]) == 0
    observe(space, "b", version=1)
    assert sorted(recalled(space, "b")) == ["a", "b"]
    assert space.stats().live_count == 2


def test_every_generation_can_be_looked_back_at(space: Space) -> None:
    observe(space, "a", "b")
    observe(space, "a", version=1)
    space.delete(["b"])
    observe(space, "c")
    states = [{"a": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 3}, {"a": 3}, {"a": 3, "c": 5}]
    for linked in (False, True):
        for generation, state in enumerate(states, start=1):
            hits = space.recall(vector_of("a"), max_generation=generation)
            assert {hit.id: hit.generation for hit in hits} == state
            found = {id: space.get(id, max_generation=generation) for id in "abc"}
            assert {id: hit.generation for id, hit in found.items() if hit is not None} == state
        if not linked:
            wait_until_indexed(space)
    assert space.recall(vector_of("a"), max_generation=0) == []
    assert space.get("a", max_generation=0) is None
    with pytest.raises(InvalidInput, match="yet to come; the newest is 5"):
        space.recall(vector_of("c"), max_generation=6)


def test_a_snapshot_does_not_move(space: Space) -> None:
    observe(space, "a", "b")
    snapshot = space.snapshot()
    observe(space, "a", "c", version=1)
    space.delete(["b"])
    assert snapshot.generation == 2
    assert sorted(hit.id for hit in snapshot.recall(vector_of("a"))) == ["a", "b"]
    first = snapshot.get("a")
    assert first is not None
    assert first.content == content_of("a", 0)
    assert snapshot.get("c") is None
    assert [[hit.id for hit in batch] for batch in snapshot.recall_stream(vector_of("b"), batch_size=1)] == [
        ["b"],
        ["a"],
    ]


def test_a_stream_is_one_generation_in_batches(space: Space) -> None:
    observe(space, *(f"id-{row}" for row in range(25)))
    stream = space.recall_stream(vector_of("id-3"), k=23, batch_size=10)
    observe(space, "id-3", "new", version=1)
    space.delete(["id-4"])
    batches = list(stream)
    assert list(map(len, batches)) == [10, 10, 3]
    hits = [hit for batch in batches for hit in batch]
    assert hits[0].generation == 4
    assert all(hit.generation <= 25 for hit in hits)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_hits_outlive_what_happens_later(space: Space) -> None:
    observe(space, "a")
    (hit,) = space.recall(vector_of("a"))
    observe(space, "a", version=1)
    space.delete(["a"])
    assert (hit.id, hit.content) == ("a", content_of("a", 0))


def test_indexed_says_whether_it_came_from_the_graph(space: Space) -> None:
    observe(space, "a")
    wait_until_indexed(space)
    assert space.recall(vector_of("a"))[0].indexed
    assert space.stats().tail_count == 0
    moved = threading.Event()
    space._engine.add_indexed_listener(lambda generation: moved.set() if generation >= 3 else None)
    observe(space, "b")
    # A deletion has nothing to link, but the watermark passes it.
    space.delete(["a"])
    assert moved.wait(TIMEOUT_S)
    assert space.indexed_generation == 3


def test_nobody_hears_of_indexed_before_stored(space: Space) -> None:
    told: list[int] = []
    all_told = threading.Event()
    told_before_done: list[int] = []

    def listen(generation: int) -> None:
        told.append(generation)
        if generation >= 2:
            all_told.set()

    def done(_: object) -> None:
        # The worst case: it is in the graph before the answer is out.
        while space._engine.indexing.link(10):
            pass
        space._engine.indexing.announce()
        told_before_done.extend(told)

    space._engine.add_indexed_listener(listen)
    space._engine._submit(CommitRequest(space=space._engine, batch=batch_of(["a", "b"]), done=done))
    assert all_told.wait(TIMEOUT_S)
    assert told_before_done == []


def test_listeners_that_raise_do_no_harm(space: Space, caplog: pytest.LogCaptureFixture) -> None:
    def raises(_: int) -> None:
        raise RuntimeError("the listener is gone")

    space._engine.add_indexed_listener(raises)
    told = threading.Event()
    space._engine.add_indexed_listener(lambda _: told.set())
    observe(space, "a")
    assert told.wait(TIMEOUT_S)
    assert "the listener is gone" in caplog.text


def test_columns_have_defaults(space: Space) -> None:
    space.observe(["a"], [vector_of("a")])
    hit = space.get("a")
    assert hit is not None
    assert (hit.content, hit.metadata, hit.tags, hit.confidence, hit.importance) == ("", {}, [], 1.0, 0.5)
    assert hit.score == 1.0


def test_text_is_embedded_by_the_space(store: MemoryStore) -> None:
    space = store.space("texts", dim=64, embedder="lexical")
    space.observe(["cat", "car"], contents=["a cat sat on the mat", "the engine of a fast car"])
    assert space.recall("the cat on a mat", k=1)[0].id == "cat"
    assert space.recall("fast engines", k=1)[0].id == "car"
    with pytest.raises(InvalidInput):
        space.observe(["empty"], contents=[""])
    with pytest.raises(InvalidInput):
        space.recall("")


class ReusingEmbedder:
    """An embedder that returns the same array each time."""

    name = "reusing"

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.array = np.zeros((1, dim), np.float32)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.array[:] = len(texts[0])
        return self.array


def test_what_an_embedder_made_stays_as_it_was(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._factories, "reusing", ReusingEmbedder)
    space = store.space("texts", dim=64, metric="l2", embedder="reusing")
    futures = [space.submit(f"id-{size}", None, "x" * size) for size in range(1, 30)]
    for size, future in enumerate(futures, start=1):
        future.result(TIMEOUT_S)
        hit = space.get(f"id-{size}")
        assert hit is not None
        np.testing.assert_array_equal(hit.vector, np.full(64, size))


def test_what_is_submitted_is_the_callers_no_longer(space: Space) -> None:
    vector, futures = np.empty(DIM, np.float32), []
    for number in range(1, 100):
        vector[:] = number, *range(1, DIM)
        futures.append(space.submit(f"id-{number}", vector))
    vectors, shares = np.ones((500, DIM), np.float32), np.full(500, 0.5, np.float32)
    futures.append(space.submit([f"many-{number}" for number in range(500)], vectors, confidences=shares))
    vector[:], vectors[:], shares[:] = np.nan, np.nan, np.nan
    for future in futures:
        future.result(TIMEOUT_S)
    for number in range(1, 100):
        hit = space.get(f"id-{number}")
        assert hit is not None
        np.testing.assert_array_equal(hit.vector, [number, *range(1, DIM)])
    last = space.get("many-499")
    assert last is not None
    np.testing.assert_array_equal(last.vector, np.ones(DIM))
    assert last.confidence == 0.5


def test_text_without_an_embedder(space: Space) -> None:
    with pytest.raises(FailedPrecondition) as refusal:
        space.observe(["a"], contents=["words"])
    assert refusal.value.code == "no_embedder"
    with pytest.raises(FailedPrecondition):
        space.recall("words")


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"ids": ["a"], "vectors": np.ones((1, DIM + 1))}, "embedding"),
        ({"ids": ["a", "b"], "vectors": np.ones((2, DIM)) * [[1], [np.nan]]}, "embedding[1][0]"),
        ({"ids": ["a"], "vectors": np.zeros((1, DIM))}, "embedding[0]"),
        ({"ids": [""], "vectors": np.ones((1, DIM))}, "id[0]"),
        ({"ids": ["a", "b"], "vectors": np.ones((1, DIM))}, "vectors"),
        ({"ids": [], "vectors": np.ones((0, DIM))}, "batch"),
        ({"ids": ["a"] * 10_001, "vectors": np.ones((10_001, DIM)), "if_absent": True}, "batch"),
        ({"ids": [*["a"] * 10_000, ""], "vectors": np.ones((10_001, DIM))}, "id[10000]"),
    ],
)
def test_bad_observations_are_refused_by_name_and_leave_no_trace(
    space: Space, columns: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        space.observe(**columns)
    assert refusal.value.field == field
    assert space.generation == 0


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"k": 0}, "k"),
        ({"k": 2**31}, "k"),
        ({"ef": 0}, "ef"),
        ({"ef": 10_001}, "ef"),
        ({"k": 2.0}, "k"),
        ({"k": True}, "k"),
        ({"k": None}, "k"),
        ({"k": "3"}, "k"),
        ({"ef": 2.0}, "ef"),
        ({"ef": True}, "ef"),
        ({"max_generation": 1.0}, "max_generation"),
        ({"max_generation": True}, "max_generation"),
        ({"max_generation": "1"}, "max_generation"),
        ({"max_generation": 1}, "max_generation"),
        ({"snapshot_time": "soon"}, "snapshot_time"),
        ({"snapshot_time": True}, "snapshot_time"),
        ({"snapshot_time": 10**18}, "snapshot_time"),
        ({"strength": 1.0}, "strength"),
        ({"cue": None}, "cue"),
        ({"cue": []}, "vector"),
        ({"max_generation": -1}, "max_generation"),
        ({"cue": np.ones(DIM + 1)}, "embedding"),
        ({"cue": np.ones((1, DIM))}, "vector"),
        ({"cue": np.zeros(DIM)}, "embedding[0]"),
    ],
)
def test_bad_recalls_are_refused_by_name(space: Space, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        space.recall(**{"cue": vector_of("a"), **options})
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"k": 0}, "k"),
        ({"k": 5.0}, "k"),
        ({"batch_size": 101}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"batch_size": None}, "batch_size"),
        ({"timeout_ms": 0.5}, "timeout_ms"),
        ({"timeout_ms": 0}, "timeout_ms"),
    ],
)
def test_bad_streams_are_refused_at_once(space: Space, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        space.recall_stream(vector_of("a"), **options)
    assert refusal.value.field == field


@pytest.mark.parametrize("ids", [itertools.repeat("a"), [3], "a" * 10_001, "note-1", b"ab", None, {"a": 1}, ["\ud800"]])
def test_bad_deletes_are_refused(space: Space, ids: Any) -> None:
    with pytest.raises(InvalidInput):
        space.delete(ids)


def test_sessions_are_exactly_once(space: Space) -> None:
    outcomes = Outcomes()

    def send(first_sequence: int, *ids: str) -> None:
        request = CommitRequest(
            space=space._engine, batch=batch_of(ids), session="s", first_sequence=first_sequence, done=outcomes
        )
        space._engine._submit(request)

    send(1, "a", "b")
    assert outcomes.result() == CommitResult(1, 2, 2)
    send(1, "a", "b")
    assert outcomes.result() == CommitResult(1, 2, 0, duplicate=True)
    send(5, "e")
    error = outcomes.error()
    assert isinstance(error, SequenceError)
    assert error.expected_sequence == 3
    send(2, "b", "c")
    assert outcomes.result() == CommitResult(2, 3, 1)
    assert (space._engine.durable_sequence("s"), space._engine.durable_sequence("other")) == (3, 0)
    assert space.generation == 3
    assert space.stats().duplicates == 3


def test_many_threads_share_commits(space: Space) -> None:
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            start.wait(TIMEOUT_S)
            for turn in range(25):
                id = f"{number}-{turn}"
                generation = observe(space, id)
                hit = space.get(id)
                assert hit is not None
                assert hit.generation == generation
                assert id in recalled(space, id, k=3)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert failures == []
    stats = space.stats()
    assert (stats.live_count, stats.observed, space.generation) == (200, 200, 200)
    assert stats.commits <= 200


def test_every_number_that_a_space_counts_is_a_metric(space: Space) -> None:
    numbers = itertools.count(1001)
    expected = set()
    for part in (space._engine._writer, space._engine.indexing):
        for name, value in vars(part).items():
            if isinstance(value, int) and not name.startswith("_"):
                setattr(part, name, next(numbers))
                expected.add(getattr(part, name))
    assert len(expected) == 6
    stats = space.stats()
    assert expected <= {sample.value for sample in stats.metrics}
    assert {sample.labels["memory_space"] for sample in stats.metrics} == {space.config.name}
    assert stats.commits == space._engine._writer.commits
    assert stats.metrics.value(table.COMPACTIONS) == space._engine.indexing.compactions


def test_recalls_see_whole_snapshots_while_everything_is_rewritten(space: Space) -> None:
    ids = [f"id-{row}" for row in range(40)]
    observe(space, *ids)
    done = threading.Event()
    failures: list[BaseException] = []

    def rewrite() -> None:
        try:
            for version in range(1, 30):
                observe(space, *ids, version=version)
                space.delete(ids[:5])
                observe(space, *ids[:5], version=version)
        except BaseException as failure:
            failures.append(failure)
        finally:
            done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not done.is_set():
        snapshot = space.snapshot()
        hits = snapshot.recall(vector_of("id-7"), k=100)
        found = [hit.id for hit in hits]
        assert len(set(found)) == len(found)
        assert set(ids[5:]) <= set(found)
        assert all(hit.generation <= snapshot.generation for hit in hits)
        again = {hit.generation for hit in snapshot.recall(vector_of("id-7"), k=100)}
        assert again == {hit.generation for hit in hits}
    writer.join(TIMEOUT_S)
    assert failures == []


def test_other_metrics_need_no_direction(store: MemoryStore) -> None:
    space = store.space("plain-l2", dim=DIM, metric="l2")
    space.observe(["zero", "one"], np.stack([np.zeros(DIM), np.ones(DIM)]))
    best, other = space.recall(np.zeros(DIM))
    assert (best.id, best.score) == ("zero", 0.0)
    assert other.score == pytest.approx(-DIM)


def test_a_commit_does_not_parse_what_the_check_has_parsed(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(texts: list[str]) -> Any:
        raise AssertionError(f"{texts} is parsed again")

    monkeypatch.setattr(observations, "read_metadata_column", parse)
    space = store.space("wide", dim=256)
    space.observe(["a", "b"], np.eye(2, 256), metadata=[{"n": 1}, '{"n":2}'])
    (hit,) = space.recall(Cue(vector=np.ones(256), filter=Filter(metadata={"n": 2})))
    assert hit.id == "b"
