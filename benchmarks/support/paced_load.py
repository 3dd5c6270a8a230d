"""A client that streams observations at a fixed rate, in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.server import SPACE
from engram.client import AsyncClient
from engram.client.sending.send_buffer import OutboxLimits

BATCH = 256
DISTINCT = 20_000


def start(address: str, rate: float, seconds: float, dim: int) -> subprocess.Popen[str]:
    """Start such a client and wait until it is about to stream."""
    command = [sys.executable, "-m", "benchmarks.support.paced_load", address, f"{rate}", f"{seconds}", f"{dim}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for its end and return what it measured."""
    output, _ = process.communicate()
    measured: dict[str, Any] = json.loads(output)
    return measured


async def stream(address: str, rate: float, seconds: float, dim: int) -> dict[str, Any]:
    """Stream for some seconds, and wait for the last ack."""
    rows = synthetic_rows(DISTINCT, dim)
    texts = [f"observation {i}: the quick brown fox jumps over the lazy dog"[:60] for i in range(BATCH)]
    async with AsyncClient(address, space=SPACE, limits=OutboxLimits(count_max=32_768)) as client:
        await client.connect()
        print("ready", flush=True)
        begin, count, number = time.perf_counter(), 0, 0
        while time.perf_counter() - begin < seconds:
            wait_s = begin + count / rate - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            row = number * BATCH % (DISTINCT - BATCH)
            await client.submit([f"{number}-{i}" for i in range(BATCH)], rows[row : row + BATCH], texts)
            count += BATCH
            number += 1
        await client.flush()
        return {"observations": count, "observations/s": count / (time.perf_counter() - begin)}


def main() -> None:
    """Stream, and print what was measured as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.support.paced_load", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("rate", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("dim", type=int)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(stream(**vars(arguments)))))


if __name__ == "__main__":
    main()
