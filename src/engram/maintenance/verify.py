"""``engram verify``: read and check everything in a data directory without changing it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from engram.errors import CorruptData, EngramError, InvalidInput, NewerFormat, NotFound
from engram.log.damage import Damages
from engram.log.files.os_errors import typed_failures
from engram.log.segments.segment import LOG_DIRECTORY
from engram.maintenance.erased import Trace, set_aside_names, set_aside_of, traces_of, traces_of_receipt
from engram.maintenance.found_segments import identity_in
from engram.maintenance.progress import Counter, OnProgress, unseen
from engram.maintenance.source import Described, describe, opened_source
from engram.maintenance.survey import survey
from engram.model.damage import Damage
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.values.scalars import shown
from engram.model.values.sequences import as_list, as_texts
from engram.store.options import StoreOptions
from engram.store.recovery import recover_space
from engram.store.scrub import scrub
from engram.store.space_catalog import SpaceCatalog, StoredSpace
from engram.store.space_state import SpaceState

_CHECKPOINTS: Final = "checkpoints"


@dataclass(frozen=True, slots=True)
class CheckedSpace:
    """The result for a space that was checked.

    Parameters
    ----------
    name
        Name of the space.
    generation
        The generation that its log ends with; 0 for a space that does not open.
    live_count
        Number of live observations.
    log_bytes
        Size of its records in bytes.
    linked_count
        Number of observations in its graph that a checkpoint held and that were checked.
    """

    name: str
    generation: int = 0
    live_count: int = 0
    log_bytes: int = 0
    linked_count: int = 0


@dataclass(slots=True)
class Verdict:
    """The result of a check.

    Parameters
    ----------
    spaces
        The spaces that open.
    unsound
        The spaces that do not open, by name, each with the reason.
    damages
        All damage that was found; for each record its first damaged place.
    traces
        What is left of ids that should be erased.
    receipts
        The receipts that were compared, each with the number of traces that are left of it.
    """

    spaces: list[CheckedSpace] = field(default_factory=list)
    unsound: dict[str, EngramError] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    receipts: dict[ErasureReceipt, int] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.unsound and not self.damages

    @property
    def is_newer(self) -> bool:
        """Whether the only fault is that a newer version of Engram wrote some parts, which could not be checked."""
        newer = all(isinstance(error, NewerFormat) for error in self.unsound.values())
        return bool(self.unsound) and newer and not self.damages

    def values(self) -> dict[str, object]:
        """Return the verdict as values for JSON."""
        return {
            "sound": self.is_sound,
            "spaces": [asdict(space) for space in self.spaces],
            "unsound": [
                {"space": name, "code": error.code, "message": error.message} for name, error in self.unsound.items()
            ],
            "damages": [damage._asdict() for damage in self.damages],
            "traces": [trace._asdict() for trace in self.traces],
            "receipts": [
                {"space": receipt.space, "generation": receipt.generation, "traces": count}
                for receipt, count in self.receipts.items()
            ],
        }


def verify(
    path: str | os.PathLike[str],
    *,
    spaces: Sequence[str] = (),
    erased: Sequence[str] = (),
    receipts: Sequence[ErasureReceipt] = (),
    on_progress: OnProgress = unseen,
) -> Verdict:
    """Check every byte of a data directory: logs, checkpoints and their graphs, descriptions, the list of spaces.

    Nothing is changed, so a read-only file system is sufficient. Writers are kept away meanwhile.

    Parameters
    ----------
    path
        The data directory.
    spaces
        Names of the spaces to check; empty for all.
    erased
        Ids of which nothing must be left.
    receipts
        Receipts of erasures: nothing must be left of what they name, up to the generations that they name.
    on_progress
        Function that receives the progress.

    Raises
    ------
    InvalidInput
        If `path` is no path, an argument is not a list of what it should be, or an erased id is empty.
    NotFound
        If there is no such directory or space, or a receipt is of none of the spaces.
    StoreLocked
        If a process has the directory open for writing.
    NewerFormat
        If a newer version of Engram wrote the list of spaces.
    Unavailable
        If the directory cannot be read.
    """
    spaces = as_texts("spaces", spaces, '["notes"]')
    erased, receipts = _as_erased(erased), _as_receipts(receipts)
    verdict = Verdict()
    with opened_source(path) as catalogue:
        wanted = _wanted(catalogue, spaces)
        verdict.damages += catalogue.damages.all()
        sound, unsound = catalogue.load()
        _check_spaces_of(receipts, [stored for stored in sound if stored.config.name in wanted], unsound)
        for name in sorted(wanted & unsound.keys()):
            _look_into(catalogue, name, unsound[name], verdict, on_progress)
        for stored in sound:
            if stored.config.name in wanted:
                _check(catalogue, stored, erased, receipts, verdict, on_progress)
        with typed_failures("reading what a repair has set aside"):
            for name in sorted(wanted) if spaces else set_aside_names(Path(path)):
                verdict.traces += set_aside_of(Path(path), name, erased)
    return verdict


def _as_erased(erased: Sequence[str]) -> list[str]:
    ids = as_texts("erased", erased, '["note-1"]')
    # Rows whose ids were taken from them would pass for its traces.
    if "" in ids:
        row = ids.index("")
        raise InvalidInput(f"erased[{row}] is empty, which no id is", code="id_size", field="erased", value=0)
    return ids


def _as_receipts(receipts: Sequence[ErasureReceipt]) -> list[ErasureReceipt]:
    listed = as_list("receipts", receipts, "[receipt]", ordered=False)
    for row, receipt in enumerate(listed):
        if not isinstance(receipt, ErasureReceipt):
            raise InvalidInput(
                f"receipts[{row}] is {shown(receipt)}; pass what `erase` returned",
                code="invalid_receipt",
                field="receipts",
                value=type(receipt).__name__,
            )
    return listed


def _check_spaces_of(
    receipts: Iterable[ErasureReceipt], sound: Iterable[StoredSpace], unsound: dict[str, EngramError]
) -> None:
    """Refuse receipts that nothing could be compared with. What the id of an unsound space is may not be known."""
    known = {stored.manifest.identity.space for stored in sound if stored.manifest is not None}
    for receipt in receipts:
        if receipt.space_id not in known and receipt.space not in unsound:
            raise NotFound(
                f"the receipt is of a space {receipt.space} with the id {receipt.space_id}, which is not among those "
                "that are checked",
                code="unknown_space",
                field="receipts",
                value=receipt.space,
            )


def _wanted(catalogue: SpaceCatalog, spaces: Sequence[str]) -> set[str]:
    unknown = [name for name in spaces if name not in catalogue.names]
    if unknown:
        raise NotFound(f"there is no space {unknown[0]!r}", code="unknown_space", field="space", value=unknown[0])
    return set(spaces or catalogue.names)


def _check(
    catalogue: SpaceCatalog,
    stored: StoredSpace,
    erased: Sequence[str],
    receipts: Sequence[ErasureReceipt],
    verdict: Verdict,
    on_progress: OnProgress,
) -> None:
    name = stored.config.name
    on_progress_of = Counter(on_progress, "opening", name)
    try:
        state = recover_space(stored, catalogue.store_id, StoreOptions())
    except EngramError as error:
        _look_into(catalogue, name, error, verdict, on_progress)
        return
    try:
        total = state.log.nbytes + sum(entry.nbytes for entry in state.manifest.checkpoints)
        on_progress_of = Counter(on_progress, "checking", name, total)
        for nbytes in scrub(state):
            on_progress_of.add(nbytes)
        _check_graph(state, name)
        try:
            _look_for_traces(state, name, erased, receipts, verdict)
        except CorruptData as error:
            # What cannot be read may be anything.
            verdict.unsound[name] = error
        linked = state.index.statistics().linked
        verdict.spaces.append(
            CheckedSpace(name, state.log.last_generation, len(state.versions), state.log.nbytes, linked)
        )
    finally:
        state.log.close()
    found = state.log.damages
    remembered = found.all()
    if found.count > len(remembered):
        verdict.damages += [one for one in remembered if not one.file.startswith(LOG_DIRECTORY)]
        _survey(catalogue, name, verdict, on_progress)
    else:
        verdict.damages += remembered


def _look_for_traces(
    state: SpaceState, name: str, erased: Sequence[str], receipts: Sequence[ErasureReceipt], verdict: Verdict
) -> None:
    verdict.traces += traces_of(state, name, erased)
    for receipt in receipts:
        if receipt.space_id == state.manifest.identity.space:
            found, known = list(traces_of_receipt(state, name, receipt)), set(verdict.traces)
            verdict.receipts[receipt] = len(found)
            verdict.traces += [trace for trace in found if trace not in known]


def _check_graph(state: SpaceState, name: str) -> None:
    if state.checkpoint_generation == 0:
        return
    graph = state.index.statistics()
    if graph.invalid_links or graph.unreachable:
        what = f"the graph has {graph.invalid_links} invalid links and {graph.unreachable} nodes that nothing leads to"
        file = next(e.name for e in state.manifest.checkpoints if e.generation == state.checkpoint_generation)
        state.log.damages.report(f"{_CHECKPOINTS}/{file}", 0, 0, 0, what)


def _look_into(
    catalogue: SpaceCatalog, name: str, error: EngramError, verdict: Verdict, on_progress: OnProgress
) -> None:
    """Find everything that is wrong with a space that does not open."""
    verdict.unsound[name] = error
    if not isinstance(error, NewerFormat):
        _survey(catalogue, name, verdict, on_progress)


def _survey(catalogue: SpaceCatalog, name: str, verdict: Verdict, on_progress: OnProgress) -> None:
    damages = Damages(name, remembered_max=sys.maxsize)
    counter = Counter(on_progress, "checking", name)
    try:
        known = describe(catalogue, name)
        with typed_failures(f"checking space {name}"):
            _survey_log(known, damages, counter)
    except EngramError as error:
        verdict.unsound.setdefault(name, error)
    verdict.damages += damages.all()


def _survey_log(known: Described, damages: Damages, counter: Counter) -> None:
    if known.storage is None or not known.storage.is_directory(LOG_DIRECTORY):
        return
    log = known.storage.directory(LOG_DIRECTORY)
    identity = identity_in(log)
    space_id = known.space_id or (identity.space if identity is not None else "")
    dim = known.config.dim if known.config is not None else 0
    survey(
        log,
        known.manifest,
        space_id,
        damages,
        generation_min=known.generation_min,
        dim=dim,
        on_bytes=counter.add,
    )
