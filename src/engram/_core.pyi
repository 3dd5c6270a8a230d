"""Types of the native C++ core. Its documented interface is `engram.index`.

Functions raise ValueError if an argument has a wrong shape, type, length or alignment, and OSError if a file cannot be
opened, mapped or written.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Raw = NDArray[np.float32] | NDArray[np.float16]
_Sums = NDArray[np.uint32] | None
# First generation, vectors of shape (n, dim), the CRC-32C of each row's bytes, and the generation of each row, rising;
# without checksums the vectors are trusted, without generations there are no gaps.
_Block = tuple[int, _Raw, _Sums, NDArray[np.int64] | None]
# Generations that are left out because their raw vectors are damaged: int64, shape (n,), ascending; None: no damage.
_Damaged = NDArray[np.int64] | None
_Buffer = bytes | bytearray | memoryview | NDArray[np.generic]

INTERFACE: str
"""SHA-256 of this file when the core was built. `engram.native_core` refuses a core that was built with another one."""

EXACT_COUNT_MAX: int
"""Up to this many vectors that an allow-list lets through are all compared with the query, which is exact."""

class CorruptCheckpoint(ValueError):
    """A file is not a checkpoint, is damaged, has unreadable pages, or does not fit the given raw vectors."""

class DamagedVector(ValueError):
    """A raw vector that is to be copied differs from the vector that was appended."""

class NotFinite(ValueError):
    """Numbers to search for are NaN or infinite."""

def simd() -> str:
    """Return the name of the kernels in use: ``"portable"``, ``"avx2"``, ``"avx512"`` or ``"neon"``."""

def metrics() -> dict[str, dict[str, bool]]:
    """Return the rules of each metric, by its name, in the order of their numbers.

    The rules are ``uses_norms``: scores depend on the lengths of vectors; ``needs_direction``: a zero vector cannot be
    compared; and ``shift_invariant``: scores stay the same when all vectors move alike.
    """

def exact_scores(query: NDArray[np.float32], rows: NDArray[np.float32], metric: str) -> NDArray[np.float32]:
    """Return the score of each row, shape ``(n, dim)``, for a query, shape ``(dim,)``: float32, shape ``(n,)``."""

def similarities(scores: NDArray[np.float32], metric: str) -> NDArray[np.float64]:
    """Return scores, shape ``(n,)``, as numbers from 0 up: float64, shape ``(n,)``."""

def bits_within(values: NDArray[np.float64] | NDArray[np.int8], low: float, high: float) -> NDArray[np.uint64]:
    """Return which of some values, shape ``(n,)``, lie within `low` and `high`, both included.

    Returns
    -------
    NDArray[np.uint64]
        Shape ``((n + 63) // 64,)``: bit ``i % 64`` of word ``i // 64`` is that of ``values[i]``; those behind are 0.
    """

def bits_wanted(numbers: NDArray[np.int32] | NDArray[np.uint8], wanted: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return which of some numbers from 0 up, shape ``(n,)``, are wanted, as `bits_within` does.

    Bit ``number % 32`` of ``wanted[number // 32]`` tells it of a number; those behind are not wanted.
    """

def bits_wanted_of(
    values: NDArray[np.float64] | NDArray[np.int8], low: float, wanted: NDArray[np.uint32]
) -> NDArray[np.uint64]:
    """Return which of some values, shape ``(n,)``, are `low` plus a number that is wanted, as `bits_wanted` does.

    `low` is a whole number, and all sums are below 2**53.
    """

def mark(words: NDArray[np.uint64], begin: int, generations: NDArray[np.int64]) -> None:
    """Set in `words` the bits of `generations`, which ascend; the first bit is that of the generation `begin`.

    Generations without a bit are left out.
    """

def mark_passed(
    words: NDArray[np.uint64], begin: int, generations: NDArray[np.int64], passed: NDArray[np.uint64]
) -> None:
    """As `mark`, for those of `generations` whose places have their bits set in `passed`."""

def put_bits(words: NDArray[np.uint64], offset: int, others: NDArray[np.uint64], count: int) -> None:
    """Set in `words`, from bit `offset` on, what is set among the first `count` bits of `others`.

    What lies behind the end of `words` is left out.
    """

def spread_bits(passed: NDArray[np.uint64], present: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the bits of `passed`, in their order, at the places whose bits are set in `present`; others are 0."""

def ranks_in(words: NDArray[np.uint64], begin: int, generations: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many bits are set before the bit of each of some generations, which ascend; -1 if its own is not.

    The first bit is that of the generation `begin`. Each generation has a bit.
    """

def count_bits(words: NDArray[np.uint64]) -> int:
    """Return how many bits are set."""

def listed_bits(words: NDArray[np.uint64], begin: int) -> NDArray[np.int64]:
    """Return the generations whose bits are set, int64, ascending; the first bit is that of the generation `begin`."""

def read_ahead(pieces: list[NDArray[np.uint8]]) -> None:
    """Request pieces of mapped files, each uint8 of shape ``(n,)``, from the disk; return when all are in memory."""

def crc32c_rows(matrix: NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the CRC-32C of the bytes of each row of a matrix, shape ``(n, columns)``: uint32, shape ``(n,)``."""

def sector_sums(parts: Sequence[_Buffer]) -> bytes:
    """Return the plain checksums of the sectors that `parts` make up, as little-endian numbers of 4 bytes.

    Parameters
    ----------
    parts
        Consecutive bytes, together a multiple of 512.
    """

def salted_sums(sums: bytes, salt: int, first_sector: int) -> bytes:
    """Return the checksums of sectors in a segment, given the plain ones.

    Parameters
    ----------
    sums
        What `sector_sums` returned.
    salt, first_sector
        The segment's salt, and the number of the first sector in the file. The checksum of a sector starts from the sum
        of the salt and the sector's number.
    """

def joined_sums(sums: bytes, sectors_per_row: int) -> NDArray[np.uint32]:
    """Return the CRC-32C of each row, given the plain checksums of its sectors: uint32, shape ``(n,)``."""

def check_sectors(memory: _Buffer, position: int, ranges: Sequence[int], salt: int) -> int:
    """Check the payload's sectors that `ranges` touch; return -1 or the offset in the file of the first wrong one.

    Parameters
    ----------
    memory, position
        The mapped file, and the offset in it at which the record begins.
    ranges
        Start and stop of each range, one after the other, in bytes from the beginning of the payload.
    salt
        The segment's salt.
    """

def read_text(
    memory: _Buffer, position: int, payload: int, place: tuple[int, int, int], row: int, salt: int
) -> str | int:
    """Copy one text of a record's column, then check the sectors it was read from.

    Parameters
    ----------
    memory, position, payload
        The mapped file, and the offsets in it at which the record and its payload begin.
    place
        Where the column lies in the payload: the beginning of its offsets, the beginning of its bytes, and the number
        of these bytes.
    row
        The row in the record.
    salt
        The segment's salt.

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
) -> tuple[Any, ...] | int:
    """Copy one row of a record without its vector, then check the sectors it was read from.

    Parameters
    ----------
    memory, position, payload
        The mapped file, and the offsets in it at which the record and its payload begin.
    numbers
        Where the columns of numbers begin in the payload, first the times, int64, then the others, float32; -1 for a
        column that the record does not have.
    texts
        Where the columns of texts lie in the payload: for each column the beginning of its offsets, the
        beginning of its bytes, and the number of these bytes; None for a column that the record does not have.
    row
        The row in the record.
    salt
        The segment's salt.

    Returns
    -------
    tuple or int
        The numbers, None for a missing one, and behind them the texts, ``""`` for a missing one; or the offset in the
        file of the first wrong sector.
    """

def check_all(memory: _Buffer, position: int, salt: int) -> int:
    """Check a record's table and payload; return -1 or the offset in the file of the first wrong sector."""

def check_records(memory: _Buffer, begin: int, end: int, salt: int, bytes_max: int) -> tuple[int, int]:
    """Check the consecutive records of ``[begin, end)``, from `begin` on, until `bytes_max` bytes are done.

    Returns
    -------
    position, wrong
        The offset up to which the records are right, and -1; or the offset at which the first wrong record begins, and
        the offset of its first wrong sector.
    """

def torn_sectors(memory: _Buffer, position: int, salt: int, stop: int) -> int:
    """Return -1 if a record's sectors below `stop` are each right or zero, else the offset of the first that is not.

    If a table sector is zero, the payload sectors whose checksums belong in it may hold anything.
    """

def nonzero_sector(memory: _Buffer, start: int, stop: int) -> int:
    """Return the offset of the first sector in ``[start, stop)`` that is not all zero, or -1."""

def lost_pages() -> int:
    """Return how many mapped pages this process could not read; each one has read as zeros since."""

def take_frames(buffer: _Buffer, size_max: int) -> tuple[list[tuple[bytes, bool]], int, bool]:
    """Take whole messages from the beginning of what a WebSocket received, up to the first frame of another kind.

    Taken are masked frames that are messages by themselves, of at most `size_max` and 65 535 bytes; texts are UTF-8.

    Returns
    -------
    messages, nbytes, is_begun
        Each message, with whether it is binary; the bytes they took; and whether one more has begun behind them.
    """

def cut_vectors(texts: list[bytes]) -> tuple[bytes, NDArray[np.float32]] | None:
    """Cut the vectors out of JSON objects: one list of all objects with null in place of them, and the vectors.

    The vectors, float32, shape ``(n, dim)``, are read as strictly as JSON is, from lists of numbers or base64. None if
    an object has no field ``"vector"``, two, or one that cannot be read, or if they are not alike.
    """

class Mapping:
    """A file mapped for reading; pages that cannot be read become zeros and are counted."""

    def __init__(self, fd: int, nbytes: int, random_reads: bool) -> None: ...
    def view(self) -> NDArray[np.uint8]:
        """Return the bytes: uint8, shape ``(nbytes,)``, read-only. The mapping lives as long as any view of it."""
    @property
    def lost_pages(self) -> int:
        """Pages of the file that could not be read."""

class Walk:
    """A search that can be continued, made by `Index.walk`."""

    def next(self, count: int, ef: int) -> tuple[NDArray[np.int64], NDArray[np.float32], _Damaged]:
        """Return up to `count` results that were not returned before, best first; none when there are no more.

        Returns
        -------
        generations, scores, damaged
            int64 and float32, shape ``(n,)``, and the generations that are left out as damaged.

        Raises
        ------
        CorruptCheckpoint
            If pages of the mapped checkpoint are lost.
        """

class CueTable:
    """Cues with thresholds, for `Index.match`."""

    def __init__(self, dim: int, metric: str) -> None: ...
    def add(self, key: int, vector: NDArray[np.float32], threshold: float) -> None:
        """Add or replace a cue, shape ``(dim,)``; vectors with a score of at least `threshold` match it."""
    def remove(self, key: int) -> bool:
        """Remove a cue; return whether it was there."""
    def __len__(self) -> int: ...

class Index:
    """The graph over the vectors of a space, which `engram.index.HnswIndex` wraps."""

    def __init__(self, dim: int, metric: str, m: int, degree_max: int, ef_construction: int) -> None: ...
    def append(
        self,
        vectors: NDArray[np.float32],
        first_generation: int,
        raw: _Raw | None,
        sums: _Sums,
        generations: NDArray[np.int64] | None,
    ) -> None:
        """Encode vectors, shape ``(n, dim)``, under the generations from `first_generation` on, not visible yet.

        Parameters
        ----------
        raw
            Where the same vectors lie as long as the index lives; None: the index copies them.
        sums
            CRC-32C of each row's bytes in `raw`, shape ``(n,)``; None: they are computed.
        generations
            The generation of each vector, rising, shape ``(n,)``; None: there are no gaps.
        """
    def centre_on(self, vectors: NDArray[np.float32], last_generation: int) -> None:
        """Make the mean of the first vectors, shape ``(n, dim)``, the centre of the codes, before any is appended."""
    def relocate(
        self, first_generation: int, last_generation: int, blocks: list[_Block], retired: list[NDArray[np.uint8]]
    ) -> None:
        """Use raw vectors at another place from now on; return when nobody reads them at the old one any more.

        Parameters
        ----------
        first_generation, last_generation
            The range of generations that moves. Versions in it that no block has must be invisible to all snapshots.
        blocks
            Where the vectors are now, in ascending order.
        retired
            The memory that is no longer kept alive.
        """
    def publish(self, generation: int) -> None:
        """Make everything up to `generation` visible to searches without a snapshot."""
    def discard(self) -> None:
        """Discard the vectors that were appended but not published."""
    def remove(self, versions: NDArray[np.int64], at: NDArray[np.int64]) -> int:
        """End versions at the generations `at`, both of shape ``(n,)``; return how many were live."""
    def erase(self, versions: NDArray[np.int64]) -> None:
        """Hide versions, shape ``(n,)``, from all snapshots and checkpoints; return when no search finds them."""
    def link(self, count_max: int, background: bool) -> int:
        """Link up to `count_max` published vectors into the graph; return how many, 0 when there is nothing to do."""
    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        ef: int,
        snapshot: int | None,
        allowed: NDArray[np.uint64] | None,
        threads: int,
        allowed_begin: int = 0,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], _Damaged]:
        """Find the `k` nearest vectors of each query, shape ``(n, dim)``, that are visible at `snapshot`.

        Returns
        -------
        generations, scores, damaged
            int64 and float32, shape ``(n, k)``, best first, padded with generation 0 and score -inf, and the
            generations that are left out as damaged.

        Raises
        ------
        CorruptCheckpoint
            If pages of the mapped checkpoint are lost.
        """
    def walk(
        self,
        query: NDArray[np.float32],
        snapshot: int | None,
        allowed: NDArray[np.uint64] | None,
        allowed_begin: int = 0,
    ) -> Walk:
        """Start a search for one query, shape ``(dim,)``, that can be continued."""
    def match(
        self, cues: CueTable, first_generation: int, last_generation: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], _Damaged]:
        """Find which cues the published versions of the generations ``first_generation..last_generation`` match.

        Returns
        -------
        keys, generations, scores, damaged
            int64, int64 and float32, shape ``(n,)``, one per match in the order of generations, and the generations
            that are left out as damaged.

        Raises
        ------
        CorruptCheckpoint
            If pages of the mapped checkpoint are lost.
        """
    def droppable(self, horizon: int) -> int:
        """Return how many published versions `take_over` with this horizon would leave out; it looks at each."""
    def vectors(self, versions: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.uint8], _Damaged]:
        """Copy the raw vectors of versions, shape ``(n,)``.

        Returns
        -------
        vectors, live, damaged
            float32, shape ``(n, dim)``, zeros where there is no vector or a damaged one; uint8, shape ``(n,)``, 1 for
            each version that is published and alive; and the generations of those whose vectors are damaged.

        Raises
        ------
        CorruptCheckpoint
            If pages of the mapped checkpoint are lost.
        """
    def successor(self) -> Index:
        """Return an empty index with the parameters of this one, which keeps the same raw vectors alive."""
    def take_over(self, from_: Index, first_slot: int, horizon: int, all: bool) -> int:
        """Append and publish what `from_` has published from `first_slot` on; return the slot to continue from.

        Parameters
        ----------
        horizon
            Versions that ended at or before this generation are left out.
        all
            Whether to append also what `from_` has not published; the writer of `from_` must wait meanwhile.

        Raises
        ------
        CorruptCheckpoint
            If pages of the mapped checkpoint of `from_` are lost.
        """
    def save(self, place: int | str, with_raw: bool, background: bool) -> int:
        """Write a checkpoint of everything linked to a path or descriptor; return the generation it covers.

        Raises
        ------
        CorruptCheckpoint
            If pages of the mapped checkpoint of this index are lost.
        DamagedVector
            If a raw vector to be written is damaged.
        """
    @staticmethod
    def load(place: int | str) -> Index:
        """Open a checkpoint that holds raw vectors.

        Raises
        ------
        CorruptCheckpoint
            If the file is not a checkpoint, is damaged, or holds no raw vectors.
        """
    @staticmethod
    def load_with_raw(place: int | str, blocks: list[_Block], dropped: int) -> Index:
        """Open a checkpoint with the raw vectors of `blocks`.

        Parameters
        ----------
        blocks
            The vectors, in ascending order.
        dropped
            Vectors of generations up to this one may be missing; no snapshot sees their versions then.

        Raises
        ------
        CorruptCheckpoint
            If the file is not a checkpoint, is damaged, or does not fit the blocks.
        """
    def statistics(self) -> dict[str, int | list[int]]:
        """Visit the whole graph; return the fields of `engram.index.GraphStatistics`."""
    @property
    def dim(self) -> int:
        """Length of the vectors."""
    @property
    def metric(self) -> str:
        """Name of the metric."""
    @property
    def m(self) -> int:
        """Neighbours that a new node chooses, at most."""
    @property
    def ef_construction(self) -> int:
        """Candidates from which a new node chooses its neighbours."""
    @property
    def visible_generation(self) -> int:
        """The generation up to which everything is published."""
    @property
    def indexed_generation(self) -> int:
        """The generation up to which everything is linked into the graph."""
    @property
    def size(self) -> int:
        """Number of published vectors, live and dead."""
    @property
    def live(self) -> int:
        """Number of published vectors that are live."""
    @property
    def remembers_erased(self) -> bool:
        """Whether the centre of the codes is the mean of so few that it tells of one that was erased or dropped."""
    @property
    def lost_pages(self) -> int:
        """Pages of the mapped checkpoint that could not be read; if there are any, results may be wrong or missing."""
    @property
    def nbytes(self) -> int:
        """Memory of the index in bytes, with the raw vectors that it copied."""
