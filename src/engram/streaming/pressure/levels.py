"""Pressure as a pure state machine: a fill is mapped to one of four levels, with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from engram.errors import InvalidInput
from engram.model.priority import Priority
from engram.settings.checks import check_settings
from engram.settings.setting import setting

Percentages = tuple[int, int, int]


class Level(IntEnum):
    """The pressure level of a limited resource."""

    NORMAL = 0
    WARNING = 1
    CRITICAL = 2
    OVERLOADED = 3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The fills, in percent of the limit, at which Warning, Critical and Overloaded are entered and left.

    Parameters
    ----------
    enter
        Fill of a limit, in percent, from which the pressure is Warning, Critical and Overloaded.
    leave
        Fill of a limit, in percent, below which the pressure is no longer Warning, Critical and Overloaded.

    Raises
    ------
    InvalidInput
        If the percentages do not rise, one is not above 0 or is above 100, or a level is not left below where it is
        entered.
    """

    enter: Percentages = setting(
        (50, 80, 95), group="Limits", key="pressure_enter", metavar="W/C/O", low=1, high=100, code="invalid_thresholds"
    )
    leave: Percentages = setting(
        (40, 70, 90), group="Limits", key="pressure_leave", metavar="W/C/O", low=1, high=100, code="invalid_thresholds"
    )

    def __post_init__(self) -> None:
        check_settings(self)
        rising = all(each[0] < each[1] < each[2] for each in (self.enter, self.leave))
        apart = all(0 < leave < enter <= 100 for enter, leave in zip(self.enter, self.leave, strict=True))
        if not (rising and apart):
            raise InvalidInput(
                f"levels are entered at {_shown(self.enter)} % and left at {_shown(self.leave)} %; both must rise, "
                "and each level must be left below where it is entered",
                code="invalid_thresholds",
                field="pressure",
                limit="0 < leave < enter <= 100, rising",
                value=f"{_shown(self.enter)}, {_shown(self.leave)}",
            )


class Hysteresis:
    """The pressure level of one limited resource. A level is entered at its threshold and left at a lower one."""

    __slots__ = ("_thresholds", "level")

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self.level: Level = Level.NORMAL

    def feed(self, fill: float) -> bool:
        """Update the level from `fill`, where 1 is full, and return whether the level changed."""
        percent = 100 * fill
        level = self.level
        while level < Level.OVERLOADED and percent >= self._thresholds.enter[level]:
            level = Level(level + 1)
        if level == self.level:
            while level > Level.NORMAL and percent < self._thresholds.leave[level - 1]:
                level = Level(level - 1)
        changed = level is not self.level
        self.level = level
        return changed


# The lowest level at which a priority is refused. High is missing: it is refused only where a limit itself is reached.
REFUSED_FROM = {Priority.LOW: Level.CRITICAL, Priority.NORMAL: Level.OVERLOADED}


def _shown(percentages: Percentages) -> str:
    return "/".join(map(str, percentages))
