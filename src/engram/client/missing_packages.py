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
        missing = error.name or ""
        package = missing.partition(".")[0]
        if package not in _PACKAGES[extra]:
            raise
        # ``google`` alone is no package.
        name = missing if package == "google" else package
        raise MissingExtra(
            f"the Engram client needs the package {name}; install it with: pip install 'engram-stream[{extra}]'",
            field="extra",
            limit=extra,
            value=name,
        ) from error
