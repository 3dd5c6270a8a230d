"""Spaces for an event loop: those that rest are opened on threads, and none comes to rest while a call uses it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final

from engram.errors import EngramError, OverCapacity
from engram.model.spaces import SpaceConfig
from engram.store.commit.tail_budget import SpaceRests
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine

# Opening a large space takes a core for a while.
_THREADS: Final = 4
_RETRY_AFTER_MS: Final = 1000
OPENINGS_MAX: Final = 128
"""Spaces that may be opened, or wait for it, at the same time."""


class SpaceHolds:
    """Finds the spaces of a store, and keeps them open. Used on the event loop's thread only.

    However many calls come to a space that rests, it is opened once, on a thread that does nothing else. They wait, and
    others go on.

    Parameters
    ----------
    store
        The store.
    openings_max
        See `OPENINGS_MAX`.
    """

    def __init__(self, store: StoreEngine, openings_max: int = OPENINGS_MAX) -> None:
        self._store = store
        self._openings_max = openings_max
        # They begin with the first space that is opened.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="engram-opening")
        self._openings: dict[_Wanted, _Opening] = {}

    def held(self, name: str, new: SpaceConfig | None = None) -> AbstractAsyncContextManager[SpaceEngine]:
        """Return the space called `name`, which does not come to rest during the body.

        Parameters
        ----------
        new
            The settings with which it is created if there is none; an existing space must have them.

        Raises
        ------
        OverCapacity
            If too many spaces are being opened.
        FailedPrecondition
            In place of any error of the body, if the space has been dropped or renamed meanwhile.
        EngramError
            As `StoreEngine.space`.
        """
        return _Held(self, name, new)

    async def hold(self, name: str, new: SpaceConfig | None) -> SpaceEngine:
        """Return the space called `name`, which does not come to rest before `let_go`. Raises as `held`."""
        return self._held_now(name, new) or await self._held_when_open(name, new)

    def let_go(self, space: SpaceEngine) -> None:
        """Take back one `hold`."""
        space.let_go()
        # Somebody may wait until this one can rest.
        self._store.table.look_for_room()

    def close(self) -> None:
        """End the threads. The store is closed, so that nobody waits for long."""
        self._threads.shutdown()

    def _held_now(self, name: str, new: SpaceConfig | None) -> SpaceEngine | None:
        """Return the space, held, if it is open."""
        try:
            space = self._find(name, new, wait=False)
        except SpaceRests:
            return None
        return space if space.occupancy.hold() else None

    async def _held_when_open(self, name: str, new: SpaceConfig | None) -> SpaceEngine:
        wanted = name, new
        opening = self._openings.get(wanted)
        if opening is None:
            opening = self._begin(wanted)
        opening.waiting += 1
        try:
            # Whoever stops waiting ends nothing: others wait, too.
            space = await asyncio.shield(opening.opened)
            # It is open, because the opening holds it until nobody waits any more.
            return space.held()
        finally:
            opening.waiting -= 1
            self._settle(wanted, opening)

    def _begin(self, wanted: _Wanted) -> _Opening:
        if len(self._openings) >= self._openings_max:
            raise OverCapacity(
                f"{self._openings_max} spaces are being opened; space {wanted[0]} has to wait for some of them",
                code="too_many_openings",
                field="space",
                limit=self._openings_max,
                value=len(self._openings) + 1,
                retry_after_ms=_RETRY_AFTER_MS,
            )
        opened = asyncio.get_running_loop().run_in_executor(self._threads, partial(self._open, *wanted))
        opening = self._openings[wanted] = _Opening(opened)
        opened.add_done_callback(lambda _: self._settle(wanted, opening))
        return opening

    def _open(self, name: str, new: SpaceConfig | None) -> SpaceEngine:
        return self._find(name, new, wait=True).held()

    def _find(self, name: str, new: SpaceConfig | None, *, wait: bool) -> SpaceEngine:
        if new is None:
            return self._store.space(name, create=False, wait=wait)
        return self._store.space(name, new.dim, new.metric, new.embedder, wait=wait, vectors=new.vectors, ttl=new.ttl_s)

    def _settle(self, wanted: _Wanted, opening: _Opening) -> None:
        """End an opening that is done once nobody waits for it."""
        if opening.waiting or not opening.opened.done() or self._openings.get(wanted) is not opening:
            return
        del self._openings[wanted]
        if not opening.opened.cancelled() and opening.opened.exception() is None:
            opening.opened.result().let_go()


class _Held:
    """The context of `SpaceHolds.held`. Every call enters one, and that of a generator costs more."""

    __slots__ = ("_holds", "_name", "_new", "_space")

    def __init__(self, holds: SpaceHolds, name: str, new: SpaceConfig | None) -> None:
        self._holds = holds
        self._name = name
        self._new = new

    async def __aenter__(self) -> SpaceEngine:
        self._space = await self._holds.hold(self._name, self._new)
        return self._space

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is not None and isinstance(error, EngramError | SpaceRests):
                # Whatever it was, the end of the space explains it.
                self._space.life.check()
        finally:
            self._holds.let_go(self._space)


_Wanted = tuple[str, SpaceConfig | None]


@dataclass(slots=True, eq=False)
class _Opening:
    """A space that is being opened, or was a moment ago, and how many calls wait for it."""

    opened: asyncio.Future[SpaceEngine]
    waiting: int = 0
