"""The store: its spaces, its directory, its end."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engram.errors import (
    AlreadyExists,
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    OverCapacity,
    StoreLocked,
    Unavailable,
)
from engram.index import HnswIndex
from engram.model.cue import Cue
from engram.model.hit import Hits
from engram.store import MemoryStore, Space
from engram.store.commit.queue import CommitRequest, FifoCommitQueue
from engram.store.store_engine import StoreEngine
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.stored_ids import live_ids, observe
from tests.doubles.stores import store_on
from tests.doubles.waiting import TIMEOUT_S, Outcomes, wait_until_indexed

# ---- spaces ----------------------------------------------------------------------------------------------------


def test_the_default_space_is_there() -> None:
    with MemoryStore(None) as store:
        space = store.space()
        assert (space.config.name, space.config.dim, space.config.metric) == ("default", 768, "cosine")
        assert store.space("default", create=False) is space
        assert store.spaces() == [space]


def test_the_first_use_decides_about_the_default_space(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("default", dim=384)
        assert store.space("default") is space
        assert store.space("default", dim=384, metric="cosine", embedder="") is space
    with MemoryStore(tmp_path) as store:
        assert store.space().config.dim == 384


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 16}, "dimension 8, not 16"),
        ({"metric": "ip"}, "metric 'l2', not 'ip'"),
        ({"embedder": ""}, "embedder 'lexical', not ''"),
    ],
)
def test_other_settings_than_it_has(settings: dict[str, Any], message: str) -> None:
    with MemoryStore(None) as store:
        store.space("notes", dim=8, metric="l2", embedder="lexical")
        with pytest.raises(AlreadyExists, match=message):
            store.space("notes", **settings)


def test_unknown_and_impossible_spaces() -> None:
    with MemoryStore(None) as store:
        with pytest.raises(NotFound):
            store.space("missing", create=False)
        with pytest.raises(NotFound, match="pass a setting, such as dim=384"):
            store.space("missing")
        assert store.spaces() == []
        with pytest.raises(InvalidInput):
            store.space("No Such Name")
        with pytest.raises(InvalidInput):
            store.space("tiny", dim=0)
        # The failed attempt left nothing in the way.
        assert store.space("tiny", dim=1).config.dim == 1
        assert [space.config.name for space in store.spaces()] == ["tiny"]


def test_spaces_do_not_see_each_other() -> None:
    with MemoryStore(None) as store:
        one, two = store.space("one", dim=DIM), store.space("two", dim=DIM)
        observe(one, "a", "b")
        observe(two, "c")
        assert (live_ids(one), live_ids(two)) == (["a", "b"], ["c"])
        assert (one.generation, two.generation) == (2, 1)
        assert two.get("a") is None


def test_threads_that_ask_at_once_get_the_same_space(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        found: list[Space] = []
        start = threading.Barrier(6)

        def ask() -> None:
            start.wait(TIMEOUT_S)
            found.append(store.space("shared", dim=DIM))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_S)
        assert len(found) == 6
        assert len(set(found)) == 1


# ---- reopening -------------------------------------------------------------------------------------------------


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    outcomes = Outcomes()
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a", "b", "c")
        observe(space, "a", version=1)
        space.delete(["c"])
        store._engine.submit(
            CommitRequest(space=space._engine, batch=batch_of(["s"]), session="s", first_sequence=1, done=outcomes)
        )
        outcomes.result()
        wait_until_indexed(space)
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", create=False)
        assert live_ids(space) == ["a", "b", "s"]
        assert (space.generation, space.durable_generation, space.stats().live_count) == (6, 6, 3)
        assert space._engine.durable_sequence("s") == 1
        found = [space.get("a", max_generation=generation) for generation in (3, 4)]
        assert [hit.generation for hit in found if hit is not None] == [1, 4]
        assert {hit.id for hit in space.recall(vector_of("c"), max_generation=3)} == {"a", "b", "c"}
        store._engine.submit(
            CommitRequest(space=space._engine, batch=batch_of(["s"]), session="s", first_sequence=1, done=outcomes)
        )
        assert outcomes.result().duplicate
        assert observe(space, "d") == 7


# ---- failing disks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 100])
def test_a_full_disk_refuses_and_recovers(rows: int) -> None:
    storage = FaultyStorage()
    with store_on(storage=storage) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a")
        storage.faults.pending.append(Fault("write", errno.ENOSPC, bytes_before=200))
        with pytest.raises(Unavailable) as refusal:
            observe(space, "refused", *(f"refused-{row}" for row in range(1, rows)))
        assert refusal.value.code == "disk_full"
        assert (space.generation, live_ids(space), space.get("refused")) == (1, ["a"], None)
        assert observe(space, "b") == 2
        assert live_ids(space) == ["a", "b"]
        assert {hit.id for hit in space.recall(vector_of("b"), k=10)} == {"a", "b"}
    with store_on(storage=storage.after_power_loss(Random(1))) as store:
        assert live_ids(store.space("notes")) == ["a", "b"]


def test_a_refused_request_of_a_session_can_be_repeated() -> None:
    storage = FaultyStorage()
    outcomes = Outcomes()
    with store_on(storage=storage) as store:
        space = store.space("notes", dim=DIM)
        request = CommitRequest(
            space=space._engine, batch=batch_of(["a"]), session="s", first_sequence=1, done=outcomes
        )
        storage.faults.room = 0
        store._engine.submit(request)
        assert outcomes.error().code == "disk_full"
        storage.faults.room = None
        assert space._engine.durable_sequence("s") == 0
        store._engine.submit(request)
        assert outcomes.result().count == 1
        assert space._engine.durable_sequence("s") == 1


def test_after_a_failed_sync_nothing_is_taken_and_the_rest_still_works() -> None:
    storage = FaultyStorage()
    with store_on(storage=storage) as store:
        space, other = store.space("notes", dim=DIM), store.space("other", dim=DIM)
        observe(space, "a")
        storage.faults.pending.append(Fault("sync", errno.EIO))
        for _ in range(3):
            with pytest.raises(Unavailable) as refusal:
                observe(space, "unknown")
            assert refusal.value.code == "log_failed"
        assert (space.generation, live_ids(space), space.get("unknown")) == (1, ["a"], None)
        assert observe(other, "b") == 1
    with store_on(storage=storage.after_power_loss(Random(3))) as store:
        assert live_ids(store.space("notes"))[0] == "a"


def test_a_commit_that_fails_half_way_ends_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError("no room for the graph")

    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a")
        with monkeypatch.context() as patch:
            patch.setattr(HnswIndex, "append", no_memory)
            with pytest.raises(Unavailable, match="no room for the graph"):
                observe(space, "b")
        with pytest.raises(Unavailable) as refusal:
            observe(space, "c")
        assert refusal.value.code == "commit_failed"
        assert live_ids(space) == ["a"]
    with MemoryStore(tmp_path) as store:
        assert live_ids(store.space("notes"))[0] == "a"
        assert "c" not in live_ids(store.space("notes"))


def test_a_dying_worker_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    real = HnswIndex.link
    failures = iter(range(2))

    def sometimes_fails(index: HnswIndex, count_max: int, *, background: bool) -> int:
        if next(failures, None) is not None:
            raise MemoryError("a worker dies")
        return real(index, count_max, background=background)

    monkeypatch.setattr(HnswIndex, "link", sometimes_fails)
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a", "b")
        wait_until_indexed(space)
    # A worker is counted as dead after another may have done its work, so only the end of all threads tells.
    assert sum(worker.restarts for worker in store.worker_statistics()) == 2


# ---- the end ---------------------------------------------------------------------------------------------------


def test_closing_commits_what_is_queued(tmp_path: Path) -> None:
    outcomes = Outcomes()
    store = MemoryStore(tmp_path)
    space = store.space("notes", dim=DIM)
    for number in range(100):
        store._engine.submit(CommitRequest(space=space._engine, batch=batch_of([f"id-{number}"]), done=outcomes))
    store.close()
    assert len(outcomes.all) == 100
    assert not any(isinstance(outcome, EngramError) for outcome in outcomes.all)
    with MemoryStore(tmp_path) as store:
        assert len(live_ids(store.space("notes"))) == 100


def test_a_closed_store(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path)
    space = store.space("notes", dim=DIM)
    observe(space, "a")
    store.close()
    store.close()
    with pytest.raises(EngramError):
        observe(space, "b")
    with pytest.raises(FailedPrecondition):
        store.space("notes")
    with pytest.raises(FailedPrecondition):
        store.checkpoint()
    # What is in memory can still be asked.
    assert live_ids(space) == ["a"]


def test_closing_ends_every_thread(own_threads: Callable[[], list[str]], tmp_path: Path) -> None:
    store = MemoryStore(tmp_path)
    observe(store.space("notes", dim=DIM), "a")
    assert "engram-committer" in own_threads()
    store.close()
    assert own_threads() == []


def test_several_threads_may_close(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path)
    observe(store.space("notes", dim=DIM), "a")
    threads = [threading.Thread(target=store.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    # Whoever returned from close may open the directory again.
    MemoryStore(tmp_path).close()


def test_a_full_queue_refuses() -> None:
    intake = FifoCommitQueue(count_max=3, bytes_max=1 << 20, take_count_max=10, take_bytes_max=1 << 20)
    with store_on(intake=intake) as store:
        space = store.space("notes", dim=DIM)
        with pytest.raises(OverCapacity) as refusal:
            observe(space, "a", "b", "c", "d")
        assert refusal.value.limit == "3"
        assert observe(space, "a", "b", "c") == 3


def test_a_forked_child_cannot_use_the_store(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a")
        child = os.fork()
        if child == 0:  # pragma: no cover  (another process)
            code = 1
            try:
                observe(space, "b")
            except FailedPrecondition as error:
                store.close()
                code = 0 if error.code == "forked" else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert observe(space, "c") == 2
        with pytest.raises(StoreLocked):
            StoreEngine(tmp_path)


def test_a_space_with_an_unknown_embedder_is_not_created() -> None:
    with MemoryStore(None) as store:
        with pytest.raises(NotFound, match="nope") as caught:
            store.space("words", dim=384, embedder="nope")
        assert caught.value.code == "unknown_embedder"
        assert "words" not in {space.config.name for space in store.spaces()}
        assert store.space("words", dim=16).config.embedder == ""


@pytest.mark.parametrize("options", [{}, None, 3])
def test_options_are_store_options(options: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        MemoryStore(None, options=options)
    assert (refusal.value.code, refusal.value.field) == ("invalid_option", "options")


def test_flags_of_a_store_are_truth_values() -> None:
    with pytest.raises(InvalidInput) as refusal:
        MemoryStore(None, read_only="no")  # type: ignore[arg-type]
    assert (refusal.value.code, refusal.value.field) == ("invalid_flag", "read_only")
    with MemoryStore(None) as store, pytest.raises(InvalidInput) as refusal:
        store.space(create="no")  # type: ignore[arg-type]
    assert (refusal.value.code, refusal.value.field) == ("invalid_flag", "create")


def test_nothing_can_be_followed_once_the_store_is_closed() -> None:
    cue = Cue(vector=vector_of("a"), score_min=0.5)
    store = MemoryStore(None)
    space = store.space(dim=DIM)
    space.observe("a", vector_of("a"))
    following, rest = space.recall_stream(cue, follow=True), list[Hits]()
    assert [hit.id for hit in next(following)] == ["a"]
    follower = threading.Thread(target=lambda: rest.extend(following))
    follower.start()
    store.close()
    follower.join(TIMEOUT_S)
    assert (follower.is_alive(), rest) == (False, [])
    with pytest.raises(FailedPrecondition) as refusal:
        space.recall_stream(cue, follow=True)
    assert refusal.value.code == "closed"
    assert [hit.id for hits in space.recall_stream(cue) for hit in hits] == ["a"]
