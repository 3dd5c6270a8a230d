"""Waiting until a space of an embedded store is indexed, told by the store and not by looking again and again."""

from __future__ import annotations

import threading
from typing import Any, Final

from engram import Space

# Far beyond what any benchmark leaves to be indexed; whoever waits longer has found a fault.
_TIMEOUT_S: Final = 600.0


class IndexedWatch:
    """Waits until a space is indexed up to a generation."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._moved = threading.Condition()
        # A space of a version to compare with may be its own engine.
        engine: Any = getattr(space, "_engine", space)
        engine.add_indexed_listener(self._look)

    def wait(self, generation: int | None = None) -> None:
        """Return once everything up to `generation`, by default all there is now, is in the graph.

        Raises
        ------
        TimeoutError
            If that takes ten minutes.
        """
        wanted = self._space.generation if generation is None else generation
        with self._moved:
            if not self._moved.wait_for(lambda: self._space.indexed_generation >= wanted, _TIMEOUT_S):
                raise TimeoutError(f"only {self._space.indexed_generation} of {wanted} generations are indexed")

    def _look(self, _: int) -> None:
        with self._moved:
            self._moved.notify_all()
