"""Blocking streams for coroutines: each batch is waited for on a thread, so that the event loop goes on."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncGenerator, Callable

from engram.model.hit import Hits
from engram.model.operations.scans import ReadPage
from engram.model.scans.page import ScanPage
from engram.model.scans.scan import AsyncScan, Scan
from engram.store import RecallStream


async def batches_of(opening: Callable[[], RecallStream], *, follow: bool) -> AsyncGenerator[Hits, None]:
    """Yield the batches of a stream that `opening` opens.

    Parameters
    ----------
    opening
        Opens the stream.
    follow
        Whether it is a standing recall. It waits on a thread of its own, because the others have work to do.
    """
    loop = asyncio.get_running_loop()
    own = concurrent.futures.ThreadPoolExecutor(1, "engram-follow") if follow else None
    stream: RecallStream | None = None
    reading: asyncio.Future[Hits | None] | None = None
    try:
        stream = await loop.run_in_executor(own, opening)
        while True:
            reading = loop.run_in_executor(own, next, stream, None)
            # The thread goes on when this is cancelled; what ends it is below.
            hits = await asyncio.shield(reading)
            if hits is None:
                return
            yield hits
    finally:
        if stream is not None:
            if stream.subscription is not None:
                stream.subscription.close()
            if reading is not None and not reading.done():
                await asyncio.wait([reading])
            if reading is not None and not reading.cancelled():
                reading.exception()
            stream.close()
        if own is not None:
            own.shutdown(wait=False)


def awaited(scan: Scan) -> AsyncScan:
    """Return a scan that was not begun yet for coroutines; each page is read on a thread."""

    async def read(request: ReadPage) -> ScanPage:
        return await asyncio.to_thread(scan.read, request)

    return AsyncScan(read, scan.first)
