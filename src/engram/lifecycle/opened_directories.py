"""Directories that this process has open: opening one again gives what is open, which closes with its last holder."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar


class Closable(Protocol):
    """What is opened once for a directory. Closing it twice does nothing, or waits for the first call."""

    def close(self) -> None:
        """Close it."""


T = TypeVar("T", bound=Closable)


class Holding(Generic[T]):
    """One caller's share of what is open.

    A holding that is dropped without `release` counts no longer. What it held is then closed by the others, or goes
    when nothing references it.
    """

    def __init__(self, what: T, shared: _Shared[T] | None = None) -> None:
        self.what: Final = what
        self._shared = shared if shared is not None else _Shared(what)
        self._shared.holders.add(self)
        self._released = False

    @property
    def is_released(self) -> bool:
        """Whether `release` was called."""
        return self._released

    def release(self) -> None:
        """Give up the share, and close what was held if nobody else holds it.

        Again, this does nothing, or waits for the close. In a forked child it does nothing.
        """
        shared = self._shared
        if shared.process != os.getpid():
            return
        with shared.guard:
            self._released = True
            shared.holders.discard(self)
            shared.is_closed = shared.is_closed or not shared.holders
        if shared.is_closed:
            self.what.close()


class OpenedDirectories(Generic[T]):
    """What is open in this process, by the identity of its directory. Any thread may call any method.

    A directory has one identity, by whatever path it is reached. A forked child begins without any, because what its
    parent has open is of no use to it.
    """

    def __init__(self) -> None:
        self._begin()

    def open(self, path: str | os.PathLike[str], make: Callable[[], T], check: Callable[[T], None]) -> Holding[T]:
        """Return a holding of what is open in the directory `path`, which `make` opens if nothing is.

        Parameters
        ----------
        path
            The directory, which need not exist yet.
        make
            Opens the directory. Its errors are the caller's.
        check
            Raises if the caller cannot use what is open.
        """
        if self._process != os.getpid():
            self._begin()
        with self._guard:
            opening = self._opening.setdefault(os.path.realpath(path), threading.Lock())
        # Two threads that open the same directory take turns; other directories do not wait.
        with opening:
            while (shared := self._found(path)) is not None:
                with shared.guard:
                    if not shared.is_closed:
                        check(shared.what)
                        return Holding(shared.what, shared)
                # Its last holder is closing it; this waits.
                shared.what.close()
                self._forget(shared)
            holding = Holding(make())
            self._keep(path, holding)
            return holding

    def _begin(self) -> None:
        self._process = os.getpid()
        self._guard = threading.Lock()
        self._opening: weakref.WeakValueDictionary[str, threading.Lock] = weakref.WeakValueDictionary()
        # Weak, so that what nobody holds any more goes.
        self._shared: dict[tuple[int, int], weakref.ref[_Shared[T]]] = {}

    def _found(self, path: str | os.PathLike[str]) -> _Shared[T] | None:
        reference = self._shared.get(_identity(path) or (0, 0))
        return None if reference is None else reference()

    def _keep(self, path: str | os.PathLike[str], holding: Holding[T]) -> None:
        identity = _identity(path)
        if identity is None:
            return
        with self._guard:
            self._shared = {known: one for known, one in self._shared.items() if one() is not None}
            self._shared[identity] = weakref.ref(holding._shared)

    def _forget(self, shared: _Shared[T]) -> None:
        with self._guard:
            self._shared = {known: one for known, one in self._shared.items() if one() is not shared}


class _Shared(Generic[T]):
    """What is open, and who holds it."""

    def __init__(self, what: T) -> None:
        self.what: Final = what
        self.process: Final = os.getpid()
        self.guard: Final = threading.Lock()
        self.holders: Final[weakref.WeakSet[Holding[T]]] = weakref.WeakSet()
        self.is_closed = False


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
