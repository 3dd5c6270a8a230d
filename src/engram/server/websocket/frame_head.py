"""The head of a frame from a server: a whole message, not masked (RFC 6455, section 5.2)."""

from __future__ import annotations

import struct
from typing import Final

_FINAL_TEXT: Final = 0x81
_FINAL_BINARY: Final = 0x82
_HEAD_16_BITS: Final = struct.Struct("!BBH").pack
_HEAD_64_BITS: Final = struct.Struct("!BBQ").pack
_LENGTH_16_BITS: Final = 126
_LENGTH_64_BITS: Final = 127
_LENGTH_16_BITS_MAX: Final = 65_535


def frame_head(*, is_frame: bool, nbytes: int) -> bytes:
    """Return what stands before a message of `nbytes` bytes: a binary one, or a text."""
    kind = _FINAL_BINARY if is_frame else _FINAL_TEXT
    if nbytes < _LENGTH_16_BITS:
        return bytes((kind, nbytes))
    if nbytes <= _LENGTH_16_BITS_MAX:
        return _HEAD_16_BITS(kind, _LENGTH_16_BITS, nbytes)
    return _HEAD_64_BITS(kind, _LENGTH_64_BITS, nbytes)
