"""Blank segments. The next one is prepared in the background while the current one fills."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from engram.log.damage import Damages
from engram.log.files.aligned_buffers import BLOCK_BYTES
from engram.log.files.os_errors import is_disk_full
from engram.log.files.storage import Storage
from engram.log.identity import new_salt
from engram.log.manifest import Manifest, SegmentEntry
from engram.log.segments.segment import Segment, segment_name
from engram.log.segments.segment_header import SegmentHeader

# Creating a smaller segment takes less time than starting a thread.
_PREPARED_BYTES_MIN: Final = 16 << 20
# The first segments are as large as this, so that small spaces do not reserve much.
_FIRST_BYTES: Final = 16 << 10
# By how much the next size that is tried on a full disk is smaller.
_SHRINK: Final = 4
logger: logging.Logger = logging.getLogger(__name__)


def least_segment_bytes(nbytes: int) -> int:
    """Return the size of the smallest segment with room for `nbytes` bytes of records."""
    nbytes += BLOCK_BYTES
    # Use whole blocks: direct I/O cannot write a file that ends within a block.
    return nbytes + -nbytes % BLOCK_BYTES


def next_segment_bytes(log_bytes: int, bytes_max: int) -> int:
    """Return the size of the next segment of a log that has `log_bytes` bytes of records. It grows with the log."""
    size = max(log_bytes, min(4 * log_bytes, 64 * _FIRST_BYTES))
    return min(bytes_max, max(_FIRST_BYTES, size + -size % BLOCK_BYTES))


class SegmentPool:
    """Hands out blank segments with rising numbers. The manifest lists each one before anything is written to it.

    Reserving the blocks of a file and making that durable takes milliseconds, and no commit should wait for it.
    Therefore a short-lived thread creates the next segment in advance. It only reserves the blocks. Filling the file
    with zeros, too, would make single syncs faster but cost disk bandwidth that a sustained stream needs; for the
    numbers see docs/decisions/0001-log-is-the-store.md. Used by the writer thread only.

    Parameters
    ----------
    storage
        The directory of the log.
    manifest
        The manifest that lists the segments.
    damages
        Object that receives the segments' reports of damage.
    last_epoch
        The highest segment number in use.
    blanks
        Blank segments found at recovery, oldest first.
    """

    def __init__(
        self,
        storage: Storage,
        manifest: Manifest,
        damages: Damages,
        last_epoch: int,
        blanks: Sequence[Segment],
    ) -> None:
        self._storage = storage
        self._manifest = manifest
        self._damages = damages
        self._last_epoch = last_epoch
        self._ready = deque(blanks)
        self._preparation: _Preparation | None = None

    def take(self, size_min: int, size: int) -> Segment:
        """Return a blank segment with room for `size_min` bytes. A new segment gets `size` bytes, or more if it must.

        On a disk that is nearly full, it gets less: down to the room that is asked for.

        Raises
        ------
        OSError
            If the segment cannot be created. The pool stays usable.
        """
        self._finish_preparation()
        while self._ready:
            segment = self._ready.popleft()
            if len(segment.view) - segment.begin >= size_min:
                return segment
            # The segment is too small. Numbers rise with generations, so it cannot be used after a later one.
            segment.file.close()
            self._discard(segment)
        return self._create_as_large_as_fits(least_segment_bytes(size_min), size)

    def give_back(self, segments: Sequence[Segment]) -> None:
        """Return segments to the pool that `take` handed out and that are still blank, in the same order."""
        self._ready.extendleft(reversed(segments))

    def prepare(self, size: int) -> None:
        """Start creating a segment of `size` bytes, unless one is ready or being created, or `size` is below 16 MiB."""
        if size >= _PREPARED_BYTES_MIN and not self._ready and self._preparation is None:
            self._last_epoch += 1
            self._preparation = _Preparation(self, self._last_epoch, size)

    def close(self, *, discarding: bool) -> None:
        """Wait for a segment being created, and close the blank segments.

        Parameters
        ----------
        discarding
            Whether to remove their files, too, so that they take nothing of the disk. The next opening finds and uses
            those that stay.

        Raises
        ------
        OSError
            If one cannot be removed. It stays, then.
        """
        self._finish_preparation()
        while self._ready:
            segment = self._ready.pop()
            segment.file.close()
            if discarding:
                self._discard(segment)

    def _create_as_large_as_fits(self, least: int, size: int) -> Segment:
        """Create a segment of `size` bytes; while there is no room for it, of a quarter, but not below `least`."""
        size = max(size, least)
        while True:
            self._last_epoch += 1
            try:
                return self._create(self._last_epoch, size)
            except OSError as error:
                if not is_disk_full(error) or size <= least:
                    raise
            size //= _SHRINK
            free = self._storage.free_bytes()
            while free is not None and size > max(free, least):
                size //= _SHRINK
            size = max(least, size - size % BLOCK_BYTES)

    def _create(self, epoch: int, size: int) -> Segment:
        """Create a segment that is durable and listed. Any thread may call it."""
        header = SegmentHeader(new_salt(), epoch, size, self._manifest.identity)
        file = self._storage.create(segment_name(epoch), size, header.pack())
        try:
            self._manifest.add_segment(SegmentEntry(epoch, size, 2, header.salt))
        except BaseException:
            file.close()
            # The list on the disk may have the segment all the same. The file goes only when that is certain: a blank
            # one that stays is harmless, one that is listed and missing is not.
            with contextlib.suppress(OSError):
                self._manifest.save()
                self._storage.remove(segment_name(epoch))
            raise
        return Segment(epoch, file, header.salt, self._damages)

    def _discard(self, segment: Segment) -> None:
        self._manifest.remove_segment(segment.epoch)
        self._storage.remove(segment.name)

    def _finish_preparation(self) -> None:
        if self._preparation is not None:
            segment = self._preparation.finish()
            self._preparation = None
            if segment is not None:
                self._ready.append(segment)


class _Preparation:
    """A thread that creates one segment."""

    def __init__(self, pool: SegmentPool, epoch: int, size: int) -> None:
        self._pool = pool
        self._epoch = epoch
        self._size = size
        self._segment: Segment | None = None
        self._thread = threading.Thread(target=self._run, name="engram-segment", daemon=True)
        self._thread.start()

    def finish(self) -> Segment | None:
        """Wait for the segment and return it, or None if it could not be created."""
        self._thread.join()
        return self._segment

    def _run(self) -> None:
        try:
            self._segment = self._pool._create(self._epoch, self._size)
        except OSError as error:
            # The writer gets the same error when it needs the segment, and reports it to the waiting caller. On a disk
            # that is nearly full, it gets a smaller segment.
            level = logging.DEBUG if is_disk_full(error) else logging.WARNING
            logger.log(level, "could not prepare log segment %s ahead: %s", segment_name(self._epoch), error)
