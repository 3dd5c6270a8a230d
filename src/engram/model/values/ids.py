"""The ids of a call: one check for every home and every server, and ids that are made up where none are given."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import numpy as np

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.values.scalars import shown
from engram.model.values.sequences import as_texts

# An id that is made up is a UUID of version 7 (RFC 9562): the milliseconds since 1970, a count, and a random number.
_COUNT_BITS: Final = 42
_LOW_COUNT_BITS: Final = 30
_RANDOM_BITS: Final = 32
_VERSION: Final = 0x7000
_VARIANT: Final = 1 << 63
# The text of a UUID has its digits at these places, and hyphens at the others.
_TEXT_LENGTH: Final = 36
_DIGIT_PLACES: Final = [place for place in range(_TEXT_LENGTH) if place not in (8, 13, 18, 23)]


def as_ids(ids: Iterable[str]) -> list[str]:
    """Return `ids`, as a caller passes them, as a list of any number of texts.

    Raises
    ------
    InvalidInput
        As `as_texts`.
    """
    return as_texts("ids", ids, '["note-1"]')


def check_id_count(ids: Sequence[str]) -> None:
    """Raise `InvalidInput` (code ``batch_count``) if there are more ids than one request has: `BATCH_COUNT_MAX`."""
    if len(ids) > BATCH_COUNT_MAX:
        raise InvalidInput(
            f"{len(ids)} ids at once are refused",
            code="batch_count",
            field="ids",
            limit=f"0..{BATCH_COUNT_MAX}",
            value=len(ids),
        )


def check_distinct_ids(ids: Sequence[str]) -> None:
    """Raise `InvalidInput` (code ``duplicate_id``), naming the row, if one of `ids`, which are texts, occurs twice."""
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    for row, id in enumerate(ids):
        if id in seen:
            named = shown(id, with_type=False)
            raise InvalidInput(
                f"id {named} occurs twice, and only one of the two can hold; name each id once",
                code="duplicate_id",
                field=f"ids[{row}]",
                limit="once",
                value=named,
            )
        seen.add(id)


def made_id() -> str:
    """Return an id for an observation without one: a UUID of version 7 as a text.

    It comes after all ids that this process has made before, as a text and as a number, also if the clock is set back.
    """
    time_ms, count = _counts.take(1)
    high = time_ms << 16 | _VERSION | count >> _LOW_COUNT_BITS
    low = _VARIANT | (count & (1 << _LOW_COUNT_BITS) - 1) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return str(UUID(int=high << 64 | low))


def made_ids(count: int) -> tuple[str, ...]:
    """Return `count` ids as `made_id` does, in rising order, without a call for each."""
    if not count:
        return ()
    time_ms, first = _counts.take(count)
    counts = np.arange(first, first + count, dtype=np.uint64)
    low_counts = counts & np.uint64((1 << _LOW_COUNT_BITS) - 1)
    randoms = np.frombuffer(os.urandom(4 * count), np.uint32).astype(np.uint64)
    words = np.empty((count, 2), ">u8")
    words[:, 0] = np.uint64(time_ms << 16 | _VERSION) | counts >> np.uint64(_LOW_COUNT_BITS)
    words[:, 1] = np.uint64(_VARIANT) | low_counts << np.uint64(_RANDOM_BITS) | randoms
    digits = np.frombuffer(words.tobytes().hex().encode(), np.uint8).reshape(count, len(_DIGIT_PLACES))
    texts = np.full((count, _TEXT_LENGTH), ord("-"), np.uint8)
    texts[:, _DIGIT_PLACES] = digits
    return tuple(texts.view(f"S{_TEXT_LENGTH}").ravel().astype(np.str_).tolist())


class _Counts:
    """Gives each id that is made up a millisecond and a count, which rise together from id to id."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what was given, as in a forked child, where another thread may have held the lock."""
        self._guard = threading.Lock()
        self._time_ms = 0
        self._next = 0

    def take(self, count: int) -> tuple[int, int]:
        """Return the millisecond of `count` ids, and the count of the first of them."""
        with self._guard:
            time_ms = time.time_ns() // 1_000_000
            if time_ms > self._time_ms or self._next + count > 1 << _COUNT_BITS:
                self._time_ms = max(time_ms, self._time_ms + 1)
                # It begins anywhere in the lower half, so that two processes hardly ever count alike, and has room.
                self._next = secrets.randbits(_COUNT_BITS - 1)
            first = self._next
            self._next += count
            return self._time_ms, first


_counts: Final = _Counts()
os.register_at_fork(after_in_child=_counts.begin)
