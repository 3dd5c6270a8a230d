"""Blocking streams for coroutines: each batch is waited for on a thread, so that the event loop goes on."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

from engram.model.following.following import Following
from engram.model.following.told import OfGeneration, Told
from engram.model.hit import Hits
from engram.model.operations.scans import ReadPage
from engram.model.scans.page import ScanPage
from engram.model.scans.scan import AsyncScan, Scan
from engram.store import RecallStream

S = TypeVar("S")
T = TypeVar("T")
Item = TypeVar("Item", bound=OfGeneration)


def batches_of(opening: Callable[[], RecallStream], *, follow: bool) -> AsyncGenerator[Hits, None]:
    """Yield the batches of a stream that `opening` opens.

    Parameters
    ----------
    opening
        Opens the stream.
    follow
        Whether it is a standing recall. It waits on a thread of its own, because the others have work to do.
    """

    def wake(stream: RecallStream) -> None:
        if stream.subscription is not None:
            stream.subscription.close()

    return _taken_from(opening, lambda stream: next(stream, None), wake, RecallStream.close, own_thread=follow)


def told_by(opening: Callable[[], Following[Item]]) -> AsyncGenerator[Told[Item], None]:
    """Yield what a follower is told that `opening` opens; it waits on a thread of its own."""
    return _taken_from(opening, lambda each: each.source.take(), Following.close, Following.close, own_thread=True)


async def _taken_from(
    opening: Callable[[], S],
    take: Callable[[S], T | None],
    wake: Callable[[S], None],
    close: Callable[[S], None],
    *,
    own_thread: bool,
) -> AsyncGenerator[T, None]:
    """Yield what is taken from a stream until that is None.

    Parameters
    ----------
    opening
        Opens the stream.
    take
        Waits for what is next.
    wake
        Ends a wait that is under way on another thread.
    close
        Closes the stream, on which no thread waits any more.
    own_thread
        Whether to wait on a thread of its own.
    """
    loop = asyncio.get_running_loop()
    own = concurrent.futures.ThreadPoolExecutor(1, "engram-follow") if own_thread else None
    opened: list[S] = []
    reading: asyncio.Future[T | None] | None = None
    try:
        opened.append(await loop.run_in_executor(own, opening))
        while True:
            reading = loop.run_in_executor(own, take, opened[0])
            # The thread goes on when this is cancelled; what ends it is below.
            taken = await asyncio.shield(reading)
            if taken is None:
                return
            yield taken
    finally:
        for stream in opened:
            wake(stream)
            if reading is not None and not reading.done():
                await asyncio.wait([reading])
            if reading is not None and not reading.cancelled():
                reading.exception()
            close(stream)
        if own is not None:
            own.shutdown(wait=False)


def awaited(scan: Scan) -> AsyncScan:
    """Return a scan that was not begun yet for coroutines; each page is read on a thread."""

    async def read(request: ReadPage) -> ScanPage:
        return await asyncio.to_thread(scan.read, request)

    return AsyncScan(read, scan.first)
