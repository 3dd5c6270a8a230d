"""What filters ask the log and the table of versions for, because the index in memory does not have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.log.log import Log
from engram.log.records.header import RecordKind
from engram.store.commit.live_versions import LiveVersions
from engram.store.filters.texts import text_key

# A text that many observations have is looked for in so many of them before it is given up as damaged.
_READS_MAX: Final = 4


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
        while first <= last:
            record, row = self._log.locate(first)
            if record.kind is RecordKind.OBSERVE:
                end = min(record.count, row + last - first + 1)
                stored = record.ids()[row:end]
                found.extend(first + place for place, id in enumerate(stored) if id in wanted)
            first = record.last_generation + 1
        return np.array(found, dtype=np.int64)

    def text(self, path: tuple[str, ...], digest: bytes, generations: NDArray[np.int64]) -> str:
        """Return the text with this digest that observations have under `path`, by itself or in a list.

        Parameters
        ----------
        path
            The keys that lead to it.
        digest
            The digest.
        generations
            The observations that have it, at least one: int64, ascending. It is read from one that is not damaged.

        Raises
        ------
        CorruptData
            If the metadata of the newest few are damaged.
        """
        newest = generations[: -_READS_MAX - 1 : -1].tolist()
        for generation in newest[:-1]:
            try:
                return self._text(path, digest, generation)
            except CorruptData:
                continue
        return self._text(path, digest, newest[-1])

    def _text(self, path: tuple[str, ...], digest: bytes, generation: int) -> str:
        record, row = self._log.locate(generation)
        value: Any = record.metadata(row)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        texts = value if isinstance(value, list) else [value]
        return next(text for text in texts if isinstance(text, str) and text_key(text) == digest)
