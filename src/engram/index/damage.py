"""Handling of damaged vectors and checkpoints in a search."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.errors import CorruptData

_NAMED_MAX: Final = 10


def report(found: NDArray[np.int64] | None, damaged: list[int] | None) -> None:
    """Append the generations that a search left out as damaged to `damaged`.

    Parameters
    ----------
    found
        int64, shape ``(n,)``: the generations; None if nothing was left out.
    damaged
        The caller's list; None if the caller does not accept an incomplete result.

    Raises
    ------
    CorruptData
        If something was left out and `damaged` is None.
    """
    if found is None:
        return
    generations = found.tolist()
    if damaged is not None:
        damaged.extend(generations)
        return
    named = ", ".join(map(str, generations[:_NAMED_MAX]))
    more = f" and {len(generations) - _NAMED_MAX} more" if len(generations) > _NAMED_MAX else ""
    raise CorruptData(
        f"the vectors of generations {named}{more} do not match their checksums; "
        "pass a list as `damaged` to go on without them",
        field="vector",
        value=named,
    )


def joined(found: NDArray[np.int64] | None, others: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return what a search has left out together with `others` that it had to leave out; None for nothing."""
    if others is None or not len(others):
        return found
    return others if found is None else np.union1d(found, others)


def check_lacks_nothing(unreadable_count: int) -> None:
    """Refuse to save an index that lacks versions: whoever loads it would not know that there are any.

    Raises
    ------
    CorruptData
        If there are versions whose vectors could not be read.
    """
    if unreadable_count:
        raise CorruptData(
            f"the vectors of {unreadable_count} versions could not be read, which a checkpoint would not tell; build "
            "the index anew when they can be",
            field="vector",
            value=unreadable_count,
        )


def corrupt_checkpoint(error: _core.CorruptCheckpoint, name: str = "") -> CorruptData:
    """Return the typed error for a checkpoint that is damaged or became unreadable after it was loaded."""
    return CorruptData(str(error), code="corrupt_checkpoint", field="path", value=name)
