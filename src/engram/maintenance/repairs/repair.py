"""``engram repair``: create a data directory from what is intact in a damaged one."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engram.errors import CorruptData, EngramError
from engram.log.damage import Damages
from engram.log.files.storage import Storage
from engram.log.identity import Identity, new_id
from engram.log.log import Log
from engram.log.manifest import Manifest
from engram.log.records.header import RecordKind
from engram.log.segments.segment import LOG_DIRECTORY
from engram.maintenance.found_segments import identity_in
from engram.maintenance.new_directory import NewDirectory, new_directory
from engram.maintenance.progress import Counter, OnProgress, unseen
from engram.maintenance.repairs.proof import Proof
from engram.maintenance.repairs.report import RepairedSpace, RepairReport
from engram.maintenance.repairs.rewriting import Rewriting
from engram.maintenance.repairs.set_aside import DIRECTORY, SetAside
from engram.maintenance.source import Described, describe, opened_source
from engram.maintenance.survey import Survey, survey
from engram.model.spaces import METRIC_DEFAULT, Metric, SpaceConfig, Vectors
from engram.store.directory import check_path
from engram.store.space_catalog import SpaceCatalog
from engram.store.space_settings import has_policy, policy_in, with_policy

REPORT: Final = "repair.json"


@dataclass(frozen=True, slots=True)
class RepairOptions:
    """Options of a repair.

    Parameters
    ----------
    metric, embedder
        Used for spaces whose description is lost. Without a metric, such spaces cannot be repaired.
    keep_unproven
        Whether to treat the newest readable version of an id as its newest version, even if a later one may be lost.
    """

    metric: Metric | None = None
    embedder: str = ""
    keep_unproven: bool = False


_DEFAULT_OPTIONS: Final = RepairOptions()


def repair(
    path: str | os.PathLike[str],
    new_path: str | os.PathLike[str],
    *,
    options: RepairOptions = _DEFAULT_OPTIONS,
    on_progress: OnProgress = unseen,
) -> RepairReport:
    """Create a data directory from what is intact in another one, which is not changed.

    Every row keeps its generation and its commit time; what is lost leaves gaps. Every space begins a new incarnation,
    so that sessions, snapshots and cursors of the old one are refused with an error that says so.

    Parameters
    ----------
    path
        The damaged directory.
    new_path
        Path of the new directory; it must not exist, or be an empty directory. The report is written there, too, as
        ``repair.json``.
    options
        Options of the repair.
    on_progress
        Function that receives the progress.

    Raises
    ------
    InvalidInput
        If one is no path, or one is inside the other.
    NotFound
        If there is no data directory.
    StoreLocked
        If a process has one of the directories open.
    CorruptData
        If a record became unreadable during the repair.
    AlreadyExists
        If the new directory is not empty.
    InvalidInput
        If both directories are the same, or one is inside the other.
    NewerFormat
        If a newer version of Engram wrote a part. Nothing is created then, because that version would repair more.
    Unavailable
        If the disk fails or is full.
    """
    check_path(path)
    check_path(new_path, "the new directory")
    report = RepairReport(os.fspath(path), os.fspath(new_path))
    with opened_source(path) as catalogue:
        known = {name: catalogue.listed(name).generation for name in catalogue.names}
        with new_directory(new_path, path, known) as target:
            report.damages += catalogue.damages.all()
            for name in catalogue.names:
                _repair_space(catalogue, name, target, options, report, on_progress)
            target.storage.replace(REPORT, json.dumps(report.values(), indent=1, ensure_ascii=False).encode())
            target.complete(catalogue.store_id, catalogue.aliases)
            target.publish()
    return report


def _repair_space(
    catalogue: SpaceCatalog,
    name: str,
    target: NewDirectory,
    options: RepairOptions,
    report: RepairReport,
    on_progress: OnProgress,
) -> None:
    known = describe(catalogue, name)
    has_log = known.storage is not None and known.storage.is_directory(LOG_DIRECTORY)
    if not has_log and (known.manifest is None or known.manifest.segments):
        report.left_behind[name] = known.error or _lost(name, "its log is missing")
        return
    damages = Damages(name, remembered_max=sys.maxsize)
    try:
        log = known.storage.directory(LOG_DIRECTORY) if known.storage is not None else None
        found = _survey(log, known, damages, on_progress)
        config = _config(known, found, options)
    except CorruptData as error:
        report.left_behind[name] = error
        return
    space = RepairedSpace(
        name,
        is_cut=found.is_cut,
        end_is_proven=known.manifest is not None or known.format == 1,
        description="options" if known.config is None else "manifest" if known.format > 1 else "format 1",
        unfinished=found.unfinished,
    )
    _rewrite(catalogue, known, config, found, space, target, options, on_progress)
    if known.error is not None:
        damages.report(known.error.field or "space.json", 0, 0, 0, known.error.message)
    space.damages = list(damages.all())
    report.spaces.append(space)


def _survey(log: Storage | None, known: Described, damages: Damages, on_progress: OnProgress) -> Survey:
    if log is None or not _is_there(log):
        return Survey()
    identity = None if known.space_id else identity_in(log)
    counter = Counter(on_progress, "reading", known.name)
    return survey(
        log,
        known.manifest,
        known.space_id or (identity.space if identity is not None else ""),
        damages,
        generation_min=known.generation_min,
        dim=known.config.dim if known.config is not None else 0,
        on_bytes=counter.add,
    )


def _is_there(log: Storage) -> bool:
    try:
        log.names()
    except FileNotFoundError:
        return False
    return True


def _config(known: Described, found: Survey, options: RepairOptions) -> SpaceConfig:
    if known.config is not None:
        return known.config
    reason = known.error.message if known.error is not None else "its description is lost"
    vectors = _vectors_in(found)
    if vectors == "none":
        return SpaceConfig(known.name, 0, options.metric or METRIC_DEFAULT, vectors=vectors)
    if found.dim == 0:
        raise _lost(known.name, f"{reason}; and there is no record that shows the dimension")
    if options.metric is None:
        raise _lost(
            known.name,
            f"{reason}; its vectors have dimension {found.dim}, but nothing shows the metric. Name it, and the "
            "embedder if it had one",
        )
    return SpaceConfig(known.name, found.dim, options.metric, options.embedder, vectors)


def _vectors_in(found: Survey) -> Vectors:
    """Return whether the observations of a space have vectors, as far as its records show it."""
    observed = [one.record for one in found.found if one.record.kind is RecordKind.OBSERVE]
    if observed and not found.dim:
        return "none"
    return "optional" if any(record.lacks_vectors for record in observed) else "required"


def _rewrite(
    catalogue: SpaceCatalog,
    known: Described,
    config: SpaceConfig,
    found: Survey,
    space: RepairedSpace,
    target: NewDirectory,
    options: RepairOptions,
    on_progress: OnProgress,
) -> None:
    """Write the new space."""
    proof = Proof(found)
    storage = target.space(config.name)
    identity = Identity(catalogue.store_id, known.space_id or new_id(), new_id())
    settings = config.settings()
    if known.manifest is not None and has_policy(known.manifest.settings):
        settings = with_policy(settings, policy_in(known.manifest.settings))
    manifest = Manifest(storage, identity, settings)
    manifest.save()
    counter = Counter(on_progress, "writing", config.name, found.nbytes)
    log = Log.open(storage.directory(LOG_DIRECTORY), manifest, config.dim)
    path = Path(target.storage.path) / DIRECTORY / f"{config.name}.jsonl"
    try:
        with SetAside(path) as set_aside:
            withheld = frozenset() if options.keep_unproven else proof.unproven
            rewriting = Rewriting(log, withheld, set_aside)
            for one in found.found:
                rewriting.add(one)
                counter.add(one.record.nbytes)
            rewriting.finish()
            space.set_aside, space.set_aside_ids = set_aside.count, len(withheld)
    finally:
        log.close()
    if known.manifest is not None:
        # Digests of ids depend on the id of the space, which is still the same.
        manifest.go_on_erasing(known.manifest.erasing, log.last_generation)
    space.kept = rewriting.kept
    space.generation = log.last_generation
    space.lost, space.lost_ids = proof.lost, proof.lost_ids
    target.list_space(config.name, identity.space, log.last_generation)


def _lost(name: str, what: str) -> EngramError:
    message = f"space {name} cannot be repaired: {what}"
    return CorruptData(message, code="missing_description", field="space", value=name)
