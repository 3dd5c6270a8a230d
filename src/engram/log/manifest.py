"""The manifest of a space: what it is, which files belong to it, and how far its log provably went.

It is the one place outside the log that knows where the log ends. It is replaced as a whole when a segment or a
checkpoint appears, about every second while there are commits, and at a clean stop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from engram.errors import CorruptData
from engram.log.files.checked_json import Encoded, decode_checked, encode_checked, encoded
from engram.log.files.storage import Storage
from engram.log.identity import Identity

FILE_NAME: Final = "space.json"


class SegmentEntry(NamedTuple):
    """A segment that belongs to the space.

    Parameters
    ----------
    epoch
        Its number.
    nbytes
        The size of its file.
    format
        1 for one that Engram 0.1 wrote, else 2.
    salt
        Of a segment of format 2: what its checksums start from. No other segment has it.
    crc, end, last_generation
        Of a segment of format 1, which is never written again: the CRC32C of the file, where its last record ends, and
        that record's last generation.
    """

    epoch: int
    nbytes: int
    format: int
    salt: int = 0
    crc: int = 0
    end: int = 0
    last_generation: int = 0


class CheckpointEntry(NamedTuple):
    """A checkpoint of the graph: its file's name, size and CRC32C, and the generation it covers."""

    name: str
    generation: int
    nbytes: int
    crc: int


class Mark(NamedTuple):
    """How far the log went at least.

    Parameters
    ----------
    generation
        Everything up to here was durable.
    epoch, offset
        Where the last of it ends.
    closed
        Whether nothing was written after it: it was left by a clean stop.
    """

    generation: int = 0
    epoch: int = 0
    offset: int = 0
    closed: bool = False


class Manifest:
    """The manifest of one space. Any thread may change it; every change is durable when it returns.

    The lock covers the write of a small file. Nobody takes it on the way of a commit, except where a commit needs a new
    segment that nobody prepared.

    Parameters
    ----------
    storage
        The space's directory.
    identity
        Who the space is.
    settings
        What the space was made with; opaque here.
    """

    def __init__(
        self,
        storage: Storage,
        identity: Identity,
        settings: dict[str, Any],
        segments: Sequence[SegmentEntry] = (),
        checkpoints: Sequence[CheckpointEntry] = (),
        mark: Mark = Mark(),  # noqa: B008  (It is immutable.)
    ) -> None:
        self.storage: Final = storage
        self.identity: Final = identity
        self.settings: Final = settings
        self._segments = {entry.epoch: entry for entry in segments}
        self._checkpoints = tuple(checkpoints)
        self._mark = mark
        # The list of a large log is long, and a mark is left every second.
        self._encoded_segments: Encoded | None = None
        self._guard = threading.Lock()

    @classmethod
    def read(cls, storage: Storage, name: str = "") -> Manifest:
        """The manifest in `storage`, the directory of space `name`.

        Raises
        ------
        NewerFormat
            If a newer version wrote it.
        CorruptData
            If it is not as it was written.
        OSError
            If it cannot be read.
        """
        file = f"spaces/{name}/{FILE_NAME}" if name else FILE_NAME
        content = decode_checked(storage.read(FILE_NAME), file)
        try:
            return cls(
                storage,
                Identity(*(content[field] for field in Identity._fields)),
                content["settings"],
                [SegmentEntry(**entry) for entry in content["segments"]],
                [CheckpointEntry(**entry) for entry in content["checkpoints"]],
                Mark(**content["mark"]),
            )
        except (KeyError, TypeError) as error:
            raise CorruptData(
                f"{file} is damaged: it lacks or has something that does not belong there: {error}",
                code="corrupt_description",
                field=file,
            ) from error

    @property
    def segments(self) -> tuple[SegmentEntry, ...]:
        """The segments, in the order of their numbers."""
        with self._guard:
            return tuple(entry for _, entry in sorted(self._segments.items()))

    @property
    def checkpoints(self) -> tuple[CheckpointEntry, ...]:
        """The checkpoints, newest first."""
        return self._checkpoints

    @property
    def mark(self) -> Mark:
        """How far the log went at least."""
        return self._mark

    def save(self) -> None:
        """Write it as it is."""
        with self._guard:
            self._write()

    def add_segment(self, entry: SegmentEntry) -> None:
        """Note a segment, whose file is there and durable, before anything is written to it."""
        self._change_segments(lambda: self._segments.__setitem__(entry.epoch, entry))

    def remove_segment(self, epoch: int) -> None:
        """Forget a segment that nothing was written to, before its file goes."""
        self._change_segments(lambda: self._segments.pop(epoch, None))

    def set_checkpoints(self, checkpoints: Sequence[CheckpointEntry]) -> None:
        """Say which checkpoints there are, newest first."""

        def change() -> None:
            self._checkpoints = tuple(checkpoints)

        self._change(change)

    def set_mark(self, mark: Mark) -> None:
        """Say how far the log went; a mark of less than is known already is ignored."""
        if mark.generation < self._mark.generation or mark == self._mark:
            return

        def change() -> None:
            self._mark = mark

        self._change(change)

    def _change_segments(self, change: Callable[[], object]) -> None:
        def changed() -> None:
            self._encoded_segments = None
            change()

        self._change(changed)

    def _change(self, change: Callable[[], object]) -> None:
        """Apply `change` and write it; where that fails, nothing has changed."""
        with self._guard:
            before = dict(self._segments), self._checkpoints, self._mark, self._encoded_segments
            change()
            try:
                self._write()
            except BaseException:
                self._segments, self._checkpoints, self._mark, self._encoded_segments = before
                raise

    def _write(self) -> None:
        if self._encoded_segments is None:
            self._encoded_segments = encoded([entry._asdict() for _, entry in sorted(self._segments.items())])
        content = {
            **self.identity._asdict(),
            "settings": self.settings,
            "segments": self._encoded_segments,
            "checkpoints": [entry._asdict() for entry in self._checkpoints],
            "mark": self._mark._asdict(),
        }
        self.storage.replace(FILE_NAME, encode_checked(content))
