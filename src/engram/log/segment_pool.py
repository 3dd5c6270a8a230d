"""Empty segments, the next one prepared in the background while the current one fills."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from engram.log.segment import Segment, segment_name
from engram.log.storage import Storage, StorageFile

# Smaller segments are created faster than a thread starts.
_PREPARED_BYTES_MIN: Final = 16 << 20
# One piece is written and synced at a time: few enough dirty pages to keep the log's own syncs short.
_PIECE_BYTES: Final = 4 << 20
logger = logging.getLogger(__name__)


class SegmentPool:
    """Hands out blank segments with rising numbers.

    A file whose blocks hold zeros syncs in half the time of one whose blocks are only reserved, because overwriting
    changes no metadata. So the next segment is filled with zeros ahead, by a short-lived thread, as far as time
    permits; see docs/decisions/0001-log-is-the-store.md for the numbers. Used by the writer thread only.

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
        return Segment(self._last_epoch, self._storage.create(segment_name(self._last_epoch), max(size_min, size)))

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
    """A thread that creates one segment and fills it with zeros until it is done or wanted."""

    def __init__(self, storage: Storage, epoch: int, size: int) -> None:
        self._storage = storage
        self._epoch = epoch
        self._size = size
        self._file: StorageFile | None = None
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engram-segment", daemon=True)
        self._thread.start()

    def finish(self) -> Segment | None:
        """Stop after the current piece; the segment, if there is one. How far the zeros got does not matter."""
        self._wanted.set()
        self._thread.join()
        return None if self._file is None else Segment(self._epoch, self._file)

    def _run(self) -> None:
        try:
            self._file = self._storage.create(segment_name(self._epoch), self._size)
            zeros = bytes(_PIECE_BYTES)
            for offset in range(0, self._size, _PIECE_BYTES):
                if self._wanted.is_set():
                    return
                self._file.write(offset, [zeros[: self._size - offset]])
                self._file.sync()
        except OSError as error:
            # The writer meets the same error when it needs the segment, and reports it to who is waiting.
            logger.warning("could not prepare log segment %s ahead: %s", segment_name(self._epoch), error)
