"""Erases many persons, and searches for them everywhere: in the directory, in a backup and in what it restores."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.support.indexed import IndexedWatch
from campaigns.erasure.persons import DIM, IN_CHECKPOINTS, VERSIONS, Persons, counted
from campaigns.patterns import Patterns, contents_of
from engram import MemoryStore, Space, StoreOptions
from engram.maintenance.backups.backup import backup
from engram.maintenance.backups.restore import restore
from engram.maintenance.verify import verify
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.values.retention_policy import EVERYTHING

_SPACE: Final = "persons"
# One of so many has been deleted before it is erased.
_DELETED_EACH: Final = 10
# So many of those who stay are searched for, too, so that the search is known to find.
_KEPT: Final = 200
_OPTIONS: Final = StoreOptions(segment_bytes=4 << 20)


class Search:
    """The search for all traces of some persons.

    Parameters
    ----------
    traces
        What is searched for, and what it is.
    """

    def __init__(self, traces: dict[bytes, str]) -> None:
        self._traces = traces
        self._patterns = Patterns(traces)

    @property
    def all(self) -> dict[str, int]:
        """How many traces there are, by kind."""
        return counted(self._traces.values())

    def found(self, *directories: Path) -> dict[str, int]:
        """Return how many of the traces are in any file of the directories, by kind."""
        found = {trace for directory in directories for trace in self._patterns.found_in(contents_of(directory))}
        return counted(self._traces[trace] for trace in found)


def run(seed: int, count: int, of: int, work: Path) -> dict[str, Any]:
    """Store `of` persons, erase `count` of them, and return what was found before and afterwards."""
    persons, chosen = Persons(seed), Random(seed).sample(range(of), count + min(_KEPT, of - count))
    numbers, kept = chosen[:count], chosen[count:]
    erased, staying = Search(persons.traces(numbers, work)), Search(persons.traces(kept, work))
    data, ids = work / "data", [persons.id(number) for number in numbers]
    with MemoryStore(data, options=_OPTIONS) as store:
        space = store.space(_SPACE, dim=DIM)
        _write(space, persons, of, ids)
        store.checkpoint()
        backup(data, work / "backup")
        result: dict[str, Any] = {
            "erased": count,
            "of": of,
            "deleted_before": len(ids[::_DELETED_EACH]),
            "traces": erased.all,
            "before": erased.found(data),
            "backup_before": erased.found(work / "backup"),
        }
        begin_s = time.perf_counter()
        receipt = space.erase(ids)
        result |= {
            "seconds": round(time.perf_counter() - begin_s, 2),
            "observations": receipt.count,
            "afterwards": erased.found(data),
        }
        backup(data, work / "backup")
    restore(work / "backup", work / "restored")
    return result | {
        "closed": erased.found(data),
        "backup_afterwards": erased.found(work / "backup"),
        "restored": erased.found(work / "restored"),
        "kept_traces": staying.all,
        "kept": staying.found(data),
        "verified": {name: _verified(work / name, receipt, ids) for name in ("data", "restored")},
        "live": of - count,
        "live_found": _live_count(work / "restored"),
    }


def broken(result: dict[str, Any]) -> list[str]:
    """Return what must not be, in words; nothing if all is well."""
    faults = []
    everything, logged = result["traces"], result["traces"] | dict.fromkeys(IN_CHECKPOINTS, 0)
    for name, wanted in (("before", everything), ("backup_before", logged), ("kept", result["kept_traces"])):
        if result[name] != wanted:
            faults.append(f"the search has found {result[name]} of {wanted}: {name}")
    for name in ("afterwards", "closed", "backup_afterwards", "restored"):
        if any(result[name].values()):
            faults.append(f"left: {name}: {result[name]}")
    if result["observations"] != VERSIONS * result["erased"]:
        faults.append(f"{result['observations']} observations were erased, of {VERSIONS * result['erased']}")
    faults += [f"{name} is not verified: {said}" for name, said in result["verified"].items() if said != "sound"]
    if result["live_found"] != result["live"]:
        faults.append(f"{result['live_found']} of {result['live']} who stay are restored")
    return faults


def _write(space: Space, persons: Persons, of: int, ids: list[str]) -> None:
    """Write all versions of all persons, delete some of those who are to be erased, and have the rest in the graph."""
    space.set_retention(EVERYTHING)
    indexed = IndexedWatch(space)
    for version in range(VERSIONS):
        persons.write(space, of, version)
    # What was deleted before is still in a checkpoint that comes afterwards, because everything is retained.
    space.delete(ids[::_DELETED_EACH])
    indexed.wait()


def _verified(directory: Path, receipt: ErasureReceipt, ids: list[str]) -> str:
    """Return ``"sound"`` if a directory is, and nothing is left of what a receipt names and of the ids."""
    verdict = verify(directory, receipts=[receipt], erased=ids)
    is_sound = verdict.is_sound and not verdict.traces and verdict.receipts == {receipt: 0}
    return "sound" if is_sound else str(verdict.values())


def _live_count(directory: Path) -> int:
    with MemoryStore(directory, options=_OPTIONS, read_only=True) as store:
        return len(store.space(_SPACE, create=False))
