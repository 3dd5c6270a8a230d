"""The pages of a scan in the process of its space, which hold their snapshot by reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engram.model.operations.scans import ReadPage
from engram.model.scans.page import ScanPage

if TYPE_CHECKING:
    from engram.store.recall.snapshot import Snapshot
    from engram.store.recall.space_recalls import SpaceRecalls
    from engram.store.resting.space_access import SpaceAccess


class HeldScan:
    """Reads the pages of one scan; what its snapshot sees is retained while this is referenced.

    From the first page on, the space does not come to rest as long.

    Parameters
    ----------
    access
        The way to the space, which may rest until the first page is read.
    """

    def __init__(self, access: SpaceAccess) -> None:
        self._access = access
        self._held: tuple[SpaceRecalls, Snapshot] | None = None

    def __call__(self, request: ReadPage) -> ScanPage:
        """Return one page."""
        if self._held is None:
            with self._access.held() as opened:
                self._held = opened, opened.leased(request)
        else:
            # The cursor of each page is good for as long, also if this is dropped.
            self._held[0].renew(self._held[1])
        space, snapshot = self._held
        return space.page(request, snapshot.generation)
