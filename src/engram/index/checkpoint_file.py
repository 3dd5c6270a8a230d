"""Checkpoints of a native index: how they are written and opened, with typed errors for damage."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.errors import CorruptData, InvalidInput
from engram.index.checks import as_generation
from engram.index.damage import corrupt_checkpoint
from engram.index.row_checks import RawVectors, as_row_generations, as_sums, check_raw
from engram.model.values.scalars import shown

RawBlock = (
    tuple[int, RawVectors]
    | tuple[int, RawVectors, NDArray[np.uint32] | None]
    | tuple[int, RawVectors, NDArray[np.uint32] | None, NDArray[np.int64] | None]
)
"""First generation, vectors, the CRC-32C of each row's bytes, and the generation of each row if there are gaps."""


def as_blocks(vectors: Iterable[RawBlock]) -> list[RawBlock]:
    """Return blocks of raw vectors as a list.

    Raises
    ------
    InvalidInput
        If they are no blocks.
    """
    if not isinstance(vectors, Iterable) or isinstance(vectors, str | bytes | np.ndarray):
        vectors = [cast(RawBlock, vectors)]
    blocks: list[RawBlock] = []
    for block in vectors:
        if not isinstance(block, tuple | list) or len(block) not in {2, 3, 4} or np.ndim(block[1]) != 2:
            raise InvalidInput(
                f"a block of vectors is {shown(block)}; pass (first generation, vectors of shape (n, dim), checksums)",
                code="invalid_arguments",
                field="vectors",
                limit="(first generation, vectors, checksums)",
                value=type(block).__name__,
            )
        first, rows = as_generation("first generation of a block", block[0]), block[1]
        check_raw(rows, np.shape(rows))
        contiguous = cast(RawVectors, np.ascontiguousarray(rows))
        sums = as_sums(block[2] if len(block) > 2 else None, len(rows))
        blocks.append((first, contiguous, sums, as_row_generations(block[3] if len(block) > 3 else None, len(rows))))
    return blocks


def as_memory(memory: object) -> list[NDArray[np.uint8]]:
    """Return views of memory as a list.

    Raises
    ------
    InvalidInput
        If they are something else.
    """
    wanted = "a list of uint8 arrays"
    for view in memory if isinstance(memory, list | tuple) else [memory]:
        if memory is view or not isinstance(view, np.ndarray) or view.dtype != np.uint8:
            raise InvalidInput(
                f"retired is {shown(view)}; pass {wanted}", code="invalid_arguments", field="retired", limit=wanted
            )
    return list(cast(list[NDArray[np.uint8]], memory))


def replace(native: _core.Index, path: str, with_vectors: bool, background: bool) -> int:
    """Write a checkpoint to a new file, which then takes the place of the file at `path`.

    The parameters, the result and the errors are those of `HnswIndex.save`.
    """
    # The index may be mapped from `path`, so that file must not change.
    beside = f"{path}.new"
    try:
        covered = write(native, beside, with_vectors, background)
        os.replace(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
    return covered


def write(native: _core.Index, place: int | str, with_vectors: bool, background: bool) -> int:
    """Write a checkpoint to a path or a descriptor; the rest is as for `replace`."""
    try:
        return native.save(place, with_vectors, background)
    except _core.DamagedVector as error:
        raise CorruptData(str(error), field="vector") from error
    except _core.CorruptCheckpoint as error:
        raise corrupt_checkpoint(error) from error


Blocks = list[tuple[int, RawVectors, NDArray[np.uint32] | None, NDArray[np.int64] | None]]
"""Blocks as the native index takes them."""


def given(vectors: Iterable[RawBlock]) -> Blocks:
    """Return blocks as the native index takes them."""
    nothing = (None, None)
    return [(*block, *nothing)[:4] for block in vectors]


def as_bytes(native: _core.Index) -> bytes:
    """Return a checkpoint with the raw vectors as bytes; raises as `write`."""
    with tempfile.TemporaryFile() as file:
        write(native, file.fileno(), True, False)
        file.seek(0)
        return file.read()


def from_bytes(data: bytes) -> _core.Index:
    """Return the index of a checkpoint that `as_bytes` has made; raises as `read`."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return read(file.fileno(), None, 0)


def read(place: int | str, vectors: Iterable[RawBlock] | None, dropped: int) -> _core.Index:
    """Open a checkpoint; the parameters and the errors are those of `HnswIndex.load`."""
    try:
        if vectors is None:
            return _core.Index.load(place)
        return _core.Index.load_with_raw(place, given(vectors), dropped)
    except _core.CorruptCheckpoint as error:
        raise corrupt_checkpoint(error, str(place)) from error
