"""Progress of work on a data directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Progress(NamedTuple):
    """The progress at one moment.

    Parameters
    ----------
    doing
        The current work, such as ``"checking"``.
    space
        Name of the space that is worked on.
    done_bytes, total_bytes
        Number of bytes that are done, and in total; a total of 0 is unknown.
    """

    doing: str
    space: str
    done_bytes: int = 0
    total_bytes: int = 0


OnProgress: TypeAlias = Callable[[Progress], None]


def unseen(progress: Progress) -> None:
    """Ignore the progress."""


class Counter:
    """Adds up the bytes that are done, and reports the progress.

    Parameters
    ----------
    show
        Function that receives each `Progress`.
    doing, space, total_bytes
        As in `Progress`.
    """

    def __init__(self, show: OnProgress, doing: str, space: str, total_bytes: int = 0) -> None:
        self._show = show
        self._progress = Progress(doing, space, 0, total_bytes)
        show(self._progress)

    def add(self, nbytes: int) -> None:
        """Add `nbytes` to the bytes that are done, and report the progress."""
        self._progress = self._progress._replace(done_bytes=self._progress.done_bytes + nbytes)
        self._show(self._progress)
