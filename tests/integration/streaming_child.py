"""A client process to be killed: streams a session from where the server has it, and says what is acknowledged."""

from __future__ import annotations

import sys
from concurrent.futures import Future, as_completed

from engram.client import Ack, Client
from tests.integration.server_process import numbered, vectors_of

BATCH = 20
SESSION = "campaign"


def stream(address: str, space: str, batches: int) -> None:
    """Send `batches` of new observations; print the last sequence of each acknowledgement."""
    with Client(address, space=space, session_id=SESSION) as client:
        client.connect()
        first = client.durable_sequence + 1
        futures: list[Future[Ack]] = []
        for number in range(batches):
            ids = numbered(first + number * BATCH, BATCH)
            futures.append(client.submit(ids, vectors_of(ids)))
        for future in as_completed(futures):
            print(future.result().last_sequence, flush=True)


if __name__ == "__main__":
    stream(sys.argv[1], sys.argv[2], int(sys.argv[3]))
