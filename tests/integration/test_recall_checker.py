"""Every answer under concurrent writing is what follows from the acknowledgements; see `recall_checker`."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.recall_checker import Checker, check

# The campaign takes some minutes; ENGRAM_CAMPAIGN_RECALLS makes it shorter or longer.
CAMPAIGN_RECALLS = int(os.environ.get("ENGRAM_CAMPAIGN_RECALLS", "100000"))


async def test_recalls_are_what_the_acknowledgements_say(stub: Any, space: str) -> None:
    checker = Checker(stub, space, seed=1)
    await checker.run(recalls=600)
    assert len(checker.history.recalled) >= 600
    check(checker.history)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
async def test_many_recalls_are_what_the_acknowledgements_say(stub: Any, space: str) -> None:
    checker = Checker(stub, space, seed=2)
    await checker.run(recalls=CAMPAIGN_RECALLS)
    check(checker.history)
    history = checker.history
    hits = sum(len(recalled.hits) for recalled in history.recalled)
    print(
        f"{len(history.recalled)} recalls with {hits} hits beside {len(history.written)} changes: all as acknowledged"
    )


async def test_the_checker_notices(stub: Any, space: str) -> None:
    """Each kind of fault, put into a history that was right, is found."""
    checker = Checker(stub, space, seed=3)
    await checker.run(recalls=60)
    check(checker.history)
    recalled = checker.history.recalled
    at = next(i for i, one in enumerate(recalled) if len(one.hits) > 5 and one.count_max == 1000)
    right = recalled[at]
    (snapshot,) = right.snapshots
    dead = (1, checker.history.written[0].id, 0.0)
    for wrong in (
        replace(right, hits=right.hits[1:]),
        replace(right, hits=[*right.hits[:-1], dead]),
        replace(right, hits=[*right.hits[:-1], right.hits[0]]),
        replace(right, hits=[(g, id, score + 0.1) for g, id, score in right.hits]),
        replace(right, snapshots=frozenset({snapshot, snapshot - 1})),
        replace(right, acked_before=snapshot + 1),
        replace(right, count_max=3, hits=right.hits[-3:]),
    ):
        recalled[at] = wrong
        with pytest.raises(AssertionError):
            check(checker.history)
    recalled[at] = right
    checker.history.followed[0].pop(0)
    with pytest.raises(AssertionError):
        check(checker.history)
