"""The rows of a log that are to be erased: found by digests of their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.log.identity import Identity
from engram.log.records.record import Record
from engram.log.records.record_table import RecordPage

_DIGEST_BYTES: Final = 16


class ErasedRows(NamedTuple):
    """The rows of a record that are to be erased.

    Parameters
    ----------
    rows
        bool, shape ``(count,)``: which rows of the record these are.
    generations
        int64, shape ``(n,)``: their generations.
    digests
        The digest of the id of each.
    """

    rows: NDArray[np.bool_]
    generations: NDArray[np.int64]
    digests: Sequence[str]


class WantedRows:
    """Finds what is to be erased of a space. One thread may use it.

    Parameters
    ----------
    identity
        Identity of the space.
    erasing
        Digests of the ids, each with the generation up to which it is erased; at least one.
    pace
        Is told of the bytes of each record that is looked at. It may wait, and raise to stop.
    """

    def __init__(self, identity: Identity, erasing: Mapping[str, int], pace: Callable[[int], None]) -> None:
        self._identity = identity
        self._erasing = erasing
        self._pace = pace
        self._last = max(erasing.values())

    def of(self, page: RecordPage) -> dict[Record, ErasedRows]:
        """Return the rows of a page that are to be erased, by record, for each record that has any.

        Raises
        ------
        CorruptData
            If ids cannot be read.
        """
        if page.first_generation > self._last:
            return {}
        found = [(record, self._of_record(record)) for record in list(page.records)]
        return {record: erased for record, erased in found if erased.digests}

    def _of_record(self, record: Record) -> ErasedRows:
        self._pace(record.nbytes)
        digests = digests_of(self._identity, record.ids())
        until = [self._erasing.get(digest, 0) for digest in digests]
        generations = record.generations
        rows = generations <= np.array(until, dtype=np.int64)
        return ErasedRows(rows, generations[rows], [digests[row] for row in np.flatnonzero(rows).tolist()])


def digests_of(identity: Identity, ids: Iterable[str]) -> list[str]:
    """Return what stands for ids in a receipt: keyed digests, by which nobody can look for an id elsewhere."""
    keyed = blake2b(digest_size=_DIGEST_BYTES, key=bytes.fromhex(identity.space))
    digests = []
    for id in ids:
        digest = keyed.copy()
        digest.update(id.encode("utf-8", "surrogatepass"))
        digests.append(digest.hexdigest())
    return digests
