"""The store that an adapter keeps its data in: that of its caller, or one that it has opened itself."""

from __future__ import annotations

import inspect
import os
from types import TracebackType
from typing import Any, Self, TypeAlias

from engram.connection import AnyStore, AsyncAnyStore, connect
from engram.errors import FailedPrecondition

Target: TypeAlias = "AnyStore | str | os.PathLike[str] | None"
"""A store, the address of a server, the path of a data directory, or None for a store in memory."""


class StoreAdapter:
    """The base class of adapters that keep their data in a space of a store, and close the store if they opened it.

    Parameters
    ----------
    target
        A store of `engram.connect` or `engram.connect_async`, which stays the caller's to close; or what
        `engram.connect` takes, such as the path of a directory or the address of a server: then `close` closes it.
    space
        Name of the space.

    Raises
    ------
    EngramError
        What `engram.connect` raises for the target.
    """

    def __init__(self, target: Target | AsyncAnyStore, space: str) -> None:
        given: Any = target
        self._name = space
        self._own: AnyStore | None = None
        self._blocking: AnyStore | None = None
        self._coroutines: AsyncAnyStore | None = None
        if not callable(getattr(given, "space", None)):
            # Also what is no target at all: `connect` says what to pass instead.
            self._own = self._blocking = connect(given)
        elif inspect.iscoroutinefunction(given.space):
            # An embedded store for coroutines has a blocking one inside; that of a server has none.
            self._coroutines, self._blocking = given, getattr(given, "blocking", None)
        else:
            self._blocking = given

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._coroutines or self._blocking!r}, space={self._name!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, if it was opened here. A second call does nothing."""
        if self._own is not None:
            self._own.close()

    @property
    def _store(self) -> AnyStore:
        """The store for calls that wait.

        Raises
        ------
        FailedPrecondition
            If there is one for coroutines alone.
        """
        if self._blocking is None:
            raise FailedPrecondition(
                f"{self._coroutines!r} is for coroutines alone, and this call waits; pass a store of engram.connect",
                field="target",
                limit="a store of engram.connect",
                value=type(self._coroutines).__name__,
            )
        return self._blocking
