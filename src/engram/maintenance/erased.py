"""The search for what is left of erased ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from engram.log.records.header import RecordKind
from engram.log.segments.segment import LOG_DIRECTORY
from engram.store.compaction.erasure import digest_of
from engram.store.space_state import SpaceState

_WHAT: Final = {RecordKind.OBSERVE: "an observation", RecordKind.DELETE: "a deletion"}


class Trace(NamedTuple):
    """Something that is left of an id.

    Parameters
    ----------
    space, file
        The space, and the file in its directory.
    generation
        The generation of what was written; 0 for an erasure that is not finished.
    id
        The id.
    what
        What it is, in words.
    """

    space: str
    file: str
    generation: int
    id: str
    what: str

    @property
    def message(self) -> str:
        """What it is and where, in a sentence."""
        at = f" of generation {self.generation}" if self.generation else ""
        return f"{self.what} of {self.id!r}{at} is in {self.space}/{self.file}"


def traces_of(state: SpaceState, space: str, ids: Collection[str]) -> Iterator[Trace]:
    """Yield what the log of a space has of `ids`, and whether one of them is still being erased.

    Raises
    ------
    CorruptData
        If ids cannot be read.
    """
    wanted = frozenset(ids)
    for record in state.log.records() if wanted else ():
        found = record.ids()
        if wanted.isdisjoint(found):
            continue
        for row, id in enumerate(found):
            if id in wanted:
                what = _WHAT[RecordKind(record.kind)]
                yield Trace(space, f"{LOG_DIRECTORY}/{record.segment.name}", record.generation(row), id, what)
    for id in sorted(wanted):
        if digest_of(state.manifest.identity, id) in state.manifest.erasing:
            yield Trace(space, "space.json", 0, id, "an erasure that is not finished")
