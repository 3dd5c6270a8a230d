"""Who a store, a space and a segment are: random numbers, never names."""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

ID_BYTES: Final = 16


class Identity(NamedTuple):
    """The random 128-bit ids that everything of a space carries, as 32 hexadecimal digits each.

    Parameters
    ----------
    store
        Of the data directory.
    space
        Of the space; a space that is made anew under an old name is another one.
    incarnation
        Of this course of events. A restored or repaired space begins a new one, because its newest generations and
        sequence numbers may be given to other observations than before.
    """

    store: str
    space: str
    incarnation: str

    @classmethod
    def new(cls, store: str | None = None) -> Identity:
        """A new space, in the data directory `store` or in one of its own."""
        return cls(store or new_id(), new_id(), new_id())


def new_id() -> str:
    """A random 128-bit id."""
    return secrets.token_hex(ID_BYTES)


def new_salt() -> int:
    """The random number that all checksums of a segment start from, so that no other segment's bytes fit into it."""
    return secrets.randbits(32)
