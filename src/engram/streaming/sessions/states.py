"""The states of a session and the transitions between them."""

from __future__ import annotations

from enum import Enum
from typing import Final

from engram.errors import FailedPrecondition


class SessionState(Enum):
    """The state of a session."""

    INIT = "init"
    ACTIVE = "active"
    PAUSED = "paused"
    DRAINING = "draining"
    CLOSED = "closed"
    EXPIRED = "expired"


# A reconnecting client finds its session active whatever state it was in, so every state that is not final leads to
# ACTIVE.
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
        If it may not. The error names the states from which `wanted` can be reached, and the current state.
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
