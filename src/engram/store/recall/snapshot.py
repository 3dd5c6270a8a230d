"""Snapshots: a space as it was at one generation."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar, Unpack, overload

from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.hit import Hit, Hits
from engram.model.many.cue_list import CuesLike
from engram.model.many.many_query import many_query
from engram.model.operations.results import Counted
from engram.model.operations.scans import CountFacets, ReadPage, page_request
from engram.model.query import BATCH_DEFAULT, RESULTS_DEFAULT, RecallQuery
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    SnapshotRecallOptions,
    SnapshotStreamOptions,
    recall_query,
    stream_query,
)
from engram.model.scans.facets import Facets
from engram.model.scans.look_ups import as_id_or_ids
from engram.model.scans.options import FACET_VALUES_DEFAULT, SnapshotScanOptions
from engram.model.scans.page import FoundHits, ScanPage
from engram.model.scans.scan import Scan
from engram.model.values.keywords import accepts_old, spelled_out
from engram.model.values.scalars import as_flag, as_text
from engram.store.recall.executor import RecallExecutor
from engram.store.recall.stream import RecallStream

T = TypeVar("T")


class Snapshot:
    """Answers from the observations that were alive at `generation`, whatever is written meanwhile.

    A snapshot costs nothing to make or keep, and any thread may use it. It stays valid as long as it is referenced,
    even if its generation is older than what the store retains for others. Only what is erased is lost to it: what is
    about to read that raises `Unavailable` with code ``erased``, and asked again is without it. Made by
    `Space.snapshot`.

    Parameters
    ----------
    reader
        Executor of the space's recalls.
    generation
        Generation of the snapshot.
    """

    __slots__ = ("__weakref__", "_due_us", "_reader", "generation")

    def __init__(self, reader: RecallExecutor, generation: int) -> None:
        self._reader = reader
        self.generation: int = generation
        # What is due at this time is hidden. A snapshot that is held goes by its generation alone, so it is 0 then.
        self._due_us: int = 0

    def __repr__(self) -> str:
        return f"Snapshot(generation={self.generation})"

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return True

    def __contains__(self, id: str) -> bool:
        return self._find(as_text("id", id)) is not None

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.scan())

    @overload
    def get(self, id: str, *, include_vectors: bool = False) -> Hit | None: ...  # type: ignore[overload-overlap]

    @overload
    def get(self, id: Iterable[str], *, include_vectors: bool = False) -> FoundHits: ...

    def get(self, id: str | Iterable[str], *, include_vectors: bool = False) -> Hit | FoundHits | None:
        """Return the observation with this id or None, or those of many ids; see `Space.get`.

        Raises
        ------
        Unavailable
            With code ``erased``, if something of it is erased meanwhile.
        """
        as_flag("include_vectors", include_vectors)
        wanted = as_id_or_ids(id)
        return self._find(wanted) if isinstance(wanted, str) else look_up(self, wanted)

    def _find(self, id: str) -> Hit | None:
        """Return the observation with an id, which is a text, or None."""
        return self._reader.get(id, self.generation, self._due_us)

    @spelled_out(SnapshotScanOptions)
    def scan(self, filter: FilterLike | None = None, **options: Unpack[SnapshotScanOptions]) -> Scan:
        """Return an iterator over everything that passes a filter; see `Space.scan`.

        Raises
        ------
        Unavailable
            During iteration: with code ``erased``, if something of it is erased meanwhile.
        """
        return Scan(self._page, page_request("", filter, {**options, "max_generation": self.generation}))

    def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
    ) -> Facets:
        """Return which values the observations have that pass a filter; see `Space.facets`.

        Raises
        ------
        Unavailable
            With code ``erased``, if something of it is erased meanwhile.
        """
        request = CountFacets("", keys, fields, as_filter(filter), limit)  # type: ignore[arg-type]
        self._reader.check_process()
        return exhausted(self._reader.scans.facets(request, self.generation))

    def count(self, filter: FilterLike | None = None) -> Counted:
        """Return how many observations pass a filter; see `Space.count`."""
        return self._reader.count(as_filter(filter), self.generation)

    @accepts_old("ef")
    @spelled_out(SnapshotRecallOptions)
    def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[SnapshotRecallOptions]) -> Hits:
        """Return the best hits; see `Space.recall`.

        Raises
        ------
        Unavailable
            With code ``erased``, if something of it is erased meanwhile.
        """
        answer = self._reader.recall(recall_query(cue, k, **options), self.generation)
        return Hits(answer.hits, answer.generation, answer.incomplete)

    @spelled_out(SnapshotRecallOptions)
    def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[SnapshotRecallOptions],
    ) -> list[Hits]:
        """Return the best hits of each of many cues; see `Space.recall_many`."""
        return exhausted(self._reader.recall_many(many_query(cues, k, filter, **options), self.generation))

    @accepts_old(max_results="k")
    @spelled_out(SnapshotStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[SnapshotStreamOptions],
    ) -> RecallStream:
        """Return the best hits in batches; see `Space.recall_stream`.

        Raises
        ------
        Unavailable
            With code ``erased``, if something of it is erased while the stream is opened.
        """
        return self._open(stream_query(cue, k, batch_size, **options))

    def _page(self, request: ReadPage) -> ScanPage:
        self._reader.check_process()
        return self._reader.scans.page(request, self.generation)

    def _open(self, query: RecallQuery) -> RecallStream:
        return self._reader.stream(query, self.generation)


def look_up(snapshot: Snapshot, ids: Iterable[str]) -> FoundHits:
    """Return the observations with `ids`, which are texts, in their order; None for an id that no observation had."""
    return FoundHits([snapshot._find(id) for id in ids], snapshot.generation)


def exhausted(work: Generator[None, None, T]) -> T:
    """Return the result of `work`, without giving others their turn in between."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
