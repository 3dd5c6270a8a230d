"""Ids as of a past snapshot, which only the log knows, are looked for together and only if need be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engram import F, MemoryStore, Own
from engram.errors import CorruptData, FailedPrecondition
from engram.log.records.record import Record
from engram.store.filters.stored_rows import StoredRows
from engram.store.filters.texts import text_key
from tests.doubles.batches import DIM, vector_of

LONG = "m" * 300
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


def test_ids_that_begin_alike_are_found_as_of_any_time(reads: list[str]) -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        space.observe(["note-1", "note-2", "crew-1"], [vector_of(id) for id in "abc"])
        held = space.snapshot()
        space.delete(["note-1"])
        space.observe("note-3", vector_of("d"))
        reads.clear()
        assert [hit.id for hit in space.scan(Own.id.starts_with("note-"))] == ["note-2", "note-3"]
        # Each record of observations is read once, whatever begins so.
        assert reads.count("ids") == 2
        assert [hit.id for hit in held.scan(Own.id.starts_with("note-"))] == ["note-1", "note-2"]
        assert [hit.id for hit in held.scan(~Own.id.starts_with("note-"))] == ["crew-1"]
        assert held.count(Own.id.starts_with("note-3")) == 0


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


class Rows:
    """A log of rows with metadata, of which some are dropped and some damaged; remembers which were asked for."""

    def __init__(self, texts: dict[int, str | None]) -> None:
        self._texts = texts
        self.asked: list[int] = []

    def locate(self, generation: int) -> tuple[Rows, int]:
        self.asked.append(generation)
        if generation not in self._texts:
            raise FailedPrecondition("it was dropped", code="snapshot_expired")
        return self, generation

    def metadata(self, row: int) -> dict[str, str]:
        text = self._texts[row]
        if text is None:
            raise CorruptData("it is damaged")
        return {"key": text}


@pytest.mark.parametrize(
    ("texts", "read", "asked"),
    [
        ({1: LONG, 2: LONG, 3: LONG}, LONG, [3]),
        ({1: LONG, 3: None}, LONG, [3, 2, 1]),
        ({}, None, [3, 2, 1]),
        ({2: None}, CorruptData, [3, 2, 1]),
    ],
)
def test_a_long_text_is_read_where_it_is_left_and_sound(
    texts: dict[int, str | None], read: str | type[CorruptData] | None, asked: list[int]
) -> None:
    log: Any = Rows(texts)
    versions: Any = None
    rows = StoredRows(log, versions)
    key: Any = text_key(LONG)
    if read is CorruptData:
        with pytest.raises(CorruptData):
            rows.text(("key",), key, np.arange(1, 4))
    else:
        assert rows.text(("key",), key, np.arange(1, 4)) == read
    assert log.asked == asked


def test_a_long_text_is_given_up_after_a_few_damaged_rows() -> None:
    log: Any = Rows(dict.fromkeys(range(1, 101)))
    versions: Any = None
    key: Any = text_key(LONG)
    with pytest.raises(CorruptData):
        StoredRows(log, versions).text(("key",), key, np.arange(1, 101))
    assert log.asked == [100, 99, 98, 97]
