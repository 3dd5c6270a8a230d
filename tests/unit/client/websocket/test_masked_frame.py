"""Frames of a client: a server reads them as the messages that they are."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from engram.client.websocket.masked_frame import masked_frame


def received(pieces: list[bytes]) -> list[tuple[Opcode, bytes]]:
    """The messages that a server makes of it."""
    server = Protocol(Side.SERVER, max_size=None)
    for piece in pieces:
        server.receive_data(piece)
    assert server.parser_exc is None
    return [(frame.opcode, bytes(frame.data)) for frame in server.events_received() if isinstance(frame, Frame)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("is_frame", [False, True])
def test_messages_of_every_length_arrive(size: int, is_frame: bool) -> None:
    message = bytes(range(256)) * (size // 256) + bytes(size % 256)
    pieces = masked_frame(message, is_frame=is_frame)
    assert received(pieces) == [(Opcode.BINARY if is_frame else Opcode.TEXT, message)]
    # A small message is one write, and a large one is not copied once more.
    assert len(pieces) == (2 if size == 200_000 else 1)


def test_each_message_has_a_mask_of_its_own() -> None:
    assert len({masked_frame(bytes(8), is_frame=True)[0] for _ in range(10)}) == 10
