"""JSON files that say which format they are of and carry a checksum of themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from crc32c import crc32c

from engram.errors import CorruptData, NewerFormat

# What this version writes, and the first version of Engram that reads it.
FORMAT: Final = 2
NEEDS: Final = "0.2.0"
_SUM: Final = "crc32c"
# A line for each value; `indent` would take three times as long, and the list of a large space's segments is long.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n", ": ")).encode


class Encoded(NamedTuple):
    """JSON of a value that goes into many files and seldom changes.

    Parameters
    ----------
    text
        As it stands in a file.
    canonical
        As the checksum is taken of it.
    """

    text: str
    canonical: str


def encoded(value: Any) -> Encoded:
    """`value` in JSON."""
    return Encoded(_encode(value), _canonical(value))


def encode_checked(content: Mapping[str, Any]) -> bytes:
    """The file with `content`, to which format and checksum are added. A value may be `Encoded` already."""
    whole = {"format": FORMAT, "needs": NEEDS, **content}
    parts = {key: value if isinstance(value, Encoded) else encoded(value) for key, value in whole.items()}
    canonical = ",".join(f"{_encode(key)}:{parts[key].canonical}" for key in sorted(parts))
    parts[_SUM] = encoded(_sum_of("{" + canonical + "}"))
    return ("{" + ",\n".join(f"{_encode(key)}: {part.text}" for key, part in parts.items()) + "}\n").encode()


def decode_checked(data: bytes, file: str) -> dict[str, Any]:
    """The content of a file that `encode_checked` made, without format and checksum.

    Raises
    ------
    NewerFormat
        If a newer version wrote it.
    CorruptData
        If it is not as it was written.
    """
    try:
        content = json.loads(data)
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        found = content.pop(_SUM, None)
        is_whole = found == _sum_of(_canonical(content))
    except (ValueError, RecursionError) as error:
        raise _damaged(file, f"{error}") from error
    written, needs = content.pop("format", None), content.pop("needs", None)
    if isinstance(written, int) and written > FORMAT and (is_whole or found is None):
        raise NewerFormat(
            f"{file} is of format {written}, which Engram {needs or 'of a later version'} reads; this one knows "
            f"formats up to {FORMAT}",
            field=file,
            limit=FORMAT,
            value=written,
        )
    if not is_whole:
        raise _damaged(file, "its content does not fit its checksum")
    return content


def format_of(data: bytes) -> int | None:
    """The format a file says it is of, or None if it says nothing that can be read."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    written = content.get("format") if isinstance(content, dict) else None
    return written if isinstance(written, int) else None


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _sum_of(canonical: str) -> str:
    return f"{crc32c(canonical.encode()):08x}"


def _damaged(file: str, why: str) -> CorruptData:
    return CorruptData(f"{file} is damaged: {why}", code="corrupt_description", field=file)
