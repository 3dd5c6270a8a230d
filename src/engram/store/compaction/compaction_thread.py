"""The thread that compacts logs, one after the other, so that neither commits nor checkpoints wait for this."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Final

from engram.errors import EngramError
from engram.store.compaction.pace import Pace, Stopped

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

logger: logging.Logger = logging.getLogger(__name__)


class CompactionThread:
    """Compacts the logs of spaces that ask for it, from `start` to `stop`.

    Parameters
    ----------
    bytes_per_s
        Bytes a second that may be read and written; 0: nothing is compacted.
    """

    def __init__(self, bytes_per_s: int) -> None:
        self._bytes_per_s: Final = bytes_per_s
        self._guard = threading.Lock()
        # At most one request of each space waits.
        self._waiting: set[SpaceEngine] = set()
        self._queue: queue.SimpleQueue[SpaceEngine | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engram-compaction", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def request(self, space: SpaceEngine) -> None:
        """Have the log of `space` compacted where that is worth it, unless it waits for that already."""
        with self._guard:
            if self._bytes_per_s and not self._stopped and space not in self._waiting:
                self._waiting.add(space)
                self._queue.put(space)

    def stop(self) -> None:
        """Stop; return when what was being compacted is done or given up."""
        self._stopped = True
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (space := self._queue.get()) is not None:
            with self._guard:
                self._waiting.discard(space)
            self._compact(space)
            # A space references its store. While this thread waits for requests, it must not keep a store alive that is
            # referenced nowhere else.
            del space

    def _compact(self, space: SpaceEngine) -> None:
        name = space.config.name
        try:
            space.log_compaction.run(Pace(self._bytes_per_s, lambda: not self._stopped))
        except Stopped:
            pass
        except EngramError as error:
            logger.warning("the log of space %s was not compacted: %s", name, error, extra={"space": name})
        except Exception:
            logger.exception("compacting the log of space %s failed", name, extra={"space": name})
