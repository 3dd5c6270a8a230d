"""Reports about the end of a log, in either format."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from engram.errors import CorruptData
from engram.log.records.header import Header
from engram.log.recovered_log import RecoveredLog
from engram.log.segments.segment import Segment

logger: logging.Logger = logging.getLogger(__name__)


def corrupt(name: str, offset: int, what: str, code: str = "corrupt_log") -> CorruptData:
    """Return the error for damage at `offset` in the log file `name`."""
    return CorruptData(f"{name} is damaged at offset {offset}: {what}", code=code, field=name, value=offset)


def drop_unfinished(log: RecoveredLog, last: Segment, later: Iterable[Header]) -> None:
    """Log that an unfinished write is dropped, unless a header in `later` shows that the write was durable.

    Raises
    ------
    CorruptData
        If a later header shows that the write was durable.
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
        extra={"generation": log.last_generation},
    )
