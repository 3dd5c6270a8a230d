"""What is asked of a server when a space is left alone: what it removed by itself, because it had expired."""

from __future__ import annotations

from typing import Any

from tests.integration.recall_checker.content import IDS, LAST
from tests.integration.recall_checker.life import Life


async def settle(life: Life, client: Any) -> None:
    """Ask what was alive at each generation that nobody was given."""
    for generation in life.not_given():
        found = await client.get([*IDS, LAST], generation)
        assert found.generation == generation
        life.alive_at[generation] = {hit.id: hit.generation for hit in found if hit is not None}
