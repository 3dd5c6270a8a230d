"""Files of JSON with a checksum are taken only as they were written."""

from __future__ import annotations

import pytest

from engram.errors import CorruptData
from engram.log.files.checked_json import decode_checked, encode_checked

CONTENT = {"name": "nötes", "segments": [[1, 2], [3, 4]], "closed": True}
DATA = encode_checked(CONTENT)


def is_refused(data: bytes) -> bool:
    with pytest.raises(CorruptData) as caught:
        decode_checked(data, "space.json")
    return caught.value.code == "corrupt_description"


def test_what_was_written_is_read() -> None:
    assert decode_checked(DATA, "space.json") == CONTENT


def test_no_part_of_it_is_taken_for_the_whole() -> None:
    assert all(is_refused(DATA[:length]) for length in range(len(DATA)))


@pytest.mark.parametrize("more", [b"\n", b" ", b"\0", b"x", b"\n" * 4096])
def test_what_was_extended_is_refused(more: bytes) -> None:
    assert is_refused(DATA + more)


def test_no_bit_may_be_another() -> None:
    for bit in range(8 * len(DATA)):
        changed = bytearray(DATA)
        changed[bit // 8] ^= 1 << bit % 8
        assert is_refused(bytes(changed)), (bit, bytes(changed))
