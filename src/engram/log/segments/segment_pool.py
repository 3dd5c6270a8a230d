"""Empty segments, the next one prepared in the background while the current one fills."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from engram.log.damage import Damages
from engram.log.files.aligned_buffers import BLOCK_BYTES
from engram.log.files.storage import Storage
from engram.log.identity import new_salt
from engram.log.manifest import Manifest, SegmentEntry
from engram.log.segments.segment import Segment, segment_name
from engram.log.segments.segment_header import SegmentHeader

# Smaller segments are created faster than a thread starts.
_PREPARED_BYTES_MIN: Final = 16 << 20
logger = logging.getLogger(__name__)


class SegmentPool:
    """Hands out blank segments with rising numbers, which the manifest lists before anything is written to them.

    Reserving the blocks of a file and making that durable takes milliseconds, which no commit should wait for. So a
    short-lived thread creates the next segment ahead. It only reserves: filling the file with zeros too makes single
    syncs faster but costs the disk bandwidth that a sustained stream needs; docs/decisions/0001-log-is-the-store.md
    has the numbers. Used by the writer thread only.

    Parameters
    ----------
    storage
        The directory of the log.
    manifest
        Where segments are listed.
    damages
        Where the segments report damage.
    last_epoch
        The highest segment number that is taken.
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
        """A blank segment with room for `size_min` bytes; of `size` bytes if it must be created.

        Raises
        ------
        OSError
            If it cannot be created. Nothing has changed then.
        """
        self._finish_preparation()
        while self._ready:
            segment = self._ready.popleft()
            if len(segment.view) - segment.begin >= size_min:
                return segment
            # It must go for good: numbers rise with generations, so it cannot be used after a later one.
            segment.file.close()
            self._manifest.remove_segment(segment.epoch)
            self._storage.remove(segment.name)
        self._last_epoch += 1
        size_min += BLOCK_BYTES
        # Whole blocks, as files that end within one cannot be written past the page cache.
        return self._create(self._last_epoch, size if size_min <= size else size_min + -size_min % BLOCK_BYTES)

    def give_back(self, segments: Sequence[Segment]) -> None:
        """Return taken segments, in order, that are still blank."""
        self._ready.extendleft(reversed(segments))

    def prepare(self, size: int) -> None:
        """Start preparing a segment of `size` bytes, unless one is ready."""
        if size >= _PREPARED_BYTES_MIN and not self._ready and self._preparation is None:
            self._last_epoch += 1
            self._preparation = _Preparation(self, self._last_epoch, size)

    def close(self) -> None:
        """Stop preparing and close what is ready; blank files stay for the next time."""
        self._finish_preparation()
        for segment in self._ready:
            segment.file.close()
        self._ready.clear()

    def _create(self, epoch: int, size: int) -> Segment:
        """A new segment, durable and listed. Any thread may call it."""
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
        """The segment once it is there, or None if it could not be created."""
        self._thread.join()
        return self._segment

    def _run(self) -> None:
        try:
            self._segment = self._pool._create(self._epoch, self._size)
        except OSError as error:
            # The writer meets the same error when it needs the segment, and reports it to who is waiting.
            logger.warning("could not prepare log segment %s ahead: %s", segment_name(self._epoch), error)
