"""What recovery needs of rows that a compaction dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Horizon(NamedTuple):
    """The oldest generation that can be recalled, and its commit time in microseconds since 1970 UTC."""

    generation: int = 0
    committed_us: int = 0


class SessionProgress(NamedTuple):
    """The content of a PROGRESS record, the last one of a compacted segment.

    Parameters
    ----------
    sessions
        The session of each range of sequence numbers that rows of the segment had, in the order of generations.
    ranges
        uint64, shape ``(n, 4)``: of each range the first sequence number, the number of rows, the generation of the
        first row, and the number of the writer.
    horizon
        What ended at or before it was dropped.
    """

    sessions: Sequence[str]
    ranges: NDArray[np.uint64]
    horizon: Horizon
