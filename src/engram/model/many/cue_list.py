"""The cues of one recall of many: a matrix of vectors, or a list of vectors, texts and `Cue` objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.cue import Cue, CueLike, as_cue
from engram.model.limits import CUES_MAX
from engram.model.values.scalars import shown
from engram.model.values.sequences import as_list
from engram.model.values.vectors import as_float32

CuesLike = ArrayLike | Iterable[CueLike]
"""A matrix of shape ``(n, dim)``, or a list of vectors, texts and `Cue` objects."""

_WANTED: Final = "a matrix of shape (n, dim), or a list of vectors, texts and Cues"
_EXAMPLE: Final = '["a text", "another text"]'
# Arrays of these kinds hold texts or objects, and are as good as lists of them.
_OF_OBJECTS: Final = frozenset("OUT")
_PLACE: Final = re.compile(r"\bcues\[(\d+)\]")


@dataclass(frozen=True, slots=True, eq=False)
class CueList:
    """Many cues, in an order.

    Parameters
    ----------
    vectors
        float32, shape ``(n, dim)``, C-contiguous: each row is the vector of a cue by similarity. None: the cues are
        `listed`.
    listed
        The cues.
    """

    vectors: NDArray[np.float32] | None = None
    listed: Sequence[Cue] = ()

    def __len__(self) -> int:
        return len(self.listed) if self.vectors is None else len(self.vectors)

    def one(self, row: int) -> Cue:
        """Return one cue."""
        return self.listed[row] if self.vectors is None else Cue(self.vectors[row])

    def part(self, start: int, stop: int) -> CueList:
        """Return the cues from `start` up to `stop`, which is not included."""
        if self.vectors is None:
            return CueList(listed=self.listed[start:stop])
        return CueList(self.vectors[start:stop])


def as_cue_list(cues: object) -> CueList:
    """Return a matrix of vectors, or a list of cues, as a `CueList`. There may be none.

    Raises
    ------
    InvalidInput
        If it is neither, or a set, which has no order; if a cue is none, and the error names it. An iterable without a
        length may have `CUES_MAX` cues.
    """
    if isinstance(cues, CueList):
        return cues
    if cues is None:
        raise InvalidInput(
            f"cues is None; pass {_WANTED}", code="cue_missing", field="cues", limit=_WANTED, value="None"
        )
    if isinstance(cues, Cue):
        raise InvalidInput(
            f"cues is {shown(cues)}; pass a list of cues, such as [cue], or use recall(cue)",
            code="not_a_list",
            field="cues",
            limit="a list",
            value=type(cues).__name__,
        )
    kind = getattr(getattr(cues, "dtype", None), "kind", "")
    if hasattr(cues, "__array__") and kind not in _OF_OBJECTS:
        return _of_matrix(as_float32(cast("ArrayLike", cues), "cues"))
    listed: list[Any] = as_list("cues", cast("Iterable[Any]", cues), _EXAMPLE)
    if not hasattr(cues, "__len__") and len(listed) > CUES_MAX:
        raise too_many_cues(len(listed), " from an iterable without a length; pass a list")
    if any(isinstance(cue, str | Cue) for cue in listed):
        return CueList(listed=[_as_one(cue, row) for row, cue in enumerate(listed)])
    return _of_rows(listed)


def too_many_cues(count: int, which: str = "") -> InvalidInput:
    """Return the error that there are more cues than one call takes; `which` ends its message."""
    return InvalidInput(
        f"{count} cues at once are refused{which}", code="cues_count", field="cues", limit=f"0..{CUES_MAX}", value=count
    )


def of_cue(error: InvalidInput, row: int) -> InvalidInput:
    """Return an error about a cue as one that says which of many cues it is about."""
    place = f"cues[{row}]"
    return InvalidInput(f"{place}: {error.message}", code=error.code, field=place, limit=error.limit, value=error.value)


def counted_from(error: InvalidInput, first: int) -> InvalidInput:
    """Return an error about a part of some cues, whose first one is in row `first`, as one about all of them."""
    if not first or not _PLACE.search(error.field):
        return error

    def moved(found: re.Match[str]) -> str:
        return f"cues[{int(found[1]) + first}]"

    return InvalidInput(
        _PLACE.sub(moved, error.message),
        code=error.code,
        field=_PLACE.sub(moved, error.field),
        limit=error.limit,
        value=error.value,
    )


def _of_rows(rows: list[Any]) -> CueList:
    """Return vectors as a matrix. What cannot be one is looked at row by row, to name the culprit."""
    if not rows:
        return CueList()
    try:
        matrix = as_float32(rows, "cues")
    except InvalidInput:
        pass
    else:
        if matrix.ndim == 1 or (matrix.ndim == 2 and matrix.shape[1]):
            return _of_matrix(matrix)
    cues = [_as_one(row, number) for number, row in enumerate(rows)]
    vectors = [np.asarray(cue.vector, dtype=np.float32) for cue in cues]
    for number, vector in enumerate(vectors):
        if len(vector) != len(vectors[0]):
            raise InvalidInput(
                f"cues[{number}] has {len(vector)} numbers where cues[0] has {len(vectors[0])}",
                code="dimension_mismatch",
                field=f"cues[{number}]",
                limit=len(vectors[0]),
                value=len(vector),
            )
    return CueList(np.stack(vectors))


def _of_matrix(matrix: NDArray[np.float32]) -> CueList:
    if matrix.ndim == 1 and not matrix.size:
        return CueList()
    if matrix.ndim != 2 or (len(matrix) and not matrix.shape[1]):
        raise InvalidInput(
            f"cues has shape {matrix.shape}; pass {_WANTED}, or use recall for one vector",
            code="dimension_mismatch",
            field="cues",
            limit="(n, dim)",
            value=matrix.shape,
        )
    return CueList(matrix)


def _as_one(cue: Any, row: int) -> Cue:
    try:
        return as_cue(cue)
    except InvalidInput as error:
        raise of_cue(error, row) from error
