"""``engram restore``: create a data directory from a backup."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from crc32c import crc32c

from engram.errors import CorruptData, NotFound
from engram.log.files.directory_lock import DirectoryLock
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import typed_failures
from engram.log.identity import new_id
from engram.log.manifest import Manifest, Mark
from engram.log.segments.segment import LOG_DIRECTORY
from engram.maintenance.backups.backup_file import SEGMENTS, BackedSegment, BackedSpace, read_backup
from engram.maintenance.backups.copied_segment import mismatch
from engram.maintenance.new_directory import NewDirectory, new_directory
from engram.maintenance.progress import Counter, OnProgress, unseen
from engram.maintenance.verify import verify
from engram.store.directory import check_path


@dataclass(slots=True)
class RestoreReport:
    """The result of a restore.

    Parameters
    ----------
    source, path
        Paths of the backup and of the new data directory.
    spaces
        The last generation of each space, by name.
    """

    source: str
    path: str
    spaces: dict[str, int] = field(default_factory=dict)

    def values(self) -> dict[str, object]:
        """Return the report as values for JSON."""
        return {"source": self.source, "path": self.path, "spaces": self.spaces}


def restore(
    backup_path: str | os.PathLike[str], new_path: str | os.PathLike[str], *, on_progress: OnProgress = unseen
) -> RestoreReport:
    """Create a data directory from a backup, and check all of it.

    Every space begins a new incarnation: sessions, snapshots and cursors from the time after the backup are refused
    with an error that says so.

    Parameters
    ----------
    backup_path
        The backup, which is not changed.
    new_path
        Path of the new data directory; it must not exist, or be an empty directory.
    on_progress
        Function that receives the progress.

    Raises
    ------
    InvalidInput
        If one is no path, or one is inside the other.
    NotFound
        If there is no backup.
    AlreadyExists
        If the new directory is not empty: ``newer_directory`` if it is a store with more generations, else
        ``directory_not_empty``.
    InvalidInput
        If both directories are the same, or one is inside the other.
    StoreLocked
        If the backup is being written, or the new directory is already being created.
    CorruptData
        If the backup is damaged; nothing is restored then.
    NewerFormat
        If a newer version of Engram wrote the backup.
    Unavailable
        If the backup cannot be read or the new directory cannot be written.
    """
    check_path(backup_path, "the backup")
    check_path(new_path, "the new directory")
    report = RestoreReport(os.fspath(backup_path), os.fspath(new_path))
    with typed_failures(f"reading backup {os.fspath(backup_path)}"):
        if not Path(backup_path).is_dir():
            raise NotFound(f"there is no backup {backup_path}", code="no_backup", field="path", value=backup_path)
        source = FileStorage(backup_path, read_only=True)
        lock = DirectoryLock(source.path, source.root_descriptor, shared=True)
    try:
        held = read_backup(source)
        known = {name: space.generation for name, space in held.spaces.items()}
        with new_directory(new_path, backup_path, known) as target:
            for name, space in held.spaces.items():
                counter = Counter(on_progress, "restoring", name, space.nbytes)
                _restore_space(name, space, source.directory(SEGMENTS), target, counter)
                report.spaces[name] = space.generation
            target.complete(held.store, held.aliases)
            _check(target, report, on_progress)
            target.publish()
    finally:
        lock.release()
        source.close()
    return report


def _restore_space(
    name: str, space: BackedSpace, segments: FileStorage, target: NewDirectory, counter: Counter
) -> None:
    storage = target.space(name)
    log = storage.directory(LOG_DIRECTORY)
    for backed, file in zip(space.segments, space.file_names, strict=True):
        _restore_segment(segments, file, backed, log)
        counter.add(backed.end)
    last = space.segments[-1] if space.segments else None
    end = Mark() if last is None else Mark(space.generation, last.entry.epoch, last.end)
    entries = [backed.entry for backed in space.segments]
    identity = space.identity._replace(incarnation=new_id())
    manifest = Manifest(storage, identity, space.settings, entries, (), end._replace(closed=True))
    manifest.save()
    manifest.go_on_erasing(space.erasing, space.generation)
    target.list_space(name, identity.space, space.generation)


def _restore_segment(segments: FileStorage, file: str, backed: BackedSegment, log: FileStorage) -> None:
    try:
        data = segments.read(file)
    except FileNotFoundError:
        raise mismatch(file, backed, None) from None
    if (len(data), crc32c(data)) != (backed.end, backed.crc):
        raise mismatch(file, backed, (len(data), crc32c(data)))
    written = log.create(backed.entry.name, backed.entry.nbytes)
    try:
        written.write(0, [data])
        written.sync()
    finally:
        written.close()


def _check(target: NewDirectory, report: RestoreReport, on_progress: OnProgress) -> None:
    verdict = verify(target.storage.path, on_progress=on_progress)
    found = {space.name: space.generation for space in verdict.spaces}
    if verdict.is_sound and found == report.spaces:
        return
    for error in verdict.unsound.values():
        raise error
    what = verdict.damages[0].message if verdict.damages else f"spaces go to {found}, not {report.spaces}"
    raise CorruptData(f"what was restored is not what was backed up: {what}", code="corrupt_backup", field="path")
