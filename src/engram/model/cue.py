"""Cues: what a recall searches for, and the conditions that every result meets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike

from engram.errors import InvalidInput
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import NO_FILTER, Between, Filter, Scalar
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.values.scalars import as_real, as_text
from engram.model.values.vectors import as_query
from engram.showing import in_short

__all__ = ["BYS", "NO_FILTER", "Between", "By", "Cue", "CueLike", "Filter", "Scalar", "as_cue"]

By = Literal["similarity", "words", "both"]
BYS: Final[tuple[str, ...]] = get_args(By)
_FILTER_CHARACTERS_MAX: Final = 50


@dataclass(frozen=True, slots=True, eq=False)
class Cue:
    """The object of a recall: a vector or a text to search for, and conditions.

    A cue with neither a vector nor a text returns everything that passes the filter, newest first.

    Parameters
    ----------
    vector
        Query vector: float32-like, shape ``(dim,)``; None for no vector.
    text
        Query text. The space's embedder turns the text into a vector unless `vector` is given. The full-text search
        looks for the words of the text.
    by
        Ranking of the results: ``"similarity"`` of vectors, ``"words"`` (full-text search for the text), or ``"both"``
        (the two rankings combined by reciprocal rank fusion).
    filter
        Conditions that every result must meet: a `Filter`, a condition such as ``F.deck >= 2``, or a dict of either
        (docs/filters.md). It is kept as a `Filter` or a `Condition`.
    score_min
        Minimum score of a result; None for no minimum. Only a cue by similarity, with a vector or a text, may have one.

    Raises
    ------
    InvalidInput
        If a part has the wrong type, or the parts do not fit together.
    """

    vector: ArrayLike | None = None
    text: str = ""
    by: By = "similarity"
    filter: FilterLike | None = NO_FILTER
    score_min: float | None = None

    def __post_init__(self) -> None:
        if as_text("by", self.by, code="invalid_cue") not in BYS:
            raise _refused(f"cues are by {', '.join(BYS)}, not by {self.by!r}", "by", ", ".join(BYS), self.by)
        as_text("text", self.text, code="invalid_cue")
        object.__setattr__(self, "filter", as_filter(self.filter))
        if self.vector is not None:
            object.__setattr__(self, "vector", as_query(self.vector))
        if self.by != "similarity" and not self.text:
            raise _refused(f"a cue by {self.by} needs a text", "text", "a text", "none")
        if self.score_min is not None:
            score = as_real("score_min", self.score_min, "a score, which is a number, or None", code="invalid_cue")
            object.__setattr__(self, "score_min", score)
            if self.by != "similarity" or not self.ranks:
                raise _refused("a least score is one of similarity", "score_min", "a cue by similarity", self.by)

    def __repr__(self) -> str:
        given = {
            "vector": "" if self.vector is None else f"<{np.size(self.vector)} numbers>",
            "text": self.text and in_short(self.text),
            "by": "" if self.by == "similarity" else repr(self.by),
            "filter": "" if self.filter is NO_FILTER else in_short(self.filter, _FILTER_CHARACTERS_MAX),
            "score_min": "" if self.score_min is None else repr(self.score_min),
        }
        return f"Cue({', '.join(f'{name}={part}' for name, part in given.items() if part)})"

    @property
    def conditions(self) -> Filter | Condition:
        """The filter, of whatever it was made."""
        return cast("Filter | Condition", self.filter)

    @property
    def ranks(self) -> bool:
        """Whether the cue has a vector or a text to rank results by."""
        return self.vector is not None or bool(self.text)


CueLike = ArrayLike | str | Cue
"""A vector, a text, or a `Cue`."""


def as_cue(cue: CueLike) -> Cue:
    """Return a vector, a text or a `Cue` as a `Cue`.

    Raises
    ------
    InvalidInput
        If `cue` is None, an empty text, or something else. None is refused because a cue without vector and text would
        return everything.
    """
    if isinstance(cue, Cue):
        return cue
    if cue is None:
        raise InvalidInput(
            "the cue is None; pass a vector, a text or a Cue. Cue(filter=...) alone recalls the newest",
            code="cue_missing",
            field="cue",
            limit="a vector, a text or a Cue",
            value="None",
        )
    if isinstance(cue, str):
        if not cue:
            raise _refused("an empty text is no cue", "text", "a text", "")
        return Cue(text=cue)
    return Cue(vector=cue)


def _refused(message: str, field: str, limit: object, value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_cue", field=field, limit=limit, value=value)
