"""Where an integration keeps what it is given: a space of a store, which is the caller's or its own."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

from engram.connection import AnyStore, connect

if TYPE_CHECKING:
    from engram.client import Client
    from engram.store import Space

AnySpace: TypeAlias = "Space | Client"
"""A space, wherever its store is."""

Target: TypeAlias = "AnyStore | str | os.PathLike[str] | None"
"""A store, the address of a server, the path of a data directory, or None for a store in memory."""


class StoreHolder:
    """What uses a store, and closes it if it has opened it; a base class of vector stores and document stores.

    Parameters
    ----------
    target
        A store of `engram.connect`, which stays the caller's to close; or what `engram.connect` takes, such as the path
        of a directory or the address of a server: then `close` closes it. None: a store in memory.

    Raises
    ------
    EngramError
        What `engram.connect` raises for the target.
    """

    def __init__(self, target: Target) -> None:
        self._is_own = target is None or isinstance(target, str | os.PathLike)
        self._store: AnyStore = connect(target) if self._is_own else target  # type: ignore[arg-type, assignment]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, if it was opened here. A second call does nothing."""
        if self._is_own:
            self._store.close()
