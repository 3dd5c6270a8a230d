"""How many spaces may be open at the same time, and how many descriptors are for files at all."""

from __future__ import annotations

import resource
from typing import Final

from engram.errors import OverCapacity
from engram.log.files.storage import Storage
from engram.store.options import StoreOptions

KEPT_MIN: Final = 256
"""Descriptors that are for the files of the store and the process itself, if the process may have twice that."""

# A space has up to three files open. The other two fifths are for files that are opened for a moment, for connections
# that are to be told that there are too many, and for the process.
_KEPT_PER_SPACE: Final = 5
_LEAST: Final = 4
_RETRY_AFTER_MS: Final = 1000


def files_kept(descriptors: int) -> int:
    """Return how many of the `descriptors` that a process may have are for files; connections may have the others."""
    return min(max(KEPT_MIN, descriptors // 4), descriptors // 2)


def spaces_within(descriptors: int) -> int:
    """Return how many spaces may be open in a process that may have so many `descriptors`."""
    return max(_LEAST, files_kept(descriptors) // _KEPT_PER_SPACE)


def open_spaces_max(storage: Storage, options: StoreOptions) -> int | None:
    """Return how many spaces of a store may be open at the same time.

    Returns
    -------
    int or None
        `StoreOptions.open_spaces_max`, but at most as many as `spaces_within` the descriptors that the process may have
        now; None for a store in memory, which has no files and whose spaces never rest.
    """
    if storage.path is None:
        return None
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return options.open_spaces_max
    return min(options.open_spaces_max, spaces_within(descriptors))


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
