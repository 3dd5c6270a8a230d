"""JSON files that name their own format and contain a checksum of their content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from crc32c import crc32c

from engram.errors import CorruptData, NewerFormat

# The format that this version writes, and the first version of Engram that reads it.
FORMAT: Final = 2
NEEDS: Final = "0.2.0"
_SUM: Final = "crc32c"
# Write one value per line. `indent` would take three times as long, and the segment list of a large space is long.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n", ": ")).encode


class Encoded(NamedTuple):
    """A JSON value that is encoded once and written many times, because it seldom changes.

    Parameters
    ----------
    text
        The JSON text as written to a file.
    canonical
        The canonical JSON text that the checksum is computed from.
    """

    text: str
    canonical: str


def encoded(value: Any) -> Encoded:
    """Return `value` encoded as JSON."""
    return Encoded(_encode(value), _canonical(value))


def encoded_member(key: str, value: Any) -> Encoded:
    """Return a member of a JSON object, key and value, encoded for `joined`."""
    whole = encoded({key: value})
    return Encoded(whole.text[1:-1], whole.canonical[1:-1])


def joined(members: Sequence[Encoded]) -> Encoded:
    """Return the JSON object of `members`, which `encoded_member` made; their keys rise."""
    return Encoded(
        "{" + ",\n".join([member.text for member in members]) + "}",
        "{" + ",".join([member.canonical for member in members]) + "}",
    )


def encode_checked(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a file with `content`, its format and its checksum. A value may already be `Encoded`."""
    whole = {"format": FORMAT, "needs": NEEDS, **content}
    parts = {key: value if isinstance(value, Encoded) else encoded(value) for key, value in whole.items()}
    canonical = ",".join(f"{_encode(key)}:{parts[key].canonical}" for key in sorted(parts))
    parts[_SUM] = encoded(_sum_of("{" + canonical + "}"))
    return ("{" + ",\n".join(f"{_encode(key)}: {part.text}" for key, part in parts.items()) + "}\n").encode()


def decode_checked(data: bytes, file: str) -> dict[str, Any]:
    """Return the content of a file that `encode_checked` made, without format and checksum.

    Raises
    ------
    NewerFormat
        If a newer version of Engram wrote the file.
    CorruptData
        If the file is not as it was written.
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
    if not data.endswith(b"}\n"):
        # The content is whole, but the file is not as it was written.
        raise _damaged(file, "it does not end as it was written")
    return content


def format_of(data: bytes) -> int | None:
    """Return the format that a file claims to have, or None if the file does not show a format."""
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
