"""What this machine has: read for the checks, and changed nowhere but for a small file that is removed again."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CGROUP: Final = Path("/sys/fs/cgroup")
_SYNC_TRIES: Final = 5
_SYNC_BYTES: Final = 4096
# What adjtimex returns if nobody keeps the clock right.
_TIME_ERROR: Final = 5
# Larger than the structure of any machine.
_TIMEX_BYTES: Final = 512
# File systems keep times more coarsely than the clock does.
_COARSE_S: Final = 2.0
# A store may have very many spaces; whoever owns the first of its files owns the others, too.
_LOOKED_AT_MAX: Final = 1000


def text_of(path: Path) -> str:
    """Return the text of a file without space around it; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def number_of(path: Path) -> int | None:
    """Return the number in a file; None if there is none."""
    text = text_of(path)
    return int(text) if text.isdecimal() else None


def processor_flags(cpuinfo: str) -> frozenset[str]:
    """Return the features of the processor that the text of /proc/cpuinfo names."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return frozenset(
        next((value.split() for key, _, value in lines if key.strip().lower() in ("flags", "features")), [])
    )


def cpu_quota(cpu_max: str) -> float | None:
    """Return the number of processors that the text of cpu.max permits; None if it permits all."""
    parts = cpu_max.split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or not int(parts[1]):
        return None
    return int(parts[0]) / int(parts[1])


def usable_processors() -> int:
    """Return the number of processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def container_quota() -> float | None:
    """Return the number of processors whose time this container may use; None if there is no limit."""
    return cpu_quota(text_of(_CGROUP / "cpu.max"))


def memory_bytes() -> tuple[int, int]:
    """Return the memory of the machine or container, and what of it is available, in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = page * os.sysconf("SC_PHYS_PAGES")
    words = next((line.split() for line in text_of(Path("/proc/meminfo")).splitlines() if "MemAvailable" in line), [])
    available = int(words[1]) * 1024 if len(words) > 1 else total
    limit = number_of(_CGROUP / "memory.max")
    if limit is not None and limit < total:
        used = number_of(_CGROUP / "memory.current") or 0
        total, available = limit, min(available, max(0, limit - used))
    return total, available


def limits(kind: int) -> tuple[int, int]:
    """Return the soft and the hard limit of a resource; -1 is no limit."""
    soft, hard = resource.getrlimit(kind)
    unlimited = resource.RLIM_INFINITY
    return (-1 if soft == unlimited else soft), (-1 if hard == unlimited else hard)


def clock_is_synchronized() -> bool | None:
    """Return whether the kernel takes the clock for right; None if it cannot be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (AttributeError, OSError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def existing_folder(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if os.path.isdir(folder))


def check_rights(data: Path) -> None:
    """Check that a data directory, and what is in it, may be read and written; it need not exist.

    Raises
    ------
    OSError
        If something may not, or is a file where a directory is needed. It names the first such path.
    """
    nearest = next(place for place in (data, *data.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), nearest)
    inside = itertools.chain(data.glob("*"), data.glob("*/*"))
    for path in (nearest, *itertools.islice(inside, _LOOKED_AT_MAX)):
        if not os.access(path, os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def file_system_kind(folder: Path, mounts: Iterable[str]) -> str:
    """Return the kind of the file system that a folder is on, from the lines of /proc/self/mountinfo."""
    best, kind = -1, ""
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        words = fields.split()
        if len(words) < 5 or not rest:
            continue
        place = Path(words[4].replace("\\040", " "))
        # A later mount at the same place hides the earlier one.
        if folder.is_relative_to(place) and len(place.parts) >= best:
            best, kind = len(place.parts), rest.split()[0]
    return kind


def seconds_ahead(folder: Path, now: float) -> float:
    """Return by how many seconds the newest file of a data directory is ahead of `now`; 0 if it is not."""
    newest = now
    for name in ("LOCK", "store.json"):
        with contextlib.suppress(OSError):
            newest = max(newest, (folder / name).stat().st_mtime)
    return newest - now if newest - now > _COARSE_S else 0.0


def sync_seconds(folder: Path) -> float:
    """Return the median time in seconds that a small write and its sync take in a folder.

    Raises
    ------
    OSError
        If nothing can be written there. It names the folder.
    """
    times = []
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(_SYNC_TRIES):
                begin = time.perf_counter()
                os.pwrite(file.fileno(), bytes(_SYNC_BYTES), 0)
                os.fsync(file.fileno())
                times.append(time.perf_counter() - begin)
    except OSError as error:
        error.filename = folder
        raise
    return statistics.median(times)
