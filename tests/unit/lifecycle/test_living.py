"""Weak references are listed while what they refer to goes away."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
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


@contextmanager
def losing(weak: WeakValueDictionary[int, Thing]) -> Iterator[None]:
    """Remove a reference at each line that the weak dictionary runs, as another thread might that was interrupted."""
    references: dict[int, Any] = vars(weak)["data"]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and frame.f_code.co_filename == weakref.__file__ and references:
            references.popitem()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_what_another_thread_removes_meanwhile_keeps_nobody_from_listing() -> None:
    things = {number: Thing() for number in range(100)}
    iterated, listed = WeakValueDictionary(things), WeakValueDictionary(things)
    with losing(iterated), pytest.raises(RuntimeError, match="changed size"):
        list(iterated.items())
    with losing(listed):
        found = living_items(listed)
    assert found == list(things.items())[: len(found)]
    assert len(listed) <= len(found) < 100
