"""Creation of a space for a file, delayed until the first rows are known to fit the space."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from engram.cli.files.chunk import FileChunk
from engram.cli.sinks import Sink
from engram.errors import InvalidInput
from engram.model.observations import ObservationBatch
from engram.model.spaces import VECTORS_DEFAULT, Metric, SpaceConfig, Vectors, dimension_of

# Before the space is created, chunks are read until there are at least this many rows.
_ROWS_SEEN_MAX: Final = 1000


def plan_space(
    chunks: Iterable[FileChunk],
    name: str,
    dim: int | None,
    metric: Metric,
    embedder: str,
    vectors: Vectors = VECTORS_DEFAULT,
) -> tuple[SpaceConfig, Iterator[FileChunk]]:
    """Choose the settings of a space that fits the rows of a file.

    Parameters
    ----------
    chunks
        Chunks of the file.
    name, metric, embedder, vectors
        Settings of the space.
    dim
        Dimension of the space, if it is known. Otherwise it is the most frequent dimension among the first rows, so
        that a single bad row does not decide it.

    Returns
    -------
    tuple[SpaceConfig, Iterator[FileChunk]]
        The settings, and all chunks, including those that were read here.

    Raises
    ------
    InvalidInput
        If a setting is invalid, or there are neither vectors nor an embedder to make them.
    """
    chunks = iter(chunks)
    seen: list[FileChunk] = []
    lengths: Counter[int] = Counter()
    rows = 0
    while dim is None and vectors != "none" and rows < _ROWS_SEEN_MAX and (chunk := next(chunks, None)) is not None:
        seen.append(chunk)
        rows += len(chunk.ids) + len(chunk.bad)
        if chunk.vectors.ndim == 2 and chunk.vectors.shape[1]:
            lengths[chunk.vectors.shape[1]] += len(chunk.ids)
    if dim is None and lengths:
        dim = lengths.most_common(1)[0][0]
    if dim is None and not embedder and vectors == "required" and any(chunk.ids for chunk in seen):
        raise InvalidInput(
            f"the first {rows:,} rows have no vectors, so the space needs an embedder to make them of texts, "
            "such as --embedder lexical; no space was made",
            code="no_vectors",
            field="embedder",
        )
    config = SpaceConfig(name, dimension_of(dim, vectors), metric, embedder, vectors)
    return config, itertools.chain(seen, chunks)


class NewSpaceSink:
    """A sink that creates its space when it gets the first batch, which has been checked by then.

    Therefore a file without a good row leaves no space behind; the settings of a space could never be changed.

    Parameters
    ----------
    config
        Settings of the space.
    make
        Creates the space and returns the sink for it.
    """

    def __init__(self, config: SpaceConfig, make: Callable[[], Sink]) -> None:
        self.config = config
        # A space that does not exist holds no observations of the session.
        self.durable_sequence = 0
        self._make = make
        self._sink: Sink | None = None

    def put(self, batch: ObservationBatch) -> None:
        """Create the space with the first batch, and pass on every batch to its sink."""
        if self._sink is None:
            self._sink = self._make()
        self._sink.put(batch)

    def finish(self) -> int:
        """Wait for all answers and return the last generation; 0 if no space was created."""
        return 0 if self._sink is None else self._sink.finish()

    def abandon(self) -> tuple[int, int]:
        """Give up unanswered batches; return the last generation and the number of stored observations."""
        return (0, 0) if self._sink is None else self._sink.abandon()
