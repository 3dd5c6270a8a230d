"""Updates of damaged observations: what stays must be readable, and what is named need not be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engram.errors import CorruptData
from engram.store import MemoryStore, Space, StoreOptions
from tests.doubles.batches import vector_of
from tests.doubles.damaged import SPACE, flip_stored

# Longer than a sector, as are the texts, so that each observation has sectors of its own for each.
DIM = 256
IDS = ["id-a", "id-b", "id-c"]
TEXTS = [f"text of {id} " * 100 for id in IDS]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    """Three observations, of which each is a record."""
    with MemoryStore(tmp_path, options=StoreOptions(workers=1, scrub_bytes_per_s=0)) as store:
        space = store.space(SPACE, dim=DIM)
        for id, text in zip(IDS, TEXTS, strict=True):
            space.observe(id, vector_of(id, dim=DIM), text, tags=["t"])
        yield space


def test_a_damaged_text_can_be_replaced_and_not_kept(space: Space, tmp_path: Path) -> None:
    flip_stored(tmp_path, TEXTS[1].encode())
    with pytest.raises(CorruptData):
        space.update(["id-a", "id-b"], tags=[["x"], ["x"]])
    assert space.generation == 3
    assert space.update("id-b", content="sound again") == 4
    hit = space.get("id-b")
    assert hit is not None
    assert (hit.content, hit.tags) == ("sound again", ["t"])
    assert space.update(IDS, tags=[["x"]] * 3) == 7


def test_a_damaged_vector_can_be_replaced_and_not_kept(space: Space, tmp_path: Path) -> None:
    flip_stored(tmp_path, vector_of("id-b", dim=DIM).tobytes())
    with pytest.raises(CorruptData):
        space.update("id-b", content="x")
    assert space.update(["id-a", "id-c"], contents=["x", "y"]) == 5
    assert space.update("id-b", np.ones(DIM)) == 6
    hit = space.get("id-b")
    assert hit is not None
    assert (hit.content, hit.tags) == (TEXTS[1], ["t"])
    np.testing.assert_array_equal(np.asarray(hit.vector), np.ones(DIM, np.float32))
