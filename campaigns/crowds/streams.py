"""Thousands of recall streams of one client: no call of another one fails."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.server import server_with_http
from campaigns.crowds.greedy import BEGUN, DIM
from engram import Client

_STORED: Final = 3000
_TOLD_MAX: Final = 5


class Other:
    """Another client, which makes one call after the other on a thread of its own, in the body of a context.

    Parameters
    ----------
    address
        Address of the server.
    vectors
        float32, shape ``(n, DIM)``: those of the observations, which are called by their numbers.
    """

    def __init__(self, address: str, vectors: NDArray[np.float32]) -> None:
        self._client = Client(address)
        self._vectors = vectors
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._times_s: list[float] = []
        self._failed: list[str] = []

    def __enter__(self) -> Other:
        self._client.recall(self._vectors[0], k=1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()

    def result(self) -> dict[str, Any]:
        """Return how many calls there were, how long they took, and which failed."""
        p50_ms, p99_ms = (round(float(one) * 1e3, 1) for one in np.percentile(self._times_s, [50, 99]))
        return {"calls": len(self._times_s), "p50_ms": p50_ms, "p99_ms": p99_ms, "failed": self._failed[:_TOLD_MAX]}

    def _run(self) -> None:
        for number in itertools.count():
            if self._over.is_set():
                return
            self._make_calls(str(number % _STORED), self._vectors[number % _STORED])

    def _make_calls(self, id: str, vector: NDArray[np.float32]) -> None:
        client = self._client
        self._call("a recall", lambda: len(client.recall(vector, k=1)))
        self._call("a look-up", lambda: len([client.get(id)]))
        self._call("a stream", lambda: sum(map(len, client.recall_stream(vector, 1))))
        self._call("an observation", lambda: client.observe(id, vector).count)

    def _call(self, name: str, call: Callable[[], int]) -> None:
        """Make a call that should have one result."""
        begin_s = time.perf_counter()
        try:
            count = call()
        except Exception as error:
            self._failed.append(f"{name}: {error!r}")
        else:
            if count != 1:
                self._failed.append(f"{name} has {count} results")
        self._times_s.append(time.perf_counter() - begin_s)


def run(seed: int, count: int, connections: int, seconds: float, work: Path) -> dict[str, Any]:
    """Have one process open `count` streams over some connections, beside other clients over each transport."""
    vectors = np.random.default_rng(seed).standard_normal((_STORED, DIM), dtype=np.float32)
    with server_with_http(work / "data", "--dim", str(DIM)) as (_, grpc, http):
        with Client(grpc) as writer:
            writer.observe([str(number) for number in range(_STORED)], vectors)
        greedy = [sys.executable, "-m", "campaigns.crowds.greedy", grpc, str(count), str(connections), str(seconds)]
        by_grpc, by_websocket = Other(grpc, vectors), Other(f"http://{http}", vectors)
        with by_grpc, by_websocket:
            finished = subprocess.run(greedy, check=True, capture_output=True, text=True)
        told = json.loads(finished.stdout)
    return {
        "count": count,
        "connections": connections,
        "begun": told.pop(BEGUN, 0),
        "refused": told,
        "others": {"grpc": by_grpc.result(), "websocket": by_websocket.result()},
    }


def broken(result: dict[str, Any]) -> list[str]:
    """Return what must not be, in words; nothing if all is well."""
    faults = [f"{name}: {fault}" for name, other in result["others"].items() for fault in other["failed"]]
    if not result["begun"]:
        faults.append("no stream has begun")
    return faults
