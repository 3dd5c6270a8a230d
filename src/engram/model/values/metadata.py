"""Metadata: encoding, checks and decoding of JSON objects.

`check_metadata` accepts only objects that all JSON readers understand alike. It refuses NaN and infinities, numbers
that do not fit 64 bits, keys that occur twice, lone surrogates, and objects that are nested too deeply or have too many
keys. `read_metadata` never raises, because an older version may have stored metadata that this one refuses.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, Final, TypeAlias

from engram.errors import InvalidInput
from engram.model.limits import METADATA_DEPTH_MAX, METADATA_KEYS_MAX
from engram.model.values.json_texts import HALF_PAIR, holds_half_pair, strict_decoder
from engram.model.values.plain_values import plain_value
from engram.model.values.scalars import shown

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""What metadata hold: the values of JSON."""

# Nearly all readers of JSON change or refuse whole numbers beyond 64 bits.
WHOLE_MIN: Final = -(2**63)
WHOLE_MAX: Final = 2**64 - 1
# A number of at most this many characters, sign included, always fits 64 bits.
_DIGITS_SURE: Final = 18
# A shorter text cannot have too many levels or keys.
_EXTENT_BYTES_SURE: Final = min(2 * METADATA_DEPTH_MAX, 4 * METADATA_KEYS_MAX)
# A random separator, which no metadata contain.
_BETWEEN: Final = secrets.token_hex(16)
_logger: Final = logging.getLogger(__name__)
_unreadable_logged: Final = Event()


def encode_metadata(metadata: Mapping[str, Any] | str | None, field: str) -> str:
    """Return `metadata` as JSON text, ``""`` for None.

    A text is returned unchanged; `check_metadata` checks it. What JSON does not have is encoded as `plain_value` says.

    Raises
    ------
    InvalidInput
        With code ``invalid_metadata``, naming `field`, if `metadata` is not a mapping, a text or None, or holds values
        that JSON cannot express.
    """
    if metadata is None:
        return ""
    if isinstance(metadata, str):
        return metadata
    if type(metadata) is not dict and not isinstance(metadata, Mapping):
        raise _refused(field, f"is {shown(metadata)}; pass a mapping, a JSON object as text, or None", "a mapping")
    try:
        return _encode(metadata if type(metadata) is dict else dict(metadata))
    except RecursionError as error:
        raise _refused(field, f"is nested deeper than {METADATA_DEPTH_MAX} levels", METADATA_DEPTH_MAX) from error
    except (TypeError, ValueError) as error:
        raise _refused(field, f"is not a JSON object: {error}", "a JSON object") from error


def check_metadata(text: str, field: str) -> dict[str, Any]:
    """Return the JSON object that `text` stands for, if it keeps the limits; `text` must not be empty.

    Raises
    ------
    InvalidInput
        With code ``invalid_metadata``, naming `field` and the problem.
    """
    value = parse_json(text, field)
    if not isinstance(value, dict):
        raise _refused(field, 'is not a JSON object, such as {"key": 1}', "a JSON object", text[:40])
    return value


def check_metadata_column(texts: Sequence[str]) -> list[dict[str, Any] | None]:
    """Return the JSON object of every row, None for an empty text; this is cheaper than `check_metadata` for each.

    Raises
    ------
    InvalidInput
        With code ``invalid_metadata``, naming the row and the problem.
    """
    present = [text for text in texts if text]
    together = _parse_together(present) if present else []
    if together is None:
        return [check_metadata(text, f"metadata[{row}]") if text else None for row, text in enumerate(texts)]
    if len(present) == len(texts):
        return together
    objects = iter(together)
    return [next(objects) if text else None for text in texts]


def parse_json(text: str, field: str) -> Any:
    """Return the value of a JSON text, which must keep the limits of metadata.

    Raises
    ------
    InvalidInput
        With code ``invalid_metadata``, naming `field` and the problem.
    """
    try:
        value = _decode(text)
    except RecursionError as error:
        raise _refused(field, f"is nested deeper than {METADATA_DEPTH_MAX} levels", METADATA_DEPTH_MAX) from error
    except ValueError as error:
        raise _refused(field, f"is not a JSON object: {error}", "a JSON object", text[:40]) from error
    if not _is_small(text):
        _check_extent(value, field)
    if holds_half_pair(text, value):
        raise _refused(field, "holds half of a surrogate pair, which is no character", "UTF-8", text[:40])
    return value


