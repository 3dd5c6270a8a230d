"""A store on the disk with many observations whose properties are of known distributions, kept for the next run or not.

Properties are drawn by row, each by itself: what a share of the observations meets is known beforehand.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import Synthetic
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.steps import progress
from engram import MemoryStore

SPACE = "filled"
ROOMS = tuple(f"{side}-{number}" for side in ("north", "east", "south", "west") for number in range(5))
DECKS = 10
GRADES = 100
TAGS = tuple(f"tag-{number}" for number in range(10))
PARTS = tuple(f"part-{number}" for number in range(10))
# The first observation was made then, and each other one a second after the one before.
START_S = 1_700_000_000
# So far behind the rows of any store that no cue is one of them.
_CUES_BLOCK = 1_000_000
_BATCH = 5_000
_NOTE = "filled.json"


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of the observations, by row.

    Parameters
    ----------
    rank
        Numbers in [0, 1).
    room
        Places in `ROOMS`.
    deck
        Numbers from 0 to 9, where 0 stands for an observation without a deck.
    grade
        Numbers from 0 to 99.
    tags, parts
        Two different places in `TAGS`, and in `PARTS`, each: shape ``(n, 2)``.
    """

    rank: NDArray[np.float64]
    room: NDArray[np.int64]
    deck: NDArray[np.int64]
    grade: NDArray[np.int64]
    tags: NDArray[np.int64]
    parts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rank)

    def metadata(self, row: int) -> dict[str, Any]:
        """The metadata of one row."""
        made: dict[str, Any] = {
            "rank": float(self.rank[row]),
            "room": ROOMS[self.room[row]],
            "grade": int(self.grade[row]),
            "parts": [PARTS[part] for part in self.parts[row]],
            "note": f"note {row}",
        }
        return made if self.deck[row] == 0 else {**made, "crew": {"deck": int(self.deck[row])}}


def properties(count: int, seed: int = 5) -> Properties:
    """The same properties for the same arguments."""
    rng = np.random.default_rng(seed)
    return Properties(
        rng.random(count),
        rng.integers(0, len(ROOMS), count),
        rng.integers(0, DECKS, count),
        rng.integers(0, GRADES, count),
        _pairs(rng, count, len(TAGS)),
        _pairs(rng, count, len(PARTS)),
    )


def cues_of(count: int, dim: int) -> NDArray[np.float32]:
    """Cues of the distribution that the vectors have: float32, shape ``(count, dim)``."""
    return Synthetic(dim).block(_CUES_BLOCK, count)


def scores_of(cues: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The cosine of each cue and each of the first `count` vectors: float32, shape ``(len(cues), count)``."""
    scores = np.empty((len(cues), count), dtype=np.float32)
    for first, vectors in vector_blocks(count, cues.shape[1]):
        scores[:, first : first + len(vectors)] = cues @ vectors.T
    return scores


@contextmanager
def filled(keep: Path | None, count: int, dim: int) -> Iterator[Path]:
    """The directory of a closed store that has so many observations, all of them linked.

    Parameters
    ----------
    keep
        A folder in which the store stays, and is found by the next run; None: one that is gone afterwards.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch:
            _fill(Path(scratch) / "store", count, dim)
            yield Path(scratch) / "store"
        return
    note, wanted = keep / _NOTE, {"count": count, "dim": dim}
    if not note.exists():
        if keep.exists() and any(keep.iterdir()):
            raise SystemExit(f"{keep} has something else in it, or was not filled to the end; pass an empty folder")
        keep.mkdir(parents=True, exist_ok=True)
        _fill(keep / "store", count, dim)
        note.write_text(json.dumps(wanted), encoding="utf-8")
    elif (known := json.loads(note.read_text(encoding="utf-8"))) != wanted:
        raise SystemExit(f"{keep} was filled with {known}, not with {wanted}; pass another folder")
    yield keep / "store"


def _fill(path: Path, count: int, dim: int) -> None:
    rows = properties(count)
    with MemoryStore(path) as store:
        space = store.space(SPACE, dim=dim)
        for begin, vectors in vector_blocks(count, dim):
            for first in range(0, len(vectors), _BATCH):
                batch = vectors[first : first + _BATCH]
                numbers = range(begin + first, begin + first + len(batch))
                space.observe(
                    [f"{row}" for row in numbers],
                    batch,
                    timestamps=[START_S + row for row in numbers],
                    metadata=[rows.metadata(row) for row in numbers],
                    tags=[[TAGS[tag] for tag in rows.tags[row]] for row in numbers],
                )
            progress(f"{begin + len(vectors):,} stored")
        IndexedWatch(space).wait()
        progress("all linked")


def vector_blocks(count: int, dim: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The vectors, a block at a time, each with the number of its first row."""
    source = Synthetic(dim)
    for first in range(0, count, Synthetic.BLOCK):
        yield first, source.block(first // Synthetic.BLOCK, min(Synthetic.BLOCK, count - first))


def _pairs(rng: np.random.Generator, count: int, choices: int) -> NDArray[np.int64]:
    one = rng.integers(0, choices, count)
    return np.stack([one, (one + rng.integers(1, choices, count)) % choices], axis=1)
