"""The options of a client for sending and waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """The options of a client for sending and waiting.

    Parameters
    ----------
    flight_count_max
        Maximum number of observations that are sent and not answered; a quarter of the server's queue if that is less.
    patience_s
        Seconds without any progress after which everything unanswered fails with the last error. Time for which the
        server has asked the client to wait does not count.
    silence_s
        Seconds after which the client reconnects if the server owes answers and sends nothing.
    close_s
        Seconds that a drained stream waits for the server to confirm the close.
    refusal_delay_ms
        Milliseconds to wait after a transient refusal that names no retry time.
    on_overload
        ``"wait"``: batches that an overloaded server refuses are sent again until the server accepts them, and their
        futures take longer. ``"fail"``: the futures fail with `OverCapacity`, and the caller decides what to do.
    """

    flight_count_max: int = 32_768
    patience_s: float = 60.0
    silence_s: float = 15.0
    close_s: float = 5.0
    refusal_delay_ms: int = 20
    on_overload: Literal["wait", "fail"] = "wait"
