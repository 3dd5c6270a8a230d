"""A queue without locks: any number of threads append, one thread reads, and no thread ever waits for another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_NEXT: Final = "next"


class _Link(Generic[T]):
    """An item and a reference to the next link, which is set once and never changed."""

    __slots__ = ("_after", "item")

    def __init__(self, item: T) -> None:
        self.item: Final = item
        self._after: Final[dict[str, _Link[T]]] = {}

    def after(self) -> _Link[T] | None:
        """Return the next link, or None if there is none yet."""
        return self._after.get(_NEXT)

    def append(self, link: _Link[T]) -> _Link[T]:
        """Set `link` as the next link unless one is set already; return the next link."""
        return self._after.setdefault(_NEXT, link)


class LockFreeList(Generic[T]):
    """A linked list that grows at its end. Each item is computed from the last one.

    This makes "decide by the current state, then append" a single atomic step: each item holds the state after it, and
    an item computed from an outdated last item is not appended but computed again. An admission that adds its own
    amount to the current total and compares the sum with a limit therefore never exceeds the limit, however many
    threads admit. A list that nobody reads keeps only its last item in memory, so it also serves as one value that many
    threads update.

    **Why it is lock-free.** Everything rests on one operation that is atomic by construction: ``dict.setdefault`` with
    a ``str`` key. It is one call into the interpreter's C code, which runs no Python code in between, so of several
    threads that append to one link exactly one succeeds, and all see which. All other operations are reads and writes
    of single references. A thread that is suspended anywhere, even forever, holds nothing that other threads need: its
    link is either appended and visible to all threads, or does not exist. A thread repeats its step only after another
    thread has completed its own. Readers only follow links that never change.

    On builds of CPython without the global interpreter lock the same operations are atomic: ``setdefault`` holds the
    dictionary's own lock during the call, and reads and writes of references are single machine operations that are
    ordered after earlier writes. On these builds, two threads that append at the same instant do wait for each other
    for a few instructions, inside the interpreter.
    """

    def __init__(self, first: T) -> None:
        # Only a hint: a thread may set it late, to a link that other links already follow. The end can still be reached
        # from there, and the next append corrects the hint.
        self._hint = _Link(first)

    @property
    def last(self) -> T:
        """The item appended last."""
        return _end(self._hint).item

    def append(self, make: Callable[[T], T]) -> T:
        """Append ``make(last)`` and return it. If `make` raises, nothing is appended.

        `make` is called again when another thread appends at the same moment, so it must have no side effects.
        """
        link = self._hint
        while True:
            link = _end(link)
            new = _Link(make(link.item))
            link = link.append(new)
            if link is new:
                self._hint = new
                return new.item

    def reader(self) -> ListReader[T]:
        """Return a reader of all items that are appended from now on."""
        return ListReader(_end(self._hint))


class ListReader(Generic[T]):
    """The read position of one thread in a `LockFreeList`."""

    def __init__(self, link: _Link[T]) -> None:
        self._link = link

    def __bool__(self) -> bool:
        """Return whether there is an unread item."""
        return self._link.after() is not None

    def __iter__(self) -> Iterator[T]:
        """Yield unread items until none is left, including items appended during the iteration."""
        while (link := self._link.after()) is not None:
            self._link = link
            yield link.item


def _end(link: _Link[T]) -> _Link[T]:
    while (after := link.after()) is not None:
        link = after
    return link
