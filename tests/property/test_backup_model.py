"""Whatever is damaged: a backup holds a space as it was, or does not hold it and says why."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.maintenance.backups.backup import backup
from engram.maintenance.backups.restore import restore
from engram.store import MemoryStore
from tests.doubles.damaged import SPACE, Written, copied, damage_description, damage_log


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_what_is_backed_up_is_true(seed: int, sound: tuple[Path, Written]) -> None:
    path, written = sound
    random = Random(seed)
    for left in ("bad", "backup", "restored"):
        shutil.rmtree(path.parent / left, ignore_errors=True)
    bad, copy = copied(path, path.parent / "bad"), path.parent / "backup"
    has_earlier = random.random() < 0.3
    if has_earlier:
        backup(bad, copy)
    told = [damage_log(bad, random) for _ in range(random.choice([0, 1, 1, 2]))]
    if random.random() < 0.2:
        told.append(damage_description(bad, random))
    report = backup(bad, copy)
    assert told or report.is_complete
    assert (SPACE in report.spaces) != (SPACE in report.refused), told
    restored = restore(copy, path.parent / "restored").spaces
    if not has_earlier and SPACE in report.refused:
        assert restored == {}, told
        return
    newest = written.newest()
    assert restored == {SPACE: max(written.rows)}, told
    with MemoryStore(path.parent / "restored") as store:
        space = store.space(SPACE, create=False)
        assert space.stats().live_count == len(newest)
        for id, generation in newest.items():
            hit = space.get(id)
            assert hit is not None
            assert (hit.generation, hit.content) == (generation, written.rows[generation][1]), told
            np.testing.assert_array_equal(hit.vector, written.vectors[generation])
