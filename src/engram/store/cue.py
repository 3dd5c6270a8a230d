"""What to recall by: a vector or a text, and conditions that every result meets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, get_args

from numpy.typing import ArrayLike

from engram.errors import InvalidInput
from engram.limits import FILTER_TERMS_MAX, FILTER_TEXT_BYTES_MAX

Scalar = str | float | bool | None
Moment = float | datetime
By = Literal["similarity", "words", "both"]
BYS: Final[tuple[str, ...]] = get_args(By)
# Times are microseconds in 64 bits; this leaves room for arithmetic on them.
_SECONDS_MAX: Final = 2**43


@dataclass(frozen=True, slots=True)
class Between:
    """Numbers from `low` to `high`, both included; None leaves that side open."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions on observations, all of which must hold.

    Parameters
    ----------
    since, until
        When it was observed, seconds since 1970 or a datetime: from `since` on, and before `until`.
    tags, without_tags
        It has all of the first and none of the second.
    metadata
        For each key of the metadata object either the value it has there (a text, a number, a truth value or None), or
        the range its number is `Between`.
    confidence_min
        At least this confidence, as it was observed.

    Raises
    ------
    InvalidInput
        If there are more than `FILTER_TERMS_MAX` conditions, or one of them can never be met because of its form.
    """

    since: Moment | None = None
    until: Moment | None = None
    tags: Set[str] = frozenset()
    without_tags: Set[str] = frozenset()
    metadata: Mapping[str, Scalar | Between] = field(default_factory=dict)
    confidence_min: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tags", "without_tags"):
            tags = getattr(self, name)
            if isinstance(tags, str):
                raise _refused("tags are given as a set of texts, not as one text", name, "a set", "str")
            object.__setattr__(self, name, frozenset(tags))
        count = len(self.tags) + len(self.without_tags) + len(self.metadata)
        if count > FILTER_TERMS_MAX:
            raise _refused(f"{count} conditions are too many", "filter", FILTER_TERMS_MAX, count)
        for tag in (*self.tags, *self.without_tags):
            _check_text("tag", tag)
        for key, wanted in self.metadata.items():
            _check_text("key", key)
            if isinstance(wanted, str):
                _check_text(f"metadata[{key}]", wanted)
            elif not isinstance(wanted, Between | float | int | None):
                raise _refused(
                    f"metadata {key!r} cannot be compared with a {type(wanted).__name__}",
                    f"metadata[{key}]",
                    "a text, a number, a truth value, None or Between",
                    type(wanted).__name__,
                )
        if not 0 <= self.confidence_min <= 1:
            raise _refused("confidences lie within 0..1", "confidence_min", "0..1", self.confidence_min)
        _ = self.since_us, self.until_us

    @property
    def since_us(self) -> int | None:
        """`since` in microseconds since 1970 UTC."""
        return None if self.since is None else moment_us(self.since, "since")

    @property
    def until_us(self) -> int | None:
        """`until` in microseconds since 1970 UTC."""
        return None if self.until is None else moment_us(self.until, "until")

    @property
    def is_open(self) -> bool:
        """Whether it lets everything pass."""
        conditions = self.since, self.until
        return conditions == (None, None) and not (
            self.tags or self.without_tags or self.metadata or self.confidence_min
        )


NO_FILTER: Final = Filter()


@dataclass(frozen=True, slots=True, eq=False)
class Cue:
    """What to recall by. With neither vector nor text: everything that passes the filter, newest first.

    Parameters
    ----------
    vector
        float32-like, shape ``(dim,)``.
    text
        For the space's embedder, unless a vector is given, and for the search by words.
    by
        ``"similarity"`` of vectors; ``"words"`` of the text; or ``"both"``, the two rankings fused.
    filter
        Conditions that every result meets.
    score_min
        Only results at least this similar; None for all. For cues by similarity only.

    Raises
    ------
    InvalidInput
        If the parts do not go together.
    """

    vector: ArrayLike | None = None
    text: str = ""
    by: By = "similarity"
    filter: Filter = NO_FILTER
    score_min: float | None = None

    def __post_init__(self) -> None:
        if self.by not in BYS:
            raise _refused(f"cues are by {', '.join(BYS)}, not by {self.by!r}", "by", ", ".join(BYS), self.by)
        if self.by != "similarity" and not self.text:
            raise _refused(f"a cue by {self.by} needs a text", "text", "a text", "none")
        if self.score_min is not None:
            if math.isnan(self.score_min):
                raise _refused("a score is a number", "score_min", "a number", self.score_min)
            if self.by != "similarity" or not self.ranks:
                raise _refused("a least score is one of similarity", "score_min", "a cue by similarity", self.by)

    @property
    def ranks(self) -> bool:
        """Whether there is anything to rank by."""
        return self.vector is not None or bool(self.text)


CueLike = ArrayLike | str | Cue
"""A vector, a text, or a `Cue`."""


def as_cue(cue: CueLike) -> Cue:
    """A bare vector or text as a `Cue`."""
    if isinstance(cue, Cue):
        return cue
    if isinstance(cue, str):
        if not cue:
            raise _refused("an empty text is no cue", "text", "a text", "")
        return Cue(text=cue)
    return Cue(vector=cue)


def moment_us(moment: Moment, name: str) -> int:
    """`moment` in microseconds since 1970 UTC.

    Raises
    ------
    InvalidInput
        If it is not finite or out of range, naming `name`.
    """
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    if not (isinstance(seconds, float | int) and abs(seconds) <= _SECONDS_MAX):
        raise InvalidInput(
            f"{name} must be finite seconds since 1970, or a datetime",
            code="invalid_time",
            field=name,
            limit="|seconds| <= 2**43",
            value=moment,
        )
    return round(seconds * 1_000_000)


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise _refused(f"{name} is not a text", name, "str", type(text).__name__)
    size = len(text.encode("utf-8", "replace"))
    if size > FILTER_TEXT_BYTES_MAX:
        raise _refused(f"a {name} of {size} bytes is not searched for", name, FILTER_TEXT_BYTES_MAX, size)


def _refused(message: str, field: str, limit: object, value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_cue", field=field, limit=limit, value=value)
