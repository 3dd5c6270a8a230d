"""The removal of what has expired: a part at a time, what is refused later, and what is damaged never."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, OverCapacity, Unavailable
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.commit.tail_budget import SpaceRests
from engram.store.expiry import removal
from engram.store.expiry.removal import ExpiryRemoval
from tests.doubles.batches import DIM, vector_of
from tests.doubles.damaged import flip_stored
from tests.doubles.expiry_clock import ExpiryClock

OPTIONS = StoreOptions(workers=1, mark_interval_s=3600.0, scrub_bytes_per_s=0)
IDS = list("abcdefgh")


class Deletions:
    """What a removal has asked to be deleted, and how it is answered.

    Parameters
    ----------
    space
        The space.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._waiting: list[tuple[Sequence[str], Sequence[int], removal.Answer]] = []
        self.asked: list[list[str]] = []
        # What the next calls raise, the last one first.
        self.refusals: list[Exception] = []

    def __call__(self, ids: Sequence[str], versions: Sequence[int], done: removal.Answer) -> None:
        if self.refusals:
            raise self.refusals.pop()
        self.asked.append(list(ids))
        self._waiting.append((ids, versions, done))

    def answer(self, error: EngramError | None = None) -> None:
        """Delete what was asked for, and answer, or only answer with an error."""
        waiting, self._waiting = self._waiting, []
        for ids, versions, done in waiting:
            done(self._space._engine.delete(ids, versions) if error is None else error)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ExpiryClock:
    clock = ExpiryClock()
    clock.use(monkeypatch)
    monkeypatch.setattr(removal, "BATCH_COUNT_MAX", 3)
    monkeypatch.setattr(removal, "REMOVED_PER_ROUND", 5)
    return clock


@pytest.fixture
def space(tmp_path: Path, clock: ExpiryClock) -> Iterator[Space]:
    """A space of which all is due, but for what does not expire."""
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        space = store.space("notes", dim=DIM)
        ids = [*IDS, "for ever"]
        space.observe(ids, np.array([vector_of(id) for id in ids]), ttl=[*[5.0] * len(IDS), None])
        clock.go_on(5)
        yield space


@pytest.fixture
def deletions(space: Space) -> Deletions:
    return Deletions(space)


@pytest.fixture
def remove(space: Space, clock: ExpiryClock, deletions: Deletions) -> Callable[[], None]:
    """Do a round of the removal."""
    removing = ExpiryRemoval(space._engine._state)
    return lambda: removing.remove(clock.age_clock, deletions)


def test_what_is_due_is_removed_in_parts_and_no_more_before_they_are_answered(
    space: Space, deletions: Deletions, remove: Callable[[], None]
) -> None:
    for _ in range(2):
        remove()
        assert deletions.asked == [["a", "b", "c"], ["d", "e"]]
    deletions.answer()
    remove()
    assert deletions.asked[2:] == [["f", "g", "h"]]
    deletions.answer()
    remove()
    assert len(deletions.asked) == 3
    assert [hit.id for hit in space.scan()] == ["for ever"]
    assert space.generation == 2 * len(IDS) + 1


def test_what_fails_is_asked_for_again(deletions: Deletions, remove: Callable[[], None]) -> None:
    remove()
    deletions.answer(Unavailable("the disk is full", code="disk_full"))
    remove()
    assert deletions.asked == [["a", "b", "c"], ["d", "e"]] * 2


@pytest.mark.parametrize(
    "refusal",
    [OverCapacity("busy"), Unavailable("closing"), FailedPrecondition("dropped"), SpaceRests()],
    ids=lambda refusal: type(refusal).__name__,
)
def test_what_is_refused_is_asked_for_in_a_later_round(
    deletions: Deletions, remove: Callable[[], None], refusal: Exception
) -> None:
    deletions.refusals.append(refusal)
    remove()
    assert deletions.asked == []
    remove()
    assert deletions.asked == [["a", "b", "c"], ["d", "e"]]


def test_an_unexpected_error_leaves_nothing_that_is_waited_for(
    deletions: Deletions, remove: Callable[[], None]
) -> None:
    deletions.refusals.append(ValueError("unexpected"))
    with pytest.raises(ValueError, match="unexpected"):
        remove()
    remove()
    assert len(deletions.asked) == 2


def test_what_was_observed_again_meanwhile_stays(
    space: Space, deletions: Deletions, remove: Callable[[], None]
) -> None:
    remove()
    space.observe("b", vector_of("b", 1))
    deletions.answer()
    assert {hit.id for hit in space.scan()} == {"b", "for ever"}


def test_an_id_that_is_damaged_keeps_nothing_else(
    tmp_path: Path, space: Space, clock: ExpiryClock, deletions: Deletions, remove: Callable[[], None]
) -> None:
    space.delete(IDS)
    ids = [letter * 100 for letter in "xyz"]
    for id in ids:
        space.observe(id, vector_of(id), ttl=5)
    flip_stored(tmp_path, ids[1].encode())
    clock.go_on(5)
    for _ in range(2):
        remove()
        assert deletions.asked == [[ids[0], ids[2]]]
        deletions.answer()
    assert (space.count(), [hit.id for hit in space.scan()]) == (1, ["for ever"])
