"""The bytes in front of a protobuf field, for fields whose contents are at hand as bytes already.

Protobuf takes numbers and bytes one by one or copies them several times. A field may be written without it, because the
encoding of a message is that of its fields, in any order.
"""

from __future__ import annotations

from typing import Final

_VARINT: Final = 0
_LENGTH_DELIMITED: Final = 2


def varint(number: int) -> bytes:
    """Return a number of 0 or more as protobuf writes it: seven bits in each byte, the lowest first."""
    septets = bytearray()
    while number > 0x7F:
        septets.append(number & 0x7F | 0x80)
        number >>= 7
    septets.append(number)
    return bytes(septets)


def number_tag(field: int) -> bytes:
    """Return the tag of field number `field` if it holds one whole number, which follows as a `varint`."""
    return varint(field << 3 | _VARINT)


def bytes_tag(field: int) -> bytes:
    """Return the tag of field number `field` if its length, as a `varint`, and so many bytes follow.

    These are the fields of bytes, texts and messages, and repeated numbers, which are packed.
    """
    return varint(field << 3 | _LENGTH_DELIMITED)
