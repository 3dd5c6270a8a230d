"""The list of spaces while a store is open: what it says now, and the one way to change it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engram.log.files.checked_json import Encoded
from engram.log.files.storage import Storage
from engram.store.naming.space_list import Listed, ListedSpaces, write_list


class SpaceRegister:
    """The list of spaces of one data directory. Any thread may use it; reading takes no lock.

    The lock covers the write of a small file, so that no writer overwrites another's changes. Only callers that create,
    drop or rename a space, change an alias, or record reached generations take it.

    Parameters
    ----------
    storage
        The data directory.
    content
        What its list says.

    Attributes
    ----------
    content
        What the list says now.
    """

    def __init__(self, storage: Storage, content: ListedSpaces) -> None:
        self.content: ListedSpaces = content
        self._storage = storage
        self._guard = threading.Lock()
        # What the list has of each space, encoded: it is written whenever a space is made, and may be long.
        self._encoded: dict[str, tuple[Listed, Encoded]] = {}

    def change(self, change: Callable[[ListedSpaces], ListedSpaces]) -> None:
        """Replace the list by what `change` makes of it, durably. A list that stays the same is not written.

        Parameters
        ----------
        change
            Called while nobody else changes the list. If it raises, or the list cannot be written, nothing has changed.

        Raises
        ------
        OSError
            If the list cannot be written.
        """
        with self._guard:
            content = change(self.content)
            if content != self.content:
                write_list(self._storage, content, self._encoded)
                self.content = content
