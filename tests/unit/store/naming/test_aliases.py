"""Aliases of spaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.errors import AlreadyExists, FailedPrecondition
from engram.store import MemoryStore
from engram.store.naming import name_changes
from tests.doubles.batches import DIM, vector_of
from tests.doubles.named_spaces import IDS, QUIET, check_filled, code_of, filled


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
