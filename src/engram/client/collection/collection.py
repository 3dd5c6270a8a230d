"""The observations of a server's space as a collection, for blocking code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

from numpy.typing import ArrayLike

from engram.client.threads.loop_thread import LoopThread
from engram.model.ack import Ack, Deletion
from engram.model.arguments import one_or_many_existing
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.filters.filter_like import FilterLike
from engram.model.hit import Hit, Hits
from engram.model.many.cue_list import CuesLike
from engram.model.many.many_query import many_query
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.scans import ReadPage, page_request
from engram.model.query import RESULTS_DEFAULT
from engram.model.recall_options import RecallOptions
from engram.model.scans.facets import Facets
from engram.model.scans.options import FACET_VALUES_DEFAULT, ScanOptions
from engram.model.scans.page import FoundHits, ScanPage
from engram.model.scans.scan import Scan
from engram.model.values.keywords import spelled_out, warn_renamed
from engram.model.values.scalars import as_text
from engram.model.waiting.index_wait import INDEX_WAIT_S

if TYPE_CHECKING:
    from engram.client.async_client import AsyncClient


class BlockingCollection:
    """The look-ups, scans, facets, updates, deletions and recalls of many cues of a `Client`; a base class of it.

    ``id in client``, ``len(client)`` and ``for hit in client`` ask the server for what is alive now. A client is true,
    also while its space is empty.

    Parameters
    ----------
    thread
        Runs the coroutines.
    client
        The client for coroutines.
    """

    def __init__(self, thread: LoopThread, client: AsyncClient) -> None:
        self._thread = thread
        self._client = client

    def __len__(self) -> int:
        return self._thread.run(self._client.space_status()).live_count

    def __bool__(self) -> bool:
        return True

    def __contains__(self, id: str) -> bool:
        return self.get(as_text("id", id)) is not None

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.scan())

    @overload
    def get(self, id: str, max_generation: int | None = None, *, include_vectors: bool = False) -> Hit | None: ...  # type: ignore[overload-overlap]

    @overload
    def get(
        self, id: Iterable[str], max_generation: int | None = None, *, include_vectors: bool = False
    ) -> FoundHits: ...

    def get(
        self, id: str | Iterable[str], max_generation: int | None = None, *, include_vectors: bool = False
    ) -> Hit | FoundHits | None:
        """Return the observation with this id or None, or those of many ids. See `AsyncClient.get`."""
        return self._thread.run(self._client.get(id, max_generation, include_vectors=include_vectors))

    @spelled_out(ScanOptions)
    def scan(self, filter: FilterLike | None = None, **options: Unpack[ScanOptions]) -> Scan:
        """Return an iterator over everything that passes a filter, from one snapshot. See `AsyncClient.scan`."""
        return Scan(self._page, page_request(self._client.space, filter, options))

    def _page(self, request: ReadPage) -> ScanPage:
        return self._thread.run(self._client._page(request))

    def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
        max_generation: int | None = None,
    ) -> Facets:
        """Return which values the observations have that pass a filter. See `Space.facets`."""
        return self._thread.run(
            self._client.facets(keys, filter, fields=fields, limit=limit, max_generation=max_generation)
        )

    @overload
    def update(
        self,
        id: str,
        vector: ArrayLike | None = None,
        content: str | None = None,
        *,
        merge: bool = True,
        **fields: Unpack[ObservationFields],
    ) -> Ack: ...

    @overload
    def update(
        self,
        ids: Sequence[str],
        vectors: ArrayLike | None = None,
        contents: Sequence[str] | None = None,
        *,
        merge: bool = True,
        **columns: Unpack[ObservationColumns],
    ) -> Ack: ...

    @one_or_many_existing
    def update(self, *arguments: Any, merge: bool = True, **keywords: Any) -> Ack:
        """Change fields of observations; what is not named stays. See `AsyncClient.update` and `Space.update`."""
        return self._thread.run(self._client.update(*arguments, merge=merge, **keywords))

    @spelled_out(RecallOptions)
    def recall_many(
        self,
        cues: CuesLike,
        k: int = RESULTS_DEFAULT,
        *,
        filter: FilterLike | None = None,
        **options: Unpack[RecallOptions],
    ) -> list[Hits]:
        """Return what `recall` returns for each of many cues, all as of one moment. See `AsyncClient.recall_many`."""
        return self._thread.run(self._client._answer_many(many_query(cues, k, filter, **options)))

    def forget(self, ids: Sequence[str]) -> Deletion:
        """Delete observations by id. Deprecated: it is called `delete` now."""
        warn_renamed("forget", "delete")
        return self.delete(ids)

    def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        filter: FilterLike | None = None,
        max_generation: int | None = None,
        dry_run: bool = False,
    ) -> Deletion:
        """Delete observations durably, by ids or by a filter; unknown ids are ignored. See `AsyncClient.delete`."""
        return self._thread.run(self._client.delete(ids, filter=filter, max_generation=max_generation, dry_run=dry_run))

    def erase(self, ids: Iterable[str]) -> ErasureReceipt:
        """Remove all that was ever written under some ids from every file of the space. See `AsyncClient.erase`."""
        return self._thread.run(self._client.erase(ids))

    def clear(self) -> Deletion:
        """Delete all observations durably. See `AsyncClient.clear`."""
        return self._thread.run(self._client.clear())

    def wait_indexed(self, generation: int | None = None, *, timeout_s: float | None = INDEX_WAIT_S) -> int:
        """Wait until what was stored is linked into the graph. See `AsyncClient.wait_indexed`."""
        return self._thread.run(self._client.wait_indexed(generation, timeout_s=timeout_s))
