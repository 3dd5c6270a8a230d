"""Snapshots of a space of a server: recalls and look-ups at one generation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any, Protocol, Unpack, overload

from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike
from engram.model.hit import Hit, Hits
from engram.model.many.cue_list import CuesLike
from engram.model.operations.results import Counted
from engram.model.query import BATCH_DEFAULT, RESULTS_DEFAULT
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    RecallOptions,
    RecallStreamOptions,
    SnapshotRecallOptions,
    SnapshotStreamOptions,
)
from engram.model.scans.facets import Facets
from engram.model.scans.options import FACET_VALUES_DEFAULT, ScanOptions, SnapshotScanOptions
from engram.model.scans.page import FoundHits
from engram.model.scans.scan import AsyncScan, Scan
from engram.model.values.keywords import accepts_old, spelled_out
from engram.model.values.scalars import as_text


class AsyncRecalls(Protocol):
    """What a snapshot needs of an `AsyncClient`."""

    async def get(self, id: Any, max_generation: int | None = None, *, include_vectors: bool = False) -> Any:
        """Return the observation with this id or None, or those of many ids."""
        ...

    def scan(self, filter: FilterLike | None = None, **options: Unpack[ScanOptions]) -> AsyncScan:
        """Return an iterator over everything that passes a filter."""
        ...

    async def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
        max_generation: int | None = None,
    ) -> Facets:
        """Return which values the observations have that pass a filter."""
        ...

    async def count(self, filter: FilterLike | None = None, max_generation: int | None = None) -> Counted:
        """Return how many observations pass a filter."""
        ...

    async def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[RecallOptions]) -> Hits:
        """Return the best hits."""
        ...

    async def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[RecallOptions],
    ) -> list[Hits]:
        """Return the best hits of each of many cues."""
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

    def get(self, id: Any, max_generation: int | None = None, *, include_vectors: bool = False) -> Any:
        """Return the observation with this id or None, or those of many ids."""
        ...

    def scan(self, filter: FilterLike | None = None, **options: Unpack[ScanOptions]) -> Scan:
        """Return an iterator over everything that passes a filter."""
        ...

    def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
        max_generation: int | None = None,
    ) -> Facets:
        """Return which values the observations have that pass a filter."""
        ...

    def count(self, filter: FilterLike | None = None, max_generation: int | None = None) -> Counted:
        """Return how many observations pass a filter."""
        ...

    def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[RecallOptions]) -> Hits:
        """Return the best hits."""
        ...

    def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[RecallOptions],
    ) -> list[Hits]:
        """Return the best hits of each of many cues."""
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

    def __aiter__(self) -> AsyncScan:
        return self.scan()

    @overload
    async def get(self, id: str, *, include_vectors: bool = False) -> Hit | None: ...  # type: ignore[overload-overlap]

    @overload
    async def get(self, id: Iterable[str], *, include_vectors: bool = False) -> FoundHits: ...

    async def get(self, id: str | Iterable[str], *, include_vectors: bool = False) -> Hit | FoundHits | None:
        """Return the observation with this id or None, or those of many ids; see `AsyncClient.get`."""
        found: Hit | FoundHits | None = await self._client.get(id, self.generation, include_vectors=include_vectors)
        return found

    @spelled_out(SnapshotScanOptions)
    def scan(self, filter: FilterLike | None = None, **options: Unpack[SnapshotScanOptions]) -> AsyncScan:
        """Return an iterator over everything that passes a filter; see `AsyncClient.scan`."""
        return self._client.scan(filter, max_generation=self.generation, **options)

    async def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
    ) -> Facets:
        """Return which values the observations have that pass a filter; see `Space.facets`."""
        return await self._client.facets(keys, filter, fields=fields, limit=limit, max_generation=self.generation)

    async def count(self, filter: FilterLike | None = None) -> Counted:
        """Return how many observations pass a filter; see `AsyncClient.count`."""
        return await self._client.count(filter, self.generation)

    @spelled_out(SnapshotRecallOptions)
    async def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[SnapshotRecallOptions]) -> Hits:
        """Return the best hits; see `AsyncClient.recall`."""
        return await self._client.recall(cue, k, max_generation=self.generation, **options)

    @spelled_out(SnapshotRecallOptions)
    async def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[SnapshotRecallOptions],
    ) -> list[Hits]:
        """Return the best hits of each of many cues; see `AsyncClient.recall_many`."""
        return await self._client.recall_many(cues, k, filter=filter, max_generation=self.generation, **options)

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

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return True

    def __contains__(self, id: str) -> bool:
        return self.get(as_text("id", id)) is not None

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.scan())

    @overload
    def get(self, id: str, *, include_vectors: bool = False) -> Hit | None: ...  # type: ignore[overload-overlap]

    @overload
    def get(self, id: Iterable[str], *, include_vectors: bool = False) -> FoundHits: ...

    def get(self, id: str | Iterable[str], *, include_vectors: bool = False) -> Hit | FoundHits | None:
        """Return the observation with this id or None, or those of many ids; see `Client.get`."""
        found: Hit | FoundHits | None = self._client.get(id, self.generation, include_vectors=include_vectors)
        return found

    @spelled_out(SnapshotScanOptions)
    def scan(self, filter: FilterLike | None = None, **options: Unpack[SnapshotScanOptions]) -> Scan:
        """Return an iterator over everything that passes a filter; see `Client.scan`."""
        return self._client.scan(filter, max_generation=self.generation, **options)

    def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
    ) -> Facets:
        """Return which values the observations have that pass a filter; see `Space.facets`."""
        return self._client.facets(keys, filter, fields=fields, limit=limit, max_generation=self.generation)

    def count(self, filter: FilterLike | None = None) -> Counted:
        """Return how many observations pass a filter; see `Client.count`."""
        return self._client.count(filter, self.generation)

    @spelled_out(SnapshotRecallOptions)
    def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[SnapshotRecallOptions]) -> Hits:
        """Return the best hits; see `Client.recall`."""
        return self._client.recall(cue, k, max_generation=self.generation, **options)

    @spelled_out(SnapshotRecallOptions)
    def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[SnapshotRecallOptions],
    ) -> list[Hits]:
        """Return the best hits of each of many cues; see `Client.recall_many`."""
        return self._client.recall_many(cues, k, filter=filter, max_generation=self.generation, **options)

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
