"""Ids as of a past snapshot, which only the log knows, are looked for together and only if need be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engram import F, MemoryStore, Own
from engram.log.records.record import Record
from tests.doubles.batches import DIM, vector_of

UNKNOWN = [f"unknown{number}" for number in range(100)]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One for each time that the ids of a record were read."""
    made: list[str] = []

    def counting(does: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            made.append(does.__name__)
            return does(*arguments)

        return counted

    for does in (Record.ids, Record.rfind):
        monkeypatch.setattr(Record, does.__name__, counting(does))
    return made


def test_ids_that_changed_are_looked_for_together(reads: list[str]) -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        for id in "abcd":
            space.observe(id, vector_of(id), metadata={"deck": 1})
        held = space.snapshot()
        space.delete(["a", "d"])
        space.observe("b", vector_of("b"))
        reads.clear()
        assert held.count(Own.id.not_in(["a", "b", *UNKNOWN])) == 2
        assert 0 < len(reads) <= 4
        reads.clear()
        assert held.count(Own.id.is_in(["a", "b", "c", *UNKNOWN])) == 3
        assert 0 < len(reads) <= 4
        reads.clear()
        assert held.count(Own.id == "a") == 1
        assert held.count(Own.id.is_in(["b", "c"])) == 2
        # Each is looked for from the newest record to the one that has it.
        assert len(reads) == 4 + 3


def test_ids_are_not_looked_for_if_nothing_else_passes(reads: list[str]) -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        space.observe("a", vector_of("a"))
        held = space.snapshot()
        space.delete(["a"])
        reads.clear()
        assert held.count((F.never == 1) & Own.id.not_in(UNKNOWN)) == 0
        assert held.count((F.never == 1) & Own.id.is_in(UNKNOWN)) == 0
        assert reads == []
