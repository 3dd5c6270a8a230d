"""How far work on a data directory has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Progress(NamedTuple):
    """A moment of the work.

    Parameters
    ----------
    doing
        What is done, such as ``"checking"``.
    space
        With which space.
    done_bytes, total_bytes
        How much of it; a total of 0 is not known.
    """

    doing: str
    space: str
    done_bytes: int = 0
    total_bytes: int = 0


OnProgress: TypeAlias = Callable[[Progress], None]


def unseen(progress: Progress) -> None:
    """Show nothing."""


class Counter:
    """Adds up bytes and shows them.

    Parameters
    ----------
    show
        Who is told.
    doing, space, total_bytes
        As in `Progress`.
    """

    def __init__(self, show: OnProgress, doing: str, space: str, total_bytes: int = 0) -> None:
        self._show = show
        self._progress = Progress(doing, space, 0, total_bytes)
        show(self._progress)

    def add(self, nbytes: int) -> None:
        """Note that `nbytes` more are done."""
        self._progress = self._progress._replace(done_bytes=self._progress.done_bytes + nbytes)
        self._show(self._progress)
