"""What a client sends beside each request, such as a credential."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from engram.errors import InvalidInput

_KEY: Final = re.compile(r"[0-9a-z_.-]+")
_VALUE: Final = re.compile(r"[ -~]*")


def check_call_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return `metadata` with keys in lower case; every transport can send what passes. None becomes an empty mapping.

    Raises
    ------
    InvalidInput
        If a key or a value is not what a header can hold. The error names the key and never the value, which may be a
        secret.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise _invalid(f"metadata is of type {type(metadata).__name__}, not a mapping", "metadata")
    checked = {}
    for key, value in metadata.items():
        name = key.lower() if isinstance(key, str) else ""
        if not _KEY.fullmatch(name) or name.startswith("grpc-") or name.endswith("-bin"):
            raise _invalid(f"metadata cannot have the key {key!r}", repr(key))
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise _invalid(f"the value of metadata key {key!r} is not a text of printable ASCII characters", repr(key))
        checked[name] = value
    return checked


def _invalid(message: str, value: str) -> InvalidInput:
    return InvalidInput(
        f"{message}; pass a mapping such as {{'authorization': 'Bearer ...'}}",
        code="invalid_call_metadata",
        field="metadata",
        limit="keys of a-z, 0-9, '_', '.', '-'; values of printable ASCII",
        value=value,
    )
