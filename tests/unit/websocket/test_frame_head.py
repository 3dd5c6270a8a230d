"""Heads of frames are those of the library `websockets`."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from engram.websocket.frame_head import frame_head


@pytest.mark.parametrize("nbytes", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
@pytest.mark.parametrize("is_frame", [False, True])
def test_a_head_is_that_of_websockets(nbytes: int, is_frame: bool) -> None:
    frame = Frame(Opcode.BINARY if is_frame else Opcode.TEXT, bytes(nbytes))
    assert frame_head(is_frame=is_frame, nbytes=nbytes) + bytes(nbytes) == frame.serialize(mask=False)


@pytest.mark.parametrize("nbytes", [0, 125, 126, 65_535, 65_536])
def test_a_client_says_how_it_masks(nbytes: int) -> None:
    head, masked = (frame_head(is_frame=True, nbytes=nbytes, mask=mask) for mask in (b"", b"1234"))
    assert masked[-4:] == b"1234"
    assert masked[:1] == head[:1]
    assert masked[1] == head[1] | 0x80
    assert masked[2:-4] == head[2:]
