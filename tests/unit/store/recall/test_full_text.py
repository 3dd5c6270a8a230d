"""The index of words beside compactions of the log: each text is in it once, and it forgets what is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.log.compaction import SegmentCompaction
from engram.log.files.memory_storage import MemoryStorage
from engram.log.files.storage import Storage
from engram.log.log import Log
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.progress import Horizon
from engram.log.records.record import Record
from engram.store.recall import full_text
from engram.store.recall.full_text import FullText
from tests.doubles.batches import batch_of
from tests.doubles.logs import open_log


def write(log: Log, rounds: int) -> None:
    """Observe the same three ids again and again, each time with another text."""
    for number in range(rounds):
        batch = batch_of(["a", "b", "c"], version=number)
        log.append([LogEntry(RecordKind.OBSERVE, log.last_generation + 1, batch)])
        log.sync()


def compact(log: Log, storage: Storage, survivors: Callable[[Record], NDArray[np.int64]]) -> None:
    run = log.pages[:-1]
    SegmentCompaction(log, storage, lambda nbytes: None).compact(run, Horizon(run[-1].last_generation, 5), survivors)


def found(words: FullText, log: Log) -> list[int]:
    """The generations that have a word of all texts."""
    ranked = words.best("version", log.last_generation, 1000, lambda rows: np.ones(len(rows), dtype=bool))
    return sorted(ranked.generations.tolist())


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_text, "_DROPPED_MIN", 5)


def test_what_a_compaction_joins_with_later_texts_is_not_added_again(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[int] = []
    texts = full_text.readable_texts

    def noting(*arguments: Any) -> list[tuple[int, str]]:
        read = texts(*arguments)
        added.extend(generation for generation, _ in read)
        return read

    monkeypatch.setattr(full_text, "readable_texts", noting)
    storage = MemoryStorage()
    log = open_log(storage, segment_bytes=8 << 10)
    words = FullText(log)
    write(log, 12)
    assert found(words, log) == list(range(1, 37))
    write(log, 12)
    # The horizon moves, but nothing is dropped.
    compact(log, storage, lambda record: np.arange(record.count))
    assert log.pages[0].records[0].last_generation > 37
    assert found(words, log) == list(range(1, 73))
    assert sorted(added) == list(range(1, 73))


def test_the_index_is_built_anew_once_most_of_it_is_dropped() -> None:
    storage = MemoryStorage()
    log = open_log(storage, segment_bytes=8 << 10)
    words = FullText(log)
    write(log, 24)
    assert found(words, log) == list(range(1, 73))
    database, end = words._database, log.pages[-2].last_generation
    compact(log, storage, lambda record: np.flatnonzero(record.generations % 4 == 0))
    assert found(words, log) == [one for one in range(1, 73) if one % 4 == 0 or one > end]
    assert words._database is not database
