"""Counters of a space go on when it rests and is opened again: whoever reads them never sees one go down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engram.metrics import table
from engram.store import MemoryStore, Space
from tests.unit.store.resting.test_left_behind import rested
from tests.unit.store.resting.test_resting_spaces import COUNT, OPTIONS, VECTOR, contents, filled

COUNTERS = {family.name for family in (table.COMMITS, table.OBSERVATIONS_STORED, table.OBSERVATIONS_DELETED)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path, options=OPTIONS) as opened:
        yield opened


def counters_of(store: MemoryStore, space: Space) -> dict[str, float]:
    """Some counters of a space, each of which is told once."""
    found = [sample for sample in store.metrics() if sample.labels.get("memory_space") == space.name]
    counters = [sample for sample in found if sample.name in COUNTERS]
    assert len(counters) == len(COUNTERS)
    return {sample.name: sample.value for sample in counters}


def test_counters_are_told_at_rest_and_go_on_from_there(store: MemoryStore) -> None:
    first, *_ = filled(store)
    first.observe(["more", "most"], [VECTOR, VECTOR])
    first.delete(["only"])
    expected: dict[str, float] = dict(zip(sorted(COUNTERS), (3, 1, 3), strict=True))
    for number in range(3):
        assert (counters_of(store, first), store.commits) == (expected, COUNT + 2 + number)
        rested(store, first)
        assert (counters_of(store, first), store.commits) == (expected, COUNT + 2 + number)
        assert len(contents(first)) == 2 + number
        assert (first.stats().commits, first.stats().observed) == (3 + number, 3 + number)
        assert counters_of(store, first) == expected
        first.observe(f"another-{number}", VECTOR)
        expected[table.COMMITS.name] += 1
        expected[table.OBSERVATIONS_STORED.name] += 1


def test_a_space_that_rests_between_two_looks_is_told_once(store: MemoryStore) -> None:
    first, *_ = filled(store)
    contents(first)
    listed = {engine.config.name for engine in store._engine.spaces()}
    rested(store, first)
    told = [sample.labels.get("memory_space") for sample in store._engine.table.samples(listed)]
    assert first.name in listed
    assert not listed & set(told)
