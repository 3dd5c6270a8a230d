"""What becomes of messages: some bits, bytes, values or kinds of them are others than their senders meant."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from campaigns.frames.conversation import Sent

_LENGTH_BYTES: Final = 4
_GROWN_BYTES_MAX: Final = 200
_REPAIRED: Final = 0.99
# In JSON, since some of them can be written only there.
_VALUES: Final = [
    *("null", "true", "0", "-1", "0.5", "1e2", "1e308", "1e309", "-1e-320", "NaN", "-Infinity"),
    *("9007199254740993", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "1" * 400, "1" * 5000),
    *('""', '"x"', '"\\u0000"', '"\\ud800"', '"\\ud83c\\udf0a"', f'"{"x" * 70_000}"', '"default"', '"2020-13-45"'),
    *("[]", "{}", "[[]]", '{"a":1,"a":2}', "[null]", "[1,2,3]", '{"between":[2,1]}', "[" * 300 + "]" * 300, "[" * 2000),
    *('"AAAA"', '"AAA"', "[1e39]", '["a","a"]', '[["vectors","f4",[1,8]]]', '{"\\ud800":1}', "01", "+1", "'x'"),
]
_NAMES: Final = [
    "type",
    "id",
    "ids",
    "space",
    "vector",
    "vectors",
    "arrays",
    "k",
    "follow",
    "sequence_number",
    "vektor",
]


def mutated(chance: Random, message: Sent, others: Sequence[Sent]) -> tuple[Sent, str]:
    """Return a mutated message, and how it was mutated."""
    word = chance.choice(list(_WAYS))
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        message = _WAYS[word](chance, message, others)
    if not message.is_frame and chance.random() < _REPAIRED:
        # A text that is no UTF-8 ends its connection, and what comes behind it is not looked at.
        message = Sent(message.data.decode("utf-8", "replace").encode(), False)
    return message, word


def _bits(chance: Random, message: Sent, others: Sequence[Sent]) -> Sent:
    data = bytearray(message.data or b"\0")
    for _ in range(chance.randrange(1, 9)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return Sent(bytes(data), message.is_frame)


def _cut(chance: Random, message: Sent, others: Sequence[Sent]) -> Sent:
    first, last = sorted(chance.randrange(len(message.data) + 1) for _ in range(2))
    data = message.data[:last] if chance.random() < 0.5 else message.data[:first] + message.data[last:]
    return Sent(data, message.is_frame)


def _grown(chance: Random, message: Sent, others: Sequence[Sent]) -> Sent:
    place = chance.choice([0, len(message.data), chance.randrange(len(message.data) + 1)])
    more = chance.randbytes(chance.randrange(1, _GROWN_BYTES_MAX))
    return Sent(message.data[:place] + more + message.data[place:], message.is_frame)


def _spliced(chance: Random, message: Sent, others: Sequence[Sent]) -> Sent:
    other = chance.choice(others).data
    place, start = chance.randrange(len(message.data) + 1), chance.randrange(len(other) + 1)
    return Sent(message.data[:place] + other[start:], message.is_frame)


def _other(chance: Random, message: Sent, others: Sequence[Sent]) -> Sent:
    return chance.choice(others)


def _of_other_kind(chance: Random, message: Sent, others: Sequence[Sent]) -> Sent:
    return Sent(message.data, not message.is_frame)


def _value(chance: Random, message: Sent, others: Sequence[Sent]) -> Sent:
    """Put another value, or another name, somewhere into the JSON object."""
    start = _LENGTH_BYTES if message.is_frame else 0
    stop = start + int.from_bytes(message.data[:start], "little") if start else len(message.data)
    try:
        whole = json.loads(message.data[start:stop])
    except (ValueError, RecursionError):
        return _bits(chance, message, others)
    # Its place is marked by a text that stands nowhere else.
    marked = json.dumps(_marked(chance, whole), separators=(",", ":"))
    text = marked.replace('"\\u0001mark"', chance.choice(_VALUES)).encode("utf-8", "surrogatepass")
    if not message.is_frame:
        return Sent(text, False)
    made = len(text).to_bytes(_LENGTH_BYTES, "little") + text
    body = message.data[stop + -stop % 8 :]
    return Sent(made + bytes(-len(made) % 8) + body, True)


def _marked(chance: Random, value: Any) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        rest = {key: each for key, each in value.items() if key != name}
        if chance.random() < 0.15:
            return rest
        if chance.random() < 0.15:
            return {**value, chance.choice(_NAMES): "\1mark"}
        return {**rest, name: _marked(chance, value[name])}
    if isinstance(value, list) and value and chance.random() < 0.5:
        place = chance.randrange(len(value))
        return [*value[:place], _marked(chance, value[place]), *value[place + 1 :]]
    return "\1mark"


_WAYS: Final[dict[str, Callable[[Random, Sent, Sequence[Sent]], Sent]]] = {
    "bits": _bits,
    "cut": _cut,
    "grown": _grown,
    "spliced": _spliced,
    "other": _other,
    "kind": _of_other_kind,
    "value": _value,
}
WAYS: Final = tuple(_WAYS)
