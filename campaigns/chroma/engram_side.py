"""A space of Engram, as a program written for Chroma would use it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import engram
from campaigns.chroma.chroma_side import Row
from campaigns.chroma.program import DIM, IDS
from engram import Cue, F
from engram.model.filters.conditions import Condition
from engram.model.hit import Hit

_GROUPS = {"$and": Condition.__and__, "$or": Condition.__or__}
_OPERATORS = {
    "$eq": lambda field, value: field == value,
    "$ne": lambda field, value: field != value,
    "$gt": lambda field, value: field > value,
    "$gte": lambda field, value: field >= value,
    "$lt": lambda field, value: field < value,
    "$lte": lambda field, value: field <= value,
    "$in": lambda field, value: field.is_in(value),
    "$nin": lambda field, value: field.not_in(value),
}


class EngramSide:
    """One space in memory."""

    def __init__(self) -> None:
        self._store = engram.connect()
        self._numbers = count()
        self.create()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def create(self) -> None:
        """Go on in a new space."""
        self._space = self._store.space(f"programs-{next(self._numbers)}", dim=DIM)

    def upsert(self, step: Any) -> None:
        """Store rows; known ones keep the keys of the metadata that are not named."""
        known = self._space.get(step["ids"])
        metadata = [
            {**(hit.metadata if hit is not None else {}), **named}
            for hit, named in zip(known, step["metadata"], strict=True)
        ]
        self._space.observe(step["ids"], step["vectors"], step["documents"], metadata=metadata)

    def add(self, step: Any) -> None:
        """Store rows that are not there."""
        new = [position for position, id in enumerate(step["ids"]) if id not in self._space]
        if new:
            self._space.observe(
                [step["ids"][at] for at in new],
                [step["vectors"][at] for at in new],
                [step["documents"][at] for at in new],
                metadata=[step["metadata"][at] for at in new],
            )

    def update(self, step: Any) -> None:
        """Change the metadata of rows that are there."""
        known = self._space.get(step["ids"], include_vectors=True)
        pairs = [(hit, named) for hit, named in zip(known, step["metadata"], strict=True) if hit is not None]
        if pairs:
            self._space.observe(
                [hit.id for hit, _ in pairs],
                [hit.vector for hit, _ in pairs],
                [hit.content for hit, _ in pairs],
                metadata=[{**hit.metadata, **named} for hit, named in pairs],
            )

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows by id."""
        self._space.delete(ids)

    def delete_where(self, where: Any) -> None:
        """Delete the rows that pass a filter."""
        self._space.delete(filter=condition(where))

    def get(self, ids: Sequence[str]) -> list[Row]:
        """Return rows by id."""
        return _rows(hit for hit in self._space.get(list(ids)) if hit is not None)

    def get_where(self, where: Any) -> list[Row]:
        """Return the rows that pass a filter."""
        rows = _rows(self._space.scan(condition(where)))
        assert self._space.count(condition(where)) == len(rows), "count and scan differ"
        return rows

    def query(self, vector: Sequence[float], where: Any) -> list[tuple[str, float]]:
        """Return the ids and distances of all rows that pass a filter."""
        cue = Cue(vector, filter=None if where is None else condition(where))
        return sorted((hit.id, 1 - hit.score) for hit in self._space.recall(cue, len(IDS)))

    def count(self) -> int:
        """Return how many rows there are."""
        return len(self._space)


def condition(where: Any) -> Condition:
    """Return a filter of Chroma as one of Engram."""
    ((key, value),) = where.items()
    if key in _GROUPS:
        first, *others = map(condition, value)
        for other in others:
            first = _GROUPS[key](first, other)
        return first
    operator, operand = next(iter(value.items())) if isinstance(value, dict) else ("$eq", value)
    made: Condition = _OPERATORS[operator](F[key], operand)
    return made


def _rows(hits: Any) -> list[Row]:
    found: list[Hit] = list(hits)
    return sorted(((hit.id, hit.content, hit.metadata) for hit in found), key=lambda row: row[0])
