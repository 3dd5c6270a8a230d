"""Changes of names that are refused, and names that are kept while one is made."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engram.errors import AlreadyExists, EngramError, InvalidInput, Unavailable
from engram.store import MemoryStore
from tests.doubles.batches import DIM, vector_of
from tests.doubles.named_spaces import QUIET, check_filled, code_of, filled
from tests.doubles.waiting import TIMEOUT_S

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
