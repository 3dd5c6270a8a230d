"""Synthetic vectors in a file, and the true neighbours of its queries: made once, then found again by name.

The first 1 000 rows of a file are the queries, the rows after them the base, as in `datasets.synthetic`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import QUERIES, Synthetic
from benchmarks.support.steps import progress

K = 10
# Rows scored against all queries at a time: 16 MB of scores, which stay in the caches between their passes.
_SCORED = 4096


@dataclass(frozen=True, slots=True)
class VectorFile:
    """Rows of ``dtype`` one after the other, without a header."""

    path: Path
    dim: int
    dtype: str

    def queries(self) -> NDArray[np.float32]:
        """The queries, as float32 in memory."""
        return self._read(0, QUERIES)

    def base(self, first: int, last: int) -> NDArray[np.float32]:
        """Base rows as float32 in memory, read without mapping them, which would count as resident."""
        return self._read(QUERIES + first, QUERIES + last)

    def mapped_base(self, count: int) -> NDArray[np.float32]:
        """The first base rows where they lie: a read-only mapping of the file's own type."""
        mapped = np.memmap(self.path, dtype=self.dtype, mode="r", shape=(QUERIES + count, self.dim))
        return np.asarray(mapped[QUERIES:])

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        return self.dim * np.dtype(self.dtype).itemsize

    def _read(self, first: int, last: int) -> NDArray[np.float32]:
        values = np.fromfile(self.path, self.dtype, (last - first) * self.dim, offset=first * self.row_bytes)
        return values.reshape(last - first, self.dim).astype(np.float32, copy=False)


def synthetic_file(folder: Path, count: int, dim: int, clusters: int, dtype: str) -> VectorFile:
    """A file with the queries and at least `count` base rows; one that is too short grows."""
    folder.mkdir(parents=True, exist_ok=True)
    file = VectorFile(folder / f"synthetic-{dim}d-{clusters}c.{dtype}", dim, dtype)
    blocks = -(-(count + QUERIES) // Synthetic.BLOCK)
    block_bytes = Synthetic.BLOCK * file.row_bytes
    have = file.path.stat().st_size // block_bytes if file.path.exists() else 0
    missing_bytes = max(0, blocks - have) * block_bytes
    free_bytes = shutil.disk_usage(folder).free
    if missing_bytes > free_bytes:
        raise SystemExit(
            f"{folder} has {free_bytes:,} bytes free, {missing_bytes:,} are needed; give another --scratch"
        )
    if have >= blocks:
        return file
    source = Synthetic(dim, clusters)
    with file.path.open("ab") as out:
        # A block that was cut short when an earlier run was interrupted is written again.
        out.truncate(have * block_bytes)
        for number in range(have, blocks):
            progress(f"writing {file.path.name}: block {number + 1} of {blocks}")
            source.block(number).astype(dtype, copy=False).tofile(out)
    return file


def truths(file: VectorFile, counts: Sequence[int]) -> dict[int, NDArray[np.int64]]:
    """For each count, the row numbers of the ten nearest of each query among the first `count` base rows.

    One pass over the file serves all counts: each row is multiplied once, and the ten best so far are kept.
    """
    names = {count: file.path.with_suffix(f".{file.dtype}.truth-{count}.npy") for count in counts}
    if not all(name.exists() for name in names.values()):
        best = _Best(file.queries())
        done = 0
        for count in sorted(counts):
            while done < count:
                last = min(done + Synthetic.BLOCK, count)
                progress(f"exact search: {last:,} of {max(counts):,} rows")
                best.take(file.base(done, last), done)
                done = last
            np.save(names[count], best.ids, allow_pickle=False)
    return {count: np.load(name, allow_pickle=False) for count, name in names.items()}


class _Best:
    """The ten best rows of each query among those seen so far, by cosine."""

    def __init__(self, queries: NDArray[np.float32]) -> None:
        self._queries = queries
        self.scores = np.full((len(queries), K), -np.inf, dtype=np.float32)
        self.ids = np.full((len(queries), K), -1, dtype=np.int64)

    def take(self, rows: NDArray[np.float32], first: int) -> None:
        for start in range(0, len(rows), _SCORED):
            piece = rows[start : start + _SCORED]
            scores = self._queries @ piece.T
            scores /= np.linalg.norm(piece, axis=1)
            # Few rows beat the tenth best of a query once many were seen, so only those are sorted in.
            query, row = np.nonzero(scores > self.scores[:, -1:])
            self._merge(query, scores[query, row], first + start + row)

    def _merge(self, query: NDArray[np.int64], scores: NDArray[np.float32], ids: NDArray[np.int64]) -> None:
        owners = np.concatenate([np.repeat(np.arange(len(self.ids)), K), query])
        all_scores = np.concatenate([self.scores.ravel(), scores])
        all_ids = np.concatenate([self.ids.ravel(), ids])
        order = np.lexsort((-all_scores, owners))
        begins = np.searchsorted(owners[order], np.arange(len(self.ids)))
        kept = order[begins[:, None] + np.arange(K)]
        self.scores, self.ids = all_scores[kept], all_ids[kept]
