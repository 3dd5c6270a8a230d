"""The vectors of a record, where some rows may have none: the stored vectors are those of the other rows, in order."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.log.records.header import Header
from engram.log.records.layout import Layout
from engram.log.records.row_generations import RowGenerations
from engram.log.segments.segment import Segment
from engram.model.values.presence import Presence, presence_bytes, unpack_presence

_FLOAT_BYTES: Final = 4


class VectorBlock(NamedTuple):
    """Vectors of a record for the index, **not** checked, as `HnswIndex.append`, `load` and `relocate` take them.

    Parameters
    ----------
    first_generation
        Generation of the first one.
    vectors
        float32, shape ``(n, dim)``, read-only.
    sums
        CRC32C of each: uint32, shape ``(n,)``.
    generations
        Generation of each, int64, shape ``(n,)``; None if there are no gaps.
    """

    first_generation: int
    vectors: NDArray[np.float32]
    sums: NDArray[np.uint32]
    generations: NDArray[np.int64] | None

    @property
    def every_generation(self) -> NDArray[np.int64]:
        """Generation of each, also if there are no gaps."""
        if self.generations is not None:
            return self.generations
        return np.arange(self.first_generation, self.first_generation + len(self.vectors))


class RecordVectors(RowGenerations):
    """The vectors of some rows; a base class of `Record`, which knows where all bytes are, and how they are checked.

    Parameters
    ----------
    segment
        The segment.
    header
        The header of the record.
    """

    __slots__ = ("_dim", "_payload", "segment", "vector_count")

    def __init__(self, segment: Segment, header: Header) -> None:
        super().__init__(header.first_generation, header.last_generation, header.rows)
        self.segment: Segment = segment
        self.vector_count: int = header.vectors
        self._dim = header.dim
        self._payload = segment.payload_of(header)

    @property
    def lacks_vectors(self) -> bool:
        """Whether some rows have no vector. OBSERVE records only."""
        return self.vector_count < self.count

    @property
    def raw_vectors(self) -> NDArray[np.float32]:
        """The vectors, **not** checked: float32, shape ``(vector_count, dim)``, read-only.

        The index uses them, and checks each vector when it ranks by it. It is a view, and making it does not touch the
        segment, whose pages may be only on the disk.
        """
        rows = self.vector_count
        flat = np.frombuffer(self.segment.memory, np.float32, rows * self._dim, self._payload)
        return flat.reshape(rows, self._dim)

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return self._dim

    def vector_presence(self) -> Presence | None:
        """Return which rows have a vector; None if every row has one. OBSERVE records only."""
        start = self._lay_out().vector_presence if self.lacks_vectors else -1
        return None if start < 0 else self._presence(start)

    def text_presence(self) -> Presence | None:
        """Return which rows have a text, be it empty; None if every row has one."""
        start = self._lay_out().text_presence
        return None if start < 0 else self._presence(start)

    def has_text(self, row: int) -> bool:
        """Return whether one row has a text, be it empty."""
        return self._bit(self._lay_out().text_presence, row)

    def has_vector(self, row: int) -> bool:
        """Return whether one row has a vector."""
        return not self.lacks_vectors or self._bit(self._lay_out().vector_presence, row)

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of those of `rows`, int64, shape ``(n,)``, that have one: a copy, shape ``(m, dim)``."""
        places = self._places(rows) if self.lacks_vectors else rows
        size = _FLOAT_BYTES * self._dim
        vectors: NDArray[np.float32] = self.raw_vectors[places]
        self._check(*(edge for place in places.tolist() for edge in (size * place, size * (place + 1))))
        return vectors

    def vector(self, row: int) -> NDArray[np.float32] | None:
        """Return the vector of one row: float32, shape ``(dim,)``, read-only; None if it has none."""
        place = self._place(row)
        if place is None:
            return None
        vector: NDArray[np.float32] = self.raw_vectors[place].copy()
        self._check(vector.nbytes * place, vector.nbytes * (place + 1))
        vector.flags.writeable = False
        return vector

    def vector_offset(self, row: int) -> int:
        """Return where the vector of one row begins in the segment, in bytes; where all of them do if it has none."""
        return self._payload + _FLOAT_BYTES * self._dim * (self._place(row) or 0)

    def vector_sums(self) -> NDArray[np.uint32]:
        """Return the CRC32C of each vector: uint32, ``(vector_count,)``. Format 1 has none, so they are computed."""
        if not self.vector_count:
            return np.empty(0, np.uint32)
        start = self._lay_out().vector_sums
        if start >= 0:
            return self._numbers(start, np.uint32, self.vector_count)
        vectors = self.raw_vectors.copy()
        self._check(0, vectors.nbytes)
        return _core.crc32c_rows(vectors)

    def vector_block(self, first: int = 0, stop: int | None = None) -> VectorBlock | None:
        """Return the vectors of the rows from `first` up to, but not including, `stop`; None if they have none."""
        rows = slice(first, self.count if stop is None else stop)
        presence = self.vector_presence()
        if presence is None:
            generations = self.generations[rows] if self.has_gaps else None
            first_generation, places = self.generation(first), rows
        else:
            generations = self.generations[rows][presence[rows]]
            if not len(generations):
                return None
            before = int(np.count_nonzero(presence[:first]))
            first_generation, places = int(generations[0]), slice(before, before + len(generations))
        return VectorBlock(first_generation, self.raw_vectors[places], self.vector_sums()[places], generations)

    def _place(self, row: int) -> int | None:
        """Return where among the stored vectors that of one row is; None if it has none."""
        if not self.lacks_vectors:
            return row
        presence = self._presence(self._lay_out().vector_presence)
        return int(np.count_nonzero(presence[:row])) if presence[row] else None

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where among the stored vectors those of `rows` are that have one."""
        presence = self._presence(self._lay_out().vector_presence)
        places = np.cumsum(presence, dtype=np.int64) - 1
        kept: NDArray[np.int64] = places[rows][presence[rows]]
        return kept

    def _presence(self, start: int) -> Presence:
        return unpack_presence(self._numbers(start, np.uint8, presence_bytes(self.count)), self.count)

    def _bit(self, start: int, row: int) -> bool:
        if start < 0:
            return True
        place = start + row // 8
        byte = self.segment.memory[self._payload + place]
        self._check(place, place + 1)
        return bool(byte >> row % 8 & 1)

    def _lay_out(self) -> Layout:
        """Return the layout of the record."""
        raise NotImplementedError

    def _numbers(self, start: int, dtype: type, count: int = -1) -> NDArray[Any]:
        """Return `count` checked numbers from `start` on; by default one for each row."""
        raise NotImplementedError

    def _check(self, *ranges: int) -> None:
        """Check ranges of the payload; raise `CorruptData` if one is damaged."""
        raise NotImplementedError
