"""Interrupts, as by Ctrl-C, at chosen places of a program instead of at chosen times."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

# The interpreter looks for signals when a function begins and when a call has returned.
_LOOKS = ("call", "return", "c_return")


def everywhere(actions: Iterable[Callable[[], object]]) -> Iterator[str]:
    """Do one thing after the other, each with an interrupt at a later place of it, until none comes any more.

    Yields
    ------
    str
        The place, when the interrupt has come through.
    """
    for number, action in enumerate(actions, 1):
        place = _interrupted(action, number)
        if place is None:
            return
        yield place


def _interrupted(action: Callable[[], object], number: int) -> str | None:
    """Do something with an interrupt at the place with this number, which is returned; None if there is none."""
    left, place = number, None

    def look(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left, place
        left -= event in _LOOKS
        if not left:
            sys.setprofile(None)
            place = f"{event} {number}, in {frame.f_code.co_name} of {frame.f_code.co_filename}"
            raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        action()
    except KeyboardInterrupt:
        assert place is not None
    finally:
        sys.setprofile(None)
    return place
