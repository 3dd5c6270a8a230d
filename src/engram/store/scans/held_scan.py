"""The pages of a scan in the process of its space, which hold their snapshot by reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engram.model.operations.scans import ReadPage
from engram.model.scans.page import ScanPage

if TYPE_CHECKING:
    from engram.store.recall.snapshot import Snapshot
    from engram.store.recall.space_recalls import SpaceRecalls


class HeldScan:
    """Reads the pages of one scan; what its snapshot sees is retained while this is referenced.

    Parameters
    ----------
    space
        The space.
    """

    def __init__(self, space: SpaceRecalls) -> None:
        self._space = space
        self._held: Snapshot | None = None

    def __call__(self, request: ReadPage) -> ScanPage:
        """Return one page."""
        if self._held is None:
            self._held = self._space.leased(request)
        else:
            # The cursor of each page is good for as long, also if this is dropped.
            self._space.renew(self._held)
        return self._space.page(request, self._held.generation)
