"""The JSON object of a frame as servers take it: bounded before it is read, and read by whoever knows its form."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.limits import JSON_BYTES_MAX
from engram.wire.forms.strict_json import parse_object
from engram.wire.frames import read_arrays, split_frame

_PIECE_BYTES: Final = 1024 * 1024
_HEADER: Final = "the header of the frame"


class _Described(msgspec.Struct):
    arrays: Any = None


_read_described: Final = msgspec.json.Decoder(_Described).decode


def read_frame(frame: bytes) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """Return the JSON object of `frame`, which has not been read but for its field ``arrays``, and the arrays.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if the bytes are no frame; ``json_bytes``, if the header is too large.
    """
    text, start = split_frame(frame)
    check_header_size(text)
    try:
        described = _read_described(text).arrays
    except (ValueError, RecursionError):
        # Says precisely what is wrong.
        described = parse_object(text, _HEADER).get("arrays")
    return bytes(text), read_arrays(frame, start, described)


def check_header_size(text: bytes | memoryview) -> None:
    """Check that the header of a frame is not too large: its texts are as large as they are, and the rest is bounded.

    What is outside of texts costs many times its size when it is read.

    Raises
    ------
    InvalidInput
        With code ``json_bytes``.
    """
    if len(text) <= JSON_BYTES_MAX:
        return
    outside = _bytes_outside_texts(bytes(text))
    if outside > JSON_BYTES_MAX:
        raise InvalidInput(
            f"{_HEADER} has {outside} bytes outside of its texts or more, and may have {JSON_BYTES_MAX}; "
            "send it in parts",
            code="json_bytes",
            field=_HEADER,
            limit=JSON_BYTES_MAX,
            value=outside,
        )


def _bytes_outside_texts(text: bytes) -> int:
    """Return how many bytes of JSON are no part of a text, or how many of its beginning if those are too many."""
    if b"\\" in text:
        # What is left of escapes has no quotes, and is as good as no part of the text.
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside, is_inside = 0, False
    # In pieces, because a list of them takes more memory than they do.
    for start in range(0, len(text), _PIECE_BYTES):
        parts = text[start : start + _PIECE_BYTES].split(b'"')
        outside += len(parts) - 1 + sum(map(len, parts[is_inside::2]))
        is_inside ^= len(parts) % 2 == 0
        if outside > JSON_BYTES_MAX:
            break
    return outside
