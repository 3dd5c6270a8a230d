"""Spaces of an embedded store for coroutines, where they do more than to run a method on a thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engram.connection.async_space import AsyncSpace
from engram.errors import InvalidInput, Unavailable
from engram.model.waiting.index_wait import IndexWait


class Linking:
    """A space with three generations, which are linked when a test says so."""

    def __init__(self) -> None:
        self.indexed_generation = 1

    def _index_wait(self, generation: object, timeout_s: object) -> IndexWait:
        return IndexWait(generation, 3, timeout_s)

    def link(self) -> None:
        self.indexed_generation = 3


async def test_who_waits_until_all_is_linked_holds_no_thread() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    linking: Any = Linking()
    waits = [asyncio.create_task(AsyncSpace(linking).wait_indexed(timeout_s=None)) for _ in range(3)]
    # All of them begin before the one thread has anything else to do.
    await asyncio.sleep(0)
    await asyncio.to_thread(linking.link)
    assert await asyncio.gather(*waits) == [3, 3, 3]


async def test_a_wait_ends_as_that_of_a_space_does() -> None:
    linking: Any = Linking()
    assert await AsyncSpace(linking).wait_indexed(1, timeout_s=0) == 1
    with pytest.raises(Unavailable, match="not up to 3"):
        await AsyncSpace(linking).wait_indexed(timeout_s=0)
    with pytest.raises(InvalidInput, match="yet to come"):
        await AsyncSpace(linking).wait_indexed(4)
