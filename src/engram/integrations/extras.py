"""What an integration says where the library that it joins to Engram is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engram.errors import MissingExtra


@contextmanager
def importing(library: str, *, package: str, distribution: str, extra: str) -> Iterator[None]:
    """Say what to install if an import inside the block does not find a library.

    Parameters
    ----------
    library
        Name of the library, for people.
    package
        The package that is imported.
    distribution
        What it is called where it is installed from.
    extra
        The extra of Engram that installs it.

    Raises
    ------
    MissingExtra
        If `package` is not there. Other errors pass unchanged.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingExtra(
            f"{library} on Engram needs the package {distribution}; install it with: "
            f"pip install 'engram-stream[{extra}]'",
            field="extra",
            limit=extra,
            value=distribution,
        ) from error
