"""The health of one space: what its log, its files and its graph say about themselves, looked at together."""

from __future__ import annotations

from typing import Final

from engram.errors import EngramError, Unavailable
from engram.metrics.health import Problem
from engram.store.commit.group_commit import GroupCommit
from engram.store.compaction.log_compaction import LogCompaction
from engram.store.health.problem_kinds import (
    CHECKPOINT_FAILED,
    DAMAGED,
    DISK_FULL,
    ERASURE_FAILED,
    GRAPH_COMPACTION_FAILED,
    LOG_COMPACTION_FAILED,
    LOG_FAILED,
    OF_LOG,
)
from engram.store.health.problems import Problems
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.space_state import SpaceState

_NOTHING: Final = (None, None, None, None, None, None)


class SpaceHealth:
    """The problems of one space. Any thread may call the methods.

    Parameters
    ----------
    name
        Name of the space.
    state
        State of the space.
    writer
        What commits to the space, and knows whether it still can.
    indexing
        The maintenance of the graph.
    log_compaction
        The compaction of the log, and what is erased from it.

    Attributes
    ----------
    problems
        What was found when the space was last looked at, and what others noted.
    """

    def __init__(
        self,
        name: str,
        state: SpaceState,
        writer: GroupCommit,
        indexing: IndexMaintenance,
        log_compaction: LogCompaction,
    ) -> None:
        self._state = state
        self._writer = writer
        self._indexing = indexing
        self._log_compaction = log_compaction
        self.problems: Final = Problems(name)

    def look(self) -> tuple[Problem, ...]:
        """Look at everything that can be wrong now, log what began or ended, and return the problems.

        Of a space that has been dropped or renamed, these are those that it had before.
        """
        log, problems, indexing = self._state.log, self.problems, self._indexing
        if self._state.life.is_over:
            # Its log is closed, and does not say any more why it took no writes.
            return problems.all()
        failed, shortage = _failure_of_log(self._writer, self._state), log.shortage()
        count = log.damages.count
        checkpoint, compaction = indexing.checkpoint_attempt.failure, indexing.compaction_attempt.failure
        of_log, erasure = self._log_compaction.attempt.failure, self._log_compaction.erasure_attempt.failure
        found = failed, shortage, checkpoint, compaction, of_log, erasure
        if problems.are_none and not count and found == _NOTHING:
            # So it is nearly always, and there may be thousands of spaces to look at every second.
            return ()
        for kind in OF_LOG.values():
            problems.set(kind, failed[1] if failed is not None and failed[0] == kind.name else None)
        problems.set(DISK_FULL, None if shortage is None else shortage.message)
        first = log.damages.all()[:1]
        more = f", and {count - 1} more" if count > 1 else ""
        problems.set(DAMAGED, f"{first[0].message}{more}" if first else None)
        problems.set(CHECKPOINT_FAILED, checkpoint)
        problems.set(GRAPH_COMPACTION_FAILED, compaction)
        problems.set(LOG_COMPACTION_FAILED, of_log)
        problems.set(ERASURE_FAILED, erasure)
        return problems.all()


def _failure_of_log(writer: GroupCommit, state: SpaceState) -> tuple[str, str] | None:
    """Return the name of the problem that keeps the space from taking writes, and its message."""
    if state.log.read_only:
        # That was asked for.
        return None
    try:
        writer.check()
    except Unavailable as error:
        if error.code == "commit_failed":
            # The message may quote what was to be stored.
            return error.code, "a commit failed unexpectedly, and the log of the program says of what"
        if state.log.sync_refused:
            return "sync_refused", error.message
        return (error.code if error.code in OF_LOG else LOG_FAILED.name), error.message
    except EngramError:
        # It is closed.
        return None
    return None
