"""The scans of a space: pages of everything that passes a filter at a generation."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.limits import BATCH_BYTES_MAX
from engram.model.operations.scans import CountFacets, ReadPage
from engram.model.scans.cursor import Cursor, check_cursor, decode_cursor, encode_cursor, scan_digest
from engram.model.scans.facets import Facets
from engram.model.scans.page import ScanPage
from engram.model.times import now_us
from engram.store.scans.facet_counts import counted_facets
from engram.store.scans.passing import OrderedRows
from engram.store.scans.runs import spans_of, within
from engram.store.scans.scanned_hits import readable_spans, scanned_hits
from engram.store.space_state import SpaceState


class Scans:
    """Reads pages of scans, on any thread, without locks while it reads.

    Parameters
    ----------
    state
        State of the space.
    """

    def __init__(self, state: SpaceState) -> None:
        self._state = state
        self.ordered: OrderedRows = OrderedRows(state.attributes, state.log)

    def generation_of(self, request: ReadPage) -> int | None:
        """Return the generation of the scan that a request is part of; None if it begins one of what is alive now.

        Raises
        ------
        InvalidInput
            If the cursor is none, or that of another space, scan or generation.
        FailedPrecondition
            With code ``other_incarnation``, if the space has been restored or repaired since.
        """
        cursor = self._cursor_of(request)
        if cursor is None:
            return request.max_generation
        if request.max_generation not in (None, cursor.generation):
            raise _other_generation(cursor, request.max_generation)
        return cursor.generation

    def _cursor_of(self, request: ReadPage) -> Cursor | None:
        """Return the cursor that a request goes on from; None for the first page.

        Raises
        ------
        InvalidInput
            If it is no cursor, or that of another space or scan.
        FailedPrecondition
            With code ``other_incarnation``, if the space has been restored or repaired since.
        """
        if not request.cursor:
            return None
        identity = self._state.manifest.identity
        cursor = decode_cursor(request.cursor)
        digest = scan_digest(request.filter, request.order, request.reverse)
        check_cursor(cursor, identity.space, identity.incarnation, digest, request.order)
        return cursor

    def page(self, request: ReadPage, generation: int, due_us: int = 0) -> ScanPage:
        """Return the page that is asked for, of what is alive at `generation`, which the caller holds.

        What is due at `due_us`, when the scan begins, is hidden; 0: nothing is. A cursor says by itself when that was.

        Raises
        ------
        InvalidInput, FailedPrecondition
            As for `generation_of`.
        CorruptData
            If what the order goes by, or a damaged observation that is not to be skipped, cannot be read. An
            observation is read when an attribute of its hit is.
        Unavailable
            With code ``erased``, if something of it is erased meanwhile; asked again, the page is without that.
        """
        with self._state.log.as_of(generation):
            return self._page(request, generation, due_us)

    def _page(self, request: ReadPage, generation: int, due_us: int) -> ScanPage:
        cursor = self._cursor_of(request)
        if cursor is not None:
            if cursor.generation != generation:
                raise _other_generation(cursor, generation)
            due_us = cursor.due_us
        if self._state.attributes.expiring is None:
            due_us = 0
        rows, incomplete = self.ordered.in_order(
            request.filter, request.order, generation, skip_damaged=request.skip_damaged, due_us=due_us
        )
        low, high = self._left(rows, cursor, request)
        size = request.page_size
        if request.reverse:
            taken, more = rows[max(low, high - size) : high][::-1], high - low > size
        else:
            taken, more = rows[low : low + size], high - low > size
        # Read first, so that what is marked as indexed was linked when the page was read.
        indexed = self._state.index.indexed_generation
        # Hits that are read together stay in memory as long as one of them does.
        spans = within(spans_of(self._state.log, taken), BATCH_BYTES_MAX)
        count = sum(span.rows for span in spans)
        taken, more = taken[:count], more or count < len(taken)
        if request.skip_damaged:
            spans, some_are_left_out = readable_spans(spans, vectors=request.include_vectors)
            incomplete |= some_are_left_out
        hits = scanned_hits(spans, indexed, now_us())
        behind = self.cursor_behind(request, generation, int(taken[-1]), due_us) if more else ""
        return ScanPage(hits, generation, incomplete, behind, due_us)

    def facets(self, request: CountFacets, generation: int, due_us: int = 0) -> Generator[None, None, Facets]:
        """Count facets at `generation`, which the caller holds, without what is due at `due_us`; see `counted_facets`.

        Raises
        ------
        Unavailable
            With code ``erased``, if something of it is erased meanwhile.
        """
        with self._state.log.as_of(generation):
            rows = self.ordered.rows(request.filter, generation, due_us)
            return (yield from counted_facets(self._state.log, request, rows, generation))

    def cut(self, request: ReadPage, page: ScanPage) -> ScanPage:
        """Return the first half of a page that has more than one hit, with the cursor behind it."""
        half = page[: len(page) // 2]
        behind = self.cursor_behind(request, page.generation, half[-1].generation, page.due_us)
        return ScanPage(half, page.generation, page.incomplete, behind, page.due_us)

    def cursor_behind(self, request: ReadPage, generation: int, last: int, due_us: int = 0) -> str:
        """Return the cursor of a page of `request` that ends with the observation of generation `last`."""
        identity = self._state.manifest.identity
        digest = scan_digest(request.filter, request.order, request.reverse)
        key = self._key(request.order)(last)
        return encode_cursor(identity.space, identity.incarnation, generation, digest, key, due_us)

    def _left(self, rows: NDArray[np.int64], cursor: Cursor | None, request: ReadPage) -> tuple[int, int]:
        """Return the range of `rows` that are not read yet."""
        if cursor is None:
            return 0, len(rows)
        find = bisect_left if request.reverse else bisect_right
        key = self._key(request.order)
        place = find(rows, cursor.key, key=lambda row: key(int(row)))
        return (0, place) if request.reverse else (place, len(rows))

    def _key(self, order: str) -> Callable[[int], tuple[Any, ...]]:
        """Return a function that returns by what an observation is ordered."""
        locate = self._state.log.locate

        def time_key(generation: int) -> tuple[int, int]:
            record, row = locate(generation)
            return record.time_us(row), generation

        def id_key(generation: int) -> tuple[str]:
            record, row = locate(generation)
            return (record.id(row),)

        if order == "time":
            return time_key
        return id_key if order == "id" else lambda generation: (generation,)


def _other_generation(cursor: Cursor, generation: int | None) -> InvalidInput:
    return InvalidInput(
        f"the cursor is of a scan of generation {cursor.generation}, not of {generation}",
        code="invalid_cursor",
        field="cursor",
        limit=cursor.generation,
        value=generation,
    )
