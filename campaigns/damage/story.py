"""What is written before anything is damaged: always the same for a seed, so the store need not be asked for it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig
from engram.text import get_embedder

SPACES: Final = {
    config.name: config
    for config in (
        SpaceConfig("alpha", 24, "cosine", ""),
        SpaceConfig("essays", 64, "cosine", "lexical"),
        SpaceConfig("metres", 8, "l2", ""),
        SpaceConfig("quiet", 16, "ip", ""),
        SpaceConfig("empty", 8, "cosine", ""),
        SpaceConfig("sparse", 12, "cosine", "", "optional"),
    )
}
SESSION: Final = "writer-of-metres"
_BEGIN_US: Final = 1_700_000_000_000_000
# In the year 2100, so that only damage can make something expire.
_EXPIRES_US: Final = 4_102_444_800_000_000
_TAGS: Final = ("red", "green", "blue", "zürich")
_WORDS: Final = (
    *("pump", "deck", "crew", "noon", "leak", "hull", "pay", "bob", "alice", "harbour", "Käse", "東京", "ocean"),
    *("signal", "lamp", "rope", "tide", "wind", "anchor", "sail", "map"),
)


class Row(NamedTuple):
    """One observation as it was acknowledged; None for a vector, a text or a moment of expiry that it has not."""

    id: str
    vector: NDArray[np.float32] | None
    content: str | None
    metadata: dict[str, Any]
    tags: list[str]
    time_us: int
    confidence: float
    importance: float
    expires_us: int | None = None


class Change(NamedTuple):
    """One call that writes: observations, or, without rows, deletions."""

    space: str
    rows: tuple[Row, ...]
    deleted: tuple[str, ...] = ()
    session: str = ""
    first_sequence: int = 0

    @property
    def generations(self) -> int:
        """How many it takes."""
        return len(self.rows) + len(self.deleted)

    def batch(self) -> ObservationBatch:
        """Its rows as columns."""
        batch = make_batch(
            [row.id for row in self.rows],
            [row.vector for row in self.rows],
            [row.content for row in self.rows],
            confidences=[row.confidence for row in self.rows],
            importances=[row.importance for row in self.rows],
            metadata=[row.metadata or None for row in self.rows],
            tags=[row.tags for row in self.rows],
            expires_at=np.array([row.expires_us for row in self.rows], "datetime64[us]"),
        )
        batch.times_us[:] = [row.time_us for row in self.rows]
        return batch


class _Author:
    """Makes changes to one space that fit what it holds already."""

    def __init__(self, config: SpaceConfig, seed: str) -> None:
        self._config = config
        self._random = random.Random(f"{seed} {config.name}")
        self._vectors = np.random.default_rng(list(f"{seed} {config.name}".encode()))
        self._live: dict[str, None] = {}
        self._number = 0
        self._sequence = 0

    def observe(self, count: int, session: str = "") -> Change:
        """A batch of `count`, in which some ids supersede earlier ones, and may do so twice."""
        rows = tuple(self._rows(count))
        self._live.update(dict.fromkeys(row.id for row in rows))
        first_sequence = self._sequence + 1 if session else 0
        self._sequence += count if session else 0
        return Change(self._config.name, rows, (), session, first_sequence)

    def delete(self, count: int) -> Change:
        """The deletion of `count` ids that exist."""
        ids = tuple(self._random.sample(sorted(self._live), count))
        for id in ids:
            del self._live[id]
        return Change(self._config.name, (), ids)

    def _rows(self, count: int) -> Iterator[Row]:
        contents = [self._content() for _ in range(count)]
        if self._config.embedder:
            vectors = np.asarray(get_embedder(self._config.embedder, self._config.dim).embed(contents))
        else:
            vectors = self._vectors.standard_normal((count, self._config.dim)).astype(np.float32)
        for content, vector in zip(contents, vectors, strict=True):
            self._number += 1
            row = Row(
                self._id(),
                vector,
                content,
                self._metadata(),
                sorted(self._random.sample(_TAGS, self._random.randrange(3))),
                _BEGIN_US + 1_000_003 * self._number,
                float(np.float32(self._random.random())),
                float(np.float32(self._random.random())),
            )
            yield self._thinned(row) if self._config.vectors == "optional" else row

    def _thinned(self, row: Row) -> Row:
        """The row without its vector or without its text, or neither, and perhaps with a moment of expiry."""
        lacks = self._random.choice(("nothing", "vector", "content"))
        return row._replace(
            vector=None if lacks == "vector" else row.vector,
            content=None if lacks == "content" else row.content,
            expires_us=_EXPIRES_US + self._number if self._random.random() < 0.5 else None,
        )

    def _id(self) -> str:
        if self._live and self._random.random() < 0.15:
            return self._random.choice(sorted(self._live))
        return f"{self._config.name}-{self._number}" + ("-né" if self._number % 7 == 0 else "")

    def _content(self) -> str:
        length = 400 if self._random.random() < 0.02 else self._random.randrange(3, 30)
        return " ".join(self._random.choices(_WORDS, k=length)) + f" w{self._number}"

    def _metadata(self) -> dict[str, Any]:
        if self._random.random() < 0.3:
            return {}
        return {
            "n": self._number,
            "ratio": self._random.randrange(100) / 8,
            "name": self._random.choice(_WORDS),
            "flag": self._random.random() < 0.5,
            "none": None,
            "deep": {"list": [1, 2.5, "x"]},
        }


def write_story(seed: str) -> list[Change]:
    """All changes, in order: records of many rows and of one, some of which supersede or delete."""
    order = random.Random(seed)
    authors = {name: _Author(config, seed) for name, config in SPACES.items() if name != "empty"}
    changes = [author.observe(20, SESSION if name == "metres" else "") for name, author in authors.items()]
    middle: list[Change] = []
    for _ in range(3):
        middle.append(authors["alpha"].observe(110))
        middle += [authors["alpha"].observe(1) for _ in range(12)]
        middle += [authors["alpha"].delete(count) for count in (1, 9)]
        middle += [authors["essays"].observe(order.randrange(1, 40)) for _ in range(3)]
        middle.append(authors["essays"].delete(3))
        middle += [authors["metres"].observe(order.choice((1, 1, 5, 30)), SESSION) for _ in range(12)]
        middle.append(authors["metres"].delete(2))
        middle.append(authors["quiet"].observe(order.randrange(1, 6)))
        middle += [authors["sparse"].observe(count) for count in (60, 1, 1, 1, 9)]
        middle.append(authors["sparse"].delete(2))
    return changes + middle


def write_more(seed: str, space: str) -> list[Change]:
    """Changes that fit any space of the story after all of it, under new ids."""
    author = _Author(SPACES[space], f"{seed} more")
    author._number = 100_000
    return [author.observe(count) for count in (3, 1)]
