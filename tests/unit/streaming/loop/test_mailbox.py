"""The mailbox: posts from other threads arrive in order, with few wake-ups."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engram.streaming.loop.condition import LoopCondition
from engram.streaming.loop.mailbox import Mailbox


async def test_posts_of_one_burst_share_a_wake_up() -> None:
    loop = asyncio.get_running_loop()
    wakes = 0
    original = loop.call_soon_threadsafe

    def counted(*arguments: object, **keywords: object) -> asyncio.Handle:
        nonlocal wakes
        wakes += 1
        return original(*arguments, **keywords)  # type: ignore[arg-type]  # Passed through.

    mailbox = Mailbox(loop)
    received: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", counted)
        for number in range(100):
            mailbox.post(received.append, number)
    done = loop.create_future()
    mailbox.post(done.set_result, None)
    await asyncio.wait_for(done, 60)
    assert received == list(range(100))
    assert wakes == 1


async def test_nothing_is_lost_between_many_threads() -> None:
    loop = asyncio.get_running_loop()
    mailbox = Mailbox(loop)
    received: list[tuple[int, int]] = []
    changed = LoopCondition()

    def receive(item: tuple[int, int]) -> None:
        received.append(item)
        changed.notify()

    def post(thread: int) -> None:
        for number in range(5000):
            mailbox.post(receive, (thread, number))

    threads = [threading.Thread(target=post, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    async with asyncio.timeout(60):
        await changed.wait_for(lambda: len(received) == 20_000)
    for sender in range(4):
        assert [number for owner, number in received if owner == sender] == list(range(5000))


async def test_a_failing_receiver_does_not_keep_the_others_from_their_post(caplog: pytest.LogCaptureFixture) -> None:
    mailbox = Mailbox(asyncio.get_running_loop())
    done = asyncio.get_running_loop().create_future()

    def fail(_: None) -> None:
        raise RuntimeError("a bug")

    mailbox.post(fail, None)
    mailbox.post(done.set_result, None)
    await asyncio.wait_for(done, 60)
    assert "a bug" in caplog.text


def test_posts_after_the_end_of_the_loop_are_dropped() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    Mailbox(loop).post(print, "nobody is there")


async def test_what_follows_a_delivery_is_done_once_for_all_of_it(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    mailbox = Mailbox(loop)
    received: list[int] = []
    ends: list[int] = []

    def end() -> None:
        ends.append(len(received))

    def fail() -> None:
        raise RuntimeError("a bug")

    def receive(number: int) -> None:
        received.append(number)
        assert mailbox.afterwards(fail)
        assert mailbox.afterwards(end)

    done = loop.create_future()
    for number in range(3):
        mailbox.post(receive, number)
    mailbox.post(done.set_result, None)
    await done
    assert ends == [3]
    assert "a bug" in caplog.text
    # Outside of a delivery there is nothing that it could follow.
    assert not mailbox.afterwards(end)
