"""A queue without a lock: any number of threads append, one thread reads, and nobody ever waits for another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_NEXT: Final = "next"


class _Link(Generic[T]):
    """An item and the link after it, which is set once and never changed."""

    __slots__ = ("_after", "item")

    def __init__(self, item: T) -> None:
        self.item: Final = item
        self._after: Final[dict[str, _Link[T]]] = {}

    def after(self) -> _Link[T] | None:
        """Return the next link, if there is one yet."""
        return self._after.get(_NEXT)

    def append(self, link: _Link[T]) -> _Link[T]:
        """Make `link` the next one unless there is one already; return the next one."""
        return self._after.setdefault(_NEXT, link)


class LockFreeList(Generic[T]):
    """A linked list that grows at its end, where each item is computed from the last one.

    That makes "decide by the current state, then append" a single step: the item holds the state after it, and an item
    that was computed from an outdated last one is never appended but computed again. An admission that counts what is
    there, adds its own and compares with a limit therefore never exceeds the limit, however many threads admit. A chain
    that nobody reads forgets all but its last item, and so is a single value that many threads update.

    **Lock-free, and why.** Everything rests on one operation that is atomic by construction: ``dict.setdefault`` with a
    ``str`` key is one call into the interpreter's C code, which runs none of our code in between, so of several threads
    that append to one link exactly one succeeds and all see which. The rest are reads and writes of single references.
    A thread that is suspended anywhere, even for good, holds nothing that others need: its link is either appended,
    and then visible to all, or does not exist. A thread only repeats its step when another one has completed its own.
    Readers take no part in any of this; they follow links that never change.

    On builds of CPython without the global interpreter lock the same operations are atomic: ``setdefault`` holds the
    dictionary's own lock for the length of the call, and reads and writes of references are single machine operations
    that order what was written before. There, two threads that append in the same instant do wait for a few
    instructions of each other, inside the interpreter.
    """

    def __init__(self, first: T) -> None:
        # Only a hint: a thread may set it late, to a link that has been followed by others since. From there one finds
        # the end all the same, and the next append sets it right.
        self._hint = _Link(first)

    @property
    def last(self) -> T:
        """The item appended last."""
        return _end(self._hint).item

    def append(self, make: Callable[[T], T]) -> T:
        """Append ``make(last)`` and return it; if `make` raises, nothing is appended.

        `make` is called again when another thread appends at the same moment, so it must have no effects.
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
        """Return a reader of everything that is appended from now on."""
        return ListReader(_end(self._hint))


class ListReader(Generic[T]):
    """One thread's place in a chain."""

    def __init__(self, link: _Link[T]) -> None:
        self._link = link

    def __bool__(self) -> bool:
        """Whether there is something to read."""
        return self._link.after() is not None

    def __iter__(self) -> Iterator[T]:
        """Read on, to the end as it is then."""
        while (link := self._link.after()) is not None:
            self._link = link
            yield link.item


def _end(link: _Link[T]) -> _Link[T]:
    while (after := link.after()) is not None:
        link = after
    return link
