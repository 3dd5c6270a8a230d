"""Messages of JSON, read so that all readers understand them alike."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from engram.errors import InvalidInput
from engram.model.limits import JSON_BYTES_MAX
from engram.model.values.json_texts import holds_half_pair, strict_decoder

_PIECE_BYTES: Final = 1024 * 1024
_decode: Final = strict_decoder()


def parse_object(text: bytes | bytearray | memoryview, what: str) -> dict[str, Any]:
    """Return the JSON object in `text`.

    Parameters
    ----------
    text
        UTF-8, without a byte order mark.
    what
        Name of the text in the error.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if it is no JSON object, a key occurs twice, a number is not finite, or a text
        holds half of a surrogate pair.
    """
    try:
        decoded = str(text, "utf-8")
        value = _decode(decoded)
        if holds_half_pair(decoded, value):
            raise ValueError("a text holds half of a surrogate pair, which is no character")
    except RecursionError:
        refuse(f"{what} is nested too deeply", what, "a few levels", f"{len(text)} bytes")
    except ValueError as error:
        refuse(f"{what} is no JSON: {error}", what, "a JSON object", f"{len(text)} bytes")
    if not isinstance(value, dict):
        refuse(f"{what} is no JSON object", what, "a JSON object", type(value).__name__)
    return value


def refuse(message: str, field: str, limit: object, value: object) -> NoReturn:
    """Raise the error of a message that cannot be read.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``.
    """
    raise InvalidInput(message, code="malformed_message", field=field, limit=limit, value=value)


def check_json_size(text: bytes | memoryview, what: str) -> None:
    """Check that a JSON object is not too large: its texts are as large as they are, and the rest is bounded.

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
            f"{what} has {outside} bytes of JSON outside of its texts or more, and may have {JSON_BYTES_MAX}; send it "
            "in parts, or its numbers as arrays of a binary frame",
            code="json_bytes",
            field=what,
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
