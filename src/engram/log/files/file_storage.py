"""Implementation of `Storage` on the file system."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Final

from engram.log.files.aligned_buffers import AlignedBufferPool
from engram.log.files.disk_blocks import reserve_blocks
from engram.log.files.mapped_file import MappedFile
from engram.log.files.os_errors import NoRoom, is_disk_full
from engram.log.files.patient_opening import opened_patiently
from engram.log.files.storage import Buffer

_TEMPORARY_SUFFIX: Final = ".tmp"


class FileStorage:
    """A directory of the file system, created with its parents if it does not exist.

    The object refers to the directory itself, not to its name. Renaming the directory, putting another one in its place
    or changing the working directory does not change where files are stored. Subdirectories share the one descriptor of
    the outermost directory. Safe to use from any thread, but two threads must not write to the same file.

    Parameters
    ----------
    path
        Path of the directory.
    read_only
        Whether to refuse every change with the error of a read-only file system. The directory must exist then.

    Raises
    ------
    OSError
        If the directory does not exist and cannot be created, or if `path` is not a directory.
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self._path = Path(path)
        if not read_only:
            self._path.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._root = _Root(opened_patiently(lambda: os.open(self._path, flags), creates=False))
        self._within = PurePath()
        self._pool = AlignedBufferPool()
        self._read_only = read_only

    @property
    def read_only(self) -> bool:
        """Whether every change is refused."""
        return self._read_only

    @property
    def path(self) -> Path:
        """Path of the directory at the time when it was opened; for messages only."""
        return self._path

    @property
    def root_descriptor(self) -> int:
        """Descriptor of the outermost directory."""
        return self._root.descriptor

    def free_bytes(self) -> int | None:
        """Return how many bytes of the disk this user may still use; None if the disk does not say."""
        try:
            found = os.fstatvfs(self._root.descriptor)
        except OSError:
            return None
        return (found.f_bavail if os.geteuid() else found.f_bfree) * found.f_frsize

    def unreserved_bytes(self) -> int | None:
        """Return how many bytes of the disk any user may still use; None if the disk does not say."""
        try:
            found = os.fstatvfs(self._root.descriptor)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize

    def names(self) -> list[str]:
        """Return the sorted names of files and subdirectories, without leftovers of interrupted `replace` calls."""
        with self._opened() as descriptor:
            return sorted(name for name in os.listdir(descriptor) if not name.endswith(_TEMPORARY_SUFFIX))

    def is_directory(self, name: str) -> bool:
        """Return whether a subdirectory `name` exists."""
        try:
            with self._named(name):
                return stat.S_ISDIR(os.stat(self._at(name), dir_fd=self._root.descriptor).st_mode)
        except FileNotFoundError:
            return False

    def create(self, name: str, size: int, begin: Buffer = b"") -> MappedFile:
        """Create a file of `size` bytes; see `Storage.create`."""
        self._check_writable(name)
        with self.taking(name, size):
            descriptor = self.descriptor(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            try:
                reserve_blocks(descriptor, 0, size)
                if begin:
                    os.pwrite(descriptor, begin, 0)
                os.fsync(descriptor)
                self.sync()
                return MappedFile(descriptor, self._reopener(name), self._pool, is_new=True)
            except BaseException:
                os.close(descriptor)
                with contextlib.suppress(OSError):
                    self._unlink(name)
                raise

    def open(self, name: str) -> MappedFile:
        """Open an existing file, for writing unless the storage is read-only."""
        descriptor = self.descriptor(name, os.O_RDONLY if self.read_only else os.O_RDWR)
        try:
            return MappedFile(descriptor, self._reopener(name), self._pool, is_new=False)
        except BaseException:
            os.close(descriptor)
            raise

    def remove(self, name: str) -> None:
        """Remove a file, durably."""
        self._check_writable(name)
        self._unlink(name)
        self.sync()

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with os.fdopen(self.descriptor(name, os.O_RDONLY), "rb") as file:
            return file.read()

    def replace(self, name: str, data: bytes) -> None:
        """Replace a file's content atomically and durably."""
        self._check_writable(name)
        temporary = name + _TEMPORARY_SUFFIX
        with self.taking(name, len(data)):
            try:
                with os.fdopen(self.descriptor(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                # It would take room where there is none.
                with contextlib.suppress(OSError):
                    self._unlink(temporary)
                raise
            self.rename(temporary, name)

    def rename(self, old: str, new: str) -> None:
        """Rename a file or a subdirectory, durably; see `Storage.rename`."""
        self._check_writable(new)
        root = self._root.descriptor
        with self._named(new):
            os.replace(self._at(old), self._at(new), src_dir_fd=root, dst_dir_fd=root)
        self.sync()

    def remove_directory(self, name: str) -> None:
        """Remove a subdirectory with everything in it, durably; see `Storage.remove_directory`.

        Of a link to a directory elsewhere, what is in that directory is removed, and the link.
        """
        self._check_writable(name)
        if not self.is_directory(name):
            return
        with self.directory(name, create=False)._opened() as descriptor:
            _remove_all_in(descriptor)
        root, path = self._root.descriptor, self._at(name)
        with self._named(name):
            if stat.S_ISLNK(os.stat(path, dir_fd=root, follow_symlinks=False).st_mode):
                os.unlink(path, dir_fd=root)
            else:
                os.rmdir(path, dir_fd=root)
        self.sync()

    def directory(self, name: str, *, create: bool = True) -> FileStorage:
        """Return the subdirectory `name`, created if it is missing, `create` is set and the storage is writable."""
        if create and not self.read_only and not self.is_directory(name):
            with self._named(name):
                os.mkdir(self._at(name), dir_fd=self._root.descriptor)
            self.sync()
        child = object.__new__(FileStorage)
        child._path = self._path / name
        child._root = self._root
        child._within = self._within / name
        child._pool = self._pool
        child._read_only = self._read_only
        return child

    def descriptor(self, name: str, flags: int) -> int:
        """Open a file and return its descriptor, which the caller closes; see `opened_patiently`."""
        root, path = self._root.descriptor, self._at(name)
        with self._named(name):
            return opened_patiently(
                lambda: os.open(path, flags | os.O_CLOEXEC, 0o644, dir_fd=root), creates=bool(flags & os.O_CREAT)
            )

    def sync(self) -> None:
        """Make the entries of the directory durable: the files that were created, removed or renamed."""
        with self._opened() as descriptor:
            os.fsync(descriptor)

    def close(self) -> None:
        """Close the directory and all of its subdirectories. Open files stay open."""
        self._root.close()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        with self._named(""):
            within, root = str(self._within), self._root.descriptor
            descriptor = opened_patiently(lambda: os.open(within, flags, dir_fd=root), creates=False)
        try:
            with self._named(""):
                yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """Make errors of the body name the whole path, not only the part below the open directory."""
        try:
            yield
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(error.errno, error.strerror, str(self._path / name)) from error

    @contextlib.contextmanager
    def taking(self, name: str, nbytes: int) -> Iterator[None]:
        """Make the error of a full disk say which file found no room, how much it needs, and what is free."""
        try:
            yield
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise NoRoom(error, str(self._path / name), nbytes, self.free_bytes()) from error

    def _at(self, name: str) -> str:
        return str(self._within / name)

    def _unlink(self, name: str) -> None:
        with self._named(name):
            os.unlink(self._at(name), dir_fd=self._root.descriptor)

    def _reopener(self, name: str) -> Callable[[int], int]:
        return lambda flags: self.descriptor(name, flags)

    def _check_writable(self, name: str) -> None:
        if self.read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self._path / name))


def _remove_all_in(descriptor: int) -> None:
    """Remove everything in an open directory, also what interrupted `replace` calls left."""
    with os.scandir(descriptor) as entries:
        inside = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in inside:
        if is_directory:
            shutil.rmtree(name, dir_fd=descriptor)
        else:
            os.unlink(name, dir_fd=descriptor)


class _Root:
    """The descriptor of a directory. It is closed at the latest when nothing refers to this object any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._closer = weakref.finalize(self, os.close, descriptor)

    @property
    def descriptor(self) -> int:
        if not self._closer.alive:
            raise OSError(errno.EBADF, "the directory is closed")
        return self._descriptor

    def close(self) -> None:
        self._closer()
