"""An erasure that is interrupted anywhere, by a kill or a loss of power, can be finished, and nothing else is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from engram.log.files.file_storage import FileStorage
from engram.model.spaces import Metric
from engram.model.values.retention_policy import EVERYTHING
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.compaction.pace import Pace
from tests.doubles.batches import DIM, content_of, vector_of
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.stores import store_on
from tests.doubles.waiting import wait_until_indexed
from tests.doubles.watched_storage import Watched

# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=16 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
IDS = [f"id-{number:03}" for number in range(60)]
ERASED = ["id-003", "id-031", "id-059"]
KEPT = [id for id in IDS if id not in ERASED]
VERSIONS = 3

SHORT = pytest.param([1, 2], id="short")
LONG = pytest.param(range(10), marks=[pytest.mark.campaign, pytest.mark.timeout(3600)], id="long")


def write(space: Space, version: int) -> None:
    for start in range(0, len(IDS), 10):
        ids = IDS[start : start + 10]
        vectors = np.array([vector_of(id, version) for id in ids])
        space.observe(
            ids, vectors, [content_of(id, version) for id in ids], tags=[[f"{id} tagged {version}"] for id in ids]
        )


def left_of(storage: FaultyStorage) -> list[str]:
    """The erased of which something is in a file."""
    everything = b"".join(storage.contents())
    return [id for id in ERASED if id.encode() in everything]


def check_the_others(space: Space) -> None:
    for version in range(VERSIONS):
        past = space.snapshot(max_generation=(version + 1) * len(IDS))
        for id, hit in zip(KEPT, past.get(KEPT), strict=True):
            assert hit is not None
            assert (hit.content, hit.tags) == (content_of(id, version), [f"{id} tagged {version}"])
            assert np.array_equal(np.asarray(hit.vector), vector_of(id, version))
        found = {hit.id for hit in past.recall(vector_of(KEPT[0], version), k=2 * len(IDS))}
        assert found >= set(KEPT)


@pytest.mark.parametrize("seeds", [SHORT, LONG])
def test_whenever_it_is_interrupted(seeds: range) -> None:
    places = 0
    for seed in seeds:
        watched = Watched(seed)
        storage = FaultyStorage(watched)
        with store_on(storage=storage, options=QUIET) as store:
            space = store.space("notes", dim=DIM)
            space.set_retention(EVERYTHING)
            for version in range(VERSIONS):
                write(space, version)
            space.delete([ERASED[1]])
            watched.storage = storage
            assert space.erase(ERASED).count == VERSIONS * len(ERASED)
            watched.storage = None
            assert left_of(storage) == []
        for found in [*watched.found, storage.after_kill(), storage.after_power_loss(Random(seed))]:
            look_at(found)
        places += len(watched.found)
    assert places > 30 * len(seeds)


def look_at(storage: FaultyStorage) -> None:
    """What was interrupted goes on if it was noted; otherwise its caller, who got no answer, asks again."""
    with store_on(storage=storage, options=QUIET) as store:
        space = store.space("notes")
        was_noted = bool(space._engine._state.manifest.erasing)
        check_the_others(space)
        if was_noted:
            # No older version comes back, however far it went.
            assert not any(space.get(ERASED))
        if space._engine.log_compaction.is_due():
            space._engine.log_compaction.run(Pace(0, lambda: True))
        assert not space._engine._state.manifest.erasing
        if was_noted:
            assert left_of(storage) == []
        space.erase(ERASED)
        assert left_of(storage) == []
        assert len(space) == len(KEPT)
        check_the_others(space)
    reopened(storage.after_kill())


def reopened(storage: FaultyStorage) -> None:
    with store_on(storage=storage, options=QUIET) as store:
        assert isinstance(store, MemoryStore)
        check_the_others(store.space("notes"))
        assert store.problems() == ()


FIRST = "id-first"
EACH = pytest.param(1, marks=[pytest.mark.campaign, pytest.mark.timeout(3600)], id="each step")
SOME = pytest.param(4, id="some steps")


def copying(directory: Path, to: Path, found: list[Path], patch: pytest.MonkeyPatch) -> None:
    """Take a copy of a directory before each step on its files, as a process that is killed there leaves it."""

    def copied_before(does: Callable[..., object]) -> Callable[..., object]:
        def done(*arguments: object, **keywords: object) -> object:
            found.append(to / str(len(found)))
            shutil.copytree(directory, found[-1], ignore=shutil.ignore_patterns("LOCK"))
            return does(*arguments, **keywords)

        return done

    for name in ("create", "replace", "remove", "rename"):
        patch.setattr(FileStorage, name, copied_before(getattr(FileStorage, name)))


def left_in(directory: Path) -> list[str]:
    """The files that have something of the erased."""
    ids = [*ERASED, FIRST]
    patterns = [id.encode() for id in ids]
    patterns += [vector_of(id, version).tobytes() for id in ids for version in range(VERSIONS)]
    files = [file for file in directory.rglob("*") if file.is_file()]
    return [file.name for file in files if any(pattern in file.read_bytes() for pattern in patterns)]


@pytest.mark.parametrize("step", [SOME, EACH])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_whenever_it_is_killed_checkpoints_have_nothing_of_it(
    metric: Metric, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what codes are relative to, which is the first vector here, and what a checkpoint was begun with."""
    data, found = tmp_path / "data", list[Path]()
    with MemoryStore(data, options=QUIET) as store:
        space = store.space("notes", dim=DIM, metric=metric)
        space.set_retention(EVERYTHING)
        space.observe(FIRST, vector_of(FIRST), content_of(FIRST))
        for version in range(VERSIONS):
            write(space, version)
        wait_until_indexed(space)
        store.checkpoint()
        assert any(name.endswith(".checkpoint") for name in left_in(data)) == (metric == "l2")
        with monkeypatch.context() as patch:
            copying(data, tmp_path, found, patch)
            assert space.erase([*ERASED, FIRST]).count == VERSIONS * len(ERASED) + 1
        assert left_in(data) == []
    assert left_in(data) == []
    assert len(found) > 20
    for place in found[::step]:
        look_into(place)
        shutil.rmtree(place)


def look_into(place: Path) -> None:
    (place / "spaces" / "notes" / "checkpoints" / "graph.tmp").write_bytes(vector_of(FIRST).tobytes())
    with MemoryStore(place, options=QUIET) as store:
        space = store.space("notes")
        compaction = space._engine.log_compaction
        was_noted = compaction.is_erasing
        check_the_others(space)
        if compaction.is_due():
            compaction.run(Pace(0, lambda: True))
        if was_noted:
            assert not any(space.get([*ERASED, FIRST]))
            assert left_in(place) == []
        space.erase([*ERASED, FIRST])
        assert left_in(place) == []
        check_the_others(space)
    assert left_in(place) == []
    with MemoryStore(place, options=QUIET) as store:
        space = store.space("notes")
        assert len(space) == len(KEPT)
        check_the_others(space)
        assert store.problems() == ()
    assert left_in(place) == []
