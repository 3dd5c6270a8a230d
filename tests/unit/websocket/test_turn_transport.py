"""What is written in one turn of the event loop leaves in its order, in two writes at most."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engram.websocket.turn_transport import TurnTransport


class Written:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.ends: list[str] = []

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 5

    def is_closing(self) -> bool:
        return bool(self.ends)

    def close(self) -> None:
        self.ends.append("close")

    def abort(self) -> None:
        self.ends.append("abort")

    def get_extra_info(self, name: str) -> str:
        return f"the {name}"


@pytest.fixture
async def made() -> tuple[TurnTransport, Written]:
    written: Any = Written()
    return TurnTransport(asyncio.get_running_loop(), written), written


async def test_the_first_leaves_at_once_and_the_others_together(made: tuple[TurnTransport, Written]) -> None:
    transport, written = made
    for number in range(4):
        transport.write(b"%d" % number)
    assert written.writes == [b"0"]
    assert transport.get_write_buffer_size() == 5 + 3
    await asyncio.sleep(0)
    assert transport.get_write_buffer_size() == 5
    assert written.writes == [b"0", b"123"]


async def test_behind_a_turn_with_several_all_leave_together(made: tuple[TurnTransport, Written]) -> None:
    transport, written = made
    for turn in range(3):
        for number in range(2):
            transport.write(b"%d%d" % (turn, number))
        await asyncio.sleep(0)
    assert written.writes == [b"00", b"01", b"1011", b"2021"]


async def test_behind_a_turn_with_one_the_first_leaves_at_once_again(made: tuple[TurnTransport, Written]) -> None:
    transport, written = made
    for data in (b"1", b"2"):
        transport.write(data)
    await asyncio.sleep(0)
    transport.write(b"3")
    assert written.writes == [b"1", b"2"]
    await asyncio.sleep(0)
    transport.write(b"4")
    assert written.writes == [b"1", b"2", b"3", b"4"]


async def test_what_waits_is_bounded(made: tuple[TurnTransport, Written]) -> None:
    transport, written = made
    for _ in range(4):
        transport.write(bytes(40_000))
    assert [len(each) for each in written.writes] == [40_000, 80_000]
    await asyncio.sleep(0)
    assert sum(map(len, written.writes)) == 160_000


async def test_what_is_large_leaves_behind_what_is_small(made: tuple[TurnTransport, Written]) -> None:
    transport, written = made
    for data in (b"1", b"2", b"3", bytes(100_000), b"4"):
        transport.write(data)
    await asyncio.sleep(0)
    assert written.writes == [b"1", b"23", bytes(100_000), b"4"]


async def test_a_close_comes_behind_what_was_written(made: tuple[TurnTransport, Written]) -> None:
    transport, written = made
    transport.write(b"1")
    transport.write(b"2")
    transport.close()
    assert (written.writes, written.ends) == ([b"1", b"2"], ["close"])
    transport.write(b"3")
    transport.write(bytes(100_000))
    await asyncio.sleep(0)
    assert written.writes == [b"1", b"2"]


async def test_an_abort_drops_what_waits(made: tuple[TurnTransport, Written]) -> None:
    transport, written = made
    transport.write(b"1")
    transport.write(b"2")
    transport.abort()
    await asyncio.sleep(0)
    assert (written.writes, written.ends) == ([b"1"], ["abort"])
    assert transport.get_write_buffer_size() == 5


async def test_all_else_is_the_transport_s(made: tuple[TurnTransport, Written]) -> None:
    transport, _ = made
    assert transport.get_extra_info("peername") == "the peername"
    assert not transport.is_closing()
    with pytest.raises(AttributeError):
        transport.nothing  # noqa: B018  # Looked up.
