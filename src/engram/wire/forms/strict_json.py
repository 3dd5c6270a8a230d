"""Messages of JSON, read so that all readers understand them alike."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from engram.errors import InvalidInput
from engram.model.values.json_texts import holds_half_pair, strict_decoder

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
