"""Erasure: nothing of what was written under an id is left in any file, and nothing else is lost."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from campaigns.erasure.codes import codes_of
from engram import Own
from engram.errors import CorruptData, FailedPrecondition, InvalidInput, Unavailable
from engram.maintenance.verify import verify
from engram.model.values.retention_policy import EVERYTHING
from engram.store import Cue, MemoryStore, Space
from engram.store.commit.queue import CommitResult
from engram.store.commit.writable_space import WritableSpace
from engram.store.compaction.wanted_rows import digests_of
from tests.doubles.erasures import COUNT, DIM, QUIET, content, fill, found, traces, vector
from tests.doubles.waiting import wait_until_indexed


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "data", options=QUIET)


def test_nothing_of_the_erased_is_in_any_file_and_everything_else_is(store: MemoryStore, tmp_path: Path) -> None:
    erased, kept = [3, 77, 255, 399], [0, 4, 256, 398]
    rows = np.array([vector(number, 1) for number in (*erased, *kept)])
    codes = codes_of(rows, tmp_path)
    with store:
        space = store.space("notes", dim=DIM)
        space.set_retention(EVERYTHING)
        fill(space)
        fill(space, version=1)
        space.delete(["person-77@home"])
        wait_until_indexed(space)
        store.checkpoint()
        for version in (0, 1):
            for number in erased:
                assert all(found(tmp_path, trace) for trace in traces(number, version)[2:])
        assert all(found(tmp_path, code) for pair in codes for code in pair)
        receipt = space.erase([f"person-{number}@home" for number in (*erased, 4711)])
        assert (receipt.count, len(receipt.digests), receipt.space) == (2 * len(erased), len(erased) + 1, "notes")
        for version in (0, 1):
            for number in erased:
                assert [trace for trace in traces(number, version) if found(tmp_path, trace)] == []
        assert [found(tmp_path, code) for pair in codes[: len(erased)] for code in pair] == [[]] * (2 * len(erased))
        assert all(found(tmp_path, code) for pair in codes[len(erased) :] for code in pair)
        check_kept(space, erased)
    assert verify(tmp_path / "data").is_sound
    with MemoryStore(tmp_path / "data", options=QUIET) as again:
        check_kept(again.space("notes"), erased)
        assert again.problems() == ()
        assert again.scrub() == ()


def test_the_first_observation_is_not_left_as_the_centre_of_the_graph(store: MemoryStore, tmp_path: Path) -> None:
    """Codes of this metric are relative to the first vectors, and the mean of one is this one."""
    pattern = vector(900).tobytes()
    with store:
        space = store.space("notes", dim=DIM, metric="l2")
        space.observe("person-900@home", vector(900), content(900))
        fill(space)
        wait_until_indexed(space)
        store.checkpoint()
        assert any(name.endswith(".checkpoint") for name in found(tmp_path, pattern))
        assert space.erase(["person-900@home"]).count == 1
        assert found(tmp_path, pattern) == []
        store.checkpoint()
        assert found(tmp_path, pattern) == [], "the graph in memory is not saved any more"
        assert space.recall(vector(7), k=1)[0].id == "person-7@home"
    assert found(tmp_path, pattern) == []
    with MemoryStore(tmp_path / "data", options=QUIET) as again:
        space = again.space("notes")
        wait_until_indexed(space)
        again.checkpoint()
        assert space._engine._state.manifest.checkpoints, "it was built anew, on many vectors"
        assert space.recall(vector(7), k=1)[0].id == "person-7@home"
        assert space.erase(["person-0@home"]).count == 1
        assert space._engine._state.manifest.checkpoints
        assert found(tmp_path, vector(0).tobytes()) == []


def check_kept(space: Space, erased: list[int]) -> None:
    """All but the erased are as they were, now and in the past."""
    kept = [number for number in range(COUNT) if number not in erased]
    assert len(space) == len(kept)
    past = space.snapshot(max_generation=COUNT)
    assert len(past) == len(kept)
    for at, version in ((space, 1), (past, 0)):
        for number in (*erased, *kept[::7]):
            hit = at.get(f"person-{number}@home")
            if number in erased:
                assert hit is None
                continue
            assert hit is not None
            assert (hit.content, hit.metadata) == (content(number, version), {"note": f"meta {number} {version}."})
            assert np.array_equal(np.asarray(hit.vector), vector(number, version))
        best = at.recall(vector(erased[0], version), k=COUNT, ef=COUNT)
        assert len(best) == len(kept)
        words = at.recall(Cue(text=f"secret {erased[0]}", by="words"), k=COUNT)
        assert not {f"person-{number}@home" for number in erased} & {hit.id for hit in (*best, *words)}
        assert at.count(Own.tags.has_any([f"of-{erased[0]}-{version}."])) == 0


def test_recalls_by_time_are_as_before(store: MemoryStore, tmp_path: Path) -> None:
    """Each record keeps its commit time, also where the records around it lose rows."""
    moments: list[float] = []
    with store:
        space = store.space("notes", dim=DIM)
        for number in range(40):
            space.observe(f"person-{number}@home", vector(number), content(number))
            moments.append(time.time())
        erased = ["person-3@home", "person-21@home"]
        wanted = [[id for id in seen_at(space, moment) if id not in erased] for moment in moments]
        assert len(set(map(len, wanted))) > 30
        space.erase(erased)
        assert [seen_at(space, moment) for moment in moments] == wanted
    with MemoryStore(tmp_path / "data", options=QUIET) as again:
        assert [seen_at(again.space("notes"), moment) for moment in moments] == wanted


def seen_at(space: Space, moment: float) -> list[str]:
    return [hit.id for hit in space.snapshot(snapshot_time=moment).scan()]


def test_what_is_written_under_an_erased_id_afterwards_stays(store: MemoryStore, tmp_path: Path) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        space.erase(["person-5@home"])
        space.observe("person-5@home", vector(5), "once more")
        space.erase(["person-6@home"])
        hit = space.get("person-5@home")
        assert hit is not None
        assert hit.content == "once more"
    with MemoryStore(tmp_path / "data", options=QUIET) as again:
        assert len(again.space("notes")) == COUNT - 1


def test_what_is_written_while_an_erasure_begins_stays(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the id was not alive any more, so that its deletion had nothing to do."""
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        space.delete(["person-5@home"])
        delete = WritableSpace.delete

        def delete_and_write(engine: WritableSpace, *arguments: Any) -> CommitResult:
            deleted = delete(engine, *arguments)
            space.observe("person-5@home", vector(5, 1), content(5, 1))
            return deleted

        with monkeypatch.context() as patch:
            patch.setattr(WritableSpace, "delete", delete_and_write)
            receipt = space.erase(["person-5@home"])
        assert (receipt.count, receipt.generation) == (1, COUNT + 1)
        hit = space.get("person-5@home")
        assert hit is not None
        assert hit.content == content(5, 1)


