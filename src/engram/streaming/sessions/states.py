"""The states of a session and the moves between them."""

from __future__ import annotations

from enum import Enum
from typing import Final

from engram.errors import FailedPrecondition


class SessionState(Enum):
    """Where a session is in its life."""

    INIT = "init"
    ACTIVE = "active"
    PAUSED = "paused"
    DRAINING = "draining"
    CLOSED = "closed"
    EXPIRED = "expired"


# A client that comes back finds its session active whatever it was doing, so every living state leads to ACTIVE.
MOVES: Final[dict[SessionState, frozenset[SessionState]]] = {
    SessionState.INIT: frozenset({SessionState.ACTIVE}),
    SessionState.ACTIVE: frozenset(
        {SessionState.ACTIVE, SessionState.PAUSED, SessionState.DRAINING, SessionState.EXPIRED}
    ),
    SessionState.PAUSED: frozenset(
        {SessionState.PAUSED, SessionState.ACTIVE, SessionState.DRAINING, SessionState.EXPIRED}
    ),
    SessionState.DRAINING: frozenset({SessionState.ACTIVE, SessionState.CLOSED, SessionState.EXPIRED}),
    SessionState.CLOSED: frozenset(),
    SessionState.EXPIRED: frozenset(),
}


def check_move(session_id: str, current: SessionState, wanted: SessionState) -> SessionState:
    """Return `wanted` if a session in `current` may move there.

    Raises
    ------
    FailedPrecondition
        Naming the states from which `wanted` can be reached, and the one the session is in.
    """
    if wanted in MOVES[current]:
        return wanted
    sources = " or ".join(state.value for state in SessionState if wanted in MOVES[state])
    raise FailedPrecondition(
        f"session {session_id} is {current.value}; it can become {wanted.value} only from {sources}",
        code="invalid_session_state",
        field="session",
        limit=sources,
        value=current.value,
    )
