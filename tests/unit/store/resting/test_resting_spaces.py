"""Spaces are opened when they are used, and rest when they are not."""

from __future__ import annotations

import gc
import resource
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.errors import CorruptData, FailedPrecondition, OverCapacity
from engram.index import HnswIndex
from engram.model.arguments import ManyObservations
from engram.model.cue import Cue
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.commit.queue import CommitRequest
from engram.store.resting import open_spaces
from engram.store.resting.open_limit import open_spaces_max
from engram.store.resting.space_summaries import FILE
from engram.store.space_engine import SpaceEngine
from tests.doubles.waiting import Outcomes, wait_until_indexed

DIM = 8
COUNT = 9
OPEN_MAX = 3
OPTIONS = StoreOptions(open_spaces_max=OPEN_MAX, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0)
NAMES = [f"space-{number}" for number in range(COUNT)]
VECTOR = np.ones(DIM, dtype=np.float32)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path, options=OPTIONS) as opened:
        yield opened


def filled(store: MemoryStore) -> list[Space]:
    """Spaces with one observation each."""
    spaces = [store.space(name, dim=DIM) for name in NAMES]
    for space in spaces:
        space.observe("only", VECTOR, f"of {space.name}")
    return spaces


def contents(space: Space) -> list[str]:
    return [hit.content for hit in space.recall(VECTOR)]


def open_names(store: MemoryStore) -> set[str]:
    return {engine.config.name for engine in store._engine.spaces()}


def test_all_spaces_are_used_and_few_are_open(store: MemoryStore) -> None:
    spaces = filled(store)
    for _ in range(2):
        for space in spaces:
            assert contents(space) == [f"of {space.name}"]
            assert len(open_names(store)) <= OPEN_MAX
    assert [space.name for space in store.spaces()] == NAMES
    assert len(open_names(store)) <= OPEN_MAX
    assert all(store.space(name) is space for name, space in zip(NAMES, spaces, strict=True))
    # Every commit counts, also those of spaces that rest.
    assert store.commits == COUNT


def test_a_space_is_written_on_after_a_rest(store: MemoryStore) -> None:
    first, *others = filled(store)
    before = first.generation
    assert [contents(space) for space in others]
    assert first.name not in open_names(store)
    assert first.observe("more", -VECTOR) == before + 1
    assert first.delete(["only"]) == 1
    assert [contents(space) for space in others]
    assert (first.get("only"), first.get("more") is not None, first.generation) == (None, True, before + 2)
    assert first.get("only", before) is not None


def test_the_least_recently_used_one_rests(store: MemoryStore) -> None:
    spaces = filled(store)
    for space in spaces[:OPEN_MAX]:
        wait_until_indexed(space)
    for space in (spaces[1], spaces[2], spaces[3]):
        contents(space)
    assert spaces[0].name not in open_names(store)
    # Which one was opened first does not matter: the one that is used again stays, and another one rests.
    for engine in store._engine.spaces():
        wait_until_indexed(store.space(engine.config.name))
        engine.occupancy.touched = False
    oldest, *others = store._engine.table._open.by_name
    resting = next(name for name in NAMES if name not in (oldest, *others))
    assert contents(store.space(oldest)) == [f"of {oldest}"]
    assert contents(store.space(resting)) == [f"of {resting}"]
    assert {oldest, resting} < open_names(store)
    assert len(open_names(store) & set(others)) == 1


