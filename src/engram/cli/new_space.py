"""A space for a file that has none yet: made when the first rows are known to fit, and not before."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from engram.cli.files.chunk import FileChunk
from engram.cli.sinks import Sink
from engram.errors import InvalidInput
from engram.model.limits import DIMENSION_DEFAULT
from engram.model.observations import ObservationBatch
from engram.model.spaces import Metric, SpaceConfig

# No file is asked for more rows than this before there is a space, however small its chunks.
_ROWS_SEEN_MAX: Final = 1000


def plan_space(
    chunks: Iterable[FileChunk], name: str, dim: int | None, metric: Metric, embedder: str
) -> tuple[SpaceConfig, Iterator[FileChunk]]:
    """What space the rows of a file need, and the rows.

    Parameters
    ----------
    dim
        The dimension, if it is known; otherwise it is that of most vectors among the first rows, so that a bad row
        has no say in it.

    Raises
    ------
    InvalidInput
        If a setting is not allowed, or there are neither vectors nor an embedder to make them.
    """
    chunks = iter(chunks)
    seen: list[FileChunk] = []
    lengths: Counter[int] = Counter()
    rows = 0
    while dim is None and rows < _ROWS_SEEN_MAX and (chunk := next(chunks, None)) is not None:
        seen.append(chunk)
        rows += len(chunk.ids) + len(chunk.bad)
        if chunk.vectors.ndim == 2 and chunk.vectors.shape[1]:
            lengths[chunk.vectors.shape[1]] += len(chunk.ids)
    if dim is None and lengths:
        dim = lengths.most_common(1)[0][0]
    if dim is None and not embedder and any(chunk.ids for chunk in seen):
        raise InvalidInput(
            f"the first {rows:,} rows have no vectors, so the space needs an embedder to make them of texts, "
            "such as --embedder lexical; no space was made",
            code="no_vectors",
            field="embedder",
        )
    config = SpaceConfig(name, DIMENSION_DEFAULT if dim is None else dim, metric, embedder)
    return config, itertools.chain(seen, chunks)


class NewSpaceSink:
    """A sink for a space that is made with the first batch, which was checked by then.

    A file that has nothing to store thus leaves no space behind, whose settings could never be changed.

    Parameters
    ----------
    config
        What the space is going to be.
    make
        Makes the space and returns the sink for it.
    """

    def __init__(self, config: SpaceConfig, make: Callable[[], Sink]) -> None:
        self.config = config
        # Nothing can have been stored where nothing is.
        self.durable_sequence = 0
        self._make = make
        self._sink: Sink | None = None

    def put(self, batch: ObservationBatch) -> None:
        if self._sink is None:
            self._sink = self._make()
        self._sink.put(batch)

    def finish(self) -> int:
        return 0 if self._sink is None else self._sink.finish()

    def abandon(self) -> tuple[int, int]:
        return (0, 0) if self._sink is None else self._sink.abandon()
