"""Ranges of generations, for reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class GenerationRange(NamedTuple):
    """The generations from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first:,}" if self.first == self.last else f"{self.first:,} to {self.last:,}"


def merged(ranges: Iterable[GenerationRange]) -> list[GenerationRange]:
    """Return the same generations in as few ranges as possible, ascending."""
    result: list[GenerationRange] = []
    for one in sorted(ranges):
        if result and one.first <= result[-1].last + 1:
            result[-1] = GenerationRange(result[-1].first, max(result[-1].last, one.last))
        else:
            result.append(one)
    return result
