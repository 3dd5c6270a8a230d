"""What is known of one column of observations; the base of all kinds of columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from engram.model.values.sequences import check_array, check_list, wrong_length


@dataclass(frozen=True, slots=True)
class ColumnSpec(ABC):
    """What is known of one column.

    Parameters
    ----------
    name
        Name of the column in an `ObservationBatch`.
    plural, singular
        The keywords that it is passed by, for many observations and for one.
    attribute
        Name of the attribute of a `Hit` that holds it; default `singular`.
    field
        Name of the field in JSON Lines and Parquet files, and in the output of the command line; default `singular`.
    array
        Name of the array in NumPy archives; default `plural`.
    """

    name: str
    plural: str
    singular: str
    attribute: str = ""
    field: str = ""
    array: str = ""

    dtype: ClassVar[type[np.generic] | None] = None
    """Type of the elements if the column is an array of shape ``(n,)``; None if it is a list."""

    optional: ClassVar[bool] = False
    """Whether a batch has None in place of the column if no observation has anything in it."""

    def __post_init__(self) -> None:
        for name, default in (("attribute", self.singular), ("field", self.singular), ("array", self.plural)):
            if not getattr(self, name):
                object.__setattr__(self, name, default)

    @abstractmethod
    def blank(self) -> Any:
        """Return the value of one observation for which nothing was passed, as a converter returns it."""

    def blanks(self, count: int) -> Any:
        """Return the column of `count` observations for which nothing was passed."""
        if self.optional:
            return None
        blank = self.blank()
        return [blank] * count if self.dtype is None else np.full(count, blank, self.dtype)

    @abstractmethod
    def converter(self, field: str = "") -> Callable[[Any], Any]:
        """Return the function that turns what a caller passed for one observation into an element of the column.

        It raises `InvalidInput` if the value cannot be converted; the error names `field`, or else the keyword.
        """

    @abstractmethod
    def column(self, values: Any, count: int) -> Any:
        """Return what a caller passed for `count` observations as a column that shares no memory with it.

        Raises
        ------
        InvalidInput
            If the values cannot be converted; the error names the keyword and the row.
        """

    def gather(self, values: Sequence[Any]) -> Any:
        """Return the elements of all observations, as a converter returns them, as a column."""
        if self.dtype is not None:
            return np.fromiter(values, self.dtype, len(values))
        return values if not self.optional or any(values) else None

    def check_shape(self, column: Any, count: int) -> None:
        """Check that a column has the type and the length that `count` observations need.

        Raises
        ------
        InvalidInput
            Naming the column.
        """
        if column is None and self.optional:
            return
        if self.dtype is None:
            check_list(self.name, column)
        else:
            check_array(self.name, column, self.dtype, 1)
        if len(column) != count:
            raise wrong_length(self.name, len(column), count)

    @abstractmethod
    def check_values(self, column: Any) -> None:
        """Check the elements of a column that has the right type.

        Raises
        ------
        InvalidInput
            Naming the column, the row, the limit and the value.
        """

    def character_count(self, column: Any) -> int:
        """Return the number of characters in a column of texts."""
        return len("".join(column or ()))
