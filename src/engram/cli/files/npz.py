"""NumPy archives with some of the arrays of `ARRAYS`."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engram.cli.files.chunk import FileChunk
from engram.errors import InvalidInput
from engram.model.columns import COLUMNS, TagsSpec
from engram.model.values.ids import made_ids

# An array holds one number or text per row, so there is none for tags.
_SPECS: Final = tuple(spec for spec in COLUMNS if not isinstance(spec, TagsSpec))
ARRAYS: Final = {"ids": "ids", "vectors": "vectors", **{spec.array: spec.plural for spec in _SPECS}}
"""The arrays, and the arguments of `engram.model.observations.make_batch` that they stand for."""

_TEXTS: Final = frozenset({"ids", *(spec.array for spec in _SPECS if spec.dtype is None)})


class NpzSource:
    """A ``.npz`` file; all arrays are streamed in parallel, and no array is ever in memory as a whole.

    Raises
    ------
    InvalidInput
        If the file is not a NumPy archive, holds no array, or one that is unknown, pickled, in Fortran order, or of a
        wrong type, number of dimensions or length.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with ExitStack() as stack:
            self.total: int = _count(path, _open(path, stack))

    def chunks(self, count_max: int) -> Iterator[FileChunk]:
        """Yield the rows in order, at most `count_max` per chunk."""
        with ExitStack() as stack:
            arrays = _open(self._path, stack)
            for start in range(0, self.total, count_max):
                count = min(count_max, self.total - start)
                columns: dict[str, Any] = {name: array.read(count) for name, array in arrays.items()}
                texts = {name: columns[name].tolist() for name in _TEXTS & columns.keys()}
                columns |= texts
                ids = columns.pop("ids") if "ids" in columns else made_ids(count)
                vectors = columns.pop("vectors", np.empty((count, 0), np.float32))
                named = {ARRAYS[name]: column for name, column in columns.items()}
                yield FileChunk(range(start + 1, start + count + 1), ids, vectors, named, position=start + count)


class _Stream:
    """One array of the archive, read from the first row to the last."""

    def __init__(self, path: Path, name: str, file: IO[bytes]) -> None:
        self._where = f"array {name!r} of {path}"
        self._file = file
        try:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = cast(Any, read)(file)
        except ValueError as error:
            raise _bad(f"{self._where} is not a NumPy array: {error}") from error
        self.shape: tuple[int, ...] = shape
        self._dtype: np.dtype[Any] = dtype
        if dtype.hasobject:
            raise _bad(f"{self._where} holds Python objects; save it as text: np.array(values, dtype=str)")
        if fortran and len(shape) > 1:
            raise _bad(f"{self._where} is in Fortran order; save np.ascontiguousarray(values)")
        if name in _TEXTS and dtype.kind != "U":
            raise _bad(f"{self._where} must hold texts, not {dtype}; save it as np.array(values, dtype=str)")

    def read(self, count: int) -> NDArray[Any]:
        """Return the next `count` rows as an array of shape ``(count, ...)``."""
        row_shape = self.shape[1:]
        nbytes = count * int(np.prod(row_shape, dtype=np.int64)) * self._dtype.itemsize
        data = self._file.read(nbytes)
        if len(data) != nbytes:
            raise _bad(f"{self._where} ends too early")
        return np.frombuffer(data, self._dtype).reshape(count, *row_shape)


def _open(path: Path, stack: ExitStack) -> dict[str, _Stream]:
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
    except zipfile.BadZipFile as error:
        raise _bad(f"{path} is not a NumPy archive: {error}") from error
    names = [name.removesuffix(".npy") for name in archive.namelist()]
    unknown = sorted(set(names) - ARRAYS.keys())
    if unknown or not names:
        problem = f"an unknown array {unknown[0]!r}" if unknown else "no array"
        raise _bad(f"{path} has {problem}; known are {', '.join(ARRAYS)}")
    return {name: _Stream(path, name, stack.enter_context(archive.open(f"{name}.npy"))) for name in names}


def _count(path: Path, arrays: dict[str, _Stream]) -> int:
    for name, array in arrays.items():
        wanted = 2 if name == "vectors" else 1
        if len(array.shape) != wanted:
            raise _bad(f"array {name!r} of {path} must have {wanted} dimensions, not the shape {array.shape}")
    first, count = next((name, array.shape[0]) for name, array in arrays.items())
    for name, array in arrays.items():
        if array.shape[0] != count:
            raise _bad(f"array {name!r} of {path} has {array.shape[0]} rows where {first} has {count}")
    return count


def _bad(message: str) -> InvalidInput:
    return InvalidInput(message, code="invalid_file", field="file")
