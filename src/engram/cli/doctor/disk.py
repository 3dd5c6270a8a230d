"""Checks of the disk that the data directory is on."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from engram.cli.doctor.finding import Finding, ok, problem, warning
from engram.cli.tables import nbytes_text

# As the alert DiskAlmostFull.
_RESERVES: Final = 4
_SYNC_S_MAX: Final = 0.02
_VOLATILE: Final = frozenset({"tmpfs", "ramfs"})
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"})

_REMEDIES: Final[Mapping[int, str]] = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or raise the quota of the user of the server",
    errno.EROFS: "mount the file system so that it can be written, or choose another directory",
    errno.ENOTDIR: "choose another directory, or move the file away",
    errno.EMFILE: "permit more open files",
    errno.EIO: "look after the disk: it does not store what it is given",
}
_RIGHTS: Final = "give the user of the server the right to read and write the data directory and what is in it"


def check_free_space(path: str, free: int, reserve: int, files_left: int | None) -> Finding:
    """Check the free space.

    Parameters
    ----------
    path
        The directory.
    free
        Free space in bytes.
    reserve
        `disk_free_bytes_min` of the server.
    files_left
        Number of files that can still be made; None if the file system has no such limit.
    """
    found = f"{nbytes_text(free)} free at {path}; the server keeps {nbytes_text(reserve)} free"
    if free <= reserve:
        return problem("disk space", found, "free some space: all writes would be refused")
    if files_left is not None and files_left < 1000:
        return problem("disk space", f"{found}; room for {files_left} files", "remove files: no new ones could be made")
    if free < _RESERVES * reserve:
        return warning("disk space", found, f"have {nbytes_text(_RESERVES * reserve)} free at least")
    return ok("disk space", found)


def check_file_system(kind: str) -> Finding:
    """Check the kind of the file system, such as ``"ext4"``; empty if it is not known."""
    if kind in _VOLATILE:
        return warning("file system", kind, "use a disk: what is in memory is gone when the machine stops")
    if kind in _REMOTE:
        advice = "use a local disk: locks and syncs over a network were not tried, and each commit waits for a sync"
        return warning("file system", kind, advice)
    return ok("file system", kind or "not known")


def check_sync(taken: float | OSError) -> Finding:
    """Check how long a small write and its sync take.

    Parameters
    ----------
    taken
        The middle one of a few tries, in seconds; or why nothing can be written.
    """
    if isinstance(taken, OSError):
        found = f"{taken.filename} cannot be used: {taken.strerror or taken}"
        return problem("writing", found, _REMEDIES.get(taken.errno or 0, _RIGHTS))
    found = f"a write and its sync take {taken * 1000:.1f} ms"
    if taken > _SYNC_S_MAX:
        advice = "use a faster disk, or one that others use less: each commit waits for one sync"
        return warning("writing", found, advice)
    return ok("writing", found)
