"""The batches that a stream takes from its send buffer, and the answers that it returns to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engram.client.losses import NAMED_MAX
from engram.client.sending.micro_batch import OpenBatch, seal, settle_rows
from engram.client.sending.outgoing_batch import Answer, OutgoingBatch
from engram.client.sending.send_buffer import SendBuffer
from engram.errors import EngramError
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig

if TYPE_CHECKING:
    from engram.tracing.recorder import StageSpan


class BatchSource:
    """Takes batches from a send buffer, encoded, and settles them there. Used on the stream's event loop only.

    Parameters
    ----------
    outbox
        The buffer.
    config
        Settings of the space; single observations are checked against them when they are taken as a batch.
    encode
        Encodes a checked batch for the transport.
    """

    def __init__(self, outbox: SendBuffer, config: SpaceConfig, encode: Callable[[ObservationBatch], Any]) -> None:
        self._outbox = outbox
        self._config = config
        self._encode = encode

    def take(self) -> OutgoingBatch | None:
        """Remove and return the oldest batch; None if it consists of observations all of which are refused.

        There must be one, see `SendBuffer.next_count`.
        """
        item = self._outbox.take()
        outgoing = self._seal(item) if isinstance(item, OpenBatch) else item
        if outgoing is not None and outgoing.origin is not None:
            outgoing.span = outgoing.origin.begin("engram.submit", space=self._config.name, count=outgoing.count)
        return outgoing

    def settle(self, outgoing: OutgoingBatch, answer: Answer) -> None:
        """Pass `answer` to the callers of a batch that was taken, and free its room."""
        outgoing.settle(answer)
        if outgoing.span is not None:
            _end(outgoing.span, answer)
        self._outbox.settled(outgoing.index, outgoing.count, outgoing.nbytes, answer, outgoing.first_ids)

    def fail(self, error: EngramError) -> None:
        """Answer everything that was not taken with `error`, and refuse further additions."""
        for item in self._outbox.close(error):
            if isinstance(item, OpenBatch):
                settle_rows(item.settles)(error)
                first_ids = [row.id for row in item.rows[:NAMED_MAX]]
                self._outbox.settled(item.index, item.count, item.nbytes, error, first_ids)
            else:
                self.settle(item, error)

    def _seal(self, rows: OpenBatch) -> OutgoingBatch | None:
        sealed = seal(rows, self._config, self._encode)
        nbytes = rows.nbytes
        for row, settle, error in sealed.refused:
            settle(error)
            nbytes -= row.nbytes
            self._outbox.settled(None, 1, row.nbytes, error, (row.id,))
        if sealed.payload is None:
            self._outbox.settled(rows.index, 0, 0, sealed.refused[0][2])
            return None
        settle_all = settle_rows(sealed.settles)
        return OutgoingBatch(
            sealed.payload,
            len(sealed.settles),
            nbytes,
            settle_all,
            rows.index,
            sealed.first_ids,
            origin=rows.origin,
        )


def _end(span: StageSpan, answer: Answer) -> None:
    if isinstance(answer, EngramError):
        span.end(answer)
    else:
        span.end(first_generation=answer.first_generation, last_generation=answer.last_generation)
