"""A check that a forked child does not use objects of its parent.

A fork copies memory, but no threads. A child that waits for a thread of its parent, or for a lock that such a thread
held at the fork, waits for ever. Therefore every public call of an object with threads calls `check_process` first,
before it takes a lock.

The id of the process is kept, because every call that takes one row would ask the system for it.
"""

from __future__ import annotations

import os

from engram.errors import FailedPrecondition

_here = os.getpid()


def _note_process() -> None:
    global _here  # noqa: PLW0603  (there is one process)
    _here = os.getpid()


os.register_at_fork(after_in_child=_note_process)


def check_process(process: int, what: str) -> None:
    """Raise an error if another process made the object that is about to be used.

    Parameters
    ----------
    process
        Id of the process that made the object.
    what
        Name of the object, such as ``"store"``.

    Raises
    ------
    FailedPrecondition
        With code ``forked``, if the current process is not `process`.
    """
    if _here != process:
        raise forked(
            f"this {what} belongs to process {process}, which process {_here} was forked from; "
            f"open a {what} of its own in the child",
            process,
        )


def forked(message: str, process: int) -> FailedPrecondition:
    """Return the error for the use of an object that only `process` can use."""
    return FailedPrecondition(message, code="forked", field="process", limit=process, value=_here)
