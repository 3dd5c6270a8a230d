"""A batch that is sent to the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engram.errors import EngramError
from engram.model.ack import Ack
from engram.tracing.switch import present_recorder

if TYPE_CHECKING:
    from engram.tracing.recorder import Origin, StageSpan

Answer = Ack | EngramError
"""The answer to a batch: an ack if it is stored, or the error with which it is refused."""


@dataclass(slots=True, eq=False)
class OutgoingBatch:
    """A batch, from the moment the caller hands it over until it is answered.

    Parameters
    ----------
    payload
        The encoded batch that the transport sends. It holds arrays that were copied from the caller's before they were
        encoded, so the caller may reuse its own.
    count, nbytes
        Number of observations, and bytes, that the batch occupies in the client's buffer.
    settle
        Callback, which is called exactly once, with the answer.
    index
        Position of the batch among everything that the caller has handed over.
    first_ids
        Ids of the first few observations, to name the batch in messages.
    first_sequence
        Sequence number of the first observation when the batch was last sent; 0 if it was never sent.
    origin, span
        Where the caller handed it over, and its span from the moment it is taken to be sent; None without tracing.
    """

    payload: Any
    count: int
    nbytes: int
    settle: Callable[[Answer], None]
    index: int = 0
    first_ids: tuple[str, ...] = ()
    first_sequence: int = 0
    origin: Origin | None = None
    span: StageSpan | None = None

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last observation when the batch was last sent."""
        return self.first_sequence + self.count - 1

    @property
    def traceparent(self) -> str:
        """The span of the batch, as it is sent to the server; empty without tracing."""
        return self.span.traceparent if self.span is not None else ""


def origin_here() -> Origin | None:
    """Return where the caller hands something over; None without tracing."""
    recorder = present_recorder()
    return None if recorder is None else recorder.origin()
