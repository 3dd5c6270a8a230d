"""The receipt of an erasure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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


def joined_receipt(receipts: Sequence[ErasureReceipt]) -> ErasureReceipt:
    """Return the receipt of an erasure whose parts have a receipt each, in their order."""
    if len(receipts) == 1:
        return receipts[0]
    return replace(
        receipts[-1],
        digests=tuple(dict.fromkeys(digest for receipt in receipts for digest in receipt.digests)),
        # Of every id, that much at least has been erased.
        generation=min(receipt.generation for receipt in receipts),
        count=sum(receipt.count for receipt in receipts),
    )
