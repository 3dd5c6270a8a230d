"""Insertion with raw vectors that stay where they are, linked by several threads at once."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engram.index import HnswIndex

# As `HnswIndex.add` cuts its work.
_APPENDED = 2048
LINKED = 512
_WAIT_S = 0.001


class Linkers:
    """Threads that link whatever is published; leaving the context waits until all of it is linked."""

    def __init__(self, index: HnswIndex, threads: int, niceness: int = 0) -> None:
        self._index = index
        self._niceness = niceness
        self._all_published = threading.Event()
        self._threads = [threading.Thread(target=self._follow) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._all_published.set()
        for thread in self._threads:
            thread.join()

    def _follow(self) -> None:
        step_back(self._niceness)
        while True:
            last = self._all_published.is_set()
            if self._index.link(LINKED) == 0:
                if last:
                    return
                self._all_published.wait(_WAIT_S)


def step_back(niceness: int) -> None:
    """Let others go before the calling thread, which Linux can do for a single one."""
    if niceness:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def insert(index: HnswIndex, rows: NDArray[np.float32], raw: NDArray[np.float32], threads: int) -> None:
    """Append `rows`, which also lie at `raw`, and link them: the calling thread and ``threads - 1`` more."""
    first = index.visible_generation + 1
    with Linkers(index, threads - 1):
        for start in range(0, len(rows), _APPENDED):
            piece = slice(start, min(start + _APPENDED, len(rows)))
            index.append(rows[piece], first + start, raw=raw[piece])
            index.publish(first + piece.stop - 1)
        while index.link(LINKED):
            pass