def test_what_cannot_be_read_might_have_to_be_erased(store: MemoryStore, tmp_path: Path) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        log = tmp_path / "data" / "spaces" / "notes" / "log"
        (file,) = [one for one in log.iterdir() if b"person-120@home" in one.read_bytes()]
        damaged = bytearray(file.read_bytes())
        damaged[damaged.index(b"person-120@home")] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(CorruptData):
            space.erase(["person-5@home"])
        assert {problem.name for problem in space.stats().problems} == {"damaged", "erasure_failed"}


@pytest.mark.parametrize("ids", ["person-1@home", ["a", 3], [None], b"a"])
def test_what_is_no_list_of_ids_is_refused(store: MemoryStore, ids: object) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        with pytest.raises(InvalidInput):
            space.erase(ids)  # type: ignore[arg-type]  # Wrong types are the point.
        assert not space._engine._state.manifest.erasing


def test_a_space_in_memory_can_be_erased_from(tmp_path: Path) -> None:
    with MemoryStore(None, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        fill(space)
        assert space.erase(["person-9@home"]).count == 1
        assert len(space) == COUNT - 1
        assert space.erase([]).count == 0


def test_a_digest_is_not_that_of_another_space(store: MemoryStore) -> None:
    with store:
        one, other = store.space("notes", dim=DIM)._engine, store.space("mail", dim=DIM)._engine
        assert digests_of(one.identity, ["a"]) != digests_of(other.identity, ["a"])
        assert digests_of(one.identity, ["b", "a"])[1:] == digests_of(one.identity, ["a"])


def test_a_read_only_store_refuses(store: MemoryStore, tmp_path: Path) -> None:
    with store:
        fill(store.space("notes", dim=DIM))
    with MemoryStore(tmp_path / "data", read_only=True) as again, pytest.raises((Unavailable, FailedPrecondition)):
        again.space("notes").erase(["person-1@home"])


def test_of_what_was_never_there_nothing_is_left_and_nothing_begun(store: MemoryStore, tmp_path: Path) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        log = tmp_path / "data" / "spaces" / "notes" / "log"
        before, generation = sorted(file.name for file in log.iterdir()), space.generation
        for _ in range(3):
            assert space.erase(["nobody"]).count == 0
        assert sorted(file.name for file in log.iterdir()) == before
        assert space.generation == generation
        assert not space._engine._state.manifest.erasing


@pytest.mark.parametrize("id", ["person-5@home", "nobody"])
def test_what_a_crash_has_left_of_a_write_goes_too(store: MemoryStore, tmp_path: Path, id: str) -> None:
    """Nobody knows whose it is: it was never acknowledged, and is no part of the log."""
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        number = COUNT
        while (last := space._engine._state.log.pages[-1].segment).end + 2048 > len(last.view):
            space.observe(f"person-{number}@home", vector(number), content(number))
            number += 1
        shutil.copytree(tmp_path / "data", tmp_path / "left", ignore=shutil.ignore_patterns("LOCK"))
    file = tmp_path / "left" / "spaces" / "notes" / "log" / last.name
    with file.open("r+b") as opened:
        # The sector of the header is missing.
        opened.seek(last.end + 512)
        opened.write(b"a secret of person-77@home".ljust(512, b"\0"))
    traces_left = verify(tmp_path / "left", erased=["person-77@home", "person-78@home"]).traces
    assert [trace.message for trace in traces_left if not trace.generation] == [
        f"what a crash has left of 'person-77@home' is in notes/log/{last.name}"
    ]
    with MemoryStore(tmp_path / "left", options=QUIET) as again:
        space = again.space("notes")
        assert found(tmp_path / "left", b"a secret of person-77@home") == [last.name]
        space.erase([id])
        assert found(tmp_path / "left", b"a secret of person-77@home") == []
        assert len(space) == number - (id != "nobody")
    assert verify(tmp_path / "left").is_sound
    with MemoryStore(tmp_path / "left", options=QUIET) as again:
        hit = again.space("notes").get("person-77@home")
        assert hit is not None
        assert hit.content == content(77)


def test_the_later_of_two_limits_holds(store: MemoryStore) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        engine = space._engine
        (digest,) = engine._erasure.note(["person-5@home"], 300)
        engine._erasure.note(["person-5@home"], 3)
        assert engine._state.manifest.erasing == {digest: 300}


def test_each_call_counts_what_it_has_removed(store: MemoryStore) -> None:
    with store:
        space = store.space("notes", dim=DIM)
        fill(space)
        fill(space, version=1)
        engine = space._engine
        # Another call is just going to do the same.
        other = engine._erasure.note(["person-5@home", "person-6@home"], space.generation)
        assert space.erase(["person-7@home"]).count == 2
        assert engine.log_compaction.erase(other) == 4
        assert engine.log_compaction.erase(other) == 0
        assert space.erase(["person-7@home"]).count == 0
        assert engine._erasure._counts == {}
