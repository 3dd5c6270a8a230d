"""Spaces come to rest in order, also where something fails meanwhile, and whoever waits for room disturbs nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engram.errors import FailedPrecondition, OverCapacity
from engram.store import MemoryStore
from engram.store.resting import open_spaces
from engram.store.space_engine import SpaceEngine
from tests.unit.store.resting.test_resting_spaces import NAMES, OPEN_MAX, OPTIONS, contents, filled


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path, options=OPTIONS) as opened:
        yield opened


def fail(*_: Any, **__: Any) -> Any:
    raise MemoryError("nothing is left")


@pytest.mark.parametrize("part", ["summary", "health.look", "close", "indexing.finish"])
def test_a_space_that_is_not_closed_in_order_can_be_written_to_no_more_and_is_opened_again(
    store: MemoryStore, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = filled(store)
    engine = first._engine
    owner, _, name = part.rpartition(".")
    monkeypatch.setattr(getattr(engine, owner) if owner else engine, name, fail)
    assert [contents(space) for space in others]
    assert engine.occupancy.rests
    with pytest.raises(FailedPrecondition) as refused:
        engine._state.manifest.set_horizon(1)
    assert refused.value.code == "closed"
    if part != "close":
        with pytest.raises(FailedPrecondition):
            engine._state.log.check_usable()
    monkeypatch.undo()
    engine.close()
    assert contents(first) == [f"of {first.name}"]


def test_nobody_waits_for_a_space_whose_closing_failed(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = filled(store)
    with monkeypatch.context() as patch:
        patch.setattr(store._engine.table.left, "note", fail)
        assert [contents(space) for space in others]
    assert contents(first) == [f"of {first.name}"]


def test_whoever_waits_for_room_does_not_forget_what_was_used_meanwhile(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_spaces, "_ROOM_TIMEOUT_S", 0.5)
    spaces = filled(store)
    held = [engine.held() for engine in store._engine.spaces()]
    opened, seen = store._engine.table._open, list[set[bool]]()
    retire_one = opened._retire_one

    def retiring(**how: bool) -> SpaceEngine | None:
        for engine in held:
            engine.occupancy.touched = True
        found = retire_one(**how)
        seen.append({engine.occupancy.touched for engine in held})
        return found

    monkeypatch.setattr(opened, "_retire_one", retiring)
    with pytest.raises(OverCapacity):
        contents(spaces[0])
    assert (len(held), seen[0], len(seen) > 1) == (OPEN_MAX, {False}, True)
    assert all(touched == {True} for touched in seen[1:])
    for engine in held:
        engine.let_go()
    assert contents(spaces[0]) == [f"of {NAMES[0]}"]
