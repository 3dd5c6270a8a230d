"""Settings of the server's process that must be made before, or outside of, the event loop."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

# Messages of some hundred KiB are allocated and freed all the time. By default glibc maps and unmaps memory for each of
# them, and every fresh page costs a page fault. These settings keep such blocks on the heap, which makes large batches
# two to four times cheaper. The few that are larger are mapped: on the heap, a burst of them would leave gaps that no
# later block fits into, and that are never given back. There is one heap for all threads, because only of that one is
# the free end given back: after a burst, each of the others kept up to 64 MiB.
ALLOCATOR: Final = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(8 * 1024**2),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 1024**3 - 1),
    "MALLOC_TOP_PAD_": str(64 * 1024**2),
}
# A busy thread keeps the interpreter lock for this long. At Python's default of 5 ms, the ack of a commit waits five
# times longer.
_SWITCH_INTERVAL_S: Final = 0.0005
# Less than this under way means that a burst is over; memory is given back if at least so much more is resident than
# after the last time; and so much is kept at the top of the heap for what comes next.
_QUIET_BYTES: Final = 4 << 20
_RETURNED_BYTES_MIN: Final = 32 << 20
_KEPT_BYTES: Final = 8 << 20
_QUIET_LOOKS: Final = 2
_TRIMS: Final = 4
_CONTAINER_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


def tune_allocator() -> None:
    """Restart this process with glibc's allocator set up for large messages, unless it is set up already.

    glibc reads these settings only when a process starts. The process keeps its id and its arguments. Each setting that
    the user made is respected. Without glibc this does nothing. Call it before anything else: a restart does not
    return.
    """
    if platform.libc_ver()[0] != "glibc" or all(name in os.environ for name in ALLOCATOR):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    # S606 warns of starting another program without a shell; this one only starts itself again.
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**ALLOCATOR, **os.environ})  # noqa: S606


class MemoryReturn:
    """Gives memory back to the system after a burst, since `ALLOCATOR` has the heap kept otherwise.

    Memory is given back once nearly nothing is under way for two looks in turn, and only if much was allocated since
    the last time beside what came to be stored; so a server under steady load keeps its heap, and one that is written
    to now and then need not ask for the same pages each time.

    Parameters
    ----------
    stored_bytes
        Returns the memory of what is stored, in bytes; it is asked only when memory has grown.
    resident_bytes
        Returns the resident memory of the process without that of files, in bytes.
    trim
        Gives back what is free; it takes milliseconds.
    """

    def __init__(
        self,
        stored_bytes: Callable[[], int],
        resident_bytes: Callable[[], int] | None = None,
        trim: Callable[[], None] | None = None,
    ) -> None:
        self._stored_bytes = stored_bytes
        self._resident_bytes = resident_bytes or _resident_bytes
        self._trim = trim or _trim
        self._settled_bytes = self._resident_bytes()
        self._settled_stored_bytes = stored_bytes()
        self._quiet_looks = 0
        self._trims_left = 0

    def look(self, held_bytes: int) -> None:
        """Look at the memory, while `held_bytes` bytes of messages and requests are under way. Call it every second."""
        resident = self._resident_bytes()
        # What was given back by others, such as the indexes of a space that rests, is none of the next burst.
        self._settled_bytes = min(self._settled_bytes, resident)
        if resident - self._settled_bytes >= _RETURNED_BYTES_MIN:
            self._settle_stored()
        if resident - self._settled_bytes >= _RETURNED_BYTES_MIN:
            # More than once, because what a transport holds is not known here, and is free a little later.
            self._trims_left = _TRIMS
        self._quiet_looks = self._quiet_looks + 1 if held_bytes < _QUIET_BYTES else 0
        if self._trims_left and self._quiet_looks >= _QUIET_LOOKS:
            self._quiet_looks = 0
            self._trims_left -= 1
            self._trim()
            # What is left is in use.
            self._settled_bytes = self._resident_bytes()
            self._settled_stored_bytes = self._stored_bytes()

    def _settle_stored(self) -> None:
        """Count what has come to be stored as settled: it is no burst, and stays."""
        stored = self._stored_bytes()
        self._settled_bytes += max(stored - self._settled_stored_bytes, 0)
        self._settled_stored_bytes = stored


def _resident_bytes() -> int:
    try:
        _, resident, of_files, *_ = map(int, Path("/proc/self/statm").read_text().split())
    except OSError:
        return 0
    return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")


def _trim() -> None:
    if platform.libc_ver()[0] == "glibc":
        # The interpreter lock is released meanwhile.
        ctypes.CDLL(None).malloc_trim(_KEPT_BYTES)


def memory_budget_bytes() -> int:
    """Return three quarters of the memory of the machine, or of its container if that is less, in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        memory = min(memory, int(_CONTAINER_LIMIT.read_text()))
    return memory * 3 // 4


def tune_interpreter() -> None:
    """Shorten the switch interval, so that threads that wait for the interpreter lock get it soon."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)


@contextlib.contextmanager
def settled_objects() -> Iterator[None]:
    """Exclude the objects that exist now, such as modules and the recovered store, from garbage collection.

    The collector would otherwise traverse all of them again and again, with all threads stopped, for tens of
    milliseconds in a large store. At the end of the context they are subject to collection again.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
