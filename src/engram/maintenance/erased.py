"""The search for what is left of erased ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from engram.log.records.header import RecordKind
from engram.log.segments.segment import LOG_DIRECTORY
from engram.maintenance.repairs.set_aside import DIRECTORY as SET_ASIDE
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.query import GENERATION_MAX
from engram.store.compaction.wanted_rows import digests_of
from engram.store.space_state import SpaceState

_WHAT: Final = {RecordKind.OBSERVE: "an observation", RecordKind.DELETE: "a deletion"}
_UNFINISHED: Final = "an erasure that is not finished"


class Trace(NamedTuple):
    """Something that is left of an id.

    Parameters
    ----------
    space, file
        The space, and the file in its directory; for what a repair has set aside, the file in the data directory.
    generation
        The generation of what was written; 0 if it is not known, or for an erasure that is not finished.
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
        where = self.file if self.file.startswith(f"{SET_ASIDE}/") else f"{self.space}/{self.file}"
        return f"{self.what} of {self.id!r}{at} is in {where}"


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
        yield from _in_remains(state, space, wanted)
    ordered = sorted(wanted)
    for id, digest in zip(ordered, digests_of(state.manifest.identity, ordered), strict=True):
        if digest in state.manifest.erasing:
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
    yield from _in_log(state, space, lambda id: receipt.generation if digests_of(identity, [id])[0] in digests else 0)
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
                yield Trace(space, f"{LOG_DIRECTORY}/{record.segment.name}", record.generation(row), id, what)


def _in_remains(state: SpaceState, space: str, wanted: Collection[str]) -> Iterator[Trace]:
    """Yield the ids in writes that a crash interrupted, which are part of no record, and may be read all the same."""
    for segment in state.log.segments:
        remains = segment.view[segment.end :]
        text = remains.tobytes() if remains.any() else b""
        for id in sorted(wanted) if text else ():
            if id.encode("utf-8", "surrogatepass") in text:
                yield Trace(space, f"{LOG_DIRECTORY}/{segment.name}", 0, id, "what a crash has left")


def set_aside_names(directory: Path) -> list[str]:
    """Return the names that the spaces had of which a repair has set something aside in a data directory; sorted."""
    return sorted(file.stem for file in (directory / SET_ASIDE).glob("*.jsonl"))


def set_aside_of(directory: Path, space: str, ids: Collection[str]) -> Iterator[Trace]:
    """Yield what is left of `ids` in what a repair has set aside of a space, in a data directory.

    Raises
    ------
    OSError
        If that cannot be read.
    """
    wanted = sorted(frozenset(ids))
    file = f"{SET_ASIDE}/{space}.jsonl"
    if not wanted or not (directory / file).is_file():
        return
    with (directory / file).open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            generation, found = _row_of(line)
            for id in wanted:
                # A line that is none of ours any more may have an id anywhere.
                if id == found or (found is None and id in line):
                    yield Trace(space, file, generation, id, "an observation that was set aside")


def _row_of(line: str) -> tuple[int, str | None]:
    """Return generation and id of a line; 0 and None if it is not as a repair writes it."""
    try:
        row = json.loads(line)
        return int(row["generation"]), str(row["id"])
    except (ValueError, TypeError, KeyError):
        return 0, None
