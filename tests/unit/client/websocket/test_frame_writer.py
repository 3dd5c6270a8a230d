"""Frames of a client: the first of a turn goes at once, the others together, and all of them are frames."""

from __future__ import annotations

import asyncio

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from engram.client.websocket.frame_writer import FrameWriter
from tests.doubles.line import Line


def received(*written: bytes) -> list[tuple[Opcode, bytes]]:
    """The messages that a server makes of it."""
    server = Protocol(Side.SERVER, max_size=None)
    for data in written:
        server.receive_data(data)
    assert server.parser_exc is None
    return [(frame.opcode, bytes(frame.data)) for frame in server.events_received() if isinstance(frame, Frame)]


class Written(Line):
    """A line that keeps each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        self.writes.append(bytes(data))


@pytest.fixture
async def line() -> Written:
    return Written()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
async def test_messages_of_every_length_arrive(line: Written, size: int) -> None:
    writer = FrameWriter(asyncio.get_running_loop(), line)
    message = bytes(range(256)) * (size // 256) + bytes(size % 256)
    writer.write(message, is_frame=True)
    assert received(*line.writes) == [(Opcode.BINARY, message)]
    writer.write(message, is_frame=False)
    writer.flush()
    assert received(*line.writes) == [(Opcode.BINARY, message), (Opcode.TEXT, message)]


async def test_the_first_of_a_turn_goes_at_once_and_the_others_together(line: Written) -> None:
    writer = FrameWriter(asyncio.get_running_loop(), line)
    for _ in range(2):
        line.writes.clear()
        for number in range(4):
            writer.write(b"%d" % number, is_frame=False)
        assert received(*line.writes) == [(Opcode.TEXT, b"0")]
        await asyncio.sleep(0)
        assert len(line.writes) == 2
        assert [data for _, data in received(*line.writes)] == [b"0", b"1", b"2", b"3"]
    await asyncio.sleep(0)
    assert len(line.writes) == 2


async def test_what_waits_is_bounded(line: Written) -> None:
    writer = FrameWriter(asyncio.get_running_loop(), line)
    for _ in range(20):
        writer.write(bytes(10_000), is_frame=True)
    # The first by itself, then 70 000 bytes at a time.
    assert [len(data) // 10_000 for data in line.writes] == [1, 7, 7]
    writer.flush()
    assert len(received(*line.writes)) == 20
    writer.flush()
    assert len(line.writes) == 4


async def test_nothing_is_written_to_a_connection_that_is_gone(line: Written) -> None:
    writer = FrameWriter(asyncio.get_running_loop(), line)
    writer.write(b"a", is_frame=False)
    writer.write(b"b", is_frame=False)
    line.close()
    await asyncio.sleep(0)
    writer.write(b"c", is_frame=False)
    assert received(*line.writes) == [(Opcode.TEXT, b"a")]
