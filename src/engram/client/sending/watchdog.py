"""How long a client bears trouble before it asks anew or gives up. Pure state with the clock passed in."""

from __future__ import annotations

from typing import Final

from engram.errors import EngramError, OverCapacity, SequenceError, Unavailable

GAVE_UP: Final = "gave_up"
NOT_CONNECTED: Final = "not_connected"

# What gRPC reports when a connection or a server goes away in the middle of a call; trying again may well work.
_PASSING_CODES: Final = frozenset({"cancelled", "unknown", "internal", "deadline_exceeded", "aborted"})


def is_passing(error: EngramError) -> bool:
    """Whether connecting again may cure `error`."""
    if error.code in (GAVE_UP, "session_mismatch"):
        return False
    return isinstance(error, Unavailable | OverCapacity | SequenceError) or error.code in _PASSING_CODES


class ProgressWatchdog:
    """Two clocks: since the last progress, and since the server last said anything.

    Parameters
    ----------
    patience_s
        Without progress for so long, the client gives up.
    silence_s
        A server that owes answers and says nothing for so long is asked anew over a new connection.
    """

    def __init__(self, patience_s: float, silence_s: float, now_s: float) -> None:
        self._patience_s = patience_s
        self._silence_s = silence_s
        self._progress_s = self._heard_s = now_s
        self._excused_until_s = now_s
        self.trouble: EngramError = Unavailable("no connection yet", code=NOT_CONNECTED)

    def progress(self, now_s: float) -> None:
        """Something was answered, or nothing is wanted."""
        self._progress_s = max(now_s, self._excused_until_s)

    def excuse(self, now_s: float, wait_s: float) -> None:
        """The server has asked to wait that long from now on; none of this is lack of progress."""
        start_s = max(now_s, self._excused_until_s)
        self._excused_until_s = max(start_s, now_s + wait_s)
        self._progress_s += self._excused_until_s - start_s

    def heard(self, now_s: float) -> None:
        """The server said something, or owes nothing."""
        self._heard_s = now_s

    def check_progress(self, now_s: float) -> None:
        """Raise `Unavailable` or `OverCapacity`, code ``gave_up``, when there was no progress for too long."""
        if now_s - self._progress_s <= self._patience_s:
            return
        kind = type(self.trouble) if isinstance(self.trouble, Unavailable | OverCapacity) else Unavailable
        raise kind(
            f"no progress for {self._patience_s:g} s; the last problem was: {self.trouble.message}",
            code=GAVE_UP,
            field="patience_s",
            limit=self._patience_s,
            value=self.trouble.code,
            retry_after_ms=self.trouble.retry_after_ms,
        )

    def check_silence(self, now_s: float) -> None:
        """Raise `Unavailable`, code ``server_silent``, when the server owes answers and says nothing."""
        if now_s - self._heard_s > self._silence_s:
            raise Unavailable(
                f"the server owes answers and has been silent for {self._silence_s:g} s",
                code="server_silent",
                field="silence_s",
                limit=self._silence_s,
            )
