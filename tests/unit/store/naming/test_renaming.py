"""Renaming spaces of an open store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engram.errors import AlreadyExists, FailedPrecondition
from engram.maintenance.verify import verify
from engram.store import MemoryStore
from tests.doubles.batches import vector_of
from tests.doubles.named_spaces import IDS, QUIET, USES, check_filled, code_of, filled
from tests.doubles.old_formats import unpack_format
from tests.doubles.waiting import TIMEOUT_S


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
