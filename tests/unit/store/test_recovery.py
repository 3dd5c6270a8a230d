"""A small space has no checkpoint, and is read as a whole when it is opened: damage then hides nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from campaigns.damage.anatomy import dissect
from engram.errors import CorruptData
from engram.store import Cue, Filter, MemoryStore, Space, StoreOptions
from tests.doubles.batches import vector_of
from tests.doubles.damaged import SPACE, copied, flip, flip_stored
from tests.doubles.waiting import wait_until_indexed

# A vector is a sector, so damage of it harms nothing else.
DIM = 128
VECTOR_BYTES = 4 * DIM
COUNT = 200
IDS = [f"id-{row:03}" for row in range(COUNT)]
VECTORS = np.stack([vector_of(id, dim=DIM) for id in IDS])
# The row in the middle of each column.
LOST = IDS[COUNT // 2]
NEAR = VECTORS[COUNT // 2]
KEPT = {*IDS, "last"} - {LOST}
# Segments that have no room for another record of so many rows.
OPTIONS = StoreOptions(workers=1, scrub_bytes_per_s=0, mark_interval_s=3600, segment_bytes=16 << 10)
# A checkpoint at every end, however little is new.
EAGER = replace(OPTIONS, checkpoint_rest_count_min=1)
NAMED = r"space notes: log/\d+\.log is damaged at offset \d+ \(generations 1 to 200\)"


class Broken(NamedTuple):
    """A directory in which one bit is changed: where."""

    path: Path
    file: Path
    offset: int

    @property
    def sector(self) -> int:
        """Where the sector of the bit begins."""
        return self.offset - self.offset % 512


def text_of(id: str) -> str:
    return f"text of {id} " * 6


@pytest.fixture(scope="module", params=["cosine", "l2"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of so many rows that each of its columns has sectors of its own, a record of one row, no checkpoint."""
    path = tmp_path_factory.mktemp("sound") / "data"
    with MemoryStore(path, options=OPTIONS) as store:
        space = store.space(SPACE, dim=DIM, metric=request.param)
        metadata = [{"n": row} for row in range(COUNT)]
        space.observe(IDS, VECTORS, [text_of(id) for id in IDS], tags=[["t"]] * COUNT, metadata=metadata)
        space.observe("last", vector_of("last", dim=DIM), "the text of the last one")
    assert checkpoints_of(path) == []
    return path


def checkpoints_of(path: Path) -> list[Path]:
    return sorted((path / "spaces" / SPACE / "checkpoints").iterdir())


def broken(sound: Path, to: Path, part: str, share: float = 0.5) -> Broken:
    """A copy with one changed bit at so much of the length of a part of the first record."""
    file, start, stop = max(dissect(sound).parts[part], key=lambda one: one.stop - one.start)
    offset = start + int(share * (stop - start))
    flip(copied(sound, to) / file, offset)
    return Broken(to, to / file, offset)


