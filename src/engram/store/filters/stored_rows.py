"""What filters ask the log and the table of versions for, because the index in memory does not have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData, FailedPrecondition, Unavailable
from engram.log.log import Log
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.store.commit.live_versions import LiveVersions
from engram.store.filters.texts import text_key

# A text that many observations have is looked for in so many of them before it is given up as damaged.
_READS_MAX: Final = 4
# So many ids are looked for one by one among those of a record; for more, these are listed.
_SOUGHT_ALONE_MAX: Final = 4


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

    def versions_at(
        self, ids: Iterable[str], generation: int, first: int, last: int, unclear: dict[int, CorruptData]
    ) -> NDArray[np.int64]:
        """Return the versions of `ids` from `first` to `last` that were alive at `generation`: int64, ascending.

        What is looked for in the log, because it changed since `generation`, is looked for together. It may come with
        versions outside of the range, or with some that had ended at `generation`, if `last` is before that or ids are
        damaged. `unclear` receives the observations of the range whose ids are needed and damaged.
        """
        found, wanted = self._versions.known_at(ids, generation)
        for record, rows in self._log.backwards(last):
            if not wanted or record.last_generation < first:
                break
            try:
                rows_of = _last_rows(record, rows, wanted)
            except CorruptData as error:
                _note(unclear, record, first, last, error)
                continue
            for id, row in rows_of.items():
                wanted.discard(id)
                if record.kind is RecordKind.OBSERVE:
                    found.append(record.generation(row))
        return np.array(sorted(found), dtype=np.int64)

    def rows_within(
        self, passes: Callable[[str], bool], first: int, last: int, unclear: dict[int, CorruptData]
    ) -> NDArray[np.int64]:
        """Return the observations from `first` to `last` whose ids pass a test: int64, shape ``(n,)``, ascending.

        Earlier ones of the same record may be among them. `unclear` receives those of the range whose ids are damaged.
        """
        found: list[int] = []
        for record, rows in self._log.backwards(last):
            if record.last_generation < first:
                break
            if record.kind is RecordKind.OBSERVE:
                try:
                    stored = record.ids()[:rows]
                except CorruptData as error:
                    _note(unclear, record, first, last, error)
                else:
                    found.extend(record.generation(row) for row, id in enumerate(stored) if passes(id))
        return np.array(sorted(found), dtype=np.int64)

    def text(self, path: tuple[str, ...], digest: bytes, generations: NDArray[np.int64]) -> str | None:
        """Return the text with this digest that observations have under `path`, by itself or in a list.

        None if all of them have been dropped, because no retained snapshot sees them.

        Parameters
        ----------
        path
            The keys that lead to it.
        digest
            The digest.
        generations
            The observations that have it: int64, ascending. It is read from one that is not damaged.

        Raises
        ------
        CorruptData
            If the metadata of the newest few are damaged.
        """
        damaged: list[CorruptData] = []
        for generation in reversed(generations):
            try:
                return self._text(path, digest, int(generation))
            except (FailedPrecondition, Unavailable):
                # It has been dropped or erased.
                continue
            except CorruptData as error:
                damaged.append(error)
                if len(damaged) == _READS_MAX:
                    break
        if damaged:
            raise damaged[-1]
        return None

    def _text(self, path: tuple[str, ...], digest: bytes, generation: int) -> str:
        record, row = self._log.locate(generation)
        value: Any = record.metadata(row)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        texts = value if isinstance(value, list) else [value]
        return next(text for text in texts if isinstance(text, str) and text_key(text) == digest)


def _note(unclear: dict[int, CorruptData], record: Record, first: int, last: int, error: CorruptData) -> None:
    if record.kind is RecordKind.OBSERVE:
        begin, end = record.rows_until(first - 1), record.rows_until(last)
        unclear |= dict.fromkeys(record.generations[begin:end].tolist(), error)


def _last_rows(record: Record, rows: int, wanted: set[str]) -> dict[str, int]:
    """Return the last of the first `rows` rows of a record that has an id, for each of `wanted` that occurs there."""
    if len(wanted) <= _SOUGHT_ALONE_MAX:
        return {id: row for id in wanted if (row := record.rfind(id, rows)) >= 0}
    return {id: row for row, id in enumerate(record.ids()[:rows]) if id in wanted}
