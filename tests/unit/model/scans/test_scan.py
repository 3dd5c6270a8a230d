"""Scans as iterators: an error does not end them, nothing comes twice, and what is dropped lets go at once."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engram.errors import Unavailable
from engram.model.hit import Hit
from engram.model.operations.scans import ReadPage
from engram.model.scans.page import ScanPage
from engram.model.scans.scan import AsyncScan, Scan
from engram.store import MemoryStore

PAGES = [["a", "b"], ["c"], [], ["d", "e"]]
IDS = ["a", "b", "c", "d", "e"]
TIMEOUT_S = 60
REQUEST = ReadPage("notes")


def hit_of(id: str) -> Hit:
    fields: dict[str, Any] = {"content": "", "metadata": {}, "tags": [], "time_us": 0, "indexed": True}
    return Hit(id=id, score=1.0, confidence=1.0, importance=0.5, generation=1, **fields)


class Reader:
    """Reads `PAGES`; each fails once before, unless `fails` is taken away."""

    def __init__(self, *, fails: bool = True) -> None:
        self.left_to_fail = set(range(len(PAGES))) if fails else set[int]()

    def __call__(self, request: ReadPage) -> ScanPage:
        number = int(request.cursor or 0)
        if number in self.left_to_fail:
            self.left_to_fail.remove(number)
            raise Unavailable(f"no page {number}")
        cursor = str(number + 1) if number + 1 < len(PAGES) else ""
        return ScanPage([hit_of(id) for id in PAGES[number]], 7, cursor=cursor)


def tried(take: Callable[[], Any]) -> Iterator[Any]:
    """What `take` returns until it says that there is no more; None for an error."""
    while True:
        try:
            yield take()
        except Unavailable:
            yield None
        except (StopIteration, StopAsyncIteration):
            return


# An error comes before the first hit of each page.
TOLD = [None, "a", "b", None, "c", None, None, "d", "e"]


def shown(found: list[Any]) -> list[str | None]:
    return [None if hit is None else hit.id for hit in found]


def test_a_scan_goes_on_where_a_page_could_not_be_read() -> None:
    scan = Scan(Reader(), REQUEST)
    rows = iter(scan)
    assert shown(list(tried(lambda: next(rows)))) == TOLD
    assert scan.generation == 7
    assert list(scan) == []


def test_pages_go_on_where_one_could_not_be_read() -> None:
    pages = Scan(Reader(), REQUEST).pages()
    found = list(tried(lambda: next(pages)))
    assert [None if page is None else [hit.id for hit in page] for page in found] == [
        each for page in PAGES for each in (None, page)
    ]


async def test_an_asynchronous_scan_goes_on_where_a_page_could_not_be_read() -> None:
    reader = Reader()

    async def read(request: ReadPage) -> ScanPage:
        return reader(request)

    scan, found = AsyncScan(read, REQUEST), list[Any]()
    rows = aiter(scan)
    for _ in TOLD:
        try:
            found.append(await anext(rows))
        except Unavailable:
            found.append(None)
    assert shown(found) == TOLD
    assert not [hit async for hit in rows]
    assert not [page async for page in scan.pages()]


def test_hits_and_pages_of_one_scan_follow_each_other() -> None:
    scan = Scan(Reader(fails=False), REQUEST)
    assert scan.generation is None
    assert next(scan).id == "a"
    assert [hit.id for hit in next(scan.pages())] == ["c"]
    # What is left of a page that was begun comes first.
    assert [hit.id for hit in scan] == ["b", "d", "e"]


async def test_coroutines_that_share_a_scan_take_each_hit_once() -> None:
    reader = Reader(fails=False)

    async def read(request: ReadPage) -> ScanPage:
        await asyncio.sleep(0)
        return reader(request)

    scan = AsyncScan(read, REQUEST)
    hits = await asyncio.gather(*(anext(scan) for _ in IDS))
    assert sorted(hit.id for hit in hits) == IDS


async def test_a_scan_that_was_cancelled_goes_on() -> None:
    reader, begun, go_on = Reader(fails=False), asyncio.Event(), asyncio.Event()

    async def read(request: ReadPage) -> ScanPage:
        begun.set()
        await go_on.wait()
        return reader(request)

    scan = AsyncScan(read, REQUEST)
    waiting = asyncio.ensure_future(anext(scan))
    await asyncio.wait_for(begun.wait(), TIMEOUT_S)
    waiting.cancel()
    await asyncio.wait({waiting})
    go_on.set()
    assert [hit.id async for hit in scan] == IDS


def test_threads_that_share_a_scan_take_each_hit_once() -> None:
    reader, both = Reader(fails=False), threading.Barrier(2, timeout=TIMEOUT_S)
    scan = Scan(reader, REQUEST)

    def take_all() -> list[str]:
        both.wait()
        return [hit.id for hit in scan]

    with ThreadPoolExecutor(2) as threads:
        first, second = (threads.submit(take_all) for _ in range(2))
        assert sorted(first.result(TIMEOUT_S) + second.result(TIMEOUT_S)) == IDS


@pytest.mark.parametrize(
    "begin", [next, lambda scan: next(iter(scan)), lambda scan: next(scan.pages())], ids=["next", "iter", "pages"]
)
def test_a_scan_that_is_dropped_lets_go_at_once(begin: Callable[[Scan], Any]) -> None:
    reader = Reader(fails=False)
    let_go = weakref.ref(reader)
    scan = Scan(reader, REQUEST)
    gc.disable()
    try:
        begin(scan)
        del scan, reader
        assert let_go() is None
    finally:
        gc.enable()


def test_a_scan_of_a_space_that_is_dropped_lets_go_of_its_snapshot_at_once() -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=1)
        space.observe(["a", "b", "c"], [[1], [1], [1]])
        retention: Any = space._engine.retention
        gc.collect()
        gc.disable()
        try:
            before = len(retention._held)
            scan = space.scan(page_size=1)
            assert next(scan).id == "a"
            assert len(retention._held) == before + 1
            del scan
            assert len(retention._held) == before
        finally:
            gc.enable()
