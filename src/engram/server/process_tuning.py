"""Settings of the server's process that must be made before, or outside of, the event loop."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Messages of some hundred KiB come and go all the time. By default glibc maps and unmaps each of them, and every fresh
# page costs a fault; these keep such blocks on the heap, which makes large batches two to four times cheaper.
_ALLOCATOR: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(1024**3),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 1024**3 - 1),
    "MALLOC_TOP_PAD_": str(64 * 1024**2),
}
# A busy thread keeps the interpreter for this long; at Python's default of 5 ms a commit's ack waits five times longer.
_SWITCH_INTERVAL_S: Final = 0.0005
_CONTAINER_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


def tune_allocator() -> None:
    """Start this process over with glibc's allocator set up for large messages, unless it is already.

    glibc reads these settings only when a process starts. The process keeps its id and its arguments; settings the user
    made are respected. Elsewhere than on glibc this does nothing. Call it first thing: it does not return if it acts.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _ALLOCATOR):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **_ALLOCATOR})  # noqa: S606  # Itself.


def memory_budget_bytes() -> int:
    """Three quarters of the memory that this process may use: the machine's, or its container's if that is less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        memory = min(memory, int(_CONTAINER_LIMIT.read_text()))
    return memory * 3 // 4


def tune_interpreter() -> None:
    """Let threads that wait for the interpreter have it soon."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)


@contextlib.contextmanager
def settled_objects() -> Iterator[None]:
    """Spare the garbage collector what is there now and stays: modules, and the store as it was recovered.

    It would look through all of it again and again, with all threads stopped, for tens of milliseconds in a large
    store. In the end the objects are the collector's again.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
