"""Directories of every format that was ever written: a small store of each is kept, and opens for good."""

from __future__ import annotations

import errno
import json
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from engram.errors import CorruptData, NewerFormat, Unavailable
from engram.log.files.checked_json import FORMAT, format_of
from engram.log.files.file_storage import FileStorage
from engram.log.files.storage import Storage
from engram.log.manifest import Manifest
from engram.model.observations import make_batch
from engram.store import Cue, Filter, MemoryStore
from engram.store.commit.queue import CommitRequest, CommitResult
from tests.doubles.batches import DIM
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.old_formats import unpack_format
from tests.doubles.stored_ids import observe
from tests.doubles.stores import store_on

FORMATS = range(1, FORMAT + 1)


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def storage_of(path: Path) -> Storage:
    return FileStorage(path / "spaces" / "notes", read_only=True)


def use(path: Path) -> None:
    with MemoryStore(path, read_only=True) as store:
        store.space("notes")


def check(store: MemoryStore) -> None:
    """Everything that scripts/make_fixture_store.py put in is there, and nothing else."""
    assert [space.config.name for space in store.spaces()] == ["empty", "notes", "vectors"]
    notes = store.space("notes")
    stats = notes.stats()
    assert (stats.live_count, stats.visible_generation) == (244, 249)
    hit = notes.get("note-3-8")
    assert hit is not None
    assert (hit.content, hit.metadata, hit.tags) == (
        "note 3 of row 8: the pump on deck 8 hums",
        {"deck": 8, "n": 3},
        ["pump", "deck-8"],
    )
    assert (hit.time_us, hit.generation) == (1_700_000_188_000_000, 69)
    assert [hit.confidence, hit.importance] == pytest.approx([0.66, 0.4])
    assert notes.get("note-0-0") is None
    assert notes.get("note-0-0", max_generation=240) is not None
    mended = notes.get("note-1-1")
    assert mended is not None
    assert mended.content == "superseded: the pump was mended"
    assert notes.recall(hit.content, k=1)[0].id == "note-3-8"
    found = notes.recall(Cue(filter=Filter(tags={"deck-8"}, metadata={"n": 3})))
    assert [one.id for one in found] == ["note-3-8"]
    assert notes._engine.durable_sequence("reader-1") == 6
    vectors = store.space("vectors")
    right = np.random.default_rng(11).standard_normal((300, 24)).astype(np.float32)
    nearest = vectors.recall(right[17], k=1)[0]
    assert nearest.id == "v17"
    np.testing.assert_array_equal(nearest.vector, right[17])
    assert store.space("empty").generation == 0


@pytest.mark.parametrize("number", FORMATS)
def test_every_format_opens_and_goes_on(number: int, tmp_path: Path) -> None:
    path = unpack_format(number, tmp_path)
    for _ in range(2):
        with MemoryStore(path) as store:
            check(store)
            assert store.scrub() == ()
            assert store.unsound == {}
    with MemoryStore(path) as store:
        notes = store.space("notes")
        outcome: Future[CommitResult] = Future()
        batch = notes._engine.prepare(make_batch(["s-7"], np.empty((1, 0), np.float32), ["session row 7"]))
        request = CommitRequest(
            space=notes._engine,
            batch=batch,
            session="reader-1",
            first_sequence=7,
            done=outcome.set_result,  # type: ignore[arg-type]
        )
        store._engine.submit(request)
        assert outcome.result(60).first_generation == 250
        observe(store.space("new", dim=DIM), "a")
    with MemoryStore(path) as store:
        assert store.space("notes").get("s-7") is not None
        assert store.space("notes")._engine.durable_sequence("reader-1") == 7
        assert store.scrub() == ()


@pytest.mark.parametrize("number", FORMATS)
def test_opening_only_to_read_changes_nothing(number: int, tmp_path: Path) -> None:
    path = unpack_format(number, tmp_path)
    before = tree(path)
    with MemoryStore(path, read_only=True) as store:
        check(store)
        assert store.scrub() == ()
        with pytest.raises(Unavailable) as refusal:
            store.space("notes").observe(["x"], contents=["y"])
        assert refusal.value.code == "read_only"
    assert tree(path) == before


def test_format_1_is_listed_only_once_it_is_durable(tmp_path: Path) -> None:
    """As after `kill -9`: what is read may not be on the disk yet, and the list has the checksum of what was read."""
    folder = unpack_format(1, tmp_path) / "spaces" / "notes"
    storage = FaultyStorage()
    notes = storage.directory("spaces").directory("notes")
    notes.replace("space.json", (folder / "space.json").read_bytes())
    for path in (folder / "log").iterdir():
        notes.directory("log").create(path.name, path.stat().st_size).write(0, [path.read_bytes()])
    storage.faults.pending.append(Fault("sync", errno.EIO))
    with store_on(storage=storage) as store:
        assert store.unsound["notes"].code == "log_failed"
    assert format_of(notes.read("space.json")) == 1
    with store_on(storage=storage) as store:
        assert store.space("notes").generation == 249
    assert format_of(notes.read("space.json")) == 2


def test_format_1_is_listed_when_it_is_first_opened_to_write(tmp_path: Path) -> None:
    path = unpack_format(1, tmp_path)
    MemoryStore(path).close()
    manifest = Manifest.read(storage_of(path), "notes")
    assert [entry.format for entry in manifest.segments] == [1]
    assert manifest.checkpoints
    assert manifest.mark.generation == 249
    assert json.loads((path / "store.json").read_bytes())["format"] == 2
    with MemoryStore(path) as store:
        store.space("notes").observe(["x"], contents=["y"])
    assert [entry.format for entry in Manifest.read(storage_of(path), "notes").segments] == [1, 2]


def test_strangers_of_format_1_are_refused_from_then_on(tmp_path: Path) -> None:
    path, other = unpack_format(1, tmp_path / "a"), unpack_format(1, tmp_path / "b")
    with MemoryStore(other) as store:
        observe(store.space("more", dim=DIM), "a")
    MemoryStore(path).close()
    segment = path / "spaces/notes/log/000000000001.log"
    pristine = segment.read_bytes()
    segment.write_bytes((path / "spaces/vectors/log/000000000001.log").read_bytes())
    with MemoryStore(path) as store:
        with pytest.raises(CorruptData, match="not the one that was there when this directory became format 2"):
            store.space("notes")
        assert store.space("vectors").stats().live_count == 300
    segment.write_bytes(pristine)
    with MemoryStore(path) as store:
        check(store)


@pytest.mark.parametrize("file", ["store.json", "spaces/notes/space.json"])
def test_a_newer_format_is_refused_by_the_version_it_needs(file: str, tmp_path: Path) -> None:
    path = unpack_format(FORMAT, tmp_path)
    content = json.loads((path / file).read_bytes())
    content.update(format=FORMAT + 1, needs="9.8.7")
    del content["crc32c"]
    (path / file).write_text(json.dumps(content))
    before = tree(path)
    with pytest.raises(NewerFormat, match=rf"is of format {FORMAT + 1}, which Engram 9\.8\.7 reads"):
        use(path)
    assert tree(path) == before
