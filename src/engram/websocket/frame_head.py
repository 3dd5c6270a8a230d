"""The head of a frame that is a whole message (RFC 6455, section 5.2)."""

from __future__ import annotations

import struct
from typing import Final

_FINAL_TEXT: Final = 0x81
_FINAL_BINARY: Final = 0x82
_MASKED: Final = 0x80
_HEAD_16_BITS: Final = struct.Struct("!BBH").pack
_HEAD_64_BITS: Final = struct.Struct("!BBQ").pack
_LENGTH_16_BITS: Final = 126
_LENGTH_64_BITS: Final = 127
_LENGTH_16_BITS_MAX: Final = 65_535


def frame_head(*, is_frame: bool, nbytes: int, mask: bytes = b"") -> bytes:
    """Return what stands before a message.

    Parameters
    ----------
    is_frame
        Whether the message is a binary one; a text otherwise.
    nbytes
        Bytes of the message.
    mask
        The four bytes with which a client masks it; a server masks nothing.
    """
    kind = _FINAL_BINARY if is_frame else _FINAL_TEXT
    masked = _MASKED if mask else 0
    if nbytes < _LENGTH_16_BITS:
        return bytes((kind, masked | nbytes)) + mask
    if nbytes <= _LENGTH_16_BITS_MAX:
        return _HEAD_16_BITS(kind, masked | _LENGTH_16_BITS, nbytes) + mask
    return _HEAD_64_BITS(kind, masked | _LENGTH_64_BITS, nbytes) + mask
