"""The columns of an observation: one table that says of each what it is called, what it holds and what is accepted.

Whatever treats all columns alike reads `COLUMNS`: making and checking a batch, the messages of the wire, the records of
the log, the files of ``engram ingest``. Only ids and vectors are not in it. CONTRIBUTING.md says how to add a column.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX, CONTENT_BYTES_MAX, ID_BYTES_MAX, METADATA_BYTES_MAX
from engram.model.times import Moment, Moments, as_time_us, as_times_us, check_times_us, now_us
from engram.model.values.column_spec import ColumnSpec
from engram.model.values.expiry import NOT_SAID_US, Ttl, check_expiries, moment_column
from engram.model.values.metadata import encode_metadata
from engram.model.values.scalars import as_real, as_text
from engram.model.values.sequences import as_column, as_list, as_lists, check_shares, check_tags, check_texts

__all__ = [
    "COLUMNS",
    "EMBED",
    "IDS",
    "MANY_KEYWORDS",
    "ONE_KEYWORDS",
    "ColumnSpec",
    "ExpirySpec",
    "MetadataSpec",
    "ObservationColumns",
    "ObservationFields",
    "ShareSpec",
    "TagsSpec",
    "TextSpec",
    "TimeSpec",
    "check_keywords",
]


class ObservationColumns(TypedDict, total=False):
    """The keywords of a call that takes many observations: one entry per observation in each; None: not given.

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
    expires_at
        When each expires: a `Moment` each, or one for all; a time that has passed is one at once. None: not said.
    ttl
        In place of `expires_at`: after how many seconds, or which `timedelta`, each expires; one each, or one for all.
        It counts from the moment in which the engine takes the observation; infinity: never.
    embed
        Whether the space's embedder makes the vectors of those that have none; default True.
    """

    timestamps: Moments | None
    confidences: ArrayLike | None
    importances: ArrayLike | None
    metadata: Sequence[Mapping[str, object] | str | None] | None
    tags: Sequence[Sequence[str]] | None
    expires_at: Moments | Moment | None
    ttl: ArrayLike | Iterable[Ttl | None] | Ttl | None
    embed: bool | None


class ObservationFields(TypedDict, total=False):
    """The keywords of a call that takes one observation; they are those of `ObservationColumns` in the singular."""

    timestamp: Moment | None
    confidence: float | None
    importance: float | None
    metadata: Mapping[str, object] | str | None
    tags: Sequence[str] | None
    expires_at: Moment | None
    ttl: Ttl | None
    embed: bool | None


@dataclass(frozen=True, slots=True)
class TextSpec(ColumnSpec):
    """A column of texts, of `bytes_min` to `bytes_max` bytes each."""

    bytes_min: int = 0
    bytes_max: int = CONTENT_BYTES_MAX

    def blank(self) -> str:
        """Return the empty text."""
        return ""

    def converter(self, field: str = "") -> Callable[[Any], str]:
        """Return a function that takes texts only."""
        return partial(as_text, field or self.singular)

    def column(self, values: Any, count: int) -> list[str]:
        """Return `values` as a list, whose elements are not checked yet."""
        return as_list(self.plural, values, '["a text"]', count_max=count)

    def check_values(self, column: Any) -> None:
        """Check that all are texts within the limits."""
        check_texts(self.singular, column, self.bytes_min, self.bytes_max)


class TimeSpec(ColumnSpec):
    """A column of times: int64, microseconds since 1970 UTC."""

    dtype = np.int64

    def blank(self) -> int:
        """Return the present time."""
        return now_us()

    def converter(self, field: str = "") -> Callable[[Any], int]:
        """Return a function that turns a moment into microseconds, and None into the present time."""
        name = field or self.singular
        return lambda moment: now_us() if moment is None else as_time_us(moment, name)

    def column(self, values: Any, count: int) -> NDArray[np.int64]:
        """Return moments as microseconds."""
        return as_times_us(values, count, self.plural)

    def check_values(self, column: Any) -> None:
        """Check that all are within the years 1 to 9999."""
        check_times_us(column, self.name)


@dataclass(frozen=True, slots=True)
class ShareSpec(ColumnSpec):
    """A column of numbers in [0, 1]: float32; `default` stands for what was not passed."""

    default: float = 0.0

    dtype = np.float32

    def blank(self) -> float:
        """Return the default."""
        return self.default

    def blanks(self, count: int) -> NDArray[np.float32]:
        """Return the default for each of `count` observations; requests of one size share it."""
        if count > BATCH_COUNT_MAX:
            return np.full(count, self.default, np.float32)
        return _shared_shares(count, self.default)

    def converter(self, field: str = "") -> Callable[[Any], float]:
        """Return a function that takes numbers only; it does not check their range."""
        return partial(as_real, field or self.singular, wanted="a number within 0..1", code=f"{self.singular}_range")

    def column(self, values: Any, count: int) -> NDArray[np.float32]:
        """Return numbers as float32; their range is not checked yet."""
        with np.errstate(over="ignore"):
            # A copy, which the caller cannot change.
            return np.array(as_column(self.plural, values, count, "fiu", "numbers"), dtype=np.float32)

    def check_values(self, column: Any) -> None:
        """Check that all are in [0, 1]."""
        if len(column) > BATCH_COUNT_MAX or column is not _shared_shares(len(column), self.default):
            check_shares(self.singular, column)


@lru_cache(maxsize=32)
def _shared_shares(count: int, share: float) -> NDArray[np.float32]:
    shares = np.full(count, share, np.float32)
    # Many batches have it.
    shares.flags.writeable = False
    return shares


class MetadataSpec(ColumnSpec):
    """A column of JSON objects as texts, ``""`` for none; None if no observation has any.

    `engram.model.batches.checks.check_batch` checks that the texts are JSON, because it keeps what it parses.
    """

    optional = True

    def blank(self) -> str:
        """Return the empty text."""
        return ""

    def converter(self, field: str = "") -> Callable[[Any], str]:
        """Return a function that turns a mapping into a text, and returns a text as it is."""
        return partial(encode_metadata, field=field or self.singular)

    def column(self, values: Any, count: int) -> list[str]:
        """Return mappings as texts; texts are returned as they are."""
        rows = as_list(self.plural, values, '[{"key": 1}]', count_max=count)
        return [encode_metadata(row, f"{self.plural}[{i}]") for i, row in enumerate(rows)]

    def check_values(self, column: Any) -> None:
        """Check the sizes of the texts."""
        check_texts(self.singular, column, 0, METADATA_BYTES_MAX)


class TagsSpec(ColumnSpec):
    """A column of lists of short texts; None if no observation has any."""

    optional = True

    def blank(self) -> tuple[str, ...]:
        """Return no tags."""
        return ()

    def converter(self, field: str = "") -> Callable[[Any], tuple[str, ...]]:
        """Return a function that takes lists of texts; it does not check their number and sizes."""
        name = field or self.singular
        return lambda tags: tuple([as_text(name, tag) for tag in as_list(name, tags, '["urgent"]', ordered=False)])

    def column(self, values: Any, count: int) -> list[list[str]]:
        """Return `values` as a list of lists, whose elements are not checked yet."""
        return as_lists(self.plural, values, '["urgent"]', count)

    def check_values(self, column: Any) -> None:
        """Check the number of tags of each observation, and their sizes."""
        check_tags(self.name, column)

    def character_count(self, column: Any) -> int:
        """Return the number of characters of all tags."""
        return len("".join(chain.from_iterable(column or ())))


class ExpirySpec(ColumnSpec):
    """A column of times at which observations expire: int64, microseconds since 1970 UTC.

    `engram.model.values.expiry` has the numbers that stand for never, for a time to live, and for what is not said. A
    batch has None in place of the column if nothing is said of any observation; once the engine has taken the batch,
    also if none expires.
    """

    dtype = np.int64
    optional = True

    def blank(self) -> int:
        """Return the number that stands for an observation of which nothing is said."""
        return NOT_SAID_US

    def converter(self, field: str = "") -> Callable[[Any], int]:
        """Return a function that turns a moment into microseconds, and None into what stands for nothing said."""
        name = field or self.singular
        return lambda moment: NOT_SAID_US if moment is None else as_time_us(moment, name)

    def column(self, values: Any, count: int) -> NDArray[np.int64]:
        """Return moments as microseconds; one counts for all rows."""
        return moment_column(values, count, self.plural)

    def gather(self, values: Sequence[Any]) -> NDArray[np.int64] | None:
        """Return the elements of all observations as a column; None if nothing is said of any."""
        # Counting is cheaper than making an array, which most batches do not need.
        return None if values.count(NOT_SAID_US) == len(values) else np.array(values, dtype=np.int64)

    def check_values(self, column: Any) -> None:
        """Check that all are within the years 1 to 9999, or stand for something else."""
        check_expiries(column, self.name)


IDS: Final = TextSpec("ids", "ids", "id", bytes_min=1, bytes_max=ID_BYTES_MAX)
"""The ids of the observations, of which new ones are made up where a call gives none."""

COLUMNS: Final[tuple[ColumnSpec, ...]] = (
    TextSpec("contents", "contents", "content", field="text"),
    TimeSpec("times_us", "timestamps", "timestamp", attribute="time_us", field="time", array="times"),
    ShareSpec("confidences", "confidences", "confidence", default=1.0),
    ShareSpec("importances", "importances", "importance", default=0.5),
    MetadataSpec("metadata", "metadata", "metadata"),
    TagsSpec("tags", "tags", "tags"),
    ExpirySpec("expires_us", "expires_at", "expires_at", attribute="expires_us"),
)
"""All columns beside ids and vectors, in the order in which calls and batches have them."""

# Whether an embedder makes the vectors that are missing.
EMBED: Final = "embed"
# The time to live, "ttl", is another way to say when an observation expires.
MANY_KEYWORDS: Final = ("ids", "vectors", *(spec.plural for spec in COLUMNS), "ttl", EMBED)
"""The arguments of a call that takes many observations."""

ONE_KEYWORDS: Final = ("id", "vector", *(spec.singular for spec in COLUMNS), "ttl", EMBED)
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
    for unknown in given:
        if unknown not in known:
            (nearest,) = difflib.get_close_matches(unknown, known, 1, cutoff=0.0)
            raise InvalidInput(
                f"there is no argument {unknown!r}; the nearest is {nearest!r}, and all are {', '.join(known)}",
                code="unknown_argument",
                field=unknown,
                limit=", ".join(known),
                value=unknown,
            )
