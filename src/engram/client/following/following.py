"""Following a server's space, for blocking code."""

from __future__ import annotations

import contextlib
from typing import Generic, TypeVar, Unpack

from engram.client.collection.collection import BlockingCollection
from engram.client.threads.loop_thread import LoopThread
from engram.errors import FailedPrecondition
from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.following.change import Change
from engram.model.following.following import AsyncFollowing, Following
from engram.model.following.options import ChangeOptions, FollowOptions
from engram.model.following.told import AwaitedSource, OfGeneration, Told
from engram.model.hit import Hit
from engram.model.query import RESULTS_DEFAULT
from engram.model.values.keywords import spelled_out

T = TypeVar("T", bound=OfGeneration)


class BlockingFollowCalls(BlockingCollection):
    """What a `Client` follows; a base class of it."""

    @spelled_out(FollowOptions)
    def follow(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[FollowOptions]) -> Following[Hit]:
        """Return what matches a cue, and then each new observation that does. See `AsyncClient.follow`."""
        return self._following(self._client.follow(cue, k, **options))

    @spelled_out(ChangeOptions)
    def changes(self, filter: FilterLike | None = None, **options: Unpack[ChangeOptions]) -> Following[Change]:
        """Return what changes in the space, in the order of generations. See `AsyncClient.changes`."""
        return self._following(self._client.changes(filter, **options))

    def _following(self, following: AsyncFollowing[T]) -> Following[T]:
        return Following(_WaitedSource(self._thread, following.source), following.generation)


class _WaitedSource(Generic[T]):
    """The source of a `Following` of which coroutines are told."""

    def __init__(self, thread: LoopThread, source: AwaitedSource[T]) -> None:
        self._thread = thread
        self._source = source

    def check(self) -> None:
        """Raise an error if the calling thread cannot wait; see `LoopThread.check`."""
        self._thread.check()

    def take(self) -> Told[T] | None:
        """Wait for what is next, and return it; None once there is nothing more."""
        return self._thread.run(self._source.take())

    def close(self) -> None:
        """End it. Whoever waits in `take` gets None."""
        # At the end of the interpreter, and in a child that was forked meanwhile, there is nothing left to close.
        with contextlib.suppress(FailedPrecondition):
            self._thread.run(self._source.close())
