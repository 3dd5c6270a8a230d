"""The JSON object of a frame as servers take it: bounded before it is read, and read by whoever knows its form."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from numpy.typing import NDArray

from engram.wire.forms.strict_json import check_json_size, parse_object
from engram.wire.frames import read_arrays, split_frame

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
    check_json_size(text, _HEADER)
    try:
        described = _read_described(text).arrays
    except (ValueError, RecursionError):
        # Says precisely what is wrong.
        described = parse_object(text, _HEADER).get("arrays")
    return bytes(text), read_arrays(frame, start, described)
