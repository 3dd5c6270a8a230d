"""Which segments of a log are worth compacting, and how many bytes of the disk that would free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from engram.log.records.record_table import RecordPage
from engram.store.space_state import SpaceState

# A segment is worth compacting if this share of its file would be freed. So the log takes at most a third more than
# what is retained.
_FREED_SHARE: Final = 0.25
# The same for what is to be left in a thorough compaction. Each byte that it frees costs up to 15 that are written.
_FREED_SHARE_THOROUGH: Final = 1 / 16
# What is kept of a run must fit into memory.
_RUN_BYTES_MAX: Final = 32 << 20
# Segments that keep less are joined with their neighbours, so that there are few files.
_SMALL_BYTES: Final = 4 << 20
_SMALL_JOINED: Final = 4
# What a segment takes besides its rows: its first sector, the record at its end, whole blocks.
_OVERHEAD: Final = 4 << 10


class SegmentChoice:
    """Chooses segments at a horizon: what ended at or before this generation may be dropped.

    Usually these are segments that lie wholly at or before the horizon, of which a good part would become free. A
    *thorough* choice has the segment in which the horizon is, too, and is content with less.

    Parameters
    ----------
    state
        State of the space.

    Attributes
    ----------
    left
        Numbers of segments that are never chosen.
    """

    def __init__(self, state: SpaceState) -> None:
        self._state = state
        self.left: set[int] = set()

    def next_run(self, horizon: int, thorough: bool = False) -> Sequence[RecordPage]:
        """Return the oldest neighbouring segments that are worth compacting at `horizon`; empty if none are."""
        if self._state.log.read_only:
            return ()
        run: list[RecordPage] = []
        kept = 0
        due = small = 0
        pages = self._ended_pages()
        for page in (*pages, None):
            use = None if page is None else self._use_of(page, horizon, thorough, is_oldest=page is pages[0])
            joins = use is not None and (use.is_due or use.is_small) and (not run or kept + use.kept <= _RUN_BYTES_MAX)
            if not joins and (due or small >= _SMALL_JOINED):
                return run
            if not joins:
                run, kept, due, small = [], 0, 0, 0
            if page is not None and use is not None and (use.is_due or use.is_small):
                run.append(page)
                kept, due, small = kept + use.kept, due + use.is_due, small + use.is_small
        return ()

    def freeable_bytes(self, horizon: int, thorough: bool = False) -> int:
        """Return about how many bytes of the disk compactions would free at `horizon`."""
        pages = self._ended_pages()
        uses = [(page, self._use_of(page, horizon, thorough, is_oldest=page is pages[0])) for page in pages]
        ended = sum(page.segment.file.size - use.kept for page, use in uses if use is not None and use.is_due)
        return ended + self.freeable_of_open(horizon, thorough)

    def freeable_of_open(self, horizon: int, thorough: bool = False) -> int:
        """Return how many bytes would be free if the segment in use was ended and compacted; 0 if that is not much.

        Most of a small log is in that segment.
        """
        log, pages = self._state.log, self._state.log.pages
        if log.read_only or log.present is None or not pages:
            return 0
        use = self._use_of(pages[-1], horizon, thorough, is_oldest=len(pages) == 1)
        freeable = 0 if use is None else pages[-1].segment.end - use.kept
        share = _FREED_SHARE_THOROUGH if thorough else _FREED_SHARE
        return freeable if freeable >= max(_SMALL_BYTES, share * log.nbytes) else 0

    def _ended_pages(self) -> Sequence[RecordPage]:
        """Return the pages of the segments that get no more records, and of which all is published."""
        # Read in this order: what is published in between is only left for later. And a segment is in use before it
        # has a page.
        visible = self._state.index.visible_generation
        pages = self._state.log.pages
        ended = pages if self._state.log.present is None else pages[:-1]
        return [page for page in ended if page.last_generation <= visible]

    def _use_of(self, page: RecordPage, horizon: int, thorough: bool, *, is_oldest: bool) -> _Use | None:
        """Return what a compaction would keep of a segment; None if it must stay as it is."""
        segment = page.segment
        is_behind = page.last_generation <= horizon
        is_wanted = is_behind or (thorough and page.first_generation <= horizon)
        if segment.format == 1 or segment.epoch in self.left or not is_wanted:
            return None
        observed, deleted = page.counts
        columns = self._state.attributes.columns
        kept_count = columns.alive_count(page.first_generation, page.last_generation, horizon) if observed else 0
        kept_count += 0 if is_oldest and is_behind else deleted
        # The progress of sessions is kept, whatever becomes of their rows.
        fixed = sum(record.nbytes for record in page.progress)
        kept = fixed + round((segment.end - segment.begin - fixed) * kept_count / max(observed + deleted, 1))
        share = _FREED_SHARE_THOROUGH if thorough else _FREED_SHARE
        return _Use(kept, segment.file.size - kept > share * segment.file.size + _OVERHEAD, kept < _SMALL_BYTES)


class _Use(NamedTuple):
    """What a compaction would keep of a segment.

    Parameters
    ----------
    kept
        About how many bytes are kept.
    is_due
        Whether enough would become free.
    is_small
        Whether so little is kept that the segment is better joined with its neighbours.
    """

    kept: int
    is_due: bool
    is_small: bool
