"""Weak references are listed while what they refer to goes away."""

from __future__ import annotations

from typing import Any, cast
from weakref import WeakValueDictionary

import pytest

from engram.lifecycle.living import living, living_items


class Thing:
    """Something that can be referred to."""


def test_what_is_alive_is_listed_with_its_key() -> None:
    things = {number: Thing() for number in range(3)}
    weak = WeakValueDictionary(things)
    del things[1]
    assert living_items(weak) == list(things.items())
    assert living(weak) == list(things.values())
    things.clear()
    assert living(weak) == []


def _data_of(weak: WeakValueDictionary[int, Thing]) -> dict[int, Any]:
    """Where the references are."""
    return cast("dict[int, Any]", vars(weak)["data"])


def _lose_each(weak: WeakValueDictionary[int, Thing]) -> None:
    for number in weak:
        del _data_of(weak)[number]


class Vanishing(WeakValueDictionary[int, Thing]):
    """One of whose references another thread removes while it is listed."""

    def valuerefs(self) -> Any:
        """As the base class does, and then another thread removes one."""
        references = super().valuerefs()
        _data_of(self).popitem()
        return references


def test_what_another_thread_removes_meanwhile_keeps_nobody_from_listing() -> None:
    things = {number: Thing() for number in range(3)}
    weak = WeakValueDictionary(things)
    with pytest.raises(RuntimeError, match="changed size"):
        _lose_each(weak)
    assert living(Vanishing(things)) == list(things.values())
