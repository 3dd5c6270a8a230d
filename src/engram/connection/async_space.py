"""A `Space` for coroutines, and its snapshots."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, Unpack, overload

from numpy.typing import ArrayLike

from engram.connection.threads import batches_of, on_a_thread
from engram.model.ack import Ack
from engram.model.arguments import one_or_many
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.cue import CueLike
from engram.model.hit import Hits
from engram.model.query import BATCH_DEFAULT, RecallQuery, as_query
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    RecallStreamOptions,
    SnapshotStreamOptions,
    stream_query,
)
from engram.model.times import Moment
from engram.model.values.keywords import accepts_old, spelled_out
from engram.store import Snapshot, Space


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

    get = on_a_thread(Snapshot.get)
    recall = on_a_thread(Snapshot.recall)

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
        opening = functools.partial(self.blocking.recall_stream, cue, k, batch_size, **options)
        return batches_of(opening, follow=False)


class AsyncSpace:
    """A `Space` of an embedded store for coroutines, with the methods of an `AsyncClient`. Made by `AsyncMemoryStore`.

    Parameters
    ----------
    space
        The space. Its methods run on threads, and behave the same.
    """

    def __init__(self, space: Space) -> None:
        self.blocking: Final = space

    def __repr__(self) -> str:
        return f"Async{self.blocking!r}"

    @property
    def name(self) -> str:
        """Name of the space."""
        return self.blocking.name

    @overload
    async def observe(
        self, id: str, vector: ArrayLike | None = None, content: str = "", **fields: Unpack[ObservationFields]
    ) -> Ack: ...

    @overload
    async def observe(
        self,
        ids: Sequence[str],
        vectors: ArrayLike | None = None,
        contents: Sequence[str] | None = None,
        **columns: Unpack[ObservationColumns],
    ) -> Ack: ...

    @one_or_many
    async def observe(self, *arguments: Any, **keywords: Any) -> Ack:
        """Store one observation or many; when this returns, they are durable and recallable. See `Space.observe`."""
        return await (await self.submit(*arguments, **keywords))

    @overload
    async def submit(
        self, id: str, vector: ArrayLike | None = None, content: str = "", **fields: Unpack[ObservationFields]
    ) -> asyncio.Future[Ack]: ...

    @overload
    async def submit(
        self,
        ids: Sequence[str],
        vectors: ArrayLike | None = None,
        contents: Sequence[str] | None = None,
        **columns: Unpack[ObservationColumns],
    ) -> asyncio.Future[Ack]: ...

    @one_or_many
    async def submit(self, *arguments: Any, **keywords: Any) -> asyncio.Future[Ack]:
        """Store one observation or many; wait only while the queue is full. See `Space.submit`."""
        return asyncio.wrap_future(await asyncio.to_thread(self.blocking.submit, *arguments, **keywords))

    delete = on_a_thread(Space.delete)
    recall = on_a_thread(Space.recall)
    answer = on_a_thread(Space.answer)
    get = on_a_thread(Space.get)
    stats = on_a_thread(Space.stats)

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

    @accepts_old(time="snapshot_time")
    async def snapshot(
        self, max_generation: int | None = None, *, snapshot_time: Moment | None = None
    ) -> AsyncSnapshot:
        """Return the space as it is now, or was at a generation or time. See `Space.snapshot`."""
        return AsyncSnapshot(
            await asyncio.to_thread(self.blocking.snapshot, max_generation, snapshot_time=snapshot_time)
        )
