"""Creation of a data directory that appears completely or not at all."""

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
from engram.log.segments.segment import LOG_DIRECTORY
from engram.store.naming.space_list import FILE, Listed, ListedSpaces, write_list
from engram.store.space_catalog import SpaceCatalog, StoredSpace

# Nobody else calls a folder like this.
UNFINISHED: Final = ".engram-unfinished"


class NewDirectory:
    """A data directory under construction. Until `publish`, everything is in a separate folder inside it.

    Parameters
    ----------
    storage
        The directory that becomes the data directory.

    Attributes
    ----------
    storage
        The folder inside that directory that holds everything until `publish`.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self.storage: Final = storage.directory(UNFINISHED)
        self._listed: dict[str, Listed] = {}

    @property
    def path(self) -> Path:
        """Path of the finished data directory."""
        return self._storage.path

    def space(self, name: str) -> FileStorage:
        """Return the directory of a space, new and empty."""
        return self.storage.directory("spaces").directory(name)

    def list_space(self, name: str, space_id: str, generation: int) -> None:
        """Note that the space `name`, whose log ends with `generation`, is complete."""
        self._listed[name] = Listed(space_id, generation)

    def complete(self, store_id: str, aliases: Mapping[str, str] | None = None) -> None:
        """Write the list of spaces, which makes the folder a data directory.

        Parameters
        ----------
        aliases
            The space that each alias means; None: there are none. One whose space is not complete is left out, and so
            is one that has the name of a space.
        """
        self.storage.directory("spaces")
        listed = self._listed
        kept = {alias: to for alias, to in (aliases or {}).items() if to in listed and alias not in listed}
        write_list(self.storage, ListedSpaces(store_id, listed, kept))

    def publish(self) -> None:
        """Move everything to its final place, durably.

        If this is interrupted, the directory either is no data directory yet, or it is one that contains all of its
        spaces.
        """
        names = self.storage.names()
        # Move the list of spaces last, because it makes the directory a complete data directory.
        for name in sorted(names, key=FILE.__eq__):
            self._storage.rename(f"{UNFINISHED}/{name}", name)
        (self.path / UNFINISHED).rmdir()


@contextmanager
def new_directory(
    path: str | os.PathLike[str], source: str | os.PathLike[str], generations: Mapping[str, int]
) -> Iterator[NewDirectory]:
    """Create a data directory that nobody else uses meanwhile. A failure leaves nothing of it.

    Parameters
    ----------
    path
        Path of the new directory. It must not exist, or be an empty directory. Leftovers of an interrupted call are
        removed.
    source
        The directory that is read. The new directory must not be inside it, nor the other way round.
    generations
        For each space that will be created, by name, the generation that its log will end with. It shows whether a
        store that already exists at `path` is newer.

    Raises
    ------
    AlreadyExists
        With code ``newer_directory`` if there is a store with more generations; with code ``directory_not_empty`` if
        there is anything else.
    InvalidInput
        If both directories are the same, or one is inside the other.
    StoreLocked
        If the directory is already being created.
    Unavailable
        If the directory cannot be written.
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
    """Refuse two directories that are the same, or one of which is inside the other.

    Raises
    ------
    InvalidInput
        If the directories overlap; the error names both.
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
    """Return the names that an interrupted call may have left.

    Such a call takes the lock first, so a folder beside no lock belongs to somebody else.
    """
    unfinished = path / UNFINISHED
    is_ours = (path / LOCK).is_file() and unfinished.is_dir() and not unfinished.is_symlink()
    return {LOCK, UNFINISHED} if is_ours else {LOCK}


def _generations_in(path: Path) -> dict[str, int]:
    """Return the last generation of each space in a data directory, by name.

    The directory may be damaged or in use. Spaces without a readable manifest are left out.
    """
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
    """Return the generation that the log of a space ends with.

    The log must be read, because a process that was killed may have written more than its last mark says. If the log
    cannot be read, the generation of the mark is returned.
    """
    covered = max((entry.generation for entry in manifest.checkpoints), default=0)
    try:
        log = recover(space.storage.directory(LOG_DIRECTORY), manifest, space.config.dim, covered, Damages())
    except (EngramError, OSError):
        return manifest.mark.generation
    log.close()
    return log.last_generation
