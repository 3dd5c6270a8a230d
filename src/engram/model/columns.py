"""The columns of an observation: one table that says of each what it is called, what it holds and what is accepted.

Whatever treats all columns alike reads `COLUMNS`: making and checking a batch, the messages of the wire, the records of
the log, the files of ``engram ingest``. Only ids and vectors are not in it. CONTRIBUTING.md says how to add a column.
"""

from __future__ import annotations

import difflib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.metadata import encode_metadata
from engram.model.scalars import as_real, as_text
from engram.model.sequences import as_column, as_list, as_lists
from engram.model.times import Moment, Moments, as_time_us, as_times_us


class ObservationColumns(TypedDict, total=False):
    """The keywords of a call that takes many observations: one entry per observation in each.

    Parameters
    ----------
    timestamps
        A `Moment` each: seconds since 1970, datetimes (UTC without a time zone), NumPy's ``datetime64`` or ISO 8601
        texts, within the years 1 to 9999. Default: now.
    confidences, importances
        A number in [0, 1] each; default 1 and 0.5.
    metadata
        A mapping, a JSON object as text, or None each.
    tags
        Up to 64 short texts each.
    """

    timestamps: Moments | None
    confidences: ArrayLike | None
    importances: ArrayLike | None
    metadata: Sequence[Mapping[str, object] | str | None] | None
    tags: Sequence[Sequence[str]] | None


class ObservationFields(TypedDict, total=False):
    """The keywords of a call that takes one observation; they are those of `ObservationColumns` in the singular."""

    timestamp: Moment | None
    confidence: float
    importance: float
    metadata: Mapping[str, object] | str | None
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class ColumnSpec(ABC):
    """What is known of one column.

    Parameters
    ----------
    name
        Name of the column in an `ObservationBatch`.
    plural, singular
        The keywords that it is passed by, for many observations and for one.
    """

    name: str
    plural: str
    singular: str

    dtype: ClassVar[type[np.generic] | None] = None
    """Type of the elements if the column is an array of shape ``(n,)``; None if it is a list."""

    @abstractmethod
    def blanks(self, count: int) -> Any:
        """Return the column of `count` observations for which nothing was passed."""

    @abstractmethod
    def blank(self) -> Any:
        """Return the value of one observation for which nothing was passed, as `value` returns it."""

    @abstractmethod
    def column(self, values: Any, count: int) -> Any:
        """Return what a caller passed for `count` observations as a column.

        Raises
        ------
        InvalidInput
            If the values cannot be converted; the error names the keyword and the row.
        """

    @abstractmethod
    def value(self, value: Any) -> Any:
        """Return what a caller passed for one observation as an element of the column.

        Raises
        ------
        InvalidInput
            If the value cannot be converted; the error names the keyword.
        """


class TextSpec(ColumnSpec):
    """A column of texts."""

    def blanks(self, count: int) -> list[str]:
        """Return empty texts."""
        return [""] * count

    def blank(self) -> str:
        """Return the empty text."""
        return ""

    def column(self, values: Any, count: int) -> list[str]:
        """Return `values` as a list, whose elements are not checked yet."""
        return as_list(self.plural, values, '["a text"]')

    def value(self, value: Any) -> str:
        """Return `value` if it is a text."""
        return as_text(self.singular, value)


class TimeSpec(ColumnSpec):
    """A column of times: int64, microseconds since 1970 UTC."""

    dtype = np.int64

    def blanks(self, count: int) -> NDArray[np.int64]:
        """Return the present time for all."""
        return np.full(count, now_us(), np.int64)

    def blank(self) -> int:
        """Return the present time."""
        return now_us()

    def column(self, values: Any, count: int) -> NDArray[np.int64]:
        """Return moments as microseconds."""
        return as_times_us(values, count, self.plural)

    def value(self, value: Any) -> int:
        """Return a moment as microseconds."""
        return now_us() if value is None else as_time_us(value, self.singular)


