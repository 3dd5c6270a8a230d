"""Running a server from start to shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from engram.lifecycle.stop_signals import EndSignals
from engram.server.calls import ServerCalls
from engram.server.clients.open_connections import descriptors_max, divided
from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.http_start import start_http
from engram.server.options import ServerOptions
from engram.server.process_tuning import MemoryReturn, settled_objects, tune_interpreter

_TICK_S: Final = 1.0
_logger = logging.getLogger(__name__)


def serve(options: ServerOptions) -> None:
    """Run a server until SIGTERM, SIGINT or SIGHUP, in a process that serves no other purpose; see `EndSignals`.

    Raises
    ------
    EngramError
        If the store cannot be opened, or the server cannot listen on the address.
    """
    signals = EndSignals.of_process()
    asyncio.run(run_server(options, signals=signals))
    signals.finish()


async def run_server(
    options: ServerOptions, stop: asyncio.Event | None = None, signals: EndSignals | None = None
) -> None:
    """Open the store, answer calls until SIGTERM, SIGINT, SIGHUP or `stop`, then shut down without losing anything.

    It answers gRPC, and HTTP unless that is turned off. Shutdown means: health reports NOT_SERVING, new calls are
    refused, what is in flight is stored and acked, streams are told CLOSED and end with UNAVAILABLE, the index is
    checkpointed, and the store is closed.

    Parameters
    ----------
    options
        The settings of the server.
    stop
        Event that ends the server when it is set.
    signals
        The signal handling that is already installed, in a process that only runs the server.

    Raises
    ------
    EngramError
        If the store cannot be opened, or the server cannot listen on the address.
    """
    tune_interpreter()
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    with _signals(stop) if signals is None else signals.waking(loop):
        engine = Engine.open(options)
        try:
            if signals is not None:
                signals.hand_to(functools.partial(loop.call_soon_threadsafe, stop.set))
            async with _ticking(engine):
                await _answer(engine, stop)
        finally:
            await engine.close()


async def _answer(engine: Engine, stop: asyncio.Event) -> None:
    """Answer calls until `stop` is set; no transport is left open, whatever fails."""
    options = engine.options
    _tell_connections(options)
    calls = ServerCalls(engine)
    grpc = GrpcServer(engine, calls)
    port = await grpc.start(options.host, options.port)
    ends = [grpc.stop]
    grace_s = 0.0
    try:
        http = await start_http(engine, calls)
        if http is not None:
            ends.append(http.stop)
        with settled_objects():
            _announce(options, port, http.port if http else None)
            await stop.wait()
        _logger.info("stopping")
        grace_s = options.grace_s
    finally:
        await asyncio.gather(*(end(grace_s) for end in ends))


def _tell_connections(options: ServerOptions) -> None:
    """Warn if the process may have too few descriptors for the connections that it is to take."""
    descriptors = descriptors_max()
    taken = divided(options, descriptors).all
    if taken < options.connections_max:
        _logger.warning(
            "%d connections are taken, not %d, because the process may have only %d descriptors (ulimit -n)",
            taken,
            options.connections_max,
            descriptors,
        )


def _announce(options: ServerOptions, port: int, http_port: int | None) -> None:
    address = f"{options.host}:{port}"
    _logger.info("ready at %s", address)
    if options.port_file is not None:
        ports = [port] if http_port is None else [port, http_port]
        _write_atomically(options.port_file, "".join(f"{each}\n" for each in ports))
    if options.ready is not None:
        options.ready(address)
    if http_port is not None:
        http_address = f"http://{_in_url(options.host)}:{http_port}{options.http_base_path}"
        _logger.info("HTTP is ready at %s", http_address)
        if options.http_ready is not None:
            options.http_ready(http_address)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _write_atomically(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text)
    os.replace(unfinished, path)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Only the main thread of a Unix process can install handlers; elsewhere the caller uses `stop`.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _ticking(engine: Engine) -> AsyncIterator[None]:
    memory = MemoryReturn(lambda: engine.stored_bytes)

    async def tick() -> None:
        failed = False
        looking: asyncio.Future[None] | None = None
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                engine.tick()
                if looking is None or looking.done():
                    # On a thread, because giving back much memory takes a while, for which no tick waits.
                    look = asyncio.get_running_loop().run_in_executor(None, memory.look, engine.held_bytes)
                    before, looking = looking, look
                    if before is not None:
                        before.result()
                failed = False
            except Exception:
                # Without ticks, no session would expire and no gauge move. A failure that lasts is told once.
                if not failed:
                    _logger.exception("a look at the sessions, gauges and memory failed")
                failed = True

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
