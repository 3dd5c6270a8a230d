"""The manifest of a space: its identity and settings, its files, and how far its log provably reached.

It is the only place outside the log that says where the log ends. It is replaced as a whole when a segment or a
checkpoint is added, about every second while there are commits, and at a clean stop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from engram.errors import CorruptData, FailedPrecondition
from engram.log.files.checked_json import Encoded, decode_checked, encode_checked, encoded
from engram.log.files.storage import Storage
from engram.log.identity import Identity
from engram.log.segments.segment import segment_name

FILE_NAME: Final = "space.json"


class SegmentEntry(NamedTuple):
    """A segment that belongs to the space.

    Parameters
    ----------
    epoch
        Number of the segment.
    nbytes
        Size of its file in bytes.
    format
        1 if Engram 0.1 wrote the segment, else 2.
    salt
        Format 2 only: the number that the segment's checksums start from. No other segment has the same one.
    crc, end, last_generation
        Format 1 only, where a segment is never written again: the CRC32C of the file, the offset where its last record
        ends, and the last generation of that record.
    first_epoch, revision
        For a compacted segment the lowest number of the segments that it replaces, and how often it was compacted;
        else 0.
    """

    epoch: int
    nbytes: int
    format: int
    salt: int = 0
    crc: int = 0
    end: int = 0
    last_generation: int = 0
    first_epoch: int = 0
    revision: int = 0

    @property
    def name(self) -> str:
        """File name of the segment."""
        return segment_name(self.epoch, self.revision)

    def replaces(self, epoch: int, revision: int) -> bool:
        """Whether a file with this number and revision is what a compaction of the segment has left behind."""
        is_other = (epoch, revision) != (self.epoch, self.revision)
        # A compaction that was interrupted before it was listed leaves a later revision.
        return is_other and (self.first_epoch or self.epoch) <= epoch <= self.epoch and bool(self.revision or revision)


class CheckpointEntry(NamedTuple):
    """A checkpoint of the graph: its file name, the generation it covers, and the size and CRC32C of the file."""

    name: str
    generation: int
    nbytes: int
    crc: int


class Mark(NamedTuple):
    """A position that the log reached at least.

    Parameters
    ----------
    generation
        All generations up to this one were durable.
    epoch, offset
        Number of the segment where the last of these generations ends, and the offset in bytes.
    closed
        Whether a clean stop left the mark, so that nothing was written after it.
    """

    generation: int = 0
    epoch: int = 0
    offset: int = 0
    closed: bool = False


class Manifest:
    """The manifest of one space. Any thread may change it. Every change is durable when the call returns.

    The lock is held while a small file is written. A commit takes the lock only if it is the first one after a clean
    stop, or if it needs a new segment that was not prepared in advance.

    Parameters
    ----------
    storage
        The space's directory.
    identity
        The identity of the space.
    settings
        The settings of the space. The manifest does not interpret them.
    segments, checkpoints, mark
        The initial content. Checkpoints are ordered newest first.
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
        self.settings: dict[str, Any] = settings
        self._segments = {entry.epoch: entry for entry in segments}
        self._checkpoints = tuple(checkpoints)
        self._mark = mark
        self._horizon = 0
        self._erasing: Mapping[str, int] = {}
        # The segment list of a large log is long, and the mark changes every second, so the list is kept encoded. So is
        # what is being erased.
        self._encoded_segments: Encoded | None = None
        self._encoded_erasing: Encoded | None = None
        self._retired = False
        self._guard = threading.Lock()

    @classmethod
    def read(cls, storage: Storage, name: str = "") -> Manifest:
        """Read the manifest in `storage`, the directory of the space `name`.

        Raises
        ------
        NewerFormat
            If a newer version of Engram wrote it.
        CorruptData
            If it is not as it was written.
        OSError
            If it cannot be read.
        """
        file = f"spaces/{name}/{FILE_NAME}" if name else FILE_NAME
        content = decode_checked(storage.read(FILE_NAME), file)
        try:
            manifest = cls(
                storage,
                Identity(*(content[field] for field in Identity._fields)),
                content["settings"],
                [SegmentEntry(**entry) for entry in content["segments"]],
                [CheckpointEntry(**entry) for entry in content["checkpoints"]],
                Mark(**content["mark"]),
            )
            # Versions from before compactions have none.
            manifest._horizon = int(content.get("horizon", 0))
            manifest._erasing = dict(content.get("erasing", {}))
            return manifest
        except (KeyError, TypeError) as error:
            raise CorruptData(
                f"{file} is damaged: it lacks or has something that does not belong there: {error}",
                code="corrupt_description",
                field=file,
            ) from error

    @property
    def segments(self) -> tuple[SegmentEntry, ...]:
        """The entries of the segments, ordered by segment number."""
        with self._guard:
            return tuple(entry for _, entry in sorted(self._segments.items()))

    @property
    def checkpoints(self) -> tuple[CheckpointEntry, ...]:
        """The entries of the checkpoints, newest first."""
        return self._checkpoints

    @property
    def mark(self) -> Mark:
        """The position that the log reached at least."""
        return self._mark

    @property
    def horizon(self) -> int:
        """Versions that ended at or before this generation may be missing from the checkpoints."""
        return self._horizon

    @property
    def erasing(self) -> Mapping[str, int]:
        """Digests of the ids that are being erased, each with the generation up to which it is."""
        return self._erasing

    def left_behind(self, numbers: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return which segments, by number and revision, a compaction has left behind, so that their files may go.

        What is listed belongs to the log, also a blank segment between those that a compacted one replaces.
        """
        entries = self.segments
        listed = {(entry.epoch, entry.revision) for entry in entries}
        return [one for one in numbers if one not in listed and any(entry.replaces(*one) for entry in entries)]

    def save(self) -> None:
        """Write the manifest in its current state."""
        with self._guard:
            if not self._retired:
                self._write()

    def add_segment(self, entry: SegmentEntry) -> None:
        """Add a segment whose file exists and is durable. Call this before anything is written to the segment."""
        self._change_segments(lambda: self._segments.__setitem__(entry.epoch, entry))

    def remove_segment(self, epoch: int) -> None:
        """Remove a segment that was never written to. Call this before its file is removed."""
        self._change_segments(lambda: self._segments.pop(epoch, None))

    def replace_segments(self, entries: Sequence[SegmentEntry], by: SegmentEntry) -> None:
        """Replace neighbouring segments by one that was made of them and is durable, in one step."""

        def change() -> None:
            for entry in entries:
                del self._segments[entry.epoch]
            self._segments[by.epoch] = by

        self._change_segments(change)

    def change_settings(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Replace the settings by what `change` makes of those that there are, which it leaves as they are.

        If it raises, nothing has changed.
        """

        def changed() -> None:
            self.settings = change(self.settings)

        self._change(changed)

    def set_checkpoints(self, checkpoints: Sequence[CheckpointEntry]) -> None:
        """Set the list of checkpoints, newest first."""

        def change() -> None:
            self._checkpoints = tuple(checkpoints)

        self._change(change)

    def set_horizon(self, horizon: int) -> None:
        """Raise the horizon of the checkpoints."""
        if horizon > self._horizon:

            def change() -> None:
                self._horizon = horizon

            self._change(change)

    def change_erasing(self, change: Callable[[dict[str, int]], None]) -> None:
        """Have `change` change what is being erased; it gets the digests and their generations.

        If it raises, nothing has changed.
        """

        def changed() -> None:
            erasing = dict(self._erasing)
            change(erasing)
            self._erasing, self._encoded_erasing = erasing, None

        self._change(changed)

    def go_on_erasing(self, erasing: Mapping[str, int], generation: int) -> None:
        """Go on with what was being erased from the space that this one was made of, which ends with `generation`.

        What is written later may have the generations behind it.
        """
        if erasing:
            limits = {digest: min(limit, generation) for digest, limit in erasing.items()}
            self.change_erasing(lambda now: now.update(limits))

    def set_mark(self, mark: Mark) -> None:
        """Set how far the log reached. A mark with a lower generation than the current mark is ignored."""
        if mark.generation < self._mark.generation or mark == self._mark or self._retired:
            return

        def change() -> None:
            self._mark = mark

        self._change(change)

    def retire(self) -> None:
        """Write nothing more: the space was closed, and whoever opens it next reads the file and changes it.

        Later changes are refused with `FailedPrecondition`; a later mark is ignored.
        """
        with self._guard:
            self._retired = True

    def _change_segments(self, change: Callable[[], object]) -> None:
        def changed() -> None:
            self._encoded_segments = None
            change()

        self._change(changed)

    def _change(self, change: Callable[[], object]) -> None:
        """Apply `change` and write the manifest; if the write fails, restore the previous state."""
        with self._guard:
            if self._retired:
                raise FailedPrecondition("the space was closed meanwhile", code="closed", field="space")
            before = dict(self._segments), self._encoded_segments, self._checkpoints, self._mark
            other = self._horizon, self.settings, self._erasing, self._encoded_erasing
            change()
            try:
                self._write()
            except BaseException:
                self._segments, self._encoded_segments, self._checkpoints, self._mark = before
                self._horizon, self.settings, self._erasing, self._encoded_erasing = other
                raise

    def _write(self) -> None:
        if self._encoded_segments is None:
            self._encoded_segments = encoded([_shown(entry) for _, entry in sorted(self._segments.items())])
        if self._encoded_erasing is None:
            self._encoded_erasing = encoded(self._erasing)
        content = {
            **self.identity._asdict(),
            "settings": self.settings,
            "segments": self._encoded_segments,
            "checkpoints": [entry._asdict() for entry in self._checkpoints],
            "mark": self._mark._asdict(),
            **({"horizon": self._horizon} if self._horizon else {}),
            **({"erasing": self._encoded_erasing} if self._erasing else {}),
        }
        self.storage.replace(FILE_NAME, encode_checked(content))


def _shown(entry: SegmentEntry) -> dict[str, int]:
    """Return an entry as JSON, without what only compacted segments have."""
    fields = entry._asdict()
    return fields if entry.revision else {key: fields[key] for key in SegmentEntry._fields[:-2]}
