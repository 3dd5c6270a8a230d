"""How much of its history a space retains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engram.errors import InvalidInput
from engram.model.values.scalars import as_real, as_whole, shown

_COUNT_MAX: Final = 2**53
_SECONDS_MAX: Final = 1e9


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long recalls may go back. It is recorded per space, and a program that has the directory open may change it.

    No call of a server changes it: stop the server first, and use `Space.set_retention`.

    What no retained generation sees any more is dropped from memory and from the disk. Snapshots and standing recalls
    that are open keep what they need.

    Parameters
    ----------
    history_s
        Seconds that recalls may go back; None: no limit.
    dead_count
        Retain at most as many superseded and deleted versions as there are live ones, and this many more; None: no
        limit.

    Raises
    ------
    InvalidInput
        If a number has another type or is out of range.
    """

    history_s: float | None = 86_400.0
    dead_count: int | None = 100_000

    def __post_init__(self) -> None:
        if self.history_s is not None:
            seconds = as_real("history_s", self.history_s, "a number of seconds, or None")
            if not 0 <= seconds <= _SECONDS_MAX:
                raise InvalidInput(
                    f"history_s is {seconds}; it must be 0 to {_SECONDS_MAX:,.0f} seconds, or None",
                    code="out_of_range",
                    field="history_s",
                    limit=f"0..{_SECONDS_MAX:.0f}",
                    value=seconds,
                )
            object.__setattr__(self, "history_s", seconds)
        if self.dead_count is not None:
            object.__setattr__(self, "dead_count", as_whole("dead_count", self.dead_count, 0, _COUNT_MAX))

    @property
    def is_unlimited(self) -> bool:
        """Whether everything is retained."""
        return self.history_s is None and self.dead_count is None


EVERYTHING: Final = RetentionPolicy(None, None)
"""The policy of a space that retains its whole history."""


def checked_policy(policy: object) -> RetentionPolicy:
    """Return `policy` if it is a policy.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    if isinstance(policy, RetentionPolicy):
        return policy
    raise InvalidInput(
        f"the retention is {shown(policy)}; pass RetentionPolicy(...)",
        code="invalid_retention",
        field="policy",
        limit="RetentionPolicy",
        value=type(policy).__name__,
    )
