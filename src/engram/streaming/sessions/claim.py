"""The claim of a client that opens a session, and the checks whether it may continue the session."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from engram.errors import FailedPrecondition
from engram.store.space_engine import SpaceEngine


def new_writer() -> int:
    """Return a random number that identifies one writer of a session; never 0, which means unknown."""
    return secrets.randbits(63) + 1


@dataclass(frozen=True, slots=True)
class Claim:
    """The identity of a client that wants a session, and what it knows about the session.

    Sequence numbers alone do not identify their client: two clients with one session id may both have unanswered
    observations under the same numbers, and only those of one client are stored. Therefore every writer has a number of
    its own, and a client that reconnects says up to which sequence number it knows the session. The method is our own,
    see docs/decisions/0012.

    Parameters
    ----------
    writer
        The client's number, the same on all its connections. A client that sends none is a new writer on each
        connection.
    known_sequence
        The last sequence number that a reconnecting client knows to be durable; None on its first connection, when it
        has nothing under any number yet.
    incarnation
        The last incarnation of the space that the client received; empty if it received none.
    """

    writer: int = field(default_factory=new_writer)
    known_sequence: int | None = None
    incarnation: str = ""

    def check_incarnation(self, session_id: str, space: SpaceEngine) -> None:
        """Refuse a client whose sequence numbers belong to an earlier incarnation of the space.

        Raises
        ------
        FailedPrecondition
            If the space was restored, repaired or created anew since the client last received its incarnation.
        """
        if self.incarnation and space.incarnation and self.incarnation != space.incarnation:
            raise FailedPrecondition(
                f"space {space.config.name} was restored, repaired or made anew since session {session_id} was last "
                "connected, so what was acknowledged may be gone; compare with your source, then go on with a new "
                "client and a new session id",
                code="other_incarnation",
                field="incarnation",
                limit=space.incarnation,
                value=self.incarnation[:64],
            )

    def check_owner(self, session_id: str, owner: int) -> None:
        """Refuse a reconnecting client if another one, `owner`, has taken the session since; 0 means no owner is known.

        Raises
        ------
        FailedPrecondition
            If `owner` is another client.
        """
        if self.known_sequence is not None and owner not in (0, self.writer):
            raise _taken_over(session_id, self.known_sequence)

    def check_stored(self, session_id: str, space: SpaceEngine) -> None:
        """Refuse a reconnecting client if another one has stored observations under its sequence numbers.

        Observations after the known sequence number were stored by the client's own last connection, and then perhaps
        by others. The writer of the last observation tells whether there were others.

        Raises
        ------
        FailedPrecondition
            If another client has stored the last observation after the known sequence number.
        """
        if self.known_sequence is None or space.durable_sequence(session_id) <= self.known_sequence:
            return
        self.check_owner(session_id, space.last_writer(session_id))


def _taken_over(session_id: str, known_sequence: int) -> FailedPrecondition:
    return FailedPrecondition(
        f"another client has gone on with session {session_id}; of what this one sent after sequence {known_sequence}, "
        "nobody can tell here what is stored",
        code="session_taken_over",
        field="session",
        limit=known_sequence,
    )
