"""The column of when observations expire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.model.times import as_time_us
from engram.model.values.column_spec import ColumnSpec
from engram.model.values.expiry import NOT_SAID_US, check_expiries, moment_column


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
        column: NDArray[np.int64] = np.array(values, dtype=np.int64)
        return None if (column == NOT_SAID_US).all() else column

    def check_values(self, column: Any) -> None:
        """Check that all are within the years 1 to 9999, or stand for something else."""
        check_expiries(column, self.name)
