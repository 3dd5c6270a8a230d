"""The keyword arguments of scans and of facets, which are the same in every home."""

from __future__ import annotations

from typing import Final, Literal, TypedDict, get_args

Order = Literal["generation", "time", "id"]
ORDERS: Final[tuple[str, ...]] = get_args(Order)
"""The orders of a scan: as it was stored, by the time of the observation, and by id."""

PAGE_SIZE_DEFAULT: Final = 1000
FACET_VALUES_DEFAULT: Final = 100
KEYS: Final = "keys"
"""The facet whose values are the keys of the metadata, at their top level."""
FACET_FIELDS: Final = ("tags", "time_us", "confidence", "importance", KEYS)
"""What has facets beside the values under the keys of the metadata; all but the last are attributes of `Hit`."""


class SnapshotScanOptions(TypedDict, total=False):
    """The keyword arguments of ``scan`` of a snapshot.

    Parameters
    ----------
    order
        ``"generation"``, which is the order in which observations were stored and the default; ``"time"`` of the
        observations, the older ones first; or ``"id"``, by the code points of the ids. What is equal by time is in the
        order of generations.
    reverse
        Whether to go the other way.
    page_size
        Observations that are read at once, 1 to 10 000; 1 000 by default. It changes the cost, and never the result.
    cursor
        Go on behind the page that had this cursor (`ScanPage.cursor`). The filter, `order` and `reverse` must be those
        of its scan; the snapshot is that of its scan.
    include_vectors
        Whether the hits have their vectors. The hits of an embedded store always have them, and read them on access.
    skip_damaged
        Whether to leave out observations whose stored bytes are damaged, instead of raising. The page is then marked as
        ``incomplete``.
    """

    order: Order | None
    reverse: bool
    page_size: int | None
    cursor: str | None
    include_vectors: bool
    skip_damaged: bool


class ScanOptions(SnapshotScanOptions, total=False):
    """The keyword arguments of ``scan``: those of `SnapshotScanOptions` and this.

    Parameters
    ----------
    max_generation
        Scan what was alive at this generation; None: what is alive when the first page is asked for.
    """

    max_generation: int | None
