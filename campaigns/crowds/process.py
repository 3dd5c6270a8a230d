"""What this process holds at the moment, and how many descriptors it may have."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def descriptors(pid: int | None = None) -> int:
    """Return how many descriptors a process has open, by default this one."""
    return len(os.listdir(f"/proc/{'self' if pid is None else pid}/fd"))


def limit_descriptors(count: int) -> None:
    """Let this process have `count` descriptors, as ``ulimit -n`` does, which also lowers what it may ask for."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@contextmanager
def descriptors_limited(count: int) -> Iterator[None]:
    """Let this process, and those that it starts in the body, have `count` descriptors.

    Raises
    ------
    SystemExit
        If the system does not allow so many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and count > hard:
        raise SystemExit(f"a process may have {hard} descriptors here (ulimit -Hn), and {count} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
