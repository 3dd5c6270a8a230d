"""The options of a client for sending and waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engram.settings.checks import check_settings
from engram.settings.setting import setting
from engram.showing import one_line


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

    Raises
    ------
    InvalidInput
        If a value has the wrong type, or is out of range.
    """

    flight_count_max: int = setting(32_768, low=1)
    patience_s: float = setting(60.0, unit="seconds", low=0)
    silence_s: float = setting(15.0, unit="seconds", above=0)
    close_s: float = setting(5.0, unit="seconds", low=0)
    refusal_delay_ms: int = setting(20, unit="milliseconds", low=0)
    on_overload: Literal["wait", "fail"] = setting("wait", choices=("wait", "fail"))

    def __repr__(self) -> str:
        return one_line(self)

    def __post_init__(self) -> None:
        check_settings(self)
