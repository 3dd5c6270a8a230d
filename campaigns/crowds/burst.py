"""A burst: many clients send large batches at the same time to a server with a small memory budget."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.support.server import server, server_with_http
from campaigns.crowds.bystander import bystander
from engram import Client
from engram.errors import EngramError

DIM: Final = 16
_TEXT: Final = "x" * (64 << 10)
_BATCH: Final = 460
_BATCHES: Final = 2
_SETTLED_S: Final = 10.0
_WATCHED_S: Final = 0.05
_TIMEOUT_S: Final = 300.0


class Watch:
    """The resident memory of a process, looked at again and again on a thread.

    Parameters
    ----------
    pid
        Number of the process.
    """

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/status")
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def now(self) -> int:
        """Return the resident memory in bytes."""
        line = next(line for line in self._file.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) << 10

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_WATCHED_S):
            self.peak = max(self.peak, self.now())


def run(seed: int, clients: int, budget_bytes: int, transport: str, work: Path) -> dict[str, Any]:
    """Start a server, let the clients send over ``"grpc"`` or ``"websocket"``, and return what came of it."""
    given = ("--dim", str(DIM), "--memory-bytes-max", str(budget_bytes))
    with ExitStack() as stack:
        if transport == "grpc":
            process, address = stack.enter_context(server(work / "data", *given))
        else:
            process, _, http = stack.enter_context(server_with_http(work / "data", *given))
            address = f"http://{http}"
        return _burst(address, process.pid, clients, seed)


def broken(result: dict[str, Any], peak_max_bytes: int, kept_max_bytes: int) -> list[str]:
    """Return what must not be, in words; nothing if all is well."""
    faults = list(result["failed"])
    if result["peak_bytes"] >= peak_max_bytes:
        faults.append(f"the peak was {result['peak_bytes'] >> 20} MiB")
    if result["kept_bytes"] >= kept_max_bytes:
        faults.append(f"{result['kept_bytes'] >> 20} MiB are kept")
    if result["stored"] + result["refused"] != result["sent"]:
        faults.append(f"{result['sent']} sent, {result['stored']} stored, {result['refused']} refused")
    return faults


def _burst(address: str, pid: int, clients: int, seed: int) -> dict[str, Any]:
    failed: list[str] = []
    stored = [0] * clients
    refused = [0] * clients
    reasons: set[str] = set()
    start = threading.Barrier(clients)
    vectors = np.random.default_rng(seed).standard_normal((_BATCH, DIM), dtype=np.float32)

    def send(number: int) -> None:
        with Client(address) as client:
            client.recall(vectors[0], k=1)
            start.wait(_TIMEOUT_S)
            sent = []
            for batch in range(_BATCHES):
                ids = [f"{number}-{batch}-{row}" for row in range(_BATCH)]
                sent.append(client.submit(ids=ids, vectors=vectors, contents=[_TEXT] * _BATCH))
            for future in sent:
                try:
                    future.result(_TIMEOUT_S)
                    stored[number] += _BATCH
                except EngramError as error:
                    refused[number] += _BATCH
                    reasons.add(error.code)
                except Exception as error:
                    failed.append(repr(error))

    with Watch(pid) as watch:
        with Client(address) as client:
            # What a server loads for its first call is none of the burst.
            client.recall(vectors[0], k=1)
        before = watch.now()
        with bystander(address, DIM) as other:
            begin_s = time.perf_counter()
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(send, range(clients)))
            taken_s = time.perf_counter() - begin_s
        # What is kept is judged at this time after the burst, neither sooner nor later.
        time.sleep(_SETTLED_S)
        after = watch.now()
    return {
        "clients": clients,
        "sent": clients * _BATCHES * _BATCH,
        "stored": sum(stored),
        "refused": sum(refused),
        "reasons": sorted(reasons),
        "seconds": round(taken_s, 2),
        "before_bytes": before,
        "peak_bytes": watch.peak,
        "kept_bytes": after - before,
        "recalls_of_others": len(other["times_s"]),
        "p50_ms": round(float(np.percentile(other["times_s"], 50)) * 1e3, 1),
        "p99_ms": round(float(np.percentile(other["times_s"], 99)) * 1e3, 1),
        "failed": [*failed, *other["failed"]][:5],
    }
