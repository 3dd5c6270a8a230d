"""Recalls that are shorter than the way to a thread and back, and so are answered where the event loop runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from engram.model.query import RecallQuery
from engram.store.space_engine import SpaceEngine

T = TypeVar("T")
K_MAX: Final = 100
EF_MAX: Final = 256
"""Results and candidates of a recall, above which it is not short."""
LONG_S: Final = 0.004
"""Seconds after which a recall was not short."""
PAUSE_MIN_S: Final = 0.1
PAUSE_MAX_S: Final = 10.0
"""Seconds for which a space that was not quick is left to threads: they double each time, until it is quick again."""


class ShortRecalls:
    """Answers short recalls on the event loop's thread, one in each turn of the event loop.

    Waking a thread, and being woken by it, takes longer than such a recall. Whether it is short is only known
    afterwards, because what it reads may have to come from the disk, so a space that was not quick is left to threads
    for a while.

    Parameters
    ----------
    clock
        Monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn = asyncio.Lock()
        # Until when a space is left to threads, and for how long that was.
        self._pauses: WeakKeyDictionary[SpaceEngine, tuple[float, float]] = WeakKeyDictionary()

    def takes(self, space: SpaceEngine, query: RecallQuery) -> bool:
        """Return whether `query` is of the kind that is short, and its space was quick."""
        cue = query.cue
        if query.k > K_MAX or (query.ef or 0) > EF_MAX or query.strength is not None:
            return False
        if cue.vector is None or cue.by != "similarity" or not cue.conditions.is_open:
            return False
        until_s, _ = self._pauses.get(space, (0.0, 0.0))
        return self._clock() >= until_s

    async def run(self, space: SpaceEngine, answer: Callable[[], T]) -> T:
        """Run `answer` in a turn of its own, and note how long it takes."""
        await self._turn.acquire()
        # Released in the next turn, so that the event loop looks at its sockets between two recalls.
        asyncio.get_running_loop().call_soon(self._turn.release)
        begin_s = self._clock()
        try:
            return answer()
        finally:
            self._note(space, self._clock() - begin_s)

    def _note(self, space: SpaceEngine, taken_s: float) -> None:
        if taken_s <= LONG_S:
            if self._pauses:
                self._pauses.pop(space, None)
            return
        _, pause_s = self._pauses.get(space, (0.0, 0.0))
        pause_s = min(PAUSE_MAX_S, max(PAUSE_MIN_S, 2 * pause_s))
        self._pauses[space] = self._clock() + pause_s, pause_s
