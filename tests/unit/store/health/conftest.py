"""A store of one space on a disk that fails when a test says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engram.store import MemoryStore, Space
from tests.doubles.batches import DIM
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.stores import store_on
from tests.unit.store.health.levels import SMALL_SEGMENTS


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage()


@pytest.fixture
def store(storage: FaultyStorage) -> Iterator[MemoryStore]:
    with store_on(storage=storage, options=SMALL_SEGMENTS) as store:
        yield store


@pytest.fixture
def space(store: MemoryStore) -> Space:
    return store.space("notes", dim=DIM)
