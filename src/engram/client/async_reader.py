"""The calls of a client that need no session: recalls, look-ups, deletions, spaces, status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Unpack

from engram.client.calls import Calls
from engram.client.collection.async_many import AsyncManyReader
from engram.client.following.async_following import AsyncFollowCalls
from engram.client.naming.async_naming import AsyncNaming
from engram.client.snapshot import AsyncClientSnapshot
from engram.errors import InvalidInput, NotFound
from engram.metrics.space_statistics import SpaceStatistics
from engram.model.ack import Deletion
from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.hit import Hits
from engram.model.limits import RECALL_BATCH_MAX, RESULTS_MAX
from engram.model.operations.requests import (
    Count,
    CreateSpace,
    DescribeServer,
    DescribeSpace,
    ListSpaces,
    Recall,
    StreamRecall,
    TakeSnapshot,
)
from engram.model.operations.results import RESULTS_BYTES, Counted
from engram.model.operations.status import ServerStatus, SpaceStatus, UnsoundSpace
from engram.model.query import (
    BATCH_DEFAULT,
    RESULTS_DEFAULT,
    Recalled,
    RecallQuery,
    as_generation,
    as_query,
    check_one_snapshot,
)
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    RecallOptions,
    RecallStreamOptions,
    recall_query,
    stream_query,
)
from engram.model.spaces import Metric, SpaceConfig, Vectors, check_settings_of, check_space_name, dimension_of
from engram.model.times import Moment, as_time_us
from engram.model.values.expiry import Ttl, checked_ttl_s
from engram.model.values.keywords import accepts_old, spelled_out, warn_renamed
from engram.model.waiting.index_wait import INDEX_WAIT_S, IndexWait


class AsyncReader(AsyncFollowCalls, AsyncManyReader, AsyncNaming):
    """The base class of `AsyncClient`, with the calls that need no session.

    Parameters
    ----------
    calls
        Makes the calls to the server.
    space
        Name of the memory space.
    """

    def __init__(self, calls: Calls, space: str) -> None:
        super().__init__(calls, check_space_name(space))

    @property
    def name(self) -> str:
        """Name of the memory space, as a `Space` has it."""
        return self.space

    @property
    def address(self) -> str:
        """Address of the server."""
        return self._calls.transport.address

    @spelled_out(RecallOptions)
    async def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[RecallOptions]) -> Hits:
        """Return the `k` observations that best match a cue, best first.

        Results that are too many or too large for one message are fetched in batches, as by `recall_stream`, and sorted
        here.

        Parameters
        ----------
        cue
            A vector, a text if the space has an embedder, or a `Cue`.
        k
            Maximum number of hits.
        **options
            See `RecallOptions`.

        Returns
        -------
        Hits
            A list of `Hit`, with the ``generation`` of its snapshot and a flag ``incomplete``.

        Raises
        ------
        InvalidInput
            If an argument is invalid.
        NotFound
            If the space does not exist.
        FailedPrecondition
            If the space has no embedder for a text, or the snapshot is no longer retained.
        OverCapacity, Unavailable
            If the server stays overloaded, or cannot be reached.
        CorruptData
            If the recall needs damaged bytes, or the space could not be opened.
        """
        return await self.answer(recall_query(cue, k, **options))

    async def answer(self, query: RecallQuery) -> Hits:
        """Return the hits of `query`, as `recall` does."""
        query = as_query(query)
        if query.k > RESULTS_MAX:
            # Each batch comes within the timeout of a call.
            return await self._recall_in_batches(query)
        try:
            recalled = await self._calls.unary(Recall(self.space, query))
        except InvalidInput as error:
            # A recall by strength reinforces its results, so a second attempt would reinforce them twice.
            if error.code != RESULTS_BYTES or query.strength is not None:
                raise
            timeout_ms = max(1, round(1000 * self._calls.timeout_s))
            return await self._recall_in_batches(replace(query, timeout_ms=timeout_ms))
        return _hits_of(recalled)

    async def _recall_in_batches(self, query: RecallQuery) -> Hits:
        # What is only of streams changes nothing here.
        query = replace(query, batch_size=RECALL_BATCH_MAX, follow=False, include_recent=False)
        hits = Hits()
        async with aclosing(self._batches(query, also_empty=True)) as batches:
            async for batch in batches:
                hits += batch
                hits.generation, hits.incomplete = batch.generation, batch.incomplete
        hits.sort(key=lambda hit: -(hit.score if hit.strength is None else hit.strength))
        return hits

    @accepts_old(max_results="k")
    @spelled_out(RecallStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[RecallStreamOptions],
    ) -> AsyncGenerator[Hits, None]:
        """Yield hits in batches as they are found; each batch is sorted best first, and all are from one snapshot.

        Parameters
        ----------
        cue
            As for `recall`.
        k, batch_size
            Maximum number of hits in all, and per batch, 1 to 100.
        **options
            See `RecallStreamOptions`. A standing recall ends when the server no longer answers. With `skip_damaged`,
            each batch from the first observation left out is marked as ``incomplete``; if there is no other batch to
            mark, an empty one is yielded.

        Yields
        ------
        Hits
            The next batch.

        Raises
        ------
        InvalidInput, NotFound, FailedPrecondition, OverCapacity, Unavailable
            As in `recall`; what is wrong with the arguments is raised at once.
        CorruptData
            If the recall needs damaged bytes. A standing recall raises this where damage may hide a match.
        """
        return self._batches(stream_query(cue, k, batch_size, **options))

    async def count(self, filter: FilterLike | None = None, max_generation: int | None = None) -> Counted:
        """Return how many observations pass a filter; see `Space.count`. Errors are those of `get`."""
        return await self._calls.unary(Count(self.space, as_filter(filter), as_generation(max_generation)))

    @accepts_old(time="snapshot_time")
    async def snapshot(
        self, max_generation: int | None = None, *, snapshot_time: Moment | None = None
    ) -> AsyncClientSnapshot:
        """Return the space as it is now, or was at a generation or time, for any number of recalls.

        The server keeps what the snapshot sees for as long as it retains its generation: the number and the age of the
        generations that a server retains are settings of the server.

        Raises
        ------
        InvalidInput
            If the generation is yet to come, `snapshot_time` is not a time, or both are given.
        NotFound
            If the space does not exist.
        FailedPrecondition
            If the generation is no longer retained.
        """
        check_one_snapshot(max_generation, snapshot_time)
        moment_us = None if snapshot_time is None else as_time_us(snapshot_time, "snapshot_time")
        taken = await self._calls.unary(TakeSnapshot(self.space, as_generation(max_generation), moment_us))
        return AsyncClientSnapshot(self, taken.generation)

    async def _batches(self, query: RecallQuery, *, also_empty: bool = False) -> AsyncGenerator[Hits, None]:
        self._calls.check()
        recall = self._calls.transport.stream(StreamRecall(self.space, query))
        was_incomplete = False
        try:
            while (batch := await self._next(recall, follows=query.follow)) is not None:
                if batch.hits or batch.incomplete > was_incomplete or also_empty:
                    was_incomplete = batch.incomplete
                    yield _hits_of(batch)
        finally:
            recall.cancel()

    async def forget(self, ids: Sequence[str]) -> Deletion:
        """Delete observations by id. Deprecated: it is called `delete` now."""
        warn_renamed("forget", "delete")
        return await self.delete(ids)

    async def create_space(
        self,
        name: str,
        dim: int | None = None,
        metric: Metric = "cosine",
        embedder: str = "",
        vectors: Vectors = "required",
        ttl: Ttl | None = None,
    ) -> SpaceStatus:
        """Create a space, or return the existing one if it has the same settings.

        Parameters
        ----------
        name, dim, metric, embedder, vectors
            See `SpaceConfig`; `dim` is 768 by default, and 0 without vectors.
        ttl
            After how many seconds, or which `timedelta`, an observation expires that does not say when it does; None:
            never, or whatever an existing space has.

        Raises
        ------
        InvalidInput
            If a setting is out of range.
        AlreadyExists
            If the space exists with other settings; also if the server is of an older version, which knows no spaces
            but those that require vectors, and in which nothing expires.
        """
        config = SpaceConfig(name, dimension_of(dim, vectors), metric, embedder, vectors, checked_ttl_s(ttl))
        made = await self._calls.unary(CreateSpace(config))
        check_settings_of(made.config, None, None, None, vectors, config.ttl_s)
        return made

    async def spaces(self) -> list[SpaceStatus]:
        """List the spaces that can be used; `unsound_spaces` lists the others."""
        return list((await self._calls.unary(ListSpaces())).spaces)

    async def unsound_spaces(self) -> list[UnsoundSpace]:
        """List the spaces that exist but could not be opened, with the reasons."""
        return list((await self._calls.unary(ListSpaces())).unsound)

    async def space_status(self) -> SpaceStatus:
        """Return the settings and watermarks of this client's space.

        Raises
        ------
        NotFound
            If the space does not exist.
        CorruptData
            If the space exists but could not be opened.
        """
        try:
            return await self._calls.unary(DescribeSpace(self.space))
        except NotFound as error:
            raise NotFound(
                f"space {self.space!r} does not exist on {self._calls.transport.address}; create it with "
                f"client.create_space({self.space!r}, dim=...) or: engram spaces create {self.space} --dim N",
                code=error.code,
                field=error.field,
                value=self.space,
            ) from None

    async def stats(self) -> SpaceStatistics:
        """Return statistics of this client's space; each number is current, but they are not all of the same instant.

        A number that the server does not tell, because it is of an older version, is 0.

        Raises
        ------
        NotFound, CorruptData
            As `space_status`.
        """
        status = await self.space_status()
        return SpaceStatistics.of(status.metrics, status.problems)

    async def wait_indexed(self, generation: int | None = None, *, timeout_s: float | None = INDEX_WAIT_S) -> int:
        """Wait until what was stored is linked into the graph; the server is asked now and then.

        Parameters
        ----------
        generation, timeout_s
            See `Space.wait_indexed`.

        Raises
        ------
        InvalidInput, Unavailable
            As `Space.wait_indexed`.
        NotFound, CorruptData
            As `space_status`.
        """
        status = await self.space_status()
        wait = IndexWait(generation, status.visible_generation, timeout_s)
        while (delay_s := wait.next_s(status.indexed_generation)) is not None:
            await asyncio.sleep(delay_s)
            status = await self.space_status()
        return status.indexed_generation

    async def status(self) -> ServerStatus:
        """Return the server's version, counters, lanes, index workers and spaces, and the damage it has found."""
        return await self._calls.unary(DescribeServer())


def _hits_of(recalled: Recalled) -> Hits:
    return Hits(recalled.hits, recalled.generation, recalled.incomplete)
