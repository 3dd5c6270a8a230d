"""Bringing a space back: its log, its graph from the newest checkpoint, and the rest of the graph's vectors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.index import HnswIndex
from engram.log.header import RecordKind
from engram.log.log import Log
from engram.log.record import Record
from engram.log.storage import Storage
from engram.spaces import SpaceConfig
from engram.store.checkpoint import Checkpoint, Checkpoints
from engram.store.options import StoreOptions
from engram.store.session_table import SequenceRange
from engram.store.state import SpaceState

logger = logging.getLogger(__name__)


def recover_space(
    config: SpaceConfig, storage: Storage, checkpoints: Checkpoints | None, options: StoreOptions
) -> SpaceState:
    """Open the space that is stored in `storage`.

    Raises
    ------
    CorruptData
        If the log is damaged in a way that no crash explains.
    Unavailable
        If the storage cannot be read or written.
    """
    space = _open_graph(config, storage, checkpoints, options)
    try:
        _append_uncovered(space)
        _replay(space)
        space.index.publish(space.log.last_generation)
        space.answered_generation = space.log.last_generation
    except BaseException:
        space.log.close()
        raise
    return space


def _open_graph(
    config: SpaceConfig, storage: Storage, checkpoints: Checkpoints | None, options: StoreOptions
) -> SpaceState:
    for checkpoint in checkpoints.newest_first() if checkpoints is not None else ():
        # What a checkpoint covers was durable when it was written, so the log need not prove every byte of it again.
        log = _open_log(config, storage, options, checkpoint.generation)
        try:
            return SpaceState(log, _load(checkpoint, config, log), checkpoint.generation)
        except CorruptData as error:
            logger.warning("skipping checkpoint %s: %s", checkpoint.path, error)
            log.close()
        except BaseException:
            log.close()
            raise
    log = _open_log(config, storage, options, 0)
    return SpaceState(log, HnswIndex(config.dim, config.metric, options.quality), 0)


def _open_log(config: SpaceConfig, storage: Storage, options: StoreOptions, trusted_generation: int) -> Log:
    return Log.open(storage, config.dim, segment_bytes=options.segment_bytes, trusted_generation=trusted_generation)


def _load(checkpoint: Checkpoint, config: SpaceConfig, log: Log) -> HnswIndex:
    blocks = [
        (record.first_generation, record.vectors[: checkpoint.generation + 1 - record.first_generation])
        for record in _observed(log.records())
        if record.first_generation <= checkpoint.generation
    ]
    index = HnswIndex.load(checkpoint.path, blocks)
    if (index.dim, index.metric) != (config.dim, config.metric):
        raise CorruptData(f"it is of an index with dimension {index.dim} and metric {index.metric}")
    return index


def _append_uncovered(space: SpaceState) -> None:
    """Give the index the vectors that the checkpoint does not cover."""
    covered = space.checkpoint_generation
    for record in _observed(space.log.records()):
        if record.last_generation > covered:
            known = max(0, covered + 1 - record.first_generation)
            vectors = record.vectors[known:]
            space.index.append(vectors, record.first_generation + known, raw=vectors)


def _replay(space: SpaceState) -> None:
    """Find out from the log what can be filtered by, which versions live or ended when, and how far sessions got."""
    ended: list[list[int]] = []
    ended_at: list[list[int]] = []
    for record in space.log.records():
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


def _joined(parts: list[list[int]]) -> NDArray[np.uint64]:
    return np.fromiter(chain.from_iterable(parts), dtype=np.uint64)
