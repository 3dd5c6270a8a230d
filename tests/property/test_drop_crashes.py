"""A space that is dropped or renamed is whole or gone, and has one name, wherever a kill or a loss of power comes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from engram.store import MemoryStore, Space, StoreOptions
from tests.doubles.batches import DIM, content_of, vector_of
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.stores import store_on
from tests.doubles.waiting import wait_until_indexed
from tests.doubles.watched_storage import Watched

# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=16 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
IDS = [f"id-{number:03}" for number in range(60)]

SHORT = pytest.param([1, 2], id="short")
LONG = pytest.param(range(10), marks=[pytest.mark.campaign, pytest.mark.timeout(3600)], id="long")


def filled(store: MemoryStore, name: str) -> Space:
    space = store.space(name, dim=DIM)
    for start in range(0, len(IDS), 10):
        ids = IDS[start : start + 10]
        space.observe(ids, np.array([vector_of(id) for id in ids]), [content_of(id) for id in ids])
    wait_until_indexed(space)
    return space


def check_whole(space: Space) -> None:
    assert len(space) == len(IDS)
    for id, hit in zip(IDS, space.get(IDS), strict=True):
        assert hit is not None
        assert hit.content == content_of(id)
        assert np.array_equal(np.asarray(hit.vector), vector_of(id))


def directories(storage: FaultyStorage) -> list[str]:
    return storage.directory("spaces").names()


def watch(seed: int, change: Callable[[MemoryStore], object]) -> list[FaultyStorage]:
    """What is found of a store with two spaces, wherever `change` is interrupted."""
    watched = Watched(seed)
    storage = FaultyStorage(watched)
    with store_on(storage=storage, options=QUIET) as store:
        for name in ("notes", "other"):
            filled(store, name)
        store.alias("current", "notes")
        watched.storage = storage
        change(store)
        watched.storage = None
    return [*watched.found, storage.after_kill(), storage.after_power_loss(Random(seed))]


def names_in(store: MemoryStore) -> list[str]:
    """The names of the spaces, each of which is whole."""
    assert store.unsound == {}
    assert store.damages() == ()
    for space in store.spaces():
        check_whole(space)
    return [space.name for space in store.spaces()]


@pytest.mark.parametrize("seeds", [SHORT, LONG])
def test_a_space_is_whole_or_dropped(seeds: range) -> None:
    for seed in seeds:
        outcomes = []
        for found in watch(seed, lambda store: store.drop("notes")):
            with store_on(storage=found, options=QUIET) as store:
                names = names_in(store)
                outcomes.append(names)
                assert names in (["notes", "other"], ["other"])
                # Its alias is gone with it, and nothing of it is left.
                assert store.aliases() == ({"current": "notes"} if "notes" in names else {})
                assert directories(found) == names
                again = store.space("notes", dim=DIM)
                assert len(again) == (len(IDS) if "notes" in names else 0)
            with store_on(storage=found.after_kill(), options=QUIET) as store:
                assert store.unsound == {}
                assert [space.name for space in store.spaces()] == ["notes", "other"]
                assert store.problems() == ()
        # Once it is dropped, it stays so.
        assert outcomes == sorted(outcomes, key=len, reverse=True)
        assert ["other"] in outcomes[:-2]
        assert ["notes", "other"] in outcomes


@pytest.mark.parametrize("seeds", [SHORT, LONG])
def test_a_space_has_its_old_name_or_its_new_one(seeds: range) -> None:
    for seed in seeds:
        outcomes = []
        for found in watch(seed, lambda store: store.rename("notes", "renamed")):
            with store_on(storage=found, options=QUIET) as store:
                names = names_in(store)
                outcomes.append(names)
                assert names in (["notes", "other"], ["other", "renamed"])
                name = "notes" if "notes" in names else "renamed"
                assert store.aliases() == {"current": name}
                assert directories(found) == names
                check_whole(store.space("current"))
                # The other name is free.
                free = "renamed" if name == "notes" else "notes"
                assert len(store.space(free, dim=DIM)) == 0
            with store_on(storage=found.after_kill(), options=QUIET) as store:
                assert [space.name for space in store.spaces()] == ["notes", "other", "renamed"]
                check_whole(store.space(name))
                assert store.problems() == ()
        assert ["notes", "other"] in outcomes
        assert ["other", "renamed"] in outcomes[:-2]


@pytest.mark.parametrize("seeds", [SHORT, LONG])
def test_an_alias_means_one_space_or_the_other(seeds: range) -> None:
    for seed in seeds:
        outcomes = []
        for found in watch(seed, lambda store: store.alias("current", "other")):
            with store_on(storage=found, options=QUIET) as store:
                assert names_in(store) == ["notes", "other"]
                outcomes.append(store.aliases()["current"])
                check_whole(store.space("current"))
        assert outcomes[0] == "notes"
        assert outcomes[-1] == "other"
