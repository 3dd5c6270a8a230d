"""The observations of a server's space as a collection, for coroutines."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Unpack, overload

from engram.client.collection.async_updates import AsyncUpdates
from engram.errors import InvalidInput
from engram.model.ack import Deletion, joined_deletion
from engram.model.batches.parts import Parts
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.hit import Hit, Hits
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.operations.deletions import given_to_delete
from engram.model.operations.erasure_receipt import ErasureReceipt, joined_receipt
from engram.model.operations.requests import Delete, Erase, Get
from engram.model.operations.results import RESULTS_BYTES
from engram.model.operations.scans import Clear, CountFacets, ReadPage, page_request
from engram.model.query import as_generation
from engram.model.scans.facets import Facets
from engram.model.scans.look_ups import as_id_or_ids
from engram.model.scans.options import FACET_VALUES_DEFAULT, ScanOptions
from engram.model.scans.page import FoundHits, ScanPage
from engram.model.scans.scan import AsyncScan
from engram.model.values.ids import as_ids
from engram.model.values.keywords import spelled_out
from engram.model.values.scalars import as_flag


class AsyncCollection(AsyncUpdates):
    """The look-ups, scans, facets and deletions of an `AsyncClient`; a base class of it.

    ``async for hit in client`` goes over what is alive when it begins.

    Parameters
    ----------
    calls
        Makes the calls to the server.
    space
        Name of the memory space.
    """

    def __aiter__(self) -> AsyncScan:
        return self.scan()

    @overload
    async def get(self, id: str, max_generation: int | None = None, *, include_vectors: bool = False) -> Hit | None: ...  # type: ignore[overload-overlap]

    @overload
    async def get(
        self, id: Iterable[str], max_generation: int | None = None, *, include_vectors: bool = False
    ) -> FoundHits: ...

    async def get(
        self, id: str | Iterable[str], max_generation: int | None = None, *, include_vectors: bool = False
    ) -> Hit | FoundHits | None:
        """Return the observation with this id or None, or for many ids a list of these, in the order of the ids.

        Parameters
        ----------
        id
            The id, or a list of any number of ids, which are all looked up at one generation. Many are asked for in
            several calls.
        max_generation
            Return the version that was alive at this generation; None: the newest.
        include_vectors
            Whether the hit has its vector.

        Raises
        ------
        InvalidInput
            If an id is not a text, or the generation is yet to come.
        NotFound
            If the space does not exist.
        FailedPrecondition
            If the generation is no longer retained.
        CorruptData
            If the observation is damaged.
        OverCapacity, Unavailable
            If the server stays overloaded, or cannot be reached.
        """
        wanted = as_id_or_ids(id)
        as_flag("include_vectors", include_vectors)
        generation = as_generation(max_generation)
        if isinstance(wanted, str):
            hits = await self._calls.unary(Get(self.space, [wanted], generation, include_vectors))
            return hits[0] if hits else None
        by_id: dict[str, Hit] = {}
        is_now = generation is None
        for start in range(0, len(wanted) or 1, BATCH_COUNT_MAX):
            request = Get(self.space, wanted[start : start + BATCH_COUNT_MAX], generation, include_vectors)
            for hits in await self._look_up(request):
                generation = hits.generation
                # A further call names the generation of the first one, so that nothing is hidden from it.
                by_id.update((hit.id, hit) for hit in hits if not (is_now and _has_expired(hit)))
        return FoundHits(map(by_id.get, wanted), generation or 0)

    async def _look_up(self, request: Get) -> list[Hits]:
        """Return what one call answers, or several if one message would be too large."""
        try:
            return [await self._calls.unary(request)]
        except InvalidInput as error:
            if error.code not in (RESULTS_BYTES, "message_bytes") or len(request.ids) < 2:
                raise
        middle = len(request.ids) // 2
        first = await self._look_up(replace(request, ids=request.ids[:middle]))
        # The second half is of the same generation.
        rest = replace(request, ids=request.ids[middle:], max_generation=first[-1].generation)
        return [*first, *await self._look_up(rest)]

    @spelled_out(ScanOptions)
    def scan(self, filter: FilterLike | None = None, **options: Unpack[ScanOptions]) -> AsyncScan:
        """Return an iterator over everything that passes a filter, from one snapshot, however much it is.

        The server holds the snapshot for a minute after each page, also if it would not be retained otherwise.

        Parameters
        ----------
        filter
            Conditions that every observation meets; None: everything.
        **options
            See `ScanOptions`.

        Returns
        -------
        AsyncScan
            An iterator over `Hit`, whose ``pages()`` has the pages with their cursors.

        Raises
        ------
        InvalidInput
            If an argument is refused, at once; a cursor of another scan, and a generation that is yet to come, when the
            first page is read.
        NotFound
            During iteration: if the space does not exist.
        FailedPrecondition
            During iteration: if the generation is no longer retained (code ``snapshot_expired``), or the space was
            restored since.
        CorruptData
            During iteration: if an observation is damaged.
        OverCapacity, Unavailable
            During iteration: if the server stays overloaded, or cannot be reached.
        """
        return AsyncScan(self._page, page_request(self.space, filter, options))

    async def _page(self, request: ReadPage) -> ScanPage:
        return await self._calls.unary(request)

    async def facets(
        self,
        keys: str | Iterable[str] = (),
        filter: FilterLike | None = None,
        *,
        fields: str | Iterable[str] = (),
        limit: int = FACET_VALUES_DEFAULT,
        max_generation: int | None = None,
    ) -> Facets:
        """Return which values the observations have that pass a filter; see `Space.facets`.

        Errors are also those of `get`.
        """
        request = CountFacets(self.space, keys, fields, as_filter(filter), limit, max_generation)  # type: ignore[arg-type]
        return await self._calls.unary(request)

    async def delete(
        self,
        ids: Iterable[str] | None = None,
        *,
        filter: FilterLike | None = None,
        max_generation: int | None = None,
        dry_run: bool = False,
    ) -> Deletion:
        """Delete observations durably, by ids or by a filter. Unknown ids are ignored.

        By a filter, what passes it as of one generation is deleted; what is written later stays. It is deleted in parts
        and in as many calls as it takes: if it cannot be finished, a second call deletes the rest.

        Parameters
        ----------
        ids
            Any number of ids. Very many are deleted in several calls.
        filter
            Conditions, at least one, that each observation meets. `clear` deletes everything.
        max_generation
            Apply the filter as of this generation; None: the newest.
        dry_run
            Whether to delete nothing, and only count.

        Returns
        -------
        Deletion
            As a number, how many observations are deleted. If an answer was lost because the server restarted, those of
            its call are not counted.

        Raises
        ------
        InvalidInput
            If an id is not a text; if `filter` has no conditions (code ``empty_filter``).
        NotFound
            If the space does not exist.
        FailedPrecondition
            If the generation is no longer retained.
        CorruptData
            By a filter: if there are ids that cannot be read. Everything else is deleted.
        OverCapacity, Unavailable
            If the server stays overloaded, or cannot be reached.
        """
        given = given_to_delete(ids, filter)
        if filter is not None:
            return await self._delete(Delete(self.space, **given, max_generation=max_generation, dry_run=dry_run))
        named: list[str] = given["ids"]
        # No ids are one part, too.
        parts = Parts(len(named) or 1)
        deletions: list[Deletion] = []
        for part in parts:
            with parts.storing(part):
                request = Delete(self.space, named[part], max_generation=max_generation, dry_run=dry_run)
                deletions.append(await self._delete(request))
        return joined_deletion(deletions)

    async def clear(self) -> Deletion:
        """Delete all observations durably, in parts. What is written meanwhile stays.

        Returns
        -------
        Deletion
            As a number, how many observations are deleted.

        Raises
        ------
        NotFound, CorruptData, OverCapacity, Unavailable
            As for `delete`.
        """
        return await self._delete(Clear(self.space))

    async def erase(self, ids: Iterable[str]) -> ErasureReceipt:
        """Delete observations, and remove all that was ever written under their ids from every file of the space.

        Older versions and what was deleted before are erased, too. Retention does not protect them: snapshots, streams
        and cursors lose them. What is written under the same ids afterwards stays. Backups from before keep what they
        have.

        Parameters
        ----------
        ids
            Any number of ids. What cannot be found is not an error. Very many are erased in several calls.

        Returns
        -------
        ErasureReceipt
            What says that it was done; ``engram verify --receipt`` compares a directory with it.

        Raises
        ------
        InvalidInput
            If an id is not a text.
        NotFound
            If the space does not exist.
        FailedPrecondition
            If Engram 0.1 wrote a part of the log (code ``old_format``).
        CorruptData
            If something cannot be read that might have to be erased.
        OverCapacity, Unavailable
            If the server stays overloaded, cannot be reached, or is not done within the timeout of the client. It goes
            on by itself, and a second call waits for that.
        """
        given = as_ids(ids)
        parts = Parts(len(given) or 1)
        receipts: list[ErasureReceipt] = []
        for part in parts:
            with parts.storing(part):
                request = Erase(self.space, given[part], secrets.token_hex(16))
                receipts.append(await self._calls.unary(request))
        return joined_receipt(receipts)

    async def _delete(self, request: Delete | Clear) -> Deletion:
        done = await self._calls.unary(_with_key(request))
        existed = int(done)
        while done.more:
            done = await self._calls.unary(_with_key(replace(request, max_generation=done.as_of)))
            existed += int(done)
        return Deletion(existed, done.generation, done.as_of)


def _has_expired(hit: Hit) -> bool:
    """Return whether a hit had expired when it was found, by the clock of the server."""
    # What was observed in the future has no age, so that nobody knows when it was found.
    return hit.expires_us is not None and hit.age_s > 0 and hit.expires_us <= hit.recalled_us


def _with_key(request: Delete | Clear) -> Delete | Clear:
    """Return a request whose answer is that of the first time, if it is sent again because an answer was lost.

    Otherwise it would delete what was written in between, and not count what it had deleted.
    """
    if isinstance(request, Delete) and request.dry_run:
        return request
    return replace(request, idempotency_key=secrets.token_hex(16))
