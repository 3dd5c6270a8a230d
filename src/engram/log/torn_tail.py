"""What recovery says of the end of a log, in whichever format it is."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from engram.errors import CorruptData
from engram.log.records.header import Header
from engram.log.recovered_log import RecoveredLog
from engram.log.segments.segment import Segment

logger = logging.getLogger(__name__)


def corrupt(name: str, offset: int, what: str, code: str = "corrupt_log") -> CorruptData:
    """The report of damage in a file of the log."""
    return CorruptData(f"{name} is damaged at offset {offset}: {what}", code=code, field=name, value=offset)


def drop_unfinished(log: RecoveredLog, last: Segment, later: Iterable[Header]) -> None:
    """Say that a write was not finished and is dropped, unless `later` headers know that it was durable.

    Raises
    ------
    CorruptData
        If one does.
    """
    lost = log.last_generation + 1
    known_durable = max((header.synced_generation for header in later), default=0)
    if known_durable >= lost:
        raise corrupt(
            last.name,
            last.end,
            f"the record of generation {lost} is broken, and later records show that everything up to generation "
            f"{known_durable} was durable",
        )
    logger.warning(
        "%s: dropped an unfinished write at offset %d, left by a crash; the log ends with generation %d",
        last.name,
        last.end,
        log.last_generation,
    )
