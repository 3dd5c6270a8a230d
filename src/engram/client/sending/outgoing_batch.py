"""One batch on its way to the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engram.client.ack import Ack
from engram.errors import EngramError

Answer = Ack | EngramError
"""How a batch ends: stored, or refused with the reason."""


@dataclass(slots=True, eq=False)
class OutgoingBatch:
    """A batch that the client owes the server, from the moment the caller hands it over until it is answered.

    Parameters
    ----------
    payload
        What the transport sends. It already holds a copy of the caller's data, so the caller may reuse its arrays.
    count, nbytes
        What it occupies of the client's buffer.
    settle
        Called exactly once, with the answer.
    index
        Position among everything the caller has handed over.
    first_ids
        The first few ids in it, to name it by.
    first_sequence
        Number under which it was last sent; 0 if never.
    """

    payload: Any
    count: int
    nbytes: int
    settle: Callable[[Answer], None]
    index: int = 0
    first_ids: tuple[str, ...] = ()
    first_sequence: int = 0

    @property
    def last_sequence(self) -> int:
        """Number of its last observation."""
        return self.first_sequence + self.count - 1
