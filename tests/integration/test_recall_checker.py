"""Every answer under concurrent writing is what follows from the acknowledgements; see `recall_checker`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engram.log.segments.segment import LOG_DIRECTORY, segment_of
from tests.integration.compacting_server import make_space
from tests.integration.recall_checker import Checker, Refused, check
from tests.integration.server_process import ServerProcess, connect

# The campaign takes some minutes; ENGRAM_CAMPAIGN_RECALLS makes it shorter or longer.
CAMPAIGN_RECALLS = int(os.environ.get("ENGRAM_CAMPAIGN_RECALLS", "100000"))
LONG = [pytest.mark.campaign, pytest.mark.timeout(3 * 3600)]
SPACE = "compacted"
# More than leave the history together, so that something of it is retained at any time.
DEAD_COUNT = 300


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


@pytest.fixture
def compacting(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that compacts a space all the time, which retains little of its history."""
    make_space(tmp_path / "data", SPACE, DEAD_COUNT)
    running = ServerProcess(tmp_path / "data", program=("tests.integration.compacting_server",))
    yield running
    running.stop_soundly()


@pytest.mark.parametrize(
    ("seed", "recalls"), [pytest.param(4, 3000, id="short"), pytest.param(5, CAMPAIGN_RECALLS, marks=LONG, id="long")]
)
async def test_recalls_are_what_the_acknowledgements_say_while_the_log_is_compacted(
    compacting: ServerProcess, seed: int, recalls: int
) -> None:
    async with connect(compacting.address) as stub:
        checker = Checker(stub, SPACE, seed, DEAD_COUNT)
        await checker.run(recalls)
    history = checker.history
    check(history, DEAD_COUNT)
    assert len(history.recalled) + len(history.refused) >= recalls
    # It was compacted, and what was asked for was of both kinds.
    segments = [segment_of(path.name) for path in (compacting.data / "spaces" / SPACE / LOG_DIRECTORY).iterdir()]
    assert any(segment is not None and segment[1] for segment in segments)
    assert 0 < len(history.refused) < len(history.recalled)
    print(
        f"{len(history.recalled)} recalls beside {len(history.written)} changes and compactions: all as acknowledged; "
        f"{len(history.refused)} of what was no longer retained were refused"
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
    newest = len(checker.history.written)
    for refused in (
        Refused(generation=1, oldest=2, newest_max=newest),
        Refused(generation=2, oldest=2, newest_max=newest),
        Refused(generation=1, oldest=newest + 1, newest_max=newest),
    ):
        checker.history.refused = [refused]
        for dead_count in (None, newest):
            with pytest.raises(AssertionError):
                check(checker.history, dead_count)
    checker.history.refused = [Refused(generation=1, oldest=newest, newest_max=newest)]
    check(checker.history, dead_count=0)
    checker.history.refused = []
    checker.history.followed[0].pop(0)
    with pytest.raises(AssertionError):
        check(checker.history)
