"""``engram backup``: copy a data directory, even while a process writes it, or update an earlier copy."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engram.errors import AlreadyExists, CorruptData, EngramError, FailedPrecondition
from engram.log.damage import Damages
from engram.log.files.directory_lock import FILE_NAME as LOCK
from engram.log.files.directory_lock import DirectoryLock
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import typed_failures, unavailable
from engram.log.format1.recovery import entries_of, recover1
from engram.log.identity import Identity
from engram.log.manifest import Manifest, Mark, SegmentEntry
from engram.log.segments.segment import LOG_DIRECTORY
from engram.maintenance.backups.backed_log import back_up_log
from engram.maintenance.backups.backup_file import (
    FILE_NAME,
    SEGMENTS,
    BackedSegment,
    BackedSpace,
    Backup,
    read_backup,
    write_backup,
)
from engram.maintenance.backups.copied_segment import check_backed
from engram.maintenance.new_directory import check_apart
from engram.maintenance.progress import Counter, OnProgress, unseen
from engram.maintenance.source import Described, describe, opened_source
from engram.model.damage import Damage
from engram.model.times import now_us
from engram.store.directory import check_path
from engram.store.recovery import check_not_older
from engram.store.space_catalog import SpaceCatalog

# So many attempts find the same list of segments, and one of these missing, before it is believed to be lost.
_ATTEMPTS: Final = 5
_ATTEMPTS_MAX: Final = 1000


@dataclass(slots=True)
class BackupReport:
    """The content of a backup, and what was copied into it.

    Parameters
    ----------
    source, path
        Paths of the data directory and of the backup.
    spaces
        The spaces that the backup holds in their state at the time of this backup, by name.
    copied_bytes, kept_bytes
        Number of bytes that were copied, and that the backup already held.
    refused
        The spaces that could not be backed up, by name, each with the reason. If an earlier backup holds such a space,
        it is still there.
    kept
        The spaces that the backup holds as an earlier backup left them, by name, because they could not be backed up
        now or do not exist any more.
    damages
        All damage that was found.
    """

    source: str
    path: str
    spaces: dict[str, BackedSpace] = field(default_factory=dict)
    copied_bytes: int = 0
    kept_bytes: int = 0
    refused: dict[str, EngramError] = field(default_factory=dict)
    kept: dict[str, BackedSpace] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether the backup holds every space in its state at the time of this backup."""
        return not (self.refused or self.kept or self.damages)

    def values(self) -> dict[str, object]:
        """Return the report as values for JSON."""
        return {
            "source": self.source,
            "path": self.path,
            "complete": self.is_complete,
            "spaces": {name: space.generation for name, space in self.spaces.items()},
            "copied_bytes": self.copied_bytes,
            "kept_bytes": self.kept_bytes,
            "refused": {n: {"code": e.code, "message": e.message} for n, e in self.refused.items()},
            "kept": {name: space.generation for name, space in self.kept.items()},
            "damages": [damage._asdict() for damage in self.damages],
        }


def backup(
    path: str | os.PathLike[str], backup_path: str | os.PathLike[str], *, on_progress: OnProgress = unseen
) -> BackupReport:
    """Copy a data directory, whether or not a process writes it meanwhile.

    Each space is copied as of one generation. The copy contains everything that was acknowledged before the call. Every
    byte of the copy is read again and checked. If the target holds a backup of the same store, only new data are
    copied, and the earlier backup stays valid until the end. Checkpoints are left out: the graph is built again after a
    restore.

    Parameters
    ----------
    path
        The data directory.
    backup_path
        Path of the backup: a new or empty directory, or an earlier backup of the same store.
    on_progress
        Function that receives the progress.

    Raises
    ------
    InvalidInput
        If one is no path, or one is inside the other.
    NotFound
        If there is no data directory.
    AlreadyExists
        If the target holds something else, or the backup of another store.
    InvalidInput
        If both directories are the same, or one is inside the other.
    StoreLocked
        If another backup to the same place is being taken.
    CorruptData
        If the earlier backup is damaged, or the new one is not as it was written.
    NewerFormat
        If a newer version of Engram wrote the list of spaces or the earlier backup. A single space that a newer version
        wrote is refused in the report.
    Unavailable
        If the data directory cannot be read or the backup cannot be written.
    """
    check_path(path)
    check_path(backup_path, "the backup")
    report = BackupReport(os.fspath(path), os.fspath(backup_path))
    check_apart(backup_path, path)
    with opened_source(path, lock=False) as catalogue, _opened_target(backup_path) as target:
        earlier = _with_present_names(_earlier(target, catalogue.store_id), catalogue)
        with typed_failures(f"writing backup {target.path}"):
            segments = target.directory(SEGMENTS)
            report.damages += catalogue.damages.all()
            for name in catalogue.names:
                _back_up_space(catalogue, name, segments, earlier.spaces.get(name), report, on_progress)
            report.kept = {n: space for n, space in earlier.spaces.items() if n not in report.spaces}
            whole = Backup(catalogue.store_id, {**report.kept, **report.spaces}, catalogue.aliases)
            _check(segments, whole, on_progress)
            write_backup(target, whole)
            _prune(segments, whole.file_names)
    return report


def _back_up_space(
    catalogue: SpaceCatalog,
    name: str,
    segments: FileStorage,
    earlier: BackedSpace | None,
    report: BackupReport,
    on_progress: OnProgress,
) -> None:
    damages = Damages(name, remembered_max=sys.maxsize)
    counter = Counter(on_progress, "copying", name)
    try:
        space, copied = _copied(catalogue, name, segments, earlier, damages, counter)
    except EngramError as error:
        report.refused[name] = error
    except OSError as error:
        report.refused[name] = unavailable(error, f"backing up space {name}")
    else:
        report.spaces[name] = space._replace(taken_us=now_us())
        report.copied_bytes += copied
        report.kept_bytes += space.nbytes - copied
    report.damages += damages.all()


