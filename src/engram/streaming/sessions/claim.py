"""What a client says about itself when it opens a session, and whether it may go on where it believes to be."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from engram.errors import FailedPrecondition
from engram.store.space import Space


def new_writer() -> int:
    """Return a number at random that stands for one writer of a session; never 0, which means unknown."""
    return secrets.randbits(63) + 1


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants a session.

    Numbers alone do not say whose they are: of two clients with one session id, both may have unanswered observations
    under the same numbers, and what is stored under them is of one of the two. Therefore every writer has a number of
    its own, and one that comes back says up to where it knows the session.

    Parameters
    ----------
    writer
        The client's number, the same on all its connections. Who names none is a writer of its own on each connection.
    known_sequence
        The last sequence number that a client that comes back knows to be durable; None on its first connection, when
        it has nothing under any number yet.
    incarnation
        Of the space, as the client was told it last; empty if it never was.
    """

    writer: int = field(default_factory=new_writer)
    known_sequence: int | None = None
    incarnation: str = ""

    def check_incarnation(self, session_id: str, space: Space) -> None:
        """Refuse numbers of a future that the space has lost.

        Raises
        ------
        FailedPrecondition
            If the space was restored, repaired or made anew since this client last heard of it.
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
        """Refuse a client that comes back although another one has opened the session since; 0 is nobody.

        Raises
        ------
        FailedPrecondition
            If it does.
        """
        if self.known_sequence is not None and owner not in (0, self.writer):
            raise _taken_over(session_id, self.known_sequence)

    def check_stored(self, session_id: str, space: Space) -> None:
        """Refuse a client that comes back although another one has stored something under its numbers.

        What follows the number that the client knows was stored by its own last connection, then perhaps by others:
        whoever stored the last of it tells them apart.

        Raises
        ------
        FailedPrecondition
            If it does.
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
