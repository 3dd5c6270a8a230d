"""Following a server's space, for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar, Unpack

from engram.client.collection.async_collection import AsyncCollection
from engram.client.transport import AnswerStream
from engram.errors import EngramError
from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.following.change import Change
from engram.model.following.follow_changes import FollowChanges, changes_request
from engram.model.following.following import AsyncFollowing
from engram.model.following.options import (
    ChangeOptions,
    FollowOptions,
    FollowPlan,
    follow_plan,
    naming_after_generation,
)
from engram.model.following.told import AwaitedSource, Told
from engram.model.hit import Hit
from engram.model.operations.requests import StreamRecall
from engram.model.query import RESULTS_DEFAULT
from engram.model.values.keywords import spelled_out
from engram.model.waiting.timeouts import as_timeout_s_or_none

T = TypeVar("T")


class AsyncFollowCalls(AsyncCollection):
    """What an `AsyncClient` follows; a base class of it."""

    @spelled_out(FollowOptions)
    def follow(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[FollowOptions]) -> AsyncFollowing[Hit]:
        """Return what matches a cue, and then each new observation that does, as it is stored; see `Space.follow`.

        It ends when the server no longer answers. To go on where it ended, follow again with its ``generation`` as
        `after_generation`.

        Parameters
        ----------
        cue
            See `Space.follow`.
        k
            Maximum number of hits of what is there.
        **options
            See `FollowOptions`.

        Returns
        -------
        AsyncFollowing
            An asynchronous iterator over `Hit`.

        Raises
        ------
        InvalidInput
            If an argument is refused, at once; if the generation is yet to come, when the first hit is asked for.
        NotFound, FailedPrecondition, OverCapacity, CorruptData, Unavailable
            During iteration: as for `recall`, and as `Space.follow`.
        """
        plan = follow_plan(cue, k, **options)
        return AsyncFollowing(AwaitedSource(within(self._matches(plan), plan.timeout_s)), plan.generation)

    @spelled_out(ChangeOptions)
    def changes(self, filter: FilterLike | None = None, **options: Unpack[ChangeOptions]) -> AsyncFollowing[Change]:
        """Return what changes in the space: each change once, in the order of generations; see `Space.changes`.

        It ends when the server no longer answers. To go on where it ended, ask again with its ``generation`` as
        `after_generation`: nothing is missed and nothing is told twice.

        Parameters
        ----------
        filter
            See `Space.changes`.
        **options
            See `ChangeOptions`.

        Returns
        -------
        AsyncFollowing
            An asynchronous iterator over `Change`.

        Raises
        ------
        InvalidInput
            If an argument is refused, at once; if the generation is yet to come, when the first change is asked for.
        NotFound, FailedPrecondition, OverCapacity, CorruptData, Unavailable
            During iteration: as for `recall`, and as `Space.changes`.
        """
        request = changes_request(self.space, filter, **options)
        timeout_s = as_timeout_s_or_none(options.get("timeout_s"))
        source = AwaitedSource(within(self._changes(request), timeout_s))
        return AsyncFollowing(source, request.after_generation or 0)

    async def _matches(self, plan: FollowPlan) -> AsyncGenerator[Told[Hit], None]:
        self._calls.check()
        recall = self._calls.transport.stream(StreamRecall(self.space, plan.query))
        is_standing = False
        try:
            while True:
                with naming_after_generation():
                    batch = await self._next(recall, follows=True)
                if batch is None:
                    return
                hits = () if plan.only_new and not is_standing else batch.hits
                # What has more behind it is a part of something, such as of a batch that is too large for a message.
                generation = 0 if batch.more else batch.generation
                yield Told(hits, generation, is_standing, batch.incomplete)
                is_standing = is_standing or not batch.more
        finally:
            recall.cancel()

    async def _changes(self, request: FollowChanges) -> AsyncGenerator[Told[Change], None]:
        self._calls.check()
        feed = self._calls.transport.stream(request)
        try:
            while (changes := await self._next(feed, follows=True)) is not None:
                yield Told(changes, changes.generation, incomplete=changes.incomplete)
        finally:
            feed.cancel()

    async def _next(self, stream: AnswerStream[T], *, follows: bool) -> T | None:
        """Return the next result of a stream; None after the last one."""
        if not follows:
            with self._calls.under_way():
                async with self._calls.within("waiting for the next batch"):
                    return await self._read(stream)
        reading = asyncio.ensure_future(self._read(stream))
        try:
            with self._calls.under_way():
                while not (await asyncio.wait([reading], timeout=self._calls.timeout_s))[0]:
                    # There may be nothing to tell for hours.
                    await self._calls.check_server(self.space)
                return await reading
        finally:
            reading.cancel()

    async def _read(self, stream: AnswerStream[T]) -> T | None:
        try:
            result = await stream.read()
        except EngramError as error:
            self._calls.note_answer(error)
            raise
        self._calls.note_answer()
        return result


async def within(batches: AsyncGenerator[T, None], timeout_s: float | None) -> AsyncGenerator[T, None]:
    """Yield what `batches` yields, until `timeout_s` seconds after the first is asked for; None: to its end.

    The first is what is there already, which is told however short the time is, as in an embedded space.
    """
    until_s = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
    is_first = True
    try:
        while True:
            limit = asyncio.timeout_at(None if is_first else until_s)
            try:
                async with limit:
                    batch = await anext(batches)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if limit.expired():
                    return
                raise
            is_first = False
            yield batch
    finally:
        await batches.aclose()