def check_lacks_one(space: Space) -> None:
    """Whatever might find the damaged vector says that it lacks it, and everything else is answered."""
    for cue in (NEAR, -NEAR):
        with pytest.raises(CorruptData, match=NAMED):
            space.recall(cue, k=1)
        with pytest.raises(CorruptData, match=NAMED):
            list(space.recall_stream(cue, batch_size=5))
        hits = space.recall(cue, k=COUNT + 1, skip_damaged=True)
        assert ({hit.id for hit in hits}, hits.incomplete) == (KEPT, True)
        stream = space.recall_stream(cue, COUNT + 1, skip_damaged=True)
        assert ({hit.id for batch in stream for hit in batch}, stream.incomplete) == (KEPT, True)
    assert [hits.incomplete for hits in space.recall_many([NEAR, -NEAR], k=3, skip_damaged=True)] == [True, True]
    with pytest.raises(CorruptData, match=NAMED):
        space.recall_many([NEAR, -NEAR], k=3)
    # What is from before the vector, or needs no look at it, lacks nothing.
    before = space.recall(NEAR, k=COUNT, max_generation=COUNT // 2)
    assert ({hit.id for hit in before}, before.incomplete) == (set(IDS[: COUNT // 2]), False)
    filtered = space.recall(Cue(NEAR, filter=Filter(metadata={"n": 7})))
    assert ([hit.id for hit in filtered], filtered.incomplete) == ([IDS[7]], False)
    worded = space.recall(Cue(text="text", by="words"), k=COUNT + 1)
    assert ({hit.id for hit in worded}, worded.incomplete) == (KEPT | {LOST}, False)
    hit = space.get(LOST)
    assert hit is not None
    assert (hit.content, hit.tags, hit.generation) == (text_of(LOST), ["t"], COUNT // 2 + 1)
    with pytest.raises(CorruptData, match=NAMED):
        _ = hit.vector


def test_a_damaged_vector_is_named_and_hides_nothing_else(sound: Path, tmp_path: Path) -> None:
    bad = broken(sound, tmp_path / "data", "vectors")
    with MemoryStore(bad.path, options=OPTIONS) as store:
        assert store.unsound == {}
        (damage,) = store.damages()
        assert (damage.space, damage.file, damage.offset) == (SPACE, f"log/{bad.file.name}", bad.sector)
        assert (damage.first_generation, damage.last_generation) == (1, COUNT)
        assert [problem.name for problem in store.problems()] == ["damaged"]
        space = store.space(SPACE, create=False)
        check_lacks_one(space)
        wait_until_indexed(space)
        check_lacks_one(space)
        assert (space.stats().damaged_count, len(store.scrub())) == (1, 1)
        assert space.observe("more", VECTORS[0]) == COUNT + 2


def test_what_is_observed_anew_is_found_again_and_the_past_still_lacks_it(sound: Path, tmp_path: Path) -> None:
    bad = broken(sound, tmp_path / "data", "vectors")
    with MemoryStore(bad.path, options=EAGER) as store:
        store.space(SPACE).observe(LOST, NEAR, "anew")
    # A checkpoint would not tell the next opening what the graph lacks.
    assert checkpoints_of(bad.path) == []
    for _ in range(2):
        with MemoryStore(bad.path, options=EAGER) as store:
            space = store.space(SPACE)
            wait_until_indexed(space)
            hits = space.recall(NEAR, k=COUNT + 1)
            assert ({hit.id for hit in hits}, hits[0].content, hits.incomplete) == (KEPT | {LOST}, "anew", False)
            with pytest.raises(CorruptData, match=NAMED):
                space.recall(NEAR, k=1, max_generation=COUNT + 1)
            store.checkpoint()
            assert space.stats().checkpoint_generation == 0
            assert [problem.name for problem in store.problems()] == ["damaged"]
        assert checkpoints_of(bad.path) == []


def test_what_was_erased_is_lacking_no_more(sound: Path, tmp_path: Path) -> None:
    bad = broken(sound, tmp_path / "data", "vectors")
    with MemoryStore(bad.path, options=EAGER) as store:
        space = store.space(SPACE)
        assert space.erase([LOST]).count == 1
        wait_until_indexed(space)
        hits = space.recall(NEAR, k=COUNT + 1)
        assert ({hit.id for hit in hits}, hits.incomplete) == (KEPT, False)
        store.checkpoint()
        assert space.stats().checkpoint_generation > 0
    with MemoryStore(bad.path, options=EAGER) as store:
        assert {hit.id for hit in store.space(SPACE).recall(NEAR, k=COUNT + 1)} == KEPT
        assert store.damages() == ()


def test_an_erasure_beside_a_damaged_vector_leaves_no_older_checkpoint(sound: Path, tmp_path: Path) -> None:
    """It might tell of what was erased, and none may be written that takes its place."""
    path = copied(sound, tmp_path / "data")
    with MemoryStore(path, options=EAGER) as store:
        wait_until_indexed(store.space(SPACE))
    assert checkpoints_of(path)
    late, later = [f"late {id}" for id in IDS], [f"later {id}" for id in IDS]
    with MemoryStore(path, options=OPTIONS) as store:
        store.space(SPACE).observe(late, VECTORS + 1)
    flip_stored(path, (VECTORS + 1)[8].tobytes())
    with MemoryStore(path, options=EAGER) as store:
        space = store.space(SPACE)
        assert space.stats().checkpoint_generation == COUNT + 1
        # In another segment, so that none that is rewritten has the damaged vector.
        space.observe(later, VECTORS + 2)
        assert space.erase(["last"]).count == 1
        assert checkpoints_of(path) == []
        hits = space.recall(NEAR, k=4 * COUNT, skip_damaged=True)
        assert ({hit.id for hit in hits}, hits.incomplete) == ({*IDS, *late, *later} - {late[8]}, True)
    assert checkpoints_of(path) == []


def test_bytes_that_are_no_numbers_spoil_no_other_vector(sound: Path, tmp_path: Path) -> None:
    bad = broken(sound, tmp_path / "data", "vectors")
    with bad.file.open("r+b") as file:
        file.seek(bad.sector)
        file.write(b"\xff" * VECTOR_BYTES)
    with MemoryStore(bad.path, options=OPTIONS) as store:
        space = store.space(SPACE)
        for row in (3, COUNT - 1):
            hits = space.recall(VECTORS[row], k=1, skip_damaged=True)
            assert ([hit.id for hit in hits], hits.incomplete) == ([IDS[row]], True)
        check_lacks_one(space)


@pytest.mark.parametrize("part", ["contents", "offsets of contents"])
def test_a_damaged_text_is_met_by_who_reads_it(sound: Path, tmp_path: Path, part: str) -> None:
    bad = broken(sound, tmp_path / "data", part)
    with MemoryStore(bad.path, options=OPTIONS) as store:
        (damage,) = store.damages()
        assert (damage.file, damage.offset) == (f"log/{bad.file.name}", bad.sector)
        space = store.space(SPACE, create=False)
        for id in (IDS[0], IDS[-1]):
            hit = space.get(id)
            assert hit is not None
            assert hit.content == text_of(id)
        lost = space.get(LOST)
        assert lost is not None
        with pytest.raises(CorruptData, match=NAMED):
            _ = lost.content
        (nearest,) = space.recall(VECTORS[0], k=1)
        assert (nearest.id, nearest.content) == (IDS[0], text_of(IDS[0]))
        hits = space.recall(NEAR, k=COUNT + 1, skip_damaged=True)
        assert ({hit.id for hit in hits} < KEPT, hits.incomplete) == (True, True)


@pytest.mark.parametrize(
    "part",
    [
        "record header",
        "sums in a header",
        "vector sums",
        "times",
        "confidences",
        "importances",
        *(f"{offsets}{name}" for name in ("ids", "metadata", "tags") for offsets in ("", "offsets of ")),
    ],
)
def test_a_space_whose_state_cannot_be_proven_is_refused(sound: Path, tmp_path: Path, part: str) -> None:
    bad = broken(sound, tmp_path / "data", part)
    with MemoryStore(bad.path, options=OPTIONS) as store:
        error = store.unsound[SPACE]
        assert isinstance(error, CorruptData)
        assert (Path(error.field).name, error.value) == (bad.file.name, str(bad.sector))
        with pytest.raises(CorruptData):
            store.space(SPACE)
        assert store.space("other", dim=8).generation == 0


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_the_checksums_of_vectors_prove_them_where_those_of_sectors_are_damaged(
    sound: Path, tmp_path: Path, share: float
) -> None:
    bad = broken(sound, tmp_path / "data", "table of sums", share)
    with MemoryStore(bad.path, options=OPTIONS) as store:
        (damage,) = store.damages()
        assert (damage.file, damage.offset) == (f"log/{bad.file.name}", bad.sector)
        found, _ = store.space(SPACE)._engine._state.index.search(NEAR, k=COUNT + 1)
        assert sorted(found.tolist()) == list(range(1, COUNT + 2))


def test_a_vector_beside_a_damaged_one_in_its_sector_is_in_the_graph(tmp_path: Path) -> None:
    vectors = np.stack([vector_of(id) for id in IDS])
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        store.space(SPACE, dim=vectors.shape[1]).observe(IDS, vectors)
    flip_stored(tmp_path, vectors[50].tobytes())
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        damaged: list[int] = []
        found, _ = store.space(SPACE)._engine._state.index.search(vectors[51], k=COUNT, damaged=damaged)
        assert (damaged, found.tolist()[0], len(set(found.tolist()) - {0})) == ([51], 52, COUNT - 1)


@pytest.mark.parametrize(("id", "is_served"), [("a", True), ("b", True), ("c", False)])
def test_after_a_kill_what_was_written_later_proves_what_was_before(tmp_path: Path, id: str, is_served: bool) -> None:
    path = tmp_path / "killed"
    with MemoryStore(tmp_path / "live", options=OPTIONS) as store:
        space = store.space(SPACE, dim=DIM)
        for each in "abc":
            space.observe(each, vector_of(each, dim=DIM), f"text of {each}")
        shutil.copytree(tmp_path / "live", path)
    flip_stored(path, vector_of(id, dim=DIM).tobytes())
    with MemoryStore(path, options=OPTIONS) as store:
        assert list(store.unsound) == ([] if is_served else [SPACE])
        if is_served:
            hits = store.space(SPACE).recall(vector_of("a", dim=DIM), skip_damaged=True)
            assert ({hit.id for hit in hits}, hits.incomplete) == (set("abc") - {id}, True)
