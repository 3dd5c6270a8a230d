"""Many cues, matched with many vectors at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.spaces import Metric


class CueTable:
    """Cues with thresholds, by key. Belongs to one thread at a time.

    Parameters
    ----------
    dim
        Length of the vectors.
    metric
        How similarity is measured.
    """

    def __init__(self, dim: int, metric: Metric) -> None:
        self._dim = dim
        self._metric = metric
        self._cues: dict[int, tuple[NDArray[np.float32], float]] = {}
        self._columns: tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        return len(self._cues)

    def add(self, key: int, vector: NDArray[np.float32], threshold: float) -> None:
        """Match `vector` from now on, with what scores at least `threshold`."""
        self._cues[key] = self._scaled(vector[None, :])[0], threshold
        self._columns = None

    def remove(self, key: int) -> None:
        """Match it no more; an unknown key is no error."""
        if self._cues.pop(key, None) is not None:
            self._columns = None

    def match(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.float32]]:
        """The keys, rows and scores of all pairs that are similar enough, key by key, rows ascending."""
        keys, cues, thresholds = self._stacked()
        rows = self._scaled(vectors)
        # One product of matrices, which runs at the speed of the machine and without the interpreter lock.
        scores = cues @ rows.T
        if self._metric == "l2":
            lengths = np.einsum("ij,ij->i", rows, rows)[None, :] + np.einsum("ij,ij->i", cues, cues)[:, None]
            scores = 2 * scores - lengths
        which, row = np.nonzero(scores >= thresholds[:, None])
        return keys[which], row, scores[which, row]

    def _scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._metric != "cosine":
            return vectors
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def _stacked(self) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        if self._columns is None:
            vectors = [vector for vector, _ in self._cues.values()]
            self._columns = (
                np.array(list(self._cues), dtype=np.int64),
                np.array(vectors, dtype=np.float32).reshape(len(vectors), self._dim),
                np.array([threshold for _, threshold in self._cues.values()], dtype=np.float32),
            )
        return self._columns
