"""A space of Engram, as a program written for Chroma would use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, Final

import engram
from campaigns.chroma.chroma_side import Row
from campaigns.chroma.program import DIM, IDS, NAMES, Step
from engram import Cue, F, Own
from engram.model.filters.conditions import Condition
from engram.model.hit import Hit

DOCUMENT: Final = "chroma:document"
"""The key of the metadata under which the text of a document is stored once more, to filter by it."""
_JOINTS: Final[dict[str, Callable[[Condition, Condition], Condition]]] = {
    "$and": Condition.__and__,
    "$or": Condition.__or__,
}
_OPERATORS: Final[dict[str, Callable[[Any, Any], Condition]]] = {
    "$eq": lambda field, value: field == value,
    "$ne": lambda field, value: field != value,
    "$gt": lambda field, value: field > value,
    "$gte": lambda field, value: field >= value,
    "$lt": lambda field, value: field < value,
    "$lte": lambda field, value: field <= value,
    "$in": lambda field, value: field.is_in(value),
    "$nin": lambda field, value: field.not_in(value),
    "$contains": lambda field, value: field.contains(value),
    "$not_contains": lambda field, value: ~field.contains(value),
}


class EngramSide:
    """One space in memory."""

    def __init__(self) -> None:
        self._store = engram.connect()
        self._space = self._store.space(NAMES[0], dim=DIM)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def create(self, step: Step) -> None:
        """Drop the space and make it again."""
        name = self._space.name
        self._store.drop(name)
        self._space = self._store.space(name, dim=DIM)

    def rename(self, step: Step) -> None:
        """Give the space its other name, and open it by that."""
        name = next(name for name in NAMES if name != self._space.name)
        self._store.rename(self._space.name, name)
        self._space = self._store.space(name)

    def names(self, step: Step) -> list[str]:
        """Return the names of all spaces but the one that is always there."""
        return [space.name for space in self._store.spaces() if space.name != "default"]

    def upsert(self, step: Step) -> None:
        """Store rows that are not there, and change those that are."""
        self._change(step, self._known(step["ids"]))
        self.add(step)

    def add(self, step: Step) -> None:
        """Store rows that are not there."""
        known = self._known(step["ids"])
        new = [row for row in range(len(step["ids"])) if row not in known]
        if new:
            ids, vectors, documents, metadata = _taken(step, new)
            self._space.observe(ids, vectors, documents, metadata=metadata, if_absent=True)

    def update(self, step: Step) -> None:
        """Change what is named of rows that are there."""
        self._change(step, self._known(step["ids"]))

    def delete(self, step: Step) -> None:
        """Delete rows by id."""
        self._space.delete(step["ids"])

    def delete_where(self, step: Step) -> None:
        """Delete the rows that pass filters."""
        self._space.delete(filter=_filter(step))

    def get(self, step: Step) -> list[Row]:
        """Return rows by id."""
        ids: list[str] = step["ids"]
        found = self._space.get(ids)
        assert [id in self._space for id in ids] == [hit is not None for hit in found]
        return _rows(hit for hit in found if hit is not None)

    def get_where(self, step: Step) -> list[Row]:
        """Return the rows that pass filters."""
        rows = _rows(self._space.scan(_filter(step)))
        assert self._space.count(_filter(step)) == len(rows), "count and scan differ"
        return rows

    def query(self, step: Step) -> list[tuple[str, float]]:
        """Return the ids and distances of all rows that pass filters."""
        hits = self._space.recall(Cue(step["vector"], filter=_filter(step)), len(IDS))
        return [(hit.id, 1 - hit.score) for hit in hits]

    def count(self, step: Step) -> int:
        """Return how many rows there are."""
        return len(self._space)

    def _known(self, ids: Sequence[str]) -> list[int]:
        """Return the places of those of `ids` that are there."""
        return [row for row, hit in enumerate(self._space.get(ids)) if hit is not None]

    def _change(self, step: Step, rows: Sequence[int]) -> None:
        if rows:
            ids, vectors, documents, metadata = _taken(step, rows)
            self._space.update(ids, vectors, documents, metadata=metadata)


def condition(where: Any) -> Condition:
    """Return a filter of Chroma as one of Engram."""
    ((key, value),) = where.items()
    if key in _JOINTS:
        return reduce(_JOINTS[key], map(condition, value))
    operator, operand = next(iter(value.items())) if isinstance(value, dict) else ("$eq", value)
    return _OPERATORS[operator](F[key], operand)


def document_condition(where_document: Any) -> Condition:
    """Return a filter of documents of Chroma as one of Engram."""
    ((operator, value),) = where_document.items()
    if operator in _JOINTS:
        return reduce(_JOINTS[operator], map(document_condition, value))
    return _OPERATORS[operator](F[DOCUMENT], value)


def _filter(step: Step) -> Condition | None:
    """Return all conditions of a step as one; None if there are none."""
    conditions = []
    if step["where"] is not None:
        conditions.append(condition(step["where"]))
    if step["where_document"] is not None:
        conditions.append(document_condition(step["where_document"]))
    if step["ids"] is not None:
        conditions.append(Own.id.is_in(step["ids"]))
    return reduce(Condition.__and__, conditions) if conditions else None


def _taken(step: Step, rows: Sequence[int]) -> tuple[list[str], Any, Any, Any]:
    """Return the ids, vectors, documents and metadata of some rows of a step, None for what is not named."""
    vectors, documents, metadata = (
        None if column is None else [column[row] for row in rows]
        for column in (step["vectors"], step["documents"], step["metadata"])
    )
    if documents is not None:
        named = metadata or [{}] * len(rows)
        metadata = [{**known, DOCUMENT: document} for known, document in zip(named, documents, strict=True)]
    return [step["ids"][row] for row in rows], vectors, documents, metadata


def _rows(hits: Iterable[Hit]) -> list[Row]:
    rows: list[Row] = []
    for hit in hits:
        metadata = dict(hit.metadata)
        assert metadata.pop(DOCUMENT, "") == hit.content, "the text was not stored as often as it was given"
        rows.append((hit.id, hit.content, metadata))
    return sorted(rows, key=lambda row: row[0])
