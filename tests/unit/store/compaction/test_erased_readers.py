"""What readers meet when something is erased that they are about to read, or that an index still knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram import F
from engram.store import MemoryStore, StoreOptions
from tests.doubles.batches import DIM, vector_of

# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=64 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
# Longer than what the filter index keeps of a text.
LONG = "long " * 200


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "data", options=QUIET)


@pytest.mark.parametrize("erased", ["a", "b", "c"])
def test_a_filter_over_long_texts_passes_over_what_was_erased(store: MemoryStore, erased: str) -> None:
    """Also if that was the first row of its segment, and nobody else has its text."""
    with store:
        space = store.space("notes", dim=DIM)
        for id in "abc":
            space.observe(id, vector_of(id), metadata={"note": LONG + id})
        space.erase([erased])
        assert space.count(F.note.contains("long")) == 2
        assert [hit.id for hit in space.scan(F.note.starts_with("long"))] == [id for id in "abc" if id != erased]
