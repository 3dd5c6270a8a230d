"""Fusion of rankings by reciprocal rank (Cormack, Clarke and Buettcher, 2009)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.store.recall.ranked import Ranked

# The constant of that paper; the result hardly depends on it.
_K: Final = 60


def fuse(*rankings: NDArray[np.int64]) -> Ranked:
    """Return the observations of several rankings with the sum of ``1 / (60 + rank)`` over the rankings as score.

    The result is best first; of equal scores, the smaller generation comes first.

    Parameters
    ----------
    *rankings
        int64, shape ``(n,)`` each: generations, best first; the first has rank 1.
    """
    generations, places = np.unique(np.concatenate(rankings), return_inverse=True)
    reciprocals = np.concatenate([1 / (_K + 1 + np.arange(len(ranking))) for ranking in rankings])
    scores = np.bincount(places, weights=reciprocals, minlength=len(generations))
    return Ranked(generations, scores.astype(np.float32)).best_first()
