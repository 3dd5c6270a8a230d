"""`repair` keeps what is sound, says what is lost, and sets aside what is not proven."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from engram.errors import AlreadyExists, EngramError, InvalidInput, StoreLocked
from engram.log.files.checked_json import decode_checked, encode_checked
from engram.log.records.header import RecordKind
from engram.maintenance.generations import GenerationRange, merged
from engram.maintenance.new_directory import UNFINISHED
from engram.maintenance.repairs.repair import RepairOptions, repair
from engram.maintenance.verify import verify
from engram.model.observations import make_batch
from engram.store import MemoryStore, StoreOptions
from engram.store.commit.queue import CommitRequest, CommitResult
from tests.doubles.damaged import SPACE, copied, everything_in, flip, logs_of
from tests.doubles.old_formats import unpack_format

DIM = 8
RECORD = 1024


def vectors(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, DIM)).astype(np.float32)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One row a record: generations 1 to 10, of the ids a to e and then a to e again, but c deleted at last."""
    path = tmp_path / "data"
    with MemoryStore(path) as store:
        space = store.space(SPACE, dim=DIM)
        for number, id in enumerate("abcdeabde", 1):
            space.observe([id], vectors(1), [f"{id} of {number}"])
        space.delete(["c"])
    return path


def record_at(number: int) -> int:
    """Where the record of a generation begins in the first segment."""
    return 512 + RECORD * (number - 1)


def alive_in(path: Path) -> dict[str, int]:
    with MemoryStore(path, read_only=True) as store:
        space = store.space(SPACE, create=False)
        found = {id: space.get(id) for id in "abcde"}
        return {id: hit.generation for id, hit in found.items() if hit is not None}


def test_nothing_is_lost_of_what_is_sound(data: Path, tmp_path: Path) -> None:
    before = everything_in(data)
    report = repair(data, tmp_path / "new")
    assert report.is_complete
    assert everything_in(data) == before
    assert alive_in(tmp_path / "new") == {"a": 6, "b": 7, "d": 8, "e": 9}
    assert json.loads((tmp_path / "new" / "repair.json").read_text()) == report.values()


def test_times_and_generations_are_kept(data: Path, tmp_path: Path) -> None:
    repair(data, tmp_path / "new")
    logs = []
    for path in (data, tmp_path / "new"):
        with MemoryStore(path, read_only=True) as store:
            records = store.space(SPACE)._engine._state.log.records()
            logs.append([(r.first_generation, r.kind, r.committed_us) for r in records])
    assert logs[0] == logs[1]
    assert logs[0][-1][1] is RecordKind.DELETE


def test_an_id_whose_newest_version_is_lost_is_not_answered_with_an_older_one(data: Path, tmp_path: Path) -> None:
    # The text of "a of 6": its id can still be read, for a record has one sector for everything here but the header.
    with MemoryStore(data) as store:
        store.space(SPACE).observe(["a"], vectors(1), ["x" * 3000])
    (file,) = logs_of(data)
    flip(file, file.read_bytes().find(b"x" * 3000) + 1500)
    report = repair(data, tmp_path / "new")
    (space,) = report.spaces
    assert space.lost == [GenerationRange(11, 11)]
    assert space.lost_ids == [("a", 11)]
    assert space.set_aside == 0
    assert alive_in(tmp_path / "new") == {"b": 7, "d": 8, "e": 9}


@pytest.mark.parametrize("offset", [40, 600])
def test_ids_that_a_lost_record_may_have_changed_are_set_aside(data: Path, tmp_path: Path, offset: int) -> None:
    (file,) = logs_of(data)
    flip(file, record_at(8) + offset)
    (space,) = repair(data, tmp_path / "new").spaces
    assert space.lost == [GenerationRange(8, 8)]
    # Later than what is lost there is only e; c is deleted later, too.
    assert alive_in(tmp_path / "new") == {"e": 9}
    lines = (tmp_path / "new" / "set-aside" / f"{SPACE}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["id"], row["generation"], row["text"]) for row in rows] == [
        ("a", 1, "a of 1"),
        ("b", 2, "b of 2"),
        ("d", 4, "d of 4"),
        ("a", 6, "a of 6"),
        ("b", 7, "b of 7"),
    ]
    np.testing.assert_array_equal(np.float32(rows[0]["embedding"]), vectors(1)[0])
    assert (space.set_aside, space.set_aside_ids) == (5, 3)


def test_unproven_versions_are_kept_on_request(data: Path, tmp_path: Path) -> None:
    (file,) = logs_of(data)
    flip(file, record_at(8) + 40)
    (space,) = repair(data, tmp_path / "new", options=RepairOptions(keep_unproven=True)).spaces
    assert alive_in(tmp_path / "new") == {"a": 6, "b": 7, "d": 4, "e": 9}
    assert space.set_aside == 0
    assert not (tmp_path / "new" / "set-aside").exists()


