"""What scans and look-ups of many ids return."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engram.model.hit import HIT_TITLES, Hit, Hits, hit_cells
from engram.showing import TABLE_ROWS_MAX, html_table, list_line, rows_of_so_many

_NOTHING: Final = ("", "", "", "no observation has this id", "", "")


class ScanPage(Hits):
    """One page of a scan: hits in the order of the scan.

    Attributes
    ----------
    generation
        Generation of the snapshot that the whole scan is from.
    incomplete
        Whether observations were left out because their stored bytes are damaged.
    cursor
        A text by which the next page is asked for; empty for the last page.
    due_us
        What was due at this time is not in the scan, microseconds since 1970 UTC; 0 if the generation alone counts, or
        if this is not known, as to a client.
    """

    def __init__(
        self,
        hits: Iterable[Hit] = (),
        generation: int = 0,
        incomplete: bool = False,
        cursor: str = "",
        due_us: int = 0,
    ) -> None:
        super().__init__(hits, generation, incomplete)
        self.cursor = cursor
        self.due_us = due_us


class FoundHits(list[Hit | None]):
    """What many ids were found to be, in the order of the ids; None for an id that no observation had.

    Attributes
    ----------
    generation
        Generation as of which all were looked up.
    """

    def __init__(self, hits: Iterable[Hit | None] = (), generation: int = 0) -> None:
        super().__init__(hits)
        self.generation = generation

    def __repr__(self) -> str:
        return list_line("FoundHits", self, f"generation={self.generation}")

    def _repr_html_(self) -> str:
        """Return the first hits as a table, which notebooks show; a row for each id, also where nothing was found."""
        rows = (_NOTHING if hit is None else hit_cells(hit) for hit in self[:TABLE_ROWS_MAX])
        return html_table(HIT_TITLES, rows, rows_of_so_many(len(self), "id", self.generation))
