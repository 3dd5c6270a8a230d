"""Scans and deletions of damaged data: the damage is told, and hides nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engram.errors import CorruptData
from engram.model.ack import Deletion
from engram.model.filters.filter import Filter
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.scans import deleting
from tests.doubles.batches import vector_of
from tests.doubles.damaged import SPACE, flip_stored

# Longer than a sector, as are the texts, so that each observation has sectors of its own for each.
DIM = 256
IDS = ["id-a", "id-b", "id-c", "id-d", "id-e"]
TEXTS = [f"text of {id} " * 100 for id in IDS]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    """Five observations, of which each is a record."""
    with MemoryStore(tmp_path, options=StoreOptions(workers=1, scrub_bytes_per_s=0)) as store:
        space = store.space(SPACE, dim=DIM)
        for row, (id, text) in enumerate(zip(IDS, TEXTS, strict=True)):
            space.observe(id, vector_of(id, dim=DIM), text, tags=["t"], timestamp=100 - row)
        yield space


def damage_id(path: Path) -> None:
    """Damage the id of the second observation, and what shares its sector."""
    flip_stored(path, b"id-b")


@pytest.mark.parametrize("part", [1, 2, 10_000])
@pytest.mark.parametrize("of_everything", [True, False], ids=["clear", "by a filter"])
def test_a_damaged_id_keeps_nothing_else_from_being_deleted(
    space: Space, tmp_path: Path, of_everything: bool, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "BATCH_COUNT_MAX", part)
    damage_id(tmp_path)

    def delete() -> Deletion:
        return space.clear() if of_everything else space.delete(filter=Filter(tags={"t"}))

    for _ in range(2):
        with pytest.raises(CorruptData, match=r"generation 2\)"):
            delete()
        assert len(space) == 1
        assert [hit.generation for hit in space.scan()] == [2]
