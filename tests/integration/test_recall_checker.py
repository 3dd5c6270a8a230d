"""Every answer under concurrent writing is what follows from the acknowledgements; see `recall_checker.checker`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from engram import RetentionPolicy
from tests.integration.compacting_process import compacting_server, is_compacted
from tests.integration.recall_checker.checker import checker_of
from tests.integration.recall_checker.checks import check
from tests.integration.recall_checker.history import History
from tests.integration.recall_checker.mix import Mix
from tests.integration.socket_client import SocketServer

# The campaigns take some minutes each; ENGRAM_CAMPAIGN_RECALLS makes them shorter or longer.
CAMPAIGN_RECALLS: Final = int(os.environ.get("ENGRAM_CAMPAIGN_RECALLS", "100000"))
LONG: Final = [pytest.mark.campaign, pytest.mark.timeout(3 * 3600)]
# More than leave the history together, so that something of it is retained at any time.
BY_COUNT: Final = Mix(RetentionPolicy(None, 500), naming_share=0.003, back_max=1000)
BY_AGE: Final = Mix(RetentionPolicy(1.0, None), naming_share=0.003, expiring_share=0.0, back_max=1000)
TOO_OLD_MIN: Final = 10


def told(history: History) -> str:
    """What was written beside the recalls."""
    lives = history.lives
    counts = {
        "versions": sum(len(life.written) for life in lives),
        "of them updates": sum(change.is_update for life in lives for change in life.written),
        "deletions": sum(len(life.deleted) for life in lives),
        "conditions that did not hold": sum(len(life.refused) for life in lives),
        "removals of what had expired": sum(len(life.alive_at) for life in lives),
        "spaces dropped": history.dropped,
        "renamed": history.renamed,
        "moves of an alias": history.moved,
        "calls turned away": history.turned_away,
        "refused as no longer retained": len(history.too_old),
    }
    return ", ".join(f"{what}: {count}" for what, count in counts.items())


async def test_recalls_are_what_the_acknowledgements_say(server: SocketServer) -> None:
    checker = checker_of(server, seed=1)
    await checker.run(recalls=600)
    history = checker.history
    # What is of a generation that nobody was told of, since its space was being dropped, is not among them.
    assert len(history.recalled) - check(history) >= 600


@pytest.mark.campaign
@pytest.mark.timeout(3600)
async def test_many_recalls_are_what_the_acknowledgements_say(server: SocketServer) -> None:
    checker = checker_of(server, seed=2)
    history = checker.history

    def has_all() -> bool:
        removed = any(life.alive_at for life in history.lives)
        return removed and min(history.dropped, history.renamed, history.moved, history.turned_away) > 0

    await checker.run(CAMPAIGN_RECALLS, has_all)
    unknown = check(history)
    assert len(history.recalled) - unknown >= CAMPAIGN_RECALLS
    hits = sum(len(recalled.hits) for recalled in history.recalled)
    print(
        f"{len(history.recalled)} recalls with {hits} hits: all as acknowledged, but for {unknown} of what nobody was "
        f"told of. Beside them: {told(history)}"
    )


def campaign_of(mix: Mix, seed: int, name: str) -> Any:
    return pytest.param(mix, seed, CAMPAIGN_RECALLS, marks=LONG, id=name)


@pytest.mark.parametrize(
    ("mix", "seed", "recalls"),
    [
        # A space that is dropped begins anew, so few of them live long enough to have something that is too old.
        pytest.param(replace(BY_COUNT, naming_share=0.0005), 5, 1500, id="by count, short"),
        pytest.param(BY_AGE, 6, 1000, id="by age, short"),
        campaign_of(BY_COUNT, 7, "by count, long"),
        campaign_of(BY_AGE, 8, "by age, long"),
    ],
)
async def test_recalls_are_what_the_acknowledgements_say_while_the_log_is_compacted(
    tmp_path: Path, mix: Mix, seed: int, recalls: int
) -> None:
    with compacting_server(tmp_path / "data", mix.retention) as server:
        checker = checker_of(server, seed, mix)
        history = checker.history

        def has_all() -> bool:
            return len(history.too_old) >= TOO_OLD_MIN and is_compacted(server.data)

        await checker.run(recalls, has_all)
    unknown = check(history)
    assert len(history.recalled) - unknown >= recalls
    # What was asked for was of both kinds.
    assert len(history.too_old) < len(history.recalled)
    print(
        f"{len(history.recalled)} recalls: all as acknowledged, but for {unknown} of what nobody was told of. Beside "
        f"them, while logs were compacted: {told(history)}"
    )
