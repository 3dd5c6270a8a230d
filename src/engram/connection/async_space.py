"""A `Space` for coroutines, and its snapshots."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, Unpack, overload

from numpy.typing import ArrayLike

from engram.connection.async_following import AsyncFollowedSpace
from engram.connection.threads import awaited, batches_of
from engram.metrics.space_statistics import SpaceStatistics
from engram.model.ack import Ack, Deletion
from engram.model.arguments import one_or_many, one_or_many_existing
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.hit import Hit, Hits
from engram.model.many.cue_list import CuesLike
from engram.model.operations.conditions import ConditionalColumns, ConditionalFields, Expected
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.results import Counted
from engram.model.query import BATCH_DEFAULT, RESULTS_DEFAULT, RecallQuery, as_query
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    RecallOptions,
    RecallStreamOptions,
    SnapshotRecallOptions,
    SnapshotStreamOptions,
    stream_query,
)
from engram.model.scans.facets import Facets
from engram.model.scans.look_ups import as_id_or_ids
from engram.model.scans.options import FACET_VALUES_DEFAULT, ScanOptions, SnapshotScanOptions
from engram.model.scans.page import FoundHits
from engram.model.scans.scan import AsyncScan
from engram.model.times import Moment
from engram.model.values.keywords import accepts_old, spelled_out
from engram.model.values.vector_rows import VectorsLike
from engram.model.waiting.index_wait import INDEX_WAIT_S
from engram.store import Snapshot


class AsyncSnapshot:
    """A `Snapshot` of an embedded space for coroutines; made by `AsyncSpace.snapshot`.

    Parameters
    ----------
    snapshot
        The snapshot.
    """

    __slots__ = ("blocking",)

    def __init__(self, snapshot: Snapshot) -> None:
        self.blocking: Snapshot = snapshot

    def __repr__(self) -> str:
        return f"Async{self.blocking!r}"

    @property
    def generation(self) -> int:
        """Generation of the snapshot."""
        return self.blocking.generation

    def __aiter__(self) -> AsyncScan:
        return self.scan()

    @overload
    async def get(self, id: str, *, include_vectors: bool = False) -> Hit | None: ...  # type: ignore[overload-overlap]

    @overload
    async def get(self, id: Iterable[str], *, include_vectors: bool = False) -> FoundHits: ...

    async def get(self, id: str | Iterable[str], *, include_vectors: bool = False) -> Hit | FoundHits | None:
        """Return the observation with this id or None, or those of many ids; see `Snapshot.get`."""
        return await asyncio.to_thread(self.blocking.get, as_id_or_ids(id), include_vectors=include_vectors)

    @spelled_out(SnapshotScanOptions)
    def scan(self, filter: FilterLike | None = None, **options: Unpack[SnapshotScanOptions]) -> AsyncScan:
        """Return an iterator over everything that passes a filter; see `Snapshot.scan`."""
        return awaited(self.blocking.scan(filter, **options))

    async def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
    ) -> Facets:
        """Return which values the observations have that pass a filter; see `Snapshot.facets`."""
        count = functools.partial(self.blocking.facets, keys, filter, fields=fields, limit=limit)
        return await asyncio.to_thread(count)

    async def count(self, filter: FilterLike | None = None) -> Counted:
        """Return how many observations pass a filter; see `Snapshot.count`."""
        return await asyncio.to_thread(self.blocking.count, filter)

    @accepts_old("ef")
    @spelled_out(SnapshotRecallOptions)
    async def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[SnapshotRecallOptions]) -> Hits:
        """Return the best hits; see `Snapshot.recall`."""
        return await asyncio.to_thread(functools.partial(self.blocking.recall, cue, k, **options))

    @spelled_out(SnapshotRecallOptions)
    async def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[SnapshotRecallOptions],
    ) -> list[Hits]:
        """Return the best hits of each of many cues; see `Snapshot.recall_many`."""
        return await asyncio.to_thread(functools.partial(self.blocking.recall_many, cues, k, filter=filter, **options))

    @accepts_old(max_results="k")
    @spelled_out(SnapshotStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[SnapshotStreamOptions],
    ) -> AsyncGenerator[Hits, None]:
        """Yield the best hits in batches; see `Space.recall_stream`."""
        query = stream_query(cue, k, batch_size, **options)
        return batches_of(functools.partial(self.blocking._open, query), follow=False)


class AsyncSpace(AsyncFollowedSpace):
    """A `Space` of an embedded store for coroutines, with the methods of an `AsyncClient`. Made by `AsyncMemoryStore`.

    Parameters
    ----------
    space
        The space. Its methods run on threads, and behave the same.
    """

    def __repr__(self) -> str:
        return f"Async{self.blocking!r}"

    def __aiter__(self) -> AsyncScan:
        return self.scan()

    @property
    def name(self) -> str:
        """Name of the space."""
        return self.blocking.name

    @overload
    async def observe(
        self,
        id: str | None = None,
        vector: ArrayLike | None = None,
        content: str | None = "",
        **fields: Unpack[ConditionalFields],
    ) -> Ack: ...

    @overload
    async def observe(
        self,
        ids: Sequence[str] | None = None,
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ConditionalColumns],
    ) -> Ack: ...

    @one_or_many
    async def observe(
        self, *arguments: Any, if_absent: bool = False, expected_generations: Expected = None, **keywords: Any
    ) -> Ack:
        """Store one observation or many; when this returns, they are durable and recallable. See `Space.observe`."""
        if if_absent is False and expected_generations is None:
            return await (await self.submit(*arguments, **keywords))
        given: dict[str, Any] = {"if_absent": if_absent, "expected_generations": expected_generations, **keywords}
        return await asyncio.to_thread(self.blocking.observe, *arguments, **given)

    @overload
    async def submit(
        self,
        id: str | None = None,
        vector: ArrayLike | None = None,
        content: str | None = "",
        **fields: Unpack[ObservationFields],
    ) -> asyncio.Future[Ack]: ...

    @overload
    async def submit(
        self,
        ids: Sequence[str] | None = None,
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ObservationColumns],
    ) -> asyncio.Future[Ack]: ...

    @one_or_many
    async def submit(self, *arguments: Any, **keywords: Any) -> asyncio.Future[Ack]:
        """Store one observation or many; wait only while the queue is full. See `Space.submit`."""
        return asyncio.wrap_future(await asyncio.to_thread(self.blocking.submit, *arguments, **keywords))

    @overload
    async def update(
        self,
        id: str,
        vector: ArrayLike | None = None,
        content: str | None = None,
        *,
        merge: bool = True,
        **fields: Unpack[ObservationFields],
    ) -> Ack: ...

    @overload
    async def update(
        self,
        ids: Sequence[str],
        vectors: ArrayLike | None = None,
        contents: Sequence[str] | None = None,
        *,
        merge: bool = True,
        **columns: Unpack[ObservationColumns],
    ) -> Ack: ...

    @one_or_many_existing
    async def update(self, *arguments: Any, merge: bool = True, **keywords: Any) -> Ack:
        """Change fields of observations; what is not named stays. See `Space.update`."""
        given: dict[str, Any] = {"merge": merge, **keywords}
        return await asyncio.to_thread(self.blocking.update, *arguments, **given)

    async def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        filter: FilterLike | None = None,
        max_generation: int | None = None,
        dry_run: bool = False,
    ) -> Deletion:
        """Delete observations durably, by ids or by a filter; unknown ids are ignored. See `Space.delete`."""
        options: dict[str, Any] = {"filter": filter, "max_generation": max_generation, "dry_run": dry_run}
        return await asyncio.to_thread(functools.partial(self.blocking.delete, ids, **options))

    async def erase(self, ids: Iterable[str]) -> ErasureReceipt:
        """Remove all that was ever written under some ids from every file of the space. See `Space.erase`."""
        return await asyncio.to_thread(self.blocking.erase, ids)

    async def clear(self) -> Deletion:
        """Delete all observations durably. See `Space.clear`."""
        return await asyncio.to_thread(self.blocking.clear)

    @accepts_old("max_generation", "ef")
    @spelled_out(RecallOptions)
    async def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[RecallOptions]) -> Hits:
        """Return the `k` observations that best match a cue, best first. See `Space.recall`."""
        return await asyncio.to_thread(functools.partial(self.blocking.recall, cue, k, **options))

    @spelled_out(RecallOptions)
    async def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[RecallOptions],
    ) -> list[Hits]:
        """Return what `recall` returns for each of many cues, all as of one moment. See `Space.recall_many`."""
        return await asyncio.to_thread(functools.partial(self.blocking.recall_many, cues, k, filter=filter, **options))

    async def answer(self, query: RecallQuery) -> Hits:
        """Return the hits of `query`, as `recall` does."""
        return await asyncio.to_thread(self.blocking.answer, query)

    @overload
    async def get(self, id: str, max_generation: int | None = None, *, include_vectors: bool = False) -> Hit | None: ...  # type: ignore[overload-overlap]

    @overload
    async def get(
        self, id: Iterable[str], max_generation: int | None = None, *, include_vectors: bool = False
    ) -> FoundHits: ...

    async def get(
        self, id: str | Iterable[str], max_generation: int | None = None, *, include_vectors: bool = False
    ) -> Hit | FoundHits | None:
        """Return the observation with this id or None, or those of many ids. See `Space.get`."""
        wanted = as_id_or_ids(id)
        return await asyncio.to_thread(self.blocking.get, wanted, max_generation, include_vectors=include_vectors)

    @spelled_out(ScanOptions)
    def scan(self, filter: FilterLike | None = None, **options: Unpack[ScanOptions]) -> AsyncScan:
        """Return an iterator over everything that passes a filter, from one snapshot. See `Space.scan`."""
        return awaited(self.blocking.scan(filter, **options))

    async def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
        max_generation: int | None = None,
    ) -> Facets:
        """Return which values the observations have that pass a filter. See `Space.facets`."""
        options: dict[str, Any] = {"fields": fields, "limit": limit, "max_generation": max_generation}
        return await asyncio.to_thread(functools.partial(self.blocking.facets, keys, filter, **options))

    async def stats(self) -> SpaceStatistics:
        """Return statistics of the space. See `Space.stats`."""
        return await asyncio.to_thread(self.blocking.stats)

    async def wait_indexed(self, generation: int | None = None, *, timeout_s: float | None = INDEX_WAIT_S) -> int:
        """Wait until what was stored is linked into the graph. See `Space.wait_indexed`."""
        # A thread that waited would be one of the few on which all other calls run.
        wait = await asyncio.to_thread(self.blocking._index_wait, generation, timeout_s)
        while True:
            indexed = await asyncio.to_thread(lambda: self.blocking.indexed_generation)
            delay_s = wait.next_s(indexed)
            if delay_s is None:
                return indexed
            await asyncio.sleep(delay_s)

    @accepts_old("max_generation", max_results="k")
    @spelled_out(RecallStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[RecallStreamOptions],
    ) -> AsyncGenerator[Hits, None]:
        """Yield hits in batches as they are found, all from one snapshot. See `Space.recall_stream`."""
        return self.open(stream_query(cue, k, batch_size, **options))

    def open(self, query: RecallQuery) -> AsyncGenerator[Hits, None]:
        """Open a stream of the hits of `query`, as `recall_stream` does."""
        return batches_of(functools.partial(self.blocking.open, as_query(query)), follow=query.follow)

    async def count(self, filter: FilterLike | None = None, max_generation: int | None = None) -> Counted:
        """Return how many observations pass a filter. See `Space.count`."""
        return await asyncio.to_thread(self.blocking.count, filter, max_generation)

    @accepts_old(time="snapshot_time")
    async def snapshot(
        self, max_generation: int | None = None, *, snapshot_time: Moment | None = None
    ) -> AsyncSnapshot:
        """Return the space as it is now, or was at a generation or time. See `Space.snapshot`."""
        return AsyncSnapshot(
            await asyncio.to_thread(self.blocking.snapshot, max_generation, snapshot_time=snapshot_time)
        )
