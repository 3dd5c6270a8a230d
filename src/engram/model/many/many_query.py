"""The query of a recall of many cues, which all transports share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Unpack

from engram.model.cue import Cue
from engram.model.filters.fields import Own
from engram.model.filters.filter_like import FilterLike, both
from engram.model.many.cue_list import CueList, CuesLike, as_cue_list
from engram.model.query import RecallQuery
from engram.model.recall_options import RecallOptions, recall_query
from engram.model.times import iso_time


@dataclass(frozen=True, slots=True, eq=False)
class ManyQuery:
    """The parameters of a recall of many cues, which are all answered from one snapshot.

    Parameters
    ----------
    cues
        The cues.
    common
        What holds for every cue, such as `k` and the snapshot. The filter of its cue is met by every result of every
        cue, beside that of the cue itself; its cue has nothing else.
    due_us
        What is due at this time, microseconds since 1970 UTC, is hidden, also as of a generation that is named: that
        of an earlier part of the same recall. 0: as for a recall of one cue.
    """

    cues: CueList
    common: RecallQuery
    due_us: int = 0

    @property
    def include_vectors(self) -> bool:
        """Whether the hits have their vectors."""
        return self.common.include_vectors

    def one(self, row: int) -> RecallQuery:
        """Return the query that asks for what one of the cues asks for."""
        cue = self.cues.one(row)
        conditions = both(cue.conditions, self.common.cue.conditions)
        return replace(self.common, cue=cue if conditions is cue.filter else replace(cue, filter=conditions))

    def alone(self, row: int) -> RecallQuery:
        """Return the query that asks for one of the cues by itself, and finds what it would find among the others.

        As of a generation, a recall of one cue hides nothing, so its filter leaves out what was due.
        """
        query = self.one(row)
        if not self.due_us:
            return query
        due = Own.expires_at <= iso_time(self.due_us)
        return replace(query, cue=replace(query.cue, filter=both(query.cue.conditions, ~due)))

    def part(self, start: int, stop: int) -> ManyQuery:
        """Return the query with the cues from `start` up to `stop`, which is not included."""
        return replace(self, cues=self.cues.part(start, stop))

    def at(self, generation: int, due_us: int = 0) -> ManyQuery:
        """Return the query as of a generation, for a further part of a recall that hid what was due at `due_us`."""
        return replace(self, common=replace(self.common, max_generation=generation, snapshot_us=None), due_us=due_us)


def many_query(cues: CuesLike, k: int, filter: FilterLike | None, **options: Unpack[RecallOptions]) -> ManyQuery:
    """Return the query for up to `k` hits of each cue, all of which pass `filter`.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range, or two arguments contradict each other.
    """
    return ManyQuery(as_cue_list(cues), recall_query(Cue(filter=filter), k, **options))
