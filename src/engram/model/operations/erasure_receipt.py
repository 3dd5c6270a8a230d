"""The receipt of an erasure."""

from __future__ import annotations

from dataclasses import dataclass

from engram.showing import one_line


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What says that all that was ever written under some ids has left the files of a space.

    `engram verify --receipt` compares a directory with it. It does not tell the ids to anybody who does not know them.

    Parameters
    ----------
    space, space_id
        Name of the space, and its random id, as 32 hexadecimal digits.
    digests
        A digest of each id: BLAKE2b of 16 bytes, keyed with the id of the space.
    generation
        What was written under the ids up to this generation has been erased.
    count
        Number of observations that this call has removed. If another call erased the same ids, or failed to, it counts
        what was left of them.
    erased_us
        When that was done, in microseconds since 1970 UTC.
    """

    space: str
    space_id: str
    digests: tuple[str, ...]
    generation: int
    count: int
    erased_us: int

    def __repr__(self) -> str:
        return one_line(self)
