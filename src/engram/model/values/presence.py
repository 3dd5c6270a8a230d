"""Presence: which rows have a vector, or a text, where some have none.

In memory it is an array of truth values, and None where every row has one, which is the common case and costs nothing.
In the log and in messages it is a bit for each row, the lowest bit of a byte first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.values.sequences import check_array, wrong_length

Presence = NDArray[np.bool_]
"""bool, shape ``(n,)``: which rows have one."""


def unless_all(presence: Presence | None) -> Presence | None:
    """Return `presence`, or None if every row has one."""
    return None if presence is None or presence.all() else presence


def given_rows(rows: Sequence[object]) -> Presence | None:
    """Return which rows are not None; None if no row is."""
    return unless_all(np.fromiter((row is not None for row in rows), np.bool_, len(rows)))


def has_none(texts: Sequence[object]) -> bool:
    """Return whether one of `texts` is None."""
    try:
        # What is not empty is not None either, and is told several times as fast.
        return not all(texts) and None in texts
    except (TypeError, ValueError):
        # Something is no text, and neither true nor false; the checks of the column name it.
        return any(text is None for text in texts)


def check_presence(name: str, presence: Presence | None, count: int) -> None:
    """Check that a presence is None, or has the type and the length that `count` observations need.

    Raises
    ------
    InvalidInput
        Naming the column.
    """
    if presence is not None:
        check_array(name, presence, np.bool_, 1)
        if len(presence) != count:
            raise wrong_length(name, len(presence), count)


def pack_presence(presence: Presence) -> NDArray[np.uint8]:
    """Return a bit for each row."""
    return np.packbits(presence, bitorder="little")


def unpack_presence(bits: NDArray[np.uint8], count: int) -> Presence:
    """Return what `pack_presence` was given, of `count` rows."""
    return np.unpackbits(bits, count=count, bitorder="little").view(np.bool_)


def read_presence(bits: bytes, count: int, field: str) -> Presence | None:
    """Return the presence that a message has as bits; None if it has none, or every row has one.

    Raises
    ------
    InvalidInput
        With code ``presence_size``, if these are not the bits of `count` rows.
    """
    if not bits:
        return None
    needed = presence_bytes(count)
    if len(bits) != needed:
        raise InvalidInput(
            f"{field} of {count} rows takes {needed} bytes; {len(bits)} came",
            code="presence_size",
            field=field,
            limit=needed,
            value=len(bits),
        )
    return unless_all(unpack_presence(np.frombuffer(bits, np.uint8), count))


def presence_bytes(count: int) -> int:
    """Return how many bytes the bits of `count` rows take."""
    return (count + 7) // 8


def spread(vectors: NDArray[np.float32], presence: Presence | None) -> NDArray[np.float32]:
    """Return a row for each observation, of zeros where it has no vector; of shape ``(n, 0)`` if none has one.

    Parameters
    ----------
    vectors
        float32, shape ``(m, dim)``: the vectors of the rows that have one.
    presence
        Which rows these are; None: all.
    """
    if presence is None:
        return vectors
    if not len(vectors):
        return np.empty((len(presence), 0), np.float32)
    rows = np.zeros((len(presence), vectors.shape[1]), np.float32)
    rows[presence] = vectors
    return rows


def gathered(vectors: NDArray[np.float32], presence: Presence | None) -> NDArray[np.float32]:
    """Return the vectors of the rows that have one, shape ``(m, dim)``: what `spread` was given."""
    return vectors if presence is None else vectors[presence]


def join_presence(parts: Sequence[Presence | None], counts: Sequence[int]) -> Presence | None:
    """Return the presence of all rows of some batches, in order; None if every row has one."""
    if all(part is None for part in parts):
        return None
    return np.concatenate(
        [np.ones(count, np.bool_) if part is None else part for part, count in zip(parts, counts, strict=True)]
    )
