"""How many spaces may be open at the same time."""

from __future__ import annotations

import resource
from typing import Final

from engram.errors import OverCapacity
from engram.log.files.storage import Storage
from engram.store.options import StoreOptions

# A space has up to three files open, and one that is opened some more for a moment. Connections need descriptors, too.
_SHARE: Final = 8
_LEAST: Final = 4
_RETRY_AFTER_MS: Final = 1000


def open_spaces_max(storage: Storage, options: StoreOptions) -> int | None:
    """Return how many spaces of a store may be open at the same time.

    Returns
    -------
    int or None
        `StoreOptions.open_spaces_max`, but at most an eighth of the files that the process may have open now; None for
        a store in memory, which has no files and whose spaces never rest.
    """
    if storage.path is None:
        return None
    files_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files_max == resource.RLIM_INFINITY:
        return options.open_spaces_max
    return min(options.open_spaces_max, max(_LEAST, files_max // _SHARE))


def too_many_open(name: str, limit: int) -> OverCapacity:
    """Return the error that space `name` cannot be opened, because all of the `limit` open ones are in use."""
    return OverCapacity(
        f"{limit} spaces are open and in use; space {name} cannot be opened beside them",
        code="too_many_open_spaces",
        field="open_spaces_max",
        limit=limit,
        value=limit + 1,
        retry_after_ms=_RETRY_AFTER_MS,
    )
