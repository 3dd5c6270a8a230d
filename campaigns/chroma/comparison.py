"""Both sides run a program; what they answer is compared step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
            for number, step in enumerate([*steps, {"kind": "get", "ids": IDS}]):
                found, expected = _run(ours, step), _run(theirs, step)
                if not _are_equal(found, expected):
                    return f"step {number}: {step}\n  Engram: {found}\n  Chroma: {expected}"
                self.answers += expected is not None
                self.rows += len(expected) if isinstance(expected, list) else 0
        finally:
            ours.close()
        return None


def _run(side: EngramSide | ChromaSide, step: Step) -> Any:
    kind = step["kind"]
    if kind in ("upsert", "add", "update"):
        return getattr(side, kind)(step)
    if kind in ("delete", "get"):
        return getattr(side, kind)(step["ids"])
    if kind in ("delete_where", "get_where"):
        return getattr(side, kind)(step["where"])
    if kind == "query":
        return side.query(step["vector"], step["where"])
    return side.count() if kind == "count" else side.create()


def _are_equal(found: Any, expected: Any) -> bool:
    if not (isinstance(expected, list) and expected and len(expected[0]) == 2):
        return bool(found == expected)
    return [id for id, _ in found] == [id for id, _ in expected] and all(
        abs(ours - theirs) <= _TOLERANCE for (_, ours), (_, theirs) in zip(found, expected, strict=True)
    )
