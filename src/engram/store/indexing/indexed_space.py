"""What one knows of the graph of an embedded space."""

from __future__ import annotations

import time

from engram.model.waiting.index_wait import INDEX_WAIT_S, IndexWait
from engram.store.space_collection import SpaceCollection


class IndexedSpace(SpaceCollection):
    """A space whose observations are linked into a graph behind the scenes; a base class of `Space`."""

    @property
    def indexed_generation(self) -> int:
        """Generation up to which everything is linked into the graph."""
        return self._engine.indexed_generation

    def wait_indexed(self, generation: int | None = None, *, timeout_s: float | None = INDEX_WAIT_S) -> int:
        """Wait until what was stored is linked into the graph, which makes recalls in a large space fast.

        Nobody has to wait for that: what is not linked yet is recalled as well.

        Parameters
        ----------
        generation
            Wait until everything up to this generation is linked; None: everything that is stored now.
        timeout_s
            Seconds to wait at most; None: no limit.

        Returns
        -------
        int
            The generation up to which everything is linked now.

        Raises
        ------
        InvalidInput
            If the generation is yet to come (code ``invalid_generation``), or `timeout_s` is not a time.
        Unavailable
            With code ``index_timeout``, if it is not linked in time, as when the store is closed meanwhile.
        """
        wait = self._index_wait(generation, timeout_s)
        while (delay_s := wait.next_s(self.indexed_generation)) is not None:
            time.sleep(delay_s)
        return self.indexed_generation

    def _index_wait(self, generation: int | None, timeout_s: float | None) -> IndexWait:
        """Begin a wait, as `wait_indexed` does."""
        engine = self._engine
        engine.check_process()
        return IndexWait(generation, engine.generation, timeout_s)
