"""What a forked child may not use of its parent, and the error that says so.

A fork copies memory, not threads: whatever waits for a thread of the parent, or for a lock that one of them held just
then, would wait for ever. So the doors of what has threads ask `check_process` first, before they take any lock.
"""

from __future__ import annotations

import os

from engram.errors import FailedPrecondition


def check_process(process: int, what: str) -> None:
    """Refuse the use of what another process has made.

    Parameters
    ----------
    process
        The id of the process that made it.
    what
        Its name, such as ``"store"``.

    Raises
    ------
    FailedPrecondition
        Code ``forked``, in any other process than that.
    """
    here = os.getpid()
    if here != process:
        raise forked(
            f"this {what} belongs to process {process}, which process {here} was forked from; "
            f"open a {what} of its own in the child",
            process,
        )


def forked(message: str, process: int) -> FailedPrecondition:
    """Return the error for what only `process` can use."""
    return FailedPrecondition(message, code="forked", field="process", limit=process, value=os.getpid())
