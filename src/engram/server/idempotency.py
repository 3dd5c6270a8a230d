"""Writes that are sent twice with one key: the second gets the result of the first, whatever transports they came by.

The results are remembered in memory only, so a restart forgets them. A client that repeats a write across a restart is
safe if it names the ids itself, because the same observations are stored over themselves.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from engram.errors import FailedPrecondition, InvalidInput, OverCapacity

KEYS_MAX: Final = 100_000
"""Keys that are remembered for each space."""
KEPT_S: Final = 24 * 3600.0
"""Seconds that a key is remembered."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_RETRY_AFTER_MS: Final = 1000
_FIELD: Final = "idempotency_key"

R = TypeVar("R")


@dataclass(slots=True)
class _Write:
    """A write that was begun with some key."""

    digest: bytes
    expires_s: float
    result: asyncio.Future[Any]


class IdempotencyKeys:
    """The keys of the writes to all spaces, and their results; belongs to the event loop.

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
        self, space: str, key: str, digest: bytes, work: Callable[[], Coroutine[Any, Any, R]]
    ) -> tuple[R, bool]:
        """Return the result of the write, and whether it is that of an earlier one with this key.

        A write that comes while the first is under way waits for it. Nobody who stops waiting ends the write: it may be
        stored already, and whoever asks again with its key is to learn that. A write that fails leaves no trace, so
        that the next one with its key is tried.

        Parameters
        ----------
        space
            Name of the space.
        key
            The key.
        digest
            Stands for everything that the write asks for.
        work
            Does the write and returns its result.

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
                field=_FIELD,
                limit="1..255",
                value=len(key),
            )
        while (earlier := self._find(space, key)) is not None:
            if earlier.digest != digest:
                raise FailedPrecondition(
                    "another write had this idempotency key; take a new key for each write",
                    code="idempotency_key_reused",
                    field=_FIELD,
                    value=key,
                )
            result = earlier.result
            await asyncio.wait({result})
            if _is_good(result):
                return result.result(), True
        first = self._begin(space, key, digest, work)
        await asyncio.wait({first})
        return first.result(), False

    def forget(self, space: str) -> None:
        """Forget the results of the writes to a space that is no more, and of no other that gets its name.

        Writes that are under way go on.
        """
        writes = self._spaces.get(space, OrderedDict())
        for key in [key for key, write in writes.items() if write.result.done()]:
            del writes[key]
        if not writes:
            self._spaces.pop(space, None)

    def _begin(
        self, space: str, key: str, digest: bytes, work: Callable[[], Coroutine[Any, Any, R]]
    ) -> asyncio.Task[R]:
        writes = self._spaces.setdefault(space, OrderedDict())
        self._make_room(writes)
        task = asyncio.ensure_future(work())
        writes[key] = _Write(digest, self._clock() + self._kept_s, task)
        # The first callback of the task: the key is free before anybody who waits goes on.
        task.add_done_callback(lambda done: self._settle(space, key, done))
        return task

    def _settle(self, space: str, key: str, done: asyncio.Future[Any]) -> None:
        writes = self._spaces.get(space, OrderedDict())
        if key not in writes or writes[key].result is not done:
            # It has been forgotten.
            return
        if _is_good(done):
            # Without the task, which holds more than its result.
            writes[key].result = asyncio.get_running_loop().create_future()
            writes[key].result.set_result(done.result())
        else:
            del writes[key]
            if not writes:
                del self._spaces[space]

    def _find(self, space: str, key: str) -> _Write | None:
        writes = self._spaces.get(space)
        found = None if writes is None else writes.get(key)
        is_over = found is not None and found.result.done() and found.expires_s <= self._clock()
        return None if is_over else found

    def _make_room(self, writes: OrderedDict[str, _Write]) -> None:
        """Forget what is over, and the oldest results if there are too many; what is under way stays."""
        now_s = self._clock()
        forgotten: list[str] = []
        for key, write in writes.items():
            is_full = len(writes) - len(forgotten) >= self._keys_max
            # An erasure may be under way for long, and many others that came after it done.
            if not write.result.done():
                continue
            if not is_full and write.expires_s > now_s:
                break
            forgotten.append(key)
        for key in forgotten:
            del writes[key]
        if len(writes) >= self._keys_max:
            raise OverCapacity(
                f"{self._keys_max} writes with keys are under way",
                code="idempotency_keys",
                field=_FIELD,
                limit=self._keys_max,
                retry_after_ms=_RETRY_AFTER_MS,
            )


def _is_good(done: asyncio.Future[Any]) -> bool:
    return not done.cancelled() and done.exception() is None
