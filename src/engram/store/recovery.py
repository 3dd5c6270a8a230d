"""Recovery of a space: its log, its graph from the newest whole checkpoint, and the vectors that it does not cover."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.index import HnswIndex
from engram.log.damage import Damages
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import typed_failures
from engram.log.files.storage import Storage
from engram.log.format1.recovery import entries_of, recover1
from engram.log.identity import Identity
from engram.log.log import Log
from engram.log.manifest import CheckpointEntry, Manifest, Mark
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.log.records.record_vectors import VectorBlock
from engram.log.segments.segment import LOG_DIRECTORY
from engram.model.spaces import SpaceConfig
from engram.store.commit.session_table import SequenceRange
from engram.store.indexing.checkpoints import DIRECTORY, Checkpoints, checkpoints_of_format_1
from engram.store.indexing.readable_vectors import append_readable, are_readable
from engram.store.options import StoreOptions
from engram.store.space_catalog import StoredSpace
from engram.store.space_settings import has_policy
from engram.store.space_state import SpaceState

logger: logging.Logger = logging.getLogger(__name__)
# The centre of the codes is the mean of so many vectors.
_CENTRE_ROWS: Final = 256


def recover_space(
    stored: StoredSpace, store_id: str, options: StoreOptions, damages: Damages | None = None
) -> SpaceState:
    """Open a stored space and return its state.

    Parameters
    ----------
    damages
        The damage that was found before the space rested, to which more is added; None: nothing.

    Raises
    ------
    CorruptData
        If the space is damaged in a way that no crash explains, and what it holds cannot be proven without that.
    NewerFormat
        If a newer version wrote some of it.
    Unavailable
        If the storage cannot be read or written.
    """
    damages = damages or Damages(stored.config.name)
    with typed_failures(f"opening space {stored.config.name}"):
        manifest = stored.manifest or _adopt_format_1(stored.config, stored.storage, store_id, damages)
        space = _open_graph(stored, manifest, damages, options)
    if not has_policy(manifest.settings) and not stored.storage.read_only:
        logger.info(
            "space %s is from before spaces had a retention, so it retains its whole history until one is set",
            stored.config.name,
            extra={"space": stored.config.name},
        )
    try:
        if not space.checkpoint_generation:
            _centre(space.index, space.log)
        _append_uncovered(space)
        _replay(space)
        space.index.publish(space.log.last_generation)
        space.answered_generation = space.log.last_generation
    except BaseException:
        space.log.close()
        raise
    return space


def _adopt_format_1(config: SpaceConfig, storage: Storage, store_id: str, damages: Damages) -> Manifest:
    """Give a space of format 1 an identity and a manifest with its files; any other file is foreign from now on."""
    log = recover1(storage.directory(LOG_DIRECTORY), config.dim, damages)
    try:
        if not storage.read_only:
            for segment in log.segments:
                # What is listed is what was read, and of that the kernel may not have written all yet.
                segment.file.sync()
    finally:
        log.close()
    checkpoints: list[CheckpointEntry] = []
    if isinstance(storage, FileStorage) and storage.is_directory(DIRECTORY):
        checkpoints = checkpoints_of_format_1(storage.directory(DIRECTORY))
    manifest = Manifest(
        storage,
        Identity.new(store_id),
        config.settings(),
        entries_of(log.segments, log.records),
        [entry for entry in checkpoints if entry.generation <= log.last_generation],
        Mark(log.last_generation),
    )
    if not storage.read_only:
        manifest.save()
        logger.info("space %s is of format 2 from now on", config.name, extra={"space": config.name})
    return manifest


def _open_graph(stored: StoredSpace, manifest: Manifest, damages: Damages, options: StoreOptions) -> SpaceState:
    storage = stored.storage
    checkpoints: Checkpoints | None = None
    if isinstance(storage, FileStorage) and (not storage.read_only or storage.is_directory(DIRECTORY)):
        checkpoints = Checkpoints(storage.directory(DIRECTORY), manifest, damages)
    for entry in checkpoints.newest_first() if checkpoints is not None else ():
        # Everything that a checkpoint covers was durable when it was written, so the log need not prove every byte of
        # it again.
        log = _open_log(stored, manifest, damages, options, entry.generation)
        try:
            with _opened(checkpoints, entry) as descriptor:
                index = _load(descriptor, entry.generation, stored.config, log)
            return SpaceState(log, index, manifest, checkpoints, entry.generation)
        except CorruptData as error:
            log.close()
            if error.code != "corrupt_checkpoint":
                raise
            assert checkpoints is not None  # noqa: S101  (for the type checker)
            checkpoints.report(entry, str(error))
        except BaseException:
            log.close()
            raise
    log = _open_log(stored, manifest, damages, options, 0)
    index = HnswIndex(stored.config.index_dim, stored.config.metric, options.quality)
    return SpaceState(log, index, manifest, checkpoints)


def _open_log(
    stored: StoredSpace, manifest: Manifest, damages: Damages, options: StoreOptions, trusted_generation: int
) -> Log:
    log = Log.open(
        stored.storage.directory(LOG_DIRECTORY),
        manifest,
        stored.config.dim,
        segment_bytes=options.segment_bytes,
        trusted_generation=trusted_generation,
        damages=damages,
        read_only=stored.storage.read_only,
    )
    try:
        check_not_older(stored.config.name, log.last_generation, stored.generation_min)
    except CorruptData:
        log.close()
        raise
    return log


def check_not_older(name: str, generation: int, generation_min: int) -> None:
    """Refuse a space whose log does not go as far as the list of spaces says.

    Raises
    ------
    CorruptData
        Naming both generations.
    """
    if generation < generation_min:
        raise CorruptData(
            f"space {name} ends with generation {generation}, but {generation_min} was durable: its directory is from "
            "an older time",
            code="older_space",
            field="generation",
            limit=generation_min,
            value=generation,
        )


@contextmanager
def _opened(checkpoints: Checkpoints | None, entry: CheckpointEntry) -> Iterator[int]:
    assert checkpoints is not None  # noqa: S101  (for the type checker: without checkpoints there is no entry)
    descriptor = checkpoints.open(entry)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _load(descriptor: int, generation: int, config: SpaceConfig, log: Log) -> HnswIndex:
    """Load the graph of an open checkpoint that covers everything up to `generation`."""
    blocks: list[VectorBlock] = []
    for record in _observed(log.records()):
        rows = record.rows_until(generation)
        if rows > 0 and (block := record.vector_block(stop=rows)) is not None:
            blocks.append(block)
    # While something is being erased, the checkpoint may still have it.
    dropped = max(log.horizon.generation, *log.manifest.erasing.values(), 0)
    index = HnswIndex.load(descriptor, blocks, dropped)
    if (index.dim, index.metric) != (config.index_dim, config.metric):
        raise CorruptData(
            f"it is of an index with dimension {index.dim} and metric {index.metric}", code="corrupt_checkpoint"
        )
    return index


def _centre(index: HnswIndex, log: Log) -> None:
    """Have the codes of a graph that is built anew be relative to many vectors, and not to those of the first record.

    What they are relative to is in checkpoints, and the mean of a few vectors would tell of each of them. Vectors that
    are damaged would make a mean of anything.
    """
    first: list[NDArray[np.float32]] = []
    missing, last = _CENTRE_ROWS, 0
    for record in _observed(log.records()):
        block = record.vector_block()
        if block is None:
            continue
        readable = np.flatnonzero(are_readable(block.vectors[:missing], block.sums[:missing]))
        if not len(readable):
            continue
        first.append(block.vectors[readable])
        missing -= len(readable)
        last = int(block.every_generation[readable[-1]])
        if not missing:
            break
    if first:
        index.centre_on(np.concatenate(first), last)


def _append_uncovered(space: SpaceState) -> None:
    """Append the vectors that the checkpoint does not cover to the index."""
    covered = space.checkpoint_generation
    for record in _observed(space.log.records()):
        if record.last_generation > covered:
            append_readable(space.index, record, record.rows_until(covered))


def _replay(space: SpaceState) -> None:
    """Rebuild from the log what filters use, which versions are live or ended when, and how far each session got."""
    ended: list[list[int]] = []
    ended_at: list[list[int]] = []
    for page in space.log.pages:
        for record in page.in_order():
            if record.kind is RecordKind.PROGRESS:
                space.sessions.take_over(record.progress())
                continue
            space.attributes.add(record)
            old, at = space.versions.replay(record)
            if old:
                ended.append(old)
                ended_at.append(at)
            if record.session:
                stored = SequenceRange(record.first_sequence, record.count, record.first_generation)
                space.sessions.store(record.session, stored, record.writer)
    versions, ends = _joined(ended), _joined(ended_at)
    space.index.delete(versions, ends)
    space.attributes.end(versions, ends)


def _observed(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.kind is RecordKind.OBSERVE]


def _joined(parts: list[list[int]]) -> NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(parts), dtype=np.int64)
