"""What this process holds at the moment: memory, descriptors, threads."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    """Return how many threads of Python this process has."""
    return threading.active_count()


def limit_descriptors(count: int) -> None:
    """Let this process have `count` descriptors, as ``ulimit -n`` does, which also lowers what it may ask for."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def disk_bytes(path: Path) -> int:
    """Return what a file, or a directory with all that is in it, takes on the disk, in bytes."""
    inside = sum(map(disk_bytes, path.iterdir())) if path.is_dir() else 0
    return inside + path.lstat().st_blocks * 512
