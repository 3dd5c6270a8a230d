"""The messages of a client as frames, which are masked (RFC 6455, section 5.3)."""

from __future__ import annotations

import secrets
from typing import Final

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # The compiled one, if any.

from engram.websocket.frame_head import frame_head

_COPIED_BYTES_MAX: Final = 131_072


def masked_frame(message: bytes | bytearray, *, is_frame: bool) -> list[bytes]:
    """Return what is to be written for a message: one piece, or head and message if it is too large to be copied."""
    mask = secrets.token_bytes(4)
    head = frame_head(is_frame=is_frame, nbytes=len(message), mask=mask)
    masked = apply_mask(message, mask)
    return [head + masked] if len(message) < _COPIED_BYTES_MAX else [head, masked]
