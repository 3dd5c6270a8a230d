"""Standing recalls and change feeds over HTTP, which a client continues where it left off.

The id of an event is the generation up to which the client has everything, and the beginning of the id of its space. A
browser that lost its stream sends the last one, and gets what came after that, each once and without a gap. If that
generation is not retained any more, or is one of a space that had the name before, the request is refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.following.change import Changes
from engram.model.operations.operation import Request
from engram.model.query import Recalled
from engram.server.http.api.streamed import event
from engram.wire.forms.results import encode_streamed

# So many characters of an id tell spaces of one name apart.
_ID_CHARACTERS: Final = 8

Result = TypeVar("Result")


class Follower(ABC, Generic[Result]):
    """What one stream has sent, and how its results are written.

    Parameters
    ----------
    last_id
        Id of the last event that the client has; None for a new stream.
    as_events
        Whether the results are events; otherwise they are lines.
    space_id
        Returns the id of the space, which is asked for once the caller has been authorized; empty if it has none.
    """

    def __init__(self, last_id: str | None, *, as_events: bool, space_id: Callable[[], str] = str) -> None:
        # An empty id is what a browser has before the first event.
        self._last_id = last_id or None
        self._as_events = as_events
        self._find_space_id = space_id
        self._space_id = ""

    @abstractmethod
    def adapt(self, request: Request[Any]) -> Request[Any]:
        """Return the request as it is answered: it goes on where the client was.

        Raises
        ------
        InvalidInput
            If the last id is none of an event, or there is one and the request does not follow.
        FailedPrecondition
            With code ``other_incarnation``, if it is of an event of another space.
        """

    @abstractmethod
    def written(self, result: Result, *, vectors: bool) -> bytes:
        """Return what is written for a result, whose hits have their vectors or not. Raises as `encode_streamed`."""

    def _place(self, *, follows: bool) -> int | None:
        """Return the generation after which the client goes on; None for a new stream. Raises as `adapt`."""
        self._space_id = self._find_space_id()[:_ID_CHARACTERS]
        if self._last_id is None:
            return None
        generation, _, space_id = self._last_id.partition("-")
        is_known = generation.isascii() and generation.isdigit() and len(generation) < 19
        if not is_known or not follows:
            raise InvalidInput(
                "Last-Event-ID continues a standing recall or a change feed, and is the id of one of its events",
                code="invalid_last_event_id",
                field="Last-Event-ID",
                limit="the id of an event",
                value=self._last_id[:64],
            )
        if space_id and space_id != self._space_id:
            raise FailedPrecondition(
                "the space was made anew since that event, so its generations are others; follow anew",
                code="other_incarnation",
                field="Last-Event-ID",
                limit=self._space_id,
                value=self._last_id[:64],
            )
        return int(generation)

    def _id_at(self, generation: int) -> str:
        return f"{generation}-{self._space_id}" if self._space_id else f"{generation}"


class RecallFollower(Follower[Recalled]):
    """A recall in batches, which may be a standing one.

    Parameters
    ----------
    last_id, as_events, space_id
        As for `Follower`.
    follows
        Whether the recall follows, whatever the request says.
    """

    def __init__(
        self, last_id: str | None, *, as_events: bool, follows: bool, space_id: Callable[[], str] = str
    ) -> None:
        super().__init__(last_id, as_events=as_events, space_id=space_id)
        self._follows = follows
        self._is_standing = False
        self._was_incomplete = False

    def adapt(self, request: Request[Any]) -> Request[Any]:
        """Return the request as it is answered; see `Follower.adapt`."""
        given: Any = request
        query = replace(given.query, follow=True) if self._follows and not given.query.follow else given.query
        place = self._place(follows=query.follow)
        if place is not None:
            query = replace(query, max_generation=place, snapshot_us=None)
        changed: Request[Any] = replace(given, query=query)
        return changed

    def written(self, result: Recalled, *, vectors: bool) -> bytes:
        """Return what is written for a batch; see `Follower.written`."""
        return self.piece(result, encode_streamed(result, vectors=vectors))

    def piece(self, batch: Recalled, made: bytes) -> bytes:
        """Return what is written for a batch, of which `made` is the JSON."""
        was_standing, self._is_standing = self._is_standing, self._is_standing or not batch.more
        if self._last_id is not None and not was_standing:
            # The client has what there was up to its last event.
            return b""
        if not self._as_events:
            return made + b"\n"
        id = self._id_at(batch.generation)
        if was_standing:
            # A browser hands out no event without data, and keeps its id.
            is_empty = not batch.hits and batch.incomplete is self._was_incomplete
            self._was_incomplete = batch.incomplete
            return event(b"" if is_empty else made, id)
        self._was_incomplete = batch.incomplete
        # Before the last batch of what there was, the client cannot go on from a generation.
        return event(made, None if batch.more else id)


class ChangesFollower(Follower[Changes]):
    """A change feed."""

    def adapt(self, request: Request[Any]) -> Request[Any]:
        """Return the request as it is answered; see `Follower.adapt`."""
        place = self._place(follows=True)
        given: Any = request
        changed: Request[Any] = given if place is None else replace(given, after_generation=place)
        return changed

    def written(self, result: Changes, *, vectors: bool) -> bytes:
        """Return what is written for some changes; see `Follower.written`."""
        made = encode_streamed(result, vectors=vectors)
        if not self._as_events:
            return made + b"\n"
        # A browser hands out no event without data, and keeps its id.
        return event(made if result else b"", self._id_at(result.generation))
