"""Dropping spaces of an open store."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, InvalidInput, NotFound
from engram.maintenance.verify import verify
from engram.store import Cue, MemoryStore
from tests.doubles.batches import DIM, content_of, vector_of
from tests.doubles.named_spaces import IDS, QUIET, RESTING, USES, check_filled, code_of, filled
from tests.doubles.waiting import TIMEOUT_S, wait_until_indexed


def test_a_dropped_space_is_gone(store: MemoryStore) -> None:
    space = filled(store)
    other = filled(store, "other")
    dropped = store.drop("notes")
    assert (dropped.space, dropped.aliases) == ("notes", ())
    assert [one.name for one in store.spaces()] == ["other"]
    assert code_of(lambda: store.space("notes", create=False)) == "unknown_space"
    for use in USES.values():
        assert code_of(partial(use, space)) == "space_dropped"
    assert "dropped" in repr(space)
    check_filled(other)
    if store.path is not None:
        assert sorted(entry.name for entry in (store.path / "spaces").iterdir()) == ["other"]
    assert store.problems() == ()
    assert store.scrub() == ()


def test_a_space_of_a_dropped_name_is_another_one(store: MemoryStore) -> None:
    space = filled(store)
    snapshot = space.snapshot()
    incarnation = space._engine.incarnation
    store.drop("notes")
    again = store.space("notes", dim=4)
    assert again is not space
    assert again._engine.incarnation != incarnation
    assert (len(again), again.config.dim) == (0, 4)
    again.observe("new", np.ones(4))
    # What is left of the former one never means the new one.
    for use in USES.values():
        assert code_of(partial(use, space)) == "space_dropped"
    assert code_of(lambda: snapshot.get(IDS[0])) == "space_dropped"
    assert store.space("notes") is again
    assert [hit.id for hit in again.scan()] == ["new"]


def test_a_cursor_of_a_dropped_space_is_refused_by_its_namesake(store: MemoryStore) -> None:
    cursor = next(filled(store).scan(page_size=5).pages()).cursor
    store.drop("notes")
    again = filled(store)
    with pytest.raises((InvalidInput, FailedPrecondition)):
        next(again.scan(page_size=5, cursor=cursor).pages())


def test_streams_and_snapshots_end_with_their_space(store: MemoryStore) -> None:
    space = filled(store)
    stream = space.recall_stream(vector_of(IDS[0]), k=20, batch_size=2)
    first = next(stream)
    following = space.recall_stream(Cue(vector_of(IDS[0]), score_min=0.9), follow=True)
    snapshot, scan = space.snapshot(), space.scan(page_size=2)
    assert next(scan)
    begun = threading.Event()
    ended: list[str] = []

    def follow() -> None:
        try:
            for _ in following:
                begun.set()
        except EngramError as error:
            ended.append(error.code)

    thread = threading.Thread(target=follow)
    thread.start()
    assert begun.wait(TIMEOUT_S)
    store.drop("notes")
    thread.join(TIMEOUT_S)
    assert ended == ["space_dropped"]
    assert code_of(stream.next_batch) == "space_dropped"
    assert code_of(lambda: snapshot.recall(vector_of(IDS[0]))) == "space_dropped"
    assert code_of(lambda: snapshot.recall_many([vector_of(IDS[0])])) == "space_dropped"
    assert code_of(lambda: list(scan)) == "space_dropped"
    # What was returned stays readable.
    assert all(hit.content == content_of(hit.id) for hit in first)


def test_an_unknown_space_is_refused_and_the_nearest_name_is_offered(store: MemoryStore) -> None:
    filled(store)
    store.alias("current", "notes")
    for call in (store.drop, lambda name: store.rename(name, "renamed"), lambda name: store.alias("more", name)):
        with pytest.raises(NotFound, match="did you mean 'notes'") as refusal:
            call("note")
        assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("unknown_space", "space", "note")
    with pytest.raises(NotFound, match="did you mean 'current'") as refusal:
        store.drop_alias("currant")
    assert (refusal.value.code, refusal.value.value) == ("unknown_alias", "currant")
    store.drop("notes")
    assert code_of(lambda: store.drop("notes")) == "unknown_space"


def test_the_default_space_can_be_dropped_and_is_made_anew(store: MemoryStore) -> None:
    filled(store, "default")
    store.drop("default")
    assert len(store.space(dim=4)) == 0


def test_a_drop_takes_the_aliases_with_it(store: MemoryStore) -> None:
    filled(store)
    filled(store, "other")
    for alias, space in {"current": "notes", "another": "notes", "kept": "other"}.items():
        store.alias(alias, space)
    assert store.drop("notes").aliases == ("another", "current")
    assert store.aliases() == {"kept": "other"}


def test_what_is_written_while_a_space_is_dropped_is_answered_or_refused(store: MemoryStore) -> None:
    space = filled(store)
    started = threading.Barrier(5)

    def write(writer: int) -> str:
        started.wait()
        for number in range(10_000):
            try:
                space.observe(f"{writer}-{number}", vector_of("x"))
            except EngramError as error:
                return error.code
        return "never"

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, writer) for writer in range(4)]
        started.wait()
        store.drop("notes")
        # None of them writes to the namesake.
        again = store.space("notes", dim=DIM)
        assert {writer.result(TIMEOUT_S) for writer in writers} == {"space_dropped"}
    assert len(again) == 0


def test_two_threads_drop_a_space_and_one_of_them_does(store: MemoryStore) -> None:
    for _ in range(10):
        filled(store)

        def drop() -> str:
            try:
                store.drop("notes")
            except EngramError as error:
                return error.code
            return "dropped"

        with ThreadPoolExecutor(2) as pool:
            outcomes = [pool.submit(drop), pool.submit(drop)]
            assert sorted(outcome.result(TIMEOUT_S) for outcome in outcomes) == ["dropped", "unknown_space"]


def test_a_space_that_rests_is_dropped(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=replace(RESTING, open_spaces_max=1)) as store:
        space = filled(store)
        wait_until_indexed(space)
        filled(store, "other")
        assert store._engine.table.rests("notes")
        store.drop("notes")
        assert code_of(lambda: space.recall(vector_of(IDS[0]))) == "space_dropped"
        assert [one.name for one in store.spaces()] == ["other"]
    assert verify(tmp_path).is_sound


@pytest.mark.parametrize("damage", ["description", "directory", "log"])
def test_a_space_that_cannot_be_opened_is_dropped(tmp_path: Path, damage: str) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        filled(store)
        filled(store, "other")
    folder = tmp_path / "spaces" / "notes"
    if damage == "description":
        (folder / "space.json").write_bytes(b"{}")
    else:
        shutil.rmtree(folder if damage == "directory" else folder / "log")
    with MemoryStore(tmp_path, options=QUIET) as store:
        assert list(store.unsound) == ["notes"]
        assert code_of(lambda: store.rename("notes", "renamed")) == store.unsound["notes"].code
        store.drop("notes")
        assert store.unsound == {}
        assert store.problems() == ()
        assert len(store.space("notes", dim=4)) == 0
    assert verify(tmp_path).is_sound


def test_what_was_dropped_stays_so_after_a_restart(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        filled(store)
        filled(store, "other")
        store.drop("notes")
    with MemoryStore(tmp_path, options=QUIET) as store:
        assert [space.name for space in store.spaces()] == ["other"]
        check_filled(store.space("other"))
    assert verify(tmp_path).is_sound
