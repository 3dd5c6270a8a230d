"""Helper threads that link vectors while the rest of their batch is still being encoded."""

from __future__ import annotations

import threading
from typing import Final

from engram.index.current_graph import CurrentGraph

_LINK_BATCH: Final = 512
# A smaller batch is shared among the threads too, in pieces of at least this many vectors.
_SHARE_MIN: Final = 32
_FOLLOW_WAIT_S: Final = 0.001


class LinkHelpers:
    """A context in which helper threads link the vectors that are being added.

    On exit, the calling thread links as well and returns when all helpers have ended.

    Parameters
    ----------
    graph
        The index to which vectors are added; another one may take its place meanwhile.
    count
        Number of vectors that are added.
    threads
        Number of linking threads, including the calling thread.
    """

    def __init__(self, graph: CurrentGraph, count: int, threads: int) -> None:
        self._graph = graph
        self._encoded = threading.Event()
        self._batch = min(_LINK_BATCH, max(_SHARE_MIN, count // (2 * threads)))
        wanted = min(threads, -(-count // self._batch)) - 1
        self._threads = [threading.Thread(target=self._follow, daemon=True) for _ in range(wanted)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._encoded.set()
        while self._graph.native.link(self._batch, False):
            pass
        for thread in self._threads:
            thread.join()

    def _follow(self) -> None:
        while True:
            last = self._encoded.is_set()
            if self._graph.native.link(self._batch, False) == 0:
                if last:
                    return
                self._encoded.wait(_FOLLOW_WAIT_S)
