"""Identities of stores, spaces and segments. They are random numbers, never names."""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

ID_BYTES: Final = 16


class Identity(NamedTuple):
    """The random 128-bit ids that every part of a space carries, each as 32 hexadecimal digits.

    Parameters
    ----------
    store
        Id of the data directory.
    space
        Id of the space. A space that is created again under an old name has another id.
    incarnation
        Id of the history of the space. A restored or repaired space begins a new incarnation, because its newest
        generations and sequence numbers may be assigned to other observations than before.
    """

    store: str
    space: str
    incarnation: str

    @classmethod
    def new(cls, store: str | None = None) -> Identity:
        """Return the identity of a new space, in the data directory with the id `store` or in a new one."""
        return cls(store or new_id(), new_id(), new_id())


def new_id() -> str:
    """Return a random 128-bit id as 32 hexadecimal digits."""
    return secrets.token_hex(ID_BYTES)


def new_salt() -> int:
    """Return a random 32-bit number for a segment's checksums to start from, so that no other segment's bytes fit."""
    return secrets.randbits(32)
