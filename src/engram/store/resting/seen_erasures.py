"""The erasures of a space over all of its engines, so that one that rests serves nothing of what another has erased."""

from __future__ import annotations

import threading

from engram.errors import Unavailable


class SpaceErasures:
    """How often something was begun to be erased from a space since its store was opened. It outlives the engines."""

    def __init__(self) -> None:
        self.count: int = 0
        self.guard: threading.Lock = threading.Lock()


class SeenErasures:
    """The erasures that one engine of a space has made. Any thread may use it; `check` takes no lock.

    What an engine erases leaves its own indexes. An engine that has come to rest does not learn what the one in its
    place erases, and must serve nothing any more to those who still have it.

    Parameters
    ----------
    of_space
        The erasures of the space; None for a space that has no other engine.
    """

    def __init__(self, of_space: SpaceErasures | None = None) -> None:
        self._of_space = of_space or SpaceErasures()
        # The count before and after the last erasure of this engine, replaced as a whole: both are its own.
        self._seen = (self._of_space.count, self._of_space.count)

    def begin(self) -> None:
        """Note that this engine, which does not rest, begins to erase something."""
        with self._of_space.guard:
            count = self._of_space.count + 1
            self._seen = (self._seen[-1], count)
            self._of_space.count = count

    def check(self) -> None:
        """Refuse to serve anything once another engine of the space has begun to erase something.

        Raises
        ------
        Unavailable
            With code ``erased``. Whoever asks again is answered by the other engine.
        """
        if self._of_space.count not in self._seen:
            raise Unavailable(
                "something was erased from the space since it came to rest; ask again", code="erased", field="space"
            )
