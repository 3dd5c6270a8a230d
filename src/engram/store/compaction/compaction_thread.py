"""The thread that compacts logs, one after the other, so that neither commits nor checkpoints wait for this."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engram.errors import EngramError
from engram.store.compaction.pace import Pace, Stopped

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

logger: logging.Logger = logging.getLogger(__name__)


class CompactionThread:
    """Compacts the logs of spaces that ask for it, from `start` to `stop`.

    A space that comes to rest before its turn is opened again for it, and none comes to rest while it is compacted.

    Parameters
    ----------
    bytes_per_s
        Bytes a second that may be read and written; 0: nothing is compacted, and only what was begun to be erased is
        finished.
    opened
        Returns the engine of a space, opened if it rests; None if it cannot be, or the store is gone.
    """

    def __init__(self, bytes_per_s: int, opened: Callable[[str], SpaceEngine | None]) -> None:
        self._bytes_per_s: Final = bytes_per_s
        self._opened: Final = opened
        self._guard = threading.Lock()
        # At most one request of each space waits. Names, so that neither a space nor its store is kept in memory.
        self._waiting: set[str] = set()
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engram-compaction", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def request(self, space: SpaceEngine) -> None:
        """Have the log of `space` compacted where that is worth it, unless it waits for that already."""
        if self._bytes_per_s or space.log_compaction.is_erasing:
            self.request_named(space.config.name)

    def request_named(self, name: str) -> None:
        """Do the same for the space called `name`, which may rest, and of which something is known to be left."""
        with self._guard:
            if not self._stopped and name not in self._waiting:
                self._waiting.add(name)
                self._queue.put(name)

    def stop(self) -> None:
        """Stop; return when what was being compacted is done or given up."""
        self._stopped = True
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (name := self._queue.get()) is not None:
            with self._guard:
                self._waiting.discard(name)
            if self._stopped:
                continue
            try:
                self._compact_held(name)
            except Exception:
                # Whatever it is, the other spaces still need this thread.
                logger.exception("compacting the log of space %s failed", name, extra={"space": name})

    def _compact_held(self, name: str) -> None:
        """Compact the log of a space that is kept open meanwhile. If it cannot be opened, it is found due later."""
        space = self._opened(name)
        while space is not None and not space.occupancy.hold(visiting=True):
            space = self._opened(name)
        if space is not None:
            try:
                self._compact(space)
            finally:
                space.occupancy.release(visiting=True)

    def _compact(self, space: SpaceEngine) -> None:
        name, compaction = space.config.name, space.log_compaction
        pace = Pace(self._bytes_per_s, lambda: not (self._stopped or compaction.is_ending))
        try:
            if self._bytes_per_s:
                compaction.run(pace)
            else:
                compaction.finish_erasure(pace)
        except Stopped:
            pass
        except EngramError as error:
            logger.warning("the log of space %s was not compacted: %s", name, error, extra={"space": name})
