"""Types of the native core; `engram.index` is its documented face."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Raw = NDArray[np.float32] | NDArray[np.float16]
_Sums = NDArray[np.uint32] | None
# The generations left out for a damaged raw vector; None: nothing is.
_Damaged = NDArray[np.uint64] | None
_Buffer = bytes | bytearray | memoryview | NDArray[np.generic]

class CorruptCheckpoint(ValueError): ...
class DamagedVector(ValueError): ...

def simd() -> str: ...
def read_ahead(pieces: list[NDArray[np.uint8]]) -> None: ...
def crc32c_rows(matrix: NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the checksum of each row's bytes."""

def sector_sums(parts: Sequence[_Buffer], salt: int, first_sector: int) -> bytes:
    """Return the little-endian checksums of the sectors that `parts` make up, one part after the other."""

def check_sectors(memory: _Buffer, position: int, ranges: Sequence[int], salt: int) -> int:
    """Check the payload's sectors that `ranges` touch; return -1 or the offset in the file of the first wrong one.

    Parameters
    ----------
    memory, position
        The mapped file, and where in it the record begins.
    ranges
        Start and stop of each range, one after the other, counted from the beginning of the payload.
    """

def read_text(
    memory: _Buffer, position: int, payload: int, place: tuple[int, int, int], row: int, salt: int
) -> str | int:
    """Copy one text of a record's column, then check where it was read; for the parameters see `read_row`.

    Returns
    -------
    str or int
        The text; or the offset in the file of the first wrong sector.
    """

def read_row(
    memory: _Buffer,
    position: int,
    payload: int,
    numbers: Sequence[int],
    texts: Sequence[tuple[int, int, int] | None],
    row: int,
    salt: int,
) -> tuple[int, float, float, str, str, str, str] | int:
    """Copy one row of a record but for its vector, then check where it was read.

    Parameters
    ----------
    memory, position, payload
        The mapped file, and where in it the record and its payload begin.
    numbers
        Where times, confidences and importances begin in the payload.
    texts
        Where ids, contents, metadata and tags lie in it: the beginnings of their offsets and of their bytes, and how
        many bytes these are; None where there is no such column.

    Returns
    -------
    tuple or int
        Time, confidence, importance and the four texts; or the offset in the file of the first wrong sector.
    """

def check_all(memory: _Buffer, position: int, salt: int) -> int:
    """Check a record's table and payload; return -1 or the offset in the file of the first wrong sector."""

def check_records(memory: _Buffer, begin: int, end: int, salt: int, bytes_max: int) -> tuple[int, int]:
    """Check the records of ``[begin, end)``, which lie back to back, from `begin` on until `bytes_max` are done.

    Returns
    -------
    position, wrong
        How far it got, and -1; or where the first wrong record begins, and the offset of its first wrong sector.
    """

def torn_sectors(memory: _Buffer, position: int, salt: int, stop: int) -> int:
    """Return -1 if a record's sectors below `stop` are each right or zero, else the offset of the first that is not.

    Where a table sector is zero, the payload sectors whose checksums it held may be anything.
    """

def nonzero_sector(memory: _Buffer, start: int, stop: int) -> int:
    """Return the offset of the first sector in ``[start, stop)`` that is not all zero, or -1."""

def lost_pages() -> int:
    """Return how many mapped pages this process could not read; each reads as zeros since."""

class Mapping:
    """A file mapped to be read; pages that cannot be read become zeros and are counted."""

    def __init__(self, fd: int, nbytes: int, random_reads: bool) -> None: ...
    def view(self) -> NDArray[np.uint8]:
        """Return the bytes, read-only; the mapping stays as long as any view of it."""
    @property
    def lost_pages(self) -> int: ...

class Walk:
    def next(self, count: int, ef: int) -> tuple[NDArray[np.uint64], NDArray[np.float32], _Damaged]: ...

class CueTable:
    def __init__(self, dim: int, metric: str) -> None: ...
    def add(self, key: int, vector: NDArray[np.float32], threshold: float) -> None: ...
    def remove(self, key: int) -> bool: ...
    def __len__(self) -> int: ...

class Index:
    def __init__(self, dim: int, metric: str, m: int, degree_max: int, ef_construction: int) -> None: ...
    def append(self, vectors: NDArray[np.float32], first_generation: int, raw: _Raw | None, sums: _Sums) -> None: ...
    def publish(self, generation: int) -> None: ...
    def discard(self) -> None: ...
    def remove(self, versions: NDArray[np.uint64], at: NDArray[np.uint64]) -> int: ...
    def link(self, count_max: int, background: bool) -> int: ...
    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        ef: int,
        snapshot: int,
        allowed: NDArray[np.uint64] | None,
        threads: int,
    ) -> tuple[NDArray[np.uint64], NDArray[np.float32], _Damaged]: ...
    def walk(self, query: NDArray[np.float32], snapshot: int, allowed: NDArray[np.uint64] | None) -> Walk: ...
    def match(
        self, cues: CueTable, first_generation: int, last_generation: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float32], _Damaged]: ...
    def successor(self) -> Index: ...
    def take_over(self, from_: Index, first_slot: int, horizon: int, all: bool) -> int: ...
    def save(self, place: int | str, with_raw: bool, background: bool) -> int: ...
    @staticmethod
    def load(place: int | str) -> Index: ...
    @staticmethod
    def load_with_raw(place: int | str, blocks: list[tuple[int, _Raw, _Sums]]) -> Index: ...
    def statistics(self) -> dict[str, int | list[int]]: ...
    @property
    def dim(self) -> int: ...
    @property
    def metric(self) -> str: ...
    @property
    def m(self) -> int: ...
    @property
    def ef_construction(self) -> int: ...
    @property
    def visible_generation(self) -> int: ...
    @property
    def indexed_generation(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def live(self) -> int: ...
    @property
    def lost_pages(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
