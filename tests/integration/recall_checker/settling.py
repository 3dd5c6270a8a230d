"""What is asked of a server while nobody writes to a space: what it removed by itself, because it had expired."""

from __future__ import annotations

from typing import Any, Final

from engram import RetentionPolicy
from tests.integration.recall_checker.content import ENDED_TOGETHER, IDS, LAST, OBSERVED_MAX
from tests.integration.recall_checker.life import Life
from tests.integration.recall_checker.run import Run

# Those that are written all the time, and those that are written once.
_ALIVE_MAX: Final = len(IDS) + 2


def unsettled_max(retention: RetentionPolicy, writers: int) -> int | None:
    """How many versions may be written to a space until it must be settled; None: any number.

    All generations since it was settled last are retained then, however slow the server is. They are as long as no more
    versions have ended than are retained: those that were alive when it was settled, those that were written since,
    also by calls that were under way, and those that share a group of generations with them.
    """
    if retention.dead_count is None:
        return None
    count = retention.dead_count - ENDED_TOGETHER - _ALIVE_MAX - (writers + 1) * OBSERVED_MAX
    assert count > 0, f"{retention} is too little to know what is removed"
    return count


async def settle_when_due(run: Run) -> None:
    """Settle all spaces, beside no write, if so much was written to one that this must not wait."""
    if not _is_due(run):
        return
    async with run.naming:
        # Another writer may have waited for the same.
        if not _is_due(run):
            return
        async with run.gate.alone():
            for life, meaning in {each.life: each for each in run.history.names.standing()}.items():
                await settle(life, run.client(0, meaning.name))


async def settle(life: Life, client: Any) -> None:
    """Ask what was alive at each generation that nobody was given. Nobody writes to the space meanwhile."""
    newest = (await client.snapshot()).generation
    for generation in life.not_given(newest):
        found = await client.get([*IDS, LAST], generation)
        assert found.generation == generation
        life.alive_at[generation] = {hit.id: hit.generation for hit in found if hit is not None}
    life.note_settled(newest)


def _is_due(run: Run) -> bool:
    limit = run.unsettled_max
    return limit is not None and any(each.life.unsettled >= limit for each in run.history.names.standing())
