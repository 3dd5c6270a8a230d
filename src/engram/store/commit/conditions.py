"""Conditions of a write: what is said if the live versions of the ids are others than the writer expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engram.errors import FailedPrecondition
from engram.model.values.scalars import shown

CONDITION_FAILED: Final = "condition_failed"
"""Code of the error that the live version of an id is another one than was expected. Nothing was stored."""


def unmet_condition(
    ids: Sequence[str], expected_generations: Sequence[int], found: Sequence[int]
) -> FailedPrecondition | None:
    """Return the error for a write whose conditions do not all hold; None if they do.

    Parameters
    ----------
    ids
        The ids.
    expected_generations
        The generation that the live version of each id must have; 0 for an id that must not be alive.
    found
        The generation that it has; 0 for an id that is not alive.
    """
    failed = [row for row, pair in enumerate(zip(expected_generations, found, strict=True)) if pair[0] != pair[1]]
    if not failed:
        return None
    row = failed[0]
    expected, alive = expected_generations[row], found[row]
    has = f"has generation {alive}" if alive else "is not alive"
    wanted = f"generation {expected} was expected" if expected else "it must not be alive"
    return FailedPrecondition(
        f"{len(failed)} of {len(ids)} conditions do not hold, and nothing is stored: id "
        f"{shown(ids[row], with_type=False)} {has}, and {wanted}",
        code=CONDITION_FAILED,
        field=f"expected_generations[{row}]",
        limit=expected,
        value=alive,
    )
