"""Whatever is damaged, a repaired store answers what was written last, and nothing is missing that is not named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.maintenance.repairs.repair import RepairOptions, repair
from engram.maintenance.repairs.report import RepairedSpace
from engram.maintenance.verify import verify
from engram.store import MemoryStore
from tests.doubles.damaged import SPACE, Written, copied, damage_description, damage_log

OPTIONS = RepairOptions(metric="cosine")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_what_is_repaired_is_true(seed: int, sound: tuple[Path, Written]) -> None:
    path, written = sound
    random = Random(seed)
    bad, new = path.parent / "bad", path.parent / "new"
    for left in (bad, new):
        shutil.rmtree(left, ignore_errors=True)
    copied(path, bad)
    told = [damage_log(bad, random) for _ in range(random.choice([0, 1, 1, 2, 4]))]
    if random.random() < 0.2:
        told.append(damage_description(bad, random))
    report = repair(bad, new, options=OPTIONS)
    assert not report.left_behind, told
    (space,) = report.spaces
    assert verify(new).is_sound, told
    check(new, written, space, told)
    if not told:
        assert report.is_complete


def check(new: Path, written: Written, space: RepairedSpace, told: list[str]) -> None:
    newest = written.newest()
    aside_file = new / "set-aside" / f"{SPACE}.jsonl"
    lines = aside_file.read_text(encoding="utf-8").splitlines() if aside_file.exists() else []
    aside = [json.loads(line) for line in lines]
    aside_ids = {row["id"] for row in aside}
    lost = {generation for one in space.lost for generation in range(one.first, one.last + 1)}
    lost_ids = dict(space.lost_ids)
    for row in aside:
        assert written.rows[row["generation"]] == (row["id"], row["text"]), told
    with MemoryStore(new) as store:
        opened = store.space(SPACE, create=False)
        for id in {id for id, _ in written.rows.values()}:
            hit = opened.get(id)
            if hit is None:
                # An id that should be there was named, one way or the other.
                known = space.is_cut or id in aside_ids or newest.get(id, 0) in lost or id not in newest
                assert known, (id, told)
                continue
            assert hit.generation == newest.get(id), (id, told)
            assert id not in aside_ids, told
            assert written.rows[hit.generation] == (id, hit.content), told
            assert hit.vector is not None
            np.testing.assert_array_equal(hit.vector, written.vectors[hit.generation])
        for id, generation in lost_ids.items():
            assert written.rows[generation][0] == id, told
        kept = sum(1 for generation in written.rows if generation not in lost)
        if not space.is_cut:
            assert space.kept + space.set_aside == kept, told
