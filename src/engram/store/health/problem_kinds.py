"""The kinds of problems that a space, a store or a server may have: their names, levels and what to do about each."""

from __future__ import annotations

from typing import Final, NamedTuple

from engram.metrics.health import DEGRADED, FAILED

_RESTART: Final = "what was acknowledged is checked when the space is opened again"


class ProblemKind(NamedTuple):
    """A kind of problem; see `Problem` for what its parts say."""

    name: str
    level: str
    advice: str


LOG_FAILED: Final = ProblemKind(
    "log_failed", FAILED, f"See to the disk, then restart the server or open the store again: {_RESTART}."
)
SYNC_REFUSED: Final = ProblemKind(
    "sync_refused",
    FAILED,
    f"The disk did not keep what it was given: replace or repair it, then restart or open the store again: {_RESTART}.",
)
COMMIT_FAILED: Final = ProblemKind(
    "commit_failed",
    FAILED,
    f"Report what the log of the program says, and restart or open the store again: {_RESTART}.",
)
READ_ONLY: Final = ProblemKind(
    "read_only", FAILED, "Make the directory writable for the user of the server, then restart or open the store again."
)
DISK_FULL: Final = ProblemKind(
    "disk_full", FAILED, "Free space on the disk, or make it larger: writes go on by themselves then."
)
DAMAGED: Final = ProblemKind(
    "damaged",
    DEGRADED,
    "Run engram verify on the directory, then restore a backup or run engram repair; all that is sound is served.",
)
NOT_OPENED: Final = ProblemKind(
    "not_opened", FAILED, "Run engram verify on the directory, then restore a backup or run engram repair."
)
CHECKPOINT_FAILED: Final = ProblemKind(
    "checkpoint_failed",
    DEGRADED,
    "See to the disk; it is tried again by itself. Nothing is lost: until then, a restart takes longer.",
)
GRAPH_COMPACTION_FAILED: Final = ProblemKind(
    "graph_compaction_failed",
    DEGRADED,
    "See to memory and disk; it is tried again by itself. Until then, dead versions keep memory.",
)
LOG_COMPACTION_FAILED: Final = ProblemKind(
    "log_compaction_failed",
    DEGRADED,
    "See to the disk; it is tried again by itself. Until then, what is no longer retained stays on the disk.",
)
ERASURE_FAILED: Final = ProblemKind(
    "erasure_failed",
    DEGRADED,
    "See to the disk; it is tried again by itself. Until then, something of what was to be erased is still there. From "
    "what is damaged, nothing can be erased: restore a backup or run engram repair.",
)
NOT_NOTED: Final = ProblemKind(
    "not_noted",
    DEGRADED,
    "See to the disk; it is tried again by itself. Until then, a loss at the end of the log may look like a crash.",
)
SCRUB_FAILED: Final = ProblemKind(
    "scrub_failed",
    DEGRADED,
    "See to the disk and to the limit of open files; it is tried again by itself. Until then, damage is found late.",
)
OF_LOG: Final = {kind.name: kind for kind in (LOG_FAILED, SYNC_REFUSED, COMMIT_FAILED, READ_ONLY)}
"""The problems of a log that takes no more writes, by name."""

KINDS: Final = (
    *OF_LOG.values(),
    DISK_FULL,
    DAMAGED,
    NOT_OPENED,
    CHECKPOINT_FAILED,
    GRAPH_COMPACTION_FAILED,
    LOG_COMPACTION_FAILED,
    ERASURE_FAILED,
    NOT_NOTED,
    SCRUB_FAILED,
)
"""All kinds."""
