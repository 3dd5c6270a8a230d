"""Running a server from start to end."""

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
from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.options import ServerOptions
from engram.server.process_tuning import settled_objects, tune_interpreter

_TICK_S: Final = 1.0
_logger = logging.getLogger(__name__)


def serve(options: ServerOptions) -> None:
    """Run a server, as all that this process is for, until SIGTERM, SIGINT or SIGHUP; see `EndSignals`."""
    signals = EndSignals.of_process()
    asyncio.run(run_server(options, signals=signals))
    signals.finish()


async def run_server(
    options: ServerOptions, stop: asyncio.Event | None = None, signals: EndSignals | None = None
) -> None:
    """Open the store, answer calls until SIGTERM, SIGINT, SIGHUP or `stop`, then end without losing anything.

    Ending means: health says NOT_SERVING, new calls are refused, what is in flight is stored and acked, streams are
    told CLOSED and end with UNAVAILABLE, the index is checkpointed and the store closed.

    Parameters
    ----------
    options
        The settings.
    stop
        Ends the server when it is set.
    signals
        What handles signals already, in a process that is the server's alone.

    Raises
    ------
    EngramError
        If the store cannot be opened or the address cannot be had.
    """
    tune_interpreter()
    stop = stop or asyncio.Event()
    with _signals(stop) if signals is None else contextlib.nullcontext():
        engine = Engine(options)
        try:
            if signals is not None:
                loop = asyncio.get_running_loop()
                signals.hand_to(functools.partial(loop.call_soon_threadsafe, stop.set))
            server = GrpcServer(engine)
            port = await server.start(options.host, options.port)
            async with _ticking(engine):
                with settled_objects():
                    _announce(options, port)
                    await stop.wait()
                _logger.info("stopping")
                await server.stop(options.grace_s)
        finally:
            await engine.close()


def _announce(options: ServerOptions, port: int) -> None:
    address = f"{options.host}:{port}"
    _logger.info("ready at %s", address)
    if options.port_file is not None:
        _write_atomically(options.port_file, f"{port}\n")
    if options.ready is not None:
        options.ready(address)


def _write_atomically(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text)
    os.replace(unfinished, path)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Only the main thread of a Unix process can have handlers; elsewhere the caller uses `stop`.
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
    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            engine.tick()

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
