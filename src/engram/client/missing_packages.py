"""The error for packages that the client needs and that are not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final, Literal

from engram.errors import MissingExtra

_PACKAGES: Final = {"client": ("grpc", "google"), "websocket": ("websockets", "msgspec")}


@contextlib.contextmanager
def naming_the_extra(extra: Literal["client", "websocket"] = "client") -> Iterator[None]:
    """Run imports that need the packages of an extra.

    Raises
    ------
    MissingExtra
        If one of them is not installed.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES[extra]:
            raise
        raise MissingExtra(
            f"the Engram client needs the package {error.name}; install it with: pip install 'engram-stream[{extra}]'",
            field="extra",
            limit=extra,
            value=error.name,
        ) from error
