"""Updates of one space: what is not named is read back, and stored again together with what is.

Nobody is kept from writing meanwhile. What is stored is stored on the condition that each id still has the version that
was read; if others were quicker, all is read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from engram.errors import EngramError, NotFound, OverCapacity
from engram.model.batches.checks import check_bytes
from engram.model.columns import COLUMNS
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.operations.changes import ObservationChanges
from engram.model.values.merged_metadata import merge_metadata_column
from engram.model.values.scalars import shown
from engram.store.commit.conditions import CONDITION_FAILED
from engram.store.commit.queue import CommitResult
from engram.store.updates.stored_columns import StoredColumns, read_columns

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

UPDATE_ATTEMPTS_MAX: Final = 64
"""Attempts of one update. Each that fails was overtaken by a write of somebody else, which was stored."""

_RETRY_AFTER_MS: Final = 100
_FLOAT_BYTES: Final = 4
# A condition that does not hold, and what was read meanwhile being dropped or erased, as only older versions are.
_OVERTAKEN: Final = frozenset({CONDITION_FAILED, "snapshot_expired", "erased"})


class UpdatedBatch(NamedTuple):
    """New versions of some observations.

    Parameters
    ----------
    batch
        The new versions, which are not checked yet. Without vectors, the embedder of the space makes them.
    versions
        The generation of the version that each of them is made of.
    """

    batch: ObservationBatch
    versions: list[int]


def update(space: SpaceEngine, changes: ObservationChanges, *, merge: bool) -> CommitResult:
    """Change observations, all of them or none, and return when that is durable and recallable.

    Raises
    ------
    InvalidInput, NotFound, FailedPrecondition, CorruptData, Unavailable
        As `updated_batch`, `SpaceEngine.prepare` and `SpaceEngine.submit`.
    OverCapacity
        As `SpaceEngine.submit`; with code ``contended``, if others changed the same observations again and again.
    """
    for _ in range(UPDATE_ATTEMPTS_MAX):
        try:
            updated = updated_batch(space, changes, merge=merge)
            return space.submit(space.prepare(updated.batch), updated.versions).result()
        except EngramError as error:
            if not is_overtaken(error):
                raise
    raise contended(changes)


def updated_batch(space: SpaceEngine, changes: ObservationChanges, *, merge: bool) -> UpdatedBatch:
    """Return what an update makes of the present versions of the observations; nothing is stored.

    Only what stays is read, so a column that is damaged can be replaced.

    Parameters
    ----------
    space
        The space.
    changes
        What changes; it passed `check_changes`.
    merge
        Whether the keys of metadata join those that are there.

    Raises
    ------
    NotFound
        With code ``missing_ids``, if an id is not alive.
    InvalidInput
        If the observations are more than a batch may have, or merged metadata cannot be written.
    CorruptData
        If something that stays is damaged.
    FailedPrecondition, Unavailable
        If the space takes no writes; also as `is_overtaken` tells.
    """
    space.check_process()
    failure = space.failure()
    if failure is not None:
        raise failure
    found = space.live_versions(changes.ids)
    versions = [version for version in found if version is not None]
    if len(versions) < len(found):
        raise _missing(changes, found)
    if space.config.vectors == "required":
        # Whatever else they have, they have vectors.
        check_bytes(_FLOAT_BYTES * space.config.dim * len(versions))
    given: dict[str, Any] = dict(changes.columns)
    embeds = changes.vectors is None and "contents" in given and bool(space.config.embedder)
    merges = merge and "metadata" in given
    wanted = {spec.name for spec in COLUMNS if spec.name not in given}
    if merges:
        wanted.add("metadata")
    generations = np.array(versions, dtype=np.int64)
    stored = read_columns(space.log, generations, wanted, vectors=changes.vectors is None and not embeds)
    if merges:
        given["metadata"] = merge_metadata_column(stored.columns["metadata"], given["metadata"])
    columns = {**stored.columns, **given}
    for spec in COLUMNS:
        if spec.optional and spec.dtype is None:
            columns[spec.name] = spec.gather(columns[spec.name])
    return UpdatedBatch(_new_versions(changes, columns, stored), versions)


def _new_versions(changes: ObservationChanges, columns: dict[str, Any], stored: StoredColumns) -> ObservationBatch:
    """Return what `columns` say, with the vectors that change or stay, if the embedder does not make new ones."""
    if "contents" not in changes.columns:
        columns["text_presence"] = stored.text_presence
    vectors = changes.vectors
    if vectors is None and stored.vectors is not None:
        vectors, columns["vector_presence"] = stored.vectors, stored.vector_presence
    if vectors is None:
        vectors = np.empty((len(changes), 0), np.float32)
    # What had no vector gets none by a change of something else than its text.
    return fill_batch(changes.ids, vectors, columns, embeds=columns.get("vector_presence") is None)


def is_overtaken(error: EngramError) -> bool:
    """Return whether an update failed because somebody else changed an observation since it was read."""
    return error.code in _OVERTAKEN


def contended(changes: ObservationChanges) -> OverCapacity:
    """Return the error that an update was overtaken too often."""
    return OverCapacity(
        f"others changed some of {len(changes)} observations each of the {UPDATE_ATTEMPTS_MAX} times that they were "
        "about to be updated; none of them is updated",
        code="contended",
        field="ids",
        limit=UPDATE_ATTEMPTS_MAX,
        value=UPDATE_ATTEMPTS_MAX,
        retry_after_ms=_RETRY_AFTER_MS,
    )


def _missing(changes: ObservationChanges, found: list[int | None]) -> NotFound:
    row = found.index(None)
    named = shown(changes.ids[row], with_type=False)
    return NotFound(
        f"{found.count(None)} of {len(found)} ids do not exist, the first of them {named}; "
        f"none of the {len(found)} is updated",
        code="missing_ids",
        field=f"ids[{row}]",
        limit="ids that exist",
        value=named,
    )
