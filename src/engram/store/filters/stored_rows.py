"""What filters ask the log and the table of versions for, because the index in memory does not have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import FailedPrecondition
from engram.log.log import Log
from engram.log.records.header import RecordKind
from engram.store.commit.live_versions import LiveVersions
from engram.store.filters.texts import text_key


class StoredRows:
    """Ids and long texts of the observations of a space. Any thread may use it.

    Parameters
    ----------
    log
        The log of the space.
    versions
        The live version of each id.
    """

    def __init__(self, log: Log, versions: LiveVersions) -> None:
        self._log = log
        self._versions = versions

    def versions_at(self, ids: Iterable[str], generation: int) -> NDArray[np.int64]:
        """Return the versions of `ids` that were alive at `generation`: int64, shape ``(n,)``, ascending."""
        found = (self._versions.at(id, generation, self._log) for id in set(ids))
        return np.array(sorted(one for one in found if one is not None), dtype=np.int64)

    def versions_within(self, ids: Iterable[str], first: int, last: int) -> NDArray[np.int64]:
        """Return the observations from `first` to `last` that have one of `ids`: int64, shape ``(n,)``, ascending.

        Raises
        ------
        CorruptData
            If an id that is needed is damaged.
        """
        wanted = set(ids)
        found: list[int] = []
        for record in self._log.records_from(first):
            if record.first_generation > last:
                break
            if record.kind is RecordKind.OBSERVE:
                begin, end = record.rows_until(first - 1), record.rows_until(last)
                stored = record.ids()[begin:end]
                found.extend(record.generation(row) for row, id in enumerate(stored, begin) if id in wanted)
        return np.array(found, dtype=np.int64)

    def text(self, path: tuple[str, ...], digest: bytes, generation: int) -> str | None:
        """Return the text with this digest that an observation has under `path`, by itself or in a list.

        None if the observation has been dropped, because no retained snapshot sees it.

        Raises
        ------
        CorruptData
            If the metadata are damaged.
        """
        try:
            record, row = self._log.locate(generation)
        except FailedPrecondition:
            return None
        value: Any = record.metadata(row)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        texts = value if isinstance(value, list) else [value]
        return next(text for text in texts if isinstance(text, str) and text_key(text) == digest)
