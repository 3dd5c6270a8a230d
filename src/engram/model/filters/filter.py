"""`Filter`: the usual conditions on observations, all of which are met."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import date
from typing import Final, cast

import numpy as np

from engram.errors import InvalidInput
from engram.model.limits import FILTER_BYTES_MAX, FILTER_TERMS_MAX
from engram.model.times import Moment, as_time_us
from engram.model.values.metadata import WHOLE_MAX, WHOLE_MIN
from engram.model.values.plain_values import comparable_value, plain_value
from engram.model.values.scalars import as_real, as_text, shown
from engram.model.values.sequences import as_list
from engram.showing import one_line

# Some may be given twice, but very many are refused before each is looked at.
_TAGS_GIVEN_MAX: Final = 16 * FILTER_TERMS_MAX

Scalar = str | float | bool | None


@dataclass(frozen=True, slots=True)
class Between:
    """A range of numbers from `low` to `high`.

    Parameters
    ----------
    low, high
        Bounds of the range, both inclusive; None for no bound. Minus infinity as `low` and infinity as `high` are none
        either, and become None.

    Raises
    ------
    InvalidInput
        If a bound is not a number, `low` is greater than `high`, or nothing lies beyond a bound that is infinite.
    """

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                number = as_real(f"{name} of Between", getattr(self, name), "a number or None", code="invalid_cue")
                object.__setattr__(self, name, number)
        # JSON has no infinity, and in JSON null is no bound: so that a range means the same everywhere, none has one.
        if self.low == -math.inf:
            object.__setattr__(self, "low", None)
        if self.high == math.inf:
            object.__setattr__(self, "high", None)
        if math.inf in (self.low, self.high) or -math.inf in (self.low, self.high):
            raise _refused(
                f"no number lies between {self.low} and {self.high}; pass finite numbers, or None for no bound",
                "Between",
                "finite bounds or None",
                f"{self.low}, {self.high}",
            )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise _refused(
                f"nothing lies between {self.low} and {self.high}; pass the lower one first",
                "Between",
                "low <= high",
                f"{self.low}, {self.high}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions that an observation must all meet.

    Parameters
    ----------
    since, until
        Bounds of the observation time: at or after `since`, and before `until`. Each is a `Moment`, such as seconds
        since 1970 or a datetime.
    tags, without_tags
        Tags that the observation must all have, and tags of which it must have none.
    metadata
        Required values of top-level keys of the metadata: a text, a number, a truth value or None must be equal; a
        `Between` must contain the number.
    confidence_min
        Minimum confidence, in [0, 1]. It is compared with the confidence as observed.

    Raises
    ------
    InvalidInput
        If a value has the wrong type or is out of range, if there are more than `FILTER_TERMS_MAX` tags and metadata
        keys, or if no observation can ever meet a condition, such as an empty tag.
    """

    since: Moment | None = None
    until: Moment | None = None
    tags: Set[str] = frozenset()
    without_tags: Set[str] = frozenset()
    metadata: Mapping[str, Scalar | Between] = field(default_factory=dict)
    confidence_min: float = 0.0

    def __repr__(self) -> str:
        return one_line(self)

    def __post_init__(self) -> None:
        for name in ("tags", "without_tags"):
            tags = as_list(name, getattr(self, name), '{"urgent"}', ordered=False)
            if len(tags) > _TAGS_GIVEN_MAX:
                raise _refused(f"{len(tags)} conditions are too many", "filter", FILTER_TERMS_MAX, len(tags))
            for tag in tags:
                _check_text("tag", tag)
                if not tag:
                    raise _refused("no observation has an empty tag", "tag", "a text", "")
            object.__setattr__(self, name, frozenset(tags))
        if not isinstance(self.metadata, Mapping):
            raise _refused(
                f"metadata is {shown(self.metadata)}; pass a mapping of keys to values",
                "metadata",
                "a mapping",
                type(self.metadata).__name__,
            )
        count = len(self.tags) + len(self.without_tags) + len(self.metadata)
        if count > FILTER_TERMS_MAX:
            raise _refused(f"{count} conditions are too many", "filter", FILTER_TERMS_MAX, count)
        for key in self.metadata:
            _check_text("key", key)
        wanted = {key: _as_scalar(f"metadata[{key}]", value) for key, value in self.metadata.items()}
        object.__setattr__(self, "metadata", wanted)
        confidence = as_real("confidence_min", self.confidence_min, "a number within 0..1", code="invalid_cue")
        if not 0 <= confidence <= 1:
            raise _refused("confidences lie within 0..1", "confidence_min", "0..1", self.confidence_min)
        _ = self.since_us, self.until_us

    @property
    def since_us(self) -> int | None:
        """Inclusive lower bound of the observation time, in microseconds since 1970 UTC; None for no bound."""
        return None if self.since is None else as_time_us(self.since, "since")

    @property
    def until_us(self) -> int | None:
        """Exclusive upper bound of the observation time, in microseconds since 1970 UTC; None for no bound."""
        return None if self.until is None else as_time_us(self.until, "until")

    @property
    def is_open(self) -> bool:
        """Whether the filter has no conditions."""
        conditions = self.since, self.until
        return conditions == (None, None) and not (
            self.tags or self.without_tags or self.metadata or self.confidence_min
        )


NO_FILTER: Final = Filter()


def _check_text(name: str, text: object) -> None:
    size = len(as_text(name, text, code="invalid_cue").encode())
    if size > FILTER_BYTES_MAX:
        raise _refused(f"a {name} of {size} bytes is not searched for", name, FILTER_BYTES_MAX, size)


def _as_scalar(field: str, wanted: object) -> Scalar | Between:
    """Return the value of a metadata condition as it is stored; refuse a value that no metadata can have."""
    given = wanted
    try:
        wanted = comparable_value(wanted)
        if isinstance(wanted, np.datetime64 | date):
            wanted = plain_value(wanted)
    except ValueError as error:
        raise _no_scalar(field, given) from error
    if isinstance(wanted, str):
        _check_text(field, wanted)
    elif not isinstance(wanted, Between | float | int | None):
        raise _no_scalar(field, wanted)
    elif isinstance(wanted, float) and not math.isfinite(wanted):
        raise _refused(f"{field} is never {wanted}; pass a finite number", field, "a finite number", wanted)
    elif isinstance(wanted, int) and not WHOLE_MIN <= wanted <= WHOLE_MAX:
        value = shown(wanted, with_type=False)
        raise _refused(f"{field} is never {value}; whole numbers fit 64 bits", field, "64 bits", value)
    return cast("Scalar | Between", wanted)


def _no_scalar(field: str, value: object) -> InvalidInput:
    wanted = "a text, a number, a truth value, None or Between"
    message = f"{field} cannot be compared with {shown(value)}; pass {wanted}"
    return _refused(message, field, wanted, type(value).__name__)


def _refused(message: str, field: str, limit: object, value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_cue", field=field, limit=limit, value=value)
