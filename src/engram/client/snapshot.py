"""Snapshots of a space of a server: recalls and look-ups at one generation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Protocol, Unpack

from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.hit import Hit, Hits
from engram.model.operations.results import Counted
from engram.model.query import BATCH_DEFAULT, RESULTS_DEFAULT
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    RecallOptions,
    RecallStreamOptions,
    SnapshotRecallOptions,
    SnapshotStreamOptions,
)
from engram.model.values.keywords import accepts_old, spelled_out


class AsyncRecalls(Protocol):
    """What a snapshot needs of an `AsyncClient`."""

    async def get(self, id: str, max_generation: int | None = None, *, include_vectors: bool = False) -> Hit | None:
        """Return the observation with this id, or None."""
        ...

    async def count(self, filter: FilterLike | None = None, max_generation: int | None = None) -> Counted:
        """Return how many observations pass a filter."""
        ...

    async def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[RecallOptions]) -> Hits:
        """Return the best hits."""
        ...

    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[RecallStreamOptions],
    ) -> AsyncGenerator[Hits, None]:
        """Yield the best hits in batches."""
        ...


class BlockingRecalls(Protocol):
    """What a snapshot needs of a `Client`."""

    def get(self, id: str, max_generation: int | None = None, *, include_vectors: bool = False) -> Hit | None:
        """Return the observation with this id, or None."""
        ...

    def count(self, filter: FilterLike | None = None, max_generation: int | None = None) -> Counted:
        """Return how many observations pass a filter."""
        ...

    def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[RecallOptions]) -> Hits:
        """Return the best hits."""
        ...

    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[RecallStreamOptions],
    ) -> Iterator[Hits]:
        """Yield the best hits in batches."""
        ...


class AsyncClientSnapshot:
    """Answers from the observations that were alive at `generation`; made by `AsyncClient.snapshot`.

    Parameters
    ----------
    client
        The client.
    generation
        Generation of the snapshot.
    """

    __slots__ = ("_client", "generation")

    def __init__(self, client: AsyncRecalls, generation: int) -> None:
        self._client = client
        self.generation: int = generation

    def __repr__(self) -> str:
        return f"AsyncClientSnapshot(generation={self.generation})"

    async def get(self, id: str, *, include_vectors: bool = False) -> Hit | None:
        """Return the observation with this id, or None; see `AsyncClient.get`."""
        return await self._client.get(id, self.generation, include_vectors=include_vectors)

    async def count(self, filter: FilterLike | None = None) -> Counted:
        """Return how many observations pass a filter; see `AsyncClient.count`."""
        return await self._client.count(filter, self.generation)

    @spelled_out(SnapshotRecallOptions)
    async def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[SnapshotRecallOptions]) -> Hits:
        """Return the best hits; see `AsyncClient.recall`."""
        return await self._client.recall(cue, k, max_generation=self.generation, **options)

    @accepts_old(max_results="k")
    @spelled_out(SnapshotStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[SnapshotStreamOptions],
    ) -> AsyncGenerator[Hits, None]:
        """Yield the best hits in batches; see `AsyncClient.recall_stream`."""
        return self._client.recall_stream(cue, k, batch_size, max_generation=self.generation, **options)


class ClientSnapshot:
    """Answers from the observations that were alive at `generation`; made by `Client.snapshot`.

    Parameters
    ----------
    client
        The client.
    generation
        Generation of the snapshot.
    """

    __slots__ = ("_client", "generation")

    def __init__(self, client: BlockingRecalls, generation: int) -> None:
        self._client = client
        self.generation: int = generation

    def __repr__(self) -> str:
        return f"ClientSnapshot(generation={self.generation})"

    def get(self, id: str, *, include_vectors: bool = False) -> Hit | None:
        """Return the observation with this id, or None; see `Client.get`."""
        return self._client.get(id, self.generation, include_vectors=include_vectors)

    def count(self, filter: FilterLike | None = None) -> Counted:
        """Return how many observations pass a filter; see `Client.count`."""
        return self._client.count(filter, self.generation)

    @spelled_out(SnapshotRecallOptions)
    def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[SnapshotRecallOptions]) -> Hits:
        """Return the best hits; see `Client.recall`."""
        return self._client.recall(cue, k, max_generation=self.generation, **options)

    @accepts_old(max_results="k")
    @spelled_out(SnapshotStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[SnapshotStreamOptions],
    ) -> Iterator[Hits]:
        """Yield the best hits in batches; see `Client.recall_stream`."""
        return self._client.recall_stream(cue, k, batch_size, max_generation=self.generation, **options)
