"""Scrubbing: everything that a space stores is read and checked, whether or not a caller needs it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from engram.errors import CorruptData, EngramError
from engram.log.files.checked_json import format_of
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import is_passing, typed_failures
from engram.log.manifest import FILE_NAME, Manifest, SegmentEntry
from engram.log.records.record import Record
from engram.log.records.sectors import SECTOR_BYTES
from engram.log.segments.segment import LOG_DIRECTORY, Segment
from engram.log.segments.segment_header import read_segment_header
from engram.store.indexing.checkpoints import DIRECTORY
from engram.store.space_state import SpaceState

# Checked in one call without the interpreter lock; takes about a millisecond.
_PIECE_BYTES: Final = 4 << 20


def scrub(state: SpaceState) -> Iterator[int]:
    """Check the records, files, checkpoints and manifest of a space; damage is reported.

    Yields
    ------
    int
        Bytes read since the last item, so that the caller can pause.

    Raises
    ------
    Unavailable
        If descriptors or memory are short, which says nothing about the files.
    """
    for segment in list(state.log.segments):
        if not state.life.is_over:
            yield from _scrub_segment(state, segment)
    storage = state.manifest.storage
    # The files of a space that was dropped or renamed are removed or moved.
    if isinstance(storage, FileStorage) and not state.life.is_over:
        with typed_failures("checking the files of a space"):
            yield from _scrub_files(state, storage)


def _scrub_segment(state: SpaceState, segment: Segment) -> Iterator[int]:
    if segment.format == 1:
        for record in _records_of(state, segment):
            yield record.nbytes
            # `check` reports the damage itself.
            with contextlib.suppress(CorruptData):
                record.check()
        return
    position = segment.begin
    # `segment.end` grows while the log is written.
    while position < segment.end:
        reached, wrong = segment.check_records(position, _PIECE_BYTES)
        if wrong >= 0:
            damaged = next((one for one in _records_of(state, segment) if one.position == reached), None)
            if damaged is None:
                # A compaction has replaced the segment meanwhile.
                return
            segment.report(wrong, damaged.first_generation, damaged.last_generation)
            reached += damaged.nbytes
        yield reached - position
        position = reached


def _records_of(state: SpaceState, segment: Segment) -> Iterator[Record]:
    for page in state.log.pages:
        if page.segment is segment:
            yield from page.in_order()


def _scrub_files(state: SpaceState, storage: FileStorage) -> Iterator[int]:
    """Check that the files that the manifest lists exist under their names and are the files that it means."""
    damages = state.log.damages
    log = storage.directory(LOG_DIRECTORY, create=False)
    for entry in state.manifest.segments:
        yield SECTOR_BYTES
        what = _wrong_with(log, entry, state.manifest)
        if what and entry in state.manifest.segments:
            damages.report(f"{LOG_DIRECTORY}/{entry.name}", 0, 0, 0, what)
    for checkpoint in state.manifest.checkpoints:
        if state.checkpoints is not None:
            yield from state.checkpoints.check(checkpoint)
    try:
        if state.manifest.checkpoints and not storage.is_directory(DIRECTORY):
            damages.report(DIRECTORY, 0, 0, 0, "the directory of checkpoints is missing")
        if storage.read_only and format_of(storage.read(FILE_NAME)) == 1:
            # A read-only store does not adopt a space of format 1, whose description has no checksum.
            return
        found = Manifest.read(storage, damages.space)
        if found.identity != state.manifest.identity:
            damages.report(FILE_NAME, 0, 0, 0, "it is that of another space, store or time")
    except EngramError as error:
        damages.report(FILE_NAME, 0, 0, 0, error.message)
    except OSError as error:
        if is_passing(error):
            raise
        damages.report(FILE_NAME, 0, 0, 0, f"it cannot be read: {error.strerror}")


def _wrong_with(log: FileStorage, entry: SegmentEntry, manifest: Manifest) -> str:
    """Return what is wrong with the file that has a segment's name; an empty text if nothing is wrong."""
    try:
        descriptor = log.descriptor(entry.name, os.O_RDONLY)
        try:
            nbytes = os.fstat(descriptor).st_size
            begin = os.pread(descriptor, SECTOR_BYTES, 0)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        if is_passing(error):
            raise
        return f"the file cannot be read: {error.strerror}"
    if nbytes != entry.nbytes:
        return f"the file has {nbytes} bytes where it was made with {entry.nbytes}"
    return "" if entry.format == 1 else _wrong_with_header(begin, entry, manifest)


def _wrong_with_header(begin: bytes, entry: SegmentEntry, manifest: Manifest) -> str:
    header = read_segment_header(memoryview(begin), entry.name)
    if header is None:
        return "its first sector does not fit its checksum"
    same = (header.salt, header.epoch, header.identity.space) == (entry.salt, entry.epoch, manifest.identity.space)
    return "" if same else "it is a segment of another place, space or time"
