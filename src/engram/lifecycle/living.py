"""What is left in a collection of weak references while other threads let go of what is in it."""

from __future__ import annotations

from typing import TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K")
V = TypeVar("V")


def living_items(weak: WeakValueDictionary[K, V]) -> list[tuple[K, V]]:
    """Return the keys and values of `weak` that are still alive.

    To iterate over `weak`, or over a `WeakSet`, fails now and then ("dictionary changed size during iteration"): when
    the iteration begins, another thread may be about to remove what it has just let go of. All references are therefore
    taken in one step, which no thread can interrupt.
    """
    return [(reference.key, value) for reference in weak.valuerefs() if (value := reference()) is not None]


def living(weak: WeakValueDictionary[K, V]) -> list[V]:
    """Return the values of `weak` that are still alive; see `living_items`."""
    return [value for _, value in living_items(weak)]
