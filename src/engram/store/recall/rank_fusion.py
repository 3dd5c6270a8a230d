"""Two rankings made one by reciprocal rank: what both rank high comes first."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# From the paper that introduced it (Cormack, Clarke and Buettcher, 2009); the result hardly depends on it.
_K: Final = 60


def fuse(*rankings: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Generations and scores: the sum of ``1 / (60 + rank)`` over the `rankings`, each best first from rank 1."""
    generations, places = np.unique(np.concatenate(rankings), return_inverse=True)
    shares = np.concatenate([1 / (_K + 1 + np.arange(len(ranking))) for ranking in rankings])
    scores = np.bincount(places, weights=shares, minlength=len(generations))
    return generations, scores.astype(np.float32)
