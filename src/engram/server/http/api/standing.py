"""Standing recalls over HTTP, which a client continues where it left off.

The id of an event is the generation up to which the client has everything. A browser that lost its stream sends the
last one, and gets what came after that, each once and without a gap. If that generation is not retained any more, the
recall is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engram.errors import InvalidInput
from engram.model.operations.operation import Request
from engram.model.query import Recalled
from engram.server.http.api.streamed import event


class Follower:
    """What one stream has sent, and how its batches are written.

    Parameters
    ----------
    last_id
        Id of the last event that the client has; None for a new stream.
    as_events
        Whether the batches are events; otherwise they are lines.
    """

    def __init__(self, last_id: str | None, *, as_events: bool) -> None:
        # An empty id is what a browser has before the first event.
        self._last_id = last_id or None
        self._as_events = as_events
        self._is_standing = False
        self._was_incomplete = False

    def adapt(self, request: Request[Any], *, follows: bool) -> Request[Any]:
        """Return the request as it is answered: it follows if its path says so, and goes on where the client was.

        Raises
        ------
        InvalidInput
            If the last id is no generation, or there is one and the recall does not follow.
        """
        given: Any = request
        query = replace(given.query, follow=True) if follows and not given.query.follow else given.query
        if self._last_id is not None:
            is_known = self._last_id.isascii() and self._last_id.isdigit() and len(self._last_id) < 19
            if not is_known or not query.follow:
                raise InvalidInput(
                    "Last-Event-ID continues a standing recall, and is the id of one of its events",
                    code="invalid_last_event_id",
                    field="Last-Event-ID",
                    limit="a generation",
                    value=self._last_id[:64],
                )
            query = replace(query, max_generation=int(self._last_id), snapshot_us=None)
        changed: Request[Any] = replace(given, query=query)
        return changed

    def piece(self, batch: Recalled, made: bytes) -> bytes:
        """Return what is written for a batch, of which `made` is the JSON."""
        was_standing, self._is_standing = self._is_standing, self._is_standing or not batch.more
        if self._last_id is not None and not was_standing:
            # The client has what there was up to its last event.
            return b""
        if not self._as_events:
            return made + b"\n"
        if was_standing:
            # A browser hands out no event without data, and keeps its id.
            is_empty = not batch.hits and batch.incomplete is self._was_incomplete
            self._was_incomplete = batch.incomplete
            return event(b"" if is_empty else made, batch.generation)
        self._was_incomplete = batch.incomplete
        # Before the last batch of what there was, the client cannot go on from a generation.
        return event(made, None if batch.more else batch.generation)
