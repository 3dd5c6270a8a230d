"""Which observations pass a filter at a generation, and in which order; computed once for all pages of a scan."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.log.log import Log
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.scans.cursor import scan_digest
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.selection import select
from engram.store.scans.runs import IDS, TIMES, ids_of, readable, runs_of

KEPT_BYTES_MAX: Final = 64 << 20
"""Bytes of rows that are kept for a space, beside those of the scan that was last."""
KEPT_S: Final = 60.0
"""Seconds for which they are kept after their last use."""
# So many bytes of an id are compared by NumPy, which lets other threads run meanwhile.
_PREFIX_BYTES: Final = 48


def select_alive(
    attributes: MetadataIndex, filter: Filter | Condition, generation: int, due_us: int = 0
) -> NDArray[np.int64]:
    """Return the observations that are alive at `generation` and pass `filter`: int64, shape ``(n,)``, ascending.

    What is due at `due_us` is hidden; 0: nothing is.
    """
    if generation == 0:
        return np.empty(0, dtype=np.int64)
    hidden = attributes.due(due_us, generation, generation)
    return select(attributes, filter, 1, generation, alive_at=generation, hidden=hidden)


def by_time(log: Log, generations: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `generations`, which must ascend, in the order of times, and of generations where these are equal.

    Raises
    ------
    CorruptData
        If the times cannot be read.
    """
    times = [rows.numbers("times_us") for rows in runs_of(log, generations)]
    if not times:
        return generations
    return generations[np.argsort(np.concatenate(times), kind="stable")]


def by_id(log: Log, generations: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `generations`, which must ascend, in the order of their ids, by code points.

    Raises
    ------
    CorruptData
        If the ids cannot be read.
    """
    ids = ids_of(log, generations)
    if not ids:
        return generations
    # The order of code points is that of the bytes in UTF-8.
    prefixes = np.array([id.encode()[:_PREFIX_BYTES] for id in ids], dtype=f"S{_PREFIX_BYTES}")
    order = np.argsort(prefixes, kind="stable")
    _settle_ties(order, prefixes[order], ids)
    return generations[order]


def _settle_ties(order: NDArray[np.int64], prefixes: NDArray[np.bytes_], ids: list[str]) -> None:
    """Put in order what begins alike, and what differs only by zeros at its end, which NumPy does not see."""
    ties = np.flatnonzero(prefixes[1:] == prefixes[:-1])
    if not len(ties):
        return
    # Neighbouring ties are one run, which has one more row than ties.
    breaks = np.flatnonzero(np.diff(ties) > 1)
    firsts, lasts = ties[np.concatenate(([0], breaks + 1))], ties[np.concatenate((breaks, [len(ties) - 1]))] + 1
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        run = slice(first, last + 1)
        order[run] = sorted(order[run].tolist(), key=ids.__getitem__)


class RowsInOrder(NamedTuple):
    """The rows of a scan.

    Parameters
    ----------
    rows
        Generations, in the order of the scan: int64, shape ``(n,)``.
    incomplete
        Whether some are left out, because what the order goes by cannot be read.
    """

    rows: NDArray[np.int64]
    incomplete: bool = False


# The generation, the digest of filter and order, whether damaged rows are left out, the number of erasures before, and
# the time at which what is due is hidden.
_Key = tuple[int, str, bool, int, int]


class _Kept(NamedTuple):
    found: RowsInOrder
    used_s: float


class OrderedRows:
    """The rows of scans in their orders, of which those that were used lately are kept. Any thread may use it.

    Parameters
    ----------
    attributes, log
        What the filter is applied to, and where times and ids are read.
    clock
        Returns seconds that never go back.
    """

    def __init__(self, attributes: MetadataIndex, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._attributes = attributes
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    def rows(self, filter: Filter | Condition, generation: int, due_us: int = 0) -> NDArray[np.int64]:
        """Return the generations that pass `filter` at `generation`: int64, shape ``(n,)``, ascending."""
        return self.in_order(filter, "generation", generation, due_us=due_us).rows

    def in_order(
        self, filter: Filter | Condition, order: str, generation: int, *, skip_damaged: bool = False, due_us: int = 0
    ) -> RowsInOrder:
        """Return the generations that pass `filter` at `generation` in an order.

        Parameters
        ----------
        filter, order, generation
            What is scanned.
        skip_damaged
            Whether to leave out those of which what the order goes by cannot be read.
        due_us
            What is due at this time is hidden; 0: nothing is.

        Raises
        ------
        CorruptData
            If what the order goes by cannot be read.
        """
        is_skipped = skip_damaged and order != "generation"
        key = generation, scan_digest(filter, order, reverse=False), is_skipped, self._attributes.erasures, due_us
        found = self._known(key)
        if found is None and due_us and not len(self._attributes.due(due_us, generation, generation)):
            # So that all who ask at different times share the rows.
            due_us = 0
            key = (*key[:-1], due_us)
            found = self._known(key)
        if found is None:
            found = self._ordered(filter, order, generation, skip_damaged, due_us)
        self._keep(key, found)
        return found

    def expire(self) -> None:
        """Let go of what was not used for a minute."""
        before_s = self._clock() - KEPT_S
        with self._lock:
            for key in [key for key, kept in self._kept.items() if kept.used_s <= before_s]:
                del self._kept[key]

    def _known(self, key: _Key) -> RowsInOrder | None:
        with self._lock:
            kept = self._kept.get(key)
        return None if kept is None else kept.found

    def _ordered(
        self, filter: Filter | Condition, order: str, generation: int, skip_damaged: bool, due_us: int
    ) -> RowsInOrder:
        rows = select_alive(self._attributes, filter, generation, due_us)
        incomplete = False
        if order != "generation":
            sort, column = (by_time, TIMES) if order == "time" else (by_id, IDS)
            try:
                rows = sort(self._log, rows)
            except CorruptData:
                if not skip_damaged:
                    raise
                rows, incomplete = sort(self._log, readable(self._log, rows, column)), True
        rows.flags.writeable = False
        return RowsInOrder(rows, incomplete)

    def _keep(self, key: _Key, found: RowsInOrder) -> None:
        now_s = self._clock()
        with self._lock:
            self._kept[key] = _Kept(found, now_s)
            self._kept.move_to_end(key)
            nbytes = sum(kept.found.rows.nbytes for kept in self._kept.values())
            # The scan that is under way keeps its rows, however many there are.
            while len(self._kept) > 1:
                oldest = next(iter(self._kept.values()))
                if nbytes <= KEPT_BYTES_MAX and oldest.used_s > now_s - KEPT_S:
                    return
                nbytes -= oldest.found.rows.nbytes
                self._kept.popitem(last=False)
