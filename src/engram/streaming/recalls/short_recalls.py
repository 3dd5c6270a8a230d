"""Recalls that are shorter than the way to a thread and back, and so are answered where the event loop runs."""

from __future__ import annotations

import asyncio
import time
from collections import deque
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


TURN_S: Final = 0.001
"""Seconds of one turn of the event loop that recalls may take, by what the last one took; one of them always may."""
TURN_COUNT_MAX: Final = 8
"""Recalls of one turn of the event loop, however short they are."""


class ShortRecalls:
    """Answers short recalls on the event loop's thread, few of them in each turn of the event loop.

    Between two turns, the event loop looks at its sockets, and the answers of one turn leave together.

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
        self._taken_s = LONG_S
        # Recalls that may still run in this turn; None before the first of a turn.
        self._room: int | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        # Until when a space is left to threads, and for how long that was.
        self._pauses: WeakKeyDictionary[SpaceEngine, tuple[float, float]] = WeakKeyDictionary()
        # Whether there may be any, as it takes long to ask that.
        self._has_pauses = False

    def takes(self, space: SpaceEngine, query: RecallQuery) -> bool:
        """Return whether `query` is of the kind that is short, and its space was quick."""
        cue = query.cue
        if query.k > K_MAX or (query.ef or 0) > EF_MAX or query.strength is not None:
            return False
        if cue.vector is None or cue.by != "similarity" or not cue.conditions.is_open:
            return False
        return self._is_quick(space)

    async def turn(self, space: SpaceEngine) -> bool:
        """Wait until it is a recall's turn; return whether `space` is still quick."""
        if self._room is None:
            self._begin_turn()
        if self._room and not self._waiting:
            self._room -= 1
        else:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        return self._is_quick(space)

    def run(self, space: SpaceEngine, answer: Callable[[], T]) -> T:
        """Run `answer`, whose turn it is, and note how long it takes."""
        begin_s = self._clock()
        try:
            return answer()
        finally:
            self._note(space, self._clock() - begin_s)

    def _is_quick(self, space: SpaceEngine) -> bool:
        if not self._has_pauses:
            return True
        until_s, _ = self._pauses.get(space, (0.0, 0.0))
        return self._clock() >= until_s

    def _begin_turn(self) -> None:
        """Let as many recalls run as fit into a turn of the event loop, first those that wait."""
        fitting = int(TURN_S / self._taken_s) if self._taken_s > 0 else TURN_COUNT_MAX
        room = min(max(fitting, 1), TURN_COUNT_MAX)
        has_begun = False
        while room and self._waiting:
            waiter = self._waiting.popleft()
            # One that was given up takes no place.
            if not waiter.done():
                waiter.set_result(None)
                room -= 1
                has_begun = True
        self._room = room
        loop = asyncio.get_running_loop()
        # What was let run does so in the next turn, and this then comes behind it.
        loop.call_soon(self._begin_turn if has_begun else self._end_turn)

    def _end_turn(self) -> None:
        self._room = None
        if self._waiting:
            self._begin_turn()

    def _note(self, space: SpaceEngine, taken_s: float) -> None:
        self._taken_s = taken_s
        if taken_s <= LONG_S:
            if self._has_pauses:
                self._pauses.pop(space, None)
                self._has_pauses = len(self._pauses) > 0
            return
        _, pause_s = self._pauses.get(space, (0.0, 0.0))
        pause_s = min(PAUSE_MAX_S, max(PAUSE_MIN_S, 2 * pause_s))
        self._pauses[space] = self._clock() + pause_s, pause_s
        self._has_pauses = True
