"""What a space has left at rest is forgotten when it is dropped, and goes with it when it gets another name."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engram.errors import FailedPrecondition, Unavailable
from engram.store import MemoryStore, Space
from engram.store.resting.weak_spaces import RestingSpaces
from tests.unit.store.resting.test_resting_spaces import DIM, NAMES, OPTIONS, VECTOR, contents, filled, open_names

# Nothing happens by itself.
QUIET = replace(OPTIONS, mark_interval_s=3600.0)
FIRST = NAMES[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path, options=QUIET) as opened:
        yield opened


def use_others(store: MemoryStore) -> None:
    """Use all spaces but the first, so that it comes to rest if it can."""
    for name in NAMES[1:]:
        contents(store.space(name))


def damaged(store: MemoryStore) -> Space:
    """A space in which damage was found, and which rests."""
    first, *_ = filled(store)
    store._engine.space(FIRST).damages.report("log/here", 8, 1, 1, "a record is damaged")
    assert [problem.name for problem in store.problems()] == ["damaged"]
    use_others(store)
    assert store._engine.table.rests(FIRST)
    return first


@pytest.mark.parametrize("is_open", [True, False])
def test_a_dropped_space_leaves_nothing_to_its_namesake(store: MemoryStore, is_open: bool) -> None:
    first = damaged(store)
    if is_open:
        contents(first)
    commits = store.commits
    store.drop(FIRST)
    left = store._engine.table.left
    assert (store.problems(), store.damages(), store.damaged_count) == ((), (), 0)
    assert (left.damages_of(FIRST), dict(left.counters.of(FIRST)), FIRST in left._erasures) == (None, {}, False)
    assert FIRST not in {sample.labels.get("memory_space") for sample in store.metrics()}
    # What was counted in it counts.
    assert store.commits == commits
    again = store.space(FIRST, dim=DIM)
    assert (again.stats().commits, again.stats().observed, store.damaged_count) == (0, 0, 0)
    again.observe("new", VECTOR)
    use_others(store)
    assert store.commits == commits + 1
    assert contents(again) == [""]
    assert again.stats().commits == 1


def test_damage_is_told_under_the_new_name(store: MemoryStore) -> None:
    damaged(store)
    (before,) = store.problems()
    commits = store.commits
    store.rename(FIRST, "renamed")
    for _ in range(2):
        (problem,) = store.problems()
        assert (problem.name, problem.space, problem.since_us) == ("damaged", "renamed", before.since_us)
        assert [(damage.space, damage.offset) for damage in store.damages()] == [("renamed", 8)]
        assert (store.damaged_count, store.commits) == (1, commits)
        renamed = store.space("renamed", create=False)
        assert contents(renamed) == [f"of {FIRST}"]
        assert renamed.stats().commits == 0
    assert FIRST not in {sample.labels.get("memory_space") for sample in store.metrics()}


def test_a_disk_that_refused_a_sync_is_not_trusted_under_another_name(store: MemoryStore) -> None:
    first, *_ = filled(store)
    first._engine._state.log._fail_to_sync(OSError(errno.EIO, "the disk is gone"))
    store.rename(FIRST, "renamed")
    assert [(problem.name, problem.space) for problem in store.problems()] == [("sync_refused", "renamed")]
    renamed = store.space("renamed", create=False)
    assert contents(renamed) == [f"of {FIRST}"]
    with pytest.raises(Unavailable) as refused:
        renamed.observe("more", VECTOR)
    assert (refused.value.code, refused.value.is_transient) == ("log_failed", False)


def test_an_erasure_goes_on_under_the_new_name(store: MemoryStore) -> None:
    first, *_ = filled(store)
    generation = first.delete(["only"]).generation
    first._engine._erasure.note(["only"], generation)
    store.rename(FIRST, "renamed")
    assert store._engine.table.left.due_names() == ["renamed"]
    store._engine._compaction._compact_held("renamed")
    assert store._engine.table.left.due_names() == []
    renamed = store.space("renamed", create=False)
    assert (len(renamed), dict(renamed._engine._state.manifest.erasing)) == (0, {})


def test_an_erasure_under_the_new_name_is_known_to_what_was_begun_before(store: MemoryStore) -> None:
    first, *_ = filled(store)
    engine = first._engine
    store.rename(FIRST, "renamed")
    assert store.space("renamed", create=False).erase(["only"]).count == 1
    with pytest.raises(Unavailable) as told:
        engine._state.erasures.check()
    assert told.value.code == "erased"
    with pytest.raises(FailedPrecondition) as gone:
        contents(first)
    assert gone.value.code == "space_renamed"


def test_a_space_whose_name_is_leaving_does_not_come_to_rest(store: MemoryStore) -> None:
    first, *_ = filled(store)
    contents(first)
    with store._engine.table.leaving(FIRST):
        use_others(store)
        assert FIRST in open_names(store)
    use_others(store)
    assert FIRST not in open_names(store)


def test_a_space_that_is_dropped_while_others_are_checked_is_not_missed(store: MemoryStore) -> None:
    filled(store)
    waking = RestingSpaces(store._engine.table).waking()
    names = [next(waking).name]
    gone = store._engine.table.resting_names()[-1]
    store.drop(gone)
    for woken in waking:
        names.append(woken.name)
        if woken.name == gone:
            assert (woken.opened, woken.is_refused) == (None, True)
    assert gone in names
