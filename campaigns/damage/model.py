"""What each space must answer, worked out from what was acknowledged and from nothing that the store says."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campaigns.damage.story import Change, Row
from engram.model.spaces import Metric


class Version(NamedTuple):
    """A row, its generation, and the generation from which on it is dead (0 for never)."""

    generation: int
    row: Row
    end: int = 0


class Model:
    """One space by what was acknowledged.

    Parameters
    ----------
    metric
        Its metric.
    dim
        Its dimension.
    changes
        The acknowledged changes to it, in order.
    """

    def __init__(self, metric: Metric, dim: int, changes: Sequence[Change]) -> None:
        self.metric = metric
        self.dim = dim
        self.changes = list(changes)
        self.versions: list[Version] = []
        self.ids: set[str] = set()
        self.generation = 0
        self._sequences: list[tuple[int, str, int]] = []
        latest: dict[str, int] = {}
        for change in changes:
            for row in change.rows:
                self.generation += 1
                self._end(latest.pop(row.id, None))
                latest[row.id] = len(self.versions)
                self.versions.append(Version(self.generation, row))
            for id in change.deleted:
                self.generation += 1
                self._end(latest.pop(id))
            if change.session:
                last = change.first_sequence + len(change.rows) - 1
                self._sequences.append((self.generation, change.session, last))
            self.ids.update(row.id for row in change.rows)

    def cut(self, generation: int) -> Model:
        """The model of the same space when it ended with `generation`, which may lie within a change."""
        changes = []
        left = generation
        for change in self.changes:
            if left > 0:
                changes.append(change._replace(rows=change.rows[:left], deleted=change.deleted[:left]))
            left -= change.generations
        return Model(self.metric, self.dim, changes)

    def more(self, changes: Sequence[Change]) -> Model:
        """The model of the same space after `changes`."""
        return Model(self.metric, self.dim, [*self.changes, *changes])

    def alive(self, at: int | None = None) -> list[Version]:
        """What is alive at a generation, in the order of generations."""
        at = self.generation if at is None else at
        return [v for v in self.versions if v.generation <= at and (not v.end or v.end > at)]

    def sequence(self, session: str) -> int:
        """How far a session got."""
        return max((last for _, one, last in self._sequences if one == session), default=0)

    def scores(self, cue: NDArray[np.float32], versions: Sequence[Version]) -> dict[int, float]:
        """The similarity of each version that has a vector to `cue`, by generation."""
        vectors = {v.generation: v.row.vector for v in versions if v.row.vector is not None}
        if not vectors:
            return {}
        rows = np.stack(list(vectors.values())).astype(np.float64)
        query = cue.astype(np.float64)
        if self.metric == "l2":
            scores = -((rows - query) ** 2).sum(axis=1)
        else:
            scores = rows @ query
            if self.metric == "cosine":
                scores /= np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
        return dict(zip(vectors, scores.tolist(), strict=True))

    def worded(self, words: str, passes: Callable[[int], bool]) -> dict[int, float]:
        """What shares a word with `words`, with scores by BM25 over everything that was ever observed."""
        database = sqlite3.connect(":memory:")
        database.execute("CREATE VIRTUAL TABLE texts USING fts5(content, content='', tokenize='porter unicode61')")
        insert = "INSERT INTO texts(rowid, content) VALUES (?, ?)"
        database.executemany(
            insert, [(v.generation, v.row.content) for v in self.versions if v.row.content is not None]
        )
        query = " OR ".join(f'"{word}"' for word in words.split())
        found = database.execute("SELECT rowid, -rank FROM texts WHERE texts MATCH ?", (query,)).fetchall()
        database.close()
        return {generation: score for generation, score in found if passes(generation)}

    def _end(self, place: int | None) -> None:
        if place is not None:
            self.versions[place] = self.versions[place]._replace(end=self.generation)
