"""Empty segments, the next one prepared in the background while the current one fills."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from engram.log.segment import Segment, segment_name
from engram.log.staging import BLOCK_BYTES
from engram.log.storage import Storage, StorageFile

# Smaller segments are created faster than a thread starts.
_PREPARED_BYTES_MIN: Final = 16 << 20
logger = logging.getLogger(__name__)


class SegmentPool:
    """Hands out blank segments with rising numbers.

    Reserving the blocks of a file and making that durable takes milliseconds, which no commit should wait for. So a
    short-lived thread creates the next segment ahead. It only reserves: filling the file with zeros too makes single
    syncs faster but costs the disk bandwidth that a sustained stream needs; docs/decisions/0001-log-is-the-store.md
    has the numbers. Used by the writer thread only.

    Parameters
    ----------
    storage
        The directory of the log.
    last_epoch
        The highest segment number that is taken.
    blanks
        Blank segments found at recovery, oldest first.
    """

    def __init__(self, storage: Storage, last_epoch: int, blanks: Sequence[Segment]) -> None:
        self._storage = storage
        self._last_epoch = last_epoch
        self._ready = deque(blanks)
        self._preparation: _Preparation | None = None

    def take(self, size_min: int, size: int) -> Segment:
        """A blank segment of at least `size_min` bytes; of `size` bytes if it must be created.

        Raises
        ------
        OSError
            If it cannot be created. Nothing has changed then.
        """
        self._finish_preparation()
        while self._ready:
            segment = self._ready.popleft()
            if len(segment.view) >= size_min:
                return segment
            # It must go for good: numbers rise with generations, so it cannot be used after a later one.
            segment.file.close()
            self._storage.remove(segment.name)
        self._last_epoch += 1
        # Whole blocks, as files that end within one cannot be written past the page cache.
        size = size if size_min <= size else size_min + -size_min % BLOCK_BYTES
        return Segment(self._last_epoch, self._storage.create(segment_name(self._last_epoch), size))

    def give_back(self, segments: Sequence[Segment]) -> None:
        """Return taken segments, in order, that are still blank."""
        self._ready.extendleft(reversed(segments))

    def prepare(self, size: int) -> None:
        """Start preparing a segment of `size` bytes, unless one is ready."""
        if size >= _PREPARED_BYTES_MIN and not self._ready and self._preparation is None:
            self._last_epoch += 1
            self._preparation = _Preparation(self._storage, self._last_epoch, size)

    def close(self) -> None:
        """Stop preparing and close what is ready; blank files stay for the next time."""
        self._finish_preparation()
        for segment in self._ready:
            segment.file.close()
        self._ready.clear()

    def _finish_preparation(self) -> None:
        if self._preparation is not None:
            segment = self._preparation.finish()
            self._preparation = None
            if segment is not None:
                self._ready.append(segment)


class _Preparation:
    """A thread that creates one segment."""

    def __init__(self, storage: Storage, epoch: int, size: int) -> None:
        self._storage = storage
        self._epoch = epoch
        self._size = size
        self._file: StorageFile | None = None
        self._thread = threading.Thread(target=self._run, name="engram-segment", daemon=True)
        self._thread.start()

    def finish(self) -> Segment | None:
        """The segment once it is there, or None if it could not be created."""
        self._thread.join()
        return None if self._file is None else Segment(self._epoch, self._file)

    def _run(self) -> None:
        try:
            self._file = self._storage.create(segment_name(self._epoch), self._size)
        except OSError as error:
            # The writer meets the same error when it needs the segment, and reports it to who is waiting.
            logger.warning("could not prepare log segment %s ahead: %s", segment_name(self._epoch), error)
