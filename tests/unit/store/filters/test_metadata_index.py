"""The index of tags and metadata: what is dropped from it while commits go on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.observations import make_batch
from engram.store.filters import metadata_index
from engram.store.filters.columns import Columns
from engram.store.filters.metadata_index import MetadataIndex
from tests.doubles.batches import DIM


def tagged(first: int, count: int, tag: str = "tag") -> LogEntry:
    ids = [f"id-{row}" for row in range(count)]
    batch = make_batch(ids, np.ones((count, DIM), np.float32), tags=[[tag]] * count)
    return LogEntry(RecordKind.OBSERVE, first, batch)


def test_commits_go_on_while_it_is_found_out_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = MetadataIndex()
    attributes.add(tagged(1, 20))
    attributes.end(np.arange(1, 11), np.full(10, 20))
    alive, waiting = Columns.alive, [tagged(21, 5)]

    def alive_while_committing(made: Columns, generations: NDArray[np.int64], at: int) -> NDArray[np.bool_]:
        assert not attributes._changing.locked()
        while waiting:
            attributes.add(waiting.pop())
        return alive(made, generations, at)

    monkeypatch.setattr(Columns, "alive", alive_while_committing)
    attributes.drop(20)
    assert attributes.tagged("tag").view.tolist() == list(range(11, 26))


@pytest.mark.parametrize(("keys", "rows"), [(1, 1000), (1000, 1), (3, 10)])
def test_lists_are_shortened_in_steps_of_any_size(keys: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_index, "_TAGS_AT_ONCE", keys)
    monkeypatch.setattr(metadata_index, "_TAGGED_AT_ONCE", rows)
    attributes = MetadataIndex()
    for number in range(8):
        attributes.add(tagged(1 + 4 * number, 4, f"tag-{number}"))
    # All of the first two, one of the third, and nothing else.
    attributes.end(np.arange(1, 10), np.full(9, 40))
    attributes.drop(40)
    found = [attributes.tagged(f"tag-{number}").view.tolist() for number in range(8)]
    assert found == [[], [], [10, 11, 12], *(list(range(1 + 4 * number, 5 + 4 * number)) for number in range(3, 8))]


def test_a_long_tag_takes_no_more_memory_than_its_digest_and_is_told_from_all_others() -> None:
    attributes = MetadataIndex()
    tags = [name * 16_000 for name in "xyz"]
    for number, tag in enumerate((*tags, tags[0])):
        attributes.add(tagged(1 + number, 1, tag))
    assert [attributes.tagged(tag).view.tolist() for tag in tags] == [[1, 4], [2], [3]]
    assert attributes.tagged(tags[0][:-1]).view.tolist() == []
    assert max(len(key) for key in attributes._tags._numbers) == 32  # type: ignore[arg-type]  # All keys have a length.
