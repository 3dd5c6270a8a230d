"""What scans and look-ups of many ids return."""

from __future__ import annotations

from collections.abc import Iterable

from engram.model.hit import Hit, Hits


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
    """

    def __init__(
        self, hits: Iterable[Hit] = (), generation: int = 0, incomplete: bool = False, cursor: str = ""
    ) -> None:
        super().__init__(hits, generation, incomplete)
        self.cursor = cursor


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
