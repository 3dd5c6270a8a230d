"""Messages that came together are taken together, and everything else comes to the parser as it is."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from engram import _core
from engram.server.websocket.frame_reader import MessageProtocol, Together

SIZE_MAX = 100_000
FRAME = st.builds(
    lambda opcode, data, is_last, length: masked(opcode, data, is_last=is_last, length=length),
    st.sampled_from([0x0, 0x1, 0x1, 0x2, 0x2, 0x3, 0x9, 0xA, 0x41]),
    st.binary(max_size=20) | st.text(max_size=200).map(str.encode) | st.just(b"x" * 65_535) | st.just(b"y" * 65_536),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([0, 0, 16, 64]),
)


def masked(kind: int, data: bytes, *, is_last: bool = True, length: int = 0) -> bytes:
    """A frame of a client, whose length is written in more bits than it takes, if `length` says so."""
    head = bytes([kind | (0x80 if is_last else 0)])
    if len(data) >= 1 << 16 or length == 64:
        head += b"\xff" + len(data).to_bytes(8, "big")
    elif len(data) > 125 or length == 16:
        head += b"\xfe" + len(data).to_bytes(2, "big")
    else:
        head += bytes([0x80 | len(data)])
    mask = b"\x01\x82\x43\xc4"
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))


def protocol(*, takes_together: bool) -> MessageProtocol:
    made = MessageProtocol(max_size=SIZE_MAX, logger=logging.getLogger("test"))
    made.state = State.OPEN
    made.parser = made.parse()
    next(made.parser)
    made.takes_together = takes_together
    return made


def outcome(made: MessageProtocol, parts: list[bytes]) -> list[Any]:
    """What came, in order, what is said of it, and how it ended."""
    seen: list[Any] = []
    for part in parts:
        made.receive_data(part)
        for event in made.events_received():
            if isinstance(event, Together):
                seen += [
                    (Opcode.BINARY if is_binary else Opcode.TEXT, data, True) for data, is_binary in event.messages
                ]
            elif isinstance(event, Frame):
                seen.append((event.opcode, bytes(event.data), event.fin))
    return [seen, made.data_to_send(), made.state, str(made.parser_exc)]


@given(frames=st.lists(FRAME, max_size=8), cuts=st.lists(st.integers(0, 1000), max_size=8), tail=st.binary(max_size=3))
def test_what_is_taken_together_is_what_the_parser_takes(frames: list[bytes], cuts: list[int], tail: bytes) -> None:
    data = b"".join(frames) + tail
    places = [0, *sorted(cut * len(data) // 1000 for cut in cuts), len(data)]
    parts = [data[start:stop] for start, stop in itertools.pairwise(places)]
    assert outcome(protocol(takes_together=True), parts) == outcome(protocol(takes_together=False), parts)


def test_messages_that_came_together_are_one_event() -> None:
    made = protocol(takes_together=True)
    made.receive_data(masked(1, "ä".encode()) + masked(2, b"\xff") + masked(1, b"") + masked(1, b"half")[:-1])
    (event,) = made.events_received()
    assert isinstance(event, Together)
    assert event.messages == [("ä".encode(), False), (b"\xff", True), (b"", False)]
    # What is not whole stays where the next part is put behind it.
    assert len(made.reader.buffer) == len(masked(1, b"half")) - 1
    made.receive_data(masked(1, b"half")[-1:] + masked(9, b"ping"))
    assert [type(each) for each in made.events_received()] == [Together, Frame]


@pytest.mark.parametrize("stop", range(1, 10))
def test_an_end_in_the_middle_of_a_message_is_an_error(stop: int) -> None:
    made = protocol(takes_together=True)
    made.receive_data(masked(1, b"whole") + masked(1, b"half")[:stop])
    made.receive_eof()
    assert isinstance(made.parser_exc, EOFError)


def test_what_is_larger_than_permitted_is_left_to_the_parser() -> None:
    frame = masked(2, b"x" * 101)
    assert _core.take_frames(frame, 100) == ([], 0, False)
    assert _core.take_frames(frame, 101) == ([(b"x" * 101, True)], len(frame), False)
    assert _core.take_frames(frame[:50], 100) == ([], 0, False)
    assert _core.take_frames(b"", 100) == ([], 0, False)
    assert _core.take_frames(masked(1, b"a") + frame[:2], 101) == ([(b"a", False)], 7, True)


def test_a_text_that_is_no_utf8_is_left_to_the_parser() -> None:
    frames = bytearray(masked(1, b"a") + masked(1, b"\xff") + masked(1, b"b"))
    assert _core.take_frames(frames, 100) == ([(b"a", False)], 7, False)
