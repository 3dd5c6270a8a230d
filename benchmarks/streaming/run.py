"""One run of the streaming benchmark: clients that stream into a server, and what is seen every second."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.support.server import CATCH_UP_TIMEOUT_S, SPACE
from engram.client import AsyncClient
from engram.client.sending.send_buffer import OutboxLimits


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent.

    Parameters
    ----------
    seconds, rate
        For how long, and how many observations a second; rate 0: as fast as acks allow.
    streams, batch
        Clients with a session each, and observations per message.
    in_flight
        Observations each client sends at most before their acks arrive.
    """

    seconds: float
    rate: float
    streams: int
    batch: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Second:
    """What one second was like: counts of observations, cores used, milliseconds."""

    second: int
    acked: int
    ack_ms_p50: float
    ack_ms_p99: float
    ack_ms_max: float
    not_indexed: int
    client_cores: float
    server_cores: float


@dataclass(slots=True)
class Run:
    """What one run observed. `acks` has the moment of each ack in seconds, and how long it took in milliseconds."""

    count: int = 0
    seconds: float = 0.0
    client_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    acks: list[tuple[float, float]] = field(default_factory=list)
    timeline: list[Second] = field(default_factory=list)
    not_indexed: int = 0
    catch_up_s: float = 0.0


async def stream(address: str, process: psutil.Process, rows: NDArray[np.float32], load: Load) -> Run:
    """Send batches for the given time, wait for the last ack, then until everything is indexed."""
    run = Run()
    async with AsyncExitStack() as stack:
        limits = OutboxLimits(count_max=load.in_flight)
        first = await stack.enter_async_context(AsyncClient(address, space=SPACE, limits=limits))
        await first.create_space(SPACE, dim=rows.shape[1])
        others = [AsyncClient(address, space=SPACE, limits=limits) for _ in range(load.streams - 1)]
        clients = [first, *[await stack.enter_async_context(client) for client in others]]
        for client in clients:
            await client.connect()
        meter = _Meter(run, process, first)
        watching = asyncio.create_task(meter.watch())
        senders = [_send(client, number, rows, load, run, meter.begin_s) for number, client in enumerate(clients)]
        await asyncio.gather(*senders)
        watching.cancel()
        run.seconds = time.perf_counter() - meter.begin_s
        run.client_cpu_s, run.server_cpu_s = meter.cpu_s()
        await _watch_catching_up(first, run)
    return run


async def _send(
    client: AsyncClient, number: int, rows: NDArray[np.float32], load: Load, run: Run, begin_s: float
) -> None:
    texts = [f"observation {row}: the quick brown fox jumps over the lazy dog"[:60] for row in range(load.batch)]
    begins = range(0, len(rows) - load.batch + 1, load.batch)
    futures: list[asyncio.Future[Any]] = []
    turn = number
    while (now := time.perf_counter()) - begin_s < load.seconds:
        due_s = begin_s + turn * load.batch / load.rate if load.rate else now
        if due_s > now:
            await asyncio.sleep(due_s - now)
        ids = [f"{turn}-{row}" for row in range(load.batch)]
        begin = begins[turn % len(begins)]
        sent_s = time.perf_counter()
        future = await client.submit(ids, rows[begin : begin + load.batch], texts)
        future.add_done_callback(partial(_note_ack, run, begin_s, sent_s))
        futures.append(future)
        run.count += load.batch
        turn += load.streams
    await asyncio.gather(*futures)


def _note_ack(run: Run, begin_s: float, sent_s: float, _: object) -> None:
    now = time.perf_counter()
    run.acks.append((now - begin_s, (now - sent_s) * 1e3))


class _Meter:
    """Looks every second at what both processes do."""

    def __init__(self, run: Run, server_process: psutil.Process, client: AsyncClient) -> None:
        self._run = run
        self._processes = (psutil.Process(), server_process)
        self._client = client
        self._cpu_before_s = [_cpu_s(process) for process in self._processes]
        self.begin_s = time.perf_counter()

    def cpu_s(self) -> tuple[float, float]:
        """Processor time of client and server since the beginning."""
        used = [_cpu_s(process) - before for process, before in zip(self._processes, self._cpu_before_s, strict=True)]
        return used[0], used[1]

    async def watch(self) -> None:
        """Add a `Second` to the run whenever one has passed."""
        seen, last_s, last_cpu_s, visible = 0, self.begin_s, (0.0, 0.0), 0
        for second in range(1, sys.maxsize):
            await asyncio.sleep(self.begin_s + second - time.perf_counter())
            status = await self._client.space_status()
            now, cpu_s = time.perf_counter(), self.cpu_s()
            acks, seen = [ms for _, ms in self._run.acks[seen:]], len(self._run.acks)
            p50, p99, longest = np.percentile(acks or [np.nan], [50, 99, 100]).tolist()
            cores = [(after - before) / (now - last_s) for after, before in zip(cpu_s, last_cpu_s, strict=True)]
            acked = status.visible_generation - visible
            lag = status.visible_generation - status.indexed_generation
            self._run.timeline.append(Second(second, acked, p50, p99, longest, lag, cores[0], cores[1]))
            last_s, last_cpu_s, visible = now, cpu_s, status.visible_generation


async def _watch_catching_up(client: AsyncClient, run: Run) -> None:
    begin = time.perf_counter()
    while True:
        status = await client.space_status()
        lag = status.visible_generation - status.indexed_generation
        if run.catch_up_s == 0.0:
            run.not_indexed = lag
        run.catch_up_s = time.perf_counter() - begin
        if lag == 0 or run.catch_up_s > CATCH_UP_TIMEOUT_S:
            return
        await asyncio.sleep(0.05)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
