"""Stream into a server and recall from it at the same time.

Usage: python examples/streaming.py [HOST:PORT]    (start a server first: engram serve)

The server may be stopped and started again while this runs: the client resumes its session and loses nothing.
"""

from __future__ import annotations

import asyncio
import sys

from engram.client import Ack, AsyncClient
from engram.data import Sample, sample

BATCH = 250


async def stream(client: AsyncClient, data: Sample) -> Ack:
    """Observe everything in batches; wait for the acknowledgements only at the end."""
    acks = []
    for first in range(0, len(data), BATCH):
        rows = slice(first, first + BATCH)
        # This waits only when the client's buffer is full, which is how a slow server slows it down.
        acks.append(await client.submit(data.ids[rows], data.vectors[rows], data.contents[rows]))
    return [await ack for ack in acks][-1]


async def main(address: str) -> None:
    data = sample()
    cue = data.queries.vectors[data.queries.ids.index("waterfall")]
    async with AsyncClient(address, space="words") as client:
        await client.create_space("words", dim=data.vectors.shape[1])
        streaming = asyncio.create_task(stream(client, data))
        while not streaming.done():
            hits = await client.recall(cue, k=1)
            print(f"meanwhile: {hits[0].content if hits else 'nothing yet'}")
            await asyncio.wait([streaming], timeout=0.05)
        ack = await streaming
        print(f"stored: session {client.session_id} is durable up to {ack.sequence}, generation {ack.generation}")

        # All batches of one recall come from one snapshot.
        async for batch in client.recall_stream(cue, k=20, batch_size=5, max_generation=ack.generation):
            print(", ".join(f"{hit.id} {hit.score:.2f}" for hit in batch))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "localhost:50051"))
