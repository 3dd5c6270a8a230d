"""Which version of an id lives, and which lived earlier."""

from __future__ import annotations

import pytest

from engram.log.files.memory_storage import MemoryStorage
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.store.commit.live_versions import LiveVersions
from tests.doubles.batches import batch_of
from tests.doubles.logs import open_log


class Retention:
    """Versions with the log they follow from."""

    def __init__(self) -> None:
        self.log = open_log(MemoryStorage(), segment_bytes=4096)
        self.versions = LiveVersions()
        self.ended: list[tuple[int, int]] = []

    def observe(self, *ids: str) -> None:
        self._apply(LogEntry(RecordKind.OBSERVE, self.log.last_generation + 1, batch_of(ids)))

    def delete(self, *ids: str) -> None:
        self._apply(LogEntry(RecordKind.DELETE, self.log.last_generation + 1, ids=ids))

    def at(self, id: str) -> list[int | None]:
        return [self.versions.at(id, generation, self.log) for generation in range(self.log.last_generation + 1)]

    def _apply(self, entry: LogEntry) -> None:
        self.ended += list(zip(*self.versions.replay(self.log.append([entry])[0]), strict=True))


def test_observing_superseding_deleting() -> None:
    history = Retention()
    history.observe("a", "b")
    history.observe("c", "a")
    history.delete("b")
    history.observe("b")
    assert {id: history.versions.live(id) for id in "abcx"} == {"a": 4, "b": 6, "c": 3, "x": None}
    assert len(history.versions) == 3
    assert history.ended == [(1, 4), (2, 5)]


def test_an_id_twice_in_one_batch() -> None:
    history = Retention()
    history.observe("a")
    history.observe("b", "a", "a", "b")
    assert history.versions.live("a") == 4
    assert history.versions.live("b") == 5
    assert history.ended == [(1, 3), (3, 4), (2, 5)]


def test_earlier_versions_are_found_in_the_log() -> None:
    history = Retention()
    history.observe("x", "a")
    history.observe("a", "aa")
    history.delete("a")
    history.observe("aaa")
    history.observe("a")
    assert history.at("a") == [None, None, 2, 3, 3, None, None, 7]
    assert history.at("aa") == [None, None, None, None, 4, 4, 4, 4]
    assert history.at("never") == [None] * 8


def test_changes_are_seen_in_order_before_they_are_applied() -> None:
    history = Retention()
    history.observe("a", "b")
    changes = history.versions.change()
    assert changes.existing(["b", "x", "b", "a"]) == ["b", "a"]
    assert changes.generations(["b", "x", "a"]) == [2, 0, 1]
    changes.delete(["a"], [3])
    assert changes.existing(["a", "b"]) == ["b"]
    assert changes.generations(["a", "b", "c"]) == [0, 2, 0]
    changes.observe(["a"], [4])
    changes.observe(["b", "c"], [5, 6])
    assert changes.existing(["a", "b", "c"]) == ["a", "b", "c"]
    assert changes.generations(["a", "b", "c"]) == [4, 5, 6]
    assert (changes.ended, changes.ended_at) == ([1, 2], [3, 5])
    assert history.versions.live("c") is None
    history.versions.apply(changes)
    assert [history.versions.live(id) for id in "abc"] == [4, 5, 6]


@pytest.mark.parametrize("generation", [0, -3])
def test_nothing_lived_before_the_first_generation(generation: int) -> None:
    history = Retention()
    history.observe("a")
    history.delete("a")
    assert history.versions.at("a", generation, history.log) is None
