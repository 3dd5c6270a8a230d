"""The bounds on how a client sends and waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Bounds on sending and waiting.

    Parameters
    ----------
    flight_count_max
        Observations that may be unanswered at once; a quarter of the server's queue if that is less.
    patience_s
        Without any progress for so long, everything unanswered fails with the last error. Time for which the server has
        asked the client to wait does not count.
    silence_s
        A server that owes answers and says nothing for so long is asked anew over a new connection.
    close_s
        How long a drained stream waits for the server's goodbye.
    refusal_delay_ms
        Pause after a passing refusal that names no retry time.
    on_overload
        ``"wait"``: batches that an overloaded server refuses are sent again until it takes them, so that callers see
        their futures take longer. ``"fail"``: the futures fail with `OverCapacity`, and what to do is up to the caller.
    """

    flight_count_max: int = 32_768
    patience_s: float = 60.0
    silence_s: float = 15.0
    close_s: float = 5.0
    refusal_delay_ms: int = 20
    on_overload: Literal["wait", "fail"] = "wait"