def read_metadata(text: str) -> dict[str, Any] | None:
    """Return the object that is stored as `text`; None if there is none or it cannot be read. Never raises."""
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not _unreadable_logged.is_set():
            _unreadable_logged.set()
            _logger.warning("stored metadata cannot be read (%s); recalls do not filter by it", error)
        return None
    return value if isinstance(value, dict) else None


def read_metadata_column(texts: list[str]) -> list[dict[str, Any] | None]:
    """Apply `read_metadata` to every row; this is cheaper than reading the rows one by one."""
    try:
        # All rows are decoded as one document. Decoding them one by one costs several times as much.
        column: list[Any] = json.loads(f"[{','.join(text or 'null' for text in texts)}]")
    except (ValueError, RecursionError):
        column = []
    if len(column) != len(texts):
        return list(map(read_metadata, texts))
    return [value if isinstance(value, dict) else None for value in column]


def _parse_together(texts: Sequence[str]) -> list[dict[str, Any] | None] | None:
    """Return the objects of `texts` if all are certainly valid, None if each of them must be checked."""
    between = f',"{_BETWEEN}",'
    joined = f'["{_BETWEEN}",{between.join(texts)}]'
    try:
        column: list[Any] = _decode(joined)
    except (ValueError, RecursionError):
        return None
    objects = column[1::2]
    # The separators prove that no text continues in the next one, as `{"a":[1` would in `2]}`.
    are_apart = len(column) == 2 * len(texts) and column[::2] == [_BETWEEN] * len(texts)
    is_valid = (
        are_apart
        and set(map(type, objects)) == {dict}
        and not HALF_PAIR.search(joined)
        and all(len(text) < _EXTENT_BYTES_SURE or _is_small(text) for text in texts)
    )
    return objects if is_valid else None


def _is_small(text: str) -> bool:
    """Return whether `text` has so few brackets and colons that it cannot have too many levels or keys."""
    return text.count("{") + text.count("[") <= METADATA_DEPTH_MAX and text.count(":") <= METADATA_KEYS_MAX


def _check_extent(value: Any, field: str) -> None:
    keys = 0
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                keys += len(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        depth += any(isinstance(item, dict | list) for item in level)
        level = below
    if depth > METADATA_DEPTH_MAX:
        raise _refused(field, f"is nested {depth} levels deep; allowed are {METADATA_DEPTH_MAX}", METADATA_DEPTH_MAX)
    if keys > METADATA_KEYS_MAX:
        raise _refused(field, f"has {keys} keys; allowed are {METADATA_KEYS_MAX}", METADATA_KEYS_MAX, str(keys))


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS_SURE and (len(digits) > 20 or not WHOLE_MIN <= int(digits) <= WHOLE_MAX):
        raise ValueError(f"the number {digits[:24]} does not fit 64 bits; pass it as a text")
    return int(digits)


_decode: Final = strict_decoder(_whole)


def _encoder(slow: json.JSONEncoder) -> Callable[[dict[str, Any]], str]:
    """Return what does the same as `slow.encode`, but is prepared once, and not anew for each object."""
    prepare: Any = getattr(json.encoder, "c_make_encoder", None)
    if prepare is None:
        return slow.encode
    # Without a record of the objects it is in, it cannot tell a circle from depth; `slow` can.
    chunks = prepare(
        None,
        slow.default,
        json.encoder.encode_basestring,
        None,
        slow.key_separator,
        slow.item_separator,
        False,
        False,
        False,
    )

    def encode(value: dict[str, Any]) -> str:
        try:
            return "".join(chunks(value, 0))
        except RecursionError:
            return slow.encode(value)

    return encode


_encode: Final = _encoder(
    json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=plain_value)
)


def _refused(field: str, problem: str, limit: object, value: str = "") -> InvalidInput:
    value = value.encode("ascii", "backslashreplace").decode()
    return InvalidInput(f"{field} {problem}", code="invalid_metadata", field=field, limit=limit, value=value)