def _copied(
    catalogue: SpaceCatalog,
    name: str,
    segments: FileStorage,
    earlier: BackedSpace | None,
    damages: Damages,
    counter: Counter,
) -> tuple[BackedSpace, int]:
    """Copy a space that may be written meanwhile; return what the backup is to hold, and how many bytes were copied."""
    done: dict[SegmentEntry, BackedSegment] = {}
    listed: Sequence[SegmentEntry] = ()
    attempts = unchanged = 0
    while True:
        known = describe(catalogue, name)
        manifest = _manifest_of(catalogue, known, damages)
        _check_continues(name, manifest, earlier)
        try:
            space, copied = back_up_log(_log_of(manifest), manifest, segments, earlier, done, damages, counter.add)
        except FileNotFoundError as error:
            # The writer has replaced a segment, or removed one that it never used, and does not list it any more. What
            # was copied before is not copied again, so that this comes to an end however often it replaces some.
            attempts += 1
            unchanged = unchanged + 1 if manifest.segments == listed else 1
            listed = manifest.segments
            if unchanged == _ATTEMPTS or attempts == _ATTEMPTS_MAX:
                message = f"space {name}: a segment is missing: {error.filename or error}"
                raise CorruptData(message, code="missing_segment", field="space", value=name) from error
        else:
            # The list of spaces was read before the log, so a writer can only have gone further.
            check_not_older(name, space.generation, known.generation_min)
            return space, copied


def _manifest_of(catalogue: SpaceCatalog, known: Described, damages: Damages) -> Manifest:
    if known.error is not None:
        raise known.error
    assert known.storage is not None  # noqa: S101  (for the type checker: a space without directory has an error)
    if known.manifest is not None:
        return known.manifest
    assert known.config is not None  # noqa: S101  (for the type checker: a sound space has settings)
    # A format 1 space that this version never wrote has no manifest, and no process writes it.
    log = recover1(known.storage.directory(LOG_DIRECTORY), known.config.dim, damages)
    log.close()
    entries = entries_of(log.segments, log.records)
    identity = Identity.new(catalogue.store_id)
    return Manifest(known.storage, identity, known.config.settings(), entries, (), Mark(log.last_generation))


def _log_of(manifest: Manifest) -> FileStorage:
    assert isinstance(manifest.storage, FileStorage)  # noqa: S101  (for the type checker: it is on the disk)
    return manifest.storage.directory(LOG_DIRECTORY)


def _check_continues(name: str, manifest: Manifest, earlier: BackedSpace | None) -> None:
    """Refuse to replace a space by another one, or by another incarnation of it."""
    if earlier is not None and manifest.identity != earlier.identity:
        raise FailedPrecondition(
            f"the backup holds another space {name}, or the same before it was restored or repaired; back this one up "
            "to a new directory",
            code="foreign_backup",
            field="space",
            limit=earlier.identity.incarnation,
            value=manifest.identity.incarnation,
        )


def _check(segments: FileStorage, whole: Backup, on_progress: OnProgress) -> None:
    """Read all of a backup again.

    Raises
    ------
    CorruptData
        If a file is not as it was written.
    """
    for name, space in whole.spaces.items():
        counter = Counter(on_progress, "checking", name, space.nbytes)
        for backed, file in zip(space.segments, space.file_names, strict=True):
            check_backed(segments, file, backed)
            counter.add(backed.end)


@contextmanager
def _opened_target(path: str | os.PathLike[str]) -> Iterator[FileStorage]:
    with typed_failures(f"opening backup {os.fspath(path)}"):
        there = Path(path)
        if there.exists() and not there.is_dir():
            raise AlreadyExists(f"{there} is no directory", code="directory_not_empty", field="path", value=there)
        names = {entry.name for entry in there.iterdir()} if there.exists() else set()
        if FILE_NAME not in names and names - {LOCK, SEGMENTS, f"{FILE_NAME}.tmp"}:
            first = min(names - {LOCK, SEGMENTS})
            raise AlreadyExists(
                f"{there} is neither empty nor a backup: there is {first!r}",
                code="directory_not_empty",
                field="path",
                value=there,
            )
        storage = FileStorage(path)
        lock = DirectoryLock(storage.path, storage.root_descriptor)
    try:
        yield storage
    finally:
        lock.release()
        storage.close()


def _earlier(target: FileStorage, store_id: str) -> Backup:
    with typed_failures(f"reading backup {target.path}"):
        names = target.names()
    if FILE_NAME not in names:
        return Backup(store_id, {})
    earlier = read_backup(target)
    if earlier.store != store_id:
        raise AlreadyExists(
            f"{target.path} holds the backup of another store; name another directory",
            code="foreign_backup",
            field="path",
            limit=earlier.store,
            value=store_id,
        )
    return earlier


def _with_present_names(earlier: Backup, catalogue: SpaceCatalog) -> Backup:
    """Return an earlier backup in which the spaces that were renamed since have their present names.

    A space keeps its former name if the earlier backup has another one with the present one, which must not be lost.
    """
    names = {catalogue.listed(name).space: name for name in catalogue.names}
    spaces = dict(earlier.spaces)
    for name, space in earlier.spaces.items():
        present = names.get(space.identity.space, name)
        if present not in spaces:
            spaces[present] = spaces.pop(name)
    return earlier._replace(spaces=spaces)


def _prune(segments: FileStorage, kept: set[str]) -> None:
    """Remove the files that the backup does not list any more."""
    for name in segments.names():
        if name not in kept:
            with contextlib.suppress(OSError):
                segments.remove(name)
