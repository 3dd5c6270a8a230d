"""Dropping and renaming the spaces of an open store, and their aliases."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.errors import AlreadyExists, EngramError, FailedPrecondition, InvalidInput, NotFound, Unavailable
from engram.maintenance.verify import verify
from engram.store import Cue, MemoryStore, Space, StoreOptions
from engram.store.naming import name_changes
from tests.doubles.batches import DIM, content_of, vector_of
from tests.doubles.old_formats import unpack_format
from tests.doubles.waiting import TIMEOUT_S, wait_until_indexed

QUIET = StoreOptions(workers=1, mark_interval_s=3600.0, scrub_bytes_per_s=0, log_compaction_bytes_per_s=0)
RESTING = StoreOptions(open_spaces_max=2, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0)
IDS = [f"id-{number}" for number in range(20)]


@pytest.fixture(params=["file", "memory", "resting"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore]:
    path = None if request.param == "memory" else tmp_path / "data"
    with MemoryStore(path, options=RESTING if request.param == "resting" else QUIET) as opened:
        yield opened


def filled(store: MemoryStore, name: str = "notes") -> Space:
    space = store.space(name, dim=DIM)
    space.observe(IDS, np.stack([vector_of(id) for id in IDS]), [content_of(id) for id in IDS])
    return space


def check_filled(space: Space) -> None:
    assert len(space) == len(IDS)
    hit = space.get(IDS[3])
    assert hit is not None
    assert hit.content == content_of(IDS[3])
    assert {hit.id for hit in space.recall(vector_of(IDS[0]), k=5)} <= set(IDS)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(EngramError) as refusal:
        call()
    return refusal.value.code


USES: dict[str, Callable[[Space], object]] = {
    "observe": lambda space: space.observe("more", vector_of("more")),
    "observe_if": lambda space: space.observe("more", vector_of("more"), if_absent=True),
    "submit": lambda space: space.submit("more", vector_of("more")).result(TIMEOUT_S),
    "update": lambda space: space.update([IDS[0]], confidences=[0.5]),
    "delete": lambda space: space.delete([IDS[0]]),
    "erase": lambda space: space.erase([IDS[0]]),
    "clear": lambda space: space.clear(),
    "get": lambda space: space.get(IDS[0]),
    "recall": lambda space: space.recall(vector_of(IDS[0])),
    "recall_many": lambda space: space.recall_many([vector_of(IDS[0])]),
    "recall_stream": lambda space: space.recall_stream(vector_of(IDS[0])),
    "follow": lambda space: space.follow(Cue(vector_of(IDS[0]), score_min=0.5)),
    "changes": lambda space: space.changes(after_generation=0),
    "scan": lambda space: list(space.scan()),
    "count": lambda space: space.count(),
    "facets": lambda space: space.facets(fields="tags"),
    "snapshot": lambda space: space.snapshot(),
    "stats": lambda space: space.stats(),
    "len": len,
    "in": lambda space: IDS[0] in space,
}


# ---- drop -------------------------------------------------------------------------------------------------------


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


# ---- rename -----------------------------------------------------------------------------------------------------


def test_a_renamed_space_has_everything(store: MemoryStore) -> None:
    space = filled(store)
    identity, generation = space._engine.identity, space.generation
    store.alias("current", "notes")
    store.rename("notes", "renamed")
    assert [one.name for one in store.spaces()] == ["renamed"]
    renamed = store.space("renamed", create=False)
    assert (renamed.name, renamed._engine.identity, renamed.generation) == ("renamed", identity, generation)
    check_filled(renamed)
    assert store.space("current") is renamed
    assert renamed.observe("more", vector_of("more")) == generation + 1
    for use in USES.values():
        with pytest.raises(FailedPrecondition, match="is called 'renamed' now") as refusal:
            use(space)
        assert (refusal.value.code, refusal.value.limit) == ("space_renamed", "renamed")
    assert code_of(lambda: store.space("notes", create=False)) == "unknown_space"
    if store.path is not None:
        assert sorted(entry.name for entry in (store.path / "spaces").iterdir()) == ["renamed"]
    assert store.problems() == ()
    assert store.scrub() == ()


def test_a_renamed_space_is_found_after_a_restart(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        filled(store)
        store.rename("notes", "renamed")
        # The former name is free.
        assert len(store.space("notes", dim=4)) == 0
    with MemoryStore(tmp_path, options=QUIET) as store:
        check_filled(store.space("renamed"))
        assert len(store.space("notes")) == 0
        assert store.damages() == ()
    assert verify(tmp_path).is_sound


def test_a_cursor_goes_on_under_the_new_name(store: MemoryStore) -> None:
    first = next(filled(store).scan(page_size=5).pages())
    store.rename("notes", "renamed")
    seen = [hit.id for hit in first]
    seen += [hit.id for hit in store.space("renamed").scan(page_size=5, cursor=first.cursor)]
    assert seen == IDS


def test_a_name_that_is_taken_is_refused(store: MemoryStore) -> None:
    filled(store)
    filled(store, "other")
    store.alias("current", "other")
    for name in ("other", "current", "notes"):
        with pytest.raises(AlreadyExists) as refusal:
            store.rename("notes", name)
        assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("name_taken", "new", name)
    check_filled(store.space("notes"))


def test_an_alias_is_neither_dropped_nor_renamed_as_a_space(store: MemoryStore) -> None:
    filled(store)
    store.alias("current", "notes")
    for call in (lambda: store.drop("current"), lambda: store.rename("current", "renamed")):
        with pytest.raises(FailedPrecondition) as refusal:
            call()
        assert (refusal.value.code, refusal.value.limit, refusal.value.value) == ("is_alias", "notes", "current")
    check_filled(store.space("notes"))


def test_two_spaces_change_names_at_once(store: MemoryStore) -> None:
    filled(store, "first")
    filled(store, "second")
    with ThreadPoolExecutor(2) as pool:
        there = pool.submit(store.rename, "first", "third")
        back = pool.submit(store.rename, "second", "fourth")
        there.result(TIMEOUT_S)
        back.result(TIMEOUT_S)
    assert [space.name for space in store.spaces()] == ["fourth", "third"]
    for space in store.spaces():
        check_filled(space)


def test_a_space_of_format_1_is_renamed(tmp_path: Path) -> None:
    unpack_format(1, tmp_path)
    path = next(found.parent for found in tmp_path.rglob("spaces") if found.is_dir())
    with MemoryStore(path, options=QUIET) as store:
        count = len(store.space("notes", create=False))
        store.rename("notes", "renamed")
    with MemoryStore(path, options=QUIET) as store:
        assert len(store.space("renamed", create=False)) == count


# ---- aliases ----------------------------------------------------------------------------------------------------


def test_an_alias_opens_its_space(store: MemoryStore) -> None:
    space = filled(store)
    store.alias("current", "notes")
    assert store.space("current") is space
    assert store.space("current", create=False) is space
    assert store.space("current").name == "notes"
    assert code_of(lambda: store.space("current", dim=DIM + 1)) == "space_exists"
    assert store.aliases() == {"current": "notes"}
    assert [one.name for one in store.spaces()] == ["notes"]


def test_an_alias_is_moved_and_whoever_has_opened_it_stays(store: MemoryStore) -> None:
    old, new = filled(store, "notes-v1"), filled(store, "notes-v2")
    store.alias("notes", "notes-v1")
    through = store.space("notes")
    scan = through.scan(page_size=2)
    assert next(scan)
    store.alias("notes", "notes-v2")
    assert store.space("notes") is new
    assert through is old
    through.observe("more", vector_of("more"))
    assert (len(old), len(new)) == (len(IDS) + 1, len(IDS))
    assert len([*scan]) == len(IDS) - 1


def test_an_alias_of_an_alias_means_its_space(store: MemoryStore) -> None:
    filled(store)
    store.alias("current", "notes")
    store.alias("newest", "current")
    assert store.aliases() == {"current": "notes", "newest": "notes"}


def test_an_alias_is_dropped_and_its_name_is_free(store: MemoryStore) -> None:
    space = filled(store)
    store.alias("current", "notes")
    store.drop_alias("current")
    assert store.aliases() == {}
    check_filled(space)
    assert code_of(lambda: store.space("current", create=False)) == "unknown_space"
    assert len(store.space("current", dim=4)) == 0
    assert code_of(lambda: store.drop_alias("current")) == "unknown_alias"


def test_a_name_is_that_of_a_space_or_of_an_alias(store: MemoryStore) -> None:
    filled(store)
    filled(store, "other")
    with pytest.raises(AlreadyExists) as refusal:
        store.alias("other", "notes")
    assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("name_taken", "alias", "other")
    assert code_of(lambda: store.alias("notes", "notes")) == "name_taken"


def test_aliases_are_there_after_a_restart(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        filled(store)
        store.alias("current", "notes")
    with MemoryStore(tmp_path, options=QUIET) as store:
        assert store.aliases() == {"current": "notes"}
        check_filled(store.space("current"))
    with MemoryStore(tmp_path, read_only=True) as store:
        check_filled(store.space("current", create=False))


def test_there_are_so_many_aliases(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_changes, "ALIASES_MAX", 2)
    filled(store)
    store.alias("first", "notes")
    store.alias("second", "notes")
    with pytest.raises(FailedPrecondition) as refusal:
        store.alias("third", "notes")
    assert (refusal.value.code, refusal.value.field) == ("too_many_aliases", "alias")


# ---- what is refused ----------------------------------------------------------------------------------------------

LONG = "n" * 65
BAD: list[Any] = [None, 7, b"notes", ["notes"], "", "no", LONG, "a/b", "../notes", "Notes", "no tes", "notes\n", "a.b"]


@pytest.mark.parametrize("name", BAD, ids=repr)
def test_bad_names(store: MemoryStore, name: Any) -> None:
    filled(store)
    calls: dict[str, list[Callable[[], object]]] = {
        "space": [lambda: store.drop(name), lambda: store.alias("current", name)],
        "old": [lambda: store.rename(name, "renamed")],
        "new": [lambda: store.rename("notes", name)],
        "alias": [lambda: store.alias(name, "notes"), lambda: store.drop_alias(name)],
    }
    for field, refused in calls.items():
        for call in refused:
            with pytest.raises(InvalidInput) as refusal:
                call()
            assert (refusal.value.code, refusal.value.field) == ("invalid_space_name", field)
    check_filled(store.space("notes"))
    assert store.aliases() == {}


CHANGES: dict[str, Callable[[MemoryStore], object]] = {
    "drop": lambda store: store.drop("notes"),
    "rename": lambda store: store.rename("notes", "renamed"),
    "alias": lambda store: store.alias("another", "notes"),
    "drop_alias": lambda store: store.drop_alias("current"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_read_only_store_changes_nothing(tmp_path: Path, change: Callable[[MemoryStore], object]) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        filled(store)
        store.alias("current", "notes")
    with MemoryStore(tmp_path, read_only=True) as store:
        with pytest.raises(Unavailable) as refusal:
            change(store)
        assert (refusal.value.code, refusal.value.field) == ("read_only", "path")
        assert store.aliases() == {"current": "notes"}
        check_filled(store.space("notes", create=False))


@pytest.mark.parametrize("change", [*CHANGES.values(), MemoryStore.aliases], ids=[*CHANGES.keys(), "aliases"])
def test_a_closed_store_refuses(store: MemoryStore, change: Callable[[MemoryStore], object]) -> None:
    filled(store)
    store.close()
    assert code_of(lambda: change(store)) == "closed"


# ---- names that are kept ------------------------------------------------------------------------------------------


def test_whoever_makes_a_space_of_a_name_that_is_kept_waits(store: MemoryStore) -> None:
    space, table = filled(store), store._engine.table
    with ThreadPoolExecutor(1) as pool:
        with table.leaving("notes", "new"):
            # What is open can be used.
            check_filled(store.space("notes"))
            space.observe("more", vector_of("more"))
            making = pool.submit(store.space, "new", DIM)
            with pytest.raises(TimeoutError):
                making.result(0.3)
            with pytest.raises(Unavailable) as refusal:
                table.get("new", None, None, None, create=False, wait=False)
            assert (refusal.value.code, refusal.value.value) == ("being_created", "new")
        assert making.result(TIMEOUT_S).name == "new"


def test_a_name_that_became_an_alias_meanwhile_is_taken(store: MemoryStore) -> None:
    filled(store)
    table = store._engine.table
    with ThreadPoolExecutor(1) as pool:
        with table.leaving("current"):
            making = pool.submit(store.space, "current", DIM)
            with pytest.raises(TimeoutError):
                making.result(0.3)
            store._engine._catalogue.changes.set_alias("current", "notes")
        with pytest.raises(AlreadyExists) as refusal:
            making.result(TIMEOUT_S)
    assert (refusal.value.code, refusal.value.value) == ("name_taken", "current")
    assert store.space("current").name == "notes"


def test_a_store_that_is_closed_waits_for_what_is_being_dropped(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path, options=QUIET)
    filled(store)
    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(store.drop, "notes")
        store.close()
        try:
            dropping.result(TIMEOUT_S)
        except EngramError as error:
            assert error.code == "closed"  # noqa: PT017
    with MemoryStore(tmp_path, options=QUIET) as again:
        assert len(again.spaces()) in (0, 1)
        assert again.damages() == ()
