"""A client that opens very many standing recalls at the same time, in a process of its own.

``python -m campaigns.crowds.greedy ADDRESS COUNT CONNECTIONS SECONDS`` prints what became of them, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack
from typing import Final

import numpy as np

from engram import AsyncClient, Cue
from engram.errors import EngramError

DIM: Final = 16
BEGUN: Final = "begun"
# Above it is an observation and, at most times, nothing that is observed again.
_SCORE_MIN: Final = 0.999


async def open_streams(address: str, count: int, connections: int, seconds: float) -> dict[str, int]:
    """Open `count` standing recalls over some connections; return how many began, and the codes of the others."""
    told: Counter[str] = Counter()

    async def follow(client: AsyncClient, cue: Cue) -> None:
        is_first = True
        try:
            async for _ in client.recall_stream(cue, 1, follow=True):
                told[BEGUN] += is_first
                is_first = False
        except EngramError as error:
            told[error.code] += 1

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(AsyncClient(address)) for _ in range(connections)]
        cue = await _cue(clients[0])
        streams = [asyncio.create_task(follow(clients[number % connections], cue)) for number in range(count)]
        await asyncio.sleep(seconds)
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    return dict(told)


async def _cue(client: AsyncClient) -> Cue:
    """Return a cue that finds something at once, so that a stream which has begun is seen to have."""
    (hit,) = await client.recall(np.ones(DIM, dtype=np.float32), 1, include_vectors=True)
    return Cue(hit.vector, score_min=_SCORE_MIN)


def main() -> None:
    """Open streams as the command line says."""
    address, count, connections, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(open_streams(address, int(count), int(connections), float(seconds)))))


if __name__ == "__main__":
    main()
