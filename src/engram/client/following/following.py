"""Following a server's space, for blocking code."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Generic, TypeVar, Unpack

from engram.client.collection.collection import BlockingCollection
from engram.client.loop_thread import LoopThread
from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.following.change import Change
from engram.model.following.following import AsyncFollowing, Following, OfGeneration, Told
from engram.model.following.options import ChangeOptions, FollowOptions
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
        return Following(_AwaitedSource(self._thread, following.batches), following.generation)


class _AwaitedSource(Generic[T]):
    """The source of a `Following` whose batches coroutines yield."""

    def __init__(self, thread: LoopThread, batches: AsyncGenerator[Told[T], None]) -> None:
        self._batches = thread.iterated(batches)

    def take(self) -> Told[T] | None:
        """Wait for what is next, and return it; None once there is nothing more."""
        return next(self._batches, None)

    def close(self) -> None:
        """End it."""
        self._batches.close()
