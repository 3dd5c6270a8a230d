"""Which of many damaged places a status names."""

from __future__ import annotations

from engram.model.damage import Damage
from engram.server.handlers.spaces import named_damages


def damages(space: str, count: int) -> list[Damage]:
    return [Damage(space, f"log/{number}", 0, number, number, "") for number in range(count)]


def test_all_are_named_if_they_are_few() -> None:
    found = [*damages("a", 3), *damages("b", 2)]
    assert named_damages(found) == found
    assert named_damages([]) == []


def test_one_space_does_not_hide_the_others() -> None:
    named = named_damages([*damages("", 1), *damages("a", 100), *damages("b", 100), *damages("c", 2)])
    assert len(named) == 100
    counts = {space: sum(damage.space == space for damage in named) for space in ("", "a", "b", "c")}
    assert counts == {"": 1, "a": 49, "b": 48, "c": 2}
    assert [damage.file for damage in named if damage.space == "a"] == [f"log/{number}" for number in range(49)]
