"""What divides many rows into as many as one call takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from engram.model.limits import BATCH_BYTES_MAX, BATCH_COUNT_MAX

# Half of what a call takes, so that ids and everything else of a row have room beside the texts.
_TEXT_BYTES_MAX: Final = BATCH_BYTES_MAX // 2


def by_count(count: int) -> Iterator[slice]:
    """Yield what divides `count` rows into as many as one call takes."""
    return (slice(begin, begin + BATCH_COUNT_MAX) for begin in range(0, count, BATCH_COUNT_MAX))


def by_size(texts: Sequence[str], bytes_max: int = _TEXT_BYTES_MAX) -> Iterator[slice]:
    """Yield what divides rows with `texts`, which are ASCII, into as many as one call takes, also by their bytes."""
    begin = nbytes = 0
    for row, text in enumerate(texts):
        if row - begin == BATCH_COUNT_MAX or (row > begin and nbytes + len(text) > bytes_max):
            yield slice(begin, row)
            begin, nbytes = row, 0
        nbytes += len(text)
    if begin < len(texts):
        yield slice(begin, len(texts))
