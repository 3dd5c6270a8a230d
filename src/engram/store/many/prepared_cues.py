"""The cues of a recall of many, checked against the space, and the vectors that its embedder makes of their texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.cue import Cue
from engram.model.many.cue_list import CueList, of_cue
from engram.model.spaces import SpaceConfig
from engram.model.values.vectors import check_cues, wrong_dimension
from engram.store.recall.search import PreparedCue, Search

# So many vectors are joined to be checked together.
_CHECKED_COUNT: Final = 1024


def check_all(cues: CueList, search: Search, config: SpaceConfig) -> None:
    """Check every cue against the space, before any of them is searched for.

    Raises
    ------
    InvalidInput
        If a cue does not fit the space; the error names it.
    FailedPrecondition
        If a text is to be embedded and the space has no embedder.
    """
    if cues.vectors is not None:
        if len(cues.vectors) and cues.vectors.shape[1] != config.dim:
            raise wrong_dimension("cues", cues.vectors.shape[1], config)
        check_cues(cues.vectors, range(len(cues.vectors)), config)
        return
    compared = [(row, cue) for row, cue in enumerate(cues.listed) if _is_compared(cue)]
    vectors = {row: _vector_of(cue) for row, cue in compared if cue.vector is not None}
    for row, vector in vectors.items():
        if len(vector) != config.dim:
            raise wrong_dimension(f"cues[{row}]", len(vector), config)
    rows = list(vectors)
    for start in range(0, len(rows), _CHECKED_COUNT):
        some = rows[start : start + _CHECKED_COUNT]
        check_cues(np.stack([vectors[row] for row in some]), some, config)
    if any(cue.vector is None for _, cue in compared):
        # Raises if there is none.
        _ = search.embedder


def prepare(cues: CueList, start: int, stop: int, search: Search, config: SpaceConfig) -> list[PreparedCue]:
    """Return the cues from `start` up to `stop`, which have been checked, with their vectors.

    The embedder gets all of their texts at once.

    Raises
    ------
    InvalidInput
        If the embedder refuses a text, or makes a vector that the space cannot be searched with.
    FailedPrecondition
        If the embedder fails.
    """
    part = [cues.one(row) for row in range(start, stop)]
    texts = {start + place: cue.text for place, cue in enumerate(part) if _is_compared(cue) and cue.vector is None}
    made: dict[int, NDArray[np.float32]] = {}
    if texts:
        embedded = _embedded(texts, search)
        check_cues(embedded, list(texts), config)
        made = dict(zip(texts, embedded, strict=True))
    return [PreparedCue(cue, _prepared_vector(cue, made.get(start + place))) for place, cue in enumerate(part)]


def _is_compared(cue: Cue) -> bool:
    """Return whether a cue asks for similarity."""
    return cue.by != "words" and cue.ranks


def _prepared_vector(cue: Cue, made: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    return _vector_of(cue) if made is None and _is_compared(cue) else made


def _vector_of(cue: Cue) -> NDArray[np.float32]:
    return np.asarray(cue.vector, dtype=np.float32)


def _embedded(texts: Mapping[int, str], search: Search) -> NDArray[np.float32]:
    try:
        return search.embed(list(texts.values()))
    except InvalidInput:
        # Looked at one by one, to name the culprit.
        _each_named(search.embed, texts)
        raise


def _each_named(work: Callable[[Sequence[str]], object], texts: Mapping[int, str]) -> None:
    """Do `work` with each text, by the row of its cue, and name the cue in an error."""
    for row, text in texts.items():
        try:
            work([text])
        except InvalidInput as error:
            raise of_cue(error, row) from error
