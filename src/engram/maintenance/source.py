"""Read-only access to a data directory, whatever its state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from engram.errors import CorruptData, EngramError, NewerFormat, NotFound
from engram.log.files.checked_json import format_of
from engram.log.files.directory_lock import DirectoryLock
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import typed_failures, unavailable
from engram.log.files.storage import Storage
from engram.log.manifest import FILE_NAME, Manifest
from engram.model.spaces import SpaceConfig
from engram.store.directory import check_is_store, check_path
from engram.store.space_catalog import SpaceCatalog
from engram.store.space_settings import decode_listed, read_settings1


class Described(NamedTuple):
    """The facts about a space that are known without reading its log.

    Parameters
    ----------
    name
        Name of the space.
    storage
        The directory of the space; None if the directory is missing.
    manifest
        The manifest of the space; None if the manifest is lost, or for a space of format 1.
    config
        The settings of the space; None if they are lost.
    format
        1 for a space of format 1 that this version never opened for writing; else 2.
    space_id
        The id of the space from the list of spaces, or else from its manifest; empty if neither has it.
    generation_min
        A generation that its log reached at least.
    error
        The reason why its description is not trusted; None if it is.
    """

    name: str
    storage: Storage | None
    manifest: Manifest | None = None
    config: SpaceConfig | None = None
    format: int = 2
    space_id: str = ""
    generation_min: int = 0
    error: EngramError | None = None


@contextmanager
def opened_source(path: str | os.PathLike[str], *, lock: bool = True) -> Iterator[SpaceCatalog]:
    """Open a data directory read-only and yield its catalogue of spaces.

    Parameters
    ----------
    path
        The data directory.
    lock
        Whether to take a shared lock, which keeps writers away meanwhile.

    Raises
    ------
    InvalidInput
        If `path` is no path.
    FailedPrecondition
        If it is a backup.
    NotFound
        If there is no data directory.
    StoreLocked
        If a process has it open for writing.
    NewerFormat
        If a newer version of Engram wrote the list of spaces.
    Unavailable
        If it cannot be read.
    """
    check_path(path)
    with typed_failures(f"opening data directory {os.fspath(path)}"):
        if not Path(path).is_dir():
            raise NotFound(f"there is no data directory {path}", code="no_data", field="path", value=path)
        storage = FileStorage(path, read_only=True)
        try:
            check_is_store(storage)
            held = DirectoryLock(storage.path, storage.root_descriptor, shared=True) if lock else None
        except BaseException:
            storage.close()
            raise
    try:
        yield SpaceCatalog(storage)
    finally:
        if held is not None:
            held.release()
        storage.close()


def describe(catalogue: SpaceCatalog, name: str) -> Described:
    """Return what is known about a space without reading its log.

    Raises
    ------
    NewerFormat
        If a newer version of Engram wrote its description.
    """
    listed = catalogue.listed(name)
    known = Described(name, None, space_id=listed.space, generation_min=listed.generation)
    storage = catalogue.directory(name)
    try:
        there = storage.names()
    except (FileNotFoundError, NotADirectoryError):
        return known._replace(error=_missing(name, f"spaces/{name}", "the directory of the space is missing"))
    except OSError as error:
        return known._replace(error=unavailable(error, f"reading spaces/{name}"))
    known = known._replace(storage=storage)
    file = f"spaces/{name}/{FILE_NAME}"
    if FILE_NAME not in there:
        return known._replace(error=_missing(name, file, "the description is missing"))
    try:
        return _described(catalogue, known, storage)
    except NewerFormat:
        raise
    except OSError as error:
        return known._replace(error=unavailable(error, f"reading {file}"))
    except EngramError as error:
        return known._replace(error=error)


def _described(catalogue: SpaceCatalog, known: Described, storage: Storage) -> Described:
    name, file = known.name, f"spaces/{known.name}/{FILE_NAME}"
    data = storage.read(FILE_NAME)
    if format_of(data) == 1 and not known.space_id:
        return known._replace(config=read_settings1(name, data, file), format=1)
    manifest = Manifest.read(storage, name)
    config = decode_listed(name, manifest, known.space_id, file)
    identity = manifest.identity
    if identity.store != catalogue.store_id or known.space_id not in ("", identity.space):
        what = "it belongs to another store, or to another time of this one"
        raise CorruptData(f"{file}: {what}", code="foreign_space", field=file)
    return known._replace(manifest=manifest, config=config, space_id=identity.space)


def _missing(name: str, file: str, what: str) -> CorruptData:
    return CorruptData(f"{file}: {what}", code="missing_description", field=file, value=name)
