"""The search for what is left of erased ids."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple

from engram.log.records.header import RecordKind
from engram.maintenance.source import LOG
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.query import GENERATION_MAX
from engram.store.compaction.erasure import digest_of
from engram.store.space_state import SpaceState

_WHAT: Final = {RecordKind.OBSERVE: "an observation", RecordKind.DELETE: "a deletion"}
_UNFINISHED: Final = "an erasure that is not finished"


class Trace(NamedTuple):
    """Something that is left of an id.

    Parameters
    ----------
    space, file
        The space, and the file in its directory.
    generation
        The generation of what was written; 0 for an erasure that is not finished.
    id
        The id; of an erasure that is not finished, its digest if no more is known.
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
    if wanted:
        yield from _in_log(state, space, lambda id: GENERATION_MAX if id in wanted else 0)
    for id in sorted(wanted):
        if digest_of(state.manifest.identity, id) in state.manifest.erasing:
            yield Trace(space, "space.json", 0, id, _UNFINISHED)


def traces_of_receipt(state: SpaceState, space: str, receipt: ErasureReceipt) -> Iterator[Trace]:
    """Yield what a space has of what a receipt of it says to be erased. What was written later is no trace.

    Raises
    ------
    CorruptData
        If ids cannot be read.
    """
    identity, erasing = state.manifest.identity, state.manifest.erasing
    digests = frozenset(receipt.digests)
    yield from _in_log(state, space, lambda id: receipt.generation if digest_of(identity, id) in digests else 0)
    for digest in sorted(digests & erasing.keys()):
        if erasing[digest] <= receipt.generation:
            yield Trace(space, "space.json", 0, digest, _UNFINISHED)


def _in_log(state: SpaceState, space: str, limit_of: Callable[[str], int]) -> Iterator[Trace]:
    """Yield what the log has of ids; `limit_of` returns up to which generation one is looked for, 0 if it is not."""
    for record in state.log.records():
        for row, id in enumerate(record.ids()):
            limit = limit_of(id)
            if limit and record.generation(row) <= limit:
                what = _WHAT[RecordKind(record.kind)]
                yield Trace(space, f"{LOG}/{record.segment.name}", record.generation(row), id, what)
