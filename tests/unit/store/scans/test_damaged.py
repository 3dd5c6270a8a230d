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


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("order", ["generation", "time", "id"])
def test_a_scan_leaves_out_what_is_damaged_and_says_so(space: Space, tmp_path: Path, order: Any, reverse: bool) -> None:
    damage_id(tmp_path)
    pages = list(space.scan(order=order, reverse=reverse, page_size=2, skip_damaged=True).pages())
    kept = [id for id in IDS if id != "id-b"]
    assert [hit.id for page in pages for hit in page] == (kept[::-1] if reverse != (order == "time") else kept)
    # In the order of generations, the damaged one is the second, or else the fourth.
    page_of_damage = 1 if reverse else 0
    expected = [number == page_of_damage for number in range(3)] if order == "generation" else [True, True]
    assert [page.incomplete for page in pages] == expected
    with pytest.raises(CorruptData, match=r"generation 2\)"):
        # A hit reads itself when it is asked.
        _ = [hit.content for hit in space.scan(order=order, reverse=reverse)]


def test_a_scan_that_leaves_out_nothing_says_so(space: Space) -> None:
    for order in ("generation", "time", "id"):
        pages = list(space.scan(order=order, page_size=2, skip_damaged=True).pages())
        assert [(len(page), page.incomplete) for page in pages] == [(2, False), (2, False), (1, False)]


def test_a_damaged_vector_is_left_out_only_if_it_is_asked_for(space: Space, tmp_path: Path) -> None:
    flip_stored(tmp_path, vector_of("id-d", dim=DIM).tobytes())
    (page,) = space.scan(skip_damaged=True).pages()
    assert ([hit.id for hit in page], page.incomplete) == (IDS, False)
    (page,) = space.scan(skip_damaged=True, include_vectors=True).pages()
    assert ([hit.id for hit in page], page.incomplete) == (["id-a", "id-b", "id-c", "id-e"], True)
