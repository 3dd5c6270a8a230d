"""Both sides run a program; what they answer is compared step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from campaigns.chroma.chroma_side import ChromaSide
from campaigns.chroma.engram_side import EngramSide
from campaigns.chroma.program import IDS, Step

# Both compute cosines with float32.
_TOLERANCE = 1e-5


class Comparison:
    """Runs programs and counts the answers that were compared.

    Parameters
    ----------
    make_side
        Makes what is compared with Chroma.
    """

    def __init__(self, make_side: Callable[[], EngramSide] = EngramSide) -> None:
        self._make_side = make_side
        self.answers = 0
        self.rows = 0

    def difference(self, steps: Sequence[Step]) -> str | None:
        """Return what differs first when both run `steps`; None if nothing does."""
        ours, theirs = self._make_side(), ChromaSide()
        try:
            for number, step in enumerate([*steps, {"kind": "get", "ids": IDS}, {"kind": "names"}]):
                found, expected = (getattr(side, step["kind"])(step) for side in (ours, theirs))
                are_equal = _are_near(found, expected) if step["kind"] == "query" else found == expected
                if not are_equal:
                    return f"step {number}: {step}\n  Engram: {found}\n  Chroma: {expected}"
                self.answers += expected is not None
                self.rows += len(expected) if isinstance(expected, list) else 0
        finally:
            ours.close()
        return None


def _are_near(found: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Return whether two answers are of the same ids with the same distances, and ours has the nearest first."""
    if any(near > far + _TOLERANCE for (_, near), (_, far) in pairwise(found)):
        return False
    ours, theirs = sorted(found), sorted(expected)
    return [id for id, _ in ours] == [id for id, _ in theirs] and all(
        abs(mine - other) <= _TOLERANCE for (_, mine), (_, other) in zip(ours, theirs, strict=True)
    )