def test_it_is_a_new_incarnation_of_the_same_space(data: Path, tmp_path: Path) -> None:
    repair(data, tmp_path / "new")
    with MemoryStore(data, read_only=True) as old, MemoryStore(tmp_path / "new") as new:
        one, two = old.space(SPACE)._engine.identity, new.space(SPACE)._engine.identity
        assert one[:2] == two[:2]
        assert one.incarnation != two.incarnation
        assert new.space(SPACE).observe(["f"], vectors(1)) == 11


def test_sessions_keep_their_progress_where_rows_are_set_aside_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with MemoryStore(path) as store:
        space = store.space(SPACE, dim=DIM)
        for first in (1, 3):
            batch = make_batch([f"s{first}", f"s{first + 1}"], vectors(2), ["one", "two"])
            done: list[CommitResult | EngramError] = []
            request = CommitRequest(
                space=space._engine, batch=batch, done=done.append, session="session", first_sequence=first
            )
            store._engine.submit(request)
            space.observe(["flush"], vectors(1))
            assert isinstance(done[0], CommitResult)
        space.observe(["last"], vectors(1))
    (file,) = logs_of(path)
    used = len(file.read_bytes().rstrip(b"\0"))
    flip(file, used - used % 512 - 512 + 40)
    (report,) = repair(path, tmp_path / "new").spaces
    assert report.set_aside > 0
    with MemoryStore(tmp_path / "new", read_only=True) as store:
        assert store.space(SPACE)._engine.durable_sequence("session") == 4


def test_a_lost_description_needs_a_metric(data: Path, tmp_path: Path) -> None:
    (data / "spaces" / SPACE / "space.json").unlink()
    report = repair(data, tmp_path / "without")
    assert "metric" in report.left_behind[SPACE].message
    assert "dimension 8" in report.left_behind[SPACE].message
    report = repair(data, tmp_path / "with", options=RepairOptions(metric="l2"))
    (space,) = report.spaces
    assert (space.description, space.end_is_proven) == ("options", False)
    assert not report.is_complete
    with MemoryStore(tmp_path / "with", read_only=True) as store:
        assert store.space(SPACE).config.metric == "l2"
    assert alive_in(tmp_path / "with") == {"a": 6, "b": 7, "d": 8, "e": 9}


def test_a_lost_description_leaves_records_that_show_whether_there_were_vectors(tmp_path: Path) -> None:
    with MemoryStore(tmp_path / "data") as store:
        store.space("none", vectors="none").observe("a", None, "text", ttl=3600)
        some = store.space("some", dim=DIM, vectors="optional")
        some.observe("a", vectors(1)[0], None)
        some.observe(["b", "c"], [None, vectors(1)[0]], ["text", "text"])
    for name in ("none", "some"):
        (tmp_path / "data" / "spaces" / name / "space.json").unlink()
    repair(tmp_path / "data", tmp_path / "new", options=RepairOptions(metric="l2"))
    with MemoryStore(tmp_path / "new", read_only=True) as store:
        spaces = [store.space(name) for name in ("none", "some")]
        assert [(each.config.dim, each.config.vectors) for each in spaces] == [(0, "none"), (DIM, "optional")]
        found = [hit for space in spaces for hit in space.scan(include_vectors=True)]
        assert [(hit.id, hit.has_content, hit.vector is None, hit.expires_us is None) for hit in found] == [
            ("a", True, True, False),
            ("a", False, False, True),
            ("b", True, True, True),
            ("c", True, False, True),
        ]


def test_a_repair_keeps_the_settings(data: Path, tmp_path: Path) -> None:
    with MemoryStore(data) as store:
        store.space(SPACE).set_ttl(60)
    repair(data, tmp_path / "new")
    before, after = (
        decode_checked((path / "spaces" / SPACE / "space.json").read_bytes(), "space.json")["settings"]
        for path in (data, tmp_path / "new")
    )
    assert before == after
    assert (after["ttl_s"], "vectors" in after) == (60, False)


def test_a_lost_list_of_spaces_is_made_again(data: Path, tmp_path: Path) -> None:
    (data / "store.json").unlink()
    report = repair(data, tmp_path / "new")
    assert report.damages
    assert verify(tmp_path / "new").is_sound


