"""Writes that are sent twice with one key: the second gets the answer of the first.

The answers are remembered in memory only, so a restart forgets them. A client that repeats a write across a restart is
safe if it names the ids itself, because the same observations are stored over themselves.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from engram.errors import FailedPrecondition, InvalidInput, OverCapacity

KEYS_MAX: Final = 100_000
"""Keys that are remembered for each space."""
KEPT_S: Final = 24 * 3600.0
"""Seconds that a key is remembered."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_RETRY_AFTER_MS: Final = 1000


@dataclass(slots=True)
class _Write:
    """A write that was begun with some key."""

    digest: bytes
    expires_s: float
    answer: asyncio.Future[bytes]


class IdempotencyKeys:
    """The keys of the writes to all spaces, and their answers; belongs to the event loop.

    Parameters
    ----------
    keys_max, kept_s
        Keys that are remembered for each space, and for how long. The oldest are forgotten first.
    clock
        Tells the time in seconds.
    """

    def __init__(
        self, keys_max: int = KEYS_MAX, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys_max = keys_max
        self._kept_s = kept_s
        self._clock = clock
        self._spaces: dict[str, OrderedDict[str, _Write]] = {}

    async def once(
        self, space: str, key: str, digest: bytes, work: Callable[[], Awaitable[bytes]]
    ) -> tuple[bytes, bool]:
        """Return the answer of the write, and whether it is that of an earlier one with this key.

        A write that comes while the first is under way waits for it. A write that fails leaves no trace, so that the
        next one with its key is tried.

        Parameters
        ----------
        space
            Name of the space.
        key
            The key.
        digest
            Stands for everything that the write asks for.
        work
            Does the write and returns its answer.

        Raises
        ------
        InvalidInput
            If the key is none.
        FailedPrecondition
            With code ``idempotency_key_reused``, if another write had this key.
        OverCapacity
            If too many writes with keys are under way.
        """
        if not _KEY.fullmatch(key):
            raise InvalidInput(
                "an idempotency key is a text of 1 to 255 visible characters of ASCII",
                code="invalid_idempotency_key",
                field="Idempotency-Key",
                limit="1..255",
                value=len(key),
            )
        while (earlier := self._find(space, key)) is not None:
            if earlier.digest != digest:
                raise FailedPrecondition(
                    "another write had this idempotency key; take a new key for each write",
                    code="idempotency_key_reused",
                    field="Idempotency-Key",
                    value=key,
                )
            # Whoever waits must not take the answer away from the others when it is cancelled.
            await asyncio.wait({earlier.answer})
            if not earlier.answer.cancelled():
                return earlier.answer.result(), True
        return await self._first(space, key, digest, work), False

    async def _first(self, space: str, key: str, digest: bytes, work: Callable[[], Awaitable[bytes]]) -> bytes:
        writes = self._spaces.setdefault(space, OrderedDict())
        self._make_room(writes)
        begun = _Write(digest, self._clock() + self._kept_s, asyncio.get_running_loop().create_future())
        writes[key] = begun
        try:
            answer = await work()
        except BaseException:
            del writes[key]
            if not writes:
                del self._spaces[space]
            begun.answer.cancel()
            raise
        begun.answer.set_result(answer)
        return answer

    def _find(self, space: str, key: str) -> _Write | None:
        writes = self._spaces.get(space)
        found = None if writes is None else writes.get(key)
        is_over = found is not None and found.answer.done() and found.expires_s <= self._clock()
        return None if is_over else found

    def _make_room(self, writes: OrderedDict[str, _Write]) -> None:
        """Forget what is over, and the oldest answer if there are too many."""
        now_s = self._clock()
        while writes:
            key, oldest = next(iter(writes.items()))
            if len(writes) < self._keys_max and (oldest.expires_s > now_s or not oldest.answer.done()):
                return
            if not oldest.answer.done():
                raise OverCapacity(
                    f"{self._keys_max} writes with keys wait for the first of them",
                    code="idempotency_keys",
                    field="Idempotency-Key",
                    limit=self._keys_max,
                    retry_after_ms=_RETRY_AFTER_MS,
                )
            del writes[key]
