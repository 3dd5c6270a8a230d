"""A blocking client's followers: any thread closes them, and what waits then ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

from engram.client.following.following import BlockingFollowCalls
from engram.client.threads.loop_thread import LoopThread
from engram.model.following.change import Change
from engram.model.following.following import AsyncFollowing
from engram.model.following.told import AwaitedSource, Told
from tests.unit.client.clock import WAIT_S


class SilentClient:
    """A client whose feed tells one change, and then nothing."""

    def __init__(self) -> None:
        self.is_waiting = threading.Event()
        self.has_left = threading.Event()

    def changes(self, filter: None) -> AsyncFollowing[Change]:
        return AsyncFollowing(AwaitedSource(self._told()))

    async def _told(self) -> AsyncGenerator[Told[Change], None]:
        try:
            yield Told([Change("observed", "a", 1)], 1)
            self.is_waiting.set()
            await asyncio.Event().wait()
        finally:
            self.has_left.set()


def test_closing_ends_the_wait_of_another_thread() -> None:
    inner: SilentClient = SilentClient()
    client = BlockingFollowCalls(LoopThread.shared(), inner)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as threads, client.changes() as feed:
        assert next(feed).id == "a"
        waiting = threads.submit(next, feed, None)
        assert inner.is_waiting.wait(WAIT_S)
        feed.close()
        assert waiting.result(WAIT_S) is None
    assert inner.has_left.is_set()
    assert (list(feed), feed.generation) == ([], 1)


def test_one_that_is_dropped_ends() -> None:
    inner = SilentClient()
    feed = BlockingFollowCalls(LoopThread.shared(), inner).changes()  # type: ignore[arg-type]
    next(feed)
    del feed
    assert inner.has_left.wait(WAIT_S)
