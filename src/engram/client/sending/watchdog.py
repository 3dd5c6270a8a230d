"""Timeouts after which a client reconnects or gives up. The state reads no clock; callers pass the time."""

from __future__ import annotations

from typing import Final

from engram.client.retry import GAVE_UP
from engram.errors import EngramError, OverCapacity, Unavailable

NOT_CONNECTED: Final = "not_connected"


class ProgressWatchdog:
    """Two timers: the time since the last progress, and the time since the server last sent anything.

    Parameters
    ----------
    patience_s
        Seconds without progress after which the client gives up.
    silence_s
        Seconds after which the client reconnects if the server owes answers and sends nothing.
    now_s
        Current time, in seconds of a monotonic clock.
    """

    def __init__(self, patience_s: float, silence_s: float, now_s: float) -> None:
        self._patience_s = patience_s
        self._silence_s = silence_s
        self._progress_s = self._traffic_s = now_s
        self._extended_until_s = now_s
        self.last_error: EngramError = Unavailable("no connection yet", code=NOT_CONNECTED)

    def note_progress(self, now_s: float) -> None:
        """Note that something was answered, or that nothing waits for an answer."""
        self._progress_s = max(now_s, self._extended_until_s)

    def note_begun(self, begun_s: float) -> None:
        """Note that nothing waited for an answer before `begun_s`: idle time is no lack of progress."""
        self._progress_s = max(self._progress_s, begun_s)

    def extend(self, now_s: float, wait_s: float) -> None:
        """Note that the server asks to wait for `wait_s` seconds, which do not count as lack of progress."""
        start_s = max(now_s, self._extended_until_s)
        self._extended_until_s = max(start_s, now_s + wait_s)
        self._progress_s += self._extended_until_s - start_s

    def note_traffic(self, now_s: float) -> None:
        """Note that the server sent something, or owes no answers."""
        self._traffic_s = now_s

    def check_progress(self, now_s: float) -> None:
        """Raise `Unavailable` or `OverCapacity`, code ``gave_up``, if there was no progress for `patience_s`."""
        if now_s - self._progress_s <= self._patience_s:
            return
        kind = type(self.last_error) if isinstance(self.last_error, Unavailable | OverCapacity) else Unavailable
        raise kind(
            f"no progress for {self._patience_s:g} s; the last problem was: {self.last_error.message}",
            code=GAVE_UP,
            field="patience_s",
            limit=f"{self._patience_s:g}",
            value=self.last_error.code,
            retry_after_ms=self.last_error.retry_after_ms,
        )

    def check_silence(self, now_s: float) -> None:
        """Raise `Unavailable`, code ``server_silent``, if the server owes answers and sent nothing for `silence_s`."""
        if now_s - self._traffic_s > self._silence_s:
            raise Unavailable(
                f"the server owes answers and has been silent for {self._silence_s:g} s",
                code="server_silent",
                field="silence_s",
                limit=self._silence_s,
            )
