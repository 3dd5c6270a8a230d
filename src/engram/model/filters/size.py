"""The size of a filter, and its limits, which are checked as the filter is put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engram.errors import InvalidInput
from engram.model.limits import FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_VALUES_MAX


@dataclass(frozen=True, slots=True)
class FilterSize:
    """How large a filter is.

    Parameters
    ----------
    nodes
        Conditions, groups and negations.
    depth
        Levels; a condition by itself has one.
    values
        Values that are compared with.
    nbytes
        Bytes of all keys and texts.
    """

    nodes: int
    depth: int
    values: int
    nbytes: int

    def check(self) -> FilterSize:
        """Return this size if it keeps the limits.

        Raises
        ------
        InvalidInput
            With code ``filter_size``, naming the limit.
        """
        for what, size, limit in (
            ("conditions, groups and negations", self.nodes, FILTER_NODES_MAX),
            ("levels", self.depth, FILTER_DEPTH_MAX),
            ("values", self.values, FILTER_VALUES_MAX),
            ("bytes of keys and texts", self.nbytes, FILTER_BYTES_MAX),
        ):
            if size > limit:
                raise too_large(what, limit, size)
        return self


class Budget:
    """What a filter that is being read may still have, so that one that is too large is not read to its end."""

    def __init__(self) -> None:
        self._nodes = 0
        self._values = 0

    def take(self, nodes: int = 0, values: int = 0) -> None:
        """Count what is about to be read.

        Raises
        ------
        InvalidInput
            With code ``filter_size``, naming the limit, if it is too much.
        """
        self._nodes += nodes
        self._values += values
        FilterSize(self._nodes, 0, self._values, 0).check()


def above(parts: Iterable[FilterSize]) -> FilterSize:
    """Return the size of a group or negation of `parts`, which keeps the limits.

    Raises
    ------
    InvalidInput
        With code ``filter_size``, naming the limit.
    """
    nodes, depth, values, nbytes = 1, 0, 0, 0
    for part in parts:
        nodes += part.nodes
        depth = max(depth, part.depth)
        values += part.values
        nbytes += part.nbytes
    return FilterSize(nodes, depth + 1, values, nbytes).check()


def too_large(what: str, limit: int, size: int) -> InvalidInput:
    """Return the error that a filter has more of something than is allowed."""
    return InvalidInput(
        f"the filter has {size} {what}; at most {limit} are allowed",
        code="filter_size",
        field="filter",
        limit=f"{limit} {what}",
        value=size,
    )