def test_a_segment_of_another_store_is_not_taken_in(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with MemoryStore(other) as store:
        store.space(SPACE, dim=DIM).observe([f"stranger-{n}" for n in range(10)], vectors(10))
    logs_of(data)[0].write_bytes(logs_of(other)[0].read_bytes())
    (space,) = repair(data, tmp_path / "new").spaces
    assert space.kept == 0
    assert space.lost == [GenerationRange(1, 10)]


def test_a_directory_of_format_1_is_repaired(tmp_path: Path) -> None:
    unpacked = unpack_format(1, tmp_path / "old")
    root = next(path.parent for path in unpacked.rglob("spaces") if path.is_dir())
    before = everything_in(root)
    report = repair(root, tmp_path / "new")
    assert report.is_complete
    assert everything_in(root) == before
    with MemoryStore(root, read_only=True) as old, MemoryStore(tmp_path / "new", read_only=True) as new:
        assert [s.config for s in old.spaces()] == [s.config for s in new.spaces()]
        assert any(space.stats().live_count for space in old.spaces())
        for one, two in zip(old.spaces(), new.spaces(), strict=True):
            assert one.generation == two.generation
            assert one.stats().live_count == two.stats().live_count
    assert everything_in(root) == before


@pytest.mark.parametrize("seed", range(12))
def test_of_a_damaged_directory_of_format_1_only_what_was_written_is_kept(tmp_path: Path, seed: int) -> None:
    unpacked = unpack_format(1, tmp_path / "old")
    root = next(path.parent for path in unpacked.rglob("spaces") if path.is_dir())
    bad = copied(root, tmp_path / "bad")
    if seed % 2:
        # The first opening that may write lists the files.
        MemoryStore(bad).close()
    random = Random(seed)
    logs = [file for file in sorted(bad.rglob("*.log")) if any(file.read_bytes())]
    file = random.choice(logs)
    flip(file, random.randrange(len(file.read_bytes().rstrip(b"\0"))), random.randrange(8))
    report = repair(bad, tmp_path / "new")
    assert verify(tmp_path / "new").is_sound
    lost = {space.name: space for space in report.spaces}
    kept = 0
    with MemoryStore(root, read_only=True) as old, MemoryStore(tmp_path / "new", read_only=True) as new:
        for space in old.spaces():
            there = new.space(space.config.name)
            for record in space._engine._state.log.records():
                for id in record.ids():
                    one, two = space.get(id), there.get(id)
                    if two is None:
                        unfinished = lost[space.config.name].unfinished
                        assert one is None or lost[space.config.name].lost or unfinished
                        continue
                    kept += 1
                    assert one is not None
                    assert (two.generation, two.content, two.metadata) == (one.generation, one.content, one.metadata)
                    np.testing.assert_array_equal(one.vector, two.vector)


def test_where_it_goes_must_be_new(data: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(AlreadyExists, match=r"letter\.txt") as caught:
        repair(data, tmp_path / "full")
    assert caught.value.code == "directory_not_empty"
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter.txt"]
    for inside in (data, data / "new", tmp_path):
        with pytest.raises(InvalidInput, match="inside the other"):
            repair(data, inside)
    assert not (data / "new").exists()


def test_what_an_interrupted_repair_left_is_no_obstacle(data: Path, tmp_path: Path) -> None:
    (tmp_path / "new" / UNFINISHED / "spaces").mkdir(parents=True)
    (tmp_path / "new" / UNFINISHED / "spaces" / "half").write_text("half")
    (tmp_path / "new" / "LOCK").touch()
    assert repair(data, tmp_path / "new").is_complete
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["LOCK", "repair.json", "spaces", "store.json"]


def test_a_directory_in_use_is_refused(data: Path, tmp_path: Path) -> None:
    with MemoryStore(data), pytest.raises(StoreLocked):
        repair(data, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_ranges_of_generations_are_merged() -> None:
    ranges = [GenerationRange(5, 9), GenerationRange(1, 2), GenerationRange(3, 3), GenerationRange(7, 12)]
    assert merged(ranges) == [GenerationRange(1, 3), GenerationRange(5, 12)]
    assert [str(one) for one in merged(ranges)] == ["1 to 3", "5 to 12"]


def test_an_erasure_that_is_not_finished_goes_on_in_the_new_directory(data: Path, tmp_path: Path) -> None:
    options = StoreOptions(mark_interval_s=3600.0)
    with MemoryStore(data, options=options) as store:
        space = store.space(SPACE)
        space.delete(["a"])
        space._engine._erasure.note(["a"], space.generation)
        last = space.generation
    # A generation that is not in the new log may be given to something that stays.
    file = data / "spaces" / SPACE / "space.json"
    content = decode_checked(file.read_bytes(), file.name)
    content["erasing"] = dict.fromkeys(content["erasing"], last + 100)
    file.write_bytes(encode_checked(content))
    repair(data, tmp_path / "new")
    assert verify(tmp_path / "new", erased=["a"]).traces[-1].what == "an erasure that is not finished"
    with MemoryStore(tmp_path / "new", options=options) as store:
        space = store.space(SPACE)
        assert list(space._engine._state.manifest.erasing.values()) == [last]
        space.observe(["a"], vectors(1), ["a once more"])
        space._engine.log_compaction.run(lambda nbytes: None)
        assert not space._engine.log_compaction.is_erasing
    assert [trace.generation for trace in verify(tmp_path / "new", erased=["a"]).traces] == [last + 1]
    assert not any(b"a of 6" in content for _, content in everything_in(tmp_path / "new").values())
