"""The error for packages that the client needs and that are not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from engram.errors import MissingExtra


@contextlib.contextmanager
def naming_the_extra() -> Iterator[None]:
    """Run imports that need the packages of the extra ``client``.

    Raises
    ------
    MissingExtra
        If one of them is not installed.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("grpc", "google"):
            raise
        raise MissingExtra(
            f"the Engram client needs the package {error.name}; install it with: pip install 'engram-stream[client]'",
            field="extra",
            limit="client",
            value=error.name,
        ) from error