def test_a_new_start_opens_nothing_and_knows_all(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        spaces = filled(store)
        spaces[0].observe("only", VECTOR, "newer")
        spaces[1].delete(["only"])
    for is_cached in (True, False):
        if not is_cached:
            (tmp_path / FILE).write_bytes(b"{}")
        with MemoryStore(tmp_path, options=OPTIONS) as store:
            assert open_names(store) == set()
            known = {known.config.name: known for known in store._engine.table.resting()}
            assert [known[name].generation for name in NAMES] == [2, 2, *[1] * (COUNT - 2)]
            if is_cached:
                assert [known[name].live_count for name in NAMES] == [1, 0, *[1] * (COUNT - 2)]
            assert {known.config for known in known.values()} == {SpaceConfig(name, DIM) for name in NAMES}
            assert [space.config.dim for space in store.spaces()] == [DIM] * COUNT
            assert open_names(store) == set()
            assert contents(store.space(NAMES[0])) == ["newer"]
            assert open_names(store) == {NAMES[0]}


def test_few_spaces_are_opened_at_the_start_so_that_damage_is_known(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        filled(store)
    damage(tmp_path, NAMES[4])
    with MemoryStore(tmp_path) as store:
        assert (list(store.unsound), len(open_names(store))) == ([NAMES[4]], COUNT - 1)


def damage(path: Path, name: str) -> None:
    (segment,) = (path / "spaces" / name / "log").iterdir()
    segment.write_bytes(segment.read_bytes()[:4096])


def test_a_damaged_space_hinders_no_other(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        filled(store)
    damage(tmp_path, NAMES[4])
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        assert store.unsound == {}
        for _ in range(2):
            for name in NAMES:
                if name == NAMES[4]:
                    with pytest.raises(CorruptData):
                        store.space(name)
                else:
                    assert contents(store.space(name)) == [f"of {name}"]
        assert (list(store.unsound), NAMES[4] in [space.name for space in store.spaces()]) == ([NAMES[4]], False)


def test_everything_is_scrubbed_also_what_rests(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        filled(store)
    damage(tmp_path, NAMES[4])
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        assert (store.scrub(), list(store.unsound)) == ((), [NAMES[4]])


def test_a_snapshot_a_follower_and_a_hold_keep_spaces_open(store: MemoryStore) -> None:
    spaces = filled(store)
    snapshot = spaces[0].snapshot()
    stream = spaces[1].recall_stream(Cue(VECTOR, score_min=0.5), follow=True)
    engine = spaces[2]._engine.held()
    for space in spaces[:3]:
        wait_until_indexed(space)
    with pytest.raises(OverCapacity) as caught:
        contents(spaces[3])
    assert (caught.value.code, caught.value.limit) == ("too_many_open_spaces", str(OPEN_MAX))
    assert caught.value.retry_after_ms is not None
    assert open_names(store) == set(NAMES[:3])
    engine.let_go()
    assert contents(spaces[3]) == [f"of {NAMES[3]}"]
    assert open_names(store) == {*NAMES[:2], NAMES[3]}
    assert [hit.content for hit in snapshot.recall(VECTOR)] == [f"of {NAMES[0]}"]
    stream.close()
    del snapshot
    assert [contents(space) for space in spaces[4:]] == [[f"of {name}"] for name in NAMES[4:]]
    assert not open_names(store) & set(NAMES[:2])


def test_spaces_that_wait_for_room_do_not_take_it_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = StoreOptions(open_spaces_max=1, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0)
    monkeypatch.setattr(open_spaces, "_ROOM_TIMEOUT_S", 60.0)
    with MemoryStore(tmp_path, options=options) as store, ThreadPoolExecutor(4) as pool:
        spaces = filled(store)
        opened, held = store._engine.table._open, spaces[0]._engine.held()
        retire_one, waiting, all_wait = opened._retire_one, set[int](), threading.Barrier(5)

        def retiring(**how: bool) -> SpaceEngine | None:
            if threading.get_ident() not in waiting:
                waiting.add(threading.get_ident())
                all_wait.wait(60)
            return retire_one(**how)

        monkeypatch.setattr(opened, "_retire_one", retiring)
        found = [pool.submit(contents, space) for space in spaces[1:5]]
        all_wait.wait(60)
        held.let_go()
        assert [one.result(60) for one in found] == [[f"of {name}"] for name in NAMES[1:5]]


def test_writes_from_many_threads_are_kept_while_spaces_come_and_go(tmp_path: Path) -> None:
    each = 12

    def write(number: int) -> None:
        for row in range(each):
            for name in NAMES:
                crowded.space(name, dim=DIM).observe(f"{number}-{row}", VECTOR, name)

    with MemoryStore(tmp_path, options=OPTIONS) as crowded, ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
        assert len(open_names(crowded)) <= OPEN_MAX
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        for name in NAMES:
            space = store.space(name)
            assert (space.generation, space.stats().live_count) == (3 * each, 3 * each)
            assert {hit.content for hit in space.recall(VECTOR, k=3 * each)} == {name}


def test_what_reaches_an_engine_that_rests_goes_to_the_one_in_its_place(store: MemoryStore) -> None:
    spaces = filled(store)
    engine = spaces[0]._engine
    batch = engine.prepare(_batch())
    assert [contents(space) for space in spaces[1:]]
    assert engine.occupancy.rests
    assert engine.submit(batch).result(60).first_generation == 2
    assert spaces[0].generation == 2
    outcomes = Outcomes()
    store._engine.submit(CommitRequest(space=engine, batch=batch, session="s", first_sequence=1, done=outcomes))
    assert outcomes.result().first_generation == 3
    assert spaces[0]._engine.durable_sequence("s") == 1
    held = engine.held()
    assert (held is spaces[0]._engine, held is engine) == (True, False)
    held.let_go()


def _batch() -> ObservationBatch:
    return ManyObservations(["late"], VECTOR[None, :], ["late"], {}).batch(SpaceConfig(NAMES[0], DIM))


def test_a_session_survives_the_rest_of_its_space(store: MemoryStore) -> None:
    spaces = filled(store)
    engine, outcomes = spaces[0]._engine, Outcomes()
    store._engine.submit(
        CommitRequest(space=engine, batch=engine.prepare(_batch()), session="s", first_sequence=1, done=outcomes)
    )
    assert not outcomes.result().duplicate
    assert [contents(space) for space in spaces[1:]]
    again = spaces[0]._engine
    assert (again is engine, again.durable_sequence("s")) == (False, 1)
    store._engine.submit(
        CommitRequest(space=again, batch=again.prepare(_batch()), session="s", first_sequence=1, done=outcomes)
    )
    assert outcomes.result().duplicate


def test_a_space_that_rests_leaves_memory_at_once(store: MemoryStore) -> None:
    gc.disable()
    try:
        spaces = filled(store)
        engine, graph = weakref.ref(spaces[0]._engine), weakref.ref(spaces[0]._engine._state.index)
        wait_until_indexed(spaces[0])
        assert [contents(space) for space in spaces[1:]]
        # No thread of the store refers to it for longer than a task takes.
        store.checkpoint()
        assert (engine(), graph()) == (None, None)
    finally:
        gc.enable()


def test_a_checkpoint_is_written_if_it_pays(tmp_path: Path) -> None:
    options = StoreOptions(open_spaces_max=1, spaces_at_start_max=0, checkpoint_rest_count_min=20, workers=1)
    with MemoryStore(tmp_path, options=options) as store:
        for count, name in ((19, "small"), (20, "large"), (1, "last")):
            space = store.space(name, dim=DIM)
            space.observe([f"id-{row}" for row in range(count)], np.tile(VECTOR, (count, 1)))
            wait_until_indexed(space)
        assert not list((tmp_path / "spaces/small/checkpoints").iterdir())
        assert len(list((tmp_path / "spaces/large/checkpoints").iterdir())) == 1
        assert store.space("large").stats().checkpoint_generation == 20
        assert store.space("small").stats().live_count == 19


def test_what_was_returned_stays_readable_while_the_space_rests(store: MemoryStore) -> None:
    spaces = filled(store)
    hits = spaces[0].recall(VECTOR)
    stream = spaces[0].recall_stream(VECTOR)
    assert [contents(space) for space in spaces[1:]]
    assert spaces[0].name not in open_names(store)
    assert hits[0].content == next(stream)[0].content == f"of {NAMES[0]}"


def test_a_closed_store_opens_nothing_any_more(store: MemoryStore) -> None:
    spaces = filled(store)
    store.close()
    with pytest.raises(FailedPrecondition) as caught:
        contents(spaces[0])
    assert caught.value.code == "closed"
    assert contents(spaces[-1]) == [f"of {NAMES[-1]}"]


def test_spaces_in_memory_never_rest() -> None:
    with MemoryStore(None, options=OPTIONS) as store:
        assert [contents(space) for space in filled(store)] == [[f"of {name}"] for name in NAMES]
        assert len(open_names(store)) == COUNT


def test_the_limit_is_what_connections_leave_the_process(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = store._engine._storage
    for files_max, most in ((1024, 51), (16, 4), (100_000, 200), (resource.RLIM_INFINITY, 200)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files_max=files_max: (files_max, files_max))
        assert open_spaces_max(storage, StoreOptions(open_spaces_max=200)) == most


def test_a_space_of_one_row_takes_little_room(store: MemoryStore, tmp_path: Path) -> None:
    filled(store)
    store.close()
    for name in NAMES:
        files = [tmp_path / "spaces" / name, *(tmp_path / "spaces" / name).rglob("*")]
        assert sum(max(file.stat().st_blocks * 512, 4096) for file in files) < 64 << 10


def test_a_space_rests_though_a_little_is_to_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where other programs take the processors, linking may take longer than anybody wants to wait."""
    options = StoreOptions(
        open_spaces_max=1, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0, checkpoint_rest_count_min=3
    )
    with monkeypatch.context() as busy, MemoryStore(tmp_path, options=options) as store:
        busy.setattr(HnswIndex, "link", lambda *_, **__: 0)
        spaces = filled(store)
        assert [contents(space) for space in spaces] == [[f"of {name}"] for name in NAMES]
        assert len(open_names(store)) == 1
        due = [space.config.name for dues in store._engine._workers._scheduler._due for space in dues]
        assert due in ([], [NAMES[-1]])
        spaces[0].observe(["more", "most"], np.tile(VECTOR, (2, 1)))
        with pytest.raises(OverCapacity) as caught:
            contents(spaces[1])
        assert caught.value.code == "too_many_open_spaces"
        busy.undo()
        store._engine._workers.notify(spaces[0]._engine)
        wait_until_indexed(spaces[0])
        assert contents(spaces[1]) == [f"of {NAMES[1]}"]
    with MemoryStore(tmp_path) as store:
        assert store.space(NAMES[0]).stats().live_count == 3


@pytest.mark.parametrize("way", ["observe", "submit"])
def test_what_is_embedded_while_its_space_comes_to_rest_goes_to_the_engine_in_its_place(
    store: MemoryStore, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = filled(store)
    prepare, queue, resting = SpaceEngine.prepare, SpaceEngine._queue, list[bool]()

    def slow(engine: SpaceEngine, batch: ObservationBatch) -> ObservationBatch:
        assert [contents(space) for space in others]
        assert engine.occupancy.rests
        return prepare(engine, batch)

    def queued(engine: SpaceEngine, *arguments: Any, **keywords: Any) -> None:
        resting.append(engine.occupancy.rests)
        queue(engine, *arguments, **keywords)

    monkeypatch.setattr(SpaceEngine, "prepare", slow)
    monkeypatch.setattr(SpaceEngine, "_queue", queued)
    answer = first.observe("more", VECTOR) if way == "observe" else first.submit("more", VECTOR).result(60)
    assert (answer, resting) == (2, [False])


def test_what_is_known_of_a_space_is_not_older_than_the_list_of_spaces(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        filled(store)
    older = (tmp_path / FILE).read_bytes()
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        store.space(NAMES[0]).observe("more", VECTOR)
    # As if the process had been killed.
    (tmp_path / FILE).write_bytes(older)
    for _ in range(2):
        with MemoryStore(tmp_path, options=OPTIONS) as store:
            known = {known.config.name: known for known in store._engine.table.resting()}
            assert [known[name].generation for name in NAMES] == [2, *[1] * (COUNT - 1)]
            assert open_names(store) == set()


def test_whoever_looks_at_a_space_does_not_open_it(store: MemoryStore) -> None:
    spaces = filled(store)
    before = open_names(store)
    assert repr(spaces[0]) == f"Space({NAMES[0]!r}, dim={DIM}, metric='cosine', at rest)"
    assert open_names(store) == before
    assert contents(spaces[0]) == [f"of {NAMES[0]}"]
    touched = spaces[0]._engine.occupancy
    touched.touched = False
    assert repr(spaces[0]) == f"Space({NAMES[0]!r}, dim={DIM}, metric='cosine', generation=1)"
    assert not touched.touched