@dataclass(frozen=True, slots=True)
class ShareSpec(ColumnSpec):
    """A column of numbers in [0, 1]: float32; `default` stands for what was not passed."""

    default: float = 0.0

    dtype = np.float32

    def blanks(self, count: int) -> NDArray[np.float32]:
        """Return the default for all."""
        return np.full(count, self.default, np.float32)

    def blank(self) -> float:
        """Return the default."""
        return self.default

    def column(self, values: Any, count: int) -> NDArray[np.float32]:
        """Return numbers as float32; their range is not checked yet."""
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(as_column(self.plural, values, count, "fiu", "numbers"), dtype=np.float32)

    def value(self, value: Any) -> float:
        """Return a number; its range is not checked yet."""
        return as_real(self.singular, value, "a number within 0..1", code=f"{self.singular}_range")


class MetadataSpec(ColumnSpec):
    """A column of JSON objects as texts, ``""`` for none; None if no observation has any."""

    def blanks(self, count: int) -> None:
        """Return None: no observation has any."""

    def blank(self) -> str:
        """Return the empty text."""
        return ""

    def column(self, values: Any, count: int) -> list[str]:
        """Return mappings as texts; what is a text is not checked yet."""
        rows = as_list(self.plural, values, '[{"key": 1}]')
        return [encode_metadata(row, f"{self.plural}[{i}]") for i, row in enumerate(rows)]

    def value(self, value: Any) -> str:
        """Return a mapping as a text."""
        return encode_metadata(value, self.singular)


class TagsSpec(ColumnSpec):
    """A column of lists of short texts; None if no observation has any."""

    def blanks(self, count: int) -> None:
        """Return None: no observation has any."""

    def blank(self) -> tuple[str, ...]:
        """Return no tags."""
        return ()

    def column(self, values: Any, count: int) -> list[list[str]]:
        """Return `values` as a list of lists, whose elements are not checked yet."""
        return as_lists(self.plural, values, '["urgent"]')

    def value(self, value: Any) -> tuple[str, ...]:
        """Return the tags of one observation; their number and lengths are not checked yet."""
        labels = tuple(as_list(self.singular, value, '["urgent"]', ordered=False))
        for label in labels:
            as_text(self.singular, label)
        return labels


COLUMNS: Final[tuple[ColumnSpec, ...]] = (
    TextSpec("contents", "contents", "content"),
    TimeSpec("times_us", "timestamps", "timestamp"),
    ShareSpec("confidences", "confidences", "confidence", default=1.0),
    ShareSpec("importances", "importances", "importance", default=0.5),
    MetadataSpec("metadata", "metadata", "metadata"),
    TagsSpec("tags", "tags", "tags"),
)
"""All columns beside ids and vectors, in the order in which calls and batches have them."""

MANY_KEYWORDS: Final = ("ids", "vectors", *(spec.plural for spec in COLUMNS))
"""The arguments of a call that takes many observations."""

ONE_KEYWORDS: Final = ("id", "vector", *(spec.singular for spec in COLUMNS))
"""The arguments of a call that takes one observation."""


def check_keywords(given: Iterable[str], known: Sequence[str]) -> None:
    """Check the names of the keywords of a call, such as those that ``**columns`` takes.

    Parameters
    ----------
    given
        The names that were passed.
    known
        All arguments of the call: `MANY_KEYWORDS` or `ONE_KEYWORDS`.

    Raises
    ------
    InvalidInput
        With code ``unknown_argument``, naming the first one that is not known and the known one nearest to it.
    """
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        (nearest,) = difflib.get_close_matches(unknown, known, 1, cutoff=0.0)
        raise InvalidInput(
            f"there is no argument {unknown!r}; the nearest is {nearest!r}, and all are {', '.join(known)}",
            code="unknown_argument",
            field=unknown,
            limit=", ".join(known),
            value=unknown,
        )


def now_us() -> int:
    """Return the time of the wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000
