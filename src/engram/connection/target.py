"""What the target of a connection means: a server, or a directory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from engram.client.transport_choice import OPENERS
from engram.errors import InvalidInput

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST_AND_PORT: Final = re.compile(r"(?:[^/\\:]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}")
_SHOWN_CHARACTERS_MAX: Final = 100


def is_server(target: str | os.PathLike[str] | None) -> bool:
    """Return whether `target` is the address of a server; otherwise it is a directory, or None.

    Raises
    ------
    InvalidInput
        With code ``invalid_address``, if it has a scheme that no server has, or could be meant either way.
    """
    if not isinstance(target, str):
        return False
    shown = repr(target[:_SHOWN_CHARACTERS_MAX])
    scheme = _SCHEME.match(target)
    if scheme is not None:
        if scheme[1].lower() in OPENERS:
            return True
        known = ", ".join(f"{name}://" for name in ("ws", "wss", "http", "https", "grpc"))
        raise _refused(f"{shown} has a scheme that no server has; pass {known}, or a path", known, shown)
    if target.startswith(("unix:", "unix-abstract:")):
        raise _refused(f"{shown} may be a server or a directory; pass grpc://{target[:80]}", "grpc://unix:path", shown)
    if _HOST_AND_PORT.fullmatch(target):
        raise _refused(
            f"{shown} may be a server or a directory; pass ws://{target} or grpc://{target} for a server, "
            f"or ./{target} for a directory",
            "a scheme, or a path",
            shown,
        )
    return False


def check_of_server(metadata: Mapping[str, str] | None, timeout_s: float | None) -> None:
    """Refuse arguments that apply to servers only; a directory would ignore them.

    Raises
    ------
    InvalidInput
        Naming the argument.
    """
    for name, value in (("metadata", metadata), ("timeout_s", timeout_s)):
        if value is not None:
            raise InvalidInput(
                f"{name} applies to servers, and the target is a directory",
                code="invalid_arguments",
                field=name,
                limit="the address of a server",
                value="a directory",
            )


def _refused(message: str, limit: str, value: str) -> InvalidInput:
    return InvalidInput(message, code="invalid_address", field="target", limit=limit, value=value)
