"""A data directory that is being made: it appears as a whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engram.errors import AlreadyExists, EngramError, InvalidInput
from engram.log.damage import Damages
from engram.log.files.directory_lock import FILE_NAME as LOCK
from engram.log.files.directory_lock import DirectoryLock
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import typed_failures
from engram.log.manifest import Manifest
from engram.log.recovery import recover
from engram.maintenance.source import LOG
from engram.store.space_catalog import Listed, SpaceCatalog, StoredSpace, write_list

# Nobody else calls a folder like this.
UNFINISHED: Final = ".engram-unfinished"


class NewDirectory:
    """What becomes a data directory with `complete` and `publish`; until then, all of it is in a folder of its own.

    Parameters
    ----------
    storage
        The directory.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self.storage: Final = storage.directory(UNFINISHED)
        self._listed: dict[str, Listed] = {}

    @property
    def path(self) -> Path:
        """Where it is going to be."""
        return self._storage.path

    def space(self, name: str) -> FileStorage:
        """The directory of a space, new and empty."""
        return self.storage.directory("spaces").directory(name)

    def list_space(self, name: str, space_id: str, generation: int) -> None:
        """Note that a space is complete."""
        self._listed[name] = Listed(space_id, generation)

    def complete(self, store_id: str) -> None:
        """Write the list of spaces: what is in the folder is a data directory from now on."""
        self.storage.directory("spaces")
        write_list(self.storage, store_id, self._listed)

    def publish(self) -> None:
        """Put it in its place, durably. Interrupted, it is no data directory yet, or one whose spaces are all there."""
        names = self.storage.names()
        # The list of spaces comes last: with it, the directory is complete.
        for name in sorted(names, key="store.json".__eq__):
            self._storage.rename(f"{UNFINISHED}/{name}", name)
        (self.path / UNFINISHED).rmdir()


@contextmanager
def new_directory(
    path: str | os.PathLike[str], source: str | os.PathLike[str], generations: Mapping[str, int]
) -> Iterator[NewDirectory]:
    """A new data directory, which nobody else uses meanwhile; whatever fails leaves nothing of it.

    Parameters
    ----------
    path
        Where; it must not exist yet, or be empty. What an interrupted call left there is removed.
    source
        What is read; the new directory must not be in it.
    generations
        How far the spaces go that are to be made, to tell whether what is there already is newer.

    Raises
    ------
    AlreadyExists
        ``newer_directory`` if there is a store that has more; ``directory_not_empty`` if there is anything else.
    InvalidInput
        If one is inside the other.
    StoreLocked
        If somebody else is making it.
    Unavailable
        If it cannot be written.
    """
    path = Path(path)
    check_apart(path, source)
    with typed_failures(f"making data directory {path}"):
        is_new = not path.exists()
        _check_empty(path, generations)
        storage = FileStorage(path)
        lock = DirectoryLock(storage.path, storage.root_descriptor)
    try:
        with typed_failures(f"making data directory {path}"):
            _check_empty(path, generations)
            shutil.rmtree(path / UNFINISHED, ignore_errors=True)
            try:
                yield NewDirectory(storage)
            except BaseException:
                shutil.rmtree(path / UNFINISHED, ignore_errors=True)
                raise
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                (path / LOCK).unlink()
                path.rmdir()
        raise
    finally:
        lock.release()
        storage.close()


def check_apart(path: str | os.PathLike[str], source: str | os.PathLike[str]) -> None:
    """Refuse a directory that is inside the one that is read, or the other way round.

    Raises
    ------
    InvalidInput
        Naming both.
    """
    with typed_failures(f"looking where {path} and {source} are"):
        # It leaves links in a circle as they are, which are an error where they are opened.
        inner, outer = (Path(os.path.realpath(one)) for one in (path, source))
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise InvalidInput(
            f"{path} and {source} are one directory, or one is inside the other; name a new one elsewhere",
            code="invalid_path",
            field="path",
            value=path,
        )


def _check_empty(path: Path, generations: Mapping[str, int]) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise AlreadyExists(f"{path} is no directory", code="directory_not_empty", field="path", value=path)
    names = sorted({entry.name for entry in path.iterdir()} - _left_by_us(path))
    if not names:
        return
    for name, there in _generations_in(path).items():
        if there > generations.get(name, 0):
            raise AlreadyExists(
                f"{path} is newer: space {name} goes to generation {there} there, and to {generations.get(name, 0)} in "
                "what would take its place; name a new directory",
                code="newer_directory",
                field="path",
                limit=generations.get(name, 0),
                value=there,
            )
    raise AlreadyExists(
        f"{path} is not empty: there is {names[0]!r}; name a new directory",
        code="directory_not_empty",
        field="path",
        value=path,
    )


def _left_by_us(path: Path) -> set[str]:
    """What an interrupted call may have left. It made the lock first, so a folder without one is somebody else's."""
    unfinished = path / UNFINISHED
    is_ours = (path / LOCK).is_file() and unfinished.is_dir() and not unfinished.is_symlink()
    return {LOCK, UNFINISHED} if is_ours else {LOCK}


def _generations_in(path: Path) -> dict[str, int]:
    """How far the spaces in a data directory went, as far as can be told of one that may be damaged or at work."""
    try:
        storage = FileStorage(path, read_only=True)
        catalogue = SpaceCatalog(storage)
        sound, _ = catalogue.load()
    except (EngramError, OSError):
        return {}
    return {
        space.config.name: max(space.generation_min, _generation_of(space, manifest))
        for space in sound
        if (manifest := space.manifest) is not None
    }


def _generation_of(space: StoredSpace, manifest: Manifest) -> int:
    """Where the log of a space ends: a process that was killed wrote more than it left a mark of."""
    covered = max((entry.generation for entry in manifest.checkpoints), default=0)
    try:
        log = recover(space.storage.directory(LOG), manifest, space.config.dim, covered, Damages())
    except (EngramError, OSError):
        return manifest.mark.generation
    log.close()
    return log.last_generation
