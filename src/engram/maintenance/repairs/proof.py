"""Proof of the newest state of each id, if parts of the log are lost.

The newest readable state of an id is proven if no lost row whose id cannot be read comes after it: then no lost record
can have superseded or deleted it. Otherwise the newest state may be among the lost rows, and the readable state of the
id may be an older one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engram.log.records.header import RecordKind
from engram.maintenance.generations import GenerationRange, merged
from engram.maintenance.repairs.rescue import Rescued, rescue
from engram.maintenance.survey import Survey

_FOR_EVER: Final = 1 << 63


class Proof:
    """The proven state of each id.

    Parameters
    ----------
    survey
        The remains of the log.

    Attributes
    ----------
    lost
        All generations that are lost, including those whose ids are known.
    lost_ids
        The ids and generations of the lost rows whose ids can be read.
    unproven
        The ids whose newest readable version may have been superseded or deleted by a lost row.
    """

    def __init__(self, survey: Survey) -> None:
        lost = list(survey.lost)
        self.lost_ids: list[tuple[str, int]] = []
        self._unreadable = _FOR_EVER if survey.is_cut else max((one.last for one in lost), default=0)
        # For each id, the generation of its newest state; negative if that state is a deletion or cannot be read.
        newest: dict[str, int] = {}
        for found in survey.found:
            if found.record.kind is RecordKind.PROGRESS:
                continue
            rescued = rescue(found)
            if found.is_whole and all(rescued.is_readable):
                sign = 1 if found.record.kind is RecordKind.OBSERVE else -1
                generations = (sign * found.record.generations).tolist()
                newest.update(
                    (id, generation) for id, generation in zip(rescued.ids, generations, strict=True) if id is not None
                )
            else:
                lost += self._look_at_rows(rescued, newest)
        self.lost: list[GenerationRange] = merged(lost)
        self.unproven: frozenset[str] = frozenset(
            id for id, generation in newest.items() if 0 < generation < self._unreadable
        )

    def _look_at_rows(self, rescued: Rescued, newest: dict[str, int]) -> Iterable[GenerationRange]:
        for row, (id, is_readable) in enumerate(zip(rescued.ids, rescued.is_readable, strict=True)):
            generation = rescued.generation(row)
            if id is None:
                self._unreadable = max(self._unreadable, generation)
            else:
                is_answered = is_readable and rescued.record.kind is RecordKind.OBSERVE
                newest[id] = generation if is_answered else -generation
                if not is_readable:
                    self.lost_ids.append((id, generation))
            if not is_readable:
                yield GenerationRange(generation, generation)
