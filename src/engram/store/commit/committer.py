"""The one thread that writes: it turns whatever queued during the last sync into the next group commit."""

from __future__ import annotations

import logging
import threading
from typing import Final

from engram.store.commit.queue import CommitQueue, CommitRequest, CommitTarget
from engram.store.commit.serial_executor import SerialExecutor

logger = logging.getLogger(__name__)
# Only a guard against an intake that loses a wake-up; nothing waits for it.
_TAKE_TIMEOUT_S: Final = 60.0


class Committer:
    """Empties an intake into the spaces, from `start` to `stop`.

    Parameters
    ----------
    intake
        Where requests wait. The committer closes it when it stops.
    """

    def __init__(self, intake: CommitQueue) -> None:
        self._intake = intake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engram-committer", daemon=True)
        self.encoder: Final = SerialExecutor("engram-encoder")
        self.commits = 0

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def stop(self) -> None:
        """Admit nothing more, commit what waits, and return when that is done."""
        self._stopping.set()
        self._intake.close()
        self._thread.join()
        self.encoder.stop()

    def _run(self) -> None:
        while True:
            requests = self._intake.take(_TAKE_TIMEOUT_S)
            if requests:
                self._commit(requests)
            elif self._stopping.is_set():
                return
            # Spaces keep their store alive. Who waits for more must not keep what nobody else holds any more.
            del requests

    def _commit(self, requests: list[CommitRequest]) -> None:
        groups: dict[CommitTarget, list[CommitRequest]] = {}
        for request in requests:
            groups.setdefault(request.space, []).append(request)
        for space, group in groups.items():
            try:
                space.commit(group)
            except Exception:
                # All of it has been answered by then; the other spaces, and those who come next, need this thread.
                logger.exception("what follows a commit to space %s failed", space.config.name)
            self.commits += 1
